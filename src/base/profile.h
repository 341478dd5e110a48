/* SPDX-License-Identifier: MIT */
/*
 * Cost profiles: what each component of each event costs, in cycles, and who says so.
 *
 * A profile is a text file, profiles/NAME.profile, one component a line:
 *
 *     vmx.entry = 2409     # B 1b: VM entry, P4 672 3.8 GHz (Adams & Agesen 2006, table 1)
 *
 * The components are the rows of components.def; every one must be given, none twice,
 * and none without a source behind the '#'. A file that says `base = NAME` is another profile but for the lines that it has.
 */
#ifndef EMU_BASE_PROFILE_H
#define EMU_BASE_PROFILE_H

#include "base/error.h"
#include "base/types.h"

enum component {
#define COMPONENT(id, name, help) COMP_##id,
#include "base/components.def"
#undef COMPONENT
    COMP_COUNT
};

struct component_row {
    const char *name; /* as in a profile: "vmx.entry" */
    const char *help;
};
extern const struct component_row component_rows[COMP_COUNT];

struct profile {
    char name[32];
    char title[120];            /* the file's `title = ...` line */
    char base[32];              /* its `base = ...` line: that profile gives what the file does not; "": none */
    u64 value[COMP_COUNT];      /* cycles; COMP_CPU_HZ: cycles per second */
    char *source[COMP_COUNT];   /* owned; the text behind '#' */
};

/* Find NAME (profiles/NAME.profile beside the executable, then the installed and the
 * source directories) or, if it contains a '/', that file; parse and check it.
 * 0, or -1 with *err saying the file, the line and what to do. Pair with profile_fini(). */
int profile_load(struct profile *p, const char *name, struct error *err);
void profile_fini(struct profile *p);

/* Names of the profiles that profile_load() would find, sorted, NULL-ended; free each and the array. */
char **profile_names(void);

#endif
