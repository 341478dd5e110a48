/* SPDX-License-Identifier: MIT */
/*
 * The whole machine against nonsense: random ports and memory, random sizes, time that steps and jumps, keys, characters,
 * interrupts taken at random. Nothing may crash, hang, or be asked of the machine more often than written.
 */
#include <endian.h>
#include <stdlib.h>
#include <unistd.h>

#include "check.h"
#include "devices/block/block.h"
#include "devices/chipset/fwcfg.h"
#include "devices/display/vga.h"
#include "devices/input/i8042.h"
#include "devices_rig.h"

#define STEPS 200000

struct fuzz {
    struct rig r;
    u64 seed;
    struct device *i8042, *vga;
    struct vga_picture picture;
    struct block *media[3];         /* a disk, a CD, a floppy disk */
    unsigned transfers, modes;      /* of the floppy disk; other than text, that were seen */
};

#define IMAGE_SIZE (1440 << 10)
static char image[] = "/tmp/emu-test-fuzz-XXXXXX";

static u64 rnd(struct fuzz *f) { return check_random(&f->seed); }

static struct device *find(struct rig *r, const struct device_ops *ops)
{
    for (unsigned i = 0; i < r->ndevices; i++)
        if (r->device[i]->ops == ops)
            return r->device[i];
    return NULL;
}

static void start(struct fuzz *f)
{
    struct rig *r = &f->r;
    rig_init(r, 1000000000);
    physmap_add_ram(&r->map, "ram", 0, 1 << 20, &r->err);
    for (int n = 0; n < 4; n++)
        r->platform.serial[n] = chardev_buffer_new();
    for (unsigned i = 0; i < ARRAY_LEN(f->media); i++)
        f->media[i] = block_open(image, i == 1 ? BLOCK_READONLY : BLOCK_SNAPSHOT, &r->err);
    r->platform.ide[0].image = f->media[0];
    r->platform.ide[2].image = f->media[1];
    r->platform.ide[2].is_cd = true;
    r->platform.floppy[0] = f->media[2];
    for (const struct device_ops *const *ops = pc_devices; *ops; ops++)
        rig_add(r, *ops);
    f->i8042 = find(r, &i8042_ops);
    f->vga = find(r, &vga_ops);
    fwcfg_set_file(r->platform.fwcfg, "etc/x", "hello", 5, &r->err);
}

static void finish(struct fuzz *f)
{
    struct chardev *c[4];
    memcpy(c, f->r.platform.serial, sizeof c);
    vga_picture_fini(&f->picture);
    rig_fini(&f->r);
    for (int n = 0; n < 4; n++)
        chardev_close(c[n]);
    for (unsigned i = 0; i < ARRAY_LEN(f->media); i++)
        block_close(f->media[i]);
}

/* Mostly a port that somebody has. */
static u16 some_port(struct fuzz *f)
{
    u64 v = rnd(f);
    if (v % 8 == 0)
        return v >> 8;
    const struct bus_range *range = f->r.bus.port[(v >> 8) % f->r.bus.nport];
    return range->base + (v >> 32) % range->len;
}

static void touch_port(struct fuzz *f)
{
    u16 port = some_port(f);
    u64 v = rnd(f);
    unsigned size = 1 << v % 3;
    if (v & 8)
        bus_io_write(&f->r.bus, port, size, v >> 16 & (size == 4 ? 0xffffffff : BIT(8 * size) - 1));
    else
        CHECK_EQ(bus_io_read(&f->r.bus, port, size) >> (8 * size - 1) >> 1, 0);
}

static void touch_memory(struct fuzz *f)
{
    u64 v = rnd(f);
    gpa_t gpa = v & 1 ? 0xa0000 + (v >> 8) % 0x20010 : (v >> 8) & 0xffffffff;
    if (v & 2)
        physmap_store(&f->r.map, gpa, 1 << (v >> 2 & 3), rnd(f));
    else
        physmap_load(&f->r.map, gpa, 1 << (v >> 2 & 3));
}

static void pass_time(struct fuzz *f)
{
    u64 v = rnd(f);
    clock_advance(&f->r.clock, v % 1000 ? (v >> 16) % 100000 : (v >> 16) % (86400 * f->r.clock.hz));
    clock_run_due(&f->r.clock);
}

