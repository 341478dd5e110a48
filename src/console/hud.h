/* SPDX-License-Identifier: MIT */
/* The heads-up display: what the engine is doing just now, drawn over the guest's screen. */
#ifndef EMU_CONSOLE_HUD_H
#define EMU_CONSOLE_HUD_H

#include "machine/vm.h"

enum { HUD_WIDTH = 360, HUD_HEIGHT = 16 * (FAMILY_COUNT + 4) };

struct hud {
    u64 last_ns;                        /* host time of the last sample, 0: none yet */
    u64 last_insns, last_count[FAMILY_COUNT];
    double mips;                        /* guest instructions per microsecond of host time */
    double rate[FAMILY_COUNT];          /* events a second of host time, smoothed */
};

/* Take the rates since the last sample. */
void hud_sample(struct hud *h, const struct vm *vm, u64 now_ns);
/* Draw HUD_WIDTH x HUD_HEIGHT pixels of 0xAARRGGBB. */
void hud_draw(const struct hud *h, const struct vm *vm, u32 *pixels);
/* How long a family's bar is, pixels: each further 9 are twice as many events. */
unsigned hud_bar(double rate);

#endif
