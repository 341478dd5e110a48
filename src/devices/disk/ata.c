/* SPDX-License-Identifier: MIT */
/*
 * The commands of an ATA disk, one row each (ATA/ATAPI-6, section 8). A row says whether sectors are addressed by 48 bits,
 * and how the data goes; the rows of a CD drive are marked.
 */
#include <string.h>

#include "devices/disk/ide.h"

enum { FOR_DISK = 1, FOR_CD = 2, WIDE = 4 /* 48-bit */, MULTIPLE = 8 };

/* --- which sectors --- */

struct range { u64 first, count; };

static u64 chs_sector(const struct ide_drive *d)
{
    const struct ide_taskfile *t = &d->tf;
    u64 cylinder = t->lba[1][0] | t->lba[2][0] << 8, sector = t->lba[0][0];
    return sector ? (cylinder * d->heads + (t->device & 15)) * d->sectors + sector - 1 : ~(u64)0;
}

static u64 first_sector(const struct ide_drive *d, bool wide)
{
    const struct ide_taskfile *t = &d->tf;
    u64 low = t->lba[0][0] | t->lba[1][0] << 8 | t->lba[2][0] << 16;
    if (wide)
        return low | (u64)t->lba[0][1] << 24 | (u64)t->lba[1][1] << 32 | (u64)t->lba[2][1] << 40;
    return t->device & DEV_LBA ? low | (u64)(t->device & 15) << 24 : chs_sector(d);
}

static struct range addressed(const struct ide_drive *d, bool wide)
{
    u64 count = wide ? d->tf.count[0] | d->tf.count[1] << 8 : d->tf.count[0];
    return (struct range){ first_sector(d, wide), count ? count : wide ? 65536 : 256 };
}

static u64 capacity(const struct ide_drive *d) { return block_size(d->image) / SECTOR; }

static void put_sector(struct ide_drive *d, u64 sector, bool wide)
{
    for (int i = 0; i < 3; i++)
        d->tf.lba[i][0] = sector >> 8 * i;
    for (int i = 0; i < 3 && wide; i++)
        d->tf.lba[i][1] = sector >> (24 + 8 * i);
    if (!wide)
        d->tf.device = (d->tf.device & 0xf0) | (sector >> 24 & 15);
}

/* Prepare to move the addressed sectors. False: there are no such, and the guest has been told. */
static bool begin(struct ide_drive *d, unsigned flags, bool to_host)
{
    struct range r = addressed(d, flags & WIDE);
    u64 end = capacity(d);
    if (r.first >= end || r.count > end - r.first) {
        ide_fail(d, 0, ERR_IDNF);
        return false;
    }
    d->to_host = to_host;
    d->pos = r.first * SECTOR;
    d->left = r.count * SECTOR;
    d->chunk = SECTOR * (flags & MULTIPLE ? d->multiple : 1);
    return true;
}

/* The host's file system failed: the sector where it did, and what a disk would call it. */
static void image_failed(struct ide_drive *d)
{
    put_sector(d, d->pos / SECTOR, false);
    ide_fail(d, d->to_host ? 0 : ST_DF, d->to_host ? ERR_UNC : ERR_ABRT);
}

static u32 next_block(const struct ide_drive *d) { return d->left < d->chunk ? d->left : d->chunk; }

static void block_moved(struct ide_drive *d, u32 n)
{
    d->pos += n;
    d->left -= n;
}

/* --- PIO in: each block is read when its time comes, then the host takes it --- */

static void read_block(struct ide_drive *d);

static void block_taken(struct ide_drive *d)
{
    if (d->left)
        ide_later(d, next_block(d), read_block);
    else
        d->status = ST_DRDY | ST_DSC;
}

static void read_block(struct ide_drive *d)
{
    u32 n = next_block(d);
    if (!block_read(d->image, d->pos, d->buf, n)) {
        image_failed(d);
        return;
    }
    block_moved(d, n);
    d->at = 0;
    d->end = n;
    ide_offer(d, block_taken, true);
}

static void do_read(struct ide_drive *d, unsigned flags)
{
    if (begin(d, flags, true))
        ide_later(d, next_block(d), read_block);
}

/* --- PIO out: the host fills a block, then it is written --- */

static void write_block(struct ide_drive *d);

