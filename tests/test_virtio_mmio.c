/* SPDX-License-Identifier: MIT */
/* Virtio over MMIO: the table of registers, who may write what when, the interrupt as a level, the same disk as over PCI, and nonsense. */
#include "virtio_rigs.h"

enum { MAGIC = 0x74726976, READY = VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER | VIRTIO_FEATURES_OK | VIRTIO_DRIVER_OK };

static void start(struct vd *d, unsigned devices)
{
    vd_init(d);
    for (unsigned i = 0; i < devices; i++)
        d->r.platform.virtio[i] = (struct virtio_slot){ .model = i ? VIRTIO_RNG : VIRTIO_BLK, .flavor = { .packed = true, .mmio = true }, .serial = "number 1",
                                                        .image = i ? NULL : block_open(image, BLOCK_SNAPSHOT, &d->r.err) };
    vd_power_on_mmio(d);
}

static u8 flush(struct vd *d)
{
    struct vd_piece p[2] = { { HEADER, 16, false }, { ANSWER, 1, true } };
    vd_poke(d, HEADER, 8, 4);
    vd_poke(d, ANSWER, 1, 0xee);
    vd_exchange(d, 0, p, 2);
    return vd_peek(d, ANSWER, 1);
}

/* --- registers --- */

/* 4.2.2: what each reads after power-on. What is not listed reads as zero, but for the features. */
static const struct { u16 at; u32 reads; } registers[] = {
    { 0x00, MAGIC }, { 0x04, 2 }, { 0x08, VIRTIO_ID_BLOCK }, { 0x0c, 0x1af4 }, { 0x34, 256 },
    { 0xb0, ~0u }, { 0xb4, ~0u }, { 0xb8, ~0u }, { 0xbc, ~0u },
};

static u32 expected(unsigned at)
{
    for (unsigned i = 0; i < ARRAY_LEN(registers); i++)
        if (registers[i].at == at)
            return registers[i].reads;
    return 0;
}

static void test_registers(void)
{
    struct vd d;
    start(&d, 1);
    u32 offered = vd_offered(&d);
    vd_put(&d, d.at->offer_select, 4, 0);
    for (unsigned at = 0; at < VD_MMIO_CONFIG; at += 4) {
        check_context("register %x", at);
        CHECK_EQ(vd_get(&d, at, 4), at == d.at->offer ? offered : expected(at));
    }
    for (unsigned i = 0; i < 4; i++)
        CHECK_EQ(vd_get(&d, i, 1), (MAGIC >> 8 * i) & 0xff);
    CHECK_EQ(vd_get(&d, VD_MMIO_CONFIG, 4), DISK / 512);
    CHECK_EQ(vd_get(&d, VD_MMIO_CONFIG + 1, 1), DISK / 512 >> 8 & 0xff);
    vd_put(&d, VD_MMIO_CONFIG, 4, 1);               /* not writable */
    CHECK_EQ(vd_get(&d, VD_MMIO_CONFIG, 4), DISK / 512);
    CHECK_EQ(vd_get(&d, 0x1fc, 4), 0);
    CHECK_EQ(vd_get(&d, 0x200, 4), ~0u);            /* behind it is nothing */
    vd_put(&d, d.at->select, 4, 1);
    CHECK_EQ(vd_get(&d, 0x34, 4), 0);               /* there is one queue */
    vd_put(&d, d.at->offer_select, 4, 2);
    CHECK_EQ(vd_get(&d, d.at->offer, 4), 0);
    vd_put(&d, d.at->status, 2, 1);                 /* half a register */
    CHECK_EQ(vd_status(&d), 0);
    stop_disk(&d);
}

