/* SPDX-License-Identifier: MIT */
/*
 * Virtio devices and a driver that does everything in the wrong order: status bits, features, queues, both interfaces at once; chains whose
 * pieces wrap or lie where no memory is; indices that are the device's; a reset while packets wait. Then it begins again, and all is well.
 */
#include "hostile_rig.h"
#include "virtio_rigs.h"

enum { ROM_AT = 0xfffc0000 };

static void put_request(struct vd *d, u32 type, u64 sector)
{
    vd_poke(d, HEADER, 8, type);
    vd_poke(d, HEADER + 8, 8, sector);
    vd_poke(d, ANSWER, 1, 0xee);
}

static s64 read_sector(struct vd *d)
{
    put_request(d, 0, 0);
    return vd_exchange(d, 0, (struct vd_piece[]){ { HEADER, 16, false }, { BUFFER, 512, true }, { ANSWER, 1, true } }, 3);
}

static void check_heals(struct vd *d)
{
    ready_disk(d, PLAIN, 8);
    CHECK_EQ(read_sector(d), 513);
    CHECK_EQ(vd_peek(d, ANSWER, 1), 0);
}

/* --- status and features --- */

/* Every status byte after every other: a bit stays until reset, the device's own cannot be set, and without FEATURES_OK nothing starts. */
static void test_status_in_any_order(void)
{
    struct vd d;
    start_disk(&d, 0);
    for (unsigned i = 0; i < 0x10000; i++) {
        u8 a = i, b = i >> 8, want = 0;
        vd_set_status(&d, 0);
        vd_put(&d, 8, 4, 1);
        vd_put(&d, 12, 4, i & 0x200 ? 1 : 0);       /* VERSION_1, or not */
        for (unsigned k = 0; k < 2; k++) {
            u8 s = k ? b : a, before = want;
            vd_set_status(&d, s);
            want = s ? before | (s & ~(VIRTIO_NEEDS_RESET | VIRTIO_DRIVER_OK | 0x30)) : 0;
            want &= i & 0x200 && (s || k == 0) ? 0xff : ~VIRTIO_FEATURES_OK;
            if (s & VIRTIO_DRIVER_OK && want & VIRTIO_FEATURES_OK)
                want |= VIRTIO_DRIVER_OK;
            want |= s ? before & VIRTIO_DRIVER_OK : 0;
            if (!s)
                vd_put(&d, 8, 4, 1), vd_put(&d, 12, 4, 0);
        }
        if (a && b && !CHECK_EQ(vd_status(&d), want))
            break;
    }
    check_heals(&d);
    stop_disk(&d);
}

/* What was not offered is refused; what comes after FEATURES_OK, or by a window that is none, is not heard. */
static void test_features_in_any_order(void)
{
    struct vd d;
    start_disk(&d, 0);
    for (unsigned bit = 0; bit < 64; bit++) {
        bool offered = vd_offered(&d) >> bit & 1;
        check_context("feature %u", bit);
        CHECK_EQ(vd_negotiate(&d, PLAIN | BIT(bit)), offered || BIT(bit) == PLAIN);
    }
    CHECK(vd_negotiate(&d, PLAIN));
    for (u32 select = 0; select < 4; select++) {
        vd_put(&d, 8, 4, select);
        vd_put(&d, 12, 4, ~0u);
        vd_put(&d, 0, 4, select + 2);
        CHECK_EQ(vd_get(&d, 4, 4), 0);
    }
    vd_put(&d, 8, 4, 0);
    CHECK_EQ(vd_get(&d, 12, 4), 0);
    vd_queue(&d, 0, 8);
    vd_go(&d);
    CHECK_EQ(read_sector(&d), 513);
    stop_disk(&d);
}

/* --- queues --- */

