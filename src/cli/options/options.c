/* SPDX-License-Identifier: MIT */
#include "cli/options/options.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/trace_json.h"
#include "bt/bt.h"
#include "cli/options/accepted.h"
#include "cli/options/drives.h"
#include "cli/nearest.h"
#include "cli/options/option_handlers.h"
#include "hwassist/hwassist.h"

int parse_number(const char *text, u64 *value)
{
    char *end;
    errno = 0;
    *value = strtoull(text, &end, 0);
    return isdigit((unsigned char)*text) && !*end && !errno ? 0 : -1;
}

int parse_size(const char *text, u64 *bytes)
{
    static const struct { const char *suffix; unsigned shift; } units[] = { { "", 20 }, { "K", 10 }, { "M", 20 }, { "G", 30 } };
    char *end;
    errno = 0;
    u64 n = strtoull(text, &end, 10);
    if (!isdigit((unsigned char)*text) || errno)
        return -1;
    for (unsigned i = 0; i < ARRAY_LEN(units); i++)
        if (strcasecmp(end, units[i].suffix) == 0)
            return __builtin_mul_overflow(n, BIT(units[i].shift), bytes) ? -1 : 0;
    return -1;
}

int option_check_choice(const char *option, const char *arg, const char *const *choices, struct error *err)
{
    char list[128] = "";
    for (const char *const *c = choices; *c; c++) {
        if (strcmp(arg, *c) == 0)
            return 0;
        snprintf(list + strlen(list), sizeof list - strlen(list), "%s%s", c == choices ? "" : c[1] ? ", " : " or ", *c);
    }
    return error_set(err, "-%s %s: give %s", option, arg, list);
}

/* --- the parser --- */

const struct option_row option_rows[] = {
#define OPTION(id, name, alias, arg, basic, help) { name, alias, arg, basic, help },
#include "cli/options/options.def"
#undef OPTION
};
const unsigned option_count = ARRAY_LEN(option_rows);

static option_fn *const handlers[] = {
#define OPTION(id, name, alias, arg, basic, help) opt_##id,
#include "cli/options/options.def"
#undef OPTION
};
_Static_assert(ARRAY_LEN(handlers) == ARRAY_LEN(option_rows), "one handler a row");

static bool spelled(const char *name, const char *text, size_t len) { return name && strlen(name) == len && memcmp(name, text, len) == 0; }

/* Row of the option `text` of `len` characters, or -1. */
static int find_option(const char *text, size_t len)
{
    for (unsigned i = 0; i < option_count; i++)
        if (spelled(option_rows[i].name, text, len) || spelled(option_rows[i].alias, text, len))
            return i;
    return -1;
}

static int unknown_option(const char *given, const char *name, struct error *err)
{
    struct nearest near;
    nearest_init(&near, name);
    for (unsigned i = 0; i < option_count; i++)
        nearest_offer(&near, option_rows[i].name);
    if (near.best)
        return error_set(err, "%s: no such option; did you mean -%s? (emu --help-all lists them)", given, near.best);
    return error_set(err, "%s: no such option; emu --help-all lists them", given);
}

/* An option of QEMU's that is no option here, or nobody's. */
static int parse_accepted(const char *given, const char *name, size_t len, const char *arg, int argc, char **argv, int *i, struct error *err)
{
    const struct accepted_row *r = accepted_find(name, len, NULL);
    if (!r)
        return unknown_option(given, name, err);
    if (r->arg && !arg && *i + 1 < argc)
        arg = argv[++*i];
    r = accepted_find(name, len, arg);
    return r ? accepted_take(r, arg, err) : error_set(err, "%s %s: this machine has none", given, arg);
}

/* Parse the option at argv[*i] and move *i over its argument. */
static int parse_option(struct options *o, int argc, char **argv, int *i, struct error *err)
{
    const char *given = argv[*i], *name = given + 1 + (given[1] == '-');
    size_t len = strcspn(name, "=");
    const char *arg = name[len] ? name + len + 1 : NULL;
    int row = find_option(name, len);
    if (row < 0)
        return parse_accepted(given, name, len, arg, argc, argv, i, err);
    if (option_rows[row].arg && !arg) {
        if (*i + 1 >= argc)
            return error_set(err, "%s: needs an argument: -%s %s", given, option_rows[row].name, option_rows[row].arg);
        arg = argv[++*i];
    } else if (!option_rows[row].arg && arg) {
        return error_set(err, "%s: takes no argument", given);
    }
    return handlers[row](o, arg, err);
}

static int parse_guest(struct options *o, const char *arg, struct error *err)
{
    if (o->guest)
        return error_set(err, "%s: the guest is already %s; only one can be run (compare runs one on all engines)", arg, o->guest);
    o->guest = arg;
    return 0;
}

int options_parse(struct options *o, int argc, char **argv, struct error *err)
{
    *o = (struct options){ 0 };
    vm_config_defaults(&o->vm);
    o->vm.accel = &bt_accel;
    o->escape = CHARDEV_ESCAPE;
    o->trace_json_limit = TRACE_JSON_LIMIT;
    for (int i = 1; i < argc; i++) {
        bool option = argv[i][0] == '-' && argv[i][1];
        if (option ? parse_option(o, argc, argv, &i, err) : parse_guest(o, argv[i], err))
            return -1;
    }
    if (!o->profile_said && hw_profile(o->vm.hw))
        o->vm.profile = hw_profile(o->vm.hw);
    return 0;
}

void options_fini(struct options *o)
{
    for (unsigned i = 0; i < VM_MAX_DRIVES; i++)
        free(o->drive_spec[i]);
    network_fini(&o->network);
    virtio_fini_options(&o->virtio);
    chardevs_fini(&o->chardevs);
    vfio_fini_options(&o->vfio);
    if (o->trace_file)
        fclose(o->trace_file);
    o->trace_file = NULL;
    if (o->dump_bt && o->dump_bt != stdout)
        fclose(o->dump_bt);
    o->dump_bt = NULL;
    screenshots_fini(&o->screenshots);
}
