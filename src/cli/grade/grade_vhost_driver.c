/* SPDX-License-Identifier: MIT */
/*
 * The guest's half of lab 8: a virtio-net driver with one transmit ring and event indices (virtio 1.2, 2.7), by a script. It lives in the
 * order of events alone. What it makes depends on the chain's number, so that every frame can be compared, and so can what is given back.
 */
#include <string.h>

#include "cli/grade/grade_vhost.h"

enum { DESCRIPTORS = 0x1000, AVAILABLE = 0x4000, USED = 0x6000, BUFFERS = 0x10000, BUFFER = 0x800, QUEUE = 1, CONTROL = 2, GSI = 24 };
enum { HEADER = 12, FRAME_MIN = 60, NEXT = 1, WRITE = 2, MALICE_AT = 20, MALICE_EVERY = 7, PIECES_MAX = 8 };
#define DOORBELL 0xfebf3004ull

static const struct vhost_script scripts[] = {
    { 200, 10, 40, 128, .pieces = 0 },                      /* 0: batches, one piece each */
    { 400, 8, 32, 256, .pieces = 4 },                       /* 1: chains of all kinds */
    { 3000, 1, 96, 128, .pace = 1, .pieces = 0 },           /* 2: a driver that is as fast as the worker */
    { 300, 1, 8, 128, .races = true },                      /* 3: the race of going to sleep */
    { 200, 10, 40, 128, .controls = 5 },                    /* 4: a doorbell with another value */
    { 70000, 32, 96, 128, .pace = 2 },                      /* 5: indices of 16 bits */
    { 100, 4, 16, 128, .pieces = 1, .malice = BAD_LOOP },   /* 6 .. */
    { 100, 4, 16, 128, .malice = BAD_HEAD },
    { 100, 4, 16, 128, .pieces = 1, .malice = BAD_NEXT },
    { 100, 4, 16, 128, .malice = BAD_INDEX },
    { 100, 4, 16, 128, .pieces = 1, .malice = WILD_ADDRESS },   /* 10 .. */
    { 100, 4, 16, 128, .pieces = 1, .malice = WILD_LENGTH },
    { 100, 4, 16, 128, .pieces = 1, .malice = WILD_WRAP },
    { 100, 4, 16, 128, .malice = TOO_SHORT },
    { 100, 4, 16, 128, .pieces = 1, .malice = WRITABLE },
    { 200, 4, 16, 256, .pieces = 4, .rereads = true },      /* 15: memory that changes */
};

static u64 avail_index_at(void) { return AVAILABLE + 2; }
static u64 used_index_at(void) { return USED + 2; }
static u64 used_event_at(const struct labvhost *v) { return AVAILABLE + 4 + 2 * v->script->size; }
static u64 avail_event_at(const struct labvhost *v) { return USED + 4 + 8 * v->script->size; }

static u16 get16(const struct labvhost *v, u64 at) { return v->memory[at] | v->memory[at + 1] << 8; }
static void put16(struct labvhost *v, u64 at, u16 value) { memcpy(v->memory + at, &value, 2); }

/* --- chains --- */

static bool is_bad(const struct labvhost *v, u32 n)
{
    return v->script->malice && n >= MALICE_AT && (n == MALICE_AT || (v->script->malice >= WILD_ADDRESS && n % MALICE_EVERY == MALICE_AT % MALICE_EVERY));
}

static u32 frame_len(u32 n) { return FRAME_MIN + n * 97 % 1400; }

static u8 frame_byte(u32 n, u32 i) { return n * 13 + i * (n % 5 * 2 + 1) + (n >> 8); }

/* Bytes of each piece of `len`. */
static u32 cut(u32 how, u32 len, u32 *piece)
{
    static const u32 cuts[][PIECES_MAX] = { { 0 }, { HEADER }, { 5, 20 }, { 1, 2, 9, 1, 30, 0 /* an empty one */ } };
    static const u32 count[] = { 0, 1, 2, 6 };
    u32 n = 0, left = len;
    for (; n < count[how]; n++) {
        piece[n] = cuts[how][n];
        left -= piece[n];
    }
    piece[n++] = left;
    return n;
}

