/* SPDX-License-Identifier: MIT */
#include "cli/progress.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/text.h"
#include "machine/pace.h"

#define REDRAW_NS 200000000u
#define LOOK_CALLS 4096                     /* the host's clock is asked no more often than this, */
#define LOOK_CYCLES ((cycles_t)1 << 24)     /* or this */
#define ERASE "\r\033[K"

static void put(const struct progress *p, const char *text)
{
    if (write(p->fd, text, strlen(text)) < 0)
        return; /* nobody looks any more */
}

/* A line that wraps could not be erased. */
static unsigned width(const struct progress *p)
{
    struct winsize w;
    return ioctl(p->fd, TIOCGWINSZ, &w) == 0 && w.ws_col > 1 ? w.ws_col : 80;
}

static void draw(struct progress *p, const char *behind)
{
    char line[256], clean[256], all[320];
    unsigned room = width(p);
    snprintf(line, sizeof line, "%s%s", p->what, behind);
    text_clean(clean, room < sizeof clean ? room : sizeof clean, line);
    snprintf(all, sizeof all, p->colour ? ERASE "\033[2m%s\033[0m" : ERASE "%s", clean);
    put(p, all);
    p->drawn_ns = pace_host_ns();
}

static void look(struct progress *p, const struct clock *c)
{
    char behind[80];
    u64 now = pace_host_ns();
    p->calls = 0;
    p->look = c->now + LOOK_CYCLES;
    if (now - p->drawn_ns < REDRAW_NS)
        return;
    snprintf(behind, sizeof behind, " %.2f s of virtual time in %.0f s", (double)c->now / c->hz, (now - p->started_ns) / 1e9);
    draw(p, behind);
}

static void tick(struct ledger_observer *o, const struct ledger *l)
{
    struct progress *p = (struct progress *)o;
    if (p->on && (++p->calls == LOOK_CALLS || l->clock->now >= p->look))
        look(p, l->clock);
}

static void on_event(struct ledger_observer *o, const struct ledger *l, enum event e, u64 n, cycles_t cycles) { tick(o, l); }
static void on_guest(struct ledger_observer *o, const struct ledger *l, u64 insns, cycles_t cycles) { tick(o, l); }

void progress_init(struct progress *p, int fd)
{
    const char *term = getenv("TERM"), *no_colour = getenv("NO_COLOR");
    *p = (struct progress){ .observer = { on_event, on_guest, NULL }, .fd = fd };
    p->on = isatty(fd) && term && *term && strcmp(term, "dumb");
    p->colour = !no_colour || !*no_colour; /* no-color.org: when present and not empty */
}

void progress_show(struct progress *p, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(p->what, sizeof p->what, fmt, ap);
    va_end(ap);
    p->started_ns = pace_host_ns();
    p->calls = 0;
    p->look = 0;
    if (p->on)
        draw(p, "");
}

void progress_end(struct progress *p)
{
    if (p->on)
        put(p, ERASE);
}
