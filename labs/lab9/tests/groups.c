/* SPDX-License-Identifier: MIT */
/* Who may have what. */
#include "world.h"

void guest_main(void)
{
    static const u32 vf0[] = { 0 }, vf1[] = { 1 }, half[] = { 2 }, other_half[] = { 3 }, whole[] = { 2, 3 };
    (void)vf0, (void)vf1, (void)half, (void)other_half, (void)whole;
    iommu_start();
    say_assign(0, 1, half);
    say_assign(0, 1, other_half);
    say_assign(0, 1, vf0);
    say_assign(1, 1, vf0);
    say_assign(1, 2, whole);
    say_assign(0, 2, whole);
    say_write(2, 0x1000, 5);
    say_write(3, 0x2000, 6);
    print("@lab9 %x %x\n", guest_word(1, 0x1000), guest_word(1, 0x2000));
}
