/* SPDX-License-Identifier: MIT */
/*
 * Text that others wrote (guests, file names), made fit to be quoted: in JSON, in XML, on a terminal. Bytes that are no UTF-8
 * and control characters become U+FFFD, so that no report is invalid and no terminal is steered by a guest.
 */
#ifndef EMU_BASE_TEXT_H
#define EMU_BASE_TEXT_H

#include <stdio.h>

#include "base/types.h"

/* Length of the valid UTF-8 sequence at s that is printable and allowed in XML 1.0 (section 2.2), or 0. */
unsigned text_sequence(const char *s);
/* Copy with every bad byte replaced, cut at a character if it does not fit; to[size] is NUL-ended. Returns to. */
char *text_clean(char *to, size_t size, const char *from);
/* The same as the inside of a JSON string (RFC 8259, section 7). */
char *text_json(char *to, size_t size, const char *from);
/* The same as XML text or as an attribute's value within "". */
void text_xml(const char *from, FILE *out);

#endif
