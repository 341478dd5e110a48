/* SPDX-License-Identifier: MIT */
/*
 * The face of src/bt: the engine of VMware's kind, 1998 to 2010; and the same translator as an accelerator of the processor, for
 * the engines whose guests run on it as they are.
 */
#ifndef EMU_BT_BT_H
#define EMU_BT_BT_H

#include <stdio.h>

#include "cpu/accel.h"
#include "machine/engine.h"

extern const struct engine_ops bt_engine;
extern const struct cpu_accel_ops bt_accel;

/* --- the translator at work --- */

#define BT_COLUMNS 100          /* of text that a projector shows well; from BT_WIDE on there is room for the bytes of the code */
#define BT_WIDE 150

/* Count from now on how often each unit is entered and which way leads there, which costs some of the cache's speed but no virtual
 * cycle. 0, or -1 with *err: nothing is translated in this machine. */
int bt_census_start(struct vm *vm, struct error *err);

/* Translate as for a host with all that the translator can use (BMI2), so that the text is the same everywhere. For a machine that is not
 * run afterwards. */
void bt_only_to_show(struct vm *vm);

/* Print guest and host code of the unit at the guest linear address *eip, side by side, and why each instruction became what it did; *eip
 * is the address behind it then. As it stands in the cache, or translated now, for the address space and privilege in which the guest
 * stands. 0, or -1 with *err. */
int bt_show(struct vm *vm, u32 *eip, unsigned columns, FILE *out, struct error *err);

/* What the translator did in this run, in numbers; with a census, the `hottest` units that were entered most often too. */
void bt_dump(const struct vm *vm, unsigned hottest, unsigned columns, FILE *out);
/* These units alone. */
void bt_dump_hottest(const struct vm *vm, unsigned hottest, unsigned columns, FILE *out);

#endif
