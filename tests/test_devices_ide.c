/* SPDX-License-Identifier: MIT */
/* The IDE controller, driven by its registers: a disk on the first channel, a CD on the second, and nonsense. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "devices/chipset/fwcfg.h"
#include "devices/chipset/small.h"
#include "devices/disk/ide.h"
#include "devices_rig.h"

enum { SECTORS = 2048, BLOCKS = 200, MIB = 1 << 20, BM = 0xc000, PRD = 0x10000, BUFFER = 0x20000 };
enum { IRQ_DISK = 14, IRQ_CD = 15, DISK = 0x1f0, CD = 0x170 };
enum { BSY = 0x80, DRDY = 0x40, DF = 0x20, DRQ = 0x08, ERR = 0x01 };

static char disk_path[] = "/tmp/emu-test-disk-XXXXXX", cd_path[] = "/tmp/emu-test-cd-XXXXXX";

struct ide_rig { struct rig r; struct block *disk, *cd; };

/* Every word of a sector is the sector's number; so is every byte of a CD's block, by 8 bits. */
static void make_images(void)
{
    u16 sector[256];
    u8 block[2048];
    FILE *f = fopen(disk_path, "w");
    for (unsigned i = 0; i < SECTORS; i++) {
        for (unsigned w = 0; w < 256; w++)
            sector[w] = i;
        fwrite(sector, 1, sizeof sector, f);
    }
    fclose(f);
    f = fopen(cd_path, "w");
    for (unsigned i = 0; i < BLOCKS; i++) {
        memset(block, i, sizeof block);
        fwrite(block, 1, sizeof block, f);
    }
    fclose(f);
}

static u32 config_at(unsigned slot, unsigned func, unsigned reg) { return 0x80000000 | slot << 11 | func << 8 | reg; }
static void config_write(struct rig *r, unsigned slot, unsigned func, unsigned reg, unsigned size, u32 value)
{
    out32(r, 0xcf8, config_at(slot, func, reg & ~3));
    bus_io_write(&r->bus, 0xcfc + (reg & 3), size, value);
}
static u32 config_read(struct rig *r, unsigned slot, unsigned func, unsigned reg)
{
    out32(r, 0xcf8, config_at(slot, func, reg));
    return in32(r, 0xcfc);
}

static void start(struct ide_rig *t, unsigned flags)
{
    struct rig *r = &t->r;
    rig_init(r, 1000000000);
    physmap_add_ram(&r->map, "ram", 0, MIB, &r->err);
    r->platform.ide[0].image = t->disk = block_open(disk_path, flags, &r->err);
    r->platform.ide[2].image = t->cd = block_open(cd_path, BLOCK_READONLY, &r->err);
    r->platform.ide[2].is_cd = true;
    if (!t->disk || !t->cd)
        abort();
    rig_add(r, &pci_host_ops);
    rig_add(r, &piix3_ops);
    rig_add(r, &ide_ops);
    rig_add(r, &fwcfg_ops);
    config_write(r, 1, 1, 0x20, 4, BM);
    config_write(r, 1, 1, 0x04, 2, 0x0005);
}

static void finish(struct ide_rig *t)
{
    rig_fini(&t->r);
    block_close(t->disk);
    block_close(t->cd);
}

/* The registers of a 28-bit command, and the command. */
static void command28(struct rig *r, u16 base, u32 lba, u8 count, u8 command)
{
    out8(r, base + 6, 0xe0 | (lba >> 24 & 15));
    out8(r, base + 2, count);
    for (int i = 0; i < 3; i++)
        out8(r, base + 3 + i, lba >> 8 * i);
    out8(r, base + 7, command);
}

static void command48(struct rig *r, u64 lba, u16 count, u8 command)
{
    out8(r, DISK + 6, 0xe0);
    out8(r, DISK + 2, count >> 8);
    for (int i = 0; i < 3; i++)
        out8(r, DISK + 3 + i, lba >> (24 + 8 * i));
    out8(r, DISK + 2, count);
    for (int i = 0; i < 3; i++)
        out8(r, DISK + 3 + i, lba >> 8 * i);
    out8(r, DISK + 7, command);
}