static void block_filled(struct ide_drive *d) { ide_later(d, d->end, write_block); }

static void ask_for_block(struct ide_drive *d, bool interrupt)
{
    d->at = 0;
    d->end = next_block(d);
    ide_offer(d, block_filled, interrupt);
}

static void write_block(struct ide_drive *d)
{
    if (!block_write(d->image, d->pos, d->buf, d->end)) {
        image_failed(d);
        return;
    }
    block_moved(d, d->end);
    if (d->left)
        ask_for_block(d, true);
    else
        ide_done(d);
}

void ata_keep_written(struct ide_drive *d)
{
    if (d->channel->running == d && d->step == write_block)
        block_write(d->image, d->pos, d->buf, d->end);
}

/* The first block is asked for without an interrupt. */
static void do_write(struct ide_drive *d, unsigned flags)
{
    if (begin(d, flags, false))
        ask_for_block(d, false);
}

/* A multiple command needs SET MULTIPLE MODE before. */
static bool multiple_on(struct ide_drive *d)
{
    if (!d->multiple)
        ide_fail(d, 0, ERR_ABRT);
    return d->multiple;
}
static void do_read_multiple(struct ide_drive *d, unsigned flags)
{
    if (multiple_on(d))
        do_read(d, flags | MULTIPLE);
}
static void do_write_multiple(struct ide_drive *d, unsigned flags)
{
    if (multiple_on(d))
        do_write(d, flags | MULTIPLE);
}

/* --- DMA --- */

static void dma_step(struct ide_drive *d)
{
    enum ide_dma_end end = ide_dma_move(d);
    d->dma = false;
    if (end == DMA_DONE)
        ide_done(d);
    else if (end == DMA_SHORT)
        d->status = ST_DRDY | ST_DSC | ST_DRQ;      /* waits for more, until it is reset */
    else
        image_failed(d);
}

static void start_dma(struct ide_drive *d, unsigned flags, bool to_host)
{
    if (!begin(d, flags, to_host))
        return;
    d->step = dma_step;
    ide_dma_ready(d);
}
static void do_read_dma(struct ide_drive *d, unsigned flags) { start_dma(d, flags, true); }
static void do_write_dma(struct ide_drive *d, unsigned flags) { start_dma(d, flags, false); }

/* --- without data --- */

static void do_verify(struct ide_drive *d, unsigned flags)
{
    if (begin(d, flags, true))
        ide_later(d, d->left, ide_done);
}

static void do_seek(struct ide_drive *d, unsigned flags) { ide_later(d, 0, ide_done); }

static void do_nothing(struct ide_drive *d, unsigned flags) { ide_done(d); }

static void flush(struct ide_drive *d)
{
    if (block_flush(d->image))
        ide_done(d);
    else
        ide_fail(d, ST_DF, ERR_ABRT);
}
static void do_flush(struct ide_drive *d, unsigned flags) { ide_later(d, 0, flush); }

static void do_native_max(struct ide_drive *d, unsigned flags)
{
    u64 last = capacity(d) - 1;
    put_sector(d, flags & WIDE || last <= 0x0fffffff ? last : 0x0fffffff, flags & WIDE);
    ide_done(d);
}

static void do_check_power(struct ide_drive *d, unsigned flags)
{
    d->tf.count[0] = 0xff;      /* active */
    ide_done(d);
}

static void do_set_multiple(struct ide_drive *d, unsigned flags)
{
    u8 n = d->tf.count[0];
    if (n > IDE_MULTIPLE_MAX || n & (n - 1)) {
        ide_fail(d, 0, ERR_ABRT);
        return;
    }
    d->multiple = n;
    ide_done(d);
}

static void do_set_geometry(struct ide_drive *d, unsigned flags)
{
    if (!d->tf.count[0]) {
        ide_fail(d, 0, ERR_ABRT);
        return;
    }
    d->heads = (d->tf.device & 15) + 1;
    d->sectors = d->tf.count[0];
    ide_done(d);
}

