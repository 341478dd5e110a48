/* SPDX-License-Identifier: MIT */
/* What -chardev socket says: where a back-end in another process is. */
#ifndef EMU_CLI_CHARDEVS_H
#define EMU_CLI_CHARDEVS_H

#include "machine/vm.h"

/* Zeroed storage to begin with. */
struct chardev_options { char *text[VM_MAX_CHARDEVS]; unsigned ntexts; /* owned: what the configuration points into */ };

/* Takes one -chardev into the configuration. 0 or -1 with *err. */
int chardevs_take(struct chardev_options *o, struct vm_config *c, const char *arg, struct error *err);
void chardevs_fini(struct chardev_options *o);

#endif
