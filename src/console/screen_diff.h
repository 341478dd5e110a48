/* SPDX-License-Identifier: MIT */
/* What has come to a text screen since it was looked at last, though it may have scrolled. */
#ifndef EMU_CONSOLE_SCREEN_DIFF_H
#define EMU_CONSOLE_SCREEN_DIFF_H

#include <stddef.h>

#define SCREEN_TEXT 8192    /* bytes for a screen, as vga_text() has it */

/* `known` is an earlier screen, cut off behind what was of interest then; `now` the present one. Returns the end of the first
 * occurrence of `text` in what has been added, or NULL. Blanks at the end of `text` do not count: screens have none. */
const char *screen_find_new(const char *known, const char *now, const char *text);

#endif
