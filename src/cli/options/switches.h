/* SPDX-License-Identifier: MIT */
/* --switch-engine-at: moments of virtual time at which the machine gets another engine. */
#ifndef EMU_CLI_SWITCHES_H
#define EMU_CLI_SWITCHES_H

#include "machine/switch.h"

enum { MAX_SWITCHES = 16 };

struct engine_at {
    double seconds;             /* of virtual time; below 0: `cycles` says when */
    cycles_t cycles;
    const char *name;           /* borrowed */
    struct timer timer;
    struct vm *vm;
};
struct switches { struct engine_at at[MAX_SWITCHES]; unsigned count; };

/* "2.5s:bt", "1000000:kvm-model". 0 or -1 with *err. */
int switches_add(struct switches *s, const char *spec, struct error *err);
void switches_start(struct switches *s, struct vm *vm);
/* Says which switches were never due. */
void switches_finish(struct switches *s);

/* What one may switch to by name: an engine, or kvm-host, kvm-model, interpreter. `vm` says what is kept of its configuration. 0 or -1 with *err. */
int switch_by_name(const struct vm *vm, const char *name, struct engine_choice *c, struct error *err);

#endif
