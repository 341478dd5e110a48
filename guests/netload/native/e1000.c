/* SPDX-License-Identifier: MIT */
/*
 * A driver for the Intel 82540EM, three times: naive, as a first driver is written from the manual, which asks the adapter whatever it
 * wants to know; batched, which finds everything in memory and touches a register once a batch; and throttled, as Linux's is: TDT for each
 * frame, what is done in memory, and few interrupts, each of which switches them off and on again (with a read to push the write out).
 *
 *     naive transmit, each frame    STATUS (is the link up?), TDH (is there room?), TDT; interrupt: ICR, TDH (what is done?), PIC twice
 *     batched transmit, each batch  TDT; interrupt: ICR, PIC twice
 *     throttled transmit            each frame TDT; each interrupt: ICR, IMC, STATUS, IMS, STATUS, perhaps ITR, PIC twice
 */
#include "../netload.h"
#include "moderation.h"
#include "pci/pci.h"

enum { STATUS = 0x8, ICR = 0xc0, ITR = 0xc4, IMS = 0xd0, IMC = 0xd8, RCTL = 0x100, TCTL = 0x400, RDBAL = 0x2800, RDLEN = 0x2808, RDH = 0x2810, RDT = 0x2818, RDTR = 0x2820, RADV = 0x282c,
       TDBAL = 0x3800, TDLEN = 0x3808, TDH = 0x3810, TDT = 0x3818, TIDV = 0x3820, TADV = 0x382c, CTRL = 0x0 };
enum { CTRL_SLU = 1 << 6, STATUS_LU = 1 << 1, CAUSE_TXDW = 1 << 0, CAUSE_RXT0 = 1 << 7, RCTL_EN_ALL = 0x0400801a /* EN, UPE, MPE, BAM, SECRC */, TCTL_EN_PSP = 0xa };
enum { CMD_EOP = 0x01, CMD_IFCS = 0x02, CMD_RS = 0x08, CMD_IDE = 0x80, DD = 0x01, RING = 2048, MARKS = 4 /* more than are under way */, RX_RING = 256, RX_AT_ONCE = 16 };
enum { LINUX_TIDV = 8, LINUX_TADV = 32, LINUX_RADV = 8 /* microseconds, nearly */, ITR_UNITS = 1000000000 / 256 };

struct descriptor { u64 buffer; u32 lower, upper; };
struct rx_descriptor { u64 buffer; u16 len, checksum; u8 status, errors; u16 special; };

static struct descriptor volatile tx[RING] __attribute__((aligned(4096)));
static struct rx_descriptor volatile rx[RX_RING] __attribute__((aligned(4096)));
static u8 buffers[RX_RING][BUFFER] __attribute__((aligned(4096)));
static u8 *registers;
static u32 made, seen_done, got;             /* frames: given to the adapter; known to be sent; received */
static u32 made_size, got_bytes;             /* of the last one given; of all received */
static struct moderation moderation = { .in = RANGE_LOW, .out = RANGE_LOW };
static u32 mark[MARKS], marked, reported;    /* batches, by the frames up to their end; how many were made, and are done */

static u32 reg_read(u32 offset) { return *(u32 volatile *)(registers + offset); }
static void reg_write(u32 offset, u32 value) { *(u32 volatile *)(registers + offset) = value; }

/* --- transmit --- */

static void fill(u32 len, u32 command)
{
    struct descriptor volatile *d = &tx[made++ % RING];
    d->buffer = (u32)net_frame;
    d->upper = 0;
    d->lower = len | command << 24;
}

static void send_naive(u32 len)
{
    while (!(reg_read(STATUS) & STATUS_LU))
        ;
    while ((made + 1) % RING == reg_read(TDH))
        ;
    fill(len, CMD_EOP | CMD_IFCS | CMD_RS);
    reg_write(TDT, made % RING);
    interrupts_let_in();
    while (seen_done != made)
        kernel_idle();
}

/* Interrupts may come between two frames, as in any kernel. */
static void send_throttled(u32 len)
{
    fill(len, CMD_EOP | CMD_IFCS | CMD_RS | CMD_IDE);
    reg_write(TDT, made % RING);
    interrupts_let_in();
}

