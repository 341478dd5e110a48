/* SPDX-License-Identifier: MIT */
/* DMA where it may not. */
#include "world.h"

void guest_main(void)
{
    static const u32 vf0[] = { 0 }, vf1[] = { 1 }, half[] = { 2 }, other_half[] = { 3 }, whole[] = { 2, 3 };
    (void)vf0, (void)vf1, (void)half, (void)other_half, (void)whole;
    iommu_start();
    say_write(1, 0x1000, 1);
    say_assign(0, 1, vf0);
    say_write(0, 0x40000, 1);
    say_read(0, 0x40000);
    say_read(0, 0x7fffffff000ull);
    say_read(0, 0x3c000);
    say_write(0, 0x3c000, 2);
    say_write(1, 0x1000, 3);
    print("@lab9 %x %x\n", guest_word(0, 0x1000), guest_word(0, 0x3c000));
}
