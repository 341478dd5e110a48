/* SPDX-License-Identifier: MIT */
/*
 * A CD drive: packet commands through ATA's PACKET (ATA/ATAPI-6, 8.23; the packets: MMC-3, T10/1363-D). Whatever it answers is put
 * together in the drive's buffer, sectors come from the image; both leave by the same road, PIO in pieces that the host sizes, or DMA.
 */
#include <string.h>

#include "devices/disk/ide.h"

#define BLOCK 2048u
enum { REASON_COMMAND = 1, REASON_TO_HOST = 2 };        /* the interrupt reason, in the count register */
enum { SENSE_NOT_READY = 2, SENSE_MEDIUM = 3, SENSE_ILLEGAL = 5 };
enum { ASC_READ_ERROR = 0x11, ASC_OPCODE = 0x20, ASC_LBA = 0x21, ASC_FIELD = 0x24, ASC_NO_MEDIUM = 0x3a };
enum { LEAD_OUT = 0xaa, DATA_TRACK = 0x14 };

static u32 be16(const u8 *p) { return p[0] << 8 | p[1]; }
static u32 be32(const u8 *p) { return (u32)p[0] << 24 | p[1] << 16 | p[2] << 8 | p[3]; }
static void put16(u8 *p, u32 v) { p[0] = v >> 8, p[1] = v; }
static void put32(u8 *p, u32 v) { put16(p, v >> 16), put16(p + 2, v); }

static u32 blocks(const struct ide_drive *d)
{
    u64 n = block_size(d->image) / BLOCK;
    return n < 0xffffffff ? n : 0xffffffff;
}

/* --- ends --- */

static void set_sense(struct ide_drive *d, u8 key, u8 asc)
{
    d->sense = key;
    d->asc = asc;
    d->ascq = 0;
}

static void set_reason(struct ide_drive *d, u8 reason) { d->tf.count[0] = reason; }

static void finish(struct ide_drive *d)
{
    set_reason(d, REASON_COMMAND | REASON_TO_HOST);
    ide_done(d);
}

/* CHECK CONDITION: the sense key in the error register, the rest by REQUEST SENSE. */
static void check(struct ide_drive *d, u8 key, u8 asc)
{
    set_sense(d, key, asc);
    set_reason(d, REASON_COMMAND | REASON_TO_HOST);
    ide_fail(d, 0, key << 4 | ERR_ABRT);
}

/* --- data to the host --- */

static void send_piece(struct ide_drive *d);

static void piece_taken(struct ide_drive *d)
{
    ide_later(d, d->left < d->chunk ? d->left : d->chunk, d->left ? send_piece : finish);
}

/* The next piece of at most what the host takes at once; its size stands in the byte count registers. */
static void send_piece(struct ide_drive *d)
{
    u32 n = d->left < d->chunk ? d->left : d->chunk;
    if (!d->from_buffer) {
        d->at = d->end = 0;
        if (!block_read(d->image, d->pos, d->buf, n)) {
            check(d, SENSE_MEDIUM, ASC_READ_ERROR);
            return;
        }
    }
    d->end += n;
    d->pos += n;
    d->left -= n;
    d->tf.lba[1][0] = n;
    d->tf.lba[2][0] = n >> 8;
    set_reason(d, REASON_TO_HOST);
    ide_offer(d, piece_taken, true);
}

static void send_by_dma(struct ide_drive *d)
{
    enum ide_dma_end end = ide_dma_move(d);
    d->dma = false;
    if (end == DMA_DONE || (end == DMA_SHORT && d->from_buffer))
        finish(d);
    else if (end == DMA_SHORT)
        d->status = ST_DRDY | ST_DSC | ST_DRQ;  /* waits for more, until it is reset */
    else
        check(d, SENSE_MEDIUM, ASC_READ_ERROR);
}