/* Time passes until the drive is not busy; its status. */
static u8 wait_idle(struct rig *r, u16 base)
{
    for (int i = 0; i < 1000 && in8(r, base + 0x206) & BSY; i++)
        rig_run(r, 10000);
    return in8(r, base + 7);
}

static void read_words(struct rig *r, u16 base, u16 *to, unsigned words)
{
    while (words--)
        *to++ = in16(r, base);
}

static void test_identify(void)
{
    struct ide_rig t;
    u16 id[256];
    start(&t, 0);
    command28(&t.r, DISK, 0, 0, 0xec);
    CHECK_EQ(in8(&t.r, DISK + 7), BSY);
    CHECK_EQ(wait_idle(&t.r, DISK) & (DRDY | DRQ | ERR), DRDY | DRQ);
    CHECK_EQ(t.r.rises[IRQ_DISK], 1);
    read_words(&t.r, DISK, id, 256);
    CHECK_EQ(in8(&t.r, DISK + 7) & DRQ, 0);
    CHECK_EQ(id[60] | id[61] << 16, SECTORS);
    CHECK_EQ(id[100], SECTORS);
    CHECK_EQ(id[27], 'E' << 8 | 'M');
    command28(&t.r, CD, 0, 0, 0xec);            /* a CD drive refuses, and shows what it is */
    CHECK(wait_idle(&t.r, CD) & ERR);
    CHECK_EQ(in8(&t.r, CD + 4), 0x14);
    CHECK_EQ(in8(&t.r, CD + 5), 0xeb);
    command28(&t.r, CD, 0, 0, 0xa1);
    CHECK(wait_idle(&t.r, CD) & DRQ);
    CHECK_EQ(in16(&t.r, CD), 0x85c0);
    finish(&t);
}

static void test_reset_signature(void)
{
    struct ide_rig t;
    start(&t, 0);
    out8(&t.r, 0x376, 0x04);
    CHECK_EQ(in8(&t.r, 0x376), BSY);
    out8(&t.r, 0x376, 0x00);
    CHECK_EQ(in8(&t.r, CD + 4), 0x14);
    CHECK_EQ(in8(&t.r, CD + 1), 1);
    out8(&t.r, CD + 6, 0x10);                   /* no second drive */
    CHECK_EQ(in8(&t.r, CD + 7), 0);
    finish(&t);
}

/* READ SECTORS, one interrupt each; READ MULTIPLE, one a block; 48-bit. */
static void test_pio_read(void)
{
    static const struct { u8 command; bool wide; unsigned lba, count, interrupts; } row[] = {
        { 0x20, false, 5, 3, 3 }, { 0xc4, false, 100, 20, 2 }, { 0x24, true, 2047, 1, 1 }, { 0x29, true, 64, 16, 1 }, { 0x20, false, 1000, 0, 256 },
    };
    struct ide_rig t;
    u16 data[256];
    start(&t, 0);
    command28(&t.r, DISK, 0, 16, 0xc6);
    CHECK_EQ(wait_idle(&t.r, DISK) & ERR, 0);
    for (unsigned i = 0; i < ARRAY_LEN(row); i++) {
        unsigned before = t.r.rises[IRQ_DISK], count = row[i].count ? row[i].count : 256;
        check_context("row %u", i);
        if (row[i].wide)
            command48(&t.r, row[i].lba, row[i].count, row[i].command);
        else
            command28(&t.r, DISK, row[i].lba, row[i].count, row[i].command);
        for (unsigned n = 0; n < count; n++) {
            if (!CHECK_EQ(wait_idle(&t.r, DISK) & (DRQ | ERR), DRQ))
                break;
            read_words(&t.r, DISK, data, 256);
            CHECK(data[0] == row[i].lba + n && data[255] == row[i].lba + n);
        }
        CHECK_EQ(wait_idle(&t.r, DISK) & (DRQ | ERR), 0);
        CHECK_EQ(t.r.rises[IRQ_DISK] - before, row[i].interrupts);
    }
    finish(&t);
}

static void test_chs(void)
{
    struct ide_rig t;
    start(&t, 0);
    out8(&t.r, DISK + 6, 0xa1);                 /* head 1 */
    out8(&t.r, DISK + 2, 1);
    out8(&t.r, DISK + 3, 7);
    out8(&t.r, DISK + 4, 1);                    /* cylinder 1 */
    out8(&t.r, DISK + 5, 0);
    out8(&t.r, DISK + 7, 0x20);
    wait_idle(&t.r, DISK);
    CHECK_EQ(in16(&t.r, DISK), (1 * 16 + 1) * 63 + 6);
    finish(&t);
}

