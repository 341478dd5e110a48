/* SPDX-License-Identifier: MIT */
/* A process goes back to what it was, and never left the processor meanwhile. */
#include "processes.h"

void guest_main(void)
{
    processes_start();
    struct process *p = process_new(12);
    print("@lab4 save: %u", process_run(p, user_add, ARG(12, 1)));
    process_save(p);
    print(", then %u", process_run(p, user_add, ARG(12, 10)));
    process_restore(p);
    print(", and again %u", process_run(p, user_sum, ARG(12, 0)));
    print(", then %u\n", process_run(p, user_add, ARG(2, 3)));
    print("@lab4 save: %u faults, %u frames\n", cow_faults(), frames_used());
}