static void send(struct ide_drive *d)
{
    d->to_host = true;
    d->at = d->end = 0;
    if (!d->left)
        finish(d);
    else if (!(d->tf.feature[0] & 1))
        ide_later(d, d->left < d->chunk ? d->left : d->chunk, send_piece);
    else {
        d->step = send_by_dma;
        ide_dma_ready(d);
    }
}

/* `len` bytes are in buf; the host has room for `room`. */
static void reply(struct ide_drive *d, u32 len, u32 room)
{
    d->from_buffer = true;
    d->left = len < room ? len : room;
    send(d);
}

static void send_blocks(struct ide_drive *d, u32 first, u32 count)
{
    if (first > blocks(d) || count > blocks(d) - first) {
        check(d, SENSE_ILLEGAL, ASC_LBA);
        return;
    }
    d->from_buffer = false;
    d->pos = (u64)first * BLOCK;
    d->left = (u64)count * BLOCK;
    send(d);
}

/* --- the packets: d->packet is complete, d->buf is zero where answers are made --- */

static void do_test_unit_ready(struct ide_drive *d) { finish(d); }

static void do_request_sense(struct ide_drive *d)
{
    d->buf[0] = 0x70;
    d->buf[2] = d->sense;
    d->buf[7] = 10;
    d->buf[12] = d->asc;
    d->buf[13] = d->ascq;
    set_sense(d, 0, 0);
    reply(d, 18, d->packet[4]);
}

static void do_inquiry(struct ide_drive *d)
{
    if (d->packet[1] & 1) {             /* vital product data */
        check(d, SENSE_ILLEGAL, ASC_FIELD);
        return;
    }
    d->buf[0] = 5;                      /* a CD drive */
    d->buf[1] = 0x80;                   /* removable */
    d->buf[3] = 0x21;                   /* ATAPI-2, response format 1 */
    d->buf[4] = 31;
    memcpy(d->buf + 8, "EMU     EMU CD-ROM      1.0 ", 28);
    reply(d, 36, d->packet[4]);
}

static void do_start_stop(struct ide_drive *d)
{
    enum { LOAD_EJECT = 2, START = 1 };
    if (d->packet[4] & LOAD_EJECT)
        d->tray_open = !(d->packet[4] & START);
    finish(d);
}

static void do_nothing(struct ide_drive *d) { finish(d); }

static void do_read_capacity(struct ide_drive *d)
{
    put32(d->buf, blocks(d) ? blocks(d) - 1 : 0);
    put32(d->buf + 4, BLOCK);
    reply(d, 8, 8);
}

static void do_read_10(struct ide_drive *d) { send_blocks(d, be32(d->packet + 2), be16(d->packet + 7)); }
static void do_read_12(struct ide_drive *d) { send_blocks(d, be32(d->packet + 2), be32(d->packet + 6)); }

/* Only the user data of data blocks is there. */
static void do_read_cd(struct ide_drive *d)
{
    u8 parts = d->packet[9] & 0xf8;
    u32 count = be32(d->packet + 5) & 0xffffff;
    if (parts == 0x10)
        send_blocks(d, be32(d->packet + 2), count);
    else if (parts == 0 || count == 0)
        finish(d);
    else
        check(d, SENSE_ILLEGAL, ASC_FIELD);
}

/* An address, as minutes, seconds and 1/75 s from 2 seconds before block 0 on, if asked for so. */
static void put_address(const struct ide_drive *d, u8 *at, u32 block)
{
    bool msf = d->packet[1] & 2;
    u32 frames = block + 150;
    if (msf)
        at[0] = 0, at[1] = frames / 75 / 60, at[2] = frames / 75 % 60, at[3] = frames % 75;
    else
        put32(at, block);
}

static u32 put_track(const struct ide_drive *d, u8 *at, u8 track, u32 block)
{
    at[1] = DATA_TRACK;
    at[2] = track;
    put_address(d, at + 4, block);
    return 8;
}

