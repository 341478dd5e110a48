/* SPDX-License-Identifier: MIT */
/* Virtio devices by a driver of our own: negotiation, both kinds of rings, each device, and what hostile drivers do. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "devices/block/block.h"
#include "devices/net/net.h"
#include "devices/net/net_checksum.h"
#include "virtio_driver.h"

#define PLAIN VIRTIO_F_VERSION_1
static const u64 layouts[] = { PLAIN, PLAIN | VIRTIO_F_INDIRECT_DESC, PLAIN | VIRTIO_F_RING_PACKED, PLAIN | VIRTIO_F_RING_PACKED | VIRTIO_F_INDIRECT_DESC,
                               PLAIN | VIRTIO_F_EVENT_IDX, PLAIN | VIRTIO_F_RING_PACKED | VIRTIO_F_EVENT_IDX };

/* --- a disk --- */

enum { DISK = 8 << 20, HEADER = VD_DATA, ANSWER = VD_DATA + 0x100, BUFFER = VD_DATA + 0x1000 };
static char image[] = "/tmp/emu-test-virtio-XXXXXX";

static void start_disk(struct vd *d, unsigned flags)
{
    vd_init(d);
    d->r.platform.virtio[0] = (struct virtio_slot){ .model = VIRTIO_BLK, .flavor.packed = true, .serial = "number 1",
                                                    .image = block_open(image, flags | BLOCK_SNAPSHOT, &d->r.err) };
    vd_power_on(d);
}

static void stop_disk(struct vd *d)
{
    struct block *b = d->r.platform.virtio[0].image;
    rig_fini(&d->r);
    block_close(b);
}

static void ready_disk(struct vd *d, u64 features, u16 size)
{
    check_context("features %llx", (unsigned long long)features);
    CHECK(vd_negotiate(d, features));
    vd_queue(d, 0, size);
    vd_go(d);
}

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

/* --- random bytes, console --- */

static void start_slot(struct vd *d, enum virtio_model model, struct chardev *line, u64 seed)
{
    vd_init(d);
    d->r.platform.virtio[0] = (struct virtio_slot){ .model = model, .line = line, .seed = seed, .flavor.packed = true };
    vd_power_on(d);
}

static u64 random_bytes(u64 seed, u64 features)
{
    struct vd_piece p[2] = { { BUFFER, 3, true }, { BUFFER + 3, 8, true } };
    struct vd d;
    start_slot(&d, VIRTIO_RNG, NULL, seed);
    CHECK(vd_negotiate(&d, features));
    vd_queue(&d, 0, 8);
    vd_go(&d);
    CHECK_EQ(vd_exchange(&d, 0, p, 2), 11);
    CHECK_EQ(vd_peek(&d, BUFFER + 11, 1), 0);
    u64 bytes = vd_peek(&d, BUFFER + 3, 8);
    p[0] = (struct vd_piece){ BUFFER, 1 << 20, true };
    CHECK_EQ(vd_exchange(&d, 0, p, 1), 4096);   /* a device may give less */
    p[0] = (struct vd_piece){ VD_RAM - 1, 8, true };
    CHECK_EQ(vd_exchange(&d, 0, p, 1), 0);
    rig_fini(&d.r);
    return bytes;
}

static void test_rng(void)
{
    for (unsigned i = 0; i < ARRAY_LEN(layouts); i++)
        CHECK_EQ(random_bytes(1, layouts[i]), random_bytes(1, PLAIN));
    CHECK(random_bytes(1, PLAIN) != random_bytes(2, PLAIN));
}

