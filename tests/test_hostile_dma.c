/* SPDX-License-Identifier: MIT */
/*
 * The PC's older ways into memory in hostile hands: tables of regions of an IDE bus master that have no end, lead to themselves, to ROM or
 * nowhere; 8237 channels that wrap; requests to fw_cfg. What is not the transfer's stays, and every transfer ends.
 */
#include <endian.h>

#include "devices/block/block.h"
#include "devices/chipset/fwcfg.h"
#include "devices/chipset/small.h"
#include "devices/disk/ide.h"
#include "hostile_rig.h"

enum { RAM = 2 << 20, ROM_AT = 0xfffe0000, BM = 0xc000, DISK = 0x1f0, CD = 0x170, PRD = 0x10000, BUFFER = 0x40000, BSY = 0x80, DRQ = 0x08, ERR = 0x01, IMAGE = 1440 << 10 };
#define LAST 0x80000000u
static char image[] = "/tmp/emu-test-hostile-dma-XXXXXX";

struct machine { struct rig r; struct pci_bus *bus; struct spy spy; struct block *media[3]; };

static void config_put(struct machine *m, u8 at, unsigned size, u32 value)
{
    out32(&m->r, 0xcf8, 0x80000000 | 1 << 11 | 1 << 8 | (at & 0xfc));
    bus_io_write(&m->r.bus, 0xcfc + (at & 3), size, value);
}

static void start(struct machine *m)
{
    struct rig *r = &m->r;
    memset(m, 0, sizeof *m);
    rig_init(r, 1000000000);
    physmap_add_ram(&r->map, "ram", 0, RAM, &r->err);
    physmap_add_rom(&r->map, "rom", ROM_AT, 0x20000, &r->err);
    for (unsigned i = 0; i < 3; i++)
        m->media[i] = block_open(image, i == 1 ? BLOCK_READONLY : BLOCK_SNAPSHOT, &r->err);
    r->platform.ide[0].image = m->media[0];
    r->platform.ide[2].image = m->media[1];
    r->platform.ide[2].is_cd = true;
    r->platform.floppy[0] = m->media[2];
    m->bus = pci_host_bus(rig_add(r, &pci_host_ops));
    rig_add(r, &piix3_ops);
    rig_add(r, &ide_ops);
    rig_add(r, &fwcfg_ops);
    rig_add(r, &dma_ops);
    rig_add(r, &fdc_ops);
    spy_on(&m->spy, m->bus, &r->map);
    config_put(m, 0x20, 4, BM);
    config_put(m, PCI_COMMAND, 2, PCI_COMMAND_IO | PCI_COMMAND_MASTER);
    for (u32 i = 0; i < RAM; i += 4)
        physmap_store(&r->map, i, 4, ~i);
}

static void finish(struct machine *m)
{
    rig_fini(&m->r);
    for (unsigned i = 0; i < 3; i++)
        block_close(m->media[i]);
}

/* --- the IDE bus master --- */

static void put_region(struct machine *m, unsigned n, u32 at, u32 len)
{
    physmap_store(&m->r.map, PRD + 8 * n, 4, at);
    physmap_store(&m->r.map, PRD + 8 * n + 4, 4, len);
}

static void command(struct machine *m, u32 lba, u8 count, u8 which)
{
    out8(&m->r, DISK + 6, 0xe0);
    out8(&m->r, DISK + 2, count);
    for (int i = 0; i < 3; i++)
        out8(&m->r, DISK + 3 + i, lba >> 8 * i);
    out8(&m->r, DISK + 7, which);
}

static void start_dma(struct machine *m, u32 table, u8 direction)
{
    out32(&m->r, BM + 4, table);
    out8(&m->r, BM + 2, 0x06);
    out8(&m->r, BM, direction);
    out8(&m->r, BM, direction | 1);
}

static u8 wait_idle(struct machine *m)
{
    for (int i = 0; i < 1000 && in8(&m->r, DISK + 0x206) & BSY; i++)
        rig_run(&m->r, 10000);
    return in8(&m->r, DISK + 7);
}

