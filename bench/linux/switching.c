/* SPDX-License-Identifier: MIT */
/* Work that goes through the kernel: processes, pipes, system calls, memory maps. Each part returns how much of it went well. */
#include "program.h"

enum { FORKS = 200, PINGS = 20000, GETPIDS = 1000000, MAPS = 1500, MAP_PAGES = 64 };
enum { PROT_READ_WRITE = 3, MAP_PRIVATE_ANONYMOUS = 0x22, PAGE = 4096 };

static u32 fork_exec(void)
{
    static const char *const argv[] = { "true", 0 };
    u32 well = 0;
    for (u32 i = 0; i < FORKS; i++) {
        u32 status = 1;
        s32 child = linux_call(SYS_FORK, 0, 0, 0);
        if (!child) {
            linux_call(SYS_EXECVE, (u32)"/bin/busybox", (u32)argv, 0);
            linux_call(SYS_EXIT, 1, 0, 0);
        }
        linux_call(SYS_WAITPID, child, (u32)&status, 0);
        well += !status;
    }
    return well;
}

/* The child sends back what it gets, until there is no more. */
static void echo(const s32 from[2], const s32 to[2])
{
    u8 byte;
    linux_call(SYS_CLOSE, from[1], 0, 0);
    while (linux_call(SYS_READ, from[0], (u32)&byte, 1) == 1)
        linux_call(SYS_WRITE, to[1], (u32)&byte, 1);
    linux_call(SYS_EXIT, 0, 0, 0);
}

static u32 pipe_ping_pong(void)
{
    s32 there[2], back[2];
    u32 well = 0;
    linux_call(SYS_PIPE, (u32)there, 0, 0);
    linux_call(SYS_PIPE, (u32)back, 0, 0);
    s32 child = linux_call(SYS_FORK, 0, 0, 0);
    if (!child)
        echo(there, back);
    for (u32 i = 0; i < PINGS; i++) {
        u8 byte = i, returned;
        linux_call(SYS_WRITE, there[1], (u32)&byte, 1);
        well += linux_call(SYS_READ, back[0], (u32)&returned, 1) == 1 && returned == byte;
    }
    linux_call(SYS_CLOSE, there[1], 0, 0);
    linux_call(SYS_WAITPID, child, 0, 0);
    return well;
}

static u32 getpid_loop(void)
{
    u32 well = 0, self = linux_call(SYS_GETPID, 0, 0, 0);
    for (u32 i = 0; i < GETPIDS; i++)
        well += (u32)linux_call(SYS_GETPID, 0, 0, 0) == self;
    return well;
}

static u32 map_storm(void)
{
    static const u32 of_map[6] = { 0, MAP_PAGES * PAGE, PROT_READ_WRITE, MAP_PRIVATE_ANONYMOUS, ~0u, 0 };
    u32 well = 0;
    for (u32 i = 0; i < MAPS; i++) {
        u8 *at = (u8 *)linux_call(SYS_OLD_MMAP, (u32)of_map, 0, 0);
        for (u32 page = 0; page < MAP_PAGES; page++)
            at[page * PAGE] = 1;
        well += !linux_call(SYS_MUNMAP, (u32)at, MAP_PAGES * PAGE, 0);
    }
    return well;
}

const struct part parts[] = { { "forkexec", fork_exec }, { "pipe", pipe_ping_pong }, { "getpid", getpid_loop }, { "mmap", map_storm }, { 0 } };