static void test_console(void)
{
    struct chardev *line = chardev_buffer_new();
    struct vd d;
    start_slot(&d, VIRTIO_CONSOLE, line, 0);
    CHECK(vd_negotiate(&d, PLAIN));
    vd_queue(&d, 0, 8);
    vd_queue(&d, 1, 8);
    vd_go(&d);
    for (unsigned i = 0; i < 5; i++)
        vd_poke(&d, BUFFER + i, 1, "hello"[i]);
    CHECK_EQ(vd_exchange(&d, 1, &(struct vd_piece){ BUFFER, 5, false }, 1), 0);
    CHECK_STR(chardev_buffer_text(line, NULL), "hello");
    vd_put(&d, VD_CONFIG + 8, 4, '!');          /* in an emergency */
    CHECK_STR(chardev_buffer_text(line, NULL), "hello!");
    chardev_buffer_feed(line, "abcdef", 6);     /* waits for a place */
    CHECK_EQ(vd_exchange(&d, 0, &(struct vd_piece){ BUFFER, 4, true }, 1), 4);
    CHECK_EQ(vd_peek(&d, BUFFER, 4), 0x64636261);
    CHECK_EQ(vd_exchange(&d, 0, &(struct vd_piece){ BUFFER, 4, true }, 1), 2);
    vd_add(&d, 0, &(struct vd_piece){ BUFFER, 4, true }, 1);
    vd_kick(&d, 0);
    chardev_buffer_feed(line, "x", 1);
    CHECK_EQ(vd_used(&d, 0, 1), 1);
    rig_fini(&d.r);
    chardev_close(line);
}

/* --- network --- */

struct far { u8 frame[64][NET_FRAME_MAX]; u32 len[64]; unsigned count; };

static void take_frame(void *opaque, const u8 *frame, u32 len)
{
    struct far *f = opaque;
    memcpy(f->frame[f->count % 64], frame, len);
    f->len[f->count++ % 64] = len;
}

static struct far far;

static void start_net(struct vd *d)
{
    vd_init(d);
    struct net_wire *w = net_new("n", &d->r.clock);
    far.count = 0;
    net_attach(w, NET_BACKEND, &(struct net_end){ .receive = take_frame, .opaque = &far });
    d->r.platform.nic[0] = (struct nic){ .model = NIC_VIRTIO, .mac = { 0x52, 0x54, 0, 1, 2, 3 }, .wire = w, .virtio.packed = true };
    vd_power_on(d);
}

static void stop_net(struct vd *d)
{
    struct net_wire *w = d->r.platform.nic[0].wire;
    rig_fini(&d->r);
    net_free(w);
}

static void ready_net(struct vd *d, u64 features)
{
    check_context("features %llx", (unsigned long long)features);
    CHECK(vd_negotiate(d, features));
    for (unsigned n = 0; n < 3; n++)
        vd_queue(d, n, 64);
    vd_go(d);
}

enum { F_CSUM = 1 << 0, F_GUEST_CSUM = 1 << 1, F_TSO4 = 1 << 11, F_MERGE = 1 << 15, F_CONTROL = 1 << 17 | 1 << 18, IP = 14, TCP = 34, PAYLOAD = 54 };

/* Ethernet, IPv4, TCP, and bytes that count; TCP's checksum holds the pseudo header's sum as drivers leave it. */
static void make_packet(u8 *f, u32 payload)
{
    static const u8 head[] = { 0x52, 0x54, 0, 1, 2, 3, 0x52, 0x54, 0, 9, 9, 9, 8, 0, 0x45, 0, 0, 0, 0x12, 0x34, 0x40, 0, 64, 6, 0, 0, 10, 0, 2, 15, 10, 0, 2, 2,
                               0x10, 0, 0, 80, 0, 0, 0, 100, 0, 0, 0, 1, 0x50, 0x19, 0x10, 0, 0, 0, 0, 0 };
    _Static_assert(sizeof head == PAYLOAD, "headers");
    memcpy(f, head, sizeof head);
    for (u32 i = 0; i < payload; i++)
        f[PAYLOAD + i] = i * 7;
    net_put16(f + IP + 2, 40 + payload);
    net_put16(f + IP + 10, ~net_sum(f + IP, 20));
    net_put16(f + TCP + 16, net_sum_add(net_sum(f + IP + 12, 8), 6 + 20 + payload));
}

