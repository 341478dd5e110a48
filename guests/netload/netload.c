/* SPDX-License-Identifier: MIT */
/*
 * The same load on every path to the network. The command line says what:
 *
 *     path=e1000 mode=tx frame=1514 batch=64 count=1024 naive
 *     path=e1000 mode=tx frame=1514 batch=1 count=1024 throttle=8000
 *
 * mode tx: batches of frames; while one is under way the next is made. rx: frames that somebody sends. pingpong: one frame out, one
 * back, and so on. The line is "@netload MODE COUNT CYCLES". Its caller runs it with one count and with another: the difference
 * is what frames cost, without the start.
 */
#include "netload.h"
#include "words.h"

u8 net_frame[BUFFER] __attribute__((aligned(4096)));
u32 net_naive, net_throttle;

static struct { const char *path, *mode; u32 frame, batch, count; } load;

/* --- the command line --- */

static void take_command_line(void)
{
    load.path = word_of("path=") ? word_of("path=") : "";
    load.mode = word_of("mode=") ? word_of("mode=") : "tx";
    load.frame = word_number("frame=", FRAME_MAX);
    load.batch = word_number("batch=", 1);
    load.count = word_number("count=", 64);
    net_naive = word_of("naive") != 0;
    net_throttle = word_of("throttle=dynamic") ? NET_DYNAMIC : word_number("throttle=", 0);
    if (net_throttle > 200000 || (net_throttle > NET_DYNAMIC && net_throttle < 100))
        kernel_panic("netload: throttle= is dynamic, or 100 to 200000 interrupts a second");
    if (load.frame < 60 || load.frame > FRAME_MAX || !load.batch || !load.count)
        kernel_panic("netload: frame=60..1514, batch= and count= of at least 1");
}

/* --- waiting --- */

static void wait_until(const struct net_path *p, u32 (*count)(void), void (*want)(u32), u32 target)
{
    if ((int)(count() - target) >= 0)
        return;
    if (want)
        want(target);
    interrupts_let_in();        /* what waits already is no reason to halt */
    while ((int)(count() - target) < 0)
        p->wait();
}

/* --- the loads --- */

static void transmit(const struct net_path *p)
{
    u32 piece = load.batch < p->ring ? load.batch : p->ring, most = 2 * piece < p->ring ? 2 * piece : p->ring;
    for (u32 done = 0, n; done < load.count; done += n) {
        n = load.count - done < piece ? load.count - done : piece;
        wait_until(p, p->sent, p->want_sent, done + n > most ? done + n - most : 0);
        p->send(n, load.frame);
    }
    wait_until(p, p->sent, p->want_sent, load.count);
}

/* The first frame tells the other side that we are there. */
static void receive(const struct net_path *p)
{
    u32 piece = load.batch <= p->ring / 2 ? load.batch : p->ring / 2;
    p->send(1, load.frame);
    for (u32 done = 0, n; done < load.count; done += n) {
        n = load.count - done < piece ? load.count - done : piece;
        wait_until(p, p->received, p->want_received, done + n);
        p->give_back(n);
    }
}

static void ping_pong(const struct net_path *p)
{
    for (u32 i = 1; i <= load.count; i++) {
        p->send(1, load.frame);
        wait_until(p, p->received, p->want_received, i);
        p->give_back(1);
    }
}

static const struct { const char *name; void (*run)(const struct net_path *p); } modes[] = {
    { "tx", transmit }, { "rx", receive }, { "pingpong", ping_pong },
};

static void run(const struct net_path *p)
{
    for (u32 i = 0; i < sizeof modes / sizeof *modes; i++) {
        if (!word_is(load.mode, modes[i].name))
            continue;
        u64 start = rdtsc();
        modes[i].run(p);
        word_report("netload", modes[i].name, load.count, rdtsc() - start);
        return;
    }
    kernel_panic("netload: mode= is tx, rx or pingpong");
}

static void make_frame(void)
{
    static const u8 head[] = { 2, 0, 0, 0, 0, 1, 0x52, 0x54, 0, 0x12, 0x34, 0x56, 0x88, 0xb5 };
    for (u32 i = 0; i < load.frame; i++)
        net_frame[i] = i < sizeof head ? head[i] : i;
}

void guest_main(void)
{
    take_command_line();
    make_frame();
    for (const struct net_path *const *p = net_paths; *p; p++) {
        if (*load.path && !word_is(load.path, (*p)->name))
            continue;
        if ((*p)->open()) {
            run(*p);
            return;
        }
    }
    print("netload: there is no such adapter; add -netdev wire,id=n -device e1000,netdev=n\n");
    kernel_exit(1);
}