static void put_descriptor(struct labvhost *v, u16 i, u64 address, u32 len, u16 flags, u16 next)
{
    u8 *at = v->memory + DESCRIPTORS + 16 * i;
    memcpy(at, &address, 8);
    memcpy(at + 8, &len, 4);
    memcpy(at + 12, &flags, 2);
    memcpy(at + 14, &next, 2);
}

/* Descriptors are taken in turn, but do not lie in turn. */
static u16 place(const struct labvhost *v, u32 n) { return (n * 37 + 11) % v->script->size; }

static void spoil(struct labvhost *v, u16 head, u16 last)
{
    switch (v->script->malice) {
    case BAD_LOOP: put_descriptor(v, last, BUFFERS, 1, NEXT, head); break;
    case BAD_NEXT: put_descriptor(v, head, BUFFERS, HEADER, NEXT, v->script->size + 9); break;
    case WILD_ADDRESS: put_descriptor(v, last, VHOST_MEMORY - 10, 100, 0, 0); break;
    case WILD_LENGTH: put_descriptor(v, last, BUFFERS, v->made % 2 ? 0xfffffff0 : 0x8000, 0, 0); break;
    case WILD_WRAP: put_descriptor(v, last, ~(u64)0 - 49, 100, 0, 0); break;
    case TOO_SHORT: put_descriptor(v, last, BUFFERS, HEADER - 2, 0, 0); break;
    case WRITABLE: put_descriptor(v, last, BUFFERS, 100, WRITE, 0); break;
    default: break;
    }
}

static void make_buffer(struct labvhost *v, u32 n, u64 at)
{
    memset(v->memory + at, 0, HEADER);
    for (u32 i = 0; i < frame_len(n); i++)
        v->memory[at + HEADER + i] = frame_byte(n, i);
}

static u64 buffer_of(u32 n) { return BUFFERS + n % VHOST_WINDOW * BUFFER; }

static u16 make_chain(struct labvhost *v, u32 n)
{
    u32 piece[PIECES_MAX], pieces = cut(v->script->pieces == 4 ? n % 4 : v->script->pieces, HEADER + frame_len(n), piece);
    u16 head = place(v, v->next_piece), last = head;
    u64 at = buffer_of(n);
    make_buffer(v, n, at);
    for (u32 i = 0; i < pieces; i++) {
        last = place(v, v->next_piece++);
        put_descriptor(v, last, at, piece[i], i + 1 < pieces ? NEXT : 0, i + 1 < pieces ? place(v, v->next_piece) : 0);
        at += piece[i];
    }
    if (is_bad(v, n))
        spoil(v, head, last);
    return head;
}

static void offer(struct labvhost *v)
{
    u32 n = v->made++, slot = n % VHOST_WINDOW;
    v->head[slot] = make_chain(v, n);
    v->under_way[slot] = true;
    bool bad = is_bad(v, n);
    put16(v, AVAILABLE + 4 + 2 * (n % v->script->size), bad && v->script->malice == BAD_HEAD ? v->script->size + 5 : v->head[slot]);
    put16(v, avail_index_at(), v->script->malice == BAD_INDEX && n >= MALICE_AT ? v->made + v->script->size : v->made);
}

/* 2.7.10: has it gone past the event since the device was told last? */
static void kick(struct labvhost *v)
{
    u16 event = get16(v, avail_event_at(v)), told = v->told;
    v->told = v->made;
    if ((u16)((u16)v->made - event - 1) < (u16)((u16)v->made - told))
        labvhost_doorbell(v, DOORBELL, 2, QUEUE);
}

/* --- its life --- */