/* After whatever was done before: a reset, and a sector is read as ever. */
static void check_goes_on(struct machine *m)
{
    out8(&m->r, BM, 0);
    out8(&m->r, DISK + 0x206, 4);
    out8(&m->r, DISK + 0x206, 0);
    wait_idle(m);
    put_region(m, 0, BUFFER, LAST | 512);
    command(m, 5, 1, 0xc8);
    start_dma(m, PRD, 8);
    CHECK_EQ(wait_idle(m) & (ERR | DRQ), 0);
    CHECK_EQ(physmap_load(&m->r.map, BUFFER, 4), 5);
}

/* A table without end, of the smallest regions: it ends with its 64 KiB. One that begins anywhere, and goes over the end of addresses. */
static void test_tables_without_end(void)
{
    struct machine m;
    start(&m);
    for (unsigned n = 0; n < 0x4000; n++)
        put_region(&m, n, BUFFER, 2);
    command(&m, 0, 0, 0xc8);                    /* 256 sectors */
    start_dma(&m, PRD, 8);
    CHECK_EQ(wait_idle(&m) & (ERR | DRQ), DRQ);  /* 8,192 regions of 2 bytes: the drive waits for more */
    CHECK(m.spy.accesses <= 2 * 8192 + 2);
    check_goes_on(&m);
    static const u32 places[] = { 0xfffffffc, RAM - 4, 0xe0000000 };
    for (unsigned i = 0; i < ARRAY_LEN(places); i++) {
        command(&m, 0, 1, 0xc8);
        start_dma(&m, places[i], 8);
        CHECK_EQ(wait_idle(&m) & ERR, ERR);
        check_goes_on(&m);
    }
    finish(&m);
}

/* Regions that are ROM, beyond RAM, at its end, or wrap; nothing is written but what lies in RAM before. */
static void test_regions_that_are_none(void)
{
    static const struct { u32 at, len; } row[] = { { ROM_AT, 512 }, { RAM, 512 }, { RAM - 256, 512 }, { 0xfffff000, 0 }, { 0xfffffffe, 512 }, { 0xfee00000, 512 } };
    struct machine m;
    struct guard g;
    start(&m);
    guard_take(&g, &m.r.map, RAM + 0x20000);
    for (unsigned i = 0; i < ARRAY_LEN(row); i++) {
        check_context("region at %x", row[i].at);
        put_region(&m, 0, row[i].at, LAST | row[i].len);
        memcpy(g.copy + PRD, m.r.map.base + PRD, 8);
        command(&m, 0, 1, 0xc8);
        start_dma(&m, PRD, 8);
        CHECK_EQ(wait_idle(&m) & ERR, ERR);
        CHECK(in8(&m.r, BM + 2) & 2);
        CHECK_EQ(guard_changed(&g, &m.r.map, RAM - 256, RAM), RAM + 0x20000);
        out8(&m.r, BM, 0);
    }
    check_goes_on(&m);
    guard_drop(&g);
    finish(&m);
}

/* What is read is the table itself: the disk's sectors are tables gone mad. */
static void test_data_over_table(void)
{
    struct machine m;
    start(&m);
    for (u32 lba = 0; lba < 64; lba += 8) {
        for (unsigned n = 0; n < 64; n++)
            put_region(&m, n, PRD, 512);
        command(&m, lba, 64, 0xc8);
        start_dma(&m, PRD, 8);
        CHECK(!(wait_idle(&m) & BSY));
        check_goes_on(&m);
    }
    finish(&m);
}