static void test_pio_write(void)
{
    struct ide_rig t;
    u8 back[512];
    start(&t, BLOCK_SNAPSHOT);
    command28(&t.r, DISK, 10, 2, 0x30);
    for (unsigned n = 0; n < 2; n++) {
        CHECK_EQ(wait_idle(&t.r, DISK) & (DRQ | ERR), DRQ);
        for (unsigned w = 0; w < 256; w++)
            out16(&t.r, DISK, 0x5500 + n);
    }
    CHECK_EQ(wait_idle(&t.r, DISK) & (DRQ | ERR), 0);
    CHECK_EQ(t.r.rises[IRQ_DISK], 2);
    block_read(t.disk, 11 * 512, back, 512);
    CHECK_EQ(back[1], 0x55);
    CHECK_EQ(back[0], 1);
    finish(&t);
}

static void test_out_of_range(void)
{
    static const u8 commands[] = { 0x20, 0x30, 0xc8, 0xca, 0x40 };
    struct ide_rig t;
    start(&t, BLOCK_SNAPSHOT);
    for (unsigned i = 0; i < ARRAY_LEN(commands); i++) {
        check_context("command %02x", commands[i]);
        command28(&t.r, DISK, SECTORS - 1, 2, commands[i]);
        CHECK_EQ(wait_idle(&t.r, DISK) & (ERR | DRQ), ERR);
        CHECK_EQ(in8(&t.r, DISK + 1), ERR_IDNF);
    }
    command48(&t.r, 0xffffffffffffull, 0, 0x24);
    CHECK(wait_idle(&t.r, DISK) & ERR);
    finish(&t);
}

/* --- bus master --- */

static void put_region(struct rig *r, unsigned n, u32 at, u32 len)
{
    physmap_store(&r->map, PRD + 8 * n, 4, at);
    physmap_store(&r->map, PRD + 8 * n + 4, 4, len);
}
static void start_dma(struct rig *r, u16 bm, u8 command)
{
    out32(r, bm + 4, PRD);
    out8(r, bm + 2, 0x06);
    out8(r, bm, command);
    out8(r, bm, command | 1);
}

static void test_dma_read(void)
{
    struct ide_rig t;
    start(&t, 0);
    put_region(&t.r, 0, BUFFER + 2, 1022);
    put_region(&t.r, 1, BUFFER + 0x3000, 0x80000000 | 2050);
    command28(&t.r, DISK, 300, 6, 0xc8);
    start_dma(&t.r, BM, 8);
    CHECK_EQ(in8(&t.r, BM + 2) & 7, 1);
    CHECK_EQ(wait_idle(&t.r, DISK) & (ERR | DRQ), 0);
    CHECK_EQ(in8(&t.r, BM + 2) & 7, 4);
    CHECK_EQ(t.r.rises[IRQ_DISK], 1);
    CHECK_EQ(physmap_load(&t.r.map, BUFFER + 2, 2), 300);
    CHECK_EQ(physmap_load(&t.r.map, BUFFER + 1022, 2), 301);
    CHECK_EQ(physmap_load(&t.r.map, BUFFER + 0x3000 + 2048, 2), 305);
    CHECK_EQ(physmap_load(&t.r.map, BUFFER + 0x3000 + 2050, 2), 0);
    finish(&t);
}

static void test_dma_write(void)
{
    struct ide_rig t;
    u16 back[256];
    start(&t, BLOCK_SNAPSHOT);
    for (unsigned i = 0; i < 512; i += 2)
        physmap_store(&t.r.map, BUFFER + i, 2, 0x1234);
    put_region(&t.r, 0, BUFFER, 0x80000000 | 512);
    command48(&t.r, 77, 1, 0x35);
    start_dma(&t.r, BM, 0);
    CHECK_EQ(wait_idle(&t.r, DISK) & (ERR | DRQ), 0);
    block_read(t.disk, 77 * 512, back, 512);
    CHECK_EQ(back[255], 0x1234);
    finish(&t);
}

