/* SPDX-License-Identifier: MIT */
/*
 * One 8259A, as a chip: eight request lines in, one line out, two registers (A0 = 0 and 1).
 * pic.c joins two of them as the PC does.
 */
#ifndef EMU_DEVICES_I8259_H
#define EMU_DEVICES_I8259_H

#include "base/types.h"

struct i8259 {
    u8 irr, isr, imr;       /* request, in-service and mask register; bit n is input n */
    u8 lines;               /* level of the inputs now */
    u8 elcr;                /* inputs that are level triggered, by the chipset's ELCR */
    u8 vector_base;         /* ICW2, bits 7 to 3 */
    u8 icw3, icw4;
    u8 lowest;              /* the input of lowest priority; 7 after ICW1 */
    u8 init_step;           /* the ICW that A0 = 1 takes next: 2, 3 or 4; 0: none, it is the mask */
    bool need_icw4, single, all_level;  /* ICW1: IC4, SNGL, LTIM */
    bool special_mask, read_isr, poll;  /* OCW3 */
    bool rotate_auto_eoi;               /* OCW2, "rotate in automatic EOI mode" */
};

void i8259_set_line(struct i8259 *c, unsigned n, bool level);
/* Note a request that comes and goes faster than anybody looks (the cascade's). */
void i8259_latch(struct i8259 *c, unsigned n);

/* The input that the chip now interrupts for, -1: none (its INT output is low). */
int i8259_pending(const struct i8259 *c);

/* INTA: the input that is served; -1 when the request has gone away (the chip then answers as if for input 7). */
int i8259_acknowledge(struct i8259 *c);

u8 i8259_read(struct i8259 *c, unsigned a0);
void i8259_write(struct i8259 *c, unsigned a0, u8 value);

#endif
