/* SPDX-License-Identifier: MIT */
/* Nonsense for each virtio device: rings that change under its eyes, registers in any order, MSI-X tables gone mad. Longer under EMU_SOAK. */
#include "virtio_rigs.h"

#include "devices/input/i8042.h"

enum { FUZZ_STEPS = 60000, VD_MSIX = VD_BAR + 0x10000 };

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

/* The table of MSI-X, its pending bits, and whether it is on: messages go to addresses that make no sense, and wait behind masks. */
static void touch_vectors(struct vd *d, u64 *seed)
{
    enum { AT_MSIX = 0x98 };
    u64 v = check_random(seed);
    if (v % 4 == 0)
        vd_config_put(d, AT_MSIX + 2, 2, v >> 8 & 0xffff);
    else if (v % 4 == 1)
        vd_put(d, v >> 8 & 1 ? 16 : 26, 2, v >> 16 & 31);
    else
        physmap_store(&d->r.map, VD_MSIX + (v >> 8) % 0x900, 1 << (v >> 4) % 3, v >> 20 & 1 ? v >> 32 : 0xfee00000 | v >> 40);
    physmap_load(&d->r.map, VD_MSIX + (v >> 24) % 0x900, 4);
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
    for (u64 i = 0, steps = check_rounds(FUZZ_STEPS); i < steps; i++) {
        u64 v = check_random(seed);
        if (v % 64 == 0)
            begin_again(d, seed);
        (v % 8 < 1 ? spoil_memory : v % 8 < 2 ? touch_register : v % 16 < 3 ? touch_vectors : add_something)(d, seed);
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

static void fuzz_slot(enum virtio_model model)
{
    u64 seed = check_seed();
    struct vd d;
    vd_init(&d);
    struct device *keyboard = rig_add(&d.r, &i8042_ops);
    d.r.platform.virtio[0] = (struct virtio_slot){ .model = model, .flavor.packed = true };
    vd_power_on(&d);
    for (unsigned i = 0; i < 30; i++)
        keyboard_key(keyboard, i, true);
    CHECK(fuzz(&d, &seed) > (model == VIRTIO_BALLOON ? 200 : 20));
    rig_fini(&d.r);
}

static void test_fuzz_balloon(void) { fuzz_slot(VIRTIO_BALLOON); }
static void test_fuzz_keyboard(void) { fuzz_slot(VIRTIO_KEYBOARD); }
static void test_fuzz_tablet(void) { fuzz_slot(VIRTIO_TABLET); }

int main(int argc, char **argv)
{
    static const struct check tests[] = {
        { "fuzz_disk", test_fuzz_disk }, { "fuzz_net", test_fuzz_net }, { "fuzz_console", test_fuzz_console },
        { "fuzz_rng", test_fuzz_rng },
        { "fuzz_balloon", test_fuzz_balloon }, { "fuzz_keyboard", test_fuzz_keyboard }, { "fuzz_tablet", test_fuzz_tablet }, { NULL, NULL },
    };
    if (make_image())
        return 1;
    int status = check_main(argc, argv, "virtio_fuzz", tests);
    unlink(image);
    return status;
}
