/* SPDX-License-Identifier: MIT */
/* Kernels of a domain that mean harm, by dice: calls with any arguments, and programs of random instructions. */
#include "pvtest.h"

#define OP PAGE(61)

/* --- at random --- */

struct dice { u64 seed; struct fixture *f; };

static u32 roll(struct dice *d, u32 n) { return check_random(&d->seed) % n; }

static u32 any_frame(struct dice *d)
{
    switch (roll(d, 6)) {
    case 0: return roll(d, d->f->d->nframes + 16);
    case 1: return d->f->d->v.base_mfn;
    case 2: return d->f->d->store_mfn;
    case 3: return check_random(&d->seed);
    }
    return mfn_of(d->f, PAGE(roll(d, 64)));
}

static u32 any_argument(struct dice *d)
{
    static const u32 edges[] = { 0, 1, 2, 0x7ff0, 0xffff, 0x7fffffff, 0x80000000, 0xffffffff, XEN_VIRT_START, PRIVATE_VIRT, M2P_VIRT_START, BASE, 0xfffff000 };
    switch (roll(d, 8)) {
    case 0: return edges[roll(d, ARRAY_LEN(edges))];
    case 1: return roll(d, 64);
    case 2: return any_frame(d);
    case 3: return check_random(&d->seed);
    case 4: return DOMID_SELF;
    }
    return SCRATCH + (roll(d, 64) << 12) + (roll(d, 4) ? 0 : roll(d, 4096));
}

/* A structure somewhere that a call may be pointed at. */
static void any_structure(struct dice *d)
{
    u32 at = PAGE(roll(d, 64));
    if (!(pte_of(d->f, at) & PTE_RW))
        return;
    for (unsigned i = roll(d, 12); i; i--, at += 4)
        poke32(d->f, at, roll(d, 3) ? any_argument(d) : roll(d, 2) ? maddr(any_frame(d)) | roll(d, 16) : roll(d, 20));
}

static bool reopen(struct fixture *f)
{
    fixture_close(f);
    return CHECK(fixture_open(f, &good_image));
}

static void test_random_calls(void)
{
    unsigned rounds = getenv("EMU_SOAK") ? 20000000 : 30000, ended = 0;
    struct fixture f;
    if (!CHECK(fixture_open(&f, &good_image)))
        return;
    struct dice d = { check_seed(), &f };
    for (unsigned i = 0; i < rounds; i++) {
        u32 arg[6], nr = roll(&d, 16) ? hypercalls[roll(&d, 27)].nr : check_random(&d.seed);
        if ((nr == __HYPERVISOR_iret || nr == __HYPERVISOR_sched_op || nr == __HYPERVISOR_sched_op_compat) && roll(&d, 25))
            continue; /* they end a domain too soon: now and then is enough */
        for (unsigned k = 0; k < 6; k++)
            arg[k] = any_argument(&d);
        if (roll(&d, 2))
            arg[0] = roll(&d, 14); /* mostly a command */
        if (roll(&d, 2))
            arg[2] = roll(&d, 4); /* and a count */
        any_structure(&d);
        hypercall_call(f.d, nr, arg);
        if (i % 256 == 0 && !CHECK_STR(audit(&f), ""))
            break;
        if (f.d->ended) {
            ended++;
            CHECK(f.d->end != EXIT_STOPPED || f.d->why[0]);
            if (!CHECK_STR(audit(&f), "") || !reopen(&f))
                break;
        }
    }
    CHECK(ended > 0);
    fixture_close(&f);
}

/* Kernels of random instructions, of which many are hypercalls. */
static void test_random_kernels(void)
{
    static const u8 seeds[][7] = {
        { 0xcd, 0x82 }, { 0xb8 }, { 0xbb }, { 0xb9 }, { 0xcf }, { 0xcd, 0x80 }, { 0xcc }, { 0x0f, 0x0b }, { 0xf4 }, { 0xfb }, { 0xfa }, { 0x8e, 0xd8 },
        { 0x0f, 0x22, 0xd8 }, { 0x0f, 0x20, 0xc0 }, { 0x0f, 0x01, 0x10 }, { 0xe4, 0x60 }, { 0xe6, 0x20 }, { 0x9d }, { 0x9c }, { 0xa3 }, { 0x0f, 0x30 },
        { 0x0f, 0x32 }, { 0x0f, 0x0b, 'x', 'e', 'n', 0x0f, 0xa2 }, { 0x0f, 0xae, 0x00 }, { 0xf3, 0xab }, { 0xcd, 0x21 }, { 0x8c, 0xd0 },
    };
    static const u8 lens[] = { 2, 5, 5, 5, 1, 2, 1, 2, 1, 1, 1, 2, 3, 3, 3, 2, 2, 1, 1, 5, 2, 2, 7, 3, 2, 2, 2 };
    unsigned rounds = getenv("EMU_SOAK") ? 100000 : 60;
    u64 seed = check_seed();
    for (unsigned r = 0; r < rounds; r++) {
        u8 code[1024];
        u32 n = 0;
        while (n < sizeof code - 8) {
            u32 s = check_random(&seed) % (2 * ARRAY_LEN(seeds));
            u32 word = check_random(&seed) % 2 ? SCRATCH + check_random(&seed) % 0x40000 : check_random(&seed) % 64;
            if (s >= ARRAY_LEN(seeds)) {
                code[n++] = check_random(&seed);
                continue;
            }
            memcpy(code + n, seeds[s], lens[s]);
            if (lens[s] == 5)
                memcpy(code + n + 1, &word, 4);
            n += lens[s];
        }
        struct image i = good_image;
        struct fixture f;
        i.code = code;
        i.code_len = n;
        if (!CHECK(fixture_open(&f, &i)))
            return;
        trap_info32 trap[2] = { { .vector = 13, .cs = FLAT_RING1_CS, .address = CODE + 200 }, { 0 } };
        poke(&f, OP, trap, sizeof trap);
        call(&f, __HYPERVISOR_set_trap_table, OP, 0, 0, 0);
        f.vm->config.max_cycles = 2000000;
        vm_run(f.vm);
        bool fine = CHECK_STR(audit(&f), "") && CHECK(f.vm->reason[0]);
        fixture_close(&f);
        if (!fine)
            return;
    }
}
int main(int argc, char **argv)
{
    static const struct check tests[] = {
        { "random-calls", test_random_calls }, { "random-kernels", test_random_kernels },
        { NULL, NULL },
    };
    return check_main(argc, argv, "hostile kernels at random", tests);
}
