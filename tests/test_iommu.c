/* SPDX-License-Identifier: MIT */
/*
 * The IOMMU by its registers and tables: walks of two, three and four levels, pages of three sizes, every reason to refuse and its record,
 * what is remembered until it is invalidated, interrupt messages; and tables of random bits.
 */
#include <stdlib.h>

#include "check.h"
#include "devices/iommu/iommu.h"

enum { SOURCE = 0x0180, DOMAIN = 7 };

struct unit { struct host_memory m; struct iommu u; hpa_t root, context, top, irt; };

static u64 *at(struct unit *t, hpa_t frame) { return host_memory_table(&t->m, frame); }

/* Registers as a driver sets them, an empty second-level table of `levels` for one source. */
static void start(struct unit *t, unsigned levels)
{
    struct error err;
    CHECK_EQ(host_memory_init(&t->m, &err), 0);
    iommu_init(&t->u, &t->m);
    t->root = host_memory_frame(&t->m);
    t->context = host_memory_frame(&t->m);
    t->top = host_memory_frame(&t->m);
    t->irt = host_memory_frame(&t->m);
    at(t, t->root)[2 * (SOURCE >> 8)] = t->context | ENTRY_PRESENT;
    at(t, t->context)[2 * (SOURCE & 0xff)] = t->top | ENTRY_PRESENT;
    at(t, t->context)[2 * (SOURCE & 0xff) + 1] = (levels - 2) | DOMAIN << CONTEXT_DOMAIN_SHIFT;
    iommu_write(&t->u, DMAR_RTADDR, 4, t->root);
    iommu_write(&t->u, DMAR_RTADDR + 4, 4, t->root >> 32);
    iommu_write(&t->u, DMAR_IRTA, 8, t->irt | 7);
    iommu_write(&t->u, DMAR_GCMD, 4, GCMD_SRTP);
    iommu_write(&t->u, DMAR_GCMD, 4, GCMD_SIRTP);
    iommu_write(&t->u, DMAR_GCMD, 4, GCMD_TE | GCMD_IRE);
    CHECK_EQ(iommu_read(&t->u, DMAR_GSTS, 4) & (GCMD_TE | GCMD_IRE), GCMD_TE | GCMD_IRE);
}

static void stop(struct unit *t) { host_memory_fini(&t->m); }

/* An entry at `leaf` for that address, with tables above it. */
static u64 *entry(struct unit *t, unsigned levels, unsigned leaf, u64 address)
{
    hpa_t table = t->top;
    for (unsigned l = levels;; l--) {
        u64 *e = &at(t, table)[address >> (12 + 9 * (l - 1)) & 511];
        if (l == leaf)
            return e;
        if (!*e)
            *e = host_memory_frame(&t->m) | SL_READ | SL_WRITE;
        table = IOMMU_FRAME(*e);
    }
}

static enum iommu_reason try(struct unit *t, u64 address, bool write, hpa_t *hpa)
{
    bool walked;
    return iommu_translate(&t->u, SOURCE, address, write, hpa, &walked);
}

/* --- walks --- */

static void test_levels(void)
{
    for (unsigned levels = 2; levels <= 4; levels++) {
        struct unit t;
        hpa_t hpa = 0;
        u64 address = 0x12345678 & (BIT(12 + 9 * levels) - 1);
        start(&t, levels);
        *entry(&t, levels, 1, address) = 0x7fff123000 | SL_READ | SL_WRITE;
        u64 refs = t.u.walk_refs;
        CHECK_EQ(try(&t, address, true, &hpa), IOMMU_OK);
        CHECK_EQ(hpa, 0x7fff123000 | (address & 0xfff));
        CHECK_EQ(t.u.walk_refs - refs, 2 + levels);
        CHECK_EQ(try(&t, address + 4, false, &hpa), IOMMU_OK);     /* now from the IOTLB */
        CHECK_EQ(t.u.walk_refs - refs, 2 + levels);
        CHECK_EQ(t.u.hits, 1);
        CHECK_EQ(try(&t, BIT(12 + 9 * levels), false, &hpa), IOMMU_BEYOND_WIDTH);
        stop(&t);
    }
}

