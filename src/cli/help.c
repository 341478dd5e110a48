/* SPDX-License-Identifier: MIT */
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/options/options.h"
#include "cli/terminal.h"

enum { HELP_COLUMN = 23, NARROWEST = 50 };

/* A sentence from column `at` on; lines end before `width` and go on below. */
static void print_sentence(const char *text, unsigned at, unsigned width)
{
    for (bool first = true; *text; first = false) {
        unsigned len = strcspn(text, " ");
        if (at + !first + len > width && at > HELP_COLUMN) {
            printf("\n%*s", HELP_COLUMN, "");
            at = HELP_COLUMN;
        } else if (!first) {
            putchar(' ');
            at++;
        }
        printf("%.*s", (int)len, text);
        at += len;
        text += len + strspn(text + len, " ");
    }
    putchar('\n');
}

/* "-name ARG", padded, and the help sentence. Elsewhere than on a terminal a row is one line that begins with its option: scripts look for that. */
static void print_row(const struct option_row *r)
{
    bool terminal = isatty(STDOUT_FILENO);
    char head[40];
    snprintf(head, sizeof head, "-%s%s%s", r->name, r->arg ? " " : "", r->arg ? r->arg : "");
    int length = printf("%-22s ", head);
    print_sentence(r->help, length, terminal ? terminal_columns(NARROWEST) : UINT_MAX);
}

void help_print(void)
{
    puts("Usage: emu [OPTION]... GUEST          run a guest: an image, or guests/NAME\n"
         "       emu compare [OPTION]... GUEST  one guest on all engines, side by side\n"
         "       emu translate BYTES|GUEST      code, and what the translator makes of it\n"
         "       emu list|bench|lint|grade ...  what there is; exits; ring-0 habits; labs");
    for (unsigned i = 0; i < option_count; i++)
        if (option_rows[i].basic)
            print_row(&option_rows[i]);
    puts("More: emu help compare (and the other words above), emu --help-all");
}

void help_print_all(void)
{
    for (unsigned i = 0; i < option_count; i++)
        print_row(&option_rows[i]);
}
