/* SPDX-License-Identifier: MIT */
/* What the handlers of options share: one function a row of options.def, in option_*.c. */
#ifndef EMU_CLI_OPTION_HANDLERS_H
#define EMU_CLI_OPTION_HANDLERS_H

#include "cli/options/options.h"

/* Takes the option's argument (NULL where it has none; borrowed from argv) into *o. 0 or -1 with *err. */
typedef int option_fn(struct options *o, const char *arg, struct error *err);
#define OPTION(id, name, alias, arg, basic, help) option_fn opt_##id;
#include "cli/options/options.def"
#undef OPTION

/* `arg` must be one of the list, ended by NULL; otherwise the error names them all. */
int option_check_choice(const char *option, const char *arg, const char *const *choices, struct error *err);
#define CHOICE(option, ...) option_check_choice(option, arg, (const char *const[]){ __VA_ARGS__, NULL }, err)

#endif
