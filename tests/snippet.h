/* SPDX-License-Identifier: MIT */
/* Guest code assembled with the test (AT&T syntax): SNIPPET32(twice, "add %eax, %eax\n hlt") gives SNIP(twice), its bytes and size. */
#ifndef EMU_TESTS_SNIPPET_H
#define EMU_TESTS_SNIPPET_H

#include <stdint.h>

#define SNIPPET(bits, name, text)                                                                                    \
    asm(".pushsection .rodata\n.code" #bits "\nsnip_" #name ": " text "\nsnip_" #name "_end:\n.code64\n.popsection\n"); \
    extern const uint8_t snip_##name[], snip_##name##_end[];
#define SNIPPET32(name, text) SNIPPET(32, name, text)
#define SNIPPET16(name, text) SNIPPET(16, name, text)
#define SNIP(name) snip_##name, (size_t)(snip_##name##_end - snip_##name)

#endif
