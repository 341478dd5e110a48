/* SPDX-License-Identifier: MIT */
/* Somebody spoils a field behind your back: which error is it? And then all is well again. */
#include "world.h"

GUEST_CODE(errors, 32, "    mov $1, %eax; cpuid; hlt; mov $2, %eax; cpuid; hlt\n")

static void spoil(const char *what, u32 field, u64 value)
{
    u64 good;
    vmread(field, &good);
    vmwrite(field, value);
    say_end(what, monitor_run());
    vmwrite(field, good);
}

void guest_main(void)
{
    struct guest g = { .rip = CODE, .rsp = STACK, .pages = PAGES };
    LOAD_CODE(errors, 0);
    print("@lab6 start: %u\n", monitor_start(&g));
    spoil("no VPID", VMCS_VPID, 0);
    spoil("EPTP of 3 levels", VMCS_EPT_POINTER, 0x1000 | EPTP_WB | 2 << 3);
    spoil("pin controls", VMCS_PIN_CONTROLS, 0);
    spoil("host's TR", VMCS_HOST_TR_SELECTOR, 0);
    spoil("guest's RFLAGS", VMCS_GUEST_RFLAGS, 0);
    spoil("guest's CS", VMCS_GUEST_CS_ACCESS_RIGHTS, AR_DATA | AR_S | AR_P);
    say_end("all well", monitor_run());
    spoil("host's TR", VMCS_HOST_TR_SELECTOR, 0);
    say_end("all well", monitor_run());
    u64 value;
    print("@lab6 no such field: %u, a read-only one: %u\n", vmread(0x7ffe, &value), vmwrite(VMCS_EXIT_REASON, 1));
}
