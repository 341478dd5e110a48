/* SPDX-License-Identifier: MIT */
/* Back-ends of the serial ports: the terminal, a file, nothing. */
#ifndef EMU_CLI_SERIAL_H
#define EMU_CLI_SERIAL_H

#include <termios.h>

#include "devices/device.h"

#define SERIAL_BUFFER 4096

struct serial {
    struct chardev dev;                     /* what the device sees */
    int out;                                /* host descriptor, -1: dropped */
    bool owns_out;                          /* a file: closed at the end */
    u8 output[SERIAL_BUFFER]; unsigned pending;
    u8 input[SERIAL_BUFFER]; unsigned head, tail;
    bool raw; struct termios cooked;        /* the terminal's modes, to be given back */
};

/* "stdio", "mon:stdio", "none", "null", "file:NAME". 0 or -1 with *err. Pair with serial_close(). */
int serial_open(struct serial *s, const char *spec, struct error *err);
/* Writes what is pending and restores the terminal. */
void serial_close(struct serial *s);

#endif
