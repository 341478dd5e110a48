/* SPDX-License-Identifier: MIT */
/* The small virtio devices by a driver of our own: random bytes, console, balloon, keyboard, tablet; a disk with several queues. */
#include "devices/input/i8042.h"
#include "virtio_rigs.h"

/* --- random bytes, console --- */

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

/* --- a console with more ports --- */

static void say(struct vd *d, u32 port, u16 event, u16 value)
{
    vd_poke(d, BUFFER + 0x800, 8, (u64)value << 48 | (u64)event << 32 | port);
    CHECK_EQ(vd_exchange(d, 3, &(struct vd_piece){ BUFFER + 0x800, 8, false }, 1), 0);
}

/* The next message of the device, in the next of its places. */
static void hears(struct vd *d, unsigned n, u32 port, u16 event, const char *name)
{
    char text[32] = "";
    check_context("message %u", n);
    CHECK_EQ(vd_used(d, 2, 1), 8 + strlen(name));
    CHECK_EQ(vd_peek(d, BUFFER + 32 * n, 8), (u64)1 << 48 | (u64)event << 32 | port);
    physmap_read(&d->r.map, BUFFER + 32 * n + 8, text, strlen(name));
    CHECK_STR(text, name);
}

static void give_places(struct vd *d, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        vd_add(d, 2, &(struct vd_piece){ BUFFER + 32 * i, 32, true }, 1);
    vd_kick(d, 2);
}

static void start_ports(struct vd *d, struct chardev *first, struct chardev *second)
{
    vd_init(d);
    d->r.platform.virtio[0] = (struct virtio_slot){ .model = VIRTIO_CONSOLE, .line = first, .port = { { second, "org.emu.test" }, { NULL, NULL } }, .nports = 2 };
    vd_power_on(d);
}

static void test_ports(void)
{
    struct chardev *first = chardev_buffer_new(), *second = chardev_buffer_new();
    struct vd d;
    start_ports(&d, first, second);
    CHECK(vd_offered(&d) & BIT(1));
    CHECK_EQ(vd_get(&d, VD_CONFIG + 4, 4), 3);
    CHECK(vd_negotiate(&d, PLAIN | BIT(1)));
    CHECK_EQ(vd_get(&d, 18, 2), 8);
    for (unsigned q = 0; q < 8; q++)
        vd_queue(&d, q, 16);
    vd_go(&d);
    say(&d, 0xffffffff, 0, 1);
    say(&d, 0, 0, 1);                           /* again, before there is a place: told once */
    give_places(&d, 2);
    hears(&d, 0, 0, 1, "");
    hears(&d, 1, 1, 1, "");
    CHECK_EQ(vd_used(&d, 2, 1), -1);            /* no places */
    give_places(&d, 8);
    hears(&d, 0, 2, 1, "");
    for (u32 port = 0; port < 3; port++)
        say(&d, port, 3, 1);
    hears(&d, 1, 0, 4, "");                     /* a console, and somebody is there */
    hears(&d, 2, 0, 6, "");
    hears(&d, 3, 1, 6, "");
    hears(&d, 4, 1, 7, "org.emu.test");
    CHECK_EQ(vd_used(&d, 2, 1), -1);            /* the third has neither name nor line */
    chardev_buffer_feed(second, "to", 2);
    vd_add(&d, 4, &(struct vd_piece){ BUFFER + 0x900, 16, true }, 1);
    vd_kick(&d, 4);
    vd_wait(&d);
    CHECK_EQ(vd_used(&d, 4, 1), -1);            /* nobody has it open */
    say(&d, 1, 6, 1);
    CHECK_EQ(vd_used(&d, 4, 1), 2);
    CHECK_EQ(vd_peek(&d, BUFFER + 0x900, 2), 0x6f74);
    CHECK_EQ(vd_exchange(&d, 5, &(struct vd_piece){ BUFFER + 0x900, 2, false }, 1), 0);
    CHECK_STR(chardev_buffer_text(second, NULL), "to");
    CHECK_STR(chardev_buffer_text(first, NULL), "");
    CHECK_EQ(vd_exchange(&d, 7, &(struct vd_piece){ BUFFER + 0x900, 2, false }, 1), 0);   /* to nobody */
    say(&d, 3, 3, 1);                           /* there is no such port, */
    say(&d, 1, 99, 1);                          /* and no such message */
    CHECK_EQ(vd_exchange(&d, 3, &(struct vd_piece){ BUFFER + 0x800, 5, false }, 1), 0);
    CHECK_EQ(vd_used(&d, 2, 1), -1);
    CHECK_EQ(vd_status(&d), 0xf);
    rig_fini(&d.r);
    chardev_close(first);
    chardev_close(second);
}

