/* SPDX-License-Identifier: MIT */
/* The small virtio devices by a driver of our own: random bytes, console. */
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

int main(int argc, char **argv)
{
    static const struct check tests[] = {
        { "rng", test_rng }, { "console", test_console }, { NULL, NULL },
    };
    if (make_image())
        return 1;
    int status = check_main(argc, argv, "virtio_devices", tests);
    unlink(image);
    return status;
}
