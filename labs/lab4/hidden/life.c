/* SPDX-License-Identifier: MIT */
/* Generations of processes: pages that were tables hold contents afterwards, and the other way round. */
#include "processes.h"

void guest_main(void)
{
    processes_start();
    struct process *p = process_new(20);
    u32 sum = 0;
    for (u32 i = 0; i < 12; i++) {
        process_run(p, user_add, ARG(20, i + 1));
        struct process *child = process_fork(p);
        if (i % 3 == 0)
            process_run(p, user_add, ARG(6, 1000)); /* it goes on where it was, and the child must not see it */
        sum += process_run(child, user_add, ARG(i + 3, 7));
        struct process *grandchild = process_fork(child);
        process_exit(i % 2 ? p : child);
        sum += process_run(grandchild, user_add, ARG(20, 1));
        process_exit(i % 2 ? child : p);
        p = grandchild;
    }
    print("@lab4 life: %u, %u faults, %u frames\n", sum, cow_faults(), frames_used());
    process_exit(p);
    print("@lab4 life: %u frames are left\n", frames_used());
}
