/* SPDX-License-Identifier: MIT */
/*
 * The floppy disk controller: an Intel 82077AA (its data sheet's registers and commands), moving data by DMA channel 2 only.
 * Where there is no drive it finds no address mark; even so it must be there, or drivers wait long seconds for an answer that
 * never comes. Commands that find a disk take their time; a transfer seeks by itself (as with CONFIGURE's implied seek).
 */
#include <stdlib.h>
#include <string.h>

#include "devices/chipset/dma.h"
#include "devices/chipset/small.h"
#include "devices/disk/floppy.h"

#define SEEK_NS 2000000u
#define SECTOR_NS 300000u       /* far from the 11 ms of a real one: nobody wants to wait */
#define FDC_DMA 2

enum { FDC_IRQ = 6, RESET_SENSES = 4 /* one SENSE INTERRUPT for each drive that could be there */ };
enum { DOR = 0, TDR = 1, MSR = 2, DSR = 2, FIFO = 3 };              /* registers from 3F2h */
enum { DOR_NOT_RESET = 0x04, DOR_IRQ = 0x08 };
enum { DSR_RESET = 0x80 };
enum { MSR_RQM = 0x80, MSR_DIO = 0x40, MSR_BUSY = 0x10 };
enum { ST0_ABNORMAL = 0x40, ST0_INVALID = 0x80, ST0_POLLING = 0xc0, ST0_SEEK_END = 0x20, ST0_EQUIPMENT = 0x10 };
enum { ST1_END_OF_CYLINDER = 0x80, ST1_DATA_ERROR = 0x20, ST1_OVERRUN = 0x10, ST1_NO_DATA = 0x04, ST1_PROTECTED = 0x02, ST1_NO_MARK = 0x01 };
enum { ST3_TWO_SIDED = 0x08, ST3_TRACK0 = 0x10, ST3_READY = 0x20, ST3_PROTECTED = 0x40 };
enum { MULTI_TRACK = 0x80, TO_DISK = 0x01 };    /* bits of a transfer's command */

struct fdc {
    struct device dev;
    u8 dor, tdr;
    u8 command[9], got;                 /* bytes of the command phase */
    u8 result[10], given, results;      /* bytes of the result phase */
    u8 sense_st0[RESET_SENSES], sense_left;  /* what SENSE INTERRUPT has to tell, the last first */
    u8 cylinder[4];
    bool locked, busy;
    u8 rate;
    struct floppy floppy[2];
    struct dma *dma;
    struct clock *clock;
    struct timer timer;
    void (*step)(struct fdc *f);        /* what happens when the time of the command has come */
    struct irq irq;
};

static void raise_interrupt(struct fdc *f)
{
    if (f->dor & DOR_IRQ)
        irq_raise(&f->irq);
}

static void to_idle(struct fdc *f)
{
    f->got = f->given = f->results = 0;
    f->sense_left = 0;
    f->busy = false;
    timer_cancel(f->clock, &f->timer);
    irq_lower(&f->irq);
}

static void fire(void *opaque, cycles_t when)
{
    struct fdc *f = opaque;
    f->busy = false;
    f->step(f);
}

static void later(struct fdc *f, u64 ns, void (*step)(struct fdc *f))
{
    f->busy = true;
    f->step = step;
    timer_set(f->clock, &f->timer, f->clock->now + clock_ns_to_cycles(f->clock, ns));
}

/* Coming out of reset, the controller has polled its drives and tells of each. */
static void leave_reset(struct fdc *f)
{
    to_idle(f);
    for (u8 drive = 0; drive < RESET_SENSES; drive++)
        f->sense_st0[RESET_SENSES - 1 - drive] = ST0_POLLING | drive;
    f->sense_left = RESET_SENSES;
    raise_interrupt(f);
}

/* --- commands: f->command is complete --- */

static void give(struct fdc *f, const u8 *bytes, u8 n)
{
    memcpy(f->result, bytes, n);
    f->results = n;
    f->given = 0;
}

static void finish_seek(struct fdc *f, u8 st0)
{
    f->sense_st0[0] = st0;
    f->sense_left = 1;
    raise_interrupt(f);
}

static u8 drive(const struct fdc *f) { return f->command[1] & 3; }

