/* SPDX-License-Identifier: MIT */
/*
 * One unit for people: guest code on the left with what became of each instruction and why, host code on the right. Host addresses are
 * offsets in the cache, so that they repeat exactly.
 */
#include "bt/show.h"

#include <capstone/capstone.h>
#include <string.h>

#include "machine/vm.h"

#define UNIT_BYTES (UNIT_MAX_INSNS * INSN_MAX)

/* --- rules --- */

static const char *rule_kind(enum rule r)
{
    static const char *const kinds[] = { [RULE_CALLOUT] = "callout", [RULE_IDENT] = "IDENT", [RULE_NOTHING] = "no code" };
    if (r < ARRAY_LEN(kinds) && kinds[r])
        return kinds[r];
    return rule_in_cache(r) ? "in cache" : "rewritten";
}

/* A callout whose own rule is another one: why then? */
static const char *why_not(const struct bt *b, u32 eip, enum rule r)
{
    if (adapted(b, eip))
        return "adapted: it kept faulting on traced pages, code or devices";
    return r == RULE_STI ? "last of its unit: no interrupt may come before the next one" : "a form that cannot be rewritten";
}

static const char *ident_why(const struct insn *i)
{
    for (int k = 0; k < 4; k++)
        if (i->op[k].kind == OPD_MEM)
            return i->mem.seg == FS || i->mem.seg == GS ? "the same, in the window, at the segment's base" : "the same bytes, in the window";
    return "the same bytes";
}

/* What became of the n-th instruction of u, and why. */
static enum rule rule_of(const struct bt *b, const struct unit *u, unsigned n, const struct insn *i, const char **why)
{
    enum rule r = rule_for(i, u->key, why);
    bool callout = n + 1 == u->ninsns && u->ncounted < u->ninsns;
    if (r == RULE_IDENT)
        *why = ident_why(i);
    if (!callout || r == RULE_CALLOUT)
        return r;
    *why = why_not(b, u->eip + u->map[n].guest, r);
    return RULE_CALLOUT;
}

/* What made it a matter for the monitor (Popek and Goldberg). */
static const char *class_word(const struct insn *i)
{
    static const char *const words[] = { [CLASS_PRIVILEGED] = " (privileged)", [CLASS_SENSITIVE] = " (sensitive)", [CLASS_SYSTEM] = " (system)" };
    const char *word = i->row->class < ARRAY_LEN(words) ? words[i->row->class] : NULL;
    return word ? word : "";
}

/* --- code --- */

/* The unit's guest code, from where it was translated. Returns how much there is. */
static unsigned guest_code(const struct bt *b, const struct unit *u, u8 *code)
{
    unsigned first = PAGE_SIZE - (u->gpa[0] & ~PAGE_MASK);
    for (unsigned n = 0; n < u->len && n < UNIT_BYTES; n++) {
        const u8 *p = physmap_ptr_ro(b->map, u->gpa[1] && n >= first ? u->gpa[1] + n - first : u->gpa[0] + n, 1);
        if (!p)
            return n;
        code[n] = *p;
    }
    return u->len;
}

/* Bytes in hexadecimal, padded to `room` of them; "" where the columns are too narrow for that. Pointers of this process are not
 * shown: they differ from run to run. */
static const char *hex(const struct columns *c, const u8 *bytes, unsigned len, unsigned room, char *buf)
{
    unsigned shown = len > room ? room - 1 : len;
    char *p = buf;
    *buf = 0;
    if (c->left + c->right < BT_WIDE - 10)
        return buf;
    for (unsigned n = 0; n < shown; n++)
        p += is_host_pointer(bytes, len) && n >= 2 ? sprintf(p, ".. ") : sprintf(p, "%02x ", bytes[n]);
    sprintf(p, "%-*s", (int)(room - shown) * 3 + 1, len > room ? ".." : "");
    return buf;
}

static void add_guest(struct columns *c, const struct bt *b, const struct unit *u, unsigned n, const u8 *code, unsigned len)
{
    struct insn i;
    char text[96], bytes[64];
    const char *why = "";
    u32 at = u->map[n].guest;
    if (at >= len || decode_insn(code + at, len - at, key_bits(u->key), &i) != DECODE_OK) {
        columns_add(c, 0, 10, "%08x  (its bytes have changed since)", u->eip + at);
        return;
    }
    enum rule r = rule_of(b, u, n, &i, &why);
    disassemble(code + at, i.len, key_bits(u->key), u->eip + at, text, sizeof text);
    columns_add(c, 0, 12, "%08x  %s%s", u->eip + at, hex(c, code + at, i.len, 8, bytes), text);
    columns_add(c, 0, 6, "    %s%s: %s", rule_kind(r), class_word(&i), why);
}