static void send(struct vd *d, u8 flags, u8 gso, u16 mss, u16 start, u16 offset, const u8 *f, u32 len)
{
    u8 header[12] = { flags, gso, 0, 0, mss & 0xff, mss >> 8, start & 0xff, start >> 8, offset };
    physmap_write(&d->r.map, HEADER, header, 12);
    physmap_write(&d->r.map, BUFFER, f, len);
    struct vd_piece p[3] = { { HEADER, 12, false }, { BUFFER, len / 2, false }, { BUFFER + len / 2, len - len / 2, false } };
    CHECK_EQ(vd_exchange(d, 1, p, 3), 0);
}

static void test_transmit(void)
{
    static u8 f[NET_FRAME_MAX];
    struct net_ip ip;
    struct vd d;
    start_net(&d);
    ready_net(&d, PLAIN | F_CSUM | F_TSO4);
    make_packet(f, 100);
    send(&d, 1, 0, 0, TCP, 16, f, PAYLOAD + 100);
    CHECK_EQ(far.count, 1);
    CHECK(net_check_ip(far.frame[0], far.len[0], &ip) && ip.ip_ok && ip.l4_ok);
    make_packet(f, 3500);
    send(&d, 1, 1, 1460, TCP, 16, f, PAYLOAD + 3500);
    CHECK_EQ(far.count, 4);
    u32 at = 0;
    for (unsigned i = 1; i < 4; i++) {
        u32 part = i < 3 ? 1460 : 580;
        CHECK_EQ(far.len[i], PAYLOAD + part);
        CHECK(net_check_ip(far.frame[i], far.len[i], &ip) && ip.ip_ok && ip.l4_ok);
        CHECK_EQ(net_get32(far.frame[i] + TCP + 4), 100 + at);
        CHECK_EQ(net_get16(far.frame[i] + IP + 4), 0x1234 + i - 1);
        CHECK_EQ(far.frame[i][TCP + 13], i < 3 ? 0x10 : 0x19);
        CHECK(memcmp(far.frame[i] + PAYLOAD, f + PAYLOAD + at, part) == 0);
        at += part;
    }
    /* what a driver should not say: the packet is dropped, and the next one goes */
    send(&d, 1, 0, 0, 5000, 16, f, 200);
    send(&d, 1, 0, 0, 190, 200, f, 200);
    send(&d, 1, 4, 1460, TCP, 16, f, 4000);     /* IPv6, which it is not, and was not negotiated */
    send(&d, 1, 1, 1460, TCP, 16, f, 40);       /* no room for TCP's header */
    f[TCP + 12] = 0xf0;
    send(&d, 1, 1, 1460, TCP, 16, f, PAYLOAD + 2);
    CHECK_EQ(far.count, 4);
    make_packet(f, 5);
    send(&d, 0, 0, 0, 0, 0, f, PAYLOAD + 5);
    CHECK_EQ(far.count, 5);
    CHECK_EQ(vd_status(&d), 0xf);
    stop_net(&d);
}

