/* SPDX-License-Identifier: MIT */
/*
 * The two ways to execute an instruction agree: the specialised op (cpu_run) and the mnemonic's handler (cpu_step).
 * The specialised one takes its flags from the host's processor, so this also checks the handlers' flags against that.
 */
#include "guestcode.h"

#include "cpu/interp.h"

enum { ROUNDS = 300 };

/* An instruction's bytes; 'M' stands for a ModRM byte (register or [ebx+esi*4+disp8] form), 'R' for one with a register only,
 * 'b' 'd' for a random byte or dword, 'z' for a zero byte. `reg` fixes ModRM.reg, -1: random. */
struct form { const char *bytes; const char *rest; int reg; };
static const struct form forms[] = {
    { "\x01", "M", -1 }, { "\x02", "M", -1 }, { "\x03", "M", -1 }, { "\x04", "b", -1 }, { "\x05", "d", -1 },
    { "\x08", "M", -1 }, { "\x09", "M", -1 }, { "\x0a", "M", -1 }, { "\x0b", "M", -1 },
    { "\x10", "M", -1 }, { "\x11", "M", -1 }, { "\x12", "M", -1 }, { "\x13", "M", -1 }, { "\x15", "d", -1 },
    { "\x18", "M", -1 }, { "\x19", "M", -1 }, { "\x1a", "M", -1 }, { "\x1b", "M", -1 }, { "\x1d", "d", -1 },
    { "\x20", "M", -1 }, { "\x21", "M", -1 }, { "\x22", "M", -1 }, { "\x23", "M", -1 },
    { "\x28", "M", -1 }, { "\x29", "M", -1 }, { "\x2a", "M", -1 }, { "\x2b", "M", -1 },
    { "\x30", "M", -1 }, { "\x31", "M", -1 }, { "\x32", "M", -1 }, { "\x33", "M", -1 },
    { "\x38", "M", -1 }, { "\x39", "M", -1 }, { "\x3a", "M", -1 }, { "\x3b", "M", -1 },
    { "\x66\x01", "M", -1 }, { "\x66\x13", "M", -1 }, { "\x66\x1b", "M", -1 }, { "\x66\x39", "M", -1 }, { "\x66\x31", "M", -1 },
    { "\x80", "Mb", -1 }, { "\x81", "Md", -1 }, { "\x83", "Mb", -1 }, { "\x66\x83", "Mb", -1 },
    { "\x84", "M", -1 }, { "\x85", "M", -1 }, { "\xa8", "b", -1 }, { "\xf7", "Md", 0 }, { "\xf6", "Mb", 0 },
    { "\x40", "", -1 }, { "\x4b", "", -1 }, { "\x66\x41", "", -1 }, { "\xfe", "M", 0 }, { "\xfe", "M", 1 }, { "\xff", "M", 0 }, { "\xff", "M", 1 },
    { "\xf6", "M", 2 }, { "\xf7", "M", 2 }, { "\xf6", "M", 3 }, { "\xf7", "M", 3 }, { "\x66\xf7", "M", 3 },
    { "\x0f\xaf", "M", -1 }, { "\x69", "Md", -1 }, { "\x6b", "Mb", -1 }, { "\xf7", "M", 4 }, { "\xf7", "M", 5 }, { "\xf6", "M", 5 },
    { "\xc0", "Rb", 4 }, { "\xc0", "Rb", 5 }, { "\xc0", "Rb", 7 }, { "\xc0", "Rb", 0 }, { "\xc0", "Rb", 1 },
    { "\xc1", "Rb", 4 }, { "\xc1", "Rb", 5 }, { "\xc1", "Rb", 7 }, { "\xc1", "Rb", 0 }, { "\xc1", "Rb", 1 },
    { "\xd1", "R", 4 }, { "\xd1", "R", 5 }, { "\xd1", "R", 7 }, { "\xd1", "R", 0 }, { "\xd1", "R", 1 },
    { "\xd3", "R", 4 }, { "\xd3", "R", 5 }, { "\xd3", "R", 7 }, { "\xd3", "R", 0 }, { "\xd3", "R", 1 }, { "\xd2", "R", 4 }, { "\xd2", "R", 1 },
    { "\x66\xd3", "R", 4 }, { "\x66\xd3", "R", 5 }, { "\x66\xd3", "R", 7 }, { "\x66\xd3", "R", 0 }, { "\x66\xd1", "R", 1 },
    { "\x88", "M", -1 }, { "\x89", "M", -1 }, { "\x8a", "M", -1 }, { "\x8b", "M", -1 }, { "\x66\x89", "M", -1 }, { "\x66\x8b", "M", -1 },
    { "\xc6", "Mb", 0 }, { "\xc7", "Md", 0 }, { "\xb3", "b", -1 }, { "\xb7", "b", -1 }, { "\xb9", "d", -1 },
    { "\x0f\xb6", "M", -1 }, { "\x0f\xb7", "M", -1 }, { "\x0f\xbe", "M", -1 }, { "\x0f\xbf", "M", -1 }, { "\x66\x0f\xbe", "M", -1 },
    { "\x86", "R", -1 }, { "\x87", "R", -1 }, { "\x66\x87", "R", -1 }, { "\x91", "", -1 }, { "\x98", "", -1 }, { "\x99", "", -1 },
    { "\x66\x98", "", -1 }, { "\x66\x99", "", -1 }, { "\x8d\x44\x73", "b", -1 }, { "\x8d\x8c\x8d", "d", -1 },
    { "\x0f\x90", "M", -1 }, { "\x0f\x92", "R", -1 }, { "\x0f\x94", "R", -1 }, { "\x0f\x97", "R", -1 }, { "\x0f\x9c", "R", -1 }, { "\x0f\x9e", "R", -1 },
    { "\x0f\x9f", "R", -1 }, { "\x0f\x9a", "R", -1 }, { "\x0f\x99", "R", -1 }, { "\x0f\x42", "M", -1 }, { "\x0f\x44", "M", -1 }, { "\x0f\x4d", "M", -1 },
    { "\x0f\x4f", "M", -1 }, { "\x0f\x46", "M", -1 }, { "\x50", "", -1 }, { "\x54", "", -1 }, { "\x5a", "", -1 }, { "\x5c", "", -1 }, { "\x68", "d", -1 },
    { "\x6a", "b", -1 }, { "\xff", "M", 6 }, { "\xc9", "", -1 }, { "\x66\x50", "", -1 }, { "\x66\x59", "", -1 },
    { "\x0f\x43", "M", -1 }, { "\x0f\x47", "M", -1 }, { "\x0f\x4c", "M", -1 }, { "\x0f\x95", "M", -1 }, { "\x0f\x9d", "M", -1 },
    { "\x0f\xc9", "", -1 }, { "\xf7", "M", 6 }, { "\xf6", "M", 4 },
    { "\xe2\x01", "", -1 },
    { "\x70\x01", "", -1 }, { "\x72\x01", "", -1 }, { "\x74\x01", "", -1 }, { "\x76\x01", "", -1 }, { "\x78\x01", "", -1 }, { "\x7a\x01", "", -1 },
    { "\x7c\x01", "", -1 }, { "\x7e\x01", "", -1 }, { "\x7f\x01", "", -1 }, { "\x7d\x01", "", -1 }, { "\xe8\x01", "zzz", -1 }, { "\xeb\x01", "", -1 },
};