static void test_negotiation(void)
{
    struct vd d;
    start(&d, 1);
    CHECK(vd_offered(&d) & VIRTIO_F_VERSION_1);
    CHECK(!vd_negotiate(&d, 0));                    /* VERSION_1 must be among them */
    CHECK(!vd_negotiate(&d, PLAIN | BIT(60)));
    vd_set_status(&d, READY);                       /* refused without FEATURES_OK */
    CHECK_EQ(vd_status(&d) & VIRTIO_DRIVER_OK, 0);
    CHECK(vd_negotiate(&d, PLAIN));
    vd_queue(&d, 0, 8);
    CHECK_EQ(vd_get(&d, d.at->enable, 4), 1);
    vd_put(&d, d.at->enable, 4, 0);                 /* taken away, and given again */
    CHECK_EQ(vd_get(&d, d.at->enable, 4), 0);
    vd_queue(&d, 0, 8);
    vd_go(&d);
    CHECK_EQ(flush(&d), 0);
    vd_put(&d, d.at->enable, 4, 0);
    vd_kick(&d, 0);
    vd_wait(&d);
    CHECK_EQ(vd_status(&d), READY);                 /* a bell of a queue that is not there: nothing */
    vd_set_status(&d, 0);
    CHECK_EQ(vd_get(&d, d.at->enable, 4), 0);
    CHECK_EQ(vd_status(&d), 0);
    stop_disk(&d);
}

/* Queues of a size or at a place that cannot be break the device; a reset mends it. */
static void test_bad_queues(void)
{
    static const struct { u32 size; u64 desc; } bad[] = { { 0, 0x1000 }, { 3, 0x1000 }, { 512, 0x1000 }, { 65536 + 8, 0x1000 }, { ~0u, 0x1000 }, { 8, 0x1001 } };
    struct vd d;
    start(&d, 1);
    for (unsigned i = 0; i < ARRAY_LEN(bad); i++) {
        check_context("size %u at %llx", bad[i].size, (unsigned long long)bad[i].desc);
        CHECK(vd_negotiate(&d, PLAIN));
        vd_put(&d, d.at->select, 4, 0);
        vd_put(&d, d.at->size, 4, bad[i].size);
        vd_put64(&d, d.at->desc, bad[i].desc);
        vd_put(&d, d.at->enable, 4, 1);
        CHECK_EQ(vd_get(&d, d.at->enable, 4), 0);
        CHECK(vd_status(&d) & VIRTIO_NEEDS_RESET);
    }
    ready_disk(&d, PLAIN, 8);
    CHECK_EQ(flush(&d), 0);
    stop_disk(&d);
}

/* --- interrupts --- */

static void test_level(void)
{
    struct vd d;
    start(&d, 1);
    ready_disk(&d, PLAIN, 8);
    CHECK(!d.r.level[VD_MMIO_IRQ]);
    CHECK_EQ(flush(&d), 0);
    CHECK(d.r.level[VD_MMIO_IRQ]);
    CHECK_EQ(vd_get(&d, VD_MMIO_STATUS, 4), 1);
    CHECK(d.r.level[VD_MMIO_IRQ]);                  /* reading is not acknowledging, as over PCI */
    vd_put(&d, VD_MMIO_ACK, 4, 2);
    CHECK(d.r.level[VD_MMIO_IRQ]);                  /* nor is acknowledging something else */
    vd_put(&d, VD_MMIO_ACK, 4, 1);
    CHECK(!d.r.level[VD_MMIO_IRQ]);
    CHECK_EQ(vd_get(&d, VD_MMIO_STATUS, 4), 0);
    CHECK_EQ(flush(&d), 0);
    vd_set_status(&d, 0);
    CHECK(!d.r.level[VD_MMIO_IRQ]);                 /* a reset takes it away */
    stop_disk(&d);
}

