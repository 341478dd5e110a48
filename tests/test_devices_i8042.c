/* SPDX-License-Identifier: MIT */
/* Keyboard controller, keyboard and mouse, as firmware and kernels talk to them. */
#include <stdlib.h>

#include "check.h"
#include "devices/input/i8042.h"
#include "devices/input/ps2.h"
#include "devices_rig.h"

enum { OBF = 0x01, AUX = 0x20 };

static struct device *start(struct rig *r)
{
    rig_init(r, 1000);
    return rig_add(r, &i8042_ops);
}

static u8 status(struct rig *r) { return in8(r, 0x64); }
static u8 data(struct rig *r) { return in8(r, 0x60); }
static void command(struct rig *r, u8 c) { out8(r, 0x64, c); }
static void command_data(struct rig *r, u8 c, u8 v)
{
    out8(r, 0x64, c);
    out8(r, 0x60, v);
}

/* What waits at port 60h, all of it, as hex. */
static const char *drain(struct rig *r)
{
    static char text[1024];
    size_t len = 0;
    text[0] = 0;
    while (status(r) & OBF && len < sizeof text - 8)
        len += sprintf(text + len, "%s%02x", len ? " " : "", data(r));
    return text;
}

static void test_controller(void)
{
    static const struct { u8 command; const char *answer; } row[] = {
        { 0xaa, "55" }, { 0xab, "00" }, { 0xa9, "00" }, { 0xa4, "f1" }, { 0xc0, "b0" }, { 0xe0, "00" }, { 0x20, "65" }, { 0xd0, "c3" },
        { 0xff, "" }, { 0x00, "" },
    };
    for (unsigned i = 0; i < ARRAY_LEN(row); i++) {
        struct rig r;
        start(&r);
        check_context("command %02x", row[i].command);
        command(&r, row[i].command);
        CHECK_EQ(status(&r) & 0x08, 0x08);
        CHECK_STR(drain(&r), row[i].answer);
        rig_fini(&r);
    }
}

static void test_command_byte(void)
{
    struct rig r;
    start(&r);
    command_data(&r, 0x60, 0x47);
    command(&r, 0x20);
    CHECK_EQ(data(&r), 0x47);
    command(&r, 0xad);
    command(&r, 0xa7);
    command(&r, 0x20);
    CHECK_EQ(data(&r), 0x77);
    command(&r, 0xae);
    command(&r, 0xa8);
    command(&r, 0x20);
    CHECK_EQ(data(&r), 0x47);
    command_data(&r, 0x7f, 0x12);       /* the last byte of the controller's RAM */
    command(&r, 0x3f);
    CHECK_EQ(data(&r), 0x12);
    rig_fini(&r);
}

static void test_keyboard_commands(void)
{
    static const struct { const char *what; u8 bytes[2], n; const char *answer; } row[] = {
        { "reset", { 0xff }, 1, "fa aa" }, { "identify", { 0xf2 }, 1, "fa ab 83" }, { "echo", { 0xee }, 1, "ee" },
        { "enable", { 0xf4 }, 1, "fa" }, { "disable", { 0xf5 }, 1, "fa" }, { "defaults", { 0xf6 }, 1, "fa" },
        { "LEDs", { 0xed, 0x05 }, 2, "fa fa" }, { "rate", { 0xf3, 0x20 }, 2, "fa fa" }, { "which set", { 0xf0, 0x00 }, 2, "fa fa 02" },
        { "set 3", { 0xf0, 0x03 }, 2, "fa fe" }, { "unknown", { 0xe1 }, 1, "fe" }, { "all keys", { 0xf8 }, 1, "fa" },
        { "resend", { 0xee, 0xfe }, 2, "ee ee" }, { "a command for an argument", { 0xed, 0xf2 }, 2, "fa fa ab 83" },
    };
    for (unsigned i = 0; i < ARRAY_LEN(row); i++) {
        struct rig r;
        struct device *d = start(&r);
        check_context("%s", row[i].what);
        command_data(&r, 0x60, 0x05);   /* no translation */
        for (unsigned k = 0; k < row[i].n; k++)
            out8(&r, 0x60, row[i].bytes[k]);
        CHECK_STR(drain(&r), row[i].answer);
        CHECK_EQ(keyboard_leds(d), row[i].bytes[0] == 0xed && row[i].bytes[1] == 5 ? 5 : 0);
        rig_fini(&r);
    }
}

