/* SPDX-License-Identifier: MIT */
/*
 * The keyboard controller: an 8042 with IBM's program in it (IBM PC/AT Technical Reference, Keyboard Controller;
 * PS/2 Hardware Interface Technical Reference for the auxiliary port). One output buffer is fed from three sources:
 * the controller's own answers, the keyboard, the mouse. It also holds the processor's reset line and the A20 gate.
 */
#include "devices/input/i8042.h"

#include <stdlib.h>

#include "devices/input/ps2.h"

enum { STATUS_OBF = 0x01, STATUS_SYSTEM = 0x04, STATUS_COMMAND = 0x08, STATUS_UNLOCKED = 0x10, STATUS_AUX = 0x20 };
enum { MODE_IRQ1 = 0x01, MODE_IRQ12 = 0x02, MODE_SYSTEM = 0x04, MODE_KBD_OFF = 0x10, MODE_AUX_OFF = 0x20,
       MODE_TRANSLATE = 0x40 };
enum { OUT_NO_RESET = 0x01, OUT_A20 = 0x02, OUT_IRQ1 = 0x10, OUT_IRQ12 = 0x20, OUT_LINES = 0xc0 };

enum source { FROM_CONTROLLER, FROM_KEYBOARD, FROM_MOUSE };

struct i8042 {
    struct device dev;
    struct platform to;
    u8 ram[32];                 /* ram[0] is the command byte, its bits MODE_* */
    u8 out;                     /* the output buffer */
    bool full;                  /* OBF */
    enum source out_source;
    u8 command;                 /* a command that waits for its data byte at port 60h, 0: none */
    bool last_was_command;      /* for the status register */
    bool breaking;              /* translation has seen F0h: the next code is a release */
    struct ps2_queue answers, aux_answers;  /* the controller's own, and what it gives out as the mouse's (D3h) */
    struct ps2_keyboard keyboard;
    struct ps2_mouse mouse;
    struct key_taker *takers;   /* others that want keys and movements */
};

static u8 mode(const struct i8042 *c) { return c->ram[0]; }

/* The output buffer */

static void set_wires(struct i8042 *c)
{
    bool aux = c->out_source == FROM_MOUSE;
    irq_set(&c->to.isa_irq[1], c->full && !aux && mode(c) & MODE_IRQ1);
    irq_set(&c->to.isa_irq[12], c->full && aux && mode(c) & MODE_IRQ12);
}

static void fill(struct i8042 *c, u8 byte, enum source source)
{
    c->out = byte;
    c->out_source = source;
    c->full = true;
}

/* Next byte of the keyboard as the guest shall see it; -1: none. Translated, F0h xx becomes one byte. */
static int next_key_byte(struct i8042 *c)
{
    int byte;
    while ((byte = ps2_get(&c->keyboard.out)) >= 0) {
        if (!(mode(c) & MODE_TRANSLATE))
            return byte;
        if (byte == 0xf0) {
            c->breaking = true;
            continue;
        }
        u8 code = scancode_2_to_1(byte) | (c->breaking ? 0x80 : 0);
        c->breaking = false;
        return code;
    }
    return -1;
}

/* Give the guest the next byte, if it has taken the last one. */
static void refill(struct i8042 *c)
{
    int byte;
    if (!c->full) {
        if ((byte = ps2_get(&c->answers)) >= 0)
            fill(c, byte, FROM_CONTROLLER);
        else if ((byte = ps2_get(&c->aux_answers)) >= 0)
            fill(c, byte, FROM_MOUSE);
        else if (!(mode(c) & MODE_KBD_OFF) && (byte = next_key_byte(c)) >= 0)
            fill(c, byte, FROM_KEYBOARD);
        else if (!(mode(c) & MODE_AUX_OFF) && (byte = ps2_get(&c->mouse.out)) >= 0)
            fill(c, byte, FROM_MOUSE);
    }
    set_wires(c);
}

static void answer(struct i8042 *c, u8 byte)
{
    ps2_put1(&c->answers, byte);
}

/* The output port */

static u8 output_port(const struct i8042 *c)
{
    bool aux = c->out_source == FROM_MOUSE, a20 = c->to.map->a20_mask & BIT(20);
    u8 irq = !c->full ? 0 : aux ? OUT_IRQ12 : OUT_IRQ1;
    return OUT_NO_RESET | OUT_LINES | (a20 ? OUT_A20 : 0) | irq;
}

