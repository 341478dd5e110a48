/* SPDX-License-Identifier: MIT */
/* What fork() of 64 pages costs. */
#include "processes.h"

void guest_main(void)
{
    processes_start();
    struct process *parent = process_new(USER_PAGES);
    process_run(parent, user_add, ARG(USER_PAGES, 3));
    struct process *child = process_fork(parent);
    print("@lab4 cost: %u", process_run(child, user_sum, ARG(USER_PAGES, 0)));
    process_exit(child);
    print(" %u\n", process_run(parent, user_sum, ARG(USER_PAGES, 0)));
}