static void test_keys(void)
{
    static const struct { u16 key; bool down; const char *set1, *set2; } row[] = {
        { 0x1e, true, "1e", "1c" }, { 0x1e, false, "9e", "f0 1c" }, { 0xe048, true, "e0 48", "e0 75" },
        { 0xe048, false, "e0 c8", "e0 f0 75" }, { 0x01, true, "01", "76" }, { 0x41, true, "41", "83" }, { 0x58, false, "d8", "f0 07" },
        { 0xe11d, true, "e1 1d 45 e1 9d c5", "e1 14 77 e1 f0 14 f0 77" }, { 0xe11d, false, "", "" },
    };
    for (unsigned i = 0; i < ARRAY_LEN(row); i++) {
        struct rig r;
        struct device *d = start(&r);
        check_context("key %x %s", row[i].key, row[i].down ? "down" : "up");
        CHECK(keyboard_key(d, row[i].key, row[i].down));
        CHECK_STR(drain(&r), row[i].set1);
        command_data(&r, 0x60, 0x05);
        keyboard_key(d, row[i].key, row[i].down);
        CHECK_STR(drain(&r), row[i].set2);
        out8(&r, 0x60, 0xf0);           /* the keyboard itself in set 1 */
        out8(&r, 0x60, 0x01);
        CHECK_STR(drain(&r), "fa fa");
        keyboard_key(d, row[i].key, row[i].down);
        CHECK_STR(drain(&r), row[i].set1);
        rig_fini(&r);
    }
}

/* Every key of set 1 comes through both translations as itself. */
static void test_translation(void)
{
    for (u8 code = 1; code <= 0x58; code++) {
        check_context("code %02x", code);
        CHECK_EQ(scancode_2_to_1(scancode_1_to_2(code)), code);
    }
    CHECK_EQ(scancode_2_to_1(0xab), 0xab);
}

static void test_interrupts(void)
{
    struct rig r;
    struct device *d = start(&r);
    keyboard_key(d, 0x1e, true);
    keyboard_key(d, 0x1e, false);
    CHECK_EQ(r.rises[1], 1);
    CHECK_EQ(data(&r), 0x1e);
    CHECK_EQ(r.rises[1], 2);            /* an edge for each byte */
    CHECK_EQ(data(&r), 0x9e);
    CHECK(!r.level[1]);
    CHECK_EQ(data(&r), 0x9e);           /* an empty buffer shows the last byte */
    command_data(&r, 0x60, 0x44);       /* IRQ 1 off */
    keyboard_key(d, 0x1e, true);
    CHECK(!r.level[1]);
    CHECK_EQ(status(&r) & OBF, OBF);
    data(&r);
    command(&r, 0xad);                  /* keyboard off: keys wait */
    keyboard_key(d, 0x1f, true);
    CHECK_EQ(status(&r) & OBF, 0);
    command(&r, 0xae);
    CHECK_EQ(data(&r), 0x1f);
    out8(&r, 0x60, 0xf5);               /* scanning off: keys are lost */
    CHECK_STR(drain(&r), "fa");
    keyboard_key(d, 0x1f, true);
    CHECK_STR(drain(&r), "");
    rig_fini(&r);
}

static void test_typing(void)
{
    struct rig r;
    struct device *d = start(&r);
    CHECK_EQ(keyboard_type(d, "aB*\n\x80 "), 6);
    CHECK_STR(drain(&r), "1e 9e 2a 30 b0 aa 2a 09 89 aa 1c 9c 39 b9");
    char text[200];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = 0;
    size_t done = keyboard_type(d, text);
    CHECK(done > 20 && done < sizeof text - 1);
    for (size_t i = 0; i < done; i++) {
        CHECK_EQ(data(&r), 0x2d);
        CHECK_EQ(data(&r), 0xad);
    }
    CHECK_EQ(status(&r) & OBF, 0);
    unsigned lost = 0;
    for (int i = 0; i < 1000; i++)
        lost += !keyboard_key(d, 0x2d, true);
    CHECK(lost > 0);                    /* a full buffer says so */
    rig_fini(&r);
}