static bool has_room(const struct labvhost *v) { return v->made < v->script->total && v->made - v->seen < v->script->window; }

/* An interrupt when half of what is under way is back, or all of the last. */
static bool fall_asleep(struct labvhost *v)
{
    u32 half = v->seen + (v->made - v->seen + 1) / 2, target = v->made == v->script->total ? v->made : half;
    if (v->seen == v->made)
        return false;
    put16(v, used_event_at(v), target - 1);
    v->asleep = true;
    return true;
}

static bool ring_control(struct labvhost *v)
{
    if (v->controls == v->script->controls || v->made < 10 * (v->controls + 1))
        return false;
    v->controls++;
    labvhost_doorbell(v, DOORBELL, 2, CONTROL);
    return true;
}

bool driver_turn(struct labvhost *v, u32 n)
{
    if (v->asleep || !n || v->broken)
        return false;
    bool moved = ring_control(v);
    v->seen = v->back;
    for (u32 made = 0; made < n && has_room(v); moved = true) {
        for (u32 i = 0; i < v->script->batch && has_room(v); i++, made++)
            offer(v);
        kick(v);
    }
    return has_room(v) ? moved : fall_asleep(v) || moved;
}

void driver_interrupt(struct labvhost *v, u32 gsi)
{
    v->interrupts++;
    if (gsi != GSI)
        return;
    v->seen = v->back;
    v->asleep = false;
    driver_turn(v, v->script->batch);
}

bool driver_is_done(const struct labvhost *v) { return v->script && v->seen == v->script->total; }

bool driver_expects(struct labvhost *v, const u8 *frame, u32 len)
{
    while (is_bad(v, v->sent))
        v->sent++;      /* a chain that is not sent */
    u32 n = v->sent++;
    if (n >= v->made || len != frame_len(n))
        return false;
    for (u32 i = 0; i < len; i++)
        if (frame[i] != frame_byte(n, i))
            return false;
    return true;
}

/* --- what the worker does with the rings --- */

static bool touches(u64 at, u64 bytes, u64 gpa, u64 len) { return gpa < at + bytes && at < gpa + len; }

void driver_was_read(struct labvhost *v, u64 gpa, u64 len)
{
    for (u32 i = 0; v->script->rereads && i < v->script->size; i++)
        if (touches(DESCRIPTORS + 16 * i, 16, gpa, len))
            put_descriptor(v, i, BUFFERS + 7, 0x3fff0000, NEXT, i);
}

void driver_is_written(struct labvhost *v, u64 gpa, u64 len)
{
    if (v->script->races && touches(avail_event_at(v), 2, gpa, len))
        driver_turn(v, 1);
}

/* The chain is the driver's again, who is free to use its memory for other things. */
static void check_back(struct labvhost *v, u32 n)
{
    u32 at = USED + 4 + 8 * (n % v->script->size), id, written, slot = n % VHOST_WINDOW;
    memcpy(&id, v->memory + at, 4);
    memcpy(&written, v->memory + at + 4, 4);
    v->wrong += !v->under_way[slot] || id != v->head[slot] || written;
    v->under_way[slot] = false;
    memset(v->memory + buffer_of(n), 0xee, BUFFER);
}

void driver_was_written(struct labvhost *v, u64 gpa, u64 len)
{
    if (!touches(used_index_at(), 2, gpa, len))
        return;
    u16 more = get16(v, used_index_at()) - (u16)v->back;
    if (more > v->made - v->back) {
        v->wrong++;
        return;
    }
    for (; more; more--)
        check_back(v, v->back++);
}

struct vhost_setup driver_start(struct labvhost *v, u64 script)
{
    if (!v->script)
        v->script = &scripts[script < ARRAY_LEN(scripts) ? script : 0];
    put16(v, used_event_at(v), 0x8000);
    return (struct vhost_setup){ DESCRIPTORS, AVAILABLE, USED, DOORBELL, v->script->size, QUEUE, GSI, 0 };
}
