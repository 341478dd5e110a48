/* SPDX-License-Identifier: MIT */
#include "cli/options/accepted.h"

#include <stdio.h>
#include <string.h>

const struct accepted_row accepted_rows[] = {
#define ACCEPTED(name, arg, prefix, why) { name, arg, prefix, false, why },
#define REFUSED(name, arg, why) { name, arg, NULL, true, why },
#include "cli/options/accepted.def"
#undef ACCEPTED
#undef REFUSED
};
const unsigned accepted_count = ARRAY_LEN(accepted_rows);

static bool fits(const struct accepted_row *r, const char *arg)
{
    return !r->prefix || !arg || strncmp(arg, r->prefix, strlen(r->prefix)) == 0;
}

const struct accepted_row *accepted_find(const char *text, size_t len, const char *arg)
{
    for (unsigned i = 0; i < accepted_count; i++) {
        const struct accepted_row *r = &accepted_rows[i];
        if (strlen(r->name) == len && memcmp(r->name, text, len) == 0 && fits(r, arg))
            return r;
    }
    return NULL;
}

int accepted_take(const struct accepted_row *row, const char *arg, struct error *err)
{
    const char *space = arg ? " " : "";
    arg = arg ? arg : "";
    if (row->refused)
        return error_set(err, "-%s%s%s: %s", row->name, space, arg, row->why);
    if (row->why)
        fprintf(stderr, "emu: -%s%s%s makes no difference: %s\n", row->name, space, arg, row->why);
    return 0;
}
