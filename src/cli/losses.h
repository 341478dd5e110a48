/* SPDX-License-Identifier: MIT */
/* What should have been written and could not be, as on a full disk: it is said, and the exit status tells it. */
#ifndef EMU_CLI_LOSSES_H
#define EMU_CLI_LOSSES_H

#include <stdbool.h>
#include <stdio.h>

struct chardev;
struct vm;

/* Each looks, says what it finds on standard error, and is true if something was lost. NULL is allowed for what may not be there. */
bool losses_of_vm(struct vm *vm);                                           /* its disks and captures */
bool losses_of_chardev(const char *option, const char *spec, struct chardev *c);
bool losses_of_file(const char *option, const char *path, FILE *f);         /* all that was printed to it */

/* The exit status of who has lost something: what says that all is well no longer does. */
int losses_status(int status, bool lost);

#endif
