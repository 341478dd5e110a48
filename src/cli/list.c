/* SPDX-License-Identifier: MIT */
/* `emu list WHAT`: every table that the emulator is made of, printed from the table itself. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "cli/commands.h"
#include "cli/engines.h"
#include "cli/guests.h"
#include "cli/nearest.h"
#include "cli/options/options.h"
#include "cli/words.h"
#include "hwassist/hwassist.h"
#include "machine/loader.h"

static void row(const char *name, const char *help) { printf("%-18s %s\n", name, help); }

static void list_engines(void)
{
    for (const struct engine_ops *const *e = engines; *e; e++) {
        char detail[160] = "";
        struct error why = { "" };
        bool ok = (*e)->probe(detail, sizeof detail, &why) == 0;
        printf("%-18s %s (%s%s)\n", (*e)->name, (*e)->help, ok ? "" : "not here: ", ok ? detail : why.text);
    }
}

static void list_devices(void)
{
    for (const struct device_ops *const *d = pc_devices; *d; d++)
        row((*d)->name, (*d)->help);
}

static void list_events(void)
{
    for (int e = 0; e < EV_COUNT; e++)
        printf("%-18s %-6s %s\n%-18s        = %s\n", event_rows[e].name, family_rows[event_rows[e].family].name, event_rows[e].help, "", event_rows[e].formula);
}

static void list_profiles(void)
{
    char **names = profile_names();
    for (char **n = names; n && *n; n++) {
        struct profile p;
        struct error err;
        bool ok = profile_load(&p, *n, &err) == 0;
        row(*n, ok ? p.title : err.text);
        if (ok)
            profile_fini(&p);
        free(*n);
    }
    free(names);
}

static void list_components(void)
{
    for (int k = 0; k < COMP_COUNT; k++)
        row(component_rows[k].name, component_rows[k].help);
}

static void list_traces(void)
{
    for (int t = 0; t < TRACE_COUNT; t++)
        row(trace_rows[t].name, trace_rows[t].help);
}

static void list_hw(void) { hw_print(stdout); }

static void list_cpus(void)
{
    for (unsigned i = 0; i < cpu_model_count; i++)
        row(cpu_models[i].name, cpu_models[i].help);
}

static void list_exits(void)
{
    for (int k = 0; k < EXIT_KIND_COUNT; k++)
        row(exit_rows[k].name, exit_rows[k].help);
}

static void list_loaders(void)
{
    for (const struct loader *const *l = loaders; *l; l++)
        row((*l)->name, (*l)->help);
}

/* A guest's own word about itself: the first line of its README. */
static void guest_title(const char *folder, const char *name, char *title, int size)
{
    char path[1024];
    snprintf(path, sizeof path, "%s/%s/README.md", folder, name);
    FILE *f = fopen(path, "r");
    *title = 0;
    if (!f)
        return;
    if (fgets(title, size, f))
        title[strcspn(title, "\n")] = 0;
    fclose(f);
}

static void list_guests(void)
{
    char title[120];
    struct guests all;
    guests_read(&all);
    for (int i = 0; i < all.n; i++) {
        guest_title(all.folder, all.entry[i]->d_name, title, sizeof title);
        row(all.entry[i]->d_name, title + strspn(title, "# "));
    }
    guests_free(&all);
}

static const struct { const char *what, *help; void (*list)(void); } lists[] = {
    { "engines", "the monitors, and which of them work here", list_engines },
    { "devices", "what the machine consists of", list_devices },
    { "events", "what is counted, and what each costs", list_events },
    { "profiles", "whose costs can be charged", list_profiles },
    { "guests", "the small kernels that come with emu", list_guests },
    { "components", "what a profile consists of", list_components },
    { "hw", "features of VT-x, and processors by name", list_hw },
    { "traces", "what -trace can print", list_traces },
    { "cpus", "processor models for -cpu", list_cpus },
    { "exits", "why an engine comes back to the machine", list_exits },
    { "loaders", "kinds of images that can be run", list_loaders },
    { "options", "all options, as emu --help-all", help_print_all },
};

static int unknown_list(const char *what)
{
    struct nearest near;
    nearest_init(&near, what);
    fprintf(stderr, "emu: list %s: no such list", what);
    for (unsigned i = 0; i < ARRAY_LEN(lists); i++)
        nearest_offer(&near, lists[i].what);
    if (near.best)
        fprintf(stderr, "; did you mean %s?\n", near.best);
    else
        fprintf(stderr, "; `emu list` names them\n");
    return STATUS_USER;
}

int cli_list(int argc, char **argv)
{
    const char *value;
    if (argc > 2)
        return fprintf(stderr, "emu: list %s %s: one list at a time\n", argv[1], argv[2]), STATUS_USER;
    bool all = argc < 2 || word_is_option(argv[1], "help", &value) || word_is_option(argv[1], "h", &value);
    for (unsigned i = 0; i < ARRAY_LEN(lists); i++) {
        if (all)
            printf("emu list %-10s  %s\n", lists[i].what, lists[i].help);
        else if (strcmp(argv[1], lists[i].what) == 0)
            return lists[i].list(), 0;
    }
    return all ? 0 : unknown_list(argv[1]);
}