static void disturb(struct fuzz *f)
{
    u64 v = rnd(f);
    static char text[8192];
    switch (v % 6) {
    case 0: keyboard_key(f->i8042, v >> 8, v >> 30 & 1); break;
    case 1: mouse_move(f->i8042, (int)(v >> 8), (int)(v >> 24), v >> 60); break;
    case 2: chardev_buffer_feed(f->r.platform.serial[v >> 8 & 3], "typed", 5); break;
    case 3: vga_text(f->vga, text, (v >> 8) % sizeof text); break;
    case 4: vga_picture_update(&f->picture, f->vga, v >> 8 & 1, &(unsigned){ 0 }, &(unsigned){ 0 }); break;
    default: irq_set(&f->r.platform.isa_irq[v >> 8 & 15], v >> 16 & 1); break;
    }
}

/* --- with some sense: what random accesses alone would hardly ever put together --- */

/* A transfer of the floppy disk, by a DMA channel that may be set up for it. */
static void use_floppy(struct fuzz *f)
{
    static const u8 command[] = { 0xe6, 0x46, 0xc5, 0x4d, 0x4a, 0x07, 0x0f, 0x08 }, bytes[] = { 9, 9, 9, 6, 2, 2, 3, 1 };
    u64 v = rnd(f), which = v % 8;
    const u8 dma[][2] = { { 0x0c, 0 }, { 0x0b, v & 0x1000 ? 0x46 : 0x4a }, { 0x04, v >> 16 }, { 0x04, v >> 24 }, { 0x81, v >> 32 & 0x1f },
                          { 0x05, v >> 40 }, { 0x05, v >> 48 & 15 }, { 0x0a, 2 } };
    for (unsigned i = 0; i < ARRAY_LEN(dma); i++)
        out8(&f->r, dma[i][0], dma[i][1]);
    out8(&f->r, 0x3f2, 0x1c);
    out8(&f->r, 0x3f7, v >> 13 & 1);
    out8(&f->r, 0x3f5, command[which]);
    u64 arguments = rnd(f) & 0x0012020101020104;    /* small numbers: some of these sectors are there */
    for (unsigned i = 1; i < bytes[which]; i++)
        out8(&f->r, 0x3f5, i == 5 ? 2 : arguments >> 8 * (i - 1));
    clock_advance(&f->r.clock, 10000000);
    clock_run_due(&f->r.clock);
    f->transfers += in8(&f->r, 0x3f4) == 0xd0 && in8(&f->r, 0x3f5) < 0x40 && bytes[which] == 9;
    for (unsigned i = 0; i < 10; i++)
        in8(&f->r, 0x3f5);
}

/* A register of a PCI function that is there. */
static void use_config(struct fuzz *f)
{
    u64 v = rnd(f);
    out32(&f->r, 0xcf8, 0x80000000 | (v & 3) << 11 | (v >> 2 & 3) << 8 | (v >> 8 & 0xfc));
    if (v & 1 << 20)
        out32(&f->r, 0xcfc, rnd(f));
    else
        in32(&f->r, 0xcfc);
}

static void use_fwcfg(struct fuzz *f)
{
    u64 v = rnd(f);
    u32 gpa = v & 0xffff0, control = (v >> 32 & 0x1f) | (v >> 40 & 0x3f) << 16;
    u32 request[4] = { htobe32(control), htobe32(v >> 50), 0, htobe32(v >> 8 & (v & 1 ? 0xffffffff : 0x1fffff)) };
    physmap_write(&f->r.map, gpa, request, sizeof request);
    out32(&f->r, 0x514, 0);
    out32(&f->r, 0x518, htobe32(gpa));
}

/* Bochs' registers: 1 to 3 width, height and bits, 4 the switch, others where the picture begins. */
static void use_vbe(struct fuzz *f)
{
    static const u16 bits[] = { 4, 8, 15, 16, 24, 32, 7, 0xffff };
    u64 v = rnd(f);
    const u16 values[][2] = { { 4, 0 }, { 1, v & 0xfff }, { 2, v >> 12 & 0xfff }, { 3, bits[v >> 24 & 7] }, { 4, v >> 28 | 1 }, { 6, v >> 32 }, { 8, v >> 48 }, { 9, v >> 40 } };
    for (unsigned i = 0; i < ARRAY_LEN(values); i++) {
        out16(&f->r, 0x1ce, values[i][0]);
        out16(&f->r, 0x1cf, values[i][1]);
    }
    struct vga_look l;
    vga_look(f->vga, &l);
    f->modes += l.kind >= VGA_RGB15;
    if (v % 64 == 0)
        vga_picture_update(&f->picture, f->vga, false, &(unsigned){ 0 }, &(unsigned){ 0 });
}