static void test_large_pages(void)
{
    static const u64 size[] = { 0, 0, (u64)2 << 20, (u64)1 << 30 };
    for (unsigned leaf = 2; leaf <= 3; leaf++) {
        struct unit t;
        hpa_t hpa = 0;
        start(&t, 4);
        *entry(&t, 4, leaf, size[leaf]) = 5 * size[leaf] | SL_LARGE | SL_READ;
        CHECK_EQ(try(&t, size[leaf] + 0x12345, false, &hpa), IOMMU_OK);
        CHECK_EQ(hpa, 5 * size[leaf] + 0x12345);
        CHECK_EQ(try(&t, size[leaf] + 0x12345, true, &hpa), IOMMU_NO_WRITE);
        *entry(&t, 4, leaf, 3 * size[leaf]) = (5 * size[leaf] + 0x1000) | SL_LARGE | SL_READ;
        CHECK_EQ(try(&t, 3 * size[leaf], false, &hpa), IOMMU_ENTRY_RESERVED);
        stop(&t);
    }
}

/* A permission counts if every level has it. */
static void test_permissions(void)
{
    for (unsigned bits = 0; bits < 64; bits++) {
        struct unit t;
        hpa_t hpa;
        start(&t, 4);
        u64 *leaf = entry(&t, 4, 1, 0x5000), *middle = entry(&t, 4, 2, 0x5000), *upper = entry(&t, 4, 3, 0x5000);
        *leaf = 0x9000 | (bits & 3);
        *middle = (*middle & ~3ull) | (bits >> 2 & 3);
        *upper = (*upper & ~3ull) | bits >> 4;
        unsigned allowed = bits & bits >> 2 & bits >> 4;
        check_context("bits %u", bits);
        CHECK_EQ(try(&t, 0x5000, false, &hpa), allowed & SL_READ ? IOMMU_OK : IOMMU_NO_READ);
        CHECK_EQ(try(&t, 0x5000, true, &hpa), allowed & SL_WRITE ? IOMMU_OK : IOMMU_NO_WRITE);
        stop(&t);
    }
    check_context(NULL);
}

/* --- refusals --- */

static void refused(struct unit *t, u16 source, enum iommu_reason r)
{
    hpa_t hpa;
    bool walked;
    u64 faults = t->u.faults;
    unsigned n = t->u.next_fault;
    CHECK_EQ(iommu_translate(&t->u, source, 0x123456, true, &hpa, &walked), r);
    CHECK_EQ(t->u.faults, faults + 1);
    CHECK_EQ(iommu_read(&t->u, DMAR_FRCD + 16 * n, 8), 0x123000);
    u64 high = iommu_read(&t->u, DMAR_FRCD + 16 * n + 8, 8);
    CHECK_EQ(high, FRCD_FAULT | (u64)r << 32 | source);
    iommu_write(&t->u, DMAR_FRCD + 16 * n + 12, 4, BIT(31));    /* the upper half of the record's second word */
    CHECK(!(iommu_read(&t->u, DMAR_FRCD + 16 * n + 8, 8) & FRCD_FAULT));
}

static void test_refusals(void)
{
    struct unit t;
    start(&t, 4);
    u64 *context = at(&t, t.context) + 2 * (SOURCE & 0xff), *root = at(&t, t.root) + 2 * (SOURCE >> 8);
    refused(&t, 0x0200, IOMMU_NO_ROOT);
    refused(&t, 0x0181, IOMMU_NO_CONTEXT);
    refused(&t, SOURCE, IOMMU_NO_WRITE);
    iommu_write(&t.u, DMAR_CCMD, 8, CCMD_ICC | (u64)INVALIDATE_GLOBAL << CCMD_KIND_SHIFT);
    context[1] |= 3;
    refused(&t, SOURCE, IOMMU_BAD_CONTEXT);
    context[1] &= ~1ull;
    context[0] |= 0x40;
    refused(&t, SOURCE, IOMMU_CONTEXT_RESERVED);
    context[0] = (0x77ull << 40) | ENTRY_PRESENT;
    refused(&t, SOURCE, IOMMU_TABLE_UNREADABLE);
    root[0] |= 0x20;
    refused(&t, SOURCE, IOMMU_TABLE_UNREADABLE);    /* remembered */
    iommu_write(&t.u, DMAR_CCMD, 8, CCMD_ICC | (u64)INVALIDATE_FINER << CCMD_KIND_SHIFT | SOURCE << 16 | DOMAIN);
    refused(&t, SOURCE, IOMMU_ROOT_RESERVED);
    root[0] = 0x55ull << 40 | ENTRY_PRESENT;
    refused(&t, SOURCE, IOMMU_CONTEXT_UNREADABLE);
    iommu_write(&t.u, DMAR_RTADDR, 8, 0x55ull << 40);
    iommu_write(&t.u, DMAR_GCMD, 4, GCMD_SRTP | GCMD_TE);
    refused(&t, SOURCE, IOMMU_ROOT_UNREADABLE);
    stop(&t);
}

