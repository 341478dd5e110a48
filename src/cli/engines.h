/* SPDX-License-Identifier: MIT */
/* The engines that this build has, and the choice among them. */
#ifndef EMU_CLI_ENGINES_H
#define EMU_CLI_ENGINES_H

#include "machine/engine.h"

/* In the order of history, NULL-ended: bare, bt, pv, kvm. */
extern const struct engine_ops *const engines[];

/* By name, or NULL with *err naming the nearest. */
const struct engine_ops *engine_find(const char *name, struct error *err);
/* What `auto` takes: bt where it runs, otherwise the bare processor. */
const struct engine_ops *engine_auto(void);

#endif
