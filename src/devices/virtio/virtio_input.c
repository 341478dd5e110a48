/* SPDX-License-Identifier: MIT */
/*
 * A keyboard, or a tablet (virtio 1.2, 5.8): what happens goes into the event queue as Linux's input events have it, type, code and value,
 * and a row of them ends with EV_SYN. What kinds there are, the driver asks by a window in the configuration.
 *
 * While its driver is ready, keys and movements come here and not to the PS/2 devices. A tablet says where the pointer is; the console
 * only tells how far it went, so the tablet keeps the place.
 */
#include <stdlib.h>
#include <string.h>

#include "devices/input/i8042.h"
#include "devices/virtio/virtio.h"

enum { EVENTS, STATUS, QUEUES };
enum { SELECT = 0, SUBSELECT = 1, SIZE = 2, DATA = 8, CONFIG_SIZE = 136, DATA_SIZE = CONFIG_SIZE - DATA };
enum { ID_NAME = 0x01, ID_SERIAL = 0x02, ID_DEVIDS = 0x03, EV_BITS = 0x11, ABS_INFO = 0x12 };
enum { EV_SYN = 0, EV_KEY = 1, EV_ABS = 3, ABS_X = 0, ABS_Y = 1, BTN_LEFT = 0x110, BUTTONS = 3 };
enum { PLACE_MAX = 32767, STEP = 32 /* of a tablet's units in a count of the console's */, WAITING = 64 };

struct event { u16 type, code; u32 value; };

struct virtio_input {
    struct virtio v;
    bool tablet;
    struct key_taker taker;
    struct event waiting[WAITING]; unsigned count;      /* until the driver has buffers; what does not fit is lost */
    int x, y; unsigned buttons;
};

/* --- events --- */

static void deliver(struct virtio_input *d)
{
    struct virtqueue *q = &d->v.queue[EVENTS];
    struct vq_chain c;
    unsigned done = 0;
    while (done < d->count && virtqueue_take(q, &c))
        virtqueue_put(q, &c, vq_write(q, &c, &d->waiting[done++], sizeof(struct event)) ? sizeof(struct event) : 0);
    memmove(d->waiting, d->waiting + done, (d->count - done) * sizeof d->waiting[0]);
    d->count -= done;
    virtqueue_interrupt(q);
}

static void happen(struct virtio_input *d, u16 type, u16 code, u32 value)
{
    if (d->count < WAITING)
        d->waiting[d->count++] = (struct event){ type, code, value };
}

/* Linux numbers keys as set 1 does, but for those behind E0h (its input-event-codes.h). */
static u16 key_code(u16 scancode)
{
    static const struct { u16 scancode, code; } extended[] = {
        { 0xe01c, 96 }, { 0xe01d, 97 }, { 0xe035, 98 }, { 0xe037, 99 }, { 0xe038, 100 }, { 0xe047, 102 }, { 0xe048, 103 }, { 0xe049, 104 }, { 0xe04b, 105 },
        { 0xe04d, 106 }, { 0xe04f, 107 }, { 0xe050, 108 }, { 0xe051, 109 }, { 0xe052, 110 }, { 0xe053, 111 }, { 0xe05b, 125 }, { 0xe05c, 126 },
        { 0xe05d, 127 }, { KEY_PAUSE, 119 },
    };
    for (unsigned i = 0; i < ARRAY_LEN(extended); i++)
        if (extended[i].scancode == scancode)
            return extended[i].code;
    return scancode < 0x59 ? scancode : 0;
}

static bool take_key(void *opaque, u16 scancode, bool down)
{
    struct virtio_input *d = opaque;
    if (d->tablet || !virtio_running(&d->v))
        return false;
    u16 code = key_code(scancode);
    if (!code)
        return true;
    happen(d, EV_KEY, code, down);
    if (scancode == KEY_PAUSE)      /* which has no release */
        happen(d, EV_KEY, code, 0);
    happen(d, EV_SYN, 0, 0);
    deliver(d);
    return true;
}

static int within(s64 place) { return place < 0 ? 0 : place > PLACE_MAX ? PLACE_MAX : place; }

