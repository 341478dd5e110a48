/* SPDX-License-Identifier: MIT */
/* Two processes at the same addresses, and both end. */
#include "processes.h"

void guest_main(void)
{
    processes_start();
    u32 before = frames_used();
    struct process *p = process_new(8), *q = process_new(8);
    for (u32 i = 0; i < 5; i++) {
        process_run(p, user_add, ARG(8, i));
        process_run(q, user_add, ARG(i + 1, 100));
    }
    print("@lab4 two: %u", process_run(p, user_sum, ARG(8, 0)));
    print(" %u\n", process_run(q, user_sum, ARG(8, 0)));
    process_exit(q);
    process_exit(p);
    print("@lab4 two: %u frames are left\n", frames_used() - before);
}
