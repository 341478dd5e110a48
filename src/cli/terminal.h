/* SPDX-License-Identifier: MIT */
#ifndef EMU_CLI_TERMINAL_H
#define EMU_CLI_TERMINAL_H

/* Columns of the terminal at standard output, at least `least`, which is also the answer where there is none. */
unsigned terminal_columns(unsigned least);

/* Columns that a table may have: COLUMNS of the environment, else the terminal's, but from `least` to `most`; without either, `most`. */
unsigned terminal_width(unsigned least, unsigned most);

#endif
