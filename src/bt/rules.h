/* SPDX-License-Identifier: MIT */
/*
 * What the translator does with each instruction. Most are identical on the host and are copied (IDENT); some must be rewritten
 * because 64-bit mode differs or because they touch the stack or the instruction pointer; the rest leaves
 * to the monitor (CALLOUT), which emulates them on the guest's virtual state.
 */
#ifndef EMU_BT_RULES_H
#define EMU_BT_RULES_H

#include "bt/internal.h"

enum rule {
    RULE_CALLOUT,   /* the monitor emulates it: sensitive, privileged, or too odd to rewrite */
    RULE_IDENT,     /* same bytes; a memory operand gets the window's prefixes */
    RULE_INCDEC,    /* 40..4F are REX prefixes in 64-bit mode: the long form */
    RULE_LEA,       /* an address, no access */
    RULE_NOTHING,   /* what it does is done: CLD where translations are for strings upwards */
    RULE_BIT,       /* a bit string in memory: the word that holds the bit */
    RULE_STRING,    /* by the host's own string instruction on window addresses */
    RULE_CLI, RULE_STI, RULE_PUSHF, RULE_POPF, RULE_READ_CR, RULE_SMSW, RULE_RDTSC, RULE_READ_SREG, RULE_LOAD_SREG /* ends the unit */, /* kernel code: emulated in the cache on virtual state */
    RULE_PUSH, RULE_POP, RULE_LEAVE,    /* 32-bit stack operations by MOV and LEA */
    RULE_CALL, RULE_RET, RULE_JMP, RULE_JCC, RULE_LOOP, RULE_JCC_ROUND /* closes a round of a loop, not the last: ends nothing */, /* control flow: ends the unit */
};
_Static_assert(RULE_JCC_ROUND < MAX_RULES && FILL_DIRECT < FILL_KINDS, "bt_stats has room for all");

/* The rule for a decoded instruction under that key. `why` (may be NULL) gets a word for dumps. */
enum rule rule_for(const struct insn *i, u32 key, const char **why);

static inline unsigned key_bits(u32 key) { return key & KEY_CODE16 ? 16 : 32; }
static inline bool key_has_segment(u32 key, unsigned seg) { return key & KEY_SEG << seg; }

/* Is the memory operand's offset its linear address? Then it is reached as it stands. */
static inline bool reached_directly(const struct insn *i, u32 key)
{
    return i->adsize == 4 && i->mem.seg < FS && key_has_segment(key, i->mem.seg);
}
/* Is the stack the flat one of 32 bits? */
static inline bool plain_stack(const struct insn *i, u32 key) { return i->opsize == 4 && key_has_segment(key, SS) && !(key & KEY_STACK16); }
bool has_memory(const struct insn *i);

/* Sensitive, and emulated on virtual state without leaving the cache. */
static inline bool rule_in_cache(enum rule r) { return r >= RULE_CLI && r <= RULE_LOAD_SREG; }

static inline bool rule_is_sensitive(const struct insn *i)
{
    return i->row->class == CLASS_PRIVILEGED || i->row->class == CLASS_SENSITIVE || i->row->class == CLASS_SYSTEM;
}

#endif
