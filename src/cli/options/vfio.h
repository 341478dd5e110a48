/* SPDX-License-Identifier: MIT */
/* What -device vfio-pci and --host-nic say. */
#ifndef EMU_CLI_VFIO_H
#define EMU_CLI_VFIO_H

#include "machine/vm.h"

/* Zeroed storage to begin with. */
struct vfio_options { char *text[VFIO_SLOTS_MAX]; unsigned ntexts; };   /* owned: what the configuration points into */

bool vfio_is_device(const char *arg);
/* Each takes one option's argument into the configuration. 0 or -1 with *err. */
int vfio_take_device(struct vfio_options *o, struct vm_config *c, const char *arg, struct error *err);
int vfio_take_host_nic(struct vm_config *c, const char *arg, struct error *err);
void vfio_fini_options(struct vfio_options *o);

#endif