static void set_a20(struct i8042 *c, bool on) { platform_ask(&c->to, REQUEST_A20, on); }
static void pulse_reset(struct i8042 *c) { platform_ask(&c->to, REQUEST_RESET, 0); }

static void write_output_port(struct i8042 *c, u8 value)
{
    set_a20(c, value & OUT_A20);
    if (!(value & OUT_NO_RESET))
        pulse_reset(c);
}

/* Commands at port 64h */

static void read_ram(struct i8042 *c, u8 command) { answer(c, c->ram[command & 31]); }
static void await_data(struct i8042 *c, u8 command) { c->command = command; }
static void no_password(struct i8042 *c, u8 command) { answer(c, 0xf1); }
static void aux_off(struct i8042 *c, u8 command) { c->ram[0] |= MODE_AUX_OFF; }
static void aux_on(struct i8042 *c, u8 command) { c->ram[0] &= ~MODE_AUX_OFF; }
static void kbd_off(struct i8042 *c, u8 command) { c->ram[0] |= MODE_KBD_OFF; }
static void kbd_on(struct i8042 *c, u8 command) { c->ram[0] &= ~MODE_KBD_OFF; }
static void test_line(struct i8042 *c, u8 command) { answer(c, 0x00); }
static void read_input_port(struct i8042 *c, u8 command) { answer(c, 0xb0); }   /* unlocked, colour, RAM on */
static void read_output_port(struct i8042 *c, u8 command) { answer(c, output_port(c)); }
static void read_test_inputs(struct i8042 *c, u8 command) { answer(c, 0x00); }
static void a20_off(struct i8042 *c, u8 command) { set_a20(c, false); }
static void a20_on(struct i8042 *c, u8 command) { set_a20(c, true); }

static void self_test(struct i8042 *c, u8 command)
{
    c->full = false;
    c->answers.len = c->aux_answers.len = 0;
    c->ram[0] |= MODE_SYSTEM;
    answer(c, 0x55);
}

/* F0h to FFh: bits that are 0 pulse their line of the output port; bit 0 is the processor's reset. */
static void pulse(struct i8042 *c, u8 command)
{
    if (!(command & 1))
        pulse_reset(c);
}

static void (*const command_fn[256])(struct i8042 *c, u8 command) = {
    [0x20 ... 0x3f] = read_ram, [0x60 ... 0x7f] = await_data, [0xa4] = no_password, [0xa7] = aux_off, [0xa8] = aux_on,
    [0xa9] = test_line, [0xaa] = self_test, [0xab] = test_line, [0xad] = kbd_off, [0xae] = kbd_on,
    [0xc0] = read_input_port, [0xd0] = read_output_port, [0xd1 ... 0xd4] = await_data,
    [0xdd] = a20_off, [0xdf] = a20_on, [0xe0] = read_test_inputs,
    [0xf0 ... 0xff] = pulse,
};

static void write_command(struct i8042 *c, u8 command)
{
    c->command = 0;
    c->last_was_command = true;
    if (command_fn[command])
        command_fn[command](c, command);
}

/* Data at port 60h */

static void data_for_command(struct i8042 *c, u8 command, u8 value)
{
    if (command >= 0x60 && command < 0x80)
        c->ram[command & 31] = value;
    else if (command == 0xd1)
        write_output_port(c, value);
    else if (command == 0xd2)
        answer(c, value);                               /* as if the keyboard had sent it */
    else if (command == 0xd3)
        ps2_put1(&c->aux_answers, value);
    else
        ps2_mouse_write(&c->mouse, value);              /* D4h */
}

static void write_data(struct i8042 *c, u8 value)
{
    u8 command = c->command;
    c->command = 0;
    c->last_was_command = false;
    if (command) {
        data_for_command(c, command, value);
        return;
    }
    c->ram[0] &= ~MODE_KBD_OFF;                         /* sending to the keyboard enables it */
    ps2_keyboard_write(&c->keyboard, value);
}

static u64 data_read(void *dev, u64 offset, unsigned size)
{
    struct i8042 *c = dev;
    u8 value = c->out;
    c->full = false;
    set_wires(c);       /* the wire falls even if the next byte raises it again: an edge for each byte */
    refill(c);
    return value;
}

static void data_write(void *dev, u64 offset, unsigned size, u64 value)
{
    write_data(dev, value);
    refill(dev);
}

static u64 status_read(void *dev, u64 offset, unsigned size)
{
    const struct i8042 *c = dev;
    return STATUS_UNLOCKED | (c->full ? STATUS_OBF : 0) | (mode(c) & MODE_SYSTEM ? STATUS_SYSTEM : 0) |
           (c->last_was_command ? STATUS_COMMAND : 0) | (c->full && c->out_source == FROM_MOUSE ? STATUS_AUX : 0);
}

