/* SPDX-License-Identifier: MIT */
/*
 * A real kernel in lockstep: Linux boots on an accelerated processor, and each time it leaves the translation cache another machine,
 * whose interpreter executes one instruction after the other, is brought to the same cycle: they must be in the same state. From
 * time to time their memories are compared too. `make check` does the first millions of instructions, `make soak` 200 million.
 *
 * The SDM leaves some flags undefined behind some instructions: what the last instruction that touched a flag left undefined, by the
 * table, is not compared.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bt/bt.h"
#include "check.h"
#include "devices/serial/chardev.h"
#include "lockstep.h"
#include "machine/bare.h"

#define INITRD "build/tests/initrd-lockstep"
#define MIB ((u64)1 << 20)
enum { RAM_MIB = 64, SHORT = 12000000, LONG = 200000000, MEMORY_EVERY = 4000000, RECENT = 24, EFFECTS = 65536 };

/* What an instruction does to the flags, remembered by its address. */
struct effect { u32 eip; u8 bytes[INSN_MAX], len; bool shift, string, pushf, popf; u32 written, undefined; };

struct pair {
    struct vm *fast, *slow;         /* the accelerated one runs by vm_run(), the other follows */
    void *translator;
    u64 limit;                      /* instructions */
    u32 undefined;                  /* flags of `slow` that are */
    u32 pushed;                     /* that were when PUSHF or an event last made an image of them */
    u64 compared, images, next_memory;
    struct effect *effects;
    u32 recent[RECENT]; u64 nrecent;
    u64 random;
    bool failed;
};

/* --- flags --- */

static const struct effect *effect_at(struct pair *p, u32 eip)
{
    u8 bytes[INSN_MAX] = { 0 };
    struct effect *e = &p->effects[(eip ^ eip >> 16) % EFFECTS];
    struct insn i;
    u64 n = cpu_peek(&p->slow->vcpu[0]->cpu, eip, bytes, sizeof bytes);
    if (e->len && e->eip == eip && memcmp(e->bytes, bytes, e->len) == 0)
        return e;
    memset(e, 0, sizeof *e);
    if (decode_insn(bytes, n, state_code_bits(&p->slow->vcpu[0]->cpu.state), &i) != DECODE_OK)
        return e;
    *e = (struct effect){ .eip = eip, .len = i.len, .written = i.row->flags_written & FLAG_STATUS, .undefined = i.row->flags_undefined & FLAG_STATUS };
    memcpy(e->bytes, bytes, i.len);
    e->shift = (i.mnemonic >= MN_ROL && i.mnemonic <= MN_SAR) || i.mnemonic == MN_SHLD || i.mnemonic == MN_SHRD;
    e->string = i.row->class == CLASS_STRING;
    e->pushf = i.mnemonic == MN_PUSHF || i.mnemonic == MN_LAHF;
    e->popf = i.mnemonic == MN_POPF || i.mnemonic == MN_IRET;
    return e;
}

/* Before the instruction: what will be undefined behind it. */
static u32 undefined_after(struct pair *p, const struct effect *e)
{
    const struct cpu_state *s = &p->slow->vcpu[0]->cpu.state;
    if (e->pushf)
        p->pushed |= p->undefined;
    if (e->popf) /* the image may have been one of undefined flags */
        return p->pushed;
    /* shifts by zero and strings of no element leave all flags alone: both masks stay, at the cost of looking at less */
    if (e->shift || (e->string && s->gpr[RCX] == 0))
        return p->undefined | e->undefined;
    return (p->undefined & ~e->written) | e->undefined;
}

/* --- the one that follows --- */

static void slow_halted(struct vm *vm, cycles_t until)
{
    cycles_t next = clock_deadline(&vm->clock);
    if (!vcpu_intr_pending(vm->vcpu[0]))
        clock_advance(&vm->clock, (next < until ? next : until) - vm->clock.now);
}

static void slow_instruction(struct pair *p, cycles_t until)
{
    struct cpu *c = &p->slow->vcpu[0]->cpu;
    cycles_t next = clock_deadline(c->clock);
    u32 eip = cpu_linear_rip(c), after = undefined_after(p, effect_at(p, eip));
    u64 icount = c->icount;
    p->recent[p->nrecent++ % RECENT] = eip;
    cpu_step_until(c, next < until ? next : until);
    if (c->icount != icount)
        p->undefined = after;
    else
        p->pushed |= p->undefined; /* it faulted, and pushed an image */
}

