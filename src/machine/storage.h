/* SPDX-License-Identifier: MIT */
/* Inside src/machine: the user's drives become back-ends that the storage devices find in the platform. */
#ifndef EMU_MACHINE_STORAGE_H
#define EMU_MACHINE_STORAGE_H

#include "machine/vm.h"

/* Open every image of config.drive[] and put it where it belongs; before the devices are made. 0 or -1 with *err. */
int storage_open(struct vm *vm, struct error *err);
void storage_close(struct vm *vm);
/* The n-th place for an image, n below STORAGE_PLACES: 0 if the host has refused nothing, or none is there; -1 with *err. */
int storage_check(struct vm *vm, unsigned n, struct error *err);
enum { STORAGE_PLACES = ARRAY_LEN(((struct platform *)0)->ide) + ARRAY_LEN(((struct platform *)0)->floppy) + ARRAY_LEN(((struct platform *)0)->virtio) };

#endif
