/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/types.h"
#include "cli/commands.h"
#include "cli/nearest.h"

int main(int argc, char **argv)
{
    static const struct { const char *name; int (*run)(int argc, char **argv); } commands[] = {
        { "bench", cli_bench },
        { "compare", cli_compare },
        { "lint", cli_lint },
        { "list", cli_list },
        { "translate", cli_translate },
        { "grade", cli_grade },
        { "grade-worker", cli_grade_worker },
    };
    for (unsigned i = 0; argc > 1 && i < ARRAY_LEN(commands); i++)
        if (strcmp(argv[1], commands[i].name) == 0)
            return commands[i].run(argc - 1, argv + 1);
    if (argc > 1 && *argv[1] != '-' && access(argv[1], F_OK)) {
        struct nearest near;
        nearest_init(&near, argv[1]);
        for (unsigned i = 0; i < ARRAY_LEN(commands); i++)
            nearest_offer(&near, commands[i].name);
        if (near.best) {
            fprintf(stderr, "emu: %s: no such subcommand and no such file; did you mean emu %s?\n", argv[1], near.best);
            return STATUS_USER;
        }
    }
    return cli_run(argc, argv);
}