/* Tables that end too early, lead nowhere, or into nothing. */
static void test_dma_bad_tables(void)
{
    static const struct { u32 table, at, len; u8 status, bm; } row[] = {
        { PRD, BUFFER, 0x80000000 | 512, DRQ, 0x00 },           /* too short: waits */
        { PRD, 0xfff00000, 0x80000000 | 4096, ERR, 0x06 },      /* no memory there */
        { 0xfffffff0, BUFFER, 0, ERR, 0x06 },                   /* no table there */
        { PRD, BUFFER, 0x80000000, 0, 0x04 },                   /* 64 KiB: more than asked for */
    };
    for (unsigned i = 0; i < ARRAY_LEN(row); i++) {
        struct ide_rig t;
        check_context("row %u", i);
        start(&t, 0);
        put_region(&t.r, 0, row[i].at, row[i].len);
        command28(&t.r, DISK, 0, 8, 0xc8);
        start_dma(&t.r, BM, 8);
        out32(&t.r, BM + 4, row[i].table);
        CHECK_EQ(wait_idle(&t.r, DISK) & (ERR | DRQ), row[i].status);
        CHECK_EQ(in8(&t.r, BM + 2) & 7, row[i].bm);
        finish(&t);
    }
}

/* A host whose disk is full, stood in for by a limit, in a child. */
static int write_on_full_disk(void)
{
    struct ide_rig t;
    start(&t, 0);
    setrlimit(RLIMIT_FSIZE, &(struct rlimit){ 4096, 4096 });
    command28(&t.r, DISK, 100, 1, 0x30);
    for (unsigned w = 0; w < 256; w++)
        out16(&t.r, DISK, 0xffff);
    u8 pio = wait_idle(&t.r, DISK), interrupts = t.r.rises[IRQ_DISK];
    put_region(&t.r, 0, BUFFER, 0x80000000 | 512);
    command28(&t.r, DISK, 100, 1, 0xca);
    start_dma(&t.r, BM, 0);
    u8 dma = wait_idle(&t.r, DISK);
    return pio & ERR && pio & DF && interrupts == 1 && dma & ERR && in8(&t.r, DISK + 3) == 100 ? 0 : 1;
}

static void test_host_refuses_writes(void)
{
    pid_t child = fork();
    if (child == 0)
        _exit(write_on_full_disk());
    int status = -1;
    waitpid(child, &status, 0);
    CHECK_EQ(status, 0);
    struct ide_rig t;
    start(&t, BLOCK_READONLY);
    command28(&t.r, DISK, 0, 1, 0x30);
    for (unsigned w = 0; w < 256; w++)
        out16(&t.r, DISK, 0);
    CHECK(wait_idle(&t.r, DISK) & ERR);
    finish(&t);
}

/* --- CD --- */

/* A packet; false if it ended without data. */
static bool packet(struct rig *r, const u8 cdb[12], u16 limit, bool dma)
{
    out8(r, CD + 6, 0xa0);
    out8(r, CD + 1, dma);
    out8(r, CD + 4, limit);
    out8(r, CD + 5, limit >> 8);
    out8(r, CD + 7, 0xa0);
    CHECK_EQ(in8(r, CD + 7) & DRQ, DRQ);
    CHECK_EQ(in8(r, CD + 2) & 3, 1);
    for (unsigned i = 0; i < 12; i += 2)
        out16(r, CD, cdb[i] | cdb[i + 1] << 8);
    return wait_idle(r, CD) & DRQ;
}

/* All the data that comes; how many bytes. */
static unsigned take_data(struct rig *r, u8 *to, unsigned max)
{
    unsigned total = 0;
    while (in8(r, CD + 7) & DRQ && total < max) {
        unsigned n = in8(r, CD + 4) | in8(r, CD + 5) << 8;
        for (unsigned i = 0; i < n && total < max; i += 2, total += 2) {
            u16 w = in16(r, CD);
            memcpy(to + total, &w, 2);
        }
        wait_idle(r, CD);
    }
    return total;
}

