/* SPDX-License-Identifier: MIT */
/* One process, with memory of its own. */
#include "processes.h"

void guest_main(void)
{
    processes_start();
    struct process *p = process_new(4);
    print("@lab4 one: %u", process_run(p, user_add, ARG(4, 5)));
    print(" %u", process_run(p, user_add, ARG(3, 7)));
    print(" %u\n", process_run(p, user_sum, ARG(4, 0)));
}