static void do_nothing(struct fdc *f) {}
static void do_invalid(struct fdc *f) { give(f, (u8[]){ ST0_INVALID }, 1); }
static void do_version(struct fdc *f) { give(f, (u8[]){ 0x90 }, 1); }
/* The disk in the drive that the command names; NULL: no drive. */
static const struct floppy *disk(const struct fdc *f)
{
    unsigned n = drive(f);
    return n < ARRAY_LEN(f->floppy) && f->floppy[n].image ? &f->floppy[n] : NULL;
}

static void do_sense_drive(struct fdc *f)
{
    const struct floppy *d = disk(f);
    u8 st3 = f->command[1] & 7;
    if (d)
        st3 |= ST3_READY | ST3_TWO_SIDED | (f->cylinder[drive(f)] ? 0 : ST3_TRACK0) | (block_readonly(d->image) ? ST3_PROTECTED : 0);
    give(f, &st3, 1);
}
static void do_dump(struct fdc *f) { give(f, (u8[10]){ f->cylinder[0], f->cylinder[1], f->cylinder[2], f->cylinder[3], [7] = f->locked << 7 }, 10); }
static void seek_ended(struct fdc *f) { finish_seek(f, ST0_SEEK_END | drive(f)); }

static void do_recalibrate(struct fdc *f)
{
    f->cylinder[drive(f)] = 0;
    if (disk(f))
        later(f, SEEK_NS, seek_ended);
    else
        finish_seek(f, ST0_ABNORMAL | ST0_SEEK_END | ST0_EQUIPMENT | drive(f));
}
static void do_lock(struct fdc *f)
{
    f->locked = f->command[0] & 0x80;
    give(f, (u8[]){ f->locked << 4 }, 1);
}
static void do_seek(struct fdc *f)
{
    f->cylinder[drive(f)] = f->command[2];
    if (disk(f))
        later(f, SEEK_NS, seek_ended);
    else
        seek_ended(f);
}
static void do_sense_interrupt(struct fdc *f)
{
    irq_lower(&f->irq);
    if (!f->sense_left) {
        do_invalid(f);
        return;
    }
    u8 st0 = f->sense_st0[--f->sense_left];
    give(f, (u8[]){ st0, f->cylinder[st0 & 3] }, 2);
}
/* --- transfers --- */

/* Where a transfer stands: the command's own bytes C, H, R are counted on. */
enum { C = 2, H = 3, R = 4, N = 5, EOT = 6 };

static void end_transfer(struct fdc *f, u8 st1)
{
    u8 head = f->command[1] & 4;
    give(f, (u8[7]){ (st1 ? ST0_ABNORMAL : 0) | head | drive(f), st1, 0, f->command[C], f->command[H], f->command[R], f->command[N] }, 7);
    raise_interrupt(f);
}

/* Nothing can be read without a disk, or at another rate than it was written with. */
static bool legible(const struct fdc *f) { return disk(f) && disk(f)->rate == f->rate; }

static void no_mark(struct fdc *f)
{
    memset(f->command + C, 0, 4);
    end_transfer(f, ST1_NO_DATA | ST1_NO_MARK);
}

/* On to the next sector. False: the cylinder is over. */
static bool next_sector(struct fdc *f)
{
    if (f->command[R]++ != f->command[EOT])
        return true;
    f->command[R] = 1;
    bool other_head = f->command[0] & MULTI_TRACK && !(f->command[1] & 4);
    f->command[H] ^= f->command[0] & MULTI_TRACK ? 1 : 0;
    f->command[1] ^= f->command[0] & MULTI_TRACK ? 4 : 0;
    f->command[C] += !other_head;
    return other_head;
}

/* A sector through the DMA channel. *ended: the guest's count is over. Returns ST1. */
static u8 move_sector(struct fdc *f, u8 *buf, bool *ended)
{
    bool to_disk = f->command[0] & TO_DISK;
    const struct floppy *d = disk(f);
    u8 c = f->command[C], h = !!(f->command[1] & 4), r = f->command[R];
    *ended = false;
    if (!floppy_has(d, c, h, r) || f->command[N] != 2)
        return ST1_NO_DATA;
    if (to_disk && block_readonly(d->image))
        return ST1_PROTECTED;
    if (!to_disk && !floppy_read(d, c, h, r, buf))
        return ST1_DATA_ERROR;
    if (to_disk)
        memset(buf, 0, FLOPPY_SECTOR);
    if (dma_transfer(f->dma, FDC_DMA, buf, FLOPPY_SECTOR, !to_disk, ended) < FLOPPY_SECTOR && !*ended)
        return ST1_OVERRUN;
    return to_disk && !floppy_write(d, c, h, r, buf) ? ST1_DATA_ERROR : 0;
}

