/* SPDX-License-Identifier: MIT */
/* 8000 reads of 4 KiB all over the first 256 MiB of /dev/vda, one after another, past the page cache. The result is how many failed. */
#include "program.h"

enum { SYS_OPEN = 5, SYS_LSEEK = 19, O_DIRECT = 040000, O_LARGEFILE = 0100000, READS = 8000, PIECE = 4096, PIECES = 65536 };

static u8 buffer[PIECE] __attribute__((aligned(4096)));

static u32 random(void)
{
    s32 fd = linux_call(SYS_OPEN, (u32)"/dev/vda", O_DIRECT | O_LARGEFILE, 0);
    u32 failed = 0, x = 2463534242u;
    for (u32 i = 0; i < READS; i++) {
        x ^= x << 13, x ^= x >> 17, x ^= x << 5;        /* Marsaglia: Xorshift RNGs, 2003 */
        linux_call(SYS_LSEEK, fd, x % PIECES * PIECE, 0);
        failed += linux_call(SYS_READ, fd, (u32)buffer, PIECE) != PIECE;
    }
    return failed;
}

const struct part parts[] = { { "random", random }, { 0, 0 } };
