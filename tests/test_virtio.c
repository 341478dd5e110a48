/* SPDX-License-Identifier: MIT */
/* Virtio by a driver of our own, on a disk: negotiation, both kinds of rings, who is told of what, the legacy interface, hostile rings. */
#include "virtio_rigs.h"

static void put_header(struct vd *d, u32 type, u64 sector)
{
    vd_poke(d, HEADER, 8, type);
    vd_poke(d, HEADER + 8, 8, sector);
    vd_poke(d, ANSWER, 1, 0xee);
}

/* One request with `len` bytes of data at `data`. Returns the answer; *used the used length. */
static u8 request(struct vd *d, u32 type, u64 sector, gpa_t data, u32 len, s64 *used)
{
    bool to_guest = type == 0 || type == 8;
    struct vd_piece p[3] = { { HEADER, 16, false }, { data, len, to_guest }, { ANSWER, 1, true } };
    put_header(d, type, sector);
    if (!len)
        p[1] = p[2];
    *used = vd_exchange(d, 0, p, len ? 3 : 2);
    return vd_peek(d, ANSWER, 1);
}

static void test_negotiation(void)
{
    struct vd d;
    start_disk(&d, 0);
    u64 offered = vd_offered(&d);
    CHECK(offered & VIRTIO_F_VERSION_1);
    CHECK(offered & VIRTIO_F_RING_PACKED);
    CHECK(!(offered & VIRTIO_F_ANY_LAYOUT));    /* only of the legacy interface */
    CHECK(!vd_negotiate(&d, 0));                /* VERSION_1 must be among them */
    CHECK(!vd_negotiate(&d, PLAIN | BIT(60)));
    CHECK(vd_negotiate(&d, PLAIN));
    vd_put(&d, 12, 4, 0);                       /* too late */
    vd_put(&d, 8, 4, 1);
    CHECK_EQ(vd_get(&d, 12, 4), 1);
    CHECK_EQ(vd_get(&d, 18, 2), 1);
    vd_put(&d, 22, 2, 9);                       /* there is no such queue */
    CHECK_EQ(vd_get(&d, 24, 2), 0);
    vd_put(&d, 28, 2, 1);
    CHECK_EQ(vd_get(&d, 28, 2), 0);
    CHECK(!vd_negotiate(&d, 0));
    vd_set_status(&d, VIRTIO_DRIVER_OK);        /* refused without FEATURES_OK */
    CHECK_EQ(vd_status(&d) & VIRTIO_DRIVER_OK, 0);
    stop_disk(&d);
}

static void test_config(void)
{
    struct vd d;
    start_disk(&d, 0);
    CHECK_EQ(vd_get(&d, VD_CONFIG, 4), DISK / 512);
    vd_put(&d, VD_CONFIG, 4, 1);                /* not writable */
    CHECK_EQ(vd_get(&d, VD_CONFIG, 4), DISK / 512);
    CHECK_EQ(vd_get(&d, VD_CONFIG + 0xff0, 4), 0);
    /* the same through the window in configuration space */
    vd_config_put(&d, 0x84 + 8, 4, VD_CONFIG);
    vd_config_put(&d, 0x84 + 12, 4, 4);
    CHECK_EQ(vd_config_get(&d, 0x84 + 16, 4), DISK / 512);
    vd_config_put(&d, 0x84 + 8, 4, 20);
    vd_config_put(&d, 0x84 + 12, 4, 1);
    vd_config_put(&d, 0x84 + 16, 4, VIRTIO_ACKNOWLEDGE);
    CHECK_EQ(vd_status(&d), VIRTIO_ACKNOWLEDGE);
    CHECK_EQ(vd_config_get(&d, 0x84 + 16, 4), VIRTIO_ACKNOWLEDGE);
    vd_config_put(&d, 0x84 + 8, 4, 0xfffffffc);
    vd_config_put(&d, 0x84 + 12, 4, 4);
    vd_config_put(&d, 0x84 + 16, 4, 1);         /* nothing is there */
    stop_disk(&d);
}

