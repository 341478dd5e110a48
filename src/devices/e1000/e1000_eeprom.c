/* SPDX-License-Identifier: MIT */
/*
 * The EEPROM (SDM chapter 5): 64 words that hold the adapter's address and its defaults. Drivers read it in two ways: by EERD, where
 * the adapter does it for them, or bit by bit through EECD, where they themselves speak Microwire to a 93C46. It cannot be written.
 */
#include <string.h>

#include "devices/e1000/e1000.h"

/* Words (SDM table 5-2). */
enum { WORD_COMPATIBILITY = 0x03, WORD_VERSION = 0x05, WORD_INIT1 = 0x0a, WORD_SUBSYSTEM = 0x0b, WORD_SUBSYSTEM_VENDOR = 0x0c, WORD_DEVICE = 0x0d,
       WORD_VENDOR = 0x0e, WORD_INIT2 = 0x0f, WORD_CHECKSUM = 0x3f };
enum { CHECKSUM = 0xbaba };     /* of all words (SDM 5.6.35) */

void e1000_eeprom_init(struct e1000 *e)
{
    u16 *w = e->eeprom, sum = 0;
    memset(w, 0xff, sizeof e->eeprom);
    for (int i = 0; i < 3; i++)
        w[i] = e->mac[2 * i] | e->mac[2 * i + 1] << 8;
    w[WORD_COMPATIBILITY] = 0x0000;
    w[WORD_VERSION] = 0x1000;
    w[WORD_INIT1] = 0x4408;         /* valid signature 01b; link set up by the EEPROM */
    w[WORD_SUBSYSTEM] = 0x001e;
    w[WORD_SUBSYSTEM_VENDOR] = 0x8086;
    w[WORD_DEVICE] = 0x100e;
    w[WORD_VENDOR] = 0x8086;
    w[WORD_INIT2] = 0x3040;         /* pause both ways, negotiation on */
    for (int i = 0; i < WORD_CHECKSUM; i++)
        sum += w[i];
    w[WORD_CHECKSUM] = CHECKSUM - sum;
}

/* --- EERD (SDM 13.4.4) --- */

enum { EERD_START = 1 << 0, EERD_DONE = 1 << 4 };

void e1000_eerd_write(struct e1000 *e, u32 offset, u32 value)
{
    u32 word = value >> 8 & 0xff;
    if (value & EERD_START)
        value = EERD_DONE | word << 8 | (u32)(word < EEPROM_WORDS ? e->eeprom[word] : 0xffff) << 16;
    *e1000_reg(e, offset) = value;
}

/* --- EECD and the chip at its other end (SDM 13.4.3; National NM93C46) --- */

enum { EECD_SK = 1 << 0, EECD_CS = 1 << 1, EECD_DI = 1 << 2, EECD_DO = 1 << 3, EECD_FWE = 3 << 4, EECD_REQ = 1 << 6, EECD_GNT = 1 << 7,
       EECD_PRES = 1 << 8 };
enum { WRITABLE = EECD_SK | EECD_CS | EECD_DI | EECD_FWE | EECD_REQ };
enum { WAIT_START, COMMAND, ANSWER, DONE };     /* phases of the chip */
enum { COMMAND_BITS = 8, OP_READ = 2, ANSWER_BITS = 16 };

static void take_command(struct e1000 *e)
{
    bool reads = e->microwire.shift >> 6 == OP_READ;
    e->microwire.phase = reads ? ANSWER : DONE;
    e->microwire.count = 0;
    e->microwire.shift = reads ? e->eeprom[e->microwire.shift % EEPROM_WORDS] : 0;
    if (reads)
        *e1000_reg(e, E1000_EECD) &= ~EECD_DO;      /* a zero before the data */
}

static void shift_out(struct e1000 *e)
{
    u32 *eecd = e1000_reg(e, E1000_EECD);
    *eecd = (*eecd & ~EECD_DO) | (e->microwire.shift & 0x8000 ? EECD_DO : 0);
    e->microwire.shift <<= 1;
    if (++e->microwire.count == ANSWER_BITS)
        e->microwire.phase = DONE;
}

/* SK rises while the chip is selected. */
static void clock_bit(struct e1000 *e, bool in)
{
    switch (e->microwire.phase) {
    case WAIT_START:
        if (in)
            e->microwire.phase = COMMAND;
        break;
    case COMMAND:
        e->microwire.shift = e->microwire.shift << 1 | in;
        if (++e->microwire.count == COMMAND_BITS)
            take_command(e);
        break;
    case ANSWER:
        shift_out(e);
        break;
    }
}

u32 e1000_eecd_read(struct e1000 *e, u32 offset)
{
    u32 eecd = e1000_get(e, offset);
    return eecd | EECD_PRES | (eecd & EECD_REQ ? EECD_GNT : 0);
}

void e1000_eecd_write(struct e1000 *e, u32 offset, u32 value)
{
    u32 *eecd = e1000_reg(e, offset), before = *eecd;
    *eecd = (value & WRITABLE) | (before & EECD_DO);
    if (!(value & EECD_CS))
        e1000_eeprom_reset(e);
    else if (value & ~before & EECD_SK)
        clock_bit(e, value & EECD_DI);
}

void e1000_eeprom_reset(struct e1000 *e)
{
    memset(&e->microwire, 0, sizeof e->microwire);
    *e1000_reg(e, E1000_EECD) |= EECD_DO;           /* not driven: pulled up */
}