static bool take_movement(void *opaque, int dx, int dy, unsigned buttons)
{
    struct virtio_input *d = opaque;
    if (!d->tablet || !virtio_running(&d->v))
        return false;
    d->x = within(d->x + (s64)dx * STEP);
    d->y = within(d->y + (s64)dy * STEP);
    happen(d, EV_ABS, ABS_X, d->x);
    happen(d, EV_ABS, ABS_Y, d->y);
    for (unsigned i = 0; i < BUTTONS; i++)
        if ((buttons ^ d->buttons) >> i & 1)
            happen(d, EV_KEY, BTN_LEFT + i, buttons >> i & 1);
    d->buttons = buttons;
    happen(d, EV_SYN, 0, 0);
    deliver(d);
    return true;
}

/* --- what it is --- */

static void set_bits(u8 *bits, unsigned from, unsigned to)
{
    for (unsigned i = from; i <= to; i++)
        bits[i / 8] |= 1 << i % 8;
}

/* Which codes of a type there are. Returns the bytes. */
static unsigned bits_of(const struct virtio_input *d, u8 type, u8 *bits)
{
    if (type == EV_KEY && !d->tablet)
        set_bits(bits, 1, 127);
    else if (type == EV_KEY)
        set_bits(bits, BTN_LEFT, BTN_LEFT + BUTTONS - 1);
    else if (type == EV_ABS && d->tablet)
        set_bits(bits, ABS_X, ABS_Y);
    else
        return 0;
    return type == EV_ABS ? 1 : d->tablet ? BTN_LEFT / 8 + 1 : 16;
}

static unsigned show(const struct virtio_input *d, u8 select, u8 subselect, u8 *data)
{
    static const char *const name[] = { "emu virtio keyboard", "emu virtio tablet" };
    const u16 ids[4] = { 6 /* BUS_VIRTUAL */, 0x0627, d->tablet ? 3 : 1, 1 };
    const u32 axis[5] = { 0, PLACE_MAX };
    switch (select) {
    case ID_NAME:
        memcpy(data, name[d->tablet], strlen(name[d->tablet]));
        return strlen(name[d->tablet]);
    case ID_DEVIDS:
        memcpy(data, ids, sizeof ids);
        return sizeof ids;
    case EV_BITS: return bits_of(d, subselect, data);
    case ABS_INFO:
        if (!d->tablet || subselect > ABS_Y)
            return 0;
        memcpy(data, axis, sizeof axis);
        return sizeof axis;
    default: return 0;
    }
}

static void input_config_written(struct virtio *v, unsigned offset, unsigned size)
{
    memset(v->config + DATA, 0, DATA_SIZE);
    v->config[SIZE] = show((struct virtio_input *)v, v->config[SELECT], v->config[SUBSELECT], v->config + DATA);
}

static bool input_config_writable(const struct virtio *v, unsigned offset) { return offset <= SUBSELECT; }

/* --- the device --- */

/* Lights and the like come by the status queue; nobody sees them. */
static bool input_work(struct virtio *v, struct virtqueue *q)
{
    struct vq_chain c;
    while (virtqueue_take(q, &c))
        virtqueue_put(q, &c, 0);
    virtqueue_interrupt(q);
    return true;
}

static void input_kicked(struct virtio *v, struct virtqueue *q)
{
    if (q->index == EVENTS)
        deliver((struct virtio_input *)v);
    else
        virtio_work_later(q, 1000);
}

static void input_reset(struct virtio *v)
{
    struct virtio_input *d = (struct virtio_input *)v;
    d->count = 0;
    d->buttons = 0;
    d->x = d->y = PLACE_MAX / 2;
    memset(v->config, 0, CONFIG_SIZE);
}

static const struct virtio_ops input_ops = {
    .name = "virtio-input", .id = VIRTIO_ID_INPUT, .pci_class = 0x098000, .queues = QUEUES, .queue_size = 64, .config_size = CONFIG_SIZE,
    .kicked = input_kicked, .work = input_work, .config_writable = input_config_writable, .config_written = input_config_written, .reset = input_reset,
};

struct virtio *virtio_input_new(const struct platform *to, const struct virtio_slot *s)
{
    struct virtio_input *d = calloc(1, sizeof *d);
    if (!d)
        return NULL;
    d->tablet = s->model == VIRTIO_TABLET;
    virtio_init(&d->v, &input_ops, 0, s->flavor.packed, to);
    d->taker = (struct key_taker){ take_key, take_movement, d, NULL };
    if (to->keyboard)
        keyboard_share(to->keyboard, &d->taker);
    return &d->v;
}