static void test_disk(void)
{
    struct vd d;
    s64 used;
    start_disk(&d, 0);
    for (unsigned i = 0; i < ARRAY_LEN(layouts); i++) {
        ready_disk(&d, layouts[i], 8);
        for (unsigned n = 0; n < 40; n++) {     /* rings go round */
            vd_poke(&d, BUFFER, 8, 0x1111 * (n + 1) + i);
            CHECK_EQ(request(&d, 1, n, BUFFER, 512, &used), 0);
            CHECK_EQ(used, 1);
            vd_poke(&d, BUFFER, 8, 0);
            CHECK_EQ(request(&d, 0, n, BUFFER, 512, &used), 0);
            CHECK_EQ(used, 513);
            CHECK_EQ(vd_peek(&d, BUFFER, 8), 0x1111 * (n + 1) + i);
        }
        CHECK_EQ(request(&d, 4, 0, 0, 0, &used), 0);
        CHECK_EQ(request(&d, 8, 0, BUFFER, 20, &used), 0);
        CHECK_EQ(vd_peek(&d, BUFFER, 8), 0x31207265626d756e);
        CHECK_EQ(request(&d, 99, 0, BUFFER, 20, &used), 2);
        CHECK_EQ(request(&d, 0, DISK / 512, BUFFER, 512, &used), 1);
        CHECK_EQ(request(&d, 0, ~(u64)0 / 512, BUFFER, 512, &used), 1);
        CHECK_EQ(request(&d, 0, 0, BUFFER, 511, &used), 1);
        CHECK_EQ(request(&d, 0, 0, VD_RAM - 512, 1024, &used), 1);     /* runs out of memory */
        CHECK_EQ(request(&d, 1, 0, ~(u64)0xff, 512, &used), 1);
        CHECK_EQ(vd_status(&d), 0xf);           /* the device is well */
    }
    stop_disk(&d);
}

/* The driver turns the write cache off, and on again; only if it has said that it knows of the switch. */
static void test_write_cache(void)
{
    struct vd d;
    s64 used;
    start_disk(&d, 0);
    ready_disk(&d, PLAIN, 8);
    CHECK_EQ(vd_get(&d, VD_CONFIG + 32, 1), 1);
    vd_put(&d, VD_CONFIG + 32, 1, 0);
    CHECK_EQ(vd_get(&d, VD_CONFIG + 32, 1), 1);
    ready_disk(&d, PLAIN | BIT(11), 8);
    vd_put(&d, VD_CONFIG + 32, 1, 0xfe);
    CHECK_EQ(vd_get(&d, VD_CONFIG + 32, 1), 0);
    CHECK_EQ(request(&d, 1, 0, BUFFER, 512, &used), 0);
    vd_put(&d, VD_CONFIG + 33, 1, 1);           /* not its */
    CHECK_EQ(vd_get(&d, VD_CONFIG + 33, 1), 0);
    vd_put(&d, VD_CONFIG + 32, 1, 0xff);
    CHECK_EQ(vd_get(&d, VD_CONFIG + 32, 1), 1);
    vd_put(&d, VD_CONFIG + 32, 1, 0);
    vd_set_status(&d, 0);
    CHECK_EQ(vd_get(&d, VD_CONFIG + 32, 1), 1);
    stop_disk(&d);
}

static void put_range(struct vd *d, u64 sector, u32 sectors, u32 flags)
{
    vd_poke(d, BUFFER, 8, sector);
    vd_poke(d, BUFFER + 8, 4, sectors);
    vd_poke(d, BUFFER + 12, 4, flags);
}