static void test_overflow(void)
{
    struct unit t;
    hpa_t hpa;
    start(&t, 4);
    for (unsigned i = 0; i < FAULT_RECORDS; i++)
        try(&t, i << 12, false, &hpa);
    CHECK(!(iommu_read(&t.u, DMAR_FSTS, 4) & FSTS_OVERFLOW));
    try(&t, 99 << 12, false, &hpa);
    CHECK(iommu_read(&t.u, DMAR_FSTS, 4) & FSTS_OVERFLOW);
    CHECK_EQ(iommu_read(&t.u, DMAR_FRCD, 8), 0);        /* the first is still there */
    iommu_write(&t.u, DMAR_FSTS, 4, FSTS_OVERFLOW);
    CHECK(!(iommu_read(&t.u, DMAR_FSTS, 4) & FSTS_OVERFLOW));
    CHECK(iommu_read(&t.u, DMAR_FSTS, 4) & FSTS_PENDING);
    stop(&t);
}

/* --- what is remembered --- */

static void invalidate(struct unit *t, unsigned kind, u16 domain, u64 address)
{
    iommu_write(&t->u, DMAR_IVA, 8, address);
    iommu_write(&t->u, DMAR_IOTLB, 8, IOTLB_IVT | (u64)kind << IOTLB_KIND_SHIFT | (u64)domain << IOTLB_DOMAIN_SHIFT);
}

static void test_iotlb(void)
{
    struct unit t;
    hpa_t hpa;
    start(&t, 3);
    for (unsigned kind = INVALIDATE_GLOBAL; kind <= INVALIDATE_FINER; kind++) {
        *entry(&t, 3, 1, 0x8000) = 0x11000 | SL_READ;
        CHECK_EQ(try(&t, 0x8000, false, &hpa), IOMMU_OK);
        *entry(&t, 3, 1, 0x8000) = 0x22000 | SL_READ;
        CHECK_EQ(try(&t, 0x8000, false, &hpa), IOMMU_OK);
        CHECK_EQ(hpa, 0x11000);                         /* stale, as software has not said */
        invalidate(&t, kind == INVALIDATE_GLOBAL ? 0 : kind, DOMAIN + 1, 0x8000);
        invalidate(&t, INVALIDATE_FINER, DOMAIN, 0x9000);
        CHECK_EQ(try(&t, 0x8000, false, &hpa), IOMMU_OK);
        CHECK_EQ(hpa, 0x11000);                         /* of another domain, another page */
        invalidate(&t, kind, DOMAIN, 0x8000);
        CHECK_EQ(try(&t, 0x8000, false, &hpa), IOMMU_OK);
        CHECK_EQ(hpa, 0x22000);
        invalidate(&t, INVALIDATE_GLOBAL, 0, 0);
    }
    stop(&t);
}

/* More pages than it holds: the oldest are walked for again. */
static void test_capacity(void)
{
    struct unit t;
    hpa_t hpa;
    start(&t, 3);
    for (u64 p = 0; p < IOTLB_ENTRIES + 1; p++)
        *entry(&t, 3, 1, p << 12) = (p + 0x100) << 12 | SL_READ;
    for (u64 p = 0; p < IOTLB_ENTRIES; p++)
        try(&t, p << 12, false, &hpa);
    u64 walks = t.u.walks;
    for (u64 p = 0; p < IOTLB_ENTRIES; p++)
        try(&t, p << 12, false, &hpa);
    CHECK_EQ(t.u.walks, walks);
    try(&t, (u64)IOTLB_ENTRIES << 12, false, &hpa);
    try(&t, 0, false, &hpa);
    CHECK_EQ(t.u.walks, walks + 2);
    stop(&t);
}

static void test_pass_through(void)
{
    struct unit t;
    hpa_t hpa;
    start(&t, 4);
    at(&t, t.context)[2 * (SOURCE & 0xff)] |= CONTEXT_PASS_THROUGH;
    CHECK_EQ(try(&t, 0x123456789, true, &hpa), IOMMU_OK);
    CHECK_EQ(hpa, 0x123456789);
    iommu_write(&t.u, DMAR_GCMD, 4, 0);
    CHECK_EQ(try(&t, 0x987654321, true, &hpa), IOMMU_OK);
    CHECK_EQ(hpa, 0x987654321);
    stop(&t);
}

