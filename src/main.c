/* SPDX-License-Identifier: MIT */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/types.h"
#include "cli/commands.h"
#include "cli/guests.h"
#include "cli/losses.h"
#include "cli/nearest.h"

struct command { const char *name; int (*run)(int argc, char **argv); };

static int version(int argc, char **argv) { return cli_run(2, (char *[]){ argv[0], "-version", NULL }); }
static int help(int argc, char **argv);

static const struct command commands[] = {
    { "bench", cli_bench },
    { "compare", cli_compare },
    { "lint", cli_lint },
    { "list", cli_list },
    { "translate", cli_translate },
    { "grade", cli_grade },
    { "grade-worker", cli_grade_worker },
    { "help", help },
    { "version", version },
};

static const struct command *find_command(const char *name)
{
    for (unsigned i = 0; i < ARRAY_LEN(commands); i++)
        if (strcmp(name, commands[i].name) == 0)
            return &commands[i];
    return NULL;
}

/* A word that is neither a subcommand nor a file: which of them, or which guest, was meant? */
static int unknown_word(const char *word)
{
    struct nearest near;
    struct guests guests;
    guests_read(&guests);
    nearest_init(&near, word);
    for (unsigned i = 0; i < ARRAY_LEN(commands); i++)
        nearest_offer(&near, commands[i].name);
    guests_offer(&guests, &near);
    fprintf(stderr, "emu: %s: no such subcommand and no such file; ", word);
    if (near.best)
        fprintf(stderr, "did you mean %s%s?\n", find_command(near.best) ? "emu " : "guests/", near.best);
    else
        fprintf(stderr, "emu --help names what there is\n");
    guests_free(&guests);
    return STATUS_USER;
}

/* `emu help compare` is `emu compare --help`. */
static int help(int argc, char **argv)
{
    const struct command *c = argc > 1 ? find_command(argv[1]) : NULL;
    if (argc > 1 && !c)
        return unknown_word(argv[1]);
    if (c && c->run != help && c->run != version)
        return c->run(2, (char *[]){ argv[1], "--help", NULL });
    return help_print(), 0;
}

/* Of the three descriptors each must lead somewhere: else the next file that is opened, a disk perhaps, would be standard output.
 * Where nothing can be written to, losses_of_file() hears of it. */
static void open_descriptors(void)
{
    for (int fd = 0; fd < 3; fd++)
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", fd == STDERR_FILENO ? O_WRONLY : O_RDONLY) != fd)
            _exit(STATUS_USER);
}

static int run(int argc, char **argv)
{
    const char *word = argc > 1 && *argv[1] != '-' ? argv[1] : "";
    const struct command *c = find_command(word);
    if (c)
        return c->run(argc - 1, argv + 1);
    if (*word && !strchr(word, '/') && access(word, F_OK))
        return unknown_word(word);
    return cli_run(argc, argv);
}

int main(int argc, char **argv)
{
    open_descriptors();
    int status = run(argc, argv);
    if (status == 128 + SIGPIPE)
        return status;  /* as of any other program whose reader has left */
    return losses_status(status, losses_of_file("standard output", "", stdout));
}