static void test_zeroes(void)
{
    struct vd d;
    s64 used;
    start_disk(&d, 0);
    ready_disk(&d, PLAIN, 8);
    for (u32 type = 11; type <= 13; type += 2) {
        check_context("type %u", type);
        vd_poke(&d, BUFFER, 8, ~(u64)0);
        CHECK_EQ(request(&d, 1, 5, BUFFER, 512, &used), 0);
        put_range(&d, 4, 3, 0);
        CHECK_EQ(request(&d, type, 0, BUFFER, 16, &used), 0);
        CHECK_EQ(request(&d, 0, 5, BUFFER, 512, &used), 0);
        CHECK_EQ(vd_peek(&d, BUFFER, 8), 0);
        put_range(&d, DISK / 512 - 1, 2, 0);
        CHECK_EQ(request(&d, type, 0, BUFFER, 16, &used), 1);
        put_range(&d, 0, 1, 2);
        CHECK_EQ(request(&d, type, 0, BUFFER, 16, &used), 2);
        CHECK_EQ(request(&d, type, 0, BUFFER, 15, &used), 1);
    }
    stop_disk(&d);
    start_disk(&d, BLOCK_READONLY);
    CHECK(vd_offered(&d) & BIT(5));
    ready_disk(&d, PLAIN, 8);
    put_range(&d, 0, 1, 0);
    CHECK_EQ(request(&d, 13, 0, BUFFER, 16, &used), 1);
    CHECK_EQ(request(&d, 1, 0, BUFFER, 512, &used), 1);
    stop_disk(&d);
}

/* Reset while a request is under way: memory stays as it is, and the device is as new. */
static void test_reset_in_request(void)
{
    struct vd d;
    s64 used;
    struct vd_piece p[3] = { { HEADER, 16, false }, { BUFFER, 512, true }, { ANSWER, 1, true } };
    start_disk(&d, 0);
    for (unsigned i = 0; i < ARRAY_LEN(layouts); i++) {
        ready_disk(&d, layouts[i], 8);
        put_header(&d, 0, 0);
        vd_add(&d, 0, p, 3);
        vd_kick(&d, 0);
        vd_set_status(&d, 0);
        vd_wait(&d);
        CHECK_EQ(vd_peek(&d, ANSWER, 1), 0xee);
        CHECK(!vd_pin(&d));
        CHECK_EQ(vd_status(&d), 0);
        ready_disk(&d, layouts[i], 8);
        CHECK_EQ(request(&d, 0, 0, BUFFER, 512, &used), 0);
    }
    vd_config_put(&d, PCI_COMMAND, 2, PCI_COMMAND_MEMORY);      /* not a bus master: the ring cannot be reached */
    put_header(&d, 0, 0);
    vd_kick(&d, 0);
    vd_wait(&d);
    CHECK_EQ(vd_peek(&d, ANSWER, 1), 0xee);
    stop_disk(&d);
}

/* --- who is told of what --- */

static void test_interrupts(void)
{
    struct vd d;
    s64 used;
    start_disk(&d, 0);
    ready_disk(&d, PLAIN, 8);
    request(&d, 0, 0, BUFFER, 512, &used);
    CHECK(vd_pin(&d));
    CHECK_EQ(vd_get(&d, VD_ISR, 1), 1);
    CHECK(!vd_pin(&d));
    CHECK_EQ(vd_get(&d, VD_ISR, 1), 0);
    vd_poke(&d, d.q[0].driver, 2, 1);           /* NO_INTERRUPT */
    request(&d, 0, 0, BUFFER, 512, &used);
    CHECK(!vd_pin(&d));
    vd_poke(&d, d.q[0].driver, 2, 0);
    vd_config_put(&d, PCI_COMMAND, 2, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER | PCI_COMMAND_INTX_OFF);
    request(&d, 0, 0, BUFFER, 512, &used);
    CHECK(!vd_pin(&d));
    CHECK_EQ(vd_get(&d, VD_ISR, 1), 1);
    stop_disk(&d);
}

