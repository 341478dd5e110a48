/* SPDX-License-Identifier: MIT */
/* The processors of one decade, as a table: what each could do, and what an exit cost. */
#include <inttypes.h>
#include <stdio.h>

#include "base/profile.h"
#include "hwassist/hwassist.h"
#include "hwassist/vmx/caps.h"

static void print_generation(const struct generation *g, FILE *out)
{
    struct profile p;
    struct error err;
    char features[160];
    vmx_features_format(g->features, features, sizeof features);
    fprintf(out, "%-12s %-5s %-7s ", g->name, g->year ? g->year : "", g->launch);
    if (profile_load(&p, g->name, &err) == 0) {
        u64 exit = p.value[COMP_VMX_EXIT], entry = p.value[COMP_VMX_ENTRY];
        fprintf(out, "%5" PRIu64 " %6" PRIu64 " %6" PRIu64 "  ", exit, entry, exit + entry);
        profile_fini(&p);
    } else {
        fprintf(out, "%s  ", err.text);
    }
    fprintf(out, "%s\n", features);
}

void hw_print(void *file)
{
    static const struct { const char *name, *help; } features[] = {
#define FEATURE(id, name, needs, help) { name, help },
#include "hwassist/vmx/features.def"
#undef FEATURE
    };
    FILE *out = file;
    for (unsigned i = 0; i < ARRAY_LEN(features); i++)
        fprintf(out, "%-18s %s\n", features[i].name, features[i].help);
    fprintf(out, "\n%-12s %-5s %-7s %5s %6s %6s  %s\n", "processor", "year", "launch", "exit", "entry", "both", "features");
    for (unsigned i = 0; i < generation_count; i++)
        print_generation(&generations[i], out);
}

int hw_check(const char *list, struct error *err)
{
    u32 features;
    return vmx_features_parse(list, &features, err);
}

const char *hw_profile(const char *list)
{
    const struct generation *g = generation_find(list);
    return g ? g->name : NULL;
}

bool hw_generation(unsigned i, const char **name, const char **launch)
{
    if (i >= generation_count)
        return false;
    *name = generations[i].name;
    *launch = generations[i].launch;
    return true;
}
