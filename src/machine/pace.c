/* SPDX-License-Identifier: MIT */
#include "machine/pace.h"

#include <time.h>

#define MAX_LAG_NS 100000000ull /* a guest slower than its model is forgiven what is beyond this */

u64 pace_host_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (u64)t.tv_sec * 1000000000u + t.tv_nsec;
}

void pace_start(struct pace *p, const struct clock *c)
{
    p->host_ns = pace_host_ns();
    p->cycles = c->now;
}

/* Host time at which virtual cycle `when` is due. */
static u64 due_at(const struct pace *p, const struct clock *c, cycles_t when)
{
    return p->host_ns + clock_cycles_to_ns(c, when - p->cycles);
}

static void forgive_lag(struct pace *p, const struct clock *c)
{
    u64 host = pace_host_ns(), due = due_at(p, c, c->now);
    if (host > due + MAX_LAG_NS) {
        p->host_ns = host - MAX_LAG_NS;
        p->cycles = c->now;
    }
}

void pace_keep_close(struct pace *p, const struct clock *c)
{
    u64 host = pace_host_ns(), due = due_at(p, c, c->now);
    if (due < host || due > host + PACE_LEAD_NS)
        pace_start(p, c);
}

bool pace_may_jump(const struct pace *p, const struct clock *c, cycles_t until)
{
    return until != CLOCK_NEVER && due_at(p, c, until) <= pace_host_ns() + PACE_LEAD_NS;
}

static void wait_readable(u64 ns, struct pollfd *fds, unsigned nfds)
{
    struct timespec t = { ns / 1000000000u, ns % 1000000000u };
    ppoll(fds, nfds, &t, NULL);
}

void pace_wait(struct pace *p, struct clock *c, cycles_t until, u64 max_ns, struct pollfd *fds, unsigned nfds)
{
    forgive_lag(p, c);
    u64 host = pace_host_ns();
    u64 end = host + max_ns;
    if (until != CLOCK_NEVER && due_at(p, c, until) < end)
        end = due_at(p, c, until);
    if (end > host)
        wait_readable(end - host, fds, nfds);

    host = pace_host_ns();
    cycles_t now = p->cycles + clock_ns_to_cycles(c, host > p->host_ns ? host - p->host_ns : 0);
    if (now > until)
        now = until;
    if (now > c->now)
        clock_advance(c, now - c->now);
}