/* Two chains, and the driver wants to hear of the second only; the doorbell is off while the device has something to do. */
static void test_events(void)
{
    struct vd_piece p[2] = { { HEADER, 16, false }, { ANSWER, 1, true } };
    struct vd d;
    start_disk(&d, 0);
    for (int packed = 0; packed < 2; packed++) {
        ready_disk(&d, PLAIN | VIRTIO_F_EVENT_IDX | VIRTIO_F_INDIRECT_DESC | (packed ? VIRTIO_F_RING_PACKED : 0), 8);
        struct vd_queue *q = &d.q[0];
        put_header(&d, 4, 0);
        CHECK_EQ(vd_exchange(&d, 0, p, 2), 1);  /* the first one tells always */
        vd_get(&d, VD_ISR, 1);
        if (packed)
            vd_poke(&d, q->driver, 4, 2 << 16 | 1 << 15 | 2);
        else
            vd_poke(&d, q->driver + 4 + 2 * 8, 2, 2);
        CHECK_EQ(vd_exchange(&d, 0, p, 2), 1);
        CHECK(!vd_pin(&d));
        CHECK_EQ(vd_exchange(&d, 0, p, 2), 1);
        CHECK(vd_pin(&d));
        CHECK_EQ(vd_peek(&d, packed ? q->device : q->device + 4 + 8 * 8, 2), packed ? 1 << 15 | 3 : 3);   /* ring when this one comes */
        vd_get(&d, VD_ISR, 1);
    }
    ready_disk(&d, PLAIN, 8);
    vd_add(&d, 0, p, 2);
    vd_kick(&d, 0);
    CHECK_EQ(vd_peek(&d, d.q[0].device, 2), 1); /* NO_NOTIFY */
    vd_add(&d, 0, p, 2);                        /* comes without the doorbell, and is served */
    vd_wait(&d);
    CHECK_EQ(vd_peek(&d, d.q[0].device, 2), 0);
    CHECK_EQ(vd_used(&d, 0, 2), 1);
    CHECK_EQ(vd_used(&d, 0, 2), 1);
    stop_disk(&d);
}

/* --- the legacy interface --- */

static void test_legacy(void)
{
    struct vd_piece p[3] = { { HEADER, 16, false }, { BUFFER, 512, true }, { ANSWER, 1, true } };
    struct vd d;
    start_disk(&d, 0);
    CHECK_EQ(vd_config_get(&d, PCI_VENDOR, 4), 0x10011af4);
    CHECK_EQ(vd_config_get(&d, PCI_SUBSYSTEM_VENDOR, 4), 0x00021af4);
    CHECK_EQ(in32(&d.r, VD_PORTS + 20), DISK / 512);
    out8(&d.r, VD_PORTS + 18, VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER);
    out32(&d.r, VD_PORTS + 4, 0);
    out16(&d.r, VD_PORTS + 14, 0);
    u16 size = in16(&d.r, VD_PORTS + 12);
    CHECK_EQ(size, 256);
    out32(&d.r, VD_PORTS + 8, VD_RINGS >> 12);
    CHECK_EQ(in32(&d.r, VD_PORTS + 8), VD_RINGS >> 12);
    d.q[0] = (struct vd_queue){ size, VD_RINGS, VD_RINGS + 16 * size, VD_RINGS + 0x2000 };
    out8(&d.r, VD_PORTS + 18, VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER | VIRTIO_DRIVER_OK);
    put_header(&d, 0, 0);
    vd_add(&d, 0, p, 3);
    out16(&d.r, VD_PORTS + 16, 0);
    vd_wait(&d);
    CHECK_EQ(vd_used(&d, 0, 3), 513);
    CHECK_EQ(vd_peek(&d, ANSWER, 1), 0);
    CHECK(vd_pin(&d));
    CHECK_EQ(in8(&d.r, VD_PORTS + 19), 1);
    CHECK(!vd_pin(&d));
    out32(&d.r, VD_PORTS + 8, 0);
    CHECK_EQ(in32(&d.r, VD_PORTS + 8), 0);
    stop_disk(&d);
}

/* --- hostile rings: the device is broken, or the request fails, and nothing else happens --- */

static void expect_broken(struct vd *d, const char *what)
{
    check_context("%s", what);
    vd_kick(d, 0);
    vd_wait(d);
    CHECK_EQ(vd_status(d) & VIRTIO_NEEDS_RESET, VIRTIO_NEEDS_RESET);
    CHECK_EQ(vd_get(d, VD_ISR, 1) & 2, 2);      /* it is told as a change of configuration */
    CHECK_EQ(vd_peek(d, ANSWER, 1), 0xee);
    for (gpa_t at = BUFFER; at < BUFFER + 512; at += 8)
        CHECK_EQ(vd_peek(d, at, 8), 0);
    vd_kick(d, 0);
    vd_wait(d);
    CHECK_EQ(vd_peek(d, ANSWER, 1), 0xee);
}

