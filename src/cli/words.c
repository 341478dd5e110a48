/* SPDX-License-Identifier: MIT */
#include "cli/words.h"

#include <string.h>

#include "cli/options/options.h"

bool word_is_option(const char *arg, const char *name, const char **value)
{
    size_t len = strlen(name);
    *value = NULL;
    if (arg[0] != '-')
        return false;
    arg += 1 + (arg[1] == '-');
    if (strncmp(arg, name, len) || (arg[len] && arg[len] != '='))
        return false;
    *value = arg[len] ? arg + len + 1 : NULL;
    return true;
}

bool word_takes_next(const char *arg)
{
    const char *value;
    for (unsigned r = 0; r < option_count; r++)
        if (word_is_option(arg, option_rows[r].name, &value) || (option_rows[r].alias && word_is_option(arg, option_rows[r].alias, &value)))
            return option_rows[r].arg && !value;
    return false;
}