static void command_write(void *dev, u64 offset, unsigned size, u64 value)
{
    write_command(dev, value);
    refill(dev);
}

static const char *data_reg(u64 offset) { return "data"; }
static const char *command_reg(u64 offset) { return "status/command"; }
static const struct bus_ops data_port = { data_read, data_write, .reg_name = data_reg };
static const struct bus_ops command_port = { status_read, command_write, .reg_name = command_reg };

/* For the console and tests */

void keyboard_share(struct device *d, struct key_taker *t)
{
    struct i8042 *c = (struct i8042 *)d;
    t->next = c->takers;
    c->takers = t;
}

bool keyboard_key(struct device *d, u16 scancode_set1, bool down)
{
    struct i8042 *c = (struct i8042 *)d;
    for (struct key_taker *t = c->takers; t; t = t->next)
        if (t->key(t->opaque, scancode_set1, down))
            return true;
    bool taken = ps2_keyboard_key(&c->keyboard, scancode_set1, down);
    refill(c);
    return taken;
}

size_t keyboard_type(struct device *d, const char *text)
{
    enum { LEFT_SHIFT = 0x2a, MOST_BYTES = 8 };
    struct i8042 *c = (struct i8042 *)d;
    size_t n = 0;
    for (; text[n] && c->keyboard.out.len + MOST_BYTES <= PS2_QUEUE; n++) {
        bool shift;
        u8 code = scancode_of_ascii(text[n], &shift);
        if (!code)
            continue;
        if (shift)
            keyboard_key(d, LEFT_SHIFT, true);
        keyboard_key(d, code, true);
        keyboard_key(d, code, false);
        if (shift)
            keyboard_key(d, LEFT_SHIFT, false);
    }
    return n;
}

void mouse_move(struct device *d, int dx, int dy, unsigned buttons)
{
    struct i8042 *c = (struct i8042 *)d;
    for (struct key_taker *t = c->takers; t; t = t->next)
        if (t->movement(t->opaque, dx, dy, buttons))
            return;
    ps2_mouse_move(&c->mouse, dx, dy, buttons);
    refill(c);
}

u8 keyboard_leds(const struct device *d)
{
    return ((const struct i8042 *)d)->keyboard.leds;
}

/* As firmware leaves it after its self test: interrupts and translation on, the mouse off. */
static void i8042_reset(struct device *d)
{
    struct i8042 *c = (struct i8042 *)d;
    for (unsigned i = 0; i < sizeof c->ram; i++)
        c->ram[i] = 0;
    c->ram[0] = MODE_IRQ1 | MODE_SYSTEM | MODE_AUX_OFF | MODE_TRANSLATE;
    c->full = c->last_was_command = c->breaking = false;
    c->out = 0;
    c->command = 0;
    c->answers = c->aux_answers = (struct ps2_queue){ 0 };
    ps2_keyboard_reset(&c->keyboard);
    ps2_mouse_reset(&c->mouse);
    set_wires(c);
}

static struct device *i8042_create(struct platform *to, struct error *err)
{
    struct i8042 *c = device_new(&i8042_ops, sizeof *c, err);
    if (!c)
        return NULL;
    c->to = *to;
    to->keyboard = &c->dev;
    if (bus_add_ports(to->bus, "i8042", 0x60, 1, &data_port, c, err) ||
        bus_add_ports(to->bus, "i8042", 0x64, 1, &command_port, c, err)) {
        free(c);
        return NULL;
    }
    i8042_reset(&c->dev);
    return &c->dev;
}

static void i8042_destroy(struct device *d) { free(d); }

static void i8042_info(const struct device *d, FILE *out)
{
    const struct i8042 *c = (const struct i8042 *)d;
    fprintf(out, "command byte %02x\n", mode(c));
    fprintf(out, "keyboard: set %d, leds %d, %u bytes wait\n", c->keyboard.set, c->keyboard.leds, c->keyboard.out.len);
    fprintf(out, "mouse: %s, %u bytes wait\n", c->mouse.reporting ? "reporting" : "silent", c->mouse.out.len);
}

const struct device_ops i8042_ops = {
    "i8042", "PS/2 keyboard controller, keyboard and mouse, IRQ 1 and 12",
    i8042_create, i8042_reset, i8042_destroy, i8042_info,
};