/* Bus mastering off, the engine stopped, the channel or the machine reset, while a transfer is under way: not a byte more. */
static void test_stopped_within(void)
{
    for (unsigned way = 0; way < 4; way++) {
        struct machine m;
        struct guard g;
        check_context("way %u", way);
        start(&m);
        put_region(&m, 0, BUFFER, LAST | 4096);
        command(&m, 0, 8, 0xc8);
        start_dma(&m, PRD, 8);
        CHECK(in8(&m.r, DISK + 0x206) & BSY);
        if (way == 0)
            config_put(&m, PCI_COMMAND, 2, PCI_COMMAND_IO);
        else if (way == 1)
            out8(&m.r, DISK + 0x206, 4);
        else if (way == 2)
            m.r.device[2]->ops->reset(m.r.device[2]);
        else
            out8(&m.r, DISK + 7, 0x08);         /* of ATAPI: a disk does not know it, and it is at work */
        guard_take(&g, &m.r.map, RAM);
        rig_run(&m.r, 10000000);
        CHECK_EQ(guard_changed(&g, &m.r.map, way == 3 ? BUFFER : 0, way == 3 ? BUFFER + 4096 : 0), RAM);
        config_put(&m, 0x20, 4, BM);
        config_put(&m, PCI_COMMAND, 2, PCI_COMMAND_IO | PCI_COMMAND_MASTER);
        check_goes_on(&m);
        guard_drop(&g);
        finish(&m);
    }
}

static unsigned looks;
static void spoil_table(struct spy *s, u64 address, u64 len, bool write)
{
    looks += !write && address == PRD;
    for (unsigned i = 0; i < 2 && looks && address != PRD; i++)
        physmap_store(s->map, PRD + 4 * i, 4, ~0u);
}

static void test_read_once(void)
{
    struct machine m;
    start(&m);
    looks = 0;
    m.spy.before = spoil_table;
    put_region(&m, 0, BUFFER, LAST | 512);
    command(&m, 7, 1, 0xc8);
    start_dma(&m, PRD, 8);
    CHECK_EQ(wait_idle(&m) & (ERR | DRQ), 0);
    CHECK_EQ(looks, 1);
    CHECK_EQ(physmap_load(&m.r.map, BUFFER, 4), 7);
    finish(&m);
}

/* --- the floppy disk's channel --- */

/* A sector by channel 2: where, how many bytes less one, and the mode. Status bytes are read. */
static void floppy(struct machine *m, u32 at, u16 count, u8 mode)
{
    static const u8 read[] = { 0xe6, 0, 0, 0, 1, 2, 18, 0x1b, 0xff };
    const u8 dma[][2] = { { 0x0c, 0 }, { 0x0b, mode }, { 0x04, at }, { 0x04, at >> 8 }, { 0x81, at >> 16 }, { 0x05, count }, { 0x05, count >> 8 }, { 0x0a, 2 } };
    for (unsigned i = 0; i < ARRAY_LEN(dma); i++)
        out8(&m->r, dma[i][0], dma[i][1]);
    out8(&m->r, 0x3f2, 0x1c);
    for (unsigned i = 0; i < sizeof read; i++)
        out8(&m->r, 0x3f5, read[i]);
    rig_run(&m->r, 1000000000);
    for (unsigned i = 0; i < 20; i++)
        in8(&m->r, 0x3f5);
}

/* Addresses count within their 64 KiB, up and down; ROM is not written; what the channel does not allow does not happen. */
static void test_channel_wraps(void)
{
    struct machine m;
    struct guard g;
    start(&m);
    out8(&m.r, 0x3f2, 0);
    out8(&m.r, 0x3f2, 0x1c);
    for (unsigned i = 0; i < 20; i++)
        in8(&m.r, 0x3f5);
    guard_take(&g, &m.r.map, RAM);
    floppy(&m, 0x5ff00, 511, 0x46);
    CHECK_EQ(guard_changed(&g, &m.r.map, 0x50000, 0x60000), RAM);
    CHECK_EQ(physmap_load(&m.r.map, 0x5ff00, 4), 0);                    /* sector 0 */
    CHECK(memcmp(g.copy + 0x50000, m.r.map.base + 0x50000, 256) != 0);  /* the rest at the beginning of the same 64 KiB */
    memcpy(g.copy + 0x50000, m.r.map.base + 0x50000, 0x10000);
    floppy(&m, 0x500ff, 511, 0x66);                                     /* downwards, under the beginning */
    CHECK_EQ(guard_changed(&g, &m.r.map, 0x50000, 0x60000), RAM);
    memcpy(g.copy + 0x50000, m.r.map.base + 0x50000, 0x10000);
    floppy(&m, 0x70000, 511, 0x4a);                                     /* from memory: not what a read is */
    floppy(&m, 0x70000, 511, 0x42);                                     /* verify */
    floppy(&m, 0xff0000, 511, 0x46);                                    /* beyond RAM */
    CHECK_EQ(guard_changed(&g, &m.r.map, 0, 0), RAM);
    floppy(&m, 0x70000, 0xffff, 0x56);                                  /* for ever, by itself */
    CHECK_EQ(guard_changed(&g, &m.r.map, 0x70000, 0x80000), RAM);
    guard_drop(&g);
    finish(&m);
}