static void test_receive(void)
{
    static u8 f[2000];
    struct vd d;
    start_net(&d);
    struct net_wire *w = d.r.platform.nic[0].wire;
    make_packet(f, 446);
    net_put16(f + TCP + 16, ~net_sum(f + TCP, 466));
    for (unsigned i = 0; i < ARRAY_LEN(layouts); i++) {
        ready_net(&d, layouts[i] | F_MERGE | F_GUEST_CSUM);
        net_send(w, NET_BACKEND, f, 500);       /* waits for buffers: 512 bytes with the header */
        vd_wait(&d);
        for (unsigned n = 0; n < 3; n++)
            vd_add(&d, 0, &(struct vd_piece){ BUFFER + 0x1000 * n, 200, true }, 1);
        vd_kick(&d, 0);
        vd_wait(&d);
        CHECK_EQ(vd_used(&d, 0, 1), 200);
        CHECK_EQ(vd_used(&d, 0, 1), 200);
        CHECK_EQ(vd_used(&d, 0, 1), 112);
        CHECK_EQ(vd_peek(&d, BUFFER + 10, 2), 3);
        CHECK_EQ(vd_peek(&d, BUFFER, 1), 2);    /* DATA_VALID */
        CHECK_EQ(vd_peek(&d, BUFFER + 0x1000, 1), f[188]);
        CHECK_EQ(vd_peek(&d, BUFFER + 0x2000 + 111, 1), f[499]);
        vd_add(&d, 0, &(struct vd_piece){ BUFFER, 200, true }, 1);      /* too small: dropped, and the buffer stays */
        net_send(w, NET_BACKEND, f, 500);
        vd_wait(&d);
        CHECK_EQ(vd_used(&d, 0, 1), (u64)-1);
        net_send(w, NET_BACKEND, f, 100);
        vd_wait(&d);
        CHECK_EQ(vd_used(&d, 0, 1), 112);
    }
    stop_net(&d);
}

static u8 control(struct vd *d, u8 class, u8 command, const void *data, u32 len)
{
    u8 head[2] = { class, command };
    physmap_write(&d->r.map, HEADER, head, 2);
    physmap_write(&d->r.map, BUFFER, data, len);
    struct vd_piece p[3] = { { HEADER, 2, false }, { BUFFER, len, false }, { ANSWER, 1, true } };
    vd_poke(d, ANSWER, 1, 0xee);
    CHECK_EQ(vd_exchange(d, 2, p, 3), 1);
    return vd_peek(d, ANSWER, 1);
}

static bool arrives(struct vd *d, const char *address)
{
    u8 f[60] = { 0 };
    memcpy(f, address, 6);
    vd_add(d, 0, &(struct vd_piece){ BUFFER + 0x1000, 100, true }, 1);
    vd_kick(d, 0);
    net_send(d->r.platform.nic[0].wire, NET_BACKEND, f, sizeof f);
    vd_wait(d);
    return vd_used(d, 0, 1) == 72;
}

static void test_filter(void)
{
    static const u8 table[] = { 1, 0, 0, 0, 2, 0, 0, 0, 0, 7, 1, 0, 0, 0, 1, 0, 0, 0, 0, 9 };
    struct vd d;
    start_net(&d);
    ready_net(&d, PLAIN | F_CONTROL);
    CHECK(arrives(&d, "\2\0\0\0\0\5"));         /* promiscuous until told otherwise */
    CHECK_EQ(control(&d, 0, 0, "\0", 1), 0);
    CHECK(!arrives(&d, "\2\0\0\0\0\5"));
    CHECK(arrives(&d, "\x52\x54\0\1\2\3"));
    CHECK(arrives(&d, "\xff\xff\xff\xff\xff\xff"));
    CHECK(!arrives(&d, "\1\0\0\0\0\x9"));
    CHECK_EQ(control(&d, 1, 0, table, sizeof table), 0);
    CHECK(arrives(&d, "\1\0\0\0\0\x9"));
    CHECK(arrives(&d, "\2\0\0\0\0\7"));
    CHECK(!arrives(&d, "\2\0\0\0\0\x8"));
    CHECK_EQ(control(&d, 1, 1, "\2\0\0\0\0\x8", 6), 0);
    CHECK(arrives(&d, "\2\0\0\0\0\x8"));
    CHECK_EQ(control(&d, 0, 5, "\1", 1), 0);
    CHECK(!arrives(&d, "\xff\xff\xff\xff\xff\xff"));
    CHECK_EQ(control(&d, 0, 9, "\1", 1), 1);
    CHECK_EQ(control(&d, 1, 0, "\xff\xff\xff\xff", 4), 1);
    CHECK_EQ(control(&d, 9, 9, "\1", 1), 1);
    stop_net(&d);
}

