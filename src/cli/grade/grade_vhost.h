/* SPDX-License-Identifier: MIT */
/* Inside the lab's service "vhost": the modelled machine, and its scripted driver. */
#ifndef EMU_CLI_GRADE_VHOST_H
#define EMU_CLI_GRADE_VHOST_H

#include "cli/grade/grade_service.h"

enum { VHOST_MEMORY = 1 << 20, VHOST_EVENTS = 16, VHOST_ALL = 1 << 20, VHOST_WINDOW = 128 };

/* What the worker is told: as labs/lab8/lib/lab8.h has it. */
struct vhost_setup { u64 descriptors, available, used, doorbell; u32 size, queue, gsi, unused; };

/* What is wrong with one chain of a script. */
enum vhost_malice { GOOD, BAD_LOOP, BAD_HEAD, BAD_NEXT, BAD_INDEX, WILD_ADDRESS, WILD_LENGTH, WILD_WRAP, TOO_SHORT, WRITABLE };

struct vhost_script {
    u32 total, batch, window, size; /* chains; made at once; under way at most; the ring's entries */
    u32 pace;                       /* chains that the driver makes while the worker sends one */
    u32 pieces;                     /* how a chain is cut: 0 not at all, 1 behind the header, 2 within it, 3 into seven; 4: now so, now so */
    bool races;                     /* it makes one just before the worker says that it wants to hear of it */
    bool rereads;                   /* a descriptor that has been read is another one when it is read again */
    u32 controls;                   /* doorbells of another queue, which belong to user space */
    enum vhost_malice malice;       /* of chain MALICE_AT, and of those after it by sevens where a chain alone fails */
};

struct labioevent { u64 gpa; u8 size; bool match; u64 data; s32 fd; };

struct labvhost {
    u8 *memory;
    const struct vhost_script *script;  /* NULL: not begun */
    struct { u64 count; u32 gsi; /* 0: it is no irqfd */ } event[VHOST_EVENTS];
    struct labioevent ioevent[VHOST_EVENTS];
    unsigned nevents, nioevents;
    /* the driver: chains made; of them, the device was told; back, as memory says; of them seen by the driver; sent, in order */
    u32 made, told, back, seen, sent;
    u32 next_piece;
    u16 head[VHOST_WINDOW];             /* of the chains under way; */
    bool under_way[VHOST_WINDOW];
    bool asleep, raced;
    u32 controls;
    /* counted */
    u32 frames, spoiled, wrong, kicks, interrupts, to_user, broken;
    bool stuck;
};

/* Within memory, or NULL. */
u8 *labvhost_at(struct labvhost *v, u64 gpa, u64 len);
/* The guest has written a register: an eventfd, or an exit to user space. */
void labvhost_doorbell(struct labvhost *v, u64 gpa, unsigned size, u64 data);

/* --- the driver --- */

struct vhost_setup driver_start(struct labvhost *v, u64 script);
/* It makes at most n chains. False: there was nothing that it could do. */
bool driver_turn(struct labvhost *v, u32 n);
void driver_interrupt(struct labvhost *v, u32 gsi);
bool driver_is_done(const struct labvhost *v);
/* Is that what is to be sent next? */
bool driver_expects(struct labvhost *v, const u8 *frame, u32 len);
/* The worker has read there; is about to write there; has written there. */
void driver_was_read(struct labvhost *v, u64 gpa, u64 len);
void driver_is_written(struct labvhost *v, u64 gpa, u64 len);
void driver_was_written(struct labvhost *v, u64 gpa, u64 len);

#endif