/* --- fw_cfg --- */

static u32 fwcfg_do(struct machine *m, u64 request, u32 control, u32 len, u64 to)
{
    u32 words[4] = { htobe32(control), htobe32(len), htobe32(to >> 32), htobe32((u32)to) };
    physmap_write(&m->r.map, request, words, sizeof words);
    out32(&m->r, 0x514, htobe32(request >> 32));
    out32(&m->r, 0x518, htobe32((u32)request));
    return be32toh(physmap_load(&m->r.map, request, 4));
}

static void test_fwcfg(void)
{
    static const struct { u64 request, to; u32 len; bool done; } row[] = {
        { 0x1000, 0x2000, 4, true }, { 0x1000, 0x2000, 0xffffffff, false }, { 0x1000, RAM - 2, 4, false }, { 0x1000, ROM_AT, 4, false }, { 0x1000, ~(u64)0 - 1, 4, false },
        { 0x1000, 0x1000, 16, true /* the request itself */ }, { 0x1000, BIT(63), 4, false }, { 0x1000, 0xfee00000, 4, false }, { 0x1000, 0x2000, 0, true },
    };
    struct machine m;
    struct guard g;
    start(&m);
    fwcfg_set_file(m.r.platform.fwcfg, "etc/x", "hello", 5, &m.r.err);
    guard_take(&g, &m.r.map, RAM);
    for (unsigned i = 0; i < ARRAY_LEN(row); i++) {
        check_context("row %u", i);
        u32 left = fwcfg_do(&m, row[i].request, FWCFG_FILE_FIRST << 16 | 0x0a, row[i].len, row[i].to);
        CHECK_EQ(left, row[i].done ? 0 : 1);
        CHECK_EQ(guard_changed(&g, &m.r.map, 0x1000, 0x2004), RAM);
    }
    fwcfg_do(&m, RAM - 8, 0x0a, 4, 0x3000);     /* a request that is not all in memory, or nowhere */
    fwcfg_do(&m, ~(u64)0 - 7, 0x0a, 4, 0x3000);
    fwcfg_do(&m, 0xfee00000, 0x0a, 4, 0x3000);
    CHECK_EQ(physmap_load(&m.r.map, 0x3000, 4), ~0x3000u);
    CHECK_EQ(fwcfg_do(&m, 0x1000, FWCFG_FILE_FIRST << 16 | 0x18, 4, 0x3000), 1);    /* writing */
    guard_drop(&g);
    finish(&m);
}

/* --- nonsense with some sense --- */

static u64 fuzz_seed;
static void flip(struct spy *s, u64 address, u64 len, bool write)
{
    u64 v = check_random(&fuzz_seed);
    if (v % 16 == 0)
        physmap_store(s->map, PRD + (v >> 16) % 512, 1 << (v >> 10) % 4, check_random(&fuzz_seed) >> (v >> 40) % 64);
}

static void some_region(struct machine *m, u64 *seed)
{
    static const u32 places[] = { BUFFER, BUFFER + 0x1002, PRD, RAM - 0x800, ROM_AT, 0xfffff000, 0x300000 };
    u64 v = check_random(seed);
    put_region(m, v % 32, v >> 8 & 7 ? places[(v >> 16) % 3] : places[(v >> 16) % ARRAY_LEN(places)], (v >> 24 & 0xfffe) | (v >> 40 & 3 ? 0 : LAST));
}