/* Enabled before features are taken: then they are packed, or indirect; whatever the ring is now, it is one thing or broken. */
static void test_queues_before_features(void)
{
    for (unsigned i = 0; i < 64; i++) {
        struct vd d;
        start_disk(&d, 0);
        vd_set_status(&d, 0);
        d.packed = i & 1;
        vd_put(&d, 8, 4, 1);
        vd_put(&d, 12, 4, i & 2 ? 5 : 1);
        vd_queue(&d, 0, i & 4 ? 7 : 8);
        vd_put(&d, 12, 4, i & 8 ? 5 : 1);
        if (i & 16)
            out32(&d.r, VD_PORTS + 8, VD_RINGS >> 12);      /* and once more by the other interface */
        vd_set_status(&d, 3);
        vd_set_status(&d, 11);
        if (i & 32)
            vd_put(&d, 28, 2, 1);
        vd_set_status(&d, 15);
        put_request(&d, 0, 0);
        vd_add(&d, 0, (struct vd_piece[]){ { HEADER, 16, false }, { BUFFER, 512, true }, { ANSWER, 1, true } }, 3);
        vd_kick(&d, 0);
        vd_wait(&d);
        check_heals(&d);
        stop_disk(&d);
    }
}

/* A queue that is there stays as it is until reset; one that is not there cannot be written, and reads as nothing. */
static void test_queues_that_change(void)
{
    struct vd d;
    start_disk(&d, 0);
    ready_disk(&d, PLAIN, 8);
    vd_put(&d, 22, 2, 0);
    vd_put(&d, 24, 2, 0);
    vd_put64(&d, 32, ~(u64)0);
    vd_put64(&d, 40, 0);
    vd_put64(&d, 48, VD_BAR);
    vd_put(&d, 28, 2, 0);               /* it is not taken away so */
    vd_put(&d, 28, 2, 1);
    vd_put(&d, 28, 2, 0xffff);
    CHECK_EQ(vd_get(&d, 24, 2), 8);
    CHECK_EQ(vd_get(&d, 28, 2), 1);
    CHECK_EQ(read_sector(&d), 513);
    for (unsigned n = 1; n < 0x10000; n += n < 64 ? 1 : 4095) {
        vd_put(&d, 22, 2, n);
        CHECK_EQ(vd_get(&d, 24, 2), 0);
        vd_put(&d, 24, 2, 8);
        vd_put64(&d, 32, VD_RINGS);
        vd_put(&d, 28, 2, 1);
        CHECK_EQ(vd_get(&d, 24, 2) | vd_get(&d, 28, 2) | vd_get(&d, 32, 4), 0);
        vd_put(&d, VD_NOTIFY + (4 * n & 0xffc), 2, n);
        out16(&d.r, VD_PORTS + 14, n);
        out32(&d.r, VD_PORTS + 8, 0);
        out16(&d.r, VD_PORTS + 16, n);
    }
    CHECK_EQ(read_sector(&d), 513);
    vd_set_status(&d, 0);               /* never enabled, and yet rung */
    CHECK(vd_negotiate(&d, PLAIN));
    vd_go(&d);
    vd_kick(&d, 0);
    vd_wait(&d);
    vd_put(&d, 22, 2, 0);
    vd_put(&d, 28, 2, 1);               /* at 0, where the driver has put nothing */
    vd_kick(&d, 0);
    vd_wait(&d);
    check_heals(&d);
    stop_disk(&d);
}

/* Pieces of registers, registers that are none, the window of configuration space onto all of them. */
static void test_registers_in_pieces(void)
{
    u64 seed = check_seed(), rounds = check_rounds(20000);
    struct vd d;
    start_disk(&d, 0);
    for (u64 i = 0; i < rounds; i++) {
        u64 v = check_random(&seed);
        if (v & 1) {
            vd_config_put(&d, 0x84 + 4, 1, v >> 8 & 7 ? 4 : v >> 16);
            vd_config_put(&d, 0x84 + 8, 4, v >> 24 & 0x3fff);
            vd_config_put(&d, 0x84 + 12, 4, v >> 40 & 7);
            if (v & 2)
                vd_config_put(&d, 0x84 + 16, 1 << (v >> 44) % 3, v >> 48);
            else
                vd_config_get(&d, 0x84 + 16, 1 << (v >> 44) % 3);
        } else {
            physmap_store(&d.r.map, VD_BAR + (v >> 8 & 0x3fff), 1 << (v >> 24) % 4, check_random(&seed) >> (v >> 32) % 64);
        }
        if (v % 256 == 5)
            vd_wait(&d);
    }
    check_heals(&d);
    stop_disk(&d);
}

