/* SPDX-License-Identifier: MIT */
/*
 * The floppy disk controller of a PC that has no floppy drives: an Intel 82077AA (its data sheet's registers and commands),
 * which resets, reports its version, seeks nothing, and finds no address mark on any disk. Without it, drivers
 * wait long seconds for an answer that never comes. (The status register is always ready: nothing here takes time.)
 */
#include <stdlib.h>
#include <string.h>

#include "devices/small.h"

enum { FDC_IRQ = 6, RESET_SENSES = 4 /* one SENSE INTERRUPT for each drive that could be there */ };
enum { DOR = 0, TDR = 1, MSR = 2, DSR = 2, FIFO = 3 };              /* registers from 3F2h */
enum { DOR_NOT_RESET = 0x04, DOR_IRQ = 0x08 };
enum { DSR_RESET = 0x80 };
enum { MSR_RQM = 0x80, MSR_DIO = 0x40, MSR_BUSY = 0x10 };
enum { ST0_ABNORMAL = 0x40, ST0_INVALID = 0x80, ST0_POLLING = 0xc0, ST0_SEEK_END = 0x20, ST0_EQUIPMENT = 0x10 };
enum { ST1_NO_DATA = 0x04, ST1_NO_MARK = 0x01 };

struct fdc {
    struct device dev;
    u8 dor, tdr;
    u8 command[9], got;                 /* bytes of the command phase */
    u8 result[10], given, results;      /* bytes of the result phase */
    u8 sense_st0[RESET_SENSES], sense_left;  /* what SENSE INTERRUPT has to tell, the last first */
    u8 cylinder[4];
    bool locked;
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
    irq_lower(&f->irq);
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
static void do_sense_drive(struct fdc *f) { give(f, (u8[]){ f->command[1] & 7 }, 1); }
static void do_dump(struct fdc *f) { give(f, (u8[10]){ f->cylinder[0], f->cylinder[1], f->cylinder[2], f->cylinder[3], [7] = f->locked << 7 }, 10); }
static void do_recalibrate(struct fdc *f) { finish_seek(f, ST0_ABNORMAL | ST0_SEEK_END | ST0_EQUIPMENT | drive(f)); }
static void do_lock(struct fdc *f)
{
    f->locked = f->command[0] & 0x80;
    give(f, (u8[]){ f->locked << 4 }, 1);
}
static void do_seek(struct fdc *f)
{
    f->cylinder[drive(f)] = f->command[2];
    finish_seek(f, ST0_SEEK_END | drive(f));
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
/* Reads, writes and formats end without having seen an address mark. */
static void do_transfer(struct fdc *f)
{
    give(f, (u8[7]){ ST0_ABNORMAL | (f->command[1] & 7), ST1_NO_DATA | ST1_NO_MARK }, 7);
    raise_interrupt(f);
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
    { 0x0a, 0x1f, 2, do_transfer },         /* READ ID */
    { 0x0d, 0x1f, 6, do_transfer },         /* FORMAT TRACK */
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
    if (!(f->dor & DOR_NOT_RESET) || f->results)
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
    else if (offset == DSR && value & DSR_RESET)
        leave_reset(f);
    else if (offset == FIFO)
        fifo_write(f, value);
}

/* 3F7h: nobody has changed a disk; the data rate does not matter. */
static u64 dir_read(void *dev, u64 offset, unsigned size) { return 0; }
static void ccr_write(void *dev, u64 offset, unsigned size, u64 value) {}

static const char *fdc_reg(u64 offset) { return (const char *[]){ "dor", "tdr", "msr", "fifo" }[offset & 3]; }
static const char *dir_reg(u64 offset) { return "dir"; }
static const struct bus_ops fdc_ports = { fdc_read, fdc_write, .reg_name = fdc_reg };
static const struct bus_ops dir_ports = { dir_read, ccr_write, .reg_name = dir_reg };

static void fdc_reset(struct device *d)
{
    struct fdc *f = (struct fdc *)d;
    to_idle(f);
    memset(f->cylinder, 0, sizeof f->cylinder);
    f->dor = f->tdr = 0;
    f->locked = false;
}

static struct device *fdc_create(struct platform *to, struct error *err)
{
    struct fdc *f = device_new(&fdc_ops, sizeof *f, err);
    if (!f)
        return NULL;
    f->irq = to->isa_irq[FDC_IRQ];
    if (bus_add_ports(to->bus, "fdc", 0x3f2, 4, &fdc_ports, f, err) || bus_add_ports(to->bus, "fdc", 0x3f7, 1, &dir_ports, f, err)) {
        free(f);
        return NULL;
    }
    return &f->dev;
}

static void fdc_destroy(struct device *d) { free(d); }

const struct device_ops fdc_ops = {
    "fdc", "82077AA floppy disk controller, without drives", fdc_create, fdc_reset, fdc_destroy, NULL,
};