static void some_command(struct machine *m, u64 *seed)
{
    static const u8 commands[] = { 0xc8, 0xca, 0x25, 0x35, 0xc8, 0xca, 0x20, 0x30, 0xec, 0xa0, 0x08, 0xe7 };
    u64 v = check_random(seed);
    for (unsigned i = 0; i < 2 && v >> 62; i++)
        out8(&m->r, DISK + 0x206, i ? 0 : 4);   /* reset, so that it has time for this */
    command(m, v >> 8 & 0x7ff, v >> 24, commands[(v >> 32) % ARRAY_LEN(commands)]);
    if (v & 7)
        start_dma(m, v & 0x70 ? PRD : v >> 40, v >> 4 & 8);
}

static void some_packet(struct machine *m, u64 *seed)
{
    u64 v = check_random(seed);
    out8(&m->r, CD + 1, 1);
    out8(&m->r, CD + 7, 0xa0);
    for (int i = 0; i < 6; i++)
        out16(&m->r, CD, i ? v >> 8 * i & 0x300 : (u16[]){ 0x28, 0xa8, 0xbe, 0x12, 0x5a }[v % 5]);
    out32(&m->r, BM + 12, PRD);
    out8(&m->r, BM + 8, 9);
}

static void test_fuzz(void)
{
    u64 seed = check_seed(), rounds = check_rounds(40000);
    struct machine m;
    start(&m);
    fuzz_seed = check_seed();
    m.spy.before = flip;
    for (u64 i = 0; i < rounds; i++) {
        u64 v = check_random(&seed);
        (v % 8 < 4 ? some_region : v % 8 < 7 ? some_command : some_packet)(&m, &seed);
        if (v >> 8 & 1)
            rig_run(&m.r, (v >> 16) % 400000);
        if ((v >> 12) % 64 == 0)
            out8(&m.r, (v >> 40 & 1 ? BM : BM + 8) + (v >> 44) % 8, v >> 48);
        if (v % 512 == 77)
            m.r.device[2]->ops->reset(m.r.device[2]);
        if (v % 128 == 77) {
            config_put(&m, 0x20, 4, BM);
            config_put(&m, PCI_COMMAND, 2, PCI_COMMAND_IO | PCI_COMMAND_MASTER);
        }
        if (v % 256 == 99)
            floppy(&m, v >> 16 & 0xffffff, v >> 40, v >> 56);
    }
    check_context("%llu accesses", (unsigned long long)m.spy.accesses);
    CHECK(m.spy.accesses > rounds / 10);
    m.spy.before = NULL;
    m.r.device[2]->ops->reset(m.r.device[2]);
    config_put(&m, 0x20, 4, BM);
    config_put(&m, PCI_COMMAND, 2, PCI_COMMAND_IO | PCI_COMMAND_MASTER);
    CHECK(!(wait_idle(&m) & BSY));
    finish(&m);
}

static int make_image(void)
{
    u32 sector[128] = { 0 };
    int fd = mkstemp(image);
    for (u32 i = 0; i < IMAGE / 512; i++) {
        for (u32 k = 1; k < 128; k++)
            sector[k] = (i * 128 + k) * 2654435761u;
        sector[0] = i;
        if (write(fd, sector, 512) != 512)
            return -1;
    }
    return close(fd);
}

int main(int argc, char **argv)
{
    static const struct check tests[] = {
        { "tables_without_end", test_tables_without_end }, { "regions_that_are_none", test_regions_that_are_none }, { "data_over_table", test_data_over_table },
        { "stopped_within", test_stopped_within }, { "read_once", test_read_once }, { "channel_wraps", test_channel_wraps }, { "fwcfg", test_fwcfg },
        { "fuzz", test_fuzz }, { NULL, NULL },
    };
    if (make_image())
        return 1;
    int status = check_main(argc, argv, "hostile_dma", tests);
    unlink(image);
    return status;
}
