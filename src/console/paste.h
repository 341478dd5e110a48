/* SPDX-License-Identifier: MIT */
/* The clipboard's text as keys of a US keyboard can type it. */
#ifndef EMU_CONSOLE_PASTE_H
#define EMU_CONSOLE_PASTE_H

/* Turn UTF-8 into ASCII in place: typographic quotes, dashes, dots and blanks become plain ones, line ends become \n, control
 * characters but for tab go. Returns how many characters had to be left out because no key types them. */
unsigned paste_to_ascii(char *text);

#endif
