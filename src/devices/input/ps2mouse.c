/* SPDX-License-Identifier: MIT */
/* A PS/2 mouse of three buttons, packets of three bytes. */
#include "devices/input/ps2.h"

enum { SCALING_1 = 0xe6, SCALING_2 = 0xe7, RESOLUTION = 0xe8, STATUS = 0xe9, STREAM = 0xea, READ_DATA = 0xeb,
       WRAP_OFF = 0xec, WRAP_ON = 0xee, REMOTE = 0xf0, IDENTIFY = 0xf2, RATE = 0xf3, ENABLE = 0xf4, DISABLE = 0xf5, DEFAULTS = 0xf6,
       RESEND = 0xfe, RESET = 0xff };

static void defaults(struct ps2_mouse *m)
{
    m->rate = 100;
    m->resolution = 2;
    m->reporting = m->remote = m->wrap = m->scaling2 = false;
    m->command = 0;
    m->dx = m->dy = 0;
}

void ps2_mouse_reset(struct ps2_mouse *m)
{
    *m = (struct ps2_mouse){ 0 };
    defaults(m);
}

static int clip(int v)
{
    return v < -255 ? -255 : v > 255 ? 255 : v;
}

/* One packet: buttons and signs, then the low bytes of both nine-bit movements. */
static void put_packet(struct ps2_mouse *m)
{
    int dx = clip(m->dx), dy = clip(m->dy);
    u8 packet[3] = { 0x08 | m->buttons | (dx < 0 ? 0x10 : 0) | (dy < 0 ? 0x20 : 0), (u8)dx, (u8)dy };
    if (!ps2_put(&m->out, packet, sizeof packet))
        return;
    m->dx -= dx;
    m->dy -= dy;
}

/* Commands */

static void acknowledge(struct ps2_mouse *m, u8 c) { ps2_put1(&m->out, PS2_ACK); }

static void want_argument(struct ps2_mouse *m, u8 c)
{
    m->command = c;
    acknowledge(m, c);
}

static void scaling(struct ps2_mouse *m, u8 c)
{
    m->scaling2 = c == SCALING_2;
    acknowledge(m, c);
}

static void status(struct ps2_mouse *m, u8 c)
{
    u8 buttons = (m->buttons & 1) << 2 | (m->buttons & 4) >> 1 | (m->buttons & 2) >> 1;
    u8 bytes[4] = { PS2_ACK, buttons | m->scaling2 << 4 | m->reporting << 5 | m->remote << 6, m->resolution, m->rate };
    ps2_put(&m->out, bytes, sizeof bytes);
}

static void mode(struct ps2_mouse *m, u8 c)
{
    m->remote = c == REMOTE;
    acknowledge(m, c);
}

static void wrap(struct ps2_mouse *m, u8 c)
{
    m->wrap = c == WRAP_ON;
    acknowledge(m, c);
}

static void read_data(struct ps2_mouse *m, u8 c)
{
    acknowledge(m, c);
    put_packet(m);
}

static void identify(struct ps2_mouse *m, u8 c)
{
    static const u8 id[] = { PS2_ACK, 0x00 };
    ps2_put(&m->out, id, sizeof id);
}

static void report(struct ps2_mouse *m, u8 c)
{
    m->out.len = 0;
    m->reporting = c == ENABLE;
    acknowledge(m, c);
}

static void set_defaults(struct ps2_mouse *m, u8 c)
{
    m->out.len = 0;
    defaults(m);
    acknowledge(m, c);
}

static void reset(struct ps2_mouse *m, u8 c)
{
    static const u8 done[] = { PS2_ACK, PS2_TEST_OK, 0x00 };
    ps2_mouse_reset(m);
    ps2_put(&m->out, done, sizeof done);
}

static void (*const command_fn[256])(struct ps2_mouse *m, u8 c) = {
    [SCALING_1] = scaling, [SCALING_2] = scaling, [RESOLUTION] = want_argument, [STATUS] = status, [STREAM] = mode,
    [READ_DATA] = read_data, [WRAP_OFF] = wrap, [WRAP_ON] = wrap, [REMOTE] = mode, [IDENTIFY] = identify,
    [RATE] = want_argument, [ENABLE] = report, [DISABLE] = report, [DEFAULTS] = set_defaults, [RESET] = reset,
};

static void argument(struct ps2_mouse *m, u8 value)
{
    if (m->command == RATE)
        m->rate = value;
    else
        m->resolution = value & 3;
    m->command = 0;
    acknowledge(m, 0);
}

void ps2_mouse_write(struct ps2_mouse *m, u8 byte)
{
    if (m->wrap && byte != WRAP_OFF && byte != RESET)
        ps2_put1(&m->out, byte);
    else if (m->command)
        argument(m, byte);
    else if (command_fn[byte])
        command_fn[byte](m, byte);
    else
        ps2_put1(&m->out, PS2_RESEND);
}

/* Far movements become several packets; what finds no room waits for the next move. */
void ps2_mouse_move(struct ps2_mouse *m, int dx, int dy, unsigned buttons)
{
    enum { FAR = 1 << 16 };
    m->dx += dx < -FAR ? -FAR : dx > FAR ? FAR : dx;
    m->dy -= dy < -FAR ? -FAR : dy > FAR ? FAR : dy;
    m->buttons = buttons & 7;
    if (!m->reporting || m->remote) {
        m->dx = clip(m->dx);    /* the counters of a mouse that nobody listens to */
        m->dy = clip(m->dy);
        return;
    }
    put_packet(m);
    while ((m->dx || m->dy) && m->out.len + 3 <= PS2_QUEUE / 2)
        put_packet(m);
    m->dx = clip(m->dx);
    m->dy = clip(m->dy);
}
