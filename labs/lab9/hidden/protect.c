/* SPDX-License-Identifier: MIT */
/* Pages that the host takes back, when they have been used. */
#include "world.h"

void guest_main(void)
{
    static const u32 vf0[] = { 0 }, vf1[] = { 1 }, half[] = { 2 }, other_half[] = { 3 }, whole[] = { 2, 3 };
    (void)vf0, (void)vf1, (void)half, (void)other_half, (void)whole;
    iommu_start();
    say_assign(0, 1, vf0);
    say_write(0, 0x7000, 1);
    say_write(0, 0x8000, 2);
    vm_protect(0, 7, 0);
    vm_protect(0, 8, 1);
    say_write(0, 0x7000, 3);
    say_read(0, 0x7000);
    say_write(0, 0x8000, 4);
    say_read(0, 0x8000);
    say_write(0, 0x9000, 5);
}
