/* SPDX-License-Identifier: MIT */
#include "base/text.h"

#include <string.h>

#define REPLACEMENT "\xef\xbf\xbd" /* U+FFFD */

/* What the first byte promises: length, its payload bits, and the least code point that needs that many bytes (RFC 3629). */
static const struct { u8 mask, lead, len; u32 least; } forms[] = {
    { 0x80, 0x00, 1, 0x20 }, { 0xe0, 0xc0, 2, 0xa0 }, { 0xf0, 0xe0, 3, 0x800 }, { 0xf8, 0xf0, 4, 0x10000 },
};

/* Surrogates, U+FFFE and U+FFFF are no characters of XML; U+007F is a control; some break lines or turn their direction. */
static bool is_character(u32 c)
{
    bool surrogate = c >= 0xd800 && c < 0xe000, turns = (c >= 0x2028 && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069);
    return !surrogate && !turns && c != 0x7f && c != 0xfffe && c != 0xffff && c <= 0x10ffff;
}

unsigned text_sequence(const char *s)
{
    u8 first = *s;
    for (unsigned f = 0; f < ARRAY_LEN(forms); f++) {
        u32 c = first & (u8)~forms[f].mask;
        unsigned n = 1;
        if ((first & forms[f].mask) != forms[f].lead)
            continue;
        for (; n < forms[f].len && (s[n] & 0xc0) == 0x80; n++)
            c = c << 6 | (s[n] & 0x3f);
        return n == forms[f].len && c >= forms[f].least && is_character(c) ? n : 0;
    }
    return 0;
}

/* Append `piece`; false when it does not fit. */
static bool append(char *to, size_t size, size_t *at, const char *piece, size_t len)
{
    if (*at + len >= size)
        return false;
    memcpy(to + *at, piece, len);
    *at += len;
    return true;
}

char *text_clean(char *to, size_t size, const char *from)
{
    size_t at = 0;
    for (bool fits = true; *from && fits;) {
        unsigned n = text_sequence(from);
        fits = n ? append(to, size, &at, from, n) : append(to, size, &at, REPLACEMENT, sizeof REPLACEMENT - 1);
        from += n ? n : 1;
    }
    to[at] = 0;
    return to;
}

char *text_json(char *to, size_t size, const char *from)
{
    size_t at = 0;
    for (bool fits = true; *from && fits;) {
        unsigned n = text_sequence(from);
        char escaped[2] = { '\\', *from };
        if (*from == '"' || *from == '\\')
            fits = append(to, size, &at, escaped, 2);
        else
            fits = n ? append(to, size, &at, from, n) : append(to, size, &at, REPLACEMENT, sizeof REPLACEMENT - 1);
        from += n ? n : 1;
    }
    to[at] = 0;
    return to;
}

void text_xml(const char *from, FILE *out)
{
    static const struct { char c; const char *entity; } entities[] = {
        { '&', "&amp;" }, { '<', "&lt;" }, { '>', "&gt;" }, { '"', "&quot;" }, { '\'', "&#39;" },
    };
    while (*from) {
        unsigned n = text_sequence(from), k = 0;
        while (k < ARRAY_LEN(entities) && entities[k].c != *from)
            k++;
        if (k < ARRAY_LEN(entities))
            fputs(entities[k].entity, out);
        else if (n)
            fwrite(from, 1, n, out);
        else
            fputs(REPLACEMENT, out);
        from += n ? n : 1;
    }
}