/* --- pieces --- */

/* Wrapping at the end of all addresses, over the end of RAM, ROM, registers: the request fails, its answer says so, and nothing is written. */
static void test_pieces_that_are_nowhere(void)
{
    static const struct { u64 gpa; u32 len; } row[] = { { ~(u64)0 - 255, 512 }, { VD_RAM - 256, 512 }, { ROM_AT, 512 }, { VD_BAR, 512 }, { BIT(63), 512 }, { 0xfee00000, 512 }, { VD_RAM, 0xffffffff & ~511 } };
    for (unsigned i = 0; i < ARRAY_LEN(layouts) * ARRAY_LEN(row); i++) {
        unsigned n = i % ARRAY_LEN(row);
        struct vd d;
        struct guard g;
        start_disk(&d, 0);
        physmap_add_rom(&d.r.map, "rom", ROM_AT, 0x20000, &d.r.err);
        ready_disk(&d, layouts[i / ARRAY_LEN(row)], 16);
        check_context("layout %u, piece at %llx", i / (unsigned)ARRAY_LEN(row), (unsigned long long)row[n].gpa);
        put_request(&d, 0, 0);
        guard_take(&g, &d.r.map, VD_RAM);
        s64 used = vd_exchange(&d, 0, (struct vd_piece[]){ { HEADER, 16, false }, { row[n].gpa, row[n].len, true }, { ANSWER, 1, true } }, 3);
        CHECK(used == 1 || (used == 1 + 256 && row[n].gpa == VD_RAM - 256));    /* the half that there was is filled */
        CHECK_EQ(vd_peek(&d, ANSWER, 1), 1);
        CHECK(guard_changed(&g, &d.r.map, 0, HEADER) == ANSWER);    /* before the header are only rings */
        CHECK(guard_changed(&g, &d.r.map, 0, ANSWER + 1) >= VD_RAM - 256);
        guard_drop(&g);
        check_heals(&d);
        stop_disk(&d);
    }
}

/* Pieces of no bytes anywhere in a chain count for nothing, wherever they lie; a chain of nothing is none. */
static void test_pieces_of_nothing(void)
{
    for (unsigned i = 0; i < ARRAY_LEN(layouts); i++) {
        const struct vd_piece p[] = { { VD_BAR, 0, false }, { HEADER, 16, false }, { ~(u64)0, 0, false }, { VD_BAR, 0, true }, { BUFFER, 512, true }, { VD_RAM, 0, true }, { ANSWER, 1, true },
                                      { ~(u64)0, 0, true } };
        struct vd d;
        start_disk(&d, 0);
        ready_disk(&d, layouts[i], 16);
        put_request(&d, 0, 0);
        CHECK_EQ(vd_exchange(&d, 0, p, ARRAY_LEN(p)), 513);
        CHECK_EQ(vd_peek(&d, ANSWER, 1), 0);
        ready_disk(&d, layouts[i], 16);
        vd_add(&d, 0, (struct vd_piece[]){ { HEADER, 0, false }, { ANSWER, 0, true } }, 2);
        vd_kick(&d, 0);
        vd_wait(&d);
        CHECK(vd_status(&d) & VIRTIO_NEEDS_RESET);
        check_heals(&d);
        stop_disk(&d);
    }
}

/* As many bytes as a chain may have, and one more. */
static void test_sums_of_lengths(void)
{
    for (unsigned i = 0; i < 2 * ARRAY_LEN(layouts); i++) {
        struct vd d;
        start_disk(&d, 0);
        ready_disk(&d, layouts[i / 2], 16);
        put_request(&d, 0, 0);
        vd_add(&d, 0, (struct vd_piece[]){ { HEADER, 16, false }, { BUFFER, 0x80000000, true }, { BUFFER, 0x7fffffff, true }, { ANSWER, 1 + i % 2, true } }, 4);
        vd_kick(&d, 0);
        vd_wait(&d);
        if (i % 2)
            CHECK(vd_status(&d) & VIRTIO_NEEDS_RESET);
        else
            CHECK_EQ(vd_peek(&d, ANSWER, 1), 1);        /* 4 GiB: more than the disk has */
        check_heals(&d);
        stop_disk(&d);
    }
}

