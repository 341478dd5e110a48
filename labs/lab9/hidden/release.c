/* SPDX-License-Identifier: MIT */
/* A function goes from one machine to the other. */
#include "world.h"

void guest_main(void)
{
    static const u32 vf0[] = { 0 }, vf1[] = { 1 }, half[] = { 2 }, other_half[] = { 3 }, whole[] = { 2, 3 };
    (void)vf0, (void)vf1, (void)half, (void)other_half, (void)whole;
    iommu_start();
    say_assign(0, 1, vf0);
    say_write(0, 0x7000, 1);
    say_release(0);
    say_write(0, 0x7000, 2);
    say_assign(1, 1, vf0);
    say_write(0, 0x7000, 3);
    say_assign(0, 2, whole);
    say_write(3, 0x6000, 4);
    say_release(0);
    say_write(3, 0x6000, 5);
    print("@lab9 %x %x %x\n", guest_word(0, 0x7000), guest_word(1, 0x7000), guest_word(0, 0x6000));
}
