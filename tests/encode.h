/* SPDX-License-Identifier: MIT */
/* The encoding column of opcodes.def as bytes: the way back, written apart from the decoder that it tests. */
#ifndef EMU_TESTS_ENCODE_H
#define EMU_TESTS_ENCODE_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cpu/decode.h"

/* An encoding of opcodes.def as bytes: r for the free three bits of opcode or rm, reg for /r, mod for a memory or
 * register form. Returns the length. */
static inline unsigned encode_row(const struct opcode *o, unsigned r, unsigned reg, unsigned mod, u8 *out)
{
    char text[64], *save = NULL;
    unsigned n = 0, rex = 0;
    bool opcode_seen = false;
    snprintf(text, sizeof text, "%s", o->encoding);
    for (char *w = strtok_r(text, " ", &save); w; w = strtok_r(NULL, " ", &save)) {
        if (strcmp(w, "NP") == 0)
            continue;
        if (strncmp(w, "REX.", 4) == 0)
            rex = w[4] == 'W' ? 0x48 : 0x41;
        else if (w[0] == '/')
            out[n++] = mod << 6 | (w[1] == 'r' ? reg : (unsigned)(w[1] - '0')) << 3 | 3;
        else {
            bool prefix =
                !opcode_seen && *save && (strcmp(w, "66") == 0 || strcmp(w, "F2") == 0 || strcmp(w, "F3") == 0);
            if (!prefix && !opcode_seen && rex)
                out[n++] = rex;
            opcode_seen |= !prefix;
            out[n++] = strtoul(w, NULL, 16) + (strchr(w, '+') ? r : 0);
        }
    }
    memset(out + n, 0x11, INSN_MAX - n);
    return n;
}

#endif
