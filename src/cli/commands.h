/* SPDX-License-Identifier: MIT */
/* The subcommands. Each gets its own name as argv[0] and returns emu's exit status. */
#ifndef EMU_CLI_COMMANDS_H
#define EMU_CLI_COMMANDS_H

int cli_run(int argc, char **argv);     /* no subcommand: run one guest */
int cli_list(int argc, char **argv);    /* emu list WHAT */
int cli_compare(int argc, char **argv); /* emu compare GUEST */
int cli_bench(int argc, char **argv);   /* emu bench exits, or decade */
int cli_lint(int argc, char **argv);    /* emu lint KERNEL */
int cli_translate(int argc, char **argv); /* emu translate BYTES, or GUEST */
int cli_grade(int argc, char **argv);   /* emu grade LAB SUBMISSION */
int cli_grade_worker(int argc, char **argv); /* the inner process of it */

void help_print(void);      /* one screen of 80x24 */
void help_print_all(void);  /* every option */

#endif