/* --- indices --- */

/* The used ring is the device's: what the driver writes there does not matter. In a packed ring, what is not marked as available is not taken. */
static void test_indices_of_the_device(void)
{
    for (unsigned i = 0; i < ARRAY_LEN(layouts); i++) {
        struct vd d;
        start_disk(&d, 0);
        ready_disk(&d, layouts[i], 8);
        for (unsigned n = 0; n < 40; n++) {
            if (!d.packed) {
                vd_poke(&d, d.q[0].device + 2, 2, 0x1234 + n);
                vd_poke(&d, d.q[0].device + 4, 8, ~(u64)0);
            }
            put_request(&d, 0, 0);
            vd_add(&d, 0, (struct vd_piece[]){ { HEADER, 16, false }, { BUFFER, 512, true }, { ANSWER, 1, true } }, 3);
            vd_kick(&d, 0);
            vd_wait(&d);
            CHECK_EQ(vd_used(&d, 0, 3), 513);
        }
        if (d.packed)
            for (unsigned n = 0; n < 8; n++)        /* of the wrong round, used, and both */
                vd_poke(&d, d.q[0].desc + 16 * n + 14, 2, (u16[]){ 0, 0x8080, vd_packed_flags(&d.q[0]) ^ 0x8080, 0x7f7f }[n % 4]);
        put_request(&d, 0, 0);
        vd_kick(&d, 0);
        vd_wait(&d);
        CHECK_EQ(vd_peek(&d, ANSWER, 1), 0xee);
        check_heals(&d);
        stop_disk(&d);
    }
}

/* Both interfaces at once: whichever was first, the device is one. */
static void test_both_interfaces(void)
{
    u64 seed = check_seed();
    struct vd d;
    start_net(&d);
    for (u64 i = 0, rounds = check_rounds(3000); i < rounds; i++) {
        u64 v = check_random(&seed);
        for (unsigned n = 0; n < 12; n++, v = check_random(&seed))
            switch (v % 8) {
            case 0: vd_set_status(&d, v >> 8 & 15); break;
            case 1: out8(&d.r, VD_PORTS + 18, v >> 8 & 15); break;
            case 2: out32(&d.r, VD_PORTS + 4, v >> 8); break;
            case 3: vd_put(&d, 8, 4, v >> 8 & 1); vd_put(&d, 12, 4, v >> 16); break;
            case 4: vd_queue(&d, v >> 8 & 3, v >> 16 & 0x1ff); break;
            case 5: out16(&d.r, VD_PORTS + 14, v >> 8 & 3); out32(&d.r, VD_PORTS + 8, v >> 16 & 0x1f); break;
            case 6: out16(&d.r, VD_PORTS + 16, v >> 8 & 3); vd_kick(&d, v >> 10 & 3); break;
            default: rig_run(&d.r, v >> 40); net_send(d.r.platform.nic[0].wire, NET_BACKEND, (u8 *)d.r.map.base, 60);
            }
        vd_set_status(&d, 0);
    }
    ready_net(&d, PLAIN);
    vd_add(&d, 1, (struct vd_piece[]){ { VD_DATA, 12 + 100, false } }, 1);
    far.count = 0;
    for (unsigned i = 0; i < 12; i++)
        vd_poke(&d, VD_DATA + i, 1, 0);
    vd_kick(&d, 1);
    vd_wait(&d);
    CHECK_EQ(far.count, 1);
    stop_net(&d);
}

/* --- reset while packets wait --- */

static bool busy;
static bool is_ready(void *opaque) { return !busy; }

