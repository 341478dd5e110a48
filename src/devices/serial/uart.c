/* SPDX-License-Identifier: MIT */
/*
 * National PC16550D. Register and bit names are the data sheet's (section 8).
 *
 * Sending takes no time: THR is empty again at once, and the "transmitter holding register empty" interrupt comes as
 * for a very fast line. So a guest's message costs its port accesses and no waiting. Receiving is as deep as the FIFO:
 * the back-end keeps what does not fit. Time matters only for the timeout that reports fewer characters than the
 * trigger level.
 */
#include "devices/serial/uart.h"

#include <string.h>

enum { RBR_THR, IER, IIR_FCR, LCR, MCR, LSR, MSR, SCR };
enum { IER_DATA = 0x01, IER_THR = 0x02, IER_LINE = 0x04, IER_MODEM = 0x08 };
enum { IIR_NONE = 0x01, IIR_MODEM = 0x00, IIR_THR = 0x02, IIR_DATA = 0x04, IIR_LINE = 0x06, IIR_TIMEOUT = 0x0c,
       IIR_FIFOS = 0xc0 };
enum { FCR_ENABLE = 0x01, FCR_CLEAR_RX = 0x02, FCR_KEPT = 0xc9 };
enum { LCR_STOP = 0x04, LCR_PARITY = 0x08, LCR_DLAB = 0x80 };
enum { MCR_DTR = 0x01, MCR_RTS = 0x02, MCR_OUT1 = 0x04, MCR_OUT2 = 0x08, MCR_LOOP = 0x10, MCR_WRITABLE = 0x1f };
enum { LSR_DATA = 0x01, LSR_OVERRUN = 0x02, LSR_ERRORS = 0x1e, LSR_THRE = 0x20, LSR_TEMT = 0x40 };
enum { MSR_DELTAS = 0x0f, MSR_TERI = 0x04, MSR_CTS = 0x10, MSR_DSR = 0x20, MSR_RI = 0x40, MSR_DCD = 0x80 };

#define BAUD_BASE 115200u   /* 1.8432 MHz / 16 */

static bool fifos(const struct uart *u) { return u->fcr & FCR_ENABLE; }
static unsigned capacity(const struct uart *u) { return fifos(u) ? UART_FIFO : 1; }

static unsigned trigger_level(const struct uart *u)
{
    static const u8 level[4] = { 1, 4, 8, 14 };
    return fifos(u) ? level[u->fcr >> 6] : 1;
}

/* Interrupts (section 8.6.2): the sources in order of priority. */

static bool line_pending(const struct uart *u) { return u->lsr & LSR_ERRORS; }
static bool data_pending(const struct uart *u) { return u->len >= trigger_level(u); }
static bool timeout_pending(const struct uart *u) { return u->timeout_interrupt; }
static bool thr_pending(const struct uart *u) { return u->thr_interrupt; }
static bool modem_pending(const struct uart *u) { return u->msr & MSR_DELTAS; }

static const struct {
    u8 enable, id;
    bool (*pending)(const struct uart *u);
} source[] = {
    { IER_LINE, IIR_LINE, line_pending },
    { IER_DATA, IIR_DATA, data_pending },
    { IER_DATA, IIR_TIMEOUT, timeout_pending },
    { IER_THR, IIR_THR, thr_pending },
    { IER_MODEM, IIR_MODEM, modem_pending },
};

static u8 interrupt_id(const struct uart *u)
{
    for (unsigned i = 0; i < ARRAY_LEN(source); i++)
        if (u->ier & source[i].enable && source[i].pending(u))
            return source[i].id;
    return IIR_NONE;
}

/* Follow the sources with the line. The PC gates it with OUT2; like other emulators this one does not, because small
 * kernels that were only ever run on those do not set it. */
static void update(struct uart *u)
{
    bool line = interrupt_id(u) != IIR_NONE;
    if (line == u->line)
        return;
    u->line = line;
    if (u->irq_changed)
        u->irq_changed(u->owner);
}

/* Receiving */

