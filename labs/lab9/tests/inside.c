/* SPDX-License-Identifier: MIT */
/* One machine, one function, DMA where it may. */
#include "world.h"

void guest_main(void)
{
    static const u32 vf0[] = { 0 }, vf1[] = { 1 }, half[] = { 2 }, other_half[] = { 3 }, whole[] = { 2, 3 };
    (void)vf0, (void)vf1, (void)half, (void)other_half, (void)whole;
    iommu_start();
    say_assign(0, 1, vf0);
    guest_set(0, 0x5008, 0x1234);
    say_read(0, 0x5008);
    say_write(0, 0x2010, 0xabcd);
    say_write(0, 0x3b000, 0x77);
    print("@lab9 %x %x\n", guest_word(0, 0x2010), guest_word(0, 0x3b000));
}
