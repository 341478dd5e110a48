/* SPDX-License-Identifier: MIT */
/* For subcommands with options of their own beside those of a run: which is which? */
#ifndef EMU_CLI_WORDS_H
#define EMU_CLI_WORDS_H

#include <stdbool.h>

/* "-name", "--name", "-name=value": is it the option called `name`? *value gets what is behind '=', or NULL. */
bool word_is_option(const char *arg, const char *name, const char **value);
/* Is it an option of a single run that takes its argument from the next word? */
bool word_takes_next(const char *arg);

#endif
