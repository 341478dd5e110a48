/* SPDX-License-Identifier: MIT */
/*
 * fw_cfg: where firmware asks the machine what it is made of, by number or by a file's name (QEMU's interface, its
 * docs/specs/fw_cfg). The machine fills it before the guest runs.
 */
#ifndef EMU_DEVICES_FWCFG_H
#define EMU_DEVICES_FWCFG_H

#include "devices/device.h"

/* Items with a number of their own. */
enum fwcfg_key { FWCFG_SIGNATURE = 0x00, FWCFG_ID = 0x01, FWCFG_UUID = 0x02, FWCFG_RAM_SIZE = 0x03, FWCFG_NB_CPUS = 0x05,
                 FWCFG_BOOT_MENU = 0x0e, FWCFG_MAX_CPUS = 0x0f, FWCFG_FILE_DIR = 0x19, FWCFG_FILE_FIRST = 0x20 };

/* Copy `size` bytes in as item `key` (below FWCFG_FILE_FIRST); what was there is replaced. 0 or -1 with *err. */
int fwcfg_set(struct fwcfg *f, enum fwcfg_key key, const void *data, u32 size, struct error *err);
int fwcfg_set_number(struct fwcfg *f, enum fwcfg_key key, u64 value, unsigned size, struct error *err);
/* The same as a file ("etc/e820", at most 55 characters). At most 32 files. */
int fwcfg_set_file(struct fwcfg *f, const char *name, const void *data, u32 size, struct error *err);

#endif
