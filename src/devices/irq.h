/* SPDX-License-Identifier: MIT */
/* An interrupt wire: a device raises and lowers it; who listens is not its to know. */
#ifndef EMU_DEVICES_IRQ_H
#define EMU_DEVICES_IRQ_H

#include "base/types.h"

struct irq {
    void (*set)(void *sink, unsigned line, bool level); /* NULL: not connected */
    void *sink;
    unsigned line;
};

static inline void irq_set(const struct irq *w, bool level)
{
    if (w->set)
        w->set(w->sink, w->line, level);
}
static inline void irq_raise(const struct irq *w) { irq_set(w, true); }
static inline void irq_lower(const struct irq *w) { irq_set(w, false); }
static inline void irq_pulse(const struct irq *w) { irq_set(w, true); irq_set(w, false); }

#endif
