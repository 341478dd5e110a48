/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "base/types.h"
#include "cli/commands.h"

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
    return cli_run(argc, argv);
}