static void spoil_loop(struct vd *d) { vd_poke(d, d->q[0].desc + 16 + 12, 4, D_NEXT); }
static void spoil_next(struct vd *d) { vd_poke(d, d->q[0].desc + 14, 2, 8); }
static void spoil_head(struct vd *d) { vd_poke(d, d->q[0].driver + 4, 2, 0xffff); }
static void spoil_index(struct vd *d) { vd_poke(d, d->q[0].driver + 2, 2, 9); }
static void spoil_index_back(struct vd *d) { vd_poke(d, d->q[0].driver + 2, 2, 0xffff); }
static void spoil_order(struct vd *d) { vd_poke(d, d->q[0].desc + 32 + 12, 2, 0); }
static void spoil_total(struct vd *d)
{
    vd_poke(d, d->q[0].desc + 16 + 8, 4, ~0u);
    vd_poke(d, d->q[0].desc + 32 + 8, 4, ~0u);
}
static void spoil_indirect(struct vd *d) { vd_poke(d, d->q[0].desc + 12, 2, D_INDIRECT); }
static void spoil_no_answer(struct vd *d) { vd_poke(d, d->q[0].desc + 12, 2, 0); }
static void spoil_no_header(struct vd *d) { vd_poke(d, d->q[0].desc + 8, 4, 15); }

static void test_hostile_split(void)
{
    static const struct { const char *what; void (*spoil)(struct vd *d); } ways[] = {
        { "a loop", spoil_loop }, { "next beyond the table", spoil_next }, { "a head beyond the table", spoil_head }, { "the index jumps", spoil_index },
        { "the index goes back", spoil_index_back }, { "writable before readable", spoil_order }, { "more than 2^32 bytes", spoil_total },
        { "indirect, which was not negotiated", spoil_indirect }, { "no place for the answer", spoil_no_answer }, { "half a header", spoil_no_header },
    };
    struct vd_piece p[3] = { { HEADER, 16, false }, { BUFFER, 512, true }, { ANSWER, 1, true } };
    struct vd d;
    s64 used;
    start_disk(&d, 0);
    for (unsigned i = 0; i < ARRAY_LEN(ways); i++) {
        ready_disk(&d, PLAIN, 8);
        put_header(&d, 8, 0);
        vd_add(&d, 0, p, 3);
        ways[i].spoil(&d);
        expect_broken(&d, ways[i].what);
        ready_disk(&d, PLAIN, 8);               /* a reset heals */
        CHECK_EQ(request(&d, 0, 0, BUFFER, 512, &used), 0);
    }
    stop_disk(&d);
}

static void expect_broken_table(struct vd *d, u64 features, gpa_t at, u32 len, u16 flags, const char *what)
{
    ready_disk(d, features, 8);
    put_header(d, 0, 0);
    if (d->packed)
        vd_packed_add(d, &d->q[0], at, len, flags);
    else
        vd_add(d, 0, &(struct vd_piece){ HEADER, 16, false }, 1);
    if (!d->packed)
        vd_descriptor(d, d->q[0].desc, at, len, flags, 1);
    expect_broken(d, what);
}

static void test_hostile_indirect(void)
{
    struct vd d;
    start_disk(&d, 0);
    for (int packed = 0; packed < 2; packed++) {
        u64 f = PLAIN | VIRTIO_F_INDIRECT_DESC | (packed ? VIRTIO_F_RING_PACKED : 0);
        gpa_t table = VD_RINGS + 6 * VD_RING_STEP;
        for (unsigned i = 0; i < 300; i++)      /* each leads to itself, or too many */
            vd_descriptor(&d, table + 16 * i, HEADER, 16, packed ? 0 : D_NEXT, packed ? 0 : i);
        expect_broken_table(&d, f, table, 16, D_INDIRECT | D_NEXT, "indirect and next");
        expect_broken_table(&d, f, table, 0, D_INDIRECT, "an empty table");
        expect_broken_table(&d, f, table, 17, D_INDIRECT, "a table of one descriptor and a byte");
        expect_broken_table(&d, f, VD_RAM, 16, D_INDIRECT, "a table outside memory");
        expect_broken_table(&d, f, ~(u64)15, 0xfffffff0, D_INDIRECT, "a table that wraps");
        expect_broken_table(&d, f, table, 300 * 16, D_INDIRECT, "a table that goes round, or is too long");
        vd_descriptor(&d, table, table, 16, packed ? 0 : D_INDIRECT, packed ? D_INDIRECT : 0);
        if (!packed)
            expect_broken_table(&d, f, table, 16, D_INDIRECT, "a table in a table");
    }
    stop_disk(&d);
}

