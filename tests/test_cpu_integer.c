/* SPDX-License-Identifier: MIT */
/* The interpreter: integer instructions, and everything between two instructions. */
#include "guestcode.h"

#include "cpu/internal.h"

static struct guest g;

static void test_loop(void)
{
    guest_init(&g, 32);
    /* mov ecx,10; xor eax,eax; l: add eax,ecx; dec ecx; jnz l; hlt */
    GUEST_CODE(&g, "\xb9\x0a\x00\x00\x00\x31\xc0\x01\xc8\x49\x75\xfb\xf4");
    CHECK_EQ(guest_run(&g), STOP_HLT);
    CHECK_EQ(g.cpu.state.gpr[RAX], 55);
    CHECK_EQ(g.cpu.state.rip, GUEST_CODE_AT + 13);
    CHECK_EQ(g.cpu.icount, 2 + 30 + 1);
    CHECK_EQ(g.ledger.guest_insns, 33);
    CHECK_EQ(g.clock.now, 33);
    guest_fini(&g);
}

int main(int argc, char **argv)
{
    static const struct check tests[] = { { "loop", test_loop }, { NULL, NULL } };
    return check_main(argc, argv, "cpu integer", tests);
}
