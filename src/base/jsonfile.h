/* SPDX-License-Identifier: MIT */
/*
 * A long JSON array in a file that is a valid document at every moment: each write carries the closing brackets, and the next
 * one overwrites them. So what a run leaves can be read even if the process was killed in the middle of it.
 */
#ifndef EMU_BASE_JSONFILE_H
#define EMU_BASE_JSONFILE_H

#include "base/error.h"
#include "base/types.h"

struct jsonfile;

/* `head` opens the document and its array, `tail` closes them; both are borrowed. NULL with *err. Pair with jsonfile_close(). */
struct jsonfile *jsonfile_open(const char *path, const char *head, const char *tail, struct error *err);
/* Add one element, which is JSON already. */
void jsonfile_add(struct jsonfile *f, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* 0, or -1 with *err: something could not be written. */
int jsonfile_close(struct jsonfile *f, struct error *err);

#endif
