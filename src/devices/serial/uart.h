/* SPDX-License-Identifier: MIT */
/* One PC16550D: eight registers, an interrupt line, and a back-end for the other end of the serial line. */
#ifndef EMU_DEVICES_UART_H
#define EMU_DEVICES_UART_H

#include "devices/device.h"

#define UART_FIFO 16

struct uart {
    u8 ier, fcr, lcr, mcr, scr;
    u8 lsr;                     /* the error bits; the others are computed */
    u8 msr;
    u16 divisor;                /* of 115,200 baud */
    u8 fifo[UART_FIFO];         /* received */
    unsigned head, len;
    bool thr_interrupt;         /* THR became empty, and IIR has not been read since */
    bool timeout_interrupt;     /* characters wait below the trigger level for four character times */
    bool line;                  /* level of the interrupt line */
    struct timer timeout;
    u64 sent, received;
    /* host handles and wiring */
    struct chardev *back;
    struct clock *clock;
    void (*irq_changed)(void *owner);   /* `line` changed */
    void *owner;
};

extern const struct bus_ops uart_ports;     /* for 8 ports; dev is a struct uart */

/* `back` may be NULL: nobody is at the other end. The uart becomes the back-end's device. */
void uart_init(struct uart *u, struct clock *clock, struct chardev *back, void (*irq_changed)(void *owner),
               void *owner);
void uart_reset(struct uart *u);
void uart_fini(struct uart *u);

#endif
