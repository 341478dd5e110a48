/* SPDX-License-Identifier: MIT */
/* Your guest against tables that are right; what it tries is counted when it is refused. */
#include "world.h"

void guest_main(void)
{
    static const u32 vf0[] = { 0 }, vf1[] = { 1 };
    iommu_start();
    say_assign(0, 1, vf0);
    say_assign(1, 1, vf1);
    attack();
}