/* Its note stands behind it, or above where there is no room. */
static void add_host(struct columns *c, const struct bt *b, const struct unit *u, const cs_insn *h)
{
    char operands[200], note[96], bytes[64], line[400];
    u32 at = h->address;
    host_operands(b, u, at, h->bytes, h->size, h->op_str, operands, sizeof operands);
    host_note(b, u, at, h->bytes, h->size, note, sizeof note);
    int n = snprintf(line, sizeof line, "%06x  %s%s%s%s", at, hex(c, h->bytes, h->size, 11, bytes), h->mnemonic, *operands ? " " : "", operands);
    int room = c->right - n - 4, pad = *bytes ? 74 : 30;
    if (*note && (int)strlen(note) > room) {
        columns_add(c, 1, 10, "        ; %s", note);
        columns_add(c, 1, 12, "%s", line);
    } else {
        pad = n < pad && n + (int)strlen(note) + (pad - n) + 4 <= (int)c->right ? pad - n : 0;
        columns_add(c, 1, 12, "%s%*s%s%s", line, *note ? pad : 0, "", *note ? "  ; " : "", note);
    }
}

static void add_host_code(struct columns *c, csh cs, const struct bt *b, const struct unit *u, u32 from, u32 to)
{
    cs_insn *h;
    size_t n = to > from ? cs_disasm(cs, b->code + from, to - from, from, 0, &h) : 0;
    for (size_t k = 0; k < n; k++)
        add_host(c, b, u, &h[k]);
    if (n)
        cs_free(h, n);
}

/* --- the unit --- */

/* What else the translation depends on: units of one address may differ in that. */
static const char *key_words(u32 key, char *buf)
{
    static const struct { u32 bit; const char *word; } words[] = {
        { KEY_FPU, " fpu" }, { KEY_SSE, " sse" }, { KEY_SEG << FS, " fs" }, { KEY_SEG << GS, " gs" }, { KEY_DF, " df" }, { KEY_WATCHED, " watched" },
        { KEY_CODE16, " code16" }, { KEY_STACK16, " stack16" }, { KEY_REAL, " real" },
    };
    char *p = buf;
    *p = 0;
    for (unsigned n = 0; n < ARRAY_LEN(words); n++)
        if (key & words[n].bit)
            p = stpcpy(p, words[n].word);
    return buf;
}

static const char *plural(unsigned n) { return n == 1 ? "" : "s"; }

static void title(const struct unit *u, FILE *out)
{
    char words[96], rounds[24] = "";
    if (u->ninsns != u->nguest)
        snprintf(rounds, sizeof rounds, ", %u rounds", u->ninsns / u->nguest);
    fprintf(out, "unit %08x, ring %u%s: %u instruction%s%s, %u -> %u bytes, %u cycle%s\n", u->eip, u->key & KEY_CPL, key_words(u->key, words), u->nguest, plural(u->nguest),
            rounds, u->len, u->host_len, u->cycles, plural(u->cycles));
}

void show_unit(const struct bt *b, const struct unit *u, unsigned width, FILE *out)
{
    struct columns c;
    u8 code[UNIT_BYTES];
    csh cs;
    unsigned len = guest_code(b, u, code);
    title(u, out);
    if (cs_open(CS_ARCH_X86, CS_MODE_64, &cs) != CS_ERR_OK)
        return;
    columns_init(&c, width, out);
    columns_add(&c, 0, 0, "guest code");
    columns_add(&c, 1, 0, "host code");
    add_host_code(&c, cs, b, u, u->host, u->host + u->map[0].host);
    columns_flush(&c);
    for (unsigned n = 0; n < u->ninsns; n++) {
        add_guest(&c, b, u, n, code, len);
        add_host_code(&c, cs, b, u, u->host + u->map[n].host, n + 1 < u->ninsns ? u->host + u->map[n + 1].host : u->host + u->host_len);
        columns_flush(&c);
    }
    cs_close(&cs);
}

int bt_show(struct vm *vm, u32 *eip, unsigned columns, FILE *out, struct error *err)
{
    struct bt_vcpu *v = bt_of(vm);
    if (!v)
        return error_set(err, "engine %s translates nothing; use --engine=bt", vm->engine->name);
    if (!mode_settle(v)->translatable)
        return error_set(err, "the guest stands in code that is interpreted (16-bit, or with bases or limits of segments): run it further, as with --max-cycles=100000000");
    struct unit *u = core_unit(v, *eip);
    if (!u)
        return error_set(err, "%08x: no code can be fetched there, or its first instruction is none: give another address", *eip);
    show_unit(v->bt, u, columns, out);
    *eip += u->len;
    return 0;
}
