/* SPDX-License-Identifier: MIT */
#include "machine/network.h"
#include "machine/storage.h"
#include "machine/vm.h"

unsigned vm_losses(struct vm *vm, void (*say)(const struct error *what))
{
    struct error what;
    unsigned lost = 0;
    for (unsigned n = 0; n < STORAGE_PLACES; n++)
        if (storage_check(vm, n, &what))
            say(&what), lost++;
    for (unsigned n = 0; n < VM_MAX_CAPTURES; n++)
        if (network_check_capture(vm, n, &what))
            say(&what), lost++;
    return lost;
}
