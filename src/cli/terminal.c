/* SPDX-License-Identifier: MIT */
#include "cli/terminal.h"

#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

unsigned terminal_columns(unsigned least)
{
    struct winsize w;
    return ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) == 0 && w.ws_col > least ? w.ws_col : least;
}

unsigned terminal_width(unsigned least, unsigned most)
{
    const char *said = getenv("COLUMNS");
    unsigned columns = said ? strtoul(said, NULL, 10) : terminal_columns(0);
    return !columns || columns > most ? most : columns < least ? least : columns;
}
