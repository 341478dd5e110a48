/* SPDX-License-Identifier: MIT */
#include <stdio.h>

#include "cli/commands.h"
#include "cli/options/options.h"

/* "-name ARG", padded, and the help sentence. Each line begins with its option: scripts look for that. */
static void print_row(const struct option_row *r)
{
    char head[40];
    snprintf(head, sizeof head, "-%s%s%s", r->name, r->arg ? " " : "", r->arg ? r->arg : "");
    printf("%-22s %s\n", head, r->help);
}

void help_print(void)
{
    puts("Usage: emu [OPTION]... GUEST          run a guest: an image, or guests/NAME\n"
         "       emu compare [OPTION]... GUEST  one guest on all engines, side by side\n"
         "       emu translate BYTES|GUEST      code, and what the translator makes of it\n"
         "       emu list|bench|lint|grade ...   what there is; exits; ring-0 habits; labs");
    for (unsigned i = 0; i < option_count; i++)
        if (option_rows[i].basic)
            print_row(&option_rows[i]);
    puts("More: emu --help-all");
}

void help_print_all(void)
{
    for (unsigned i = 0; i < option_count; i++)
        print_row(&option_rows[i]);
}