static void test_cd_commands(void)
{
    static const struct { const char *name; u8 cdb[12]; unsigned bytes; u8 at, value; } row[] = {
        { "inquiry", { 0x12, 0, 0, 0, 96 }, 36, 0, 5 },
        { "inquiry of 5", { 0x12, 0, 0, 0, 5 }, 6, 1, 0x80 },
        { "capacity", { 0x25 }, 8, 3, BLOCKS - 1 },
        { "toc", { 0x43, 0, 0, 0, 0, 0, 0, 0xff, 0xff }, 20, 2, 1 },
        { "toc msf", { 0x43, 2, 0, 0, 0, 0, 0, 0xff, 0xff }, 20, 10, 2 },
        { "session", { 0x43, 0, 1, 0, 0, 0, 0, 0, 12 }, 12, 1, 10 },
        { "configuration", { 0x46, 0, 0, 0, 0, 0, 0, 0, 255 }, 24, 7, 8 },
        { "event", { 0x4a, 1, 0, 0, 0x10, 0, 0, 0, 8 }, 8, 5, 2 },
        { "mode sense", { 0x5a, 0, 0x2a, 0, 0, 0, 0, 0, 255 }, 28, 8, 0x2a },
        { "disc information", { 0x51, 0, 0, 0, 0, 0, 0, 0, 34 }, 34, 2, 0x0e },
        { "sense", { 0x03, 0, 0, 0, 18 }, 18, 0, 0x70 },
        { "read 10", { 0x28, 0, 0, 0, 0, 50, 0, 0, 3 }, 3 * 2048, 0, 50 },
        { "read 12", { 0xa8, 0, 0, 0, 0, 199, 0, 0, 0, 1 }, 2048, 0, 199 },
        { "read cd", { 0xbe, 0, 0, 0, 0, 9, 0, 0, 2, 0x10 }, 2 * 2048, 0, 9 },
    };
    static u8 data[8192];
    for (unsigned i = 0; i < ARRAY_LEN(row); i++) {
        struct ide_rig t;
        check_context("%s", row[i].name);
        start(&t, 0);
        CHECK(packet(&t.r, row[i].cdb, 2048, false));
        CHECK_EQ(take_data(&t.r, data, sizeof data), row[i].bytes);
        CHECK_EQ(data[row[i].at], row[i].value);
        CHECK_EQ(in8(&t.r, CD + 7) & (DRQ | ERR), 0);
        CHECK_EQ(in8(&t.r, CD + 2) & 3, 3);
        finish(&t);
    }
}

static void test_cd_errors(void)
{
    static const struct { const char *name; u8 cdb[12], key, asc; } row[] = {
        { "no such command", { 0xff }, 5, 0x20 },
        { "behind the end", { 0x28, 0, 0, 0, 0, BLOCKS - 1, 0, 0, 2 }, 5, 0x21 },
        { "far behind", { 0xa8, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff }, 5, 0x21 },
        { "toc of track 9", { 0x43, 0, 0, 0, 0, 0, 9, 0, 255 }, 5, 0x24 },
        { "no page", { 0x5a, 0, 0x05, 0, 0, 0, 0, 0, 255 }, 5, 0x24 },
    };
    u8 sense[18];
    for (unsigned i = 0; i < ARRAY_LEN(row); i++) {
        struct ide_rig t;
        check_context("%s", row[i].name);
        start(&t, 0);
        CHECK(!packet(&t.r, row[i].cdb, 2048, false));
        CHECK(in8(&t.r, CD + 7) & ERR);
        CHECK_EQ(in8(&t.r, CD + 1) >> 4, row[i].key);
        packet(&t.r, (u8[12]){ 3, 0, 0, 0, 18 }, 18, false);
        take_data(&t.r, sense, 18);
        CHECK_EQ(sense[2], row[i].key);
        CHECK_EQ(sense[12], row[i].asc);
        finish(&t);
    }
}

static void test_cd_eject(void)
{
    struct ide_rig t;
    start(&t, 0);
    packet(&t.r, (u8[12]){ 0x1b, 0, 0, 0, 2 }, 0, false);
    packet(&t.r, (u8[12]){ 0x00 }, 0, false);
    CHECK_EQ(in8(&t.r, CD + 1) >> 4, 2);
    packet(&t.r, (u8[12]){ 0x1b, 0, 0, 0, 3 }, 0, false);
    packet(&t.r, (u8[12]){ 0x00 }, 0, false);
    CHECK_EQ(in8(&t.r, CD + 7) & ERR, 0);
    finish(&t);
}