static void follow(struct pair *p, cycles_t until)
{
    struct vm *vm = p->slow;
    struct vcpu *v = vm->vcpu[0];
    while (vm->clock.now < until) {
        clock_run_due(&vm->clock);
        if (vcpu_intr_pending(v) && cpu_interruptible(&v->cpu)) {
            p->pushed |= p->undefined;
            cpu_interrupt(&v->cpu, vcpu_intr_acknowledge(v));
        } else if (v->cpu.state.activity == CPU_HALTED) {
            slow_halted(vm, until);
        } else {
            slow_instruction(p, until);
        }
    }
}

/* --- comparing --- */

/* Two images of EFLAGS that differ in what was undefined when they were made. */
static bool images_of_flags(const struct pair *p, u32 a, u32 b)
{
    return ((a ^ b) & ~p->pushed) == 0 && a & FLAG_FIXED && !(a & 0xffc08028);
}

/* Where only undefined flags differ, the follower takes the other's, so that what is made of them is the same again. */
static void accept_undefined(struct pair *p, const struct cpu_state *a, struct cpu_state *b)
{
    b->rflags = (b->rflags & ~(u64)p->undefined) | (a->rflags & p->undefined);
    for (int r = 0; r < 8; r++) {
        if (a->gpr[r] != b->gpr[r] && images_of_flags(p, a->gpr[r], b->gpr[r])) {
            b->gpr[r] = a->gpr[r];
            p->images++;
        }
    }
}

static const char *memory_differs(struct pair *p)
{
    static char text[120];
    static const struct { u32 from, size; } parts[] = { { 0, 0xa0000 }, { 1 << 20, (RAM_MIB - 1) << 20 } };
    for (unsigned i = 0; i < ARRAY_LEN(parts); i++) {
        const u8 *a = physmap_ptr_ro(&p->fast->map, parts[i].from, parts[i].size);
        u8 *b = physmap_ptr(&p->slow->map, parts[i].from, parts[i].size);
        for (u32 page = 0; page < parts[i].size; page += PAGE_SIZE) {
            if (memcmp(a + page, b + page, PAGE_SIZE) == 0)
                continue;
            for (u32 n = page; n < page + PAGE_SIZE; n += 4) {
                u32 x, y;
                memcpy(&x, a + n, 4);
                memcpy(&y, b + n, 4);
                if (x == y)
                    continue;
                if (!images_of_flags(p, x, y)) {
                    snprintf(text, sizeof text, "memory at 0x%x: 0x%08x translated, 0x%08x interpreted", parts[i].from + n, x, y);
                    return text;
                }
                p->images++;
                memcpy(b + n, &x, 4);
            }
        }
    }
    return NULL;
}

static void print_state(const char *who, const struct cpu_state *s)
{
    char text[4096];
    state_format(s, text, sizeof text);
    fprintf(stderr, "--- %s\n%s\n", who, text);
}

static void explain(struct pair *p, const char *what)
{
    struct cpu *a = &p->fast->vcpu[0]->cpu, *b = &p->slow->vcpu[0]->cpu;
    FAIL("at instruction %" PRIu64 ", cycle %" PRIu64 ": %s", b->icount, b->clock->now, what);
    print_state("translated", &a->state);
    print_state("interpreted", &b->state);
    fprintf(stderr, "the last instructions, interpreted (flags undefined behind them: 0x%x):\n", p->undefined);
    for (u64 n = p->nrecent > RECENT ? p->nrecent - RECENT : 0; n < p->nrecent; n++) {
        u8 bytes[INSN_MAX];
        char text[96];
        u32 eip = p->recent[n % RECENT];
        u64 len = cpu_peek(b, eip, bytes, sizeof bytes);
        fprintf(stderr, "    %08x  %s\n", eip, disassemble(bytes, len, 32, eip, text, sizeof text));
    }
    p->failed = true;
    vm_stop(p->fast, STATUS_STOPPED, "they differ");
}