/* Transfer modes 0 to 4 of PIO, 0 to 2 of multiword DMA, 0 to 5 of Ultra DMA; caches and read-ahead may be as the host likes. */
static void do_set_features(struct ide_drive *d, unsigned flags)
{
    enum { SET_TRANSFER_MODE = 0x03 };
    static const u8 harmless[] = { 0x02, 0x82, 0x55, 0xaa, 0x05, 0x85, 0x66, 0xcc, 0x42, 0xc2, 0x5d, 0xdd };
    u8 mode = d->tf.count[0], known = d->tf.feature[0];
    bool mode_ok = mode <= 1 || (mode & ~7) == 0x08 || (mode >= 0x20 && mode <= 0x22) || (mode >= 0x40 && mode <= 0x45);
    bool ok = known == SET_TRANSFER_MODE ? mode_ok : memchr(harmless, known, sizeof harmless) != NULL;
    if (!ok) {
        ide_fail(d, 0, ERR_ABRT);
        return;
    }
    if (known == SET_TRANSFER_MODE)
        d->transfer_mode = mode;
    ide_done(d);
}

/* Of both drives; the first answers for both. */
static void do_diagnose(struct ide_drive *d, unsigned flags)
{
    struct ide_channel *c = d->channel;
    for (int i = 0; i < 2; i++) {
        ide_signature(&c->drive[i]);
        c->drive[i].error = 1;
    }
    c->selected = 0;
    ide_done(&c->drive[ide_present(&c->drive[0]) ? 0 : 1]);
}

static void identified(struct ide_drive *d) { d->status = ST_DRDY | ST_DSC; }

static void offer_identity(struct ide_drive *d)
{
    memset(d->buf, 0, SECTOR);
    (d->is_cd ? atapi_identify : ata_identify)(d);
    d->at = 0;
    d->end = SECTOR;
    d->to_host = true;
    ide_offer(d, identified, true);
}
static void do_identify(struct ide_drive *d, unsigned flags) { ide_later(d, SECTOR, offer_identity); }

static void do_packet(struct ide_drive *d, unsigned flags) { atapi_packet(d); }

/* --- the table --- */

static const struct { u8 code, flags; void (*run)(struct ide_drive *d, unsigned flags); } commands[] = {
    { 0x20, FOR_DISK, do_read },                        { 0x21, FOR_DISK, do_read },
    { 0x24, FOR_DISK | WIDE, do_read },                 { 0x25, FOR_DISK | WIDE, do_read_dma },
    { 0x27, FOR_DISK | WIDE, do_native_max },           { 0x29, FOR_DISK | WIDE, do_read_multiple },
    { 0x30, FOR_DISK, do_write },                       { 0x31, FOR_DISK, do_write },
    { 0x34, FOR_DISK | WIDE, do_write },                { 0x35, FOR_DISK | WIDE, do_write_dma },
    { 0x39, FOR_DISK | WIDE, do_write_multiple },       { 0x40, FOR_DISK, do_verify },
    { 0x41, FOR_DISK, do_verify },                      { 0x42, FOR_DISK | WIDE, do_verify },
    { 0x10, FOR_DISK, do_seek },                        { 0x70, FOR_DISK, do_seek },
    { 0x90, FOR_DISK | FOR_CD, do_diagnose },           { 0x91, FOR_DISK, do_set_geometry },
    { 0xa0, FOR_CD, do_packet },                        { 0xa1, FOR_CD, do_identify },
    { 0xc4, FOR_DISK, do_read_multiple },               { 0xc5, FOR_DISK, do_write_multiple },
    { 0xc6, FOR_DISK, do_set_multiple },                { 0xc8, FOR_DISK, do_read_dma },
    { 0xc9, FOR_DISK, do_read_dma },                    { 0xca, FOR_DISK, do_write_dma },
    { 0xcb, FOR_DISK, do_write_dma },                   { 0xe0, FOR_DISK | FOR_CD, do_nothing },
    { 0xe1, FOR_DISK | FOR_CD, do_nothing },            { 0xe2, FOR_DISK | FOR_CD, do_nothing },
    { 0xe3, FOR_DISK | FOR_CD, do_nothing },            { 0xe5, FOR_DISK | FOR_CD, do_check_power },
    { 0xe6, FOR_DISK | FOR_CD, do_nothing },            { 0xe7, FOR_DISK, do_flush },
    { 0xea, FOR_DISK, do_flush },                       { 0xec, FOR_DISK, do_identify },
    { 0xef, FOR_DISK | FOR_CD, do_set_features },       { 0xf8, FOR_DISK, do_native_max },
};

