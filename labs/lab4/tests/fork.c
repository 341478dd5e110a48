/* SPDX-License-Identifier: MIT */
/* fork(): two processes share pages until one of them stores. */
#include "processes.h"

void guest_main(void)
{
    processes_start();
    struct process *parent = process_new(10);
    process_run(parent, user_add, ARG(10, 1));
    struct process *child = process_fork(parent);
    print("@lab4 fork: the child sees %u", process_run(child, user_sum, ARG(10, 0)));
    process_run(child, user_add, ARG(4, 10));
    process_run(parent, user_add, ARG(2, 1000));
    print(", then %u", process_run(child, user_sum, ARG(10, 0)));
    print("; the parent %u", process_run(parent, user_sum, ARG(10, 0)));
    print("; %u faults, %u frames\n", cow_faults(), frames_used());
}
