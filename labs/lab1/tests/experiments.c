/* SPDX-License-Identifier: MIT */
/* Your experiments, with a judge that is right. Each must be the instruction that its name says, and must betray. */
#include "lab1.h"

/* Opcodes of each name; 0F xx /reg as 0x0Fxx with the ModRM byte's reg field, or -1 for any. */
static const struct { const char *name; u16 opcode; signed char reg; } forms[] = {
    { "SGDT", 0x0f01, 0 }, { "SIDT", 0x0f01, 1 }, { "SLDT", 0x0f00, 0 }, { "SMSW", 0x0f01, 4 }, { "PUSHF", 0x9c, -1 }, { "POPF", 0x9d, -1 },
    { "LAR", 0x0f02, -1 }, { "LSL", 0x0f03, -1 }, { "VERR", 0x0f00, 4 }, { "VERW", 0x0f00, 5 },
    { "POP", 0x07, -1 }, { "POP", 0x17, -1 }, { "POP", 0x1f, -1 }, { "POP", 0x0fa1, -1 }, { "POP", 0x0fa9, -1 },
    { "PUSH", 0x06, -1 }, { "PUSH", 0x0e, -1 }, { "PUSH", 0x16, -1 }, { "PUSH", 0x1e, -1 }, { "PUSH", 0x0fa0, -1 }, { "PUSH", 0x0fa8, -1 },
    { "CALL", 0x9a, -1 }, { "CALL", 0xff, 3 }, { "JMP", 0xea, -1 }, { "JMP", 0xff, 5 },
    { "RET", 0xcb, -1 }, { "RET", 0xca, -1 }, { "RET", 0xcf, -1 }, { "STR", 0x0f00, 1 }, { "MOV", 0x8c, -1 }, { "MOV", 0x8e, -1 },
};
static const char *const order[17] = { "SGDT", "SIDT", "SLDT", "SMSW", "PUSHF", "POPF", "LAR", "LSL", "VERR", "VERW", "POP", "PUSH", "CALL", "JMP", "RET", "STR", "MOV" };

#ifndef FIRST
#define FIRST 0
#define LAST 17
#endif

static _Bool equal(const char *a, const char *b)
{
    while (*a && *a == *b)
        a++, b++;
    return *a == *b;
}

static _Bool is_what_it_says(const struct specimen *s, const char *name)
{
    u8 second = s->code[0] == 0x0f;
    u16 opcode = second ? 0x0f00 | s->code[1] : s->code[0];
    for (u32 i = 0; i < sizeof forms / sizeof *forms; i++)
        if (equal(forms[i].name, name) && forms[i].opcode == opcode && (forms[i].reg < 0 || forms[i].reg == (s->code[1 + second] >> 3 & 7)))
            return s->len && s->len <= sizeof s->code && equal(s->name, name);
    return 0;
}

void guest_main(void)
{
    for (u32 i = FIRST; i < LAST; i++) {
        if (is_what_it_says(&experiments[i], order[i]))
            stage_try(&experiments[i]);
        else
            print("@lab1 %s is another instruction\n", order[i]);
    }
}