/* The plug is pulled: the configuration changes, and says so. */
static void test_link(void)
{
    struct vd d;
    start_net(&d);
    ready_net(&d, PLAIN | 1 << 16);
    u8 generation = vd_get(&d, 21, 1);
    CHECK_EQ(vd_get(&d, VD_CONFIG + 6, 2), 1);
    net_set_link(d.r.platform.nic[0].wire, false);
    CHECK_EQ(vd_get(&d, VD_CONFIG + 6, 2), 0);
    CHECK(vd_get(&d, 21, 1) != generation);
    CHECK(vd_pin(&d));
    CHECK_EQ(vd_get(&d, VD_ISR, 1), 2);
    stop_net(&d);
}

/* --- nonsense --- */

enum { FUZZ_STEPS = 60000 };

/* Numbers that matter: small ones, and places in or near memory. */
static u64 some_number(u64 *seed)
{
    u64 v = check_random(seed);
    switch (v % 8) {
    case 0: return v >> 40;
    case 1: return VD_RAM - (v >> 8) % 64;
    case 2: return v >> 8;
    default: return VD_RINGS + (v >> 8) % (8 * VD_RING_STEP);
    }
}

static void spoil_memory(struct vd *d, u64 *seed)
{
    u64 v = check_random(seed);
    struct vd_queue *q = &d->q[v % 4];
    gpa_t at = (v >> 8 & 3) == 0 ? q->driver + (v >> 16) % 40 : (v >> 8 & 3) == 1 ? q->device + (v >> 16) % 8 : q->desc + 4 * ((v >> 16) % 64);
    vd_poke(d, at, 4, v >> 32 & 1 ? check_random(seed) & 0x80870007 : some_number(seed));
}

