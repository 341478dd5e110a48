/* SPDX-License-Identifier: MIT */
/*
 * What the binary translator makes of some guest code:
 *
 *     build/tools/show-unit 89 d8 01 d0 c3
 *
 * The bytes stand at 00100000h of a flat 32-bit kernel, HLT behind them; the unit that begins there is translated and shown, each guest instruction
 * with its rule, and behind it the host's. Host addresses are offsets in the translation cache, so that they repeat exactly.
 */
#include <capstone/capstone.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bt/bt.h"
#include "bt/rules.h"
#include "machine/vm.h"

#define CODE_AT 0x100000u

static const char *const rule_names[] = {
    [RULE_CALLOUT] = "callout", [RULE_IDENT] = "identical", [RULE_INCDEC] = "incdec", [RULE_LEA] = "lea", [RULE_STRING] = "string",
    [RULE_CLI] = "cli", [RULE_STI] = "sti", [RULE_PUSHF] = "pushf", [RULE_POPF] = "popf", [RULE_READ_CR] = "read-cr", [RULE_RDTSC] = "rdtsc",
    [RULE_PUSH] = "push", [RULE_POP] = "pop", [RULE_LEAVE] = "leave", [RULE_CALL] = "call", [RULE_RET] = "ret", [RULE_JMP] = "jmp",
    [RULE_JCC] = "jcc", [RULE_LOOP] = "loop",
};

static void die(const char *what, const char *why)
{
    fprintf(stderr, "show-unit: %s%s\n", what, why);
    exit(64);
}

static struct vm *machine(void)
{
    struct vm_config c;
    struct error err;
    vm_config_defaults(&c);
    c.engine = &bt_engine;
    c.profile = "profiles/p4-2006.profile";
    struct vm *vm = vm_new(&c, &err);
    if (!vm)
        die(err.text, "");
    return vm;
}

/* Flat 32-bit protected mode, ring 0, paging off. */
static void enter_kernel(struct cpu *c)
{
    struct cpu_state s = c->state;
    s.cr0 |= CR0_PE;
    for (int i = 0; i < 6; i++)
        segment_from_descriptor(&s.seg[i], i == CS ? 8 : 16, i == CS ? 0x00cf9b000000ffff : 0x00cf93000000ffff);
    s.rip = CODE_AT;
    cpu_set_state(c, &s);
}

/* One host instruction. The address of a struct link is this run's own: say what it is instead. */
static void print_host(const cs_insn *h, u32 offset)
{
    bool link = h->size == 10 && h->bytes[0] == 0x49 && h->bytes[1] == 0xb8;
    printf("        %06x  %-8s%s\n", offset, h->mnemonic, link ? "r8, <struct link>" : h->op_str);
}

static void print_host_code(csh cs, const struct bt *b, u32 from, u32 to)
{
    cs_insn *h;
    size_t n = cs_disasm(cs, b->code + from, to - from, from, 0, &h);
    for (size_t i = 0; i < n; i++)
        print_host(&h[i], h[i].address);
    if (n)
        cs_free(h, n);
}

static void print_guest(const struct unit *u, unsigned n, const u8 *code, u32 end, u16 key)
{
    struct insn i;
    char text[96];
    const char *why = "";
    u32 at = u->map[n].guest;
    decode_insn(code + at, end - at, 32, &i);
    enum rule r = rule_for(&i, key, &why);
    disassemble(code + at, end - at, 32, u->eip + at, text, sizeof text);
    printf("%08x  %-36s %s%s%s\n", u->eip + at, text, rule_names[r], r != RULE_IDENT ? ": " : "", r != RULE_IDENT ? why : "");
}

static void show(const struct bt *b, const struct unit *u, const u8 *code)
{
    csh cs;
    if (cs_open(CS_ARCH_X86, CS_MODE_64, &cs) != CS_ERR_OK)
        die("no disassembler", "");
    printf("unit of %u instructions, %u bytes of guest code, %u of host code, %u cycles\n", u->ninsns, u->len, u->host_len, u->cycles);
    print_host_code(cs, b, u->host, u->host + u->map[0].host);
    for (unsigned n = 0; n < u->ninsns; n++) {
        print_guest(u, n, code, u->len, u->key);
        print_host_code(cs, b, u->host + u->map[n].host, u->host + (n + 1 < u->ninsns ? u->map[n + 1].host : u->host_len));
    }
    printf("        %06x  the way to the monitor (stubs.c)\n", b->leave);
    cs_close(&cs);
}

static void parse(int argc, char **argv, u8 *code, unsigned room)
{
    if (argc < 2)
        die("bytes of guest code are missing; try show-unit ", "89 d8 01 d0 c3");
    for (int i = 1; i < argc; i++) {
        char *end;
        unsigned long v = strtoul(argv[i], &end, 16);
        if (*end || end == argv[i] || v > 0xff || i > (int)room)
            die("not a byte in hexadecimal, or too many: ", argv[i]);
        code[i - 1] = v;
    }
}

int main(int argc, char **argv)
{
    u8 code[256];
    memset(code, 0xf4, sizeof code);
    parse(argc, argv, code, sizeof code - INSN_MAX);
    struct vm *vm = machine();
    struct bt_vcpu *v = vm->vcpu[0]->engine_data;
    enter_kernel(v->cpu);
    physmap_write(&vm->map, CODE_AT, code, sizeof code);
    v->window = window_for(v->bt, v->cpu);
    struct unit *u = v->window ? translate(v, CODE_AT, KEY_FPU, CODE_AT) : NULL;
    if (u)
        show(v->bt, u, code);
    vm_free(vm);
    return u ? 0 : 64;
}
