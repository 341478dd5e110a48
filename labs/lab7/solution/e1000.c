/* SPDX-License-Identifier: MIT */
/* Lab 7, first half: a driver for the Intel 82540EM. handout.md says what is to be done. */
#include "lab7.h"
#include "pci.h"

enum { CTRL = 0x0, STATUS = 0x8, ICR = 0xc0, IMS = 0xd0, TCTL = 0x400, TDBAL = 0x3800, TDLEN = 0x3808, TDH = 0x3810, TDT = 0x3818 };
enum { CTRL_SLU = 1 << 6, STATUS_LU = 1 << 1, CAUSE_TXDW = 1 << 0, TCTL_EN_PSP = 0xa };
enum { CMD_EOP = 0x01, CMD_IFCS = 0x02, CMD_RS = 0x08, DD = 0x01 /* of upper */, RING = 2048 };

struct descriptor { u64 buffer; u32 lower /* length, command << 24 */, upper; };

static struct descriptor volatile tx[RING] __attribute__((aligned(4096)));
static u8 *registers;
static u32 made, seen_done;     /* frames: given to the adapter; known to be sent */
/*** begin solution ***/
static u32 shown;               /* frames that the adapter has been told of */
/*** instead ***
*** end solution ***/

static u32 reg_read(u32 offset) { return *(u32 volatile *)(registers + offset); }
static void reg_write(u32 offset, u32 value) { *(u32 volatile *)(registers + offset) = value; }

static void fill(u8 *frame, u32 len, u32 command)
{
    struct descriptor volatile *d = &tx[made++ % RING];
    d->buffer = (u32)frame;
    d->upper = 0;
    d->lower = len | command << 24;
}

static void interrupt(void)
{
    /*** begin solution ***/
    reg_read(ICR);      /* the line goes down; what is done stands in memory */
    /*** instead ***
    if (reg_read(ICR) & CAUSE_TXDW)
        seen_done += (reg_read(TDH) - seen_done) % RING;
    *** end solution ***/
}

static u32 done(void)
{
    /*** begin solution ***/
    /* Where a report was asked for, DD says that this frame and those before it are read. Others never get one. */
    for (u32 i = seen_done; i != shown; i++)
        if (tx[i % RING].lower & (u32)CMD_RS << 24) {
            if (!(tx[i % RING].upper & DD))
                break;
            seen_done = i + 1;
        }
    /*** instead ***
    *** end solution ***/
    return seen_done;
}

static void wait(u32 count)
{
    interrupts_let_in();
    while ((int)(done() - count) < 0)
        kernel_idle();
}

static void flush(void)
{
    /*** begin solution ***/
    if (shown == made)
        return;
    tx[(made - 1) % RING].lower |= (u32)CMD_RS << 24;
    shown = made;
    reg_write(TDT, made % RING);
    /*** instead ***
    *** end solution ***/
}

static void queue(u8 *frame, u32 len)
{
    /*** begin solution ***/
    if (made - seen_done == RING - 1) {
        flush();
        wait(made - RING / 2);
    }
    fill(frame, len, CMD_EOP | CMD_IFCS);
    /*** instead ***
    while (!(reg_read(STATUS) & STATUS_LU))
        ;
    while ((made + 1) % RING == reg_read(TDH))
        ;
    fill(frame, len, CMD_EOP | CMD_IFCS | CMD_RS);
    reg_write(TDT, made % RING);
    wait(made);
    *** end solution ***/
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
    reg_write(TDBAL, (u32)tx);
    reg_write(TDLEN, sizeof tx);
    reg_write(TCTL, TCTL_EN_PSP);
    interrupt_install(pci_read(function, PCI_INTERRUPT_LINE) & 0xff, interrupt);
    reg_read(ICR);
    reg_write(IMS, CAUSE_TXDW);
    return 1;
}

const struct driver driver_e1000 = { open, queue, flush, done, wait };
