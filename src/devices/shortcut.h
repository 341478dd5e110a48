/* SPDX-License-Identifier: MIT */
/*
 * Shortcuts through the host's kernel. A device that is served from elsewhere (a worker in the kernel, another process) offers its
 * doorbell and its interrupt as event descriptors; an engine whose guest runs on a real hypervisor lets that hypervisor ring and listen, and
 * then neither comes through this process. A device of this process may offer its doorbell too: the guest need not wait until it is heard. Offering changes nothing else: wherever no engine takes it up, the guest's write reaches the
 * device's range on the bus, and who holds the other end of the interrupt's descriptor raises the wire.
 */
#ifndef EMU_DEVICES_SHORTCUT_H
#define EMU_DEVICES_SHORTCUT_H

#include "base/error.h"
#include "base/types.h"

enum { DOORBELLS_MAX = 64, IRQ_EVENTS_MAX = 64 };

/* A write of `size` bytes there (0: of any size) adds one to fd. */
struct doorbell {
    bool port;                  /* an I/O port, otherwise a gpa */
    u64 at;
    u8 size;
    bool any;                   /* whatever is written; otherwise only `value` */
    u64 value;
    int fd;                     /* borrowed: stays open until it is taken back */
    /* NULL: somebody reads fd. Otherwise who has taken the doorbell up reads it, and tells the device here, from the thread that runs it. */
    void (*rung)(void *opaque);
    void *opaque;
};

/* Adding to fd raises the interrupt: a message (SDM vol. 3, 11.11), or a pulse on an ISA line. */
struct irq_event {
    bool line;
    unsigned number;            /* of the line */
    u64 address; u32 data;      /* of the message */
    int fd;
};

struct shortcuts {
    struct doorbell doorbell[DOORBELLS_MAX]; unsigned ndoorbells;
    struct irq_event irq[IRQ_EVENTS_MAX]; unsigned nirqs;
    void (*changed)(void *opaque);      /* the engine's; NULL: nobody takes them up */
    void *opaque;
};

/* 0, or -1 when there is no room: the device works all the same. */
int shortcut_offer_doorbell(struct shortcuts *s, const struct doorbell *d);
int shortcut_offer_irq(struct shortcuts *s, const struct irq_event *e);
/* Everything that was offered with this descriptor. Afterwards nobody uses it. */
void shortcut_withdraw(struct shortcuts *s, int fd);

#endif
