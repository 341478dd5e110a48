/* SPDX-License-Identifier: MIT */
/* From what the user calls a guest to the file that an engine runs. */
#ifndef EMU_CLI_GUEST_PATH_H
#define EMU_CLI_GUEST_PATH_H

#include <stddef.h>

#include "machine/engine.h"

/* guests/NAME that is not in this folder may stand beside the executable: its path in path[size], or what was given. */
const char *guest_find(const char *guest, char *path, size_t size);

/* Is there anything that a guest could be read from? 0, or -1 with *err: nothing is called so, it is empty, or a directory of something else. */
int guest_check(const char *guest, struct error *err);

/* A file is itself. A directory guests/NAME means what was built from it for that engine:
 * build/guests/NAME.native.elf or NAME.xen.elf. 0, or -1 with *err. */
int guest_path(const char *guest, const struct engine_ops *engine, char *path, size_t size, struct error *err);

/* Is it the image of a disk, which a BIOS would boot, and no kernel of any kind? Only looks; false if it cannot be read. */
bool guest_is_disk(const char *path);

#endif
