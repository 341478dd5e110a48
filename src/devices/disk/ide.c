/* SPDX-License-Identifier: MIT */
/*
 * The registers of an IDE channel, and how data passes through its data port. What takes time sets BSY and a timer; only
 * the timer's event changes the image or offers data, so a run repeats exactly.
 */
#include "devices/disk/ide.h"

#include <string.h>

#include "devices/block/block_host.h"

#define COMMAND_NS 10000u           /* from a command to its first byte: nobody wants to wait for heads */
#define BYTES_PER_US 1000u          /* between image and buffer */

enum { REG_DATA, REG_FEATURE, REG_COUNT, REG_LBA0, REG_LBA1, REG_LBA2, REG_DEVICE, REG_COMMAND };
enum { CMD_DEVICE_RESET = 0x08, CMD_PACKET = 0xa0 };

static struct ide_drive *selected(struct ide_channel *c) { return &c->drive[c->selected]; }
static bool empty(const struct ide_channel *c) { return !ide_present(&c->drive[0]) && !ide_present(&c->drive[1]); }

/* --- interrupts and time --- */

static void update_irq(struct ide_channel *c) { irq_set(&c->irq, c->intrq && !(c->control & CTL_NO_IRQ)); }

static void set_intrq(struct ide_channel *c, bool level)
{
    if (level && !c->intrq)
        ide_dma_interrupt(c);
    c->intrq = level;
    update_irq(c);
}

static void timer_fired(void *opaque, cycles_t when)
{
    struct ide_channel *c = opaque;
    struct ide_drive *d = c->running;
    c->running = NULL;
    d->step(d);
}

void ide_later(struct ide_drive *d, u64 bytes, void (*step)(struct ide_drive *d))
{
    struct ide_channel *c = d->channel;
    d->status = ST_BSY;
    d->step = step;
    c->running = d;
    timer_set(c->clock, &c->timer, c->clock->now + block_doorbell(d->image) + clock_ns_to_cycles(c->clock, COMMAND_NS + bytes * 1000 / BYTES_PER_US));
}

void ide_done(struct ide_drive *d)
{
    d->status = ST_DRDY | ST_DSC;
    set_intrq(d->channel, true);
}

void ide_fail(struct ide_drive *d, u8 status, u8 error)
{
    d->status = ST_DRDY | ST_DSC | ST_ERR | status;
    d->error = error;
    set_intrq(d->channel, true);
}

/* --- data --- */

void ide_offer(struct ide_drive *d, void (*moved)(struct ide_drive *d), bool interrupt)
{
    d->status = ST_DRDY | ST_DSC | ST_DRQ;
    d->moved = moved;
    if (interrupt)
        set_intrq(d->channel, true);
}

static void data_moved(struct ide_drive *d, unsigned size)
{
    d->at += size;
    if (d->at < d->end)
        return;
    d->status &= ~ST_DRQ;
    d->moved(d);
}

/* Can `size` bytes pass in this direction? The last word of an odd number is padded. */
static unsigned passable(const struct ide_drive *d, unsigned size, bool to_host)
{
    u32 left = d->end - d->at;
    if (!(d->status & ST_DRQ) || d->to_host != to_host)
        return 0;
    return size < left ? size : left;
}

static u64 read_data(struct ide_drive *d, unsigned size)
{
    u64 value = 0;
    unsigned n = passable(d, size, true);
    memcpy(&value, d->buf + d->at, n);
    if (n)
        data_moved(d, n);
    return value;
}

static void write_data(struct ide_drive *d, unsigned size, u64 value)
{
    unsigned n = passable(d, size, false);
    memcpy(d->buf + d->at, &value, n);
    if (n)
        data_moved(d, n);
}

/* --- reset --- */

/* By which a driver tells disks from CD drives (ATA/ATAPI-6, 9.12). */
void ide_signature(struct ide_drive *d)
{
    memset(&d->tf.count, 0, sizeof d->tf.count);
    memset(&d->tf.lba, 0, sizeof d->tf.lba);
    d->tf.count[0] = d->tf.lba[0][0] = 1;
    d->tf.lba[1][0] = d->is_cd ? 0x14 : 0;
    d->tf.lba[2][0] = d->is_cd ? 0xeb : 0;
    d->tf.device &= ~0x0f;
}

static void reset_drive(struct ide_drive *d)
{
    d->at = d->end = 0;
    d->dma = false;
    d->multiple = IDE_MULTIPLE_MAX;
    d->tray_open = false;
    d->sense = d->asc = d->ascq = 0;
    d->transfer_mode = 0;
    d->heads = 16;
    d->sectors = 63;
    d->error = 1;               /* diagnostics passed */
    d->tf.device = 0;
    ide_signature(d);
    d->status = !ide_present(d) ? 0 : d->is_cd ? ST_DSC : ST_DRDY | ST_DSC;
}

static void stop(struct ide_channel *c)
{
    if (c->running)
        ata_keep_written(c->running);
    timer_cancel(c->clock, &c->timer);
    c->running = NULL;
    c->bm.status &= ~1;
}