/* GUEST_DATA_AT is the middle of what operands reach. */
static void random_state(struct cpu_state *s, uint64_t *seed)
{
    state_flat32(s, GUEST_CODE_AT, GUEST_STACK_AT);
    for (int r = 0; r < 8; r++)
        s->gpr[r] = (u32)(check_random(seed) >> (check_random(seed) % 33));
    s->gpr[RBX] = GUEST_DATA_AT + check_random(seed) % 256;
    s->gpr[RSI] = check_random(seed) % 64;
    s->gpr[RSP] = GUEST_STACK_AT + 4 * (check_random(seed) % 16);
    s->gpr[RBP] = GUEST_STACK_AT + 4 * (check_random(seed) % 16);
    s->rflags = FLAG_FIXED | (check_random(seed) & FLAG_STATUS);
}

static size_t make_insn(const struct form *f, u8 *out, uint64_t *seed)
{
    size_t n = strlen(f->bytes);
    memcpy(out, f->bytes, n);
    for (const char *p = f->rest; *p; p++) {
        u64 r = check_random(seed);
        u8 reg = (f->reg >= 0 ? (u64)f->reg : r >> 8 & 7) << 3;
        if (*p == 'z') {
            out[n++] = 0;
        } else if (*p == 'R' || (*p == 'M' && r & 1)) {
            out[n++] = 0xc0 | reg | (r >> 16 & 7);
        } else if (*p == 'M') {
            out[n++] = 0x44 | reg;
            out[n++] = 0xb3; /* [ebx + esi*4 + disp8] */
            out[n++] = r >> 24;
        } else {
            size_t len = *p == 'b' ? 1 : 4;
            memcpy(out + n, &r, len);
            n += len;
        }
    }
    return n;
}