/* --- balloon --- */

static void test_balloon(void)
{
    struct vd d;
    u32 page[4] = { (BUFFER >> 12) + 4, 0xfffff /* nowhere */, (BUFFER >> 12) + 5, 0xffffffff };
    start_slot(&d, VIRTIO_BALLOON, NULL, 0);
    CHECK(vd_negotiate(&d, PLAIN));
    vd_queue(&d, 0, 8);
    vd_queue(&d, 1, 8);
    vd_go(&d);
    CHECK_EQ(vd_get(&d, VD_CONFIG, 4), 0);
    CHECK(virtio_set_balloon(d.r.device[1], d.r.platform.ram_size - (8 << 12)));
    CHECK_EQ(vd_get(&d, VD_CONFIG, 4), 8);
    CHECK(vd_pin(&d));
    CHECK_EQ(vd_get(&d, VD_ISR, 1), 2);
    for (unsigned i = 3; i < 7; i++)
        vd_poke(&d, BUFFER + 0x1000 * i, 4, 0x1234);
    physmap_write(&d.r.map, BUFFER, page, sizeof page);
    CHECK_EQ(vd_exchange(&d, 0, &(struct vd_piece){ BUFFER, sizeof page, false }, 1), 0);
    for (unsigned i = 3; i < 7; i++)
        CHECK_EQ(vd_peek(&d, BUFFER + 0x1000 * i, 4), i == 4 || i == 5 ? 0 : 0x1234);
    CHECK_EQ(vd_exchange(&d, 1, &(struct vd_piece){ BUFFER, sizeof page, false }, 1), 0);
    CHECK_EQ(vd_exchange(&d, 0, &(struct vd_piece){ 0x40000000, 1 << 20, false }, 1), 0);
    vd_put(&d, VD_CONFIG + 4, 4, 8);            /* "actual" is the driver's word, */
    CHECK_EQ(vd_get(&d, VD_CONFIG + 4, 4), 8);
    vd_put(&d, VD_CONFIG, 4, 77);               /* num_pages is not */
    CHECK_EQ(vd_get(&d, VD_CONFIG, 4), 8);
    CHECK_EQ(vd_status(&d), 0xf);
    rig_fini(&d.r);
}

static void put_statistic(struct vd *d, unsigned n, u16 tag, u64 value)
{
    vd_poke(d, BUFFER + 10 * n, 2, tag);
    vd_poke(d, BUFFER + 10 * n + 2, 8, value);
}

static bool info_has(struct vd *d, const char *text)
{
    char out[4096] = "";
    FILE *f = fmemopen(out, sizeof out - 1, "w");
    virtio_set_ops.info(d->r.device[1], f);
    fclose(f);
    return strstr(out, text);
}

/* The device keeps the driver's statistics until it wants newer ones. A driver without them has its reports in their place. */
static void test_balloon_statistics(void)
{
    struct vd_piece p = { BUFFER, 30, false };
    struct vd d;
    start_slot(&d, VIRTIO_BALLOON, NULL, 0);
    CHECK(vd_negotiate(&d, PLAIN | BIT(1)));
    for (unsigned q = 0; q < 3; q++)
        vd_queue(&d, q, 8);
    vd_go(&d);
    put_statistic(&d, 0, 4, 777 << 10);         /* free memory, */
    put_statistic(&d, 1, 0x1234, 5);            /* what nobody knows, */
    put_statistic(&d, 2, 2, 99);                /* and major faults */
    CHECK_EQ(vd_exchange(&d, 2, &p, 1), -1);    /* held */
    CHECK(info_has(&d, "free 777 KiB"));
    CHECK(info_has(&d, "major faults 99"));
    CHECK(!info_has(&d, "total"));
    CHECK(virtio_set_balloon(d.r.device[1], 1 << 20));
    CHECK_EQ(vd_used(&d, 2, 1), 0);             /* asked for newer ones */
    put_statistic(&d, 0, 4, 778 << 10);
    CHECK_EQ(vd_exchange(&d, 2, &p, 1), -1);
    CHECK(info_has(&d, "free 778 KiB"));
    CHECK_EQ(vd_exchange(&d, 2, &p, 1), 0);     /* two at once: the first comes back */
    vd_set_status(&d, 0);
    CHECK(!info_has(&d, "free 77"));
    rig_fini(&d.r);
}