static void send(u32 count, u32 len)
{
    void (*one)(u32 len) = net_throttle ? send_throttled : net_naive ? send_naive : 0;
    made_size = len;
    for (u32 i = 0; i < count && one; i++)
        one(len);
    if (one)
        return;
    for (u32 i = 0; i < count; i++)
        fill(len, CMD_EOP | CMD_IFCS | (i == count - 1 ? CMD_RS : 0));
    mark[marked++ % MARKS] = made;
    reg_write(TDT, made % RING);
}

/* Naive: what the interrupt handler has read in TDH. Batched: the last of a batch is marked done in memory, and those before it are too. */
static u32 sent(void)
{
    while (net_throttle && seen_done != made && tx[seen_done % RING].upper & DD)
        seen_done++;
    for (; marked != reported && tx[(mark[reported % MARKS] - 1) % RING].upper & DD; reported++)
        seen_done = mark[reported % MARKS];
    return seen_done;
}

/* Interrupts for what is sent, from the first time on that somebody waits for it. A first driver takes all that it can get. */
static void want_sent(u32 count)
{
    static _Bool on;
    if (!on)
        reg_write(IMS, CAUSE_TXDW);
    on = 1;
}

/* --- receive --- */

static u32 received(void)
{
    const _Bool throttled = net_throttle;
    while (rx[got % RX_RING].status & DD) {
        if (throttled)
            got_bytes += rx[got % RX_RING].len;
        rx[got % RX_RING].status = 0;
        got++;
    }
    return got;
}

/* Naive: a register write for each buffer. Linux's: for sixteen. */
static void give_back(u32 count)
{
    static u32 tail = RX_RING - 1;
    for (u32 i = 0; i < count; i++) {
        tail = (tail + 1) % RX_RING;
        if (net_naive || (net_throttle && i % RX_AT_ONCE == RX_AT_ONCE - 1))
            reg_write(RDT, tail);
    }
    if (!net_naive && !(net_throttle && count % RX_AT_ONCE == 0))
        reg_write(RDT, tail);
}

/* --- interrupts --- */

static void throttle(void) { reg_write(ITR, ITR_UNITS / moderation.rate); }

/* Linux's: none comes while the rings are looked through. */
static void interrupt_throttled(void)
{
    if (!reg_read(ICR))
        return;
    reg_write(IMC, ~0u);
    reg_read(STATUS);
    u32 out = sent(), in = received();
    if (net_throttle == NET_DYNAMIC && moderation_next(&moderation, in, got_bytes, out, out * made_size))
        throttle();
    reg_write(IMS, CAUSE_RXT0 | CAUSE_TXDW);
    reg_read(STATUS);
}

static void interrupt(void)
{
    u32 causes = reg_read(ICR);
    if (net_naive && causes & CAUSE_TXDW)
        seen_done += (reg_read(TDH) - seen_done) % RING;
}

/* --- the adapter --- */

static void rings_start(void)
{
    for (u32 i = 0; i < RX_RING; i++)
        rx[i].buffer = (u32)buffers[i];
    reg_write(RDBAL, (u32)rx);
    reg_write(RDLEN, sizeof rx);
    reg_write(RDT, RX_RING - 1);
    reg_write(RCTL, RCTL_EN_ALL);
    reg_write(TDBAL, (u32)tx);
    reg_write(TDLEN, sizeof tx);
    reg_write(TCTL, TCTL_EN_PSP);
}

static void throttle_start(void)
{
    moderation.rate = net_throttle == NET_DYNAMIC ? MODERATION_FIRST : net_throttle;
    throttle();
    reg_write(RDTR, 0);
    reg_write(RADV, LINUX_RADV);
    reg_write(TIDV, LINUX_TIDV);
    reg_write(TADV, LINUX_TADV);
}

static _Bool open(void)
{
    u32 function = pci_find(0x8086, 0x100e);
    if (!function)
        return 0;
    registers = device_map(pci_read(function, PCI_BAR0) & ~15u);
    reg_write(CTRL, reg_read(CTRL) | CTRL_SLU);
    while (!(reg_read(STATUS) & STATUS_LU))
        ;
    rings_start();
    if (net_throttle)
        throttle_start();
    interrupt_install(pci_read(function, PCI_INTERRUPT_LINE) & 0xff, net_throttle ? interrupt_throttled : interrupt);
    reg_read(ICR);
    reg_write(IMS, CAUSE_RXT0 | (net_naive || net_throttle ? CAUSE_TXDW : 0));
    return 1;
}

const struct net_path path_e1000 = {
    "e1000", RING - 1, open, send, sent, want_sent, received, 0, kernel_idle, give_back,
};