static void test_cd_dma(void)
{
    struct ide_rig t;
    start(&t, 0);
    put_region(&t.r, 0, BUFFER, 0x80000000 | 4096);
    packet(&t.r, (u8[12]){ 0x28, 0, 0, 0, 0, 60, 0, 0, 2 }, 0, true);
    start_dma(&t.r, BM + 8, 8);
    CHECK_EQ(wait_idle(&t.r, CD) & (ERR | DRQ), 0);
    CHECK_EQ(physmap_load(&t.r.map, BUFFER, 1), 60);
    CHECK_EQ(physmap_load(&t.r.map, BUFFER + 4095, 1), 61);
    CHECK_EQ(t.r.rises[IRQ_CD], 1);
    finish(&t);
}

/* --- PCI and fw_cfg --- */

static void test_bar(void)
{
    struct ide_rig t;
    start(&t, 0);
    config_write(&t.r, 1, 1, 0x20, 4, 0xffffffff);
    CHECK_EQ(config_read(&t.r, 1, 1, 0x20), 0xfffffff1);
    config_write(&t.r, 1, 1, 0x20, 4, 0xd000);
    out32(&t.r, 0xd004, 0x1000);
    CHECK_EQ(in32(&t.r, 0xd004), 0x1000);
    CHECK_EQ(in32(&t.r, BM + 4), 0xffffffff);   /* nobody is at the old place */
    config_write(&t.r, 1, 1, 0x04, 2, 0);
    CHECK_EQ(in32(&t.r, 0xd004), 0xffffffff);
    finish(&t);
}

/* Two functions share a wire; its route decides which interrupt they make. */
static void test_intx(void)
{
    struct ide_rig t;
    struct pci_function a = { 0 }, b = { 0 };
    start(&t, 0);
    a.config[PCI_INTERRUPT_PIN] = b.config[PCI_INTERRUPT_PIN] = 1;
    pci_add(t.r.platform.pci, 3, 0, &a, &t.r.err);
    pci_add(t.r.platform.pci, 7, 0, &b, &t.r.err);
    pci_set_intx(&a, true);
    CHECK(!t.r.level[11]);                      /* not routed yet */
    config_write(&t.r, 1, 0, 0x60 + pci_pirq_of(3, 1), 1, 11);
    CHECK(t.r.level[11]);
    pci_set_intx(&b, true);
    pci_set_intx(&a, false);
    CHECK(t.r.level[11]);
    config_write(&t.r, 1, 0, 0x60 + pci_pirq_of(3, 1), 1, 10);
    CHECK(!t.r.level[11] && t.r.level[10]);
    pci_set_intx(&b, false);
    CHECK(!t.r.level[10]);
    finish(&t);
}

static void test_fwcfg(void)
{
    struct ide_rig t;
    char text[5] = "";
    start(&t, 0);
    CHECK_EQ(fwcfg_set_file(t.r.platform.fwcfg, "etc/x", "hello", 5, &t.r.err), 0);
    out16(&t.r, 0x510, FWCFG_SIGNATURE);
    for (int i = 0; i < 4; i++)
        text[i] = in8(&t.r, 0x511);
    CHECK_STR(text, "QEMU");
    CHECK_EQ(in8(&t.r, 0x511), 0);              /* behind the end */
    physmap_store(&t.r.map, 0x500, 4, __builtin_bswap32(FWCFG_FILE_FIRST << 16 | 0x0a));
    physmap_store(&t.r.map, 0x504, 4, __builtin_bswap32(8));
    physmap_store(&t.r.map, 0x508, 8, __builtin_bswap64(0x600));
    out32(&t.r, 0x518, __builtin_bswap32(0x500));
    CHECK_EQ(physmap_load(&t.r.map, 0x500, 4), 0);
    CHECK_EQ(physmap_load(&t.r.map, 0x600, 8), 0x6f6c6c6568);
    physmap_store(&t.r.map, 0x500, 4, __builtin_bswap32(0x02));
    physmap_store(&t.r.map, 0x504, 4, 0xffffffff);
    out32(&t.r, 0x518, __builtin_bswap32(0x500));
    CHECK_EQ(physmap_load(&t.r.map, 0x500, 4), __builtin_bswap32(1));
    finish(&t);
}