static cycles_t four_characters(const struct uart *u)
{
    unsigned bits = 1 + 5 + (u->lcr & 3) + !!(u->lcr & LCR_PARITY) + 1 + !!(u->lcr & LCR_STOP);
    unsigned divisor = u->divisor ? u->divisor : 65536;
    return clock_ticks_to_cycles(u->clock, 4ull * bits * divisor, BAUD_BASE);
}

/* The line was busy, or the processor read: four character times begin anew. */
static void restart_timeout(struct uart *u)
{
    u->timeout_interrupt = false;
    if (fifos(u) && u->len)
        timer_set(u->clock, &u->timeout, u->clock->now + four_characters(u));
    else
        timer_cancel(u->clock, &u->timeout);
}

static void timed_out(void *opaque, cycles_t when)
{
    struct uart *u = opaque;
    u->timeout_interrupt = u->len > 0;
    update(u);
}

static void receive(struct uart *u, u8 byte)
{
    u->received++;
    if (u->len == capacity(u)) {
        u->lsr |= LSR_OVERRUN;
        if (!fifos(u))
            u->fifo[u->head] = byte;    /* without FIFOs the new character overwrites the old one */
        return;
    }
    u->fifo[(u->head + u->len++) % UART_FIFO] = byte;
}

/* Take from the back-end what fits. */
static void pull(struct uart *u)
{
    unsigned before = u->len;
    int byte;
    while (u->back && !(u->mcr & MCR_LOOP) && u->len < capacity(u) && (byte = u->back->read(u->back)) >= 0)
        receive(u, byte);
    if (u->len != before)
        restart_timeout(u);
}

static void back_ready(void *dev)
{
    pull(dev);
    update(dev);
}

static void clear_received(struct uart *u)
{
    u->len = 0;
    restart_timeout(u);
}

/* Modem lines: the other end is always there and ready; in loopback they follow MCR (section 8.7). */

static u8 modem_lines(const struct uart *u)
{
    if (!(u->mcr & MCR_LOOP))
        return MSR_CTS | MSR_DSR | MSR_DCD;
    return (u->mcr & MCR_RTS ? MSR_CTS : 0) | (u->mcr & MCR_DTR ? MSR_DSR : 0) | (u->mcr & MCR_OUT1 ? MSR_RI : 0) |
           (u->mcr & MCR_OUT2 ? MSR_DCD : 0);
}

static void follow_modem(struct uart *u)
{
    u8 now = modem_lines(u), was = u->msr & 0xf0;
    u8 delta = (now ^ was) >> 4;
    if (now & MSR_RI)
        delta &= ~MSR_TERI;     /* the ring indicator counts only when it ends */
    u->msr = now | (u->msr & MSR_DELTAS) | delta;
}

/* Registers */

static u64 read_rbr(struct uart *u)
{
    if (!u->len)
        return 0;
    u8 byte = u->fifo[u->head];
    u->head = (u->head + 1) % UART_FIFO;
    u->len--;
    restart_timeout(u);
    pull(u);
    return byte;
}

static u64 read_data(struct uart *u) { return u->lcr & LCR_DLAB ? u->divisor & 0xff : read_rbr(u); }
static u64 read_ier(struct uart *u) { return u->lcr & LCR_DLAB ? u->divisor >> 8 : u->ier; }
static u64 read_lcr(struct uart *u) { return u->lcr; }
static u64 read_mcr(struct uart *u) { return u->mcr; }
static u64 read_scr(struct uart *u) { return u->scr; }

static u64 read_iir(struct uart *u)
{
    u8 id = interrupt_id(u);
    if (id == IIR_THR)
        u->thr_interrupt = false;       /* reading IIR resets this source, if it is the one shown */
    return id | (fifos(u) ? IIR_FIFOS : 0);
}

static u64 read_lsr(struct uart *u)
{
    u8 errors = u->lsr;
    u->lsr = 0;
    return errors | LSR_THRE | LSR_TEMT | (u->len ? LSR_DATA : 0);
}

