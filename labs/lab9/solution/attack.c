/* SPDX-License-Identifier: MIT */
/* Lab 9, second half: a guest with malice. handout.md says what is to be done. */
#include "lab9.h"

static u8 data[8192];

void attack(void)
{
    /*** begin solution ***/
    static const u64 places[] = {
        HOST_KERNEL_HPA, HOST_TABLES_HPA, NEIGHBOUR_HPA,
        1ull << 52, ~0xfffull,                          /* beyond what tables of four levels can name */
        (PAGES - 1) << 12,                              /* may be read, not written */
    };
    for (u32 i = 0; i < sizeof places / sizeof *places; i++) {
        dma_read(places[i], data, 64);
        dma_write(places[i], data, 64);
    }
    dma_read((PAGES << 12) - 8, data, 4096);            /* begins where it may */
    /*** instead ***
    dma_read(0x1000, data, 64); // your code here: this is no attack, but its own memory
    *** end solution ***/
}