static struct guest fast, slow;

static void set_up(struct guest *g, const struct cpu_state *s, const u8 *code, size_t len, const u8 *data)
{
    static const u8 stop[8] = { 0xf4, 0xf4, 0xf4, 0xf4, 0xf4, 0xf4, 0xf4, 0xf4 };
    guest_put(g, GUEST_DATA_AT - 256, data, 1024);
    guest_put(g, GUEST_STACK_AT - 64, data, 256);
    guest_put(g, GUEST_CODE_AT, code, len);
    guest_put(g, GUEST_CODE_AT + len, stop, sizeof stop);
    cpu_set_state(&g->cpu, s);
    /* warm the TLB, or the specialised op gives up */
    u8 byte;
    struct mmu_fault f;
    for (gva_t page = 0x6000; page < 0xa000; page += PAGE_SIZE) {
        cpu_read_linear(&g->cpu, page, &byte, 1, false, &f);
        cpu_write_linear(&g->cpu, page, &byte, 1, false, &f);
    }
}

static void compare(const struct insn *i)
{
    char text[96];
    const struct cpu_state *a = &fast.cpu.state, *b = &slow.cpu.state;
    check_context("%s", disassemble(i->bytes, i->len, 32, GUEST_CODE_AT, text, sizeof text));
    for (int r = 0; r < 8; r++)
        CHECK_EQ(a->gpr[r], b->gpr[r]);
    CHECK_EQ(a->rflags, b->rflags); /* undefined ones too: the way must not show */
    CHECK_EQ(fast.cpu.icount, slow.cpu.icount);
    CHECK_EQ(fast.clock.now, slow.clock.now);
    CHECK(!memcmp(fast.ram + GUEST_DATA_AT - 256, slow.ram + GUEST_DATA_AT - 256, 1024));
    CHECK(!memcmp(fast.ram + GUEST_STACK_AT - 64, slow.ram + GUEST_STACK_AT - 64, 256));
    CHECK_EQ(a->rip, b->rip);
    check_context(NULL);
}

static void try_form(const struct form *f, uint64_t *seed)
{
    u8 code[INSN_MAX + 1], data[1024];
    struct cpu_state s;
    struct insn i;
    size_t len = make_insn(f, code, seed);
    random_state(&s, seed);
    for (size_t k = 0; k < sizeof data; k++)
        data[k] = check_random(seed);
    if (decode_insn(code, len, 32, &i) != DECODE_OK) {
        FAIL("not an instruction: %02x %02x, %zu bytes", code[0], code[1], len);
        return;
    }
    set_up(&fast, &s, code, len, data);
    set_up(&slow, &s, code, len, data);
    guest_run(&fast);
    while (cpu_step(&slow.cpu) == STOP_DEADLINE)
        continue;
    compare(&i);
}