static u64 read_msr(struct uart *u)
{
    u8 value = u->msr;
    u->msr &= ~MSR_DELTAS;
    return value;
}

static void write_thr(struct uart *u, u8 byte)
{
    u->sent++;
    if (u->mcr & MCR_LOOP) {
        receive(u, byte);
        restart_timeout(u);
    } else if (u->back) {
        u->back->write(u->back, byte);
    }
    u->thr_interrupt = true;            /* empty again already */
}

static void write_data(struct uart *u, u8 value)
{
    if (u->lcr & LCR_DLAB)
        u->divisor = (u->divisor & 0xff00) | value;
    else
        write_thr(u, value);
}

static void write_ier(struct uart *u, u8 value)
{
    if (u->lcr & LCR_DLAB) {
        u->divisor = (u->divisor & 0xff) | value << 8;
        return;
    }
    if (value & ~u->ier & IER_THR)
        u->thr_interrupt = true;        /* enabling it while THR is empty interrupts at once */
    u->ier = value & 0x0f;
}

static void write_fcr(struct uart *u, u8 value)
{
    if ((value ^ u->fcr) & FCR_ENABLE || value & FCR_CLEAR_RX)
        clear_received(u);              /* switching the FIFOs on or off empties them too */
    u->fcr = value & FCR_ENABLE ? value & FCR_KEPT : 0;
    pull(u);
}

static void write_lcr(struct uart *u, u8 value) { u->lcr = value; }
static void write_scr(struct uart *u, u8 value) { u->scr = value; }
static void write_nothing(struct uart *u, u8 value) { }

static void write_mcr(struct uart *u, u8 value)
{
    u->mcr = value & MCR_WRITABLE;
    follow_modem(u);
    pull(u);                            /* what waited while in loopback */
}

static const struct {
    const char *name;
    u64 (*read)(struct uart *u);
    void (*write)(struct uart *u, u8 value);
} reg[8] = {
    [RBR_THR] = { "data", read_data, write_data },
    [IER] = { "ier", read_ier, write_ier },
    [IIR_FCR] = { "iir/fcr", read_iir, write_fcr },
    [LCR] = { "lcr", read_lcr, write_lcr },
    [MCR] = { "mcr", read_mcr, write_mcr },
    [LSR] = { "lsr", read_lsr, write_nothing },
    [MSR] = { "msr", read_msr, write_nothing },
    [SCR] = { "scr", read_scr, write_scr },
};

static u64 uart_read(void *dev, u64 offset, unsigned size)
{
    u64 value = reg[offset].read(dev);
    update(dev);
    return value;
}

static void uart_write(void *dev, u64 offset, unsigned size, u64 value)
{
    reg[offset].write(dev, value);
    update(dev);
}

static const char *uart_reg(u64 offset) { return reg[offset].name; }

const struct bus_ops uart_ports = { uart_read, uart_write, .reg_name = uart_reg };

void uart_init(struct uart *u, struct clock *clock, struct chardev *back, void (*irq_changed)(void *owner), void *owner)
{
    memset(u, 0, sizeof *u);
    u->clock = clock;
    u->back = back;
    u->irq_changed = irq_changed;
    u->owner = owner;
    u->divisor = 12;                    /* 9600 baud, as firmware leaves it */
    u->timeout = (struct timer){ .fire = timed_out, .opaque = u };
    if (back) {
        back->ready = back_ready;
        back->dev = u;
    }
    uart_reset(u);
}

/* Master reset (section 8.0, table I): the divisor and the scratch register stay. */
void uart_reset(struct uart *u)
{
    u->ier = u->fcr = u->lcr = u->mcr = u->lsr = 0;
    u->msr = MSR_CTS | MSR_DSR | MSR_DCD;
    u->thr_interrupt = false;
    clear_received(u);
    update(u);
}

void uart_fini(struct uart *u)
{
    timer_cancel(u->clock, &u->timeout);
    if (u->back) {
        u->back->ready = NULL;
        u->back->dev = NULL;
    }
}
