/* SPDX-License-Identifier: MIT */
/*
 * Inside the IDE controller: a channel with two drives, as ATA/ATAPI-6 (T13/1410D) describes them. ide.c has the registers and
 * the transfer of data, ata.c the commands of disks, atapi.c those of CD drives, ide_dma.c the bus master, ide_pci.c the whole.
 */
#ifndef EMU_DEVICES_IDE_H
#define EMU_DEVICES_IDE_H

#include "devices/block/block.h"
#include "devices/pci/pci.h"

extern const struct device_ops ide_ops;

enum { SECTOR = 512, IDE_BUFFER = 64 << 10, IDE_MULTIPLE_MAX = 16 /* sectors */ };

/* Status and error register (ATA/ATAPI-6, 7.14 and 7.9). */
enum { ST_BSY = 0x80, ST_DRDY = 0x40, ST_DF = 0x20, ST_DSC = 0x10, ST_DRQ = 0x08, ST_ERR = 0x01 };
enum { ERR_UNC = 0x40, ERR_IDNF = 0x10, ERR_ABRT = 0x04 };
enum { DEV_LBA = 0x40, DEV_SECOND = 0x10 };
enum { CTL_HOB = 0x80, CTL_RESET = 0x04, CTL_NO_IRQ = 0x02 };

/* The registers that hold a command's arguments; [1] is what was written before, for 48-bit commands. */
struct ide_taskfile { u8 feature[2], count[2], lba[3][2], device; };

struct ide_channel;

struct ide_drive {
    struct ide_channel *channel;
    struct block *image;            /* NULL: no drive */
    bool is_cd;
    struct ide_taskfile tf;
    u8 status, error;
    u8 multiple;                    /* sectors of a READ MULTIPLE block, 0: off */
    u8 transfer_mode;               /* of SET FEATURES 03h */
    u16 heads, sectors;             /* of the geometry in use */

    /* The data phase. PIO: the host moves buf[at..end); then drained() or filled() goes on. */
    u8 buf[IDE_BUFFER];
    u32 at, end;
    bool to_host;                   /* direction */
    bool from_buffer;               /* the data is in buf already, not in the image */
    bool dma;                       /* the bus master moves the data */
    u64 pos, left;                  /* bytes of the image that remain to be moved */
    u32 chunk;                      /* bytes of one PIO block */
    void (*moved)(struct ide_drive *d);     /* the host has moved the block */
    void (*step)(struct ide_drive *d);      /* what the running command does when its time has come */

    /* ATAPI */
    u8 packet[12];
    u8 sense, asc, ascq;
    bool tray_open;
};

struct ide_channel {
    struct ide_drive drive[2];
    unsigned selected;
    u8 control;
    bool intrq;                     /* the drive's interrupt request */
    struct irq irq;
    struct clock *clock;
    struct timer timer;             /* one command at a time */
    struct ide_drive *running;      /* whose step() comes */
    struct pci_function *master;    /* for its access to memory */
    struct { u8 command, status; u32 table; } bm;   /* bus master registers */
};

/* --- ide.c --- */

void ide_channel_init(struct ide_channel *c, struct clock *clock, struct irq irq, struct pci_function *master);
void ide_channel_reset(struct ide_channel *c);
void ide_channel_fini(struct ide_channel *c);
extern const struct bus_ops ide_command_ports, ide_control_ports;   /* dev is the channel */

static inline bool ide_present(const struct ide_drive *d) { return d->image; }

/* BSY for the time that a command with `bytes` of data takes; then step(d). */
void ide_later(struct ide_drive *d, u64 bytes, void (*step)(struct ide_drive *d));
/* The command is over: status, and an interrupt. */
void ide_done(struct ide_drive *d);
void ide_fail(struct ide_drive *d, u8 status, u8 error);
/* Offer buf[at..end) to the host, or ask it to fill that; moved(d) follows when it has. */
void ide_offer(struct ide_drive *d, void (*moved)(struct ide_drive *d), bool interrupt);
void ide_signature(struct ide_drive *d);

/* --- ide_dma.c --- */

extern const struct bus_ops ide_bm_ports;       /* dev is an array of two channels */
/* The drive is ready to move its data: as soon as the bus master has been started, it happens, and finish(d) or fail(d) follows. */
void ide_dma_ready(struct ide_drive *d);
/* Move everything that is left. False: the image, or the guest's table, does not allow it. */
enum ide_dma_end { DMA_DONE, DMA_SHORT /* the table ended first */, DMA_IMAGE /* the host failed */, DMA_BUS /* no such memory */ };
enum ide_dma_end ide_dma_move(struct ide_drive *d);
void ide_dma_interrupt(struct ide_channel *c);

/* --- ata.c, atapi.c --- */

void ata_command(struct ide_drive *d, u8 command);
void ata_identify(struct ide_drive *d);
/* The machine is reset or turned off: what the host has handed over is in the disk's buffer, and gets to the disk. */
void ata_keep_written(struct ide_drive *d);
void atapi_identify(struct ide_drive *d);
void atapi_packet(struct ide_drive *d);
/* Text into words of an IDENTIFY block, padded with blanks: two characters a word, the first in the high byte. */
void ide_put_text(u8 *at, unsigned len, const char *text);

#endif
