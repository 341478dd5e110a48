/* SPDX-License-Identifier: MIT */
/*
 * Lab 5: a monitor on KVM's API. You write vmm_run(), an ordinary Linux program's code: open("/dev/kvm"), ioctl(), mmap(), with the
 * structures of <linux/kvm.h>. The grader runs it on the modelled processor, host/run on the real /dev/kvm: the same source.
 *
 * The machine that the guest sees:
 *
 *     gpa 0            memory, `memory` bytes
 *     gpa HIGH_GPA     more memory, `high` bytes, if not 0
 *     everywhere else  devices: mmio_read(), mmio_write()
 *     all ports        devices: port_read(), port_write(); but EXIT_PORT is yours
 */
#ifndef LAB5_H
#define LAB5_H

#include <stdint.h>

struct guest {
    const void *code; uint32_t size;    /* to be copied to LOAD_GPA */
    int flat;                           /* 0: real mode, CS:IP 0:LOAD_GPA. 1: protected mode, all segments flat, 32 bits, EIP LOAD_GPA */
    uint32_t memory, high;              /* bytes, whole pages */
};
#define LOAD_GPA 0x1000u
#define STACK 0x8000u                   /* SP, ESP */
#define HIGH_GPA 0x40000000u
#define EXIT_PORT 0xf4                  /* OUT of a byte to it ends the machine */

/* --- what is there: the devices (lib/devices.c) ---------------------------------------------------- */

/* One access, of 1, 2 or 4 bytes (MMIO: up to 8), as the guest made it. */
void port_write(uint16_t port, unsigned size, uint32_t value);
uint32_t port_read(uint16_t port, unsigned size);
void mmio_write(uint64_t gpa, unsigned size, uint64_t value);
uint64_t mmio_read(uint64_t gpa, unsigned size);

/* The interrupt that waits to be delivered first, or -1. Any access may have raised one. When KVM has it: interrupt_taken(). */
int interrupt_pending(void);
void interrupt_taken(void);

/* --- what you write: lab5.c ------------------------------------------------------------------------ */

enum { VMM_SHUTDOWN = -1 /* a triple fault */, VMM_ERROR = -2 /* KVM refused something, or an exit came that you do not know */ };

/* Make the machine, run it until it ends, and return: the byte that the guest wrote to EXIT_PORT; 0 if it halts, no interrupt waits, and so
 * nothing will ever wake it; or one of the above. A machine is run once in a program's life. */
int vmm_run(const struct guest *g);

#endif