/* One session with one track of data. */
static void do_read_toc(struct ide_drive *d)
{
    u8 format = d->packet[2] & 15 ? d->packet[2] & 15 : d->packet[9] >> 6, from = d->packet[6];
    u32 len = 4;
    if (format > 1 || (format == 0 && from > 1 && from != LEAD_OUT)) {
        check(d, SENSE_ILLEGAL, ASC_FIELD);
        return;
    }
    d->buf[2] = d->buf[3] = 1;
    if (format == 1 || from <= 1)
        len += put_track(d, d->buf + len, 1, 0);
    if (format == 0)
        len += put_track(d, d->buf + len, LEAD_OUT, blocks(d));
    put16(d->buf, len - 2);
    reply(d, len, be16(d->packet + 7));
}

/* Mode pages: error recovery, and what the drive can do. */
static u32 put_mode_page(u8 *at, u8 page)
{
    static const u8 recovery[8] = { 0x01, 6, 0, 5 };
    static const u8 capabilities[20] = { 0x2a, 18, 0, 0, 0x71, 0x60, 0x29, 0, 0x02, 0xc2, 0, 2, 2, 0, 0x02, 0xc2 };
    u32 len = 0;
    if (page == 0x01 || page == 0x3f) {
        memcpy(at, recovery, sizeof recovery);
        len += sizeof recovery;
    }
    if (page == 0x2a || page == 0x3f) {
        memcpy(at + len, capabilities, sizeof capabilities);
        len += sizeof capabilities;
    }
    return len;
}

static void do_mode_sense(struct ide_drive *d)
{
    u32 len = put_mode_page(d->buf + 8, d->packet[2] & 0x3f);
    if (!len || d->packet[2] >> 6 == 3) {
        check(d, SENSE_ILLEGAL, ASC_FIELD);
        return;
    }
    put16(d->buf, len + 6);
    d->buf[2] = d->tray_open ? 0x71 : 0x01;
    reply(d, len + 8, be16(d->packet + 7));
}

/* Feature descriptors: the profile list (CD-ROM), and that the medium can be taken out. */
static void do_get_configuration(struct ide_drive *d)
{
    static const u8 profiles[8] = { 0, 0, 3, 4, 0, 8, 1 }, removable[8] = { 0, 3, 3, 4, 0x29 };
    u32 len = 8, from = be16(d->packet + 2);
    d->buf[7] = d->tray_open ? 0 : 8;
    if (from == 0) {
        memcpy(d->buf + len, profiles, sizeof profiles);
        len += sizeof profiles;
    }
    if (from <= 3) {
        memcpy(d->buf + len, removable, sizeof removable);
        len += sizeof removable;
    }
    put32(d->buf, len - 4);
    reply(d, len, be16(d->packet + 7));
}

/* Polled: no event, a medium is there. */
static void do_event_status(struct ide_drive *d)
{
    enum { POLLED = 1, MEDIA_CLASS = 4, MEDIA_EVENTS = 0x10 };
    if (!(d->packet[1] & POLLED)) {
        check(d, SENSE_ILLEGAL, ASC_FIELD);
        return;
    }
    bool media = d->packet[4] & MEDIA_EVENTS;
    put16(d->buf, media ? 6 : 2);
    d->buf[2] = media ? MEDIA_CLASS : 0x80;
    d->buf[3] = MEDIA_EVENTS;
    d->buf[5] = d->tray_open ? 1 : 2;
    reply(d, media ? 8 : 4, be16(d->packet + 7));
}

static void do_disc_information(struct ide_drive *d)
{
    put16(d->buf, 32);
    d->buf[2] = 0x0e;                   /* complete */
    d->buf[3] = d->buf[4] = d->buf[5] = d->buf[6] = 1;
    memset(d->buf + 17, 0xff, 8);
    reply(d, 34, be16(d->packet + 7));
}

