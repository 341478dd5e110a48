/* SPDX-License-Identifier: MIT */
/* A list that devices write and an engine reads. It tells the engine of each change, so that a closed descriptor is never in its hands. */
#include "devices/shortcut.h"

static void tell(struct shortcuts *s)
{
    if (s->changed)
        s->changed(s->opaque);
}

int shortcut_offer_doorbell(struct shortcuts *s, const struct doorbell *d)
{
    if (s->ndoorbells == DOORBELLS_MAX)
        return -1;
    s->doorbell[s->ndoorbells++] = *d;
    tell(s);
    return 0;
}

int shortcut_offer_irq(struct shortcuts *s, const struct irq_event *e)
{
    if (s->nirqs == IRQ_EVENTS_MAX)
        return -1;
    s->irq[s->nirqs++] = *e;
    tell(s);
    return 0;
}

void shortcut_withdraw(struct shortcuts *s, int fd)
{
    for (unsigned i = s->ndoorbells; i-- > 0;)
        if (s->doorbell[i].fd == fd)
            s->doorbell[i] = s->doorbell[--s->ndoorbells];
    for (unsigned i = s->nirqs; i-- > 0;)
        if (s->irq[i].fd == fd)
            s->irq[i] = s->irq[--s->nirqs];
    tell(s);
}