/* At most the sectors of a cylinder, since next_sector() ends there. */
static void transfer(struct fdc *f)
{
    u8 buf[FLOPPY_SECTOR], st1 = 0;
    bool ended = false, more = true;
    f->cylinder[drive(f)] = f->command[C];
    while (more && !ended && !st1) {
        st1 = move_sector(f, buf, &ended);
        more = st1 || next_sector(f);
    }
    end_transfer(f, st1 ? st1 : ended ? 0 : ST1_END_OF_CYLINDER);
}

static void do_transfer(struct fdc *f)
{
    if (legible(f) && f->dma)
        later(f, SECTOR_NS * 8, transfer);
    else
        no_mark(f);
}

/* The first sector that comes by. */
static void read_id(struct fdc *f)
{
    f->command[C] = f->cylinder[drive(f)];
    f->command[H] = !!(f->command[1] & 4);
    f->command[R] = 1;
    f->command[N] = 2;
    if (floppy_has(disk(f), f->command[C], f->command[H], 1))
        end_transfer(f, 0);
    else
        no_mark(f);
}
static void do_read_id(struct fdc *f)
{
    if (legible(f))
        later(f, SECTOR_NS, read_id);
    else
        no_mark(f);
}

/* For each sector of the track the guest gives C, H, R and N; all get the same byte. */
static void format(struct fdc *f)
{
    const struct floppy *d = disk(f);
    u8 buf[FLOPPY_SECTOR], id[4], st1 = 0;
    bool ended = false;
    memset(buf, f->command[5], sizeof buf);
    for (unsigned n = 0; n < f->command[3] && !st1 && !ended; n++) {
        if (dma_transfer(f->dma, FDC_DMA, id, sizeof id, false, &ended) < sizeof id)
            st1 = ST1_OVERRUN;
        else if (block_readonly(d->image))
            st1 = ST1_PROTECTED;
        else if (!floppy_has(d, id[0], id[1], id[2]) || !floppy_write(d, id[0], id[1], id[2], buf))
            st1 = ST1_NO_DATA;
    }
    memset(f->command + C, 0, 4);
    end_transfer(f, st1);
}
static void do_format(struct fdc *f)
{
    if (legible(f) && f->dma)
        later(f, SECTOR_NS * 18, format);
    else
        no_mark(f);
}

static const struct { u8 code, mask, bytes; void (*run)(struct fdc *f); } commands[] = {
    { 0x03, 0xff, 3, do_nothing },          /* SPECIFY */
    { 0x04, 0xff, 2, do_sense_drive },      /* SENSE DRIVE STATUS */
    { 0x07, 0xff, 2, do_recalibrate },      /* RECALIBRATE */
    { 0x08, 0xff, 1, do_sense_interrupt },  /* SENSE INTERRUPT STATUS */
    { 0x0e, 0xff, 1, do_dump },             /* DUMPREG */
    { 0x0f, 0xff, 3, do_seek },             /* SEEK */
    { 0x10, 0xff, 1, do_version },          /* VERSION */
    { 0x12, 0xff, 2, do_nothing },          /* PERPENDICULAR MODE */
    { 0x13, 0xff, 4, do_nothing },          /* CONFIGURE */
    { 0x14, 0x7f, 1, do_lock },             /* LOCK, UNLOCK */
    { 0x0a, 0x1f, 2, do_read_id },          /* READ ID */
    { 0x0d, 0x1f, 6, do_format },           /* FORMAT TRACK */
    { 0x02, 0x1f, 9, do_transfer },         /* READ TRACK */
    { 0x05, 0x1f, 9, do_transfer },         /* WRITE DATA */
    { 0x06, 0x1f, 9, do_transfer },         /* READ DATA */
    { 0x09, 0x1f, 9, do_transfer },         /* WRITE DELETED DATA */
    { 0x0c, 0x1f, 9, do_transfer },         /* READ DELETED DATA */
    { 0x00, 0x00, 1, do_invalid },          /* all others */
};