static void test_agreement(void)
{
    uint64_t seed = check_seed();
    guest_init(&fast, 32);
    guest_init(&slow, 32);
    for (int round = 0; round < ROUNDS; round++)
        for (size_t f = 0; f < ARRAY_LEN(forms); f++)
            try_form(&forms[f], &seed);
    guest_fini(&fast);
    guest_fini(&slow);
}

/* --- nonsense: random bytes as code, data, tables; nothing but the same in both ways may happen --- */

static void nonsense_memory(struct guest *g, const u8 *noise)
{
    for (gpa_t at = 0; at < 0x20000; at += PAGE_SIZE)
        guest_put(g, at, noise + (at & 0x3fff), PAGE_SIZE);
}

static void nonsense_state(struct cpu_state *s, unsigned bits, uint64_t *seed)
{
    random_state(s, seed);
    for (int r = 0; r < 8; r++)
        s->gpr[r] = check_random(seed) % 0x20000;
    s->rip = check_random(seed) % 0x10000;
    if (bits == 16) {
        struct cpu_state real;
        state_reset(&real);
        memcpy(real.gpr, s->gpr, sizeof real.gpr);
        real.rip = s->rip;
        real.seg[CS].base = real.seg[CS].selector = 0;
        *s = real;
    } else {
        s->gdtr = (struct dtable){ 0x3000, 0x7ff };
        s->idtr = (struct dtable){ 0x4000, 0x7ff };
    }
}

static void step_until(struct guest *g, cycles_t end)
{
    while (g->clock.now < end && cpu_step(&g->cpu) == STOP_DEADLINE)
        continue;
}

static void try_nonsense(unsigned bits, uint64_t *seed)
{
    static u8 noise[0x4000];
    struct cpu_state s;
    for (size_t k = 0; k < sizeof noise; k += 8)
        memcpy(noise + k, &(u64){ check_random(seed) }, 8);
    nonsense_state(&s, bits, seed);
    guest_init(&fast, bits);
    guest_init(&slow, bits);
    nonsense_memory(&fast, noise);
    nonsense_memory(&slow, noise);
    cpu_set_state(&fast.cpu, &s);
    cpu_set_state(&slow.cpu, &s);
    enum cpu_stop_kind why = cpu_run(&fast.cpu, 500);
    step_until(&slow, 500);
    check_context("%u bits, from rip=0x%llx to 0x%llx, stop %d", bits, (unsigned long long)s.rip, (unsigned long long)fast.cpu.state.rip, why);
    CHECK_EQ(fast.clock.now, slow.clock.now);
    CHECK_EQ(fast.cpu.icount, slow.cpu.icount);
    CHECK(!memcmp(fast.cpu.state.gpr, slow.cpu.state.gpr, sizeof s.gpr));
    CHECK_EQ(fast.cpu.state.rip, slow.cpu.state.rip);
    CHECK_EQ(fast.cpu.state.rflags, slow.cpu.state.rflags);
    CHECK(!memcmp(fast.ram, slow.ram, 0x120000));
    check_context(NULL);
    guest_fini(&fast);
    guest_fini(&slow);
}

static void test_nonsense(void)
{
    uint64_t seed = check_seed();
    for (int round = 0; round < 400; round++)
        try_nonsense(round % 2 ? 32 : 16, &seed);
}

int main(int argc, char **argv)
{
    static const struct check tests[] = { { "agreement", test_agreement }, { "nonsense", test_nonsense }, { NULL, NULL } };
    return check_main(argc, argv, "cpu fast", tests);
}