static void use(struct fuzz *f)
{
    static void (*const uses[])(struct fuzz *f) = { use_floppy, use_config, use_fwcfg, use_vbe };
    uses[rnd(f) % ARRAY_LEN(uses)](f);
}

static void test_nonsense(void)
{
    struct fuzz f = { .seed = check_seed() };
    start(&f);
    for (u64 i = 0, steps = check_rounds(STEPS); i < steps; i++) {
        unsigned what = rnd(&f) % 17;
        (what < 10 ? touch_port : what < 12 ? touch_memory : what < 14 ? pass_time : what < 16 ? disturb : use)(&f);
        if (f.r.platform.intc->pending(f.r.platform.intc) && rnd(&f) & 1)
            f.r.platform.intc->acknowledge(f.r.platform.intc);
        if (i % 10000 == 9999)
            for (unsigned d = 0; d < f.r.ndevices; d++)
                f.r.device[d]->ops->reset(f.r.device[d]);
    }
    FILE *null = fopen("/dev/null", "w");
    for (unsigned d = 0; d < f.r.ndevices; d++)
        if (f.r.device[d]->ops->info)
            f.r.device[d]->ops->info(f.r.device[d], null);
    fclose(null);
    CHECK(f.transfers > 10);
    CHECK(f.modes > 100);
    finish(&f);
}

/* The same input gives the same machine: two of them, step by step, in one process. */
static void test_two_are_equal(void)
{
    struct fuzz a = { .seed = check_seed() }, b = a;
    start(&a);
    start(&b);
    for (unsigned i = 0; i < 20000; i++) {
        u16 port = some_port(&a);
        CHECK_EQ(some_port(&b), port);
        u64 v = rnd(&a);
        CHECK_EQ(rnd(&b), v);
        clock_advance(&a.r.clock, v >> 40);
        clock_advance(&b.r.clock, v >> 40);
        clock_run_due(&a.r.clock);
        clock_run_due(&b.r.clock);
        if (v & 1) {
            out8(&a.r, port, v >> 8);
            out8(&b.r, port, v >> 8);
        } else if (!CHECK_EQ(in8(&a.r, port), in8(&b.r, port))) {
            break;
        }
        if (!CHECK_EQ(a.r.intr, b.r.intr) || !CHECK_EQ(clock_deadline(&a.r.clock), clock_deadline(&b.r.clock)))
            break;
    }
    finish(&a);
    finish(&b);
}

/* A machine that was reset is as one that is new, but for the clock's time, CMOS RAM, and the scratch registers of the serial ports. */
static void test_reset_is_new(void)
{
    static const u16 skip[] = { 0x2ef, 0x2ff, 0x3ef, 0x3ff, 0x70, 0x71 };
    struct fuzz a = { .seed = check_seed() }, b = a;
    start(&a);
    start(&b);
    for (unsigned i = 0; i < 20000; i++)
        touch_port(&a);
    for (unsigned d = 0; d < a.r.ndevices; d++)
        a.r.device[d]->ops->reset(a.r.device[d]);
    physmap_set_a20(&a.r.map, true);
    for (unsigned port = 0; port < 0x1000; port++) {
        bool skipped = false;
        for (unsigned k = 0; k < ARRAY_LEN(skip); k++)
            skipped |= skip[k] == port;
        check_context("port %03x", port);
        if (!skipped)
            CHECK_EQ(in8(&a.r, port), in8(&b.r, port));
    }
    CHECK_EQ(a.r.intr, b.r.intr);
    finish(&a);
    finish(&b);
}

int main(int argc, char **argv)
{
    static const struct check tests[] = {
        { "nonsense", test_nonsense }, { "two_are_equal", test_two_are_equal }, { "reset_is_new", test_reset_is_new }, { NULL, NULL },
    };
    int fd = mkstemp(image);
    if (fd < 0 || ftruncate(fd, IMAGE_SIZE))
        return 1;
    int status = check_main(argc, argv, "devices_fuzz", tests);
    unlink(image);
    return status;
}