static void reset_drives(struct ide_channel *c)
{
    stop(c);
    c->selected = 0;
    for (int i = 0; i < 2; i++)
        reset_drive(&c->drive[i]);
    set_intrq(c, false);
}

void ide_channel_reset(struct ide_channel *c)
{
    memset(&c->bm, 0, sizeof c->bm);
    c->control = 0;
    for (int i = 0; i < 2; i++)
        memset(&c->drive[i].tf, 0, sizeof c->drive[i].tf);
    reset_drives(c);
}

void ide_channel_init(struct ide_channel *c, struct clock *clock, struct irq irq, struct pci_function *master)
{
    c->clock = clock;
    c->irq = irq;
    c->master = master;
    c->timer = (struct timer){ .fire = timer_fired, .opaque = c };
    for (int i = 0; i < 2; i++)
        c->drive[i].channel = c;
}

void ide_channel_fini(struct ide_channel *c)
{
    if (c->clock)
        stop(c);
}

/* DEVICE RESET: of this drive, also while it is busy. */
static void device_reset(struct ide_drive *d)
{
    if (d->channel->running == d)
        stop(d->channel);
    d->at = d->end = 0;
    d->dma = false;
    d->error = 1;
    d->status = 0;
    ide_signature(d);
}

/* --- registers --- */

static void write_command(struct ide_channel *c, u8 command)
{
    struct ide_drive *d = selected(c);
    if (!ide_present(d))
        return;
    if (command == CMD_DEVICE_RESET && d->is_cd) {
        device_reset(d);
        return;
    }
    if (d->status & (ST_BSY | ST_DRQ) || c->running)
        return;
    set_intrq(c, false);
    d->error = 0;
    d->at = d->end = 0;
    d->dma = d->from_buffer = false;
    ata_command(d, command);
}

static void latch(u8 reg[2], u8 value)
{
    reg[1] = reg[0];
    reg[0] = value;
}

/* Both drives see what is written, but for the one that is busy. */
static void write_taskfile(struct ide_drive *d, u64 reg, u8 value)
{
    if (d->status & (ST_BSY | ST_DRQ))
        return;
    switch (reg) {
    case REG_FEATURE: latch(d->tf.feature, value); break;
    case REG_COUNT: latch(d->tf.count, value); break;
    case REG_DEVICE: d->tf.device = value; break;
    default: latch(d->tf.lba[reg - REG_LBA0], value); break;
    }
}

static void write_register(struct ide_channel *c, u64 reg, u8 value)
{
    if (reg == REG_COMMAND) {
        write_command(c, value);
        return;
    }
    for (int i = 0; i < 2; i++)
        write_taskfile(&c->drive[i], reg, value);
    if (reg == REG_DEVICE)
        c->selected = !!(value & DEV_SECOND);
}

static u8 read_status(const struct ide_channel *c) { return empty(c) ? 0xff : c->drive[c->selected].status; }

static u8 read_register(struct ide_channel *c, u64 reg)
{
    struct ide_drive *d = selected(c);
    bool hob = c->control & CTL_HOB;
    if (empty(c))
        return 0xff;
    switch (reg) {
    case REG_FEATURE: return d->error;
    case REG_COUNT: return d->tf.count[hob];
    case REG_DEVICE: return 0xa0 | d->tf.device;
    case REG_COMMAND: set_intrq(c, false); return read_status(c);
    default: return d->tf.lba[reg - REG_LBA0][hob];
    }
}

static u64 command_read(void *dev, u64 offset, unsigned size)
{
    u64 value = 0;
    if (offset == REG_DATA)
        return empty(dev) ? ~(u64)0 : read_data(selected(dev), size);
    for (unsigned i = 0; i < size; i++)
        value |= (u64)read_register(dev, offset + i) << 8 * i;
    return value;
}

static void command_write(void *dev, u64 offset, unsigned size, u64 value)
{
    if (offset == REG_DATA)
        write_data(selected(dev), size, value);
    else
        for (unsigned i = 0; i < size; i++)
            write_register(dev, offset + i, value >> 8 * i);
}

static u64 control_read(void *dev, u64 offset, unsigned size) { return read_status(dev); }

static void control_write(void *dev, u64 offset, unsigned size, u64 value)
{
    struct ide_channel *c = dev;
    bool was_reset = c->control & CTL_RESET;
    c->control = value;
    if (value & CTL_RESET && !was_reset)
        reset_drives(c);
    for (int i = 0; i < 2 && value & CTL_RESET; i++)
        c->drive[i].status = ide_present(&c->drive[i]) ? ST_BSY : 0;
    if (was_reset && !(value & CTL_RESET))
        reset_drives(c);
    update_irq(c);
}

static const char *command_reg(u64 offset)
{
    return (const char *[]){ "data", "feature/error", "count", "lba0", "lba1", "lba2", "device", "command/status" }[offset & 7];
}
static const char *control_reg(u64 offset) { return "control/alt-status"; }
const struct bus_ops ide_command_ports = { command_read, command_write, 1, 4, command_reg };
const struct bus_ops ide_control_ports = { control_read, control_write, .reg_name = control_reg };
