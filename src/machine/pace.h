/* SPDX-License-Identifier: MIT */
/* Virtual time against the host's: an interactive guest that idles waits until its next timer is due by the host's clock. */
#ifndef EMU_MACHINE_PACE_H
#define EMU_MACHINE_PACE_H

#include <poll.h>

#include "base/clock.h"

#define PACE_LEAD_NS 1000000u

/* The two clocks stood like this at the same moment. */
struct pace { u64 host_ns; cycles_t cycles; };

u64 pace_host_ns(void); /* CLOCK_MONOTONIC */
void pace_start(struct pace *p, const struct clock *c);

/* Wait until virtual cycle `until` is due by the host's clock, or one of the descriptors can be read, or max_ns have
 * passed; then move virtual time on by what was waited, at most to `until`. A guest that has fallen far behind does not
 * race to catch up. */
void pace_wait(struct pace *p, struct clock *c, cycles_t until, u64 max_ns, struct pollfd *fds, unsigned nfds);

/* Virtual time follows the host's from now on, unless it is ahead by at most PACE_LEAD_NS already. */
void pace_keep_close(struct pace *p, const struct clock *c);
/* Would virtual time be ahead by no more than PACE_LEAD_NS at cycle `until`? Then it is not worth a sleep. */
bool pace_may_jump(const struct pace *p, const struct clock *c, cycles_t until);

#endif