static void do_mechanism_status(struct ide_drive *d)
{
    d->buf[1] = d->tray_open ? 0x10 : 0;
    reply(d, 8, be16(d->packet + 8));
}

enum { NEEDS_MEDIUM = 1 };
static const struct { u8 code, flags; void (*run)(struct ide_drive *d); } packets[] = {
    { 0x00, NEEDS_MEDIUM, do_test_unit_ready },     { 0x03, 0, do_request_sense },
    { 0x12, 0, do_inquiry },                        { 0x1b, 0, do_start_stop },
    { 0x1e, 0, do_nothing /* PREVENT REMOVAL */ },  { 0x25, NEEDS_MEDIUM, do_read_capacity },
    { 0x28, NEEDS_MEDIUM, do_read_10 },             { 0x2b, NEEDS_MEDIUM, do_nothing /* SEEK */ },
    { 0x43, NEEDS_MEDIUM, do_read_toc },            { 0x46, 0, do_get_configuration },
    { 0x4a, 0, do_event_status },                   { 0x51, NEEDS_MEDIUM, do_disc_information },
    { 0x5a, 0, do_mode_sense },                     { 0xa8, NEEDS_MEDIUM, do_read_12 },
    { 0xbb, 0, do_nothing /* SET CD SPEED */ },     { 0xbd, 0, do_mechanism_status },
    { 0xbe, NEEDS_MEDIUM, do_read_cd },
};

static void run_packet(struct ide_drive *d)
{
    for (unsigned i = 0; i < ARRAY_LEN(packets); i++) {
        if (packets[i].code != d->packet[0])
            continue;
        if (packets[i].flags & NEEDS_MEDIUM && (d->tray_open || !blocks(d)))
            check(d, SENSE_NOT_READY, ASC_NO_MEDIUM);
        else
            packets[i].run(d);
        return;
    }
    check(d, SENSE_ILLEGAL, ASC_OPCODE);
}

/* --- PACKET --- */

static void packet_filled(struct ide_drive *d)
{
    memcpy(d->packet, d->buf, sizeof d->packet);
    memset(d->buf, 0, 512);
    ide_later(d, 0, run_packet);
}

/* The host says how much it takes at once; odd sizes are only for a last piece. */
static u32 piece_limit(const struct ide_drive *d)
{
    u32 limit = d->tf.lba[1][0] | d->tf.lba[2][0] << 8;
    return limit < 2 ? 0xfffe : limit & 0xfffe;
}

void atapi_packet(struct ide_drive *d)
{
    d->chunk = piece_limit(d);
    d->at = 0;
    d->end = sizeof d->packet;
    d->to_host = false;
    set_reason(d, REASON_COMMAND);
    ide_offer(d, packet_filled, false);
}

/* IDENTIFY PACKET DEVICE (8.16). */
void atapi_identify(struct ide_drive *d)
{
    static const struct { u8 word; u16 value; } words[] = {
        { 0, 0x85c0 },      /* ATAPI, CD drive, removable, 12-byte packets, DRQ within 50 us */
        { 49, 0x0300 }, { 53, 0x0006 }, { 63, 0x0007 }, { 64, 0x0003 }, { 65, 120 }, { 66, 120 }, { 67, 120 }, { 68, 120 },
        { 80, 0x0070 }, { 82, 0x4010 }, { 83, 0x4000 }, { 85, 0x4010 }, { 88, 0x003f }, { 93, 0x600b },
    };
    for (unsigned i = 0; i < ARRAY_LEN(words); i++) {
        d->buf[2 * words[i].word] = words[i].value;
        d->buf[2 * words[i].word + 1] = words[i].value >> 8;
    }
    ide_put_text(d->buf + 2 * 10, 20, "EMU00003");
    ide_put_text(d->buf + 2 * 23, 8, "1.0");
    ide_put_text(d->buf + 2 * 27, 40, "EMU CD-ROM");
}