static void test_reset_and_a20(void)
{
    struct rig r;
    start(&r);
    command_data(&r, 0xd1, 0xdd);
    CHECK_EQ(r.map.a20_mask, ~BIT(20));
    command(&r, 0xd0);
    CHECK_EQ(data(&r), 0xc1);
    command_data(&r, 0xd1, 0xdf);
    CHECK_EQ(r.map.a20_mask, ~(u64)0);
    command(&r, 0xdd);
    CHECK_EQ(r.map.a20_mask, ~BIT(20));
    command(&r, 0xdf);
    CHECK_EQ(r.map.a20_mask, ~(u64)0);
    CHECK_EQ(r.requests[REQUEST_RESET], 0);
    command(&r, 0xff);                  /* pulses nothing: how drivers flush A20 */
    CHECK_EQ(r.requests[REQUEST_RESET], 0);
    command(&r, 0xfe);
    CHECK_EQ(r.requests[REQUEST_RESET], 1);
    command_data(&r, 0xd1, 0xde);
    CHECK_EQ(r.requests[REQUEST_RESET], 2);
    rig_fini(&r);
}

static void mouse(struct rig *r, u8 byte) { command_data(r, 0xd4, byte); }

static void test_mouse(void)
{
    struct rig r;
    struct device *d = start(&r);
    command_data(&r, 0x60, 0x47);
    command(&r, 0xa8);
    mouse(&r, 0xff);
    CHECK_EQ(status(&r) & (OBF | AUX), OBF | AUX);
    CHECK(r.level[12] && !r.level[1]);
    CHECK_STR(drain(&r), "fa aa 00");
    mouse(&r, 0xf2);
    CHECK_STR(drain(&r), "fa 00");
    mouse_move(d, 5, 5, 0);
    CHECK_STR(drain(&r), "");           /* not reporting yet */
    mouse(&r, 0xf6);
    mouse(&r, 0xf4);
    drain(&r);
    mouse_move(d, 5, 3, 1);             /* right 5, down 3, left button */
    CHECK_STR(drain(&r), "29 05 fd");
    mouse_move(d, -300, 0, 0);          /* farther than a packet: two */
    CHECK_STR(drain(&r), "18 01 00 18 d3 00");
    mouse(&r, 0xe8);
    mouse(&r, 0x03);
    mouse(&r, 0xf3);
    mouse(&r, 60);
    drain(&r);
    mouse(&r, 0xe9);
    CHECK_STR(drain(&r), "fa 20 03 3c");
    mouse(&r, 0xf0);                    /* remote: only when asked */
    drain(&r);
    mouse_move(d, 1, -1, 2);
    CHECK_STR(drain(&r), "");
    mouse(&r, 0xeb);
    CHECK_STR(drain(&r), "fa 0a 01 01");
    mouse(&r, 0xee);
    mouse(&r, 0x55);
    CHECK_STR(drain(&r), "fa 55");      /* wrap mode echoes */
    mouse(&r, 0xec);
    mouse(&r, 0x01);
    CHECK_STR(drain(&r), "fa fe");
    command_data(&r, 0xd3, 0x77);       /* as if the mouse had sent it: how kernels look for the port */
    CHECK_EQ(status(&r) & AUX, AUX);
    CHECK_STR(drain(&r), "77");
    command_data(&r, 0xd2, 0x66);
    CHECK_EQ(status(&r) & AUX, 0);
    CHECK_STR(drain(&r), "66");
    rig_fini(&r);
}

static void test_reset(void)
{
    struct rig r;
    struct device *d = start(&r);
    keyboard_type(d, "hello");
    command_data(&r, 0x60, 0x00);
    d->ops->reset(d);
    CHECK_STR(drain(&r), "");
    CHECK(!r.level[1]);
    command(&r, 0x20);
    CHECK_EQ(data(&r), 0x65);
    rig_fini(&r);
}

int main(int argc, char **argv)
{
    static const struct check tests[] = {
        { "controller", test_controller }, { "command_byte", test_command_byte }, { "keyboard_commands", test_keyboard_commands },
        { "keys", test_keys }, { "translation", test_translation }, { "interrupts", test_interrupts }, { "typing", test_typing },
        { "reset_and_a20", test_reset_and_a20 }, { "mouse", test_mouse }, { "reset", test_reset }, { NULL, NULL },
    };
    return check_main(argc, argv, "devices_i8042", tests);
}