static void test_reset_with_packets(void)
{
    for (unsigned i = 0; i < ARRAY_LEN(layouts); i++) {
        struct vd d;
        struct guard g;
        start_net(&d);
        struct net_wire *w = d.r.platform.nic[0].wire;
        net_attach(w, NET_BACKEND, &(struct net_end){ .ready = is_ready, .receive = take_frame, .opaque = &far });
        busy = true;
        ready_net(&d, layouts[i] | BIT(11) | BIT(0));
        far.count = 0;
        for (unsigned n = 0; n < 15; n++)           /* large ones, to be cut: far more than the wire holds */
            vd_add(&d, 1, (struct vd_piece[]){ { VD_DATA, 10, false }, { VD_DATA + 10, 2 + 60000, false } }, 2);
        u8 header[12 + 54] = { [1] = 1, [4] = 64 /* segments of 64 bytes */, [12 + 12] = 8, [12 + 14] = 0x45, [12 + 23] = 6, [12 + 46] = 0x50 };
        physmap_write(&d.r.map, VD_DATA, header, sizeof header);
        vd_kick(&d, 1);
        rig_run(&d.r, 100000);
        for (unsigned n = 0; n < 20; n++)
            net_send(w, NET_BACKEND, (u8[60]){ 0xff, 0xff, 0xff, 0xff, 0xff, 0xff }, 60);    /* and no buffer for these */
        rig_run(&d.r, 1000);
        vd_set_status(&d, 0);
        guard_take(&g, &d.r.map, VD_RAM);
        unsigned waits = w->lane[NET_BACKEND].frames;
        busy = false;
        net_wake(w, NET_BACKEND);
        rig_run(&d.r, 100000000);
        CHECK(waits > 0);
        CHECK_EQ(far.count, waits);                 /* what was on the wire; the rest of the packet is forgotten */
        CHECK_EQ(guard_changed(&g, &d.r.map, 0, 0), VD_RAM);
        guard_drop(&g);
        stop_net(&d);
    }
}

/* The same of what is late in the other devices: work that was rung for is not done after a reset. */
static void test_reset_with_work(void)
{
    static const struct { enum virtio_model model; unsigned queue; bool writable; } row[] = {
        { VIRTIO_RNG, 0, true }, { VIRTIO_CONSOLE, 1, false }, { VIRTIO_BALLOON, 0, false }, { VIRTIO_KEYBOARD, 1, false } };
    for (unsigned i = 0; i < ARRAY_LEN(row); i++) {
        struct chardev *line = chardev_buffer_new();
        struct vd d;
        struct guard g;
        start_slot(&d, row[i].model, row[i].model == VIRTIO_CONSOLE ? line : NULL, 1);
        CHECK(vd_negotiate(&d, PLAIN));
        for (unsigned n = 0; n < 2; n++)
            vd_queue(&d, n, 8);
        vd_go(&d);
        vd_poke(&d, VD_DATA, 4, 0x111);
        vd_add(&d, row[i].queue, (struct vd_piece[]){ { VD_DATA, 64, row[i].writable } }, 1);
        vd_kick(&d, row[i].queue);
        vd_set_status(&d, 0);
        guard_take(&g, &d.r.map, VD_RAM);
        vd_wait(&d);
        CHECK_EQ(guard_changed(&g, &d.r.map, 0, 0), VD_RAM);
        CHECK_EQ(vd_status(&d), 0);
        CHECK(!vd_pin(&d));
        guard_drop(&g);
        rig_fini(&d.r);
        chardev_close(line);
    }
}

int main(int argc, char **argv)
{
    static const struct check tests[] = {
        { "status_in_any_order", test_status_in_any_order }, { "features_in_any_order", test_features_in_any_order },
        { "queues_before_features", test_queues_before_features }, { "queues_that_change", test_queues_that_change },
        { "registers_in_pieces", test_registers_in_pieces }, { "pieces_that_are_nowhere", test_pieces_that_are_nowhere },
        { "pieces_of_nothing", test_pieces_of_nothing }, { "sums_of_lengths", test_sums_of_lengths },
        { "indices_of_the_device", test_indices_of_the_device }, { "both_interfaces", test_both_interfaces },
        { "reset_with_packets", test_reset_with_packets }, { "reset_with_work", test_reset_with_work }, { NULL, NULL },
    };
    if (make_image())
        return 1;
    int status = check_main(argc, argv, "hostile_virtio", tests);
    unlink(image);
    return status;
}