static void test_balloon_reports(void)
{
    for (unsigned with = 0; with < 2; with++) { /* statistics */
        unsigned q = with ? 3 : 2;
        struct vd_piece p[2] = { { BUFFER + 0x4000, 0x2000, true }, { BUFFER + 0x8800, 0x100, true } };
        struct vd d;
        check_context("queue %u", q);
        start_slot(&d, VIRTIO_BALLOON, NULL, 0);
        CHECK(vd_negotiate(&d, PLAIN | BIT(5) | (with ? BIT(1) : 0)));
        for (unsigned n = 0; n <= q; n++)
            vd_queue(&d, n, 8);
        vd_go(&d);
        for (unsigned i = 3; i < 10; i++)
            vd_poke(&d, BUFFER + 0x1000 * i, 4, 0x1234);
        vd_poke(&d, BUFFER + 0x8800, 8, ~(u64)0);
        CHECK_EQ(vd_exchange(&d, q, p, 2), 0);
        for (unsigned i = 3; i < 10; i++)
            CHECK_EQ(vd_peek(&d, BUFFER + 0x1000 * i, 4), i == 4 || i == 5 ? 0 : 0x1234);
        CHECK_EQ(vd_peek(&d, BUFFER + 0x8800, 8), 0);
        p[0] = (struct vd_piece){ VD_RAM - 0x1000, 0xfffff000, true };      /* runs out of memory */
        CHECK_EQ(vd_exchange(&d, q, p, 1), 0);
        CHECK_EQ(vd_status(&d), 0xf);
        rig_fini(&d.r);
    }
}

/* --- keyboard and tablet --- */

static struct device *start_input(struct vd *d, enum virtio_model model)
{
    vd_init(d);
    struct device *keyboard = rig_add(&d->r, &i8042_ops);
    d->r.platform.virtio[0] = (struct virtio_slot){ .model = model };
    vd_power_on(d);
    return keyboard;
}

static void ready_input(struct vd *d)
{
    CHECK(vd_negotiate(d, PLAIN));
    vd_queue(d, 0, 16);
    vd_queue(d, 1, 8);
    vd_go(d);
    for (unsigned i = 0; i < 5; i++)
        vd_add(d, 0, &(struct vd_piece){ BUFFER + 8 * i, 8, true }, 1);
    vd_kick(d, 0);
}

static unsigned ask(struct vd *d, u8 select, u8 subselect)
{
    vd_put(d, VD_CONFIG, 1, select);
    vd_put(d, VD_CONFIG + 1, 1, subselect);
    return vd_get(d, VD_CONFIG + 2, 1);
}

static void check_event(struct vd *d, unsigned n, u16 type, u16 code, u32 value)
{
    CHECK_EQ(vd_used(d, 0, 1), 8);
    CHECK_EQ(vd_peek(d, BUFFER + 8 * n, 2), type);
    CHECK_EQ(vd_peek(d, BUFFER + 8 * n + 2, 2), code);
    CHECK_EQ(vd_peek(d, BUFFER + 8 * n + 4, 4), value);
}

static void test_keyboard(void)
{
    struct vd d;
    struct device *k = start_input(&d, VIRTIO_KEYBOARD);
    CHECK_EQ(ask(&d, 1, 0), strlen("emu virtio keyboard"));
    CHECK_EQ(vd_get(&d, VD_CONFIG + 8, 4), 0x20756d65);
    CHECK_EQ(ask(&d, 3, 0), 8);
    CHECK_EQ(ask(&d, 0x11, 1), 16);
    CHECK_EQ(vd_get(&d, VD_CONFIG + 8, 4), 0xfffffffe);
    CHECK_EQ(ask(&d, 0x11, 3), 0);
    CHECK_EQ(ask(&d, 0x12, 0), 0);
    CHECK_EQ(ask(&d, 0xff, 0xff), 0);
    CHECK(keyboard_key(k, 0x1e, true));         /* no driver yet: PS/2's */
    CHECK_EQ(in8(&d.r, 0x60), 0x1e);
    ready_input(&d);
    keyboard_key(k, 0x1e, true);
    keyboard_key(k, 0xe048, true);
    check_event(&d, 0, 1, 30, 1);
    check_event(&d, 1, 0, 0, 0);
    check_event(&d, 2, 1, 103, 1);
    check_event(&d, 3, 0, 0, 0);
    keyboard_key(k, 0x1e, false);               /* one buffer is left; the rest waits */
    check_event(&d, 4, 1, 30, 0);
    CHECK_EQ(vd_used(&d, 0, 1), -1);
    vd_add(&d, 0, &(struct vd_piece){ BUFFER, 8, true }, 1);
    vd_kick(&d, 0);
    check_event(&d, 0, 0, 0, 0);
    for (unsigned i = 0; i < 1000; i++)         /* more than anybody keeps */
        CHECK(keyboard_key(k, 0x1e, i % 2));
    CHECK_EQ(vd_exchange(&d, 1, &(struct vd_piece){ BUFFER, 8, false }, 1), 0);
    rig_fini(&d.r);
}

