/* SPDX-License-Identifier: MIT */
/* Addresses that are mapped, and some that are not. */
#include "lab0.h"

static u8 page[4096] __attribute__((aligned(4096)));

void guest_main(void)
{
    print("@lab0 page %u\n", faults(page));
    print("@lab0 beyond %u\n", faults((void *)0x900000));
    pte_write(page, 0);
    tlb_flush();
    print("@lab0 taken away %u\n", faults(page));
    pte_write(page, pte_make(page, PTE_PRESENT));
    tlb_flush();
    print("@lab0 and back %u\n", faults(page));
}
