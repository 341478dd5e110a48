/* SPDX-License-Identifier: MIT */
/*
 * The first IDE channel with its bus master (Bus Master IDE 1.0), one request at a time, as the interface has it. Each request is seven
 * port accesses for the drive and two for the bus master; its end three more, and two for the interrupt controllers.
 */
#include "pci/pci.h"
#include "../blkload.h"

enum { DATA = 0x1f0, COUNT = 0x1f2, LBA0 = 0x1f3, LBA1 = 0x1f4, LBA2 = 0x1f5, DEVICE = 0x1f6, COMMAND = 0x1f7, BUS_MASTER = 0xd000, BM_COMMAND = 0, BM_STATUS = 2, BM_TABLE = 4 };
enum { READ_DMA = 0xc8, WRITE_DMA = 0xca, START = 1, TO_MEMORY = 8, INTERRUPT = 4, LBA = 0xe0, LINE = 14, PIIX3_IDE = 0x80000000u | 1 << 11 | 1 << 8 };

static struct { u32 at; u16 len, last; } volatile region __attribute__((aligned(8)));
static u32 finished;

static void interrupt(void)
{
    if (!(io_in8(BUS_MASTER + BM_STATUS) & INTERRUPT))
        return;
    io_out8(BUS_MASTER + BM_COMMAND, 0);
    if (io_in8(COMMAND) & 1)
        kernel_panic("blkload: the disk failed");
    finished++;
}

static void submit_one(_Bool write, u32 sector)
{
    u32 target = finished + 1;
    region.at = (u32)disk_page[finished % DISK_PAGES];
    io_out8(DEVICE, LBA);
    io_out8(COUNT, PAGE_SECTORS);
    io_out8(LBA0, sector);
    io_out8(LBA1, sector >> 8);
    io_out8(LBA2, sector >> 16);
    io_out8(BUS_MASTER + BM_STATUS, INTERRUPT);
    io_out8(COMMAND, write ? WRITE_DMA : READ_DMA);
    io_out8(BUS_MASTER + BM_COMMAND, START | (write ? 0 : TO_MEMORY));
    while (finished != target)
        kernel_idle();
}

static void submit(_Bool write, u32 sector, u32 count)
{
    for (u32 i = 0; i < count; i++)
        submit_one(write, sector + i * PAGE_SECTORS);
}

static u32 done(void) { return finished; }

static _Bool open(void)
{
    if (pci_read(PIIX3_IDE, 0) != 0x70108086 || io_in8(COMMAND) == 0xff || !io_in8(COMMAND))
        return 0;
    pci_write(PIIX3_IDE, PCI_BAR0 + 16, BUS_MASTER);
    pci_write(PIIX3_IDE, PCI_COMMAND, 5);
    region.len = PAGE;
    region.last = 0x8000;
    io_out32(BUS_MASTER + BM_TABLE, (u32)&region);
    interrupt_install(LINE, interrupt);
    return 1;
}

const struct disk_path path_ide = { "ide", DISK_PAGES, open, submit, done, 0, kernel_idle };
