/* SPDX-License-Identifier: MIT */
#include "cpu/optable.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

static const struct { const char *name; u8 value; } type_names[] = {
    { "a", TYPE_a }, { "b", TYPE_b }, { "bs", TYPE_bs }, { "d", TYPE_d }, { "dq", TYPE_dq }, { "p", TYPE_p },
    { "pd", TYPE_pd }, { "ps", TYPE_ps }, { "q", TYPE_q }, { "s", TYPE_s }, { "sd", TYPE_sd }, { "ss", TYPE_ss },
    { "t", TYPE_t }, { "v", TYPE_v }, { "w", TYPE_w }, { "y", TYPE_y }, { "z", TYPE_z }, { "env", TYPE_env },
    { "fpu", TYPE_fpu }, { "fx", TYPE_fx }, { "", TYPE_NONE },
};
static const struct { const char *name; struct operand_spec spec; } fixed_operands[] = {
    { "AL", { LETTER_FIXED_GPR, TYPE_b, 0, RAX } }, { "CL", { LETTER_FIXED_GPR, TYPE_b, 0, RCX } },
    { "AX", { LETTER_FIXED_GPR, TYPE_w, 0, RAX } }, { "DX", { LETTER_FIXED_GPR, TYPE_w, 0, RDX } },
    { "eAX", { LETTER_FIXED_GPR, TYPE_z, 0, RAX } }, { "rAX", { LETTER_FIXED_GPR, TYPE_v, 0, RAX } },
    { "ES", { LETTER_FIXED_SREG, TYPE_w, 0, ES } }, { "CS", { LETTER_FIXED_SREG, TYPE_w, 0, CS } },
    { "SS", { LETTER_FIXED_SREG, TYPE_w, 0, SS } }, { "DS", { LETTER_FIXED_SREG, TYPE_w, 0, DS } },
    { "FS", { LETTER_FIXED_SREG, TYPE_w, 0, FS } }, { "GS", { LETTER_FIXED_SREG, TYPE_w, 0, GS } },
    { "1", { LETTER_ONE, TYPE_b } }, { "ST0", { LETTER_ST0, TYPE_t } }, { "STi", { LETTER_STI, TYPE_t } },
};

static u8 parse_type(const char *name)
{
    for (unsigned i = 0; i < ARRAY_LEN(type_names); i++)
        if (strcmp(name, type_names[i].name) == 0)
            return type_names[i].value;
    assert(!"a type that opcodes.def explains");
    return TYPE_NONE;
}

static struct operand_spec parse_operand(const char *text)
{
    for (unsigned i = 0; i < ARRAY_LEN(fixed_operands); i++)
        if (strcmp(text, fixed_operands[i].name) == 0)
            return fixed_operands[i].spec;
    if (strcmp(text, "Rv/Mw") == 0)
        return (struct operand_spec){ 'E', TYPE_v, TYPE_w };
    if (strcmp(text, "Rd/Mw") == 0)
        return (struct operand_spec){ 'E', TYPE_d, TYPE_w };
    u8 type = parse_type(text + 1);
    return (struct operand_spec){ text[0], type, type };
}

/* Memory-only and register-only operands select by mod. */
static void require_mod(struct form *f, char letter)
{
    if (letter == 'M' || (strchr("NRU", letter) && !f->mod_ignored)) {
        f->high_mask |= KEY_MOD3;
        f->high_value |= letter == 'M' ? 0 : KEY_MOD3;
    }
}

static bool is_data(const struct operand_spec *s)
{
    return s->letter != 'I' && s->letter != 'J' && s->letter != LETTER_ONE;
}

static bool has_type(const struct form *f, u8 type)
{
    for (unsigned i = 0; i < f->operands; i++)
        if (is_data(&f->op[i]) && f->op[i].type == type)
            return true;
    return false;
}

static void parse_operands(struct form *f, const char *operands)
{
    char text[64], *save = NULL;
    assert(strlen(operands) < sizeof text);
    strcpy(text, operands);
    for (char *o = strtok_r(text, ",", &save); o; o = strtok_r(NULL, ",", &save)) {
        assert(f->operands < ARRAY_LEN(f->op));
        f->op[f->operands++] = parse_operand(o);
        f->mod_ignored |= o[0] == 'D' && o[1] == 'y';
        f->mod_ignored |= o[0] == 'C' && o[1] == 'y';
    }
    for (unsigned i = 0; i < f->operands; i++)
        require_mod(f, f->op[i].letter);
    f->byte_form = has_type(f, TYPE_b) && !has_type(f, TYPE_v) && !has_type(f, TYPE_z) && !has_type(f, TYPE_y);
    f->at_most_4 = has_type(f, TYPE_z);
}

static void require_low(struct form *f, u8 mask, u8 value)
{
    f->low_mask |= mask;
    f->low_value |= value;
}