static void test_tablet(void)
{
    struct vd d;
    struct device *k = start_input(&d, VIRTIO_TABLET);
    CHECK_EQ(ask(&d, 0x12, 1), 20);
    CHECK_EQ(vd_get(&d, VD_CONFIG + 12, 4), 32767);
    CHECK_EQ(ask(&d, 0x12, 2), 0);
    CHECK_EQ(ask(&d, 0x11, 3), 1);
    CHECK_EQ(ask(&d, 0x11, 1), 0x110 / 8 + 1);
    ready_input(&d);
    mouse_move(k, 10, -10000, 1);
    check_event(&d, 0, 3, 0, 16383 + 320);
    check_event(&d, 1, 3, 1, 0);
    check_event(&d, 2, 1, 0x110, 1);
    check_event(&d, 3, 0, 0, 0);
    vd_add(&d, 0, &(struct vd_piece){ BUFFER, 8, true }, 1);
    mouse_move(k, 0x08000000, 0, 1);            /* farther than any number of the tablet's units */
    check_event(&d, 4, 3, 0, 32767);
    CHECK(keyboard_key(k, 0x1e, true));         /* keys are not a tablet's */
    CHECK_EQ(in8(&d.r, 0x60), 0x1e);
    rig_fini(&d.r);
}

/* --- a disk with several queues --- */

static void test_queues(void)
{
    struct vd d;
    vd_init(&d);
    d.r.platform.virtio[0] = (struct virtio_slot){ .model = VIRTIO_BLK, .image = block_open(image, BLOCK_SNAPSHOT, &d.r.err), .queues = 4 };
    vd_power_on(&d);
    CHECK(vd_offered(&d) & BIT(12));
    CHECK_EQ(vd_get(&d, VD_CONFIG + 34, 2), 4);
    CHECK(vd_negotiate(&d, PLAIN | BIT(12)));
    CHECK_EQ(vd_get(&d, 18, 2), 4);
    for (unsigned q = 0; q < 4; q++)
        vd_queue(&d, q, 8);
    vd_go(&d);
    for (unsigned n = 0; n < 32; n++) {
        gpa_t header = HEADER + 32 * (n % 4);
        struct vd_piece p[3] = { { header, 16, false }, { BUFFER, 512, n >= 16 }, { ANSWER, 1, true } };
        vd_poke(&d, header, 8, n < 16);
        vd_poke(&d, header + 8, 8, n % 16);
        vd_poke(&d, BUFFER, 8, n < 16 ? 0x777 * n : 0);
        CHECK_EQ(vd_exchange(&d, n < 16 ? n % 4 : 3 - n % 4, p, 3), n < 16 ? 1 : 513);
        CHECK(n < 16 || vd_peek(&d, BUFFER, 8) == 0x777 * (n % 16));
    }
    stop_disk(&d);
}

int main(int argc, char **argv)
{
    static const struct check tests[] = {
        { "rng", test_rng }, { "console", test_console }, { "ports", test_ports }, { "balloon", test_balloon }, { "balloon_statistics", test_balloon_statistics }, { "balloon_reports", test_balloon_reports },
        { "keyboard", test_keyboard },
        { "tablet", test_tablet }, { "queues", test_queues }, { NULL, NULL },
    };
    if (make_image())
        return 1;
    int status = check_main(argc, argv, "virtio_devices", tests);
    unlink(image);
    return status;
}