/* --- nonsense --- */

static u16 some_port(u64 v)
{
    static const u16 base[] = { DISK, DISK, CD, CD, 0x3f6, 0x376, BM, BM, 0x510, 0x514, 0xcf8, 0xcfc };
    return base[v % ARRAY_LEN(base)] + (v >> 8) % 8;
}

/* Half of the commands are real ones, on sectors that exist, so that something happens. */
static void act(struct ide_rig *t, u64 v)
{
    static const u8 disk_commands[] = { 0x20, 0x24, 0xc4, 0xc8, 0x25, 0x30, 0xca, 0x35, 0xc6, 0xec, 0xef, 0xe7 };
    u8 cdb[12];
    switch (v % 8) {
    case 0: command28(&t->r, DISK, v >> 8 & 0x7ff, v >> 24, disk_commands[(v >> 32) % ARRAY_LEN(disk_commands)]); break;
    case 1:
        for (int i = 0; i < 12; i++)
            cdb[i] = v >> (i * 4 + 8);
        cdb[0] = (u8[]){ 0x12, 0x28, 0x43, 0x46, 0x5a, 0xbe, 0xa8, 0x03 }[v >> 8 & 7];
        out8(&t->r, CD + 1, v >> 60 & 1);
        out8(&t->r, CD + 7, 0xa0);
        for (int i = 0; i < 12; i += 2)
            out16(&t->r, CD, cdb[i] | cdb[i + 1] << 8);
        break;
    case 2: put_region(&t->r, v >> 8 & 3, v >> 16, v >> 32); break;
    case 3: start_dma(&t->r, v & 256 ? BM : BM + 8, v >> 16 & 8); break;
    case 4: config_write(&t->r, 1, 1, 0x20, 4, v & 0x700 ? BM : v >> 32); break;
    case 5: config_write(&t->r, 1, 1, 0x04, 2, 5 | v >> 16); break;
    default: rig_run(&t->r, (v >> 8) % 400000); break;
    }
}

static void test_nonsense(void)
{
    struct ide_rig t;
    u64 seed = check_seed();
    start(&t, BLOCK_SNAPSHOT);
    fwcfg_set_file(t.r.platform.fwcfg, "etc/x", "hello", 5, &t.r.err);
    for (u64 i = 0, rounds = check_rounds(100000); i < rounds; i++) {
        u64 v = check_random(&seed), size = 1 << (v >> 4 & 3) % 3;
        if (v % 4 == 0)
            act(&t, v >> 8);
        else if (v % 4 == 1)
            bus_io_write(&t.r.bus, some_port(v >> 8), size, v >> 24 & (BIT(8 * size) - 1));
        else
            bus_io_read(&t.r.bus, some_port(v >> 8), size);
        if (i % 2000 == 1999) /* often: nonsense soon switches a device or its wire off, and then tests nothing */
            for (unsigned d = 0; d < t.r.ndevices; d++)
                t.r.device[d]->ops->reset(t.r.device[d]);
    }
    CHECK(t.r.rises[IRQ_DISK] > 100);
    CHECK(t.r.rises[IRQ_CD] > 100);
    finish(&t);
}

int main(int argc, char **argv)
{
    static const struct check tests[] = {
        { "identify", test_identify }, { "reset_signature", test_reset_signature }, { "pio_read", test_pio_read }, { "chs", test_chs },
        { "pio_write", test_pio_write }, { "out_of_range", test_out_of_range }, { "dma_read", test_dma_read }, { "dma_write", test_dma_write },
        { "dma_bad_tables", test_dma_bad_tables }, { "host_refuses_writes", test_host_refuses_writes }, { "cd_commands", test_cd_commands },
        { "cd_errors", test_cd_errors }, { "cd_eject", test_cd_eject }, { "cd_dma", test_cd_dma }, { "bar", test_bar }, { "intx", test_intx },
        { "fwcfg", test_fwcfg }, { "nonsense", test_nonsense }, { NULL, NULL },
    };
    close(mkstemp(disk_path));
    close(mkstemp(cd_path));
    make_images();
    int status = check_main(argc, argv, "devices_ide", tests);
    unlink(disk_path);
    unlink(cd_path);
    return status;
}