/* --- interrupts --- */

static u64 message(u16 index) { return 0xfee00010 | (index & 0x7fff) << 5 | index >> 15 << 2; }

static void test_interrupts(void)
{
    struct unit t;
    struct iommu_message m;
    start(&t, 4);
    u64 *e = at(&t, t.irt) + 2 * 9;
    e[0] = (u64)3 << 40 | 0x41 << 16 | ENTRY_PRESENT;
    e[1] = SOURCE | 1 << 18;
    CHECK_EQ(iommu_interrupt(&t.u, SOURCE, message(9), 0, &m), IOMMU_OK);
    CHECK(!m.posted && m.vector == 0x41 && m.destination == 3 && m.index == 9);
    CHECK_EQ(iommu_interrupt(&t.u, SOURCE, message(8) | 8, 1, &m), IOMMU_OK);      /* handle and subhandle */
    CHECK_EQ(m.index, 9);
    e[0] = (u64)0x12345640 << 32 | 0x42 << 16 | IRTE_POSTED | ENTRY_PRESENT;
    e[1] |= (u64)0x77 << 32;
    CHECK_EQ(iommu_interrupt(&t.u, SOURCE, message(9), 0, &m), IOMMU_OK);
    CHECK(m.posted && m.vector == 0x42);
    CHECK_EQ(m.descriptor, 0x7712345640);
    CHECK_EQ(iommu_interrupt(&t.u, SOURCE + 2, message(9), 0, &m), IOMMU_IR_SOURCE);
    CHECK_EQ(iommu_interrupt(&t.u, SOURCE, message(10), 0, &m), IOMMU_IR_NOT_PRESENT);
    CHECK_EQ(iommu_interrupt(&t.u, SOURCE, message(256), 0, &m), IOMMU_IR_INDEX);
    CHECK_EQ(iommu_interrupt(&t.u, SOURCE, message(0xffff), 0, &m), IOMMU_IR_INDEX);
    CHECK_EQ(iommu_interrupt(&t.u, SOURCE, 0xfee00000, 0x30, &m), IOMMU_IR_COMPATIBILITY); /* any vector of any processor: no */
    CHECK_EQ(t.u.faults, 5);
    stop(&t);
}

/* --- nonsense: nothing may be read or written beside the tables, no walk may go on --- */

static void test_nonsense(void)
{
    u64 seed = check_seed(), rounds = check_rounds(50);
    struct unit t;
    start(&t, 4);
    for (u64 i = 0; i < rounds; i++) {
        for (unsigned k = 0; k < 64; k++)   /* entries that mostly lead to other frames of the pool */
            t.m.frames[check_random(&seed) % (16 * 512)] = check_random(&seed) % 4 ? HOST_FRAMES_HPA + (check_random(&seed) % 20 << 12) + (check_random(&seed) & 0xfff)
                                                                                   : check_random(&seed);
        for (unsigned k = 0; k < 500; k++) {
            hpa_t hpa;
            bool walked;
            struct iommu_message m;
            u64 value = check_random(&seed);
            iommu_translate(&t.u, value, check_random(&seed) >> check_random(&seed) % 64, value >> 16 & 1, &hpa, &walked);
            iommu_interrupt(&t.u, value, check_random(&seed), value >> 32, &m);
            iommu_write(&t.u, value >> 20 & 0x3ff, 1 << (value >> 30) % 4, check_random(&seed) % 3 ? t.root | GCMD_TE | GCMD_SRTP : check_random(&seed));
            iommu_read(&t.u, value >> 40 & 0x3ff, 1 << (value >> 50) % 4);
        }
    }
    CHECK(t.u.requests >= rounds * 500);
    stop(&t);
}

int main(int argc, char **argv)
{
    static const struct check tests[] = {
        { "levels", test_levels }, { "large_pages", test_large_pages }, { "permissions", test_permissions }, { "refusals", test_refusals },
        { "overflow", test_overflow }, { "iotlb", test_iotlb }, { "capacity", test_capacity }, { "pass_through", test_pass_through },
        { "interrupts", test_interrupts }, { "nonsense", test_nonsense }, { NULL, NULL },
    };
    return check_main(argc, argv, "iommu", tests);
}
