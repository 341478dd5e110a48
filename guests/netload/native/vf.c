/* SPDX-License-Identifier: MIT */
/*
 * A driver for a virtual function of Intel's 82576 (src/devices/igb/igb_regs.h has the adapter's face): its registers are the guest's own,
 * no access of the data path leaves it, and what is done stands in memory. One vector for both rings. Throttled, it is written as Linux's
 * igbvf: each frame reports that it is sent, and EITR says how often an interrupt may come.
 */
#include "../../../src/devices/igb/igb_regs.h"
#include "../netload.h"
#include "moderation.h"
#include "pci/pci.h"

enum { RING = 2048, RX_RING = 256, MARKS = 4 /* more than are under way */ };

struct tx_descriptor { u64 buffer; u32 command, done; };
union rx_descriptor {
    struct { u64 buffer, header; } given;
    struct { u32 type, hash, status; u16 len, tag; } done;
};

static struct tx_descriptor volatile tx[RING] __attribute__((aligned(4096)));
static union rx_descriptor volatile rx[RX_RING] __attribute__((aligned(4096)));
static u8 buffers[RX_RING][BUFFER] __attribute__((aligned(4096)));
static u8 *registers;
static u32 made, done, got, given = RX_RING - 1, made_size, got_bytes;
static struct moderation moderation = { .in = RANGE_LOW, .out = RANGE_LOW };
static u32 mark[MARKS], marked, reported;    /* batches, by the frames up to their end; how many were made, and are done */

static u32 reg_read(u32 offset) { return *(u32 volatile *)(registers + offset); }
static void reg_write(u32 offset, u32 value) { *(u32 volatile *)(registers + offset) = value; }

static void send(u32 count, u32 len)
{
    const u32 always = net_throttle ? TXD_RS : 0;
    made_size = len;
    for (u32 i = 0; i < count; i++) {
        struct tx_descriptor volatile *d = &tx[made++ % RING];
        d->buffer = (u32)net_frame;
        d->done = len << TXD_PAYLEN_SHIFT;
        d->command = len | TXD_DATA | TXD_DEXT | TXD_EOP | TXD_IFCS | always | (i == count - 1 ? TXD_RS : 0);
    }
    mark[marked++ % MARKS] = made;
    reg_write(VF_TX_QUEUE + Q_TAIL, made % RING);
}

static u32 sent(void)
{
    while (net_throttle && done != made && tx[done % RING].done & TXD_DD)
        done++;
    for (; marked != reported && tx[(mark[reported % MARKS] - 1) % RING].done & TXD_DD; reported++)
        done = mark[reported % MARKS];
    return done;
}

/* The transmit ring interrupts too, from the first time on that somebody waits for it. */
static void want_sent(u32 count)
{
    static _Bool on;
    if (!on)
        reg_write(VF_IVAR, IGB_IVAR_VALID | IGB_IVAR_VALID << 8);
    on = 1;
}

static void offer(u32 at)
{
    rx[at].given.header = 0;
    rx[at].given.buffer = (u32)buffers[at];
}

static u32 received(void)
{
    const _Bool throttled = net_throttle;
    while (rx[got % RX_RING].done.status & RXD_DD) {
        if (throttled)
            got_bytes += rx[got % RX_RING].done.len;
        offer(got % RX_RING);
        got++;
    }
    return got;
}

static void give_back(u32 count)
{
    given += count;
    reg_write(VF_RX_QUEUE + Q_TAIL, given % RX_RING);
}

/* --- interrupts --- */

static void throttle(void) { reg_write(VF_EITR, 1000000 / moderation.rate << 2); }

/* One has come: its message has cleared and masked nothing that would have to be touched. */
static void wait(void)
{
    kernel_idle();
    if (net_throttle != NET_DYNAMIC)
        return;
    u32 out = sent(), in = received();
    if (moderation_next(&moderation, in, got_bytes, out, out * made_size))
        throttle();
}

/* --- start: reset, the word with the host's driver, the rings --- */

/* MAILBOX: some of its bits are cleared by reading, so what was seen is kept. */
static void wait_for(u32 bit)
{
    u32 seen = 0;
    for (u32 i = 0; i < 100000 && !(seen & bit); i++)
        seen |= reg_read(VF_MAILBOX);
    if (!(seen & bit))
        kernel_panic("netload: the host's driver does not answer");
}

static void say_hello(void)
{
    reg_write(VF_CTRL, IGB_CTRL_RST);
    wait_for(MAILBOX_RSTD);
    reg_write(VF_MAILBOX, MAILBOX_VFU);
    reg_write(VF_MBMEM, MSG_VF_RESET);
    reg_write(VF_MAILBOX, MAILBOX_REQ);
    wait_for(MAILBOX_PFSTS);
    u32 mac[2] = { reg_read(VF_MBMEM + 4), reg_read(VF_MBMEM + 8) };
    for (u32 i = 0; i < 6; i++)
        net_frame[6 + i] = mac[i / 4] >> 8 * (i % 4);      /* the switch refuses what is not from us */
    reg_write(VF_MAILBOX, MAILBOX_ACK);
}

static void ring_start(u32 queue, const void volatile *ring, u32 bytes)
{
    reg_write(queue + Q_BAL, (u32)ring);
    reg_write(queue + Q_BAH, 0);
    reg_write(queue + Q_LEN, bytes);
    reg_write(queue + Q_DCTL, IGB_DCTL_ENABLE);
}

static _Bool open(void)
{
    u32 function = pci_find(IGB_VENDOR, IGB_VF_DEVICE);
    if (!function)
        return 0;
    registers = device_map(pci_read(function, PCI_BAR0) & ~15u);
    say_hello();
    for (u32 i = 0; i < RX_RING; i++)
        offer(i);
    ring_start(VF_TX_QUEUE, tx, sizeof tx);
    reg_write(VF_RX_QUEUE + Q_SRRCTL, IGB_SRRCTL_ONE_BUFFER | BUFFER / 1024);
    ring_start(VF_RX_QUEUE, rx, sizeof rx);
    reg_write(VF_RX_QUEUE + Q_TAIL, given);
    if (!pci_msix(function, 0))
        return 0;
    if (net_throttle) {
        moderation.rate = net_throttle == NET_DYNAMIC ? MODERATION_FIRST : net_throttle;
        throttle();
    }
    reg_write(VF_IVAR, IGB_IVAR_VALID);     /* the receive ring at vector 0, */
    reg_write(VF_EIAC, 1);                  /* whose cause is cleared by its message */
    reg_write(VF_EIMS, 1);
    return 1;
}

const struct net_path path_vf = { "vf", RING - 1, open, send, sent, want_sent, received, 0, wait, give_back };