static void compare(struct pair *p)
{
    struct cpu *a = &p->fast->vcpu[0]->cpu, *b = &p->slow->vcpu[0]->cpu;
    const char *what = NULL;
    static char text[120];
    p->compared++;
    accept_undefined(p, &a->state, &b->state);
    if (a->clock->now != b->clock->now || a->icount != b->icount) {
        snprintf(text, sizeof text, "translated: cycle %" PRIu64 ", %" PRIu64 " instructions", a->clock->now, a->icount);
        what = text;
    }
    what = what ? what : lockstep_states(&a->state, &b->state, ~(u64)0);
    if (!what && a->icount >= p->next_memory) {
        p->next_memory = a->icount + MEMORY_EVERY;
        what = memory_differs(p);
        if (getenv("EMU_SOAK"))
            fprintf(stderr, "\r%" PRIu64 " million instructions, compared %" PRIu64 " times ", a->icount / 1000000, p->compared);
    }
    if (what)
        explain(p, what);
    else if (a->icount >= p->limit)
        vm_stop(p->fast, STATUS_POWEROFF, "far enough");
}

/* --- an accelerator that is looked at whenever it comes back --- */

static struct pair *pair; /* attach() has no argument for it */

static void *spy_attach(struct cpu *c, struct error *err)
{
    pair->translator = bt_accel.attach(c, err);
    return pair->translator ? pair : NULL;
}

static void spy_detach(void *self) { bt_accel.detach(((struct pair *)self)->translator); }

static enum accel_result spy_run(void *self, cycles_t deadline)
{
    struct pair *p = self;
    cycles_t leash = p->fast ? p->fast->clock.now + 64 + check_random(&p->random) % 4096 : deadline; /* some loops never leave by themselves */
    enum accel_result r = bt_accel.run(p->translator, leash < deadline ? leash : deadline);
    if (!p->failed && p->fast && p->slow) {
        follow(p, p->fast->clock.now);
        compare(p);
    }
    return r;
}

static const struct cpu_accel_ops spy = { .name = "spy", .attach = spy_attach, .detach = spy_detach, .run = spy_run };

static struct vm *machine(struct chardev *serial, bool accelerated)
{
    struct vm_config c;
    struct error err = { "" };
    vm_config_defaults(&c);
    c.engine = &bare_engine;
    c.accel = accelerated ? &spy : NULL;
    c.ram_size = RAM_MIB * MIB;
    c.kernel = "guests/real/linux32";
    c.initrd = INITRD;
    c.append = "console=ttyS0";
    c.serial[0] = serial;
    struct vm *vm = vm_new(&c, &err);
    if (!vm)
        FAIL("%s", err.text);
    return vm;
}

static void test_lockstep(void)
{
    if (system("tools/fetch-guests linux32 busybox32") || system("tools/make-initramfs " INITRD))
        SKIP("the guest cannot be had (tools/fetch-guests linux32 busybox32)");
    struct pair p = { .random = 1, .limit = getenv("EMU_SOAK") ? LONG : SHORT, .effects = calloc(EFFECTS, sizeof *p.effects) };
    struct chardev *serial[2] = { chardev_buffer_new(), chardev_buffer_new() };
    pair = &p;
    struct vm *fast = machine(serial[0], true);
    p.slow = machine(serial[1], false);
    p.fast = fast;
    if (p.fast && p.slow) {
        vm_run(p.fast);
        CHECK(p.failed || CHECK(p.fast->vcpu[0]->cpu.icount >= p.limit));
        CHECK(p.compared > p.limit / 5000);
        CHECK_STR(chardev_buffer_text(serial[0], NULL), chardev_buffer_text(serial[1], NULL));
        const char *said = chardev_buffer_text(serial[0], NULL);
        if (getenv("EMU_SOAK"))
            fprintf(stderr, "\n    it came to: %s\n", strlen(said) > 160 ? said + strlen(said) - 160 : said);
        if (getenv("EMU_SOAK"))
            fprintf(stderr, "    %" PRIu64 " instructions, compared %" PRIu64 " times, %" PRIu64 " images of undefined flags\n", p.slow->vcpu[0]->cpu.icount, p.compared, p.images);
    }
    vm_free(p.fast);
    vm_free(p.slow);
    chardev_close(serial[0]);
    chardev_close(serial[1]);
    free(p.effects);
}

int main(int argc, char **argv)
{
    static const struct check tests[] = { { "lockstep", test_lockstep }, { NULL, NULL } };
    return check_main(argc, argv, "bt_linux", tests);
}
