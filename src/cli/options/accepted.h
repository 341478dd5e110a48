/* SPDX-License-Identifier: MIT */
/* Options of QEMU that make no difference here, or that cannot be had: rows of accepted.def. */
#ifndef EMU_CLI_ACCEPTED_H
#define EMU_CLI_ACCEPTED_H

#include "base/error.h"
#include "base/types.h"

struct accepted_row {
    const char *name;
    bool arg;               /* it takes an argument */
    const char *prefix;     /* of the argument, NULL: any */
    bool refused;
    const char *why;        /* NULL: nobody needs to be told */
};
extern const struct accepted_row accepted_rows[];
extern const unsigned accepted_count;

/* The row for "-NAME ARG", where `text` of `len` characters is NAME and arg may be NULL; NULL: there is none. A row without
 * its prefix is returned for a NAME whose argument is not known yet. */
const struct accepted_row *accepted_find(const char *text, size_t len, const char *arg);
/* Take it, with a line on standard error if there is something to say; -1 with *err where it is refused. */
int accepted_take(const struct accepted_row *row, const char *arg, struct error *err);

#endif
