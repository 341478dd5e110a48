/* SPDX-License-Identifier: MIT */
/*
 * Two domains that share a page and an event channel. Both run this program: domain 1 makes them and says in the store
 * where they are; domain 2 finds them, and they throw a ball. Each round trip is two events and two domain switches.
 */
#include "domains/domains.h"

#define ROUNDS 1000u
#define COPIES 64u
#define GAME_OVER 0xffffffffu

struct shared { u32 volatile ball; u32 fill[1023]; };
static union { struct shared s; u8 page[4096]; } court __attribute__((aligned(4096)));
static u8 copy[4096] __attribute__((aligned(4096)));

static u32 pattern(u32 i) { return i * 2654435761u; }

static void give_way(void) { hypercall2(__HYPERVISOR_sched_op, SCHEDOP_yield, 0); }

/* --- domain 1 ---------------------------------------------------------------------------------- */

static void serve(u16 other)
{
    u32 ref = share_grant(&court, other, 0), port = event_new(other), rounds = 0;
    for (u32 i = 0; i < 1023; i++)
        court.s.fill[i] = pattern(i);
    store_show("data/pair", other);
    store_write_number(0, "data/pair/port", port);
    store_write_number(0, "data/pair/ref", ref);
    for (u32 ball = 0; ball != GAME_OVER; rounds++) {
        event_wait(port);
        ball = court.s.ball;
        if (ball != GAME_OVER)
            court.s.ball = ball + 1;
        event_notify(port);
    }
    while (!share_revoke(ref)) /* still mapped over there */
        give_way();
    print("pair: %u balls came back, and so did the page\n", rounds - 1);
}

/* --- domain 2 ---------------------------------------------------------------------------------- */

/* The other may not have started yet. */
static void find(const char *path)
{
    char text[32];
    while (!store_read(path, text, sizeof text))
        give_way();
}

static void play(u32 port)
{
    u64 start = rdtsc();
    for (u32 i = 0; i < ROUNDS; i++) {
        court.s.ball = 2 * i + 1;
        event_notify(port);
        do
            event_wait(port);
        while (court.s.ball == 2 * i + 1);
        if (court.s.ball != 2 * i + 2)
            kernel_panic("the ball came back changed");
    }
    print("@pair round-trip %u %U\n", ROUNDS, rdtsc() - start);
}

static void check(const u32 *words)
{
    for (u32 i = 0; i < 1023; i++)
        if (words[i] != pattern(i))
            kernel_panic("the page holds something else than was written");
}

static void copies(u16 other, u32 ref)
{
    u64 start = rdtsc();
    for (u32 i = 0; i < COPIES; i++)
        if (share_copy(other, ref, copy, sizeof copy))
            kernel_panic("a copy was refused");
    print("@pair copy-page %u %U\n", COPIES, rdtsc() - start);
    check((const u32 *)copy + 1);
}

static void maps(u16 other, u32 ref)
{
    u32 handle;
    u64 start = rdtsc();
    for (u32 i = 0; i < COPIES; i++)
        if (share_map(other, ref, copy, &handle) || share_unmap(copy, handle))
            kernel_panic("a mapping was refused");
    print("@pair map-page %u %U\n", COPIES, rdtsc() - start);
}

static void visit(u16 other)
{
    u32 handle;
    find("/local/domain/1/data/pair/ref");
    u32 ref = store_read_number("/local/domain/1/data/pair/ref");
    u32 port = event_bind(other, store_read_number("/local/domain/1/data/pair/port"));
    if (!port || share_map(other, ref, &court, &handle))
        kernel_panic("the other domain's page or port is not to be had");
    check(court.s.fill);
    play(port);
    copies(other, ref);
    maps(other, ref);
    court.s.ball = GAME_OVER;
    event_notify(port);
    if (share_unmap(&court, handle))
        kernel_panic("the page cannot be given back");
    event_close(port);
    print("pair: %u balls thrown\n", ROUNDS);
}

void guest_main(void)
{
    store_start();
    share_start();
    u16 self = share_self();
    if (self == 1)
        serve(2);
    else
        visit(1);
}
