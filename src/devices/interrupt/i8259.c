/* SPDX-License-Identifier: MIT */
/*
 * Intel 8259A, order number 231468. Section names below are the data sheet's.
 *
 * One deviation: the data sheet wants an edge-triggered request to stay high until INTA, else it is spurious. Here a
 * rising edge is remembered, as in the controllers of later chipsets, so that a short pulse is never lost.
 */
#include "devices/interrupt/i8259.h"

enum { ICW1_IC4 = 0x01, ICW1_SNGL = 0x02, ICW1_LTIM = 0x08, ICW1 = 0x10 };
enum { ICW4_AEOI = 0x02, ICW4_SFNM = 0x10 };
enum { OCW3 = 0x08, OCW3_RIS = 0x01, OCW3_RR = 0x02, OCW3_POLL = 0x04, OCW3_SMM = 0x20, OCW3_ESMM = 0x40 };
enum { POLL_INTERRUPT = 0x80 };

static u8 level_triggered(const struct i8259 *c)
{
    return c->all_level ? 0xff : c->elcr;
}

void i8259_set_line(struct i8259 *c, unsigned n, bool level)
{
    u8 bit = BIT(n);
    bool rises = level && !(c->lines & bit);
    c->lines = level ? c->lines | bit : c->lines & ~bit;
    if (level_triggered(c) & bit)
        c->irr = level ? c->irr | bit : c->irr & ~bit;
    else if (rises)
        c->irr |= bit;
}

void i8259_latch(struct i8259 *c, unsigned n)
{
    c->irr |= BIT(n);
}

/* The highest in priority of the inputs in `set`, as its distance from the top; 8: the set is empty. */
static unsigned top_rank(const struct i8259 *c, u8 set)
{
    unsigned rank = 0;
    while (rank < 8 && !(set & BIT((c->lowest + 1 + rank) & 7)))
        rank++;
    return rank;
}

static unsigned input_at(const struct i8259 *c, unsigned rank)
{
    return (c->lowest + 1 + rank) & 7;
}

/* The inputs in service that hold back others of their own or of lower priority. */
static u8 blocking(const struct i8259 *c)
{
    u8 set = c->isr;
    if (c->special_mask)
        set &= ~c->imr;         /* Special Mask Mode: a masked input holds back nobody */
    if (c->icw4 & ICW4_SFNM)
        set &= ~c->icw3;        /* Special Fully Nested Mode, of a master: the slave may interrupt itself */
    return set;
}

int i8259_pending(const struct i8259 *c)
{
    unsigned rank = top_rank(c, c->irr & ~c->imr);
    return rank < top_rank(c, blocking(c)) ? (int)input_at(c, rank) : -1;
}

int i8259_acknowledge(struct i8259 *c)
{
    int n = i8259_pending(c);
    if (n < 0)
        return -1;
    if (!(c->icw4 & ICW4_AEOI))
        c->isr |= BIT(n);
    else if (c->rotate_auto_eoi)
        c->lowest = n;
    if (!(level_triggered(c) & BIT(n)))
        c->irr &= ~BIT(n);
    return n;
}

/* OCW2: the three bits R, SL, EOI choose one of eight commands; L2-L0 name an input. */

static unsigned isr_top(const struct i8259 *c)
{
    unsigned rank = top_rank(c, c->special_mask ? c->isr & ~c->imr : c->isr);
    return rank < 8 ? input_at(c, rank) : 8;
}

static void nonspecific_eoi(struct i8259 *c, unsigned level)
{
    c->isr &= ~BIT(isr_top(c)); /* isr_top() is 8 when nothing is in service */
}
static void rotate_nonspecific_eoi(struct i8259 *c, unsigned level)
{
    unsigned n = isr_top(c);
    if (n == 8)
        return;
    c->isr &= ~BIT(n);
    c->lowest = n;
}
static void specific_eoi(struct i8259 *c, unsigned level) { c->isr &= ~BIT(level); }
static void set_priority(struct i8259 *c, unsigned level) { c->lowest = level; }
static void rotate_specific_eoi(struct i8259 *c, unsigned level)
{
    specific_eoi(c, level);
    set_priority(c, level);
}
static void rotate_auto_on(struct i8259 *c, unsigned level) { c->rotate_auto_eoi = true; }
static void rotate_auto_off(struct i8259 *c, unsigned level) { c->rotate_auto_eoi = false; }
static void no_operation(struct i8259 *c, unsigned level) { }

static void (*const ocw2[8])(struct i8259 *c, unsigned level) = {
    rotate_auto_off, nonspecific_eoi, no_operation, specific_eoi,
    rotate_auto_on, rotate_nonspecific_eoi, set_priority, rotate_specific_eoi,
};

static void write_ocw3(struct i8259 *c, u8 value)
{
    if (value & OCW3_RR)
        c->read_isr = value & OCW3_RIS;
    if (value & OCW3_ESMM)
        c->special_mask = value & OCW3_SMM;
    c->poll = value & OCW3_POLL;
}

/* Initialization Command Words 1 and 2 (ICW1, ICW2), points a to f. */
static void write_icw1(struct i8259 *c, u8 value)
{
    c->need_icw4 = value & ICW1_IC4;
    c->single = value & ICW1_SNGL;
    c->all_level = value & ICW1_LTIM;
    c->imr = c->isr = c->icw3 = c->icw4 = 0;
    c->lowest = 7;
    c->special_mask = c->read_isr = c->poll = c->rotate_auto_eoi = false;
    c->irr = c->lines & level_triggered(c);     /* the edge sense circuit is reset */
    c->init_step = 2;
}

static void write_icw(struct i8259 *c, u8 value)
{
    unsigned step = c->init_step;
    if (step == 2)
        c->vector_base = value & 0xf8;
    else if (step == 3)
        c->icw3 = value;
    else
        c->icw4 = value;
    if (step == 2 && !c->single)
        c->init_step = 3;
    else
        c->init_step = step < 4 && c->need_icw4 ? 4 : 0;
}

void i8259_write(struct i8259 *c, unsigned a0, u8 value)
{
    if (!a0 && value & ICW1)
        write_icw1(c, value);
    else if (!a0 && value & OCW3)
        write_ocw3(c, value);
    else if (!a0)
        ocw2[value >> 5](c, value & 7);
    else if (c->init_step)
        write_icw(c, value);
    else
        c->imr = value;
}

/* Poll Command: the next read is an INTA of its own. */
static u8 read_poll(struct i8259 *c)
{
    int n = i8259_acknowledge(c);
    c->poll = false;
    return n < 0 ? 0 : POLL_INTERRUPT | n;
}

u8 i8259_read(struct i8259 *c, unsigned a0)
{
    if (c->poll)
        return read_poll(c);
    if (a0)
        return c->imr;
    return c->read_isr ? c->isr : c->irr;
}
