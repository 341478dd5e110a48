/* SPDX-License-Identifier: MIT */
/*
 * The user's mistakes: one line that says what is wrong and what to do next.
 *
 * Errors are of three kinds, never mixed. The user's mistake travels in a
 * struct error to main(), which prints it and leaves with STATUS_USER. The guest's
 * oddity is an architectural fault, or stops the VM with a reason (vm_stop()).
 * Our own bug is an assert. Guest input never reaches exit(), abort() or assert().
 */
#ifndef EMU_BASE_ERROR_H
#define EMU_BASE_ERROR_H

/* emu's own exit statuses are even; a guest's, (v << 1) | 1, are odd. */
enum exit_status {
    STATUS_POWEROFF = 0,   /* the guest turned its machine off */
    STATUS_STOPPED = 2,    /* the VM was stopped with a reason (triple fault, ...) */
    STATUS_USER = 64,      /* a user's mistake */
    STATUS_BUG = 70,       /* our bug */
    STATUS_LIMIT = 124,    /* --max-seconds or --max-cycles was reached */
};

struct error {
    char text[512];
};

/* Format the one line into *e (NULL is allowed: the line is dropped). Always
 * returns -1, so that a caller can write `return error_set(e, "...")`. */
int error_set(struct error *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
