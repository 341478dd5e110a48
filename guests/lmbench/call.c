/* SPDX-License-Identifier: MIT */
/* System calls by number, and the kernel's beginning. */
#include "os.h"

static int (*const calls[SYS_COUNT])(struct registers *) = {
#define HANDLER(name, arguments) [SYS_##name] = sys_##name,
    SYSTEM_CALLS(HANDLER)
#undef HANDLER
};

/* Called by entry.S. */
void call_handle(struct registers *r)
{
    r->eax = r->eax < SYS_COUNT ? calls[r->eax](r) : -ENOSYS;
    if (current->pending)
        signal_deliver(r);
}

void guest_main(void)
{
    port_start();
    memory_start();
    files_start();
    task_first("/bin/lmbench");
}