static unsigned find_command(u8 code)
{
    unsigned i = 0;
    while ((code & commands[i].mask) != commands[i].code)
        i++;
    return i;
}

static void fifo_write(struct fdc *f, u8 value)
{
    if (!(f->dor & DOR_NOT_RESET) || f->results || f->busy)
        return;
    f->command[f->got++] = value;
    unsigned c = find_command(f->command[0]);
    if (f->got < commands[c].bytes)
        return;
    f->got = 0;
    commands[c].run(f);
}

static u8 fifo_read(struct fdc *f)
{
    if (!f->results)
        return 0;
    irq_lower(&f->irq);
    u8 value = f->result[f->given++];
    if (f->given == f->results)
        f->given = f->results = 0;
    return value;
}

/* --- registers --- */

static u8 main_status(const struct fdc *f)
{
    if (!(f->dor & DOR_NOT_RESET))
        return 0;
    if (f->busy)
        return MSR_BUSY;
    return MSR_RQM | (f->results ? MSR_DIO | MSR_BUSY : f->got ? MSR_BUSY : 0);
}

static void write_dor(struct fdc *f, u8 value)
{
    bool was_reset = !(f->dor & DOR_NOT_RESET);
    f->dor = value;
    if (!(value & DOR_NOT_RESET))
        to_idle(f);
    else if (was_reset)
        leave_reset(f);
}

static void write_dsr(struct fdc *f, u8 value)
{
    f->rate = value & 3;
    if (value & DSR_RESET)
        leave_reset(f);
}

static u64 fdc_read(void *dev, u64 offset, unsigned size)
{
    struct fdc *f = dev;
    switch (offset) {
    case DOR: return f->dor;
    case TDR: return f->tdr;
    case MSR: return main_status(f);
    default: return fifo_read(f);
    }
}

static void fdc_write(void *dev, u64 offset, unsigned size, u64 value)
{
    struct fdc *f = dev;
    if (offset == DOR)
        write_dor(f, value);
    else if (offset == TDR)
        f->tdr = value & 3;
    else if (offset == DSR)
        write_dsr(f, value);
    else if (offset == FIFO)
        fifo_write(f, value);
}

/* 3F7h: nobody has changed a disk; written, it is the data rate. */
static u64 dir_read(void *dev, u64 offset, unsigned size) { return 0; }
static void ccr_write(void *dev, u64 offset, unsigned size, u64 value) { ((struct fdc *)dev)->rate = value & 3; }

static const char *fdc_reg(u64 offset) { return (const char *[]){ "dor", "tdr", "msr", "fifo" }[offset & 3]; }
static const char *dir_reg(u64 offset) { return "dir"; }
static const struct bus_ops fdc_ports = { fdc_read, fdc_write, .reg_name = fdc_reg };
static const struct bus_ops dir_ports = { dir_read, ccr_write, .reg_name = dir_reg };

static void fdc_reset(struct device *d)
{
    struct fdc *f = (struct fdc *)d;
    to_idle(f);
    memset(f->cylinder, 0, sizeof f->cylinder);
    f->dor = f->tdr = f->rate = 0;
    f->locked = false;
}

static struct device *fdc_create(struct platform *to, struct error *err)
{
    struct fdc *f = device_new(&fdc_ops, sizeof *f, err);
    if (!f)
        return NULL;
    f->irq = to->isa_irq[FDC_IRQ];
    f->clock = to->clock;
    f->timer = (struct timer){ .fire = fire, .opaque = f };
    f->dma = to->dma;
    if (floppy_insert(&f->floppy[0], to->floppy[0], err) || floppy_insert(&f->floppy[1], to->floppy[1], err) ||
        bus_add_ports(to->bus, "fdc", 0x3f2, 4, &fdc_ports, f, err) || bus_add_ports(to->bus, "fdc", 0x3f7, 1, &dir_ports, f, err)) {
        free(f);
        return NULL;
    }
    return &f->dev;
}

static void fdc_destroy(struct device *d)
{
    struct fdc *f = (struct fdc *)d;
    timer_cancel(f->clock, &f->timer);
    free(f);
}

const struct device_ops fdc_ops = {
    "fdc", "82077AA floppy disk controller", fdc_create, fdc_reset, fdc_destroy, NULL,
};