static void test_hostile_packed(void)
{
    struct vd d;
    start_disk(&d, 0);
    ready_disk(&d, PLAIN | VIRTIO_F_RING_PACKED, 8);
    put_header(&d, 0, 0);
    for (unsigned i = 0; i < 8; i++)
        vd_packed_add(&d, &d.q[0], HEADER, 16, D_NEXT);
    expect_broken(&d, "a chain all round the ring");
    stop_disk(&d);
}

/* Sizes and places that cannot be: the device is broken at once, or later at the first look. */
static void test_hostile_queues(void)
{
    static const struct { u16 size; u64 desc, driver, device; bool packed_too; } ways[] = {
        { 0, VD_RINGS, VD_RINGS + 0x1000, VD_RINGS + 0x2000, true },
        { 7, VD_RINGS, VD_RINGS + 0x1000, VD_RINGS + 0x2000, false },
        { 512, VD_RINGS, VD_RINGS + 0x1000, VD_RINGS + 0x2000, true },
        { 65535, VD_RINGS, VD_RINGS + 0x1000, VD_RINGS + 0x2000, true },
        { 8, VD_RINGS + 8, VD_RINGS + 0x1000, VD_RINGS + 0x2000, true },
        { 8, VD_RINGS, VD_RINGS + 0x1001, VD_RINGS + 0x2000, true },
        { 8, VD_RINGS, VD_RINGS + 0x1000, VD_RINGS + 0x2002, true },
        { 8, ~(u64)0xf, VD_RAM - 2, VD_BAR, true },
        { 8, VD_BAR, VD_BAR, VD_BAR, true },
    };
    struct vd d;
    start_disk(&d, 0);
    for (unsigned i = 0; i < 2 * ARRAY_LEN(ways); i++) {
        unsigned n = i / 2;
        check_context("way %u, packed %u", n, i % 2);
        if (i % 2 && !ways[n].packed_too)
            continue;
        CHECK(vd_negotiate(&d, PLAIN | (i % 2 ? VIRTIO_F_RING_PACKED : 0)));
        vd_put(&d, 24, 2, ways[n].size);
        vd_put64(&d, 32, ways[n].desc);
        vd_put64(&d, 40, ways[n].driver);
        vd_put64(&d, 48, ways[n].device);
        vd_put(&d, 28, 2, 1);
        vd_go(&d);
        vd_kick(&d, 0);
        vd_wait(&d);
        CHECK_EQ(vd_status(&d) & VIRTIO_NEEDS_RESET, VIRTIO_NEEDS_RESET);
    }
    stop_disk(&d);
}

int main(int argc, char **argv)
{
    static const struct check tests[] = {
        { "negotiation", test_negotiation }, { "config", test_config }, { "disk", test_disk },
        { "write_cache", test_write_cache }, { "zeroes", test_zeroes }, { "reset_in_request", test_reset_in_request }, { "interrupts", test_interrupts },
        { "events", test_events }, { "legacy", test_legacy }, { "hostile_split", test_hostile_split },
        { "hostile_indirect", test_hostile_indirect }, { "hostile_packed", test_hostile_packed },
        { "hostile_queues", test_hostile_queues }, { NULL, NULL },
    };
    if (make_image())
        return 1;
    int status = check_main(argc, argv, "virtio", tests);
    unlink(image);
    return status;
}
