/* SPDX-License-Identifier: MIT */
/*
 * Programmable attribute map of the 82441FX (order number 290549, 3.2.16): for each segment of C0000h to FFFFFh, whether
 * reads and writes go to RAM or to the ISA bus, where the firmware's ROM answers. So a BIOS copies itself into RAM
 * ("shadowing") and protects it.
 */
#ifndef EMU_DEVICES_PAM_H
#define EMU_DEVICES_PAM_H

#include "mmu/physmap.h"

enum { PAM_SEGMENTS = 13 };
enum { PAM_READ = 1, PAM_WRITE = 2 };   /* access goes to RAM */

struct pam_segment { gpa_t gpa; u32 size; u8 access; const u8 *ram, *rom; };

struct pam {
    struct physmap *map;
    struct pam_segment segment[PAM_SEGMENTS];
};

/* RAM must stand at C0000h to FFFFFh in *map already. bios: the ROM's bytes, of which the last 128 KiB are seen at E0000h;
 * NULL: there is no ROM, everything stays RAM and pam_set() does nothing. */
void pam_init(struct pam *p, struct physmap *map, const u8 *bios, u64 bios_size);
/* From the registers 59h to 5Fh. */
void pam_set(struct pam *p, const u8 reg[7]);

#endif