/* A CD drive that gets a disk's command also shows its signature, by which the driver learns what it is. */
void ata_command(struct ide_drive *d, u8 command)
{
    for (unsigned i = 0; i < ARRAY_LEN(commands); i++) {
        if (commands[i].code == command && commands[i].flags & (d->is_cd ? FOR_CD : FOR_DISK)) {
            commands[i].run(d, commands[i].flags);
            return;
        }
    }
    if (d->is_cd)
        ide_signature(d);
    ide_fail(d, 0, ERR_ABRT);
}

/* --- IDENTIFY DEVICE (8.15) --- */

static void put_word(u8 *at, unsigned word, u16 value)
{
    at[2 * word] = value;
    at[2 * word + 1] = value >> 8;
}

void ide_put_text(u8 *at, unsigned len, const char *text)
{
    size_t n = strlen(text);
    for (unsigned i = 0; i < len; i++)
        at[i ^ 1] = i < n ? text[i] : ' ';
}

/* The geometry that everybody makes up: 16 heads, 63 sectors, up to 16383 cylinders. */
static void put_geometry(const struct ide_drive *d, u8 *b)
{
    u64 cylinders = capacity(d) / (16 * 63);
    cylinders = cylinders > 16383 ? 16383 : cylinders ? cylinders : 1;
    u64 now = capacity(d) / (d->heads * d->sectors);
    now = now > 65535 ? 65535 : now ? now : 1;
    u32 chs = now * d->heads * d->sectors;
    put_word(b, 1, cylinders);
    put_word(b, 3, 16);
    put_word(b, 6, 63);
    put_word(b, 53, 0x0007);        /* words 54 to 58, 64 to 70 and 88 are valid */
    put_word(b, 54, now);
    put_word(b, 55, d->heads);
    put_word(b, 56, d->sectors);
    put_word(b, 57, chs);
    put_word(b, 58, chs >> 16);
}

static void put_capacity(const struct ide_drive *d, u8 *b)
{
    u64 sectors = capacity(d), small = sectors > 0x0fffffff ? 0x0fffffff : sectors;
    put_word(b, 60, small);
    put_word(b, 61, small >> 16);
    for (unsigned i = 0; i < 4; i++)
        put_word(b, 100 + i, sectors >> 16 * i);
}

/* The selected mode is flagged in the high byte. */
static void put_modes(const struct ide_drive *d, u8 *b)
{
    unsigned n = d->transfer_mode & 7;
    put_word(b, 63, 0x07 | ((d->transfer_mode & ~7) == 0x20 ? 0x100 << n : 0));
    put_word(b, 64, 0x03);          /* PIO modes 3 and 4 */
    for (unsigned i = 65; i <= 68; i++)
        put_word(b, i, 120);        /* ns a cycle */
    put_word(b, 88, 0x3f | ((d->transfer_mode & ~7) == 0x40 ? 0x100 << n : 0));
    put_word(b, 93, 0x600b);        /* an 80-wire cable; drive 0 answered */
}

void ata_identify(struct ide_drive *d)
{
    u8 *b = d->buf;
    put_word(b, 0, 0x0040);
    ide_put_text(b + 2 * 10, 20, d == d->channel->drive ? "EMU00001" : "EMU00002");
    ide_put_text(b + 2 * 23, 8, "1.0");
    ide_put_text(b + 2 * 27, 40, "EMU HARDDISK");
    put_geometry(d, b);
    put_capacity(d, b);
    put_modes(d, b);
    put_word(b, 47, 0x8000 | IDE_MULTIPLE_MAX);
    put_word(b, 49, 0x0300);        /* LBA, DMA */
    put_word(b, 50, 0x4000);
    put_word(b, 59, d->multiple ? 0x0100 | d->multiple : 0);
    put_word(b, 80, 0x0070);        /* ATA-4 to ATA-6 */
    put_word(b, 82, 0x4020);        /* NOP, write cache */
    put_word(b, 83, 0x7400);        /* FLUSH CACHE EXT, FLUSH CACHE, 48-bit */
    put_word(b, 84, 0x4000);
    put_word(b, 85, 0x4020);
    put_word(b, 86, 0x3400);
    put_word(b, 87, 0x4000);
}
