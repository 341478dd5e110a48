/* SPDX-License-Identifier: MIT */
/* What -drive, -hda and their like name. */
#ifndef EMU_CLI_DRIVES_H
#define EMU_CLI_DRIVES_H

#include "machine/vm.h"

/* "file=F,index=N,media=disk|cdrom,if=ide|floppy,format=raw,snapshot=on,readonly=on": d->file points into `spec`, which is cut
 * into its words and must stay. 0 or -1 with *err. */
int drive_parse(struct vm_drive *d, char *spec, struct error *err);

/* "dc", or "order=dc,menu=on": letters to order[8]. 0 or -1 with *err. */
int boot_parse(char order[8], bool *menu, const char *arg, struct error *err);

#endif