/* Three lines for four devices: the first and the last share one, which stays up until both are content. */
static void test_shared_line(void)
{
    static const u8 irq[] = { 5, 7, 3, 5 };
    struct vd_registers last = vd_mmio;
    struct vd d;
    last.base += 3 * PAGE_SIZE;
    start(&d, 4);
    CHECK_EQ(d.r.platform.nvirtio_mmio, 4);
    for (unsigned i = 0; i < 4; i++)
        CHECK_EQ(d.r.platform.virtio_mmio[i].irq, irq[i]);
    ready_disk(&d, PLAIN, 8);
    CHECK_EQ(flush(&d), 0);
    d.at = &last;
    CHECK_EQ(vd_get(&d, 8, 4), VIRTIO_ID_RNG);
    ready_disk(&d, PLAIN, 8);
    CHECK_EQ(vd_exchange(&d, 0, &(struct vd_piece){ BUFFER, 64, true }, 1), 64);
    vd_put(&d, VD_MMIO_ACK, 4, 1);
    CHECK(d.r.level[5]);
    d.at = &vd_mmio;
    vd_put(&d, VD_MMIO_ACK, 4, 1);
    CHECK(!d.r.level[5]);
    stop_disk(&d);
}

/* Lines of a printer port and of COM2 are theirs. */
static void test_taken_lines(void)
{
    struct chardev other = { 0 };
    struct vd d;
    vd_init(&d);
    d.r.platform.parallel = d.r.platform.serial[1] = &other;
    for (unsigned i = 0; i < 3; i++)
        d.r.platform.virtio[i] = (struct virtio_slot){ .model = VIRTIO_RNG, .flavor.mmio = true };
    vd_power_on_mmio(&d);
    for (unsigned i = 0; i < 3; i++)
        CHECK_EQ(d.r.platform.virtio_mmio[i].irq, 5);
    rig_fini(&d.r);
}

/* --- the same disk --- */

static void test_disk(void)
{
    struct vd_piece p[3] = { { HEADER, 16, false }, { BUFFER, 512, false }, { ANSWER, 1, true } };
    struct vd d;
    start(&d, 1);
    for (unsigned i = 0; i < ARRAY_LEN(layouts); i++) {
        ready_disk(&d, layouts[i], 8);
        for (unsigned n = 0; n < 40; n++) {
            for (int write = 1; write >= 0; write--) {
                p[1].write = !write;
                vd_poke(&d, HEADER, 8, write);
                vd_poke(&d, HEADER + 8, 8, n);
                vd_poke(&d, BUFFER, 8, write ? 0x1111 * (n + 1) + i : 0);
                CHECK_EQ(vd_exchange(&d, 0, p, 3), write ? 1 : 513);
                CHECK_EQ(vd_peek(&d, ANSWER, 1), 0);
                vd_put(&d, VD_MMIO_ACK, 4, 1);
            }
            CHECK_EQ(vd_peek(&d, BUFFER, 8), 0x1111 * (n + 1) + i);
        }
    }
    stop_disk(&d);
}

/* --- nonsense --- */

/* Any access of any size in any order: the device may break, and a reset mends it. */
static void test_nonsense(void)
{
    u64 state = 0x2545f4914f6cdd1d;
    struct vd d;
    start(&d, 2);
    for (u64 i = 0, rounds = check_rounds(200000); i < rounds; i++) {
        state = state * 6364136223846793005 + 1442695040888963407;
        unsigned at = state >> 33 & 0x1ff, size = 1 << (state >> 42 & 1) * 2;
        u32 value = state >> 44 & 1 ? state >> 45 & 0xff : state >> 24;
        if (state >> 63)
            vd_put(&d, size == 4 ? at & ~3 : at, size, value);
        else
            vd_get(&d, at, size);
        if (i % 64 == 0)
            rig_run(&d.r, 20000);
    }
    ready_disk(&d, PLAIN, 8);
    CHECK_EQ(flush(&d), 0);
    stop_disk(&d);
}

int main(int argc, char **argv)
{
    static const struct check tests[] = {
        { "registers", test_registers }, { "negotiation", test_negotiation }, { "bad_queues", test_bad_queues }, { "level", test_level },
        { "shared_line", test_shared_line }, { "taken_lines", test_taken_lines }, { "disk", test_disk }, { "nonsense", test_nonsense }, { NULL, NULL },
    };
    if (make_image())
        return 1;
    int status = check_main(argc, argv, "virtio_mmio", tests);
    unlink(image);
    return status;
}
