/* SPDX-License-Identifier: MIT */
#ifndef EMU_CLI_TERMINAL_H
#define EMU_CLI_TERMINAL_H

/* Columns of the terminal at standard output, at least `least`, which is also the answer where there is none. */
unsigned terminal_columns(unsigned least);

#endif
