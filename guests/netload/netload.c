/* SPDX-License-Identifier: MIT */
/*
 * The same load on every path to the network. The command line says what:
 *
 *     path=e1000 mode=tx frame=1514 batch=64 count=1024 naive
 *
 * mode tx: batches of frames; while one is under way the next is made. rx: frames that somebody sends. pingpong: one frame out, one
 * back, and so on. The line is "@netload MODE COUNT CYCLES". Its caller runs it with one count and with another: the difference
 * is what frames cost, without the start.
 */
#include "netload.h"

u8 net_frame[BUFFER] __attribute__((aligned(4096)));
u32 net_naive;

static struct { const char *path, *mode; u32 frame, batch, count; } load = { "", "tx", FRAME_MAX, 1, 64 };

/* --- the command line --- */

/* Behind KEY= in the command line; NULL: it is not there. */
static const char *value_of(const char *key)
{
    for (const char *at = kernel_command_line(); *at; at++) {
        u32 n = 0;
        while (key[n] && at[n] == key[n])
            n++;
        if (!key[n])
            return at + n;
    }
    return 0;
}

static void take_number(const char *key, u32 *to)
{
    const char *s = value_of(key);
    if (!s)
        return;
    for (*to = 0; *s >= '0' && *s <= '9'; s++)
        *to = *to * 10 + *s - '0';
}

static _Bool is_word(const char *s, const char *word)
{
    while (*word && *s == *word)
        s++, word++;
    return !*word && (*s == ' ' || !*s);
}

static void take_command_line(void)
{
    load.path = value_of("path=") ? value_of("path=") : "";
    load.mode = value_of("mode=") ? value_of("mode=") : "tx";
    take_number("frame=", &load.frame);
    take_number("batch=", &load.batch);
    take_number("count=", &load.count);
    net_naive = value_of("naive") != 0;
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

/* Ten digits, whatever the number: what is printed must cost the same in every run. */
static const char *digits(u32 n, char text[11])
{
    for (u32 i = 10; i; n /= 10)
        text[--i] = '0' + n % 10;
    text[10] = 0;
    return text;
}

static void report(const char *mode, u32 cycles)
{
    char count[11], time[11];
    print("@netload %s %s %s\n", mode, digits(load.count, count), digits(cycles, time));
}

static void run(const struct net_path *p)
{
    for (u32 i = 0; i < sizeof modes / sizeof *modes; i++) {
        if (!is_word(load.mode, modes[i].name))
            continue;
        u64 start = rdtsc();
        modes[i].run(p);
        report(modes[i].name, rdtsc() - start);
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
        if (*load.path && !is_word(load.path, (*p)->name))
            continue;
        if ((*p)->open()) {
            run(*p);
            return;
        }
    }
    print("netload: there is no such adapter; add -netdev wire,id=n -device e1000,netdev=n\n");
    kernel_exit(1);
}
