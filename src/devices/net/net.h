/* SPDX-License-Identifier: MIT */
/*
 * A wire with two ends: a network adapter and what is behind the wall socket. Neither knows what the other is.
 *
 * An end hands a frame over with net_send(); the other gets it from the clock's event queue, never from within net_send(). So
 * nobody is re-entered, and with ends that live in this process the order of everything is a matter of virtual time alone.
 * A wire of a given speed takes the time that the frame's bits take; one without a speed delivers at the same cycle.
 *
 * Back-pressure goes both ways. A receiver that is not ready() keeps its frames waiting on the wire until it calls net_wake().
 * A sender that looks at net_room() before it sends never loses a frame: it hears by room() when to go on. What is sent without
 * room is dropped and counted, as a switch does it.
 */
#ifndef EMU_DEVICES_NET_H
#define EMU_DEVICES_NET_H

#include "base/clock.h"

enum net_side { NET_NIC, NET_BACKEND };

enum {
    NET_FRAME_MIN = 60,             /* bytes of an Ethernet frame without its checksum (IEEE 802.3, 3.2.8): shorter ones are padded */
    NET_FRAME_MAX = 65536 + 64,     /* longer ones are dropped */
    NET_QUEUE_FRAMES = 1024,        /* that a direction holds, */
    NET_QUEUE_BYTES = 2 << 20,      /* and their bytes */
};

/* What an end can do. Whatever is NULL does not interest it. */
struct net_end {
    bool (*ready)(void *opaque);                                /* would it take a frame now? NULL: always */
    void (*receive)(void *opaque, const u8 *frame, u32 len);    /* from the destination address on, without checksum */
    void (*room)(void *opaque);                                 /* net_room() said no before, and would say yes now */
    void (*link)(void *opaque, bool up);                        /* the plug was pulled, or put in again */
    void *opaque;
};

/* Somebody who listens in (a capture file). The storage is the watcher's and stays as long as the wire. */
struct net_watcher {
    void (*seen)(void *opaque, cycles_t when, const u8 *frame, u32 len);
    void *opaque;
    struct net_watcher *next;
};

struct net_frame;
struct net_carrier;

/* One direction. */
struct net_lane {
    struct net_wire *wire;
    struct net_end to;
    struct net_frame *first, **last;    /* owned; in the order of their arrival */
    u32 frames, bytes;                  /* that wait now */
    cycles_t busy_until;                /* the last bit of what was sent has left, */
    u64 fraction;                       /* and this part of a cycle later: in units of 1 / bits_per_second */
    struct timer timer;                 /* the arrival of the first */
    bool refused;                       /* the sender waits for room() */
    bool goes_on;                       /* the host's thread has come by itself: it is at the cycle where it left off */
    cycles_t awake;                     /* when last the receiver said that it is ready again */
    struct timer free;                  /* the host's thread is done with what it was given, and can take more */
    u64 sent, sent_bytes, dropped;      /* counted since power-on */
};

struct net_wire {
    char id[32];                        /* the user's name for it */
    struct clock *clock;
    struct net_lane lane[2];            /* by whom it leads to */
    bool link;
    u64 bits_per_second;                /* 0: no time passes */
    cycles_t latency;                   /* of the signal, on top of the bits' time */
    u32 gap;                            /* bytes of each frame's time that it does not have: preamble, checksum, space between frames */
    struct net_carrier *carrier;        /* the host's work between the adapter and this wire; NULL: none, or it is not modelled */
    struct net_watcher *watchers;
};

/* A wire whose ends are loose, with its link up. NULL when there is no memory. */
struct net_wire *net_new(const char *id, struct clock *clock);
/* What is on the wire is lost. Both ends must be gone, or never use it again. NULL is allowed. */
void net_free(struct net_wire *w);

/* The end's functions are copied. NULL: the end is loose again, and frames to it are dropped. */
void net_attach(struct net_wire *w, enum net_side side, const struct net_end *end);
void net_watch(struct net_wire *w, struct net_watcher *watcher);

/* `from` sends a frame, which is copied. It is dropped without a link, without room, when it is too long, or when nobody is there. */
void net_send(struct net_wire *w, enum net_side from, const u8 *frame, u32 len);
/* The same, of a frame that the adapter has not before that cycle. */
void net_send_after(struct net_wire *w, enum net_side from, const u8 *frame, u32 len, cycles_t ready);
/* The same, of a frame that has come all the way already, and is there at that cycle: no bits' time, no latency. */
void net_hand_over(struct net_wire *w, enum net_side from, const u8 *frame, u32 len, cycles_t due);
/* May `from` send? When not, its room() is called later. */
bool net_room(struct net_wire *w, enum net_side from);
/* `side` is ready() again: let come what waits for it. */
void net_wake(struct net_wire *w, enum net_side side);
/* The adapter's driver has rung for something to be sent: after how many cycles does somebody look? `otherwise`: what the adapter
 * takes where no host is modelled. */
cycles_t net_doorbell(struct net_wire *w, cycles_t otherwise);
void net_set_link(struct net_wire *w, bool up);
/* A modelled wire: its speed (0: none), and how long a bit is under way. */
void net_set_speed(struct net_wire *w, u64 bits_per_second, cycles_t latency);

#endif
