/* SPDX-License-Identifier: MIT */
/* What the files that print the translator's work share. */
#ifndef EMU_BT_SHOW_H
#define EMU_BT_SHOW_H

#include "bt/bt.h"
#include "bt/rules.h"

struct bt_vcpu *bt_of(const struct vm *vm);         /* NULL: nothing is translated there */

/* --- census.c --- */
struct heat **census_sorted(const struct census *c); /* heap storage: nheat of them, the most entered first; NULL: no memory */
u64 census_entered(const struct census *c);

/* --- columns.c: two texts beside each other --- */
struct columns { FILE *out; unsigned left, right; char text[2][8192]; };
void columns_init(struct columns *c, unsigned width, FILE *out);
/* One more line of the left (0) or right (1) column; what is too long goes on below, indented by `hang`. */
void columns_add(struct columns *c, int side, unsigned hang, const char *fmt, ...) __attribute__((format(printf, 4, 5)));
void columns_flush(struct columns *c);              /* print both, the shorter one padded */

/* --- notes.c --- */
bool is_host_pointer(const u8 *bytes, unsigned len); /* mov r9, imm64: an address of this process */
/* Write a host instruction as Capstone gives it in the terms of the translator: fields of struct context, other units, the stubs. */
void host_operands(const struct bt *b, const struct unit *u, u32 at, const u8 *bytes, unsigned len, const char *text, char *buf, size_t size);
/* What stands at that place of a unit that is the translator's own: a short note into buf, or "". */
void host_note(const struct bt *b, const struct unit *u, u32 at, const u8 *bytes, unsigned len, char *buf, size_t size);

/* --- dump.c --- */
void bt_summary(const struct bt_vcpu *v, FILE *out); /* a few lines, for `info bt` and --stats */

/* --- show.c --- */
void show_unit(const struct bt *b, const struct unit *u, unsigned columns, FILE *out);

#endif