/* The words before the opcode; false: it is not one of them. */
static bool parse_prefix_word(struct form *f, const char *word)
{
    static const struct { const char *name; u8 mask, value; } words[] = {
        { "NP", KEY_PREFIX, KEY_NP }, { "66", KEY_PREFIX, KEY_66 }, { "F3", KEY_PREFIX, KEY_F3 },
        { "F2", KEY_PREFIX, KEY_F2 }, { "REX.W", KEY_REX_W, KEY_REX_W }, { "REX.B", KEY_REX_B, KEY_REX_B },
    };
    for (unsigned i = 0; i < ARRAY_LEN(words); i++)
        if (strcmp(word, words[i].name) == 0) {
            require_low(f, words[i].mask, words[i].value);
            return true;
        }
    return false;
}

/* What follows the opcode: "/r", "/digit", or the whole ModRM byte, "+i" leaving rm open. */
static void parse_modrm_word(struct form *f, const char *word)
{
    f->modrm = true;
    if (strcmp(word, "/r") == 0)
        return;
    bool digit = word[0] == '/';
    unsigned modrm = digit ? (word[1] - '0') * 8u : (unsigned)strtoul(word, NULL, 16);
    f->high_mask |= digit ? KEY_REG : strstr(word, "+i") ? KEY_MOD3_REG : KEY_MOD3_REG_RM;
    f->high_value |= key_high(modrm) & f->high_mask;
}

static void parse_encoding(struct form *f, const char *encoding)
{
    char text[64], *save = NULL;
    assert(strlen(encoding) < sizeof text);
    strcpy(text, encoding);
    char *word = strtok_r(text, " ", &save);
    while (word && *save && parse_prefix_word(f, word))
        word = strtok_r(NULL, " ", &save);
    if (strcmp(word, "0F") == 0) {
        word = strtok_r(NULL, " ", &save);
        f->map = strcmp(word, "38") == 0 && *save ? MAP_0F38 : strcmp(word, "3A") == 0 && *save ? MAP_0F3A : MAP_0F;
        if (f->map != MAP_0F)
            word = strtok_r(NULL, " ", &save);
    }
    f->opcode = strtoul(word, NULL, 16);
    f->plus_r = strstr(word, "+r");
    if ((word = strtok_r(NULL, " ", &save)))
        parse_modrm_word(f, word);
}

static void parse_row(struct form *f, const struct opcode *row)
{
    memset(f, 0, sizeof *f);
    parse_encoding(f, row->encoding);
    parse_operands(f, row->operands);
    if (row->attr & (OPATTR_NO64 | OPATTR_ONLY64))
        require_low(f, KEY_64, row->attr & OPATTR_ONLY64 ? KEY_64 : 0);
}

/* Call visit for each slot that row r may be in. */
static void each_slot(struct optable *t, unsigned r, void (*visit)(struct optable *, struct slot *, unsigned r))
{
    const struct form *f = &t->forms[r];
    for (unsigned i = 0; i < (f->plus_r ? 8 : 1); i++)
        visit(t, &t->slots[f->map][f->opcode + i], r);
}

static void widen_slot(struct optable *t, struct slot *s, unsigned r)
{
    const struct form *f = &t->forms[r];
    s->modrm |= f->modrm;
    s->low |= f->low_mask ? KEY_LOW : 0;
    s->high |= f->high_mask & ~KEY_MOD3_REG ? KEY_MOD3_REG_RM : f->high_mask & KEY_REG ? KEY_MOD3_REG : f->high_mask;
}

static unsigned slot_low_bits(const struct slot *s) { return s->low ? KEY_LOW_BITS : 0; }

static unsigned slot_leaves(const struct slot *s) { return (s->high + 1) << slot_low_bits(s); }

static void fill_slot(struct optable *t, struct slot *s, unsigned r)
{
    const struct form *f = &t->forms[r];
    for (unsigned i = 0; i < slot_leaves(s); i++) {
        unsigned low = i & s->low, high = i >> slot_low_bits(s);
        if ((low & f->low_mask) == f->low_value && (high & f->high_mask) == f->high_value && !t->leaves[s->first + i])
            t->leaves[s->first + i] = r + 1;
    }
}

static void allocate_leaves(struct optable *t)
{
    unsigned next = 0;
    for (unsigned i = 0; i < MAP_COUNT * 256; i++) {
        struct slot *s = &t->slots[i / 256][i % 256];
        s->first = next;
        next += slot_leaves(s);
    }
    assert(next <= ARRAY_LEN(t->leaves));
}

static struct optable table;

static void build(void)
{
    assert(opcode_count <= ARRAY_LEN(table.forms));
    for (unsigned r = 0; r < opcode_count; r++)
        parse_row(&table.forms[r], &opcode_rows[r]);
    for (unsigned r = 0; r < opcode_count; r++)
        each_slot(&table, r, widen_slot);
    allocate_leaves(&table);
    for (unsigned r = 0; r < opcode_count; r++)
        each_slot(&table, r, fill_slot);
}

const struct optable *optable_get(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, build);
    return &table;
}
