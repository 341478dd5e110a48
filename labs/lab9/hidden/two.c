/* SPDX-License-Identifier: MIT */
/* Two machines, the same addresses. */
#include "world.h"

void guest_main(void)
{
    static const u32 vf0[] = { 0 }, vf1[] = { 1 }, half[] = { 2 }, other_half[] = { 3 }, whole[] = { 2, 3 };
    (void)vf0, (void)vf1, (void)half, (void)other_half, (void)whole;
    iommu_start();
    say_assign(0, 1, vf0);
    say_assign(1, 1, vf1);
    for (u32 i = 0; i < 60; i += 7) {
        guest_set(0, i << 12, 0xa00 + i);
        guest_set(1, i << 12, 0xb00 + i);
        say_read(0, i << 12);
        say_read(1, i << 12);
        say_write(i & 1, (i << 12) + 8, i);
        print("@lab9 %x %x\n", guest_word(0, (i << 12) + 8), guest_word(1, (i << 12) + 8));
    }
    say_write(0, 0x200000000ull, 7);
    say_write(1, 0x100000000ull, 8);
}