static void touch_register(struct vd *d, u64 *seed)
{
    static const u8 place[] = { 0, 4, 8, 12, 16, 18, 20, 21, 22, 24, 26, 28, 30, 32, 36, 40, 44, 48, 52, 56, 255 };
    u64 v = check_random(seed);
    unsigned area = (v & 7) < 4 ? 0 : 0x1000 * (v >> 4 & 3), size = 1 << (v >> 8) % 3;
    unsigned at = area + (area ? (v >> 12) % 64 : place[(v >> 12) % ARRAY_LEN(place)]);
    if (v >> 20 & 1)
        vd_get(d, at, size);
    else if (at != 20 || v >> 21 & 1)
        vd_put(d, at, size, v >> 22 & 1 ? some_number(seed) : v >> 30 & 0x1ff);
    if (v >> 50 & 15)
        return;
    if (v >> 55 & 1)
        vd_config_put(d, v >> 24 & 0xff, size, v >> 32);
    else
        bus_io_write(&d->r.bus, VD_PORTS + (v >> 24) % 40, size, v >> 32 & 0xff);
    vd_config_put(d, PCI_BAR0 + 16, 4, VD_BAR);
    vd_config_put(d, PCI_BAR0, 4, VD_PORTS);
    vd_config_put(d, PCI_COMMAND, 2, PCI_COMMAND_IO | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
}

/* A chain that makes some sense. */
static void add_something(struct vd *d, u64 *seed)
{
    struct vd_piece p[3];
    u64 v = check_random(seed);
    unsigned n = v % 4;
    for (unsigned i = 0; i < 3; i++) {
        u64 w = check_random(seed);
        p[i] = (struct vd_piece){ w & 15 ? VD_DATA + (w >> 8) % 0x10000 : some_number(seed), w & 0xf0 ? (w >> 32) % 2000 : w >> 32, i > (v >> 8 & 1) };
    }
    p[0].len = v >> 16 & 7 ? 16 : p[0].len;
    vd_poke(d, p[0].gpa & (VD_RAM - 1), 4, v >> 24 & 15);
    vd_poke(d, (p[0].gpa + 8) & (VD_RAM - 1), 4, v >> 32 & 0xff);
    if (d->tables > VD_RINGS + 7 * VD_RING_STEP)
        d->tables = VD_RINGS + 4 * VD_RING_STEP;
    if (d->q[n].size)
        vd_add(d, n, p, 1 + (v >> 20) % 3);
    vd_kick(d, n);
}

static void begin_again(struct vd *d, u64 *seed)
{
    u64 v = check_random(seed);
    vd_set_status(d, 0);
    vd_negotiate(d, (vd_offered(d) & (v >> 8 | VIRTIO_F_VERSION_1)) | VIRTIO_F_VERSION_1);
    for (unsigned n = 0; n < 4; n++)
        vd_queue(d, n, 1 << (v >> 4 * n & 7));
    vd_go(d);
}

static unsigned fuzz(struct vd *d, u64 *seed)
{
    unsigned served = 0;
    for (unsigned i = 0; i < FUZZ_STEPS; i++) {
        u64 v = check_random(seed);
        if (v % 64 == 0)
            begin_again(d, seed);
        (v % 8 < 1 ? spoil_memory : v % 8 < 2 ? touch_register : add_something)(d, seed);
        if (v >> 16 & 1)
            rig_run(&d->r, (v >> 20) % 100000);
        for (unsigned n = 0; n < 4; n++)
            served += d->q[n].size && vd_used(d, n, 1) >= 0;
        if (d->r.platform.nic[0].wire && v >> 40 & 1)
            net_send(d->r.platform.nic[0].wire, NET_BACKEND, (u8 *)d->r.map.base, 14 + (v >> 44) % 3000);
        if (v % 5000 == 7)
            for (unsigned n = 0; n < d->r.ndevices; n++)
                d->r.device[n]->ops->reset(d->r.device[n]);
    }
    FILE *null = fopen("/dev/null", "w");
    d->r.device[1]->ops->info(d->r.device[1], null);
    fclose(null);
    return served;
}

static void test_fuzz_disk(void)
{
    u64 seed = check_seed();
    struct vd d;
    start_disk(&d, 0);
    CHECK(fuzz(&d, &seed) > 200);
    stop_disk(&d);
}

static void test_fuzz_net(void)
{
    u64 seed = check_seed();
    struct vd d;
    start_net(&d);
    CHECK(fuzz(&d, &seed) > 200);
    stop_net(&d);
}

static void test_fuzz_console(void)
{
    u64 seed = check_seed();
    struct chardev *line = chardev_buffer_new();
    struct vd d;
    start_slot(&d, VIRTIO_CONSOLE, line, 0);
    CHECK(fuzz(&d, &seed) > 200);
    rig_fini(&d.r);
    chardev_close(line);
}

static void test_fuzz_rng(void)
{
    u64 seed = check_seed();
    struct vd d;
    start_slot(&d, VIRTIO_RNG, NULL, 3);
    CHECK(fuzz(&d, &seed) > 200);
    rig_fini(&d.r);
}

int main(int argc, char **argv)
{
    static const struct check tests[] = {
        { "negotiation", test_negotiation }, { "config", test_config }, { "disk", test_disk }, { "zeroes", test_zeroes },
        { "reset_in_request", test_reset_in_request }, { "interrupts", test_interrupts }, { "events", test_events }, { "legacy", test_legacy },
        { "hostile_split", test_hostile_split }, { "hostile_indirect", test_hostile_indirect }, { "hostile_packed", test_hostile_packed },
        { "hostile_queues", test_hostile_queues }, { "rng", test_rng }, { "console", test_console }, { "transmit", test_transmit },
        { "receive", test_receive }, { "filter", test_filter }, { "link", test_link }, { "fuzz_disk", test_fuzz_disk },
        { "fuzz_net", test_fuzz_net }, { "fuzz_console", test_fuzz_console }, { "fuzz_rng", test_fuzz_rng }, { NULL, NULL },
    };
    int fd = mkstemp(image);
    if (fd < 0 || ftruncate(fd, DISK))
        return 1;
    int status = check_main(argc, argv, "virtio", tests);
    unlink(image);
    return status;
}
