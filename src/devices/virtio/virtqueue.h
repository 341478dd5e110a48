/* SPDX-License-Identifier: MIT */
/*
 * A virtqueue: buffers that the driver makes available and the device gives back (virtio 1.2, 2.6). Two layouts, split (2.7) and
 * packed (2.8), of which a device sees nothing: it takes a chain of pieces, reads the readable ones, fills the writable ones, puts it back.
 *
 * The ring lies in memory that the guest can change at any time. So each thing in it is copied once, checked, and the copy is used.
 * What makes no sense breaks the device (virtio_break()); an address without memory fails only the request.
 */
#ifndef EMU_DEVICES_VIRTQUEUE_H
#define EMU_DEVICES_VIRTQUEUE_H

#include <sys/uio.h>

#include "base/clock.h"

enum { VQ_CHAIN_MAX = 256, VQ_SIZE_MAX = 1024 };    /* pieces of a chain; entries of a queue */

struct virtio;
struct virtqueue;

struct vq_piece { gpa_t gpa; u32 len; };
struct vq_cursor { unsigned piece; u32 offset; };

/* What the driver made available at once: pieces to be read, then pieces to be written. */
struct vq_chain {
    u16 id;                         /* by which the driver knows it */
    u16 slots;                      /* descriptors of the ring that it took */
    unsigned readable, pieces;      /* pieces up to the first writable one; of all */
    u64 readable_len, writable_len; /* bytes, up to 2^32 */
    struct vq_cursor in, out;       /* how far it was read and written */
    struct vq_piece piece[VQ_CHAIN_MAX];
};

/* One of the two layouts. */
struct vq_layout {
    bool (*valid)(const struct virtqueue *q);       /* size and places */
    bool (*available)(struct virtqueue *q);         /* is there a chain? Breaks the device when the ring makes no sense */
    bool (*take)(struct virtqueue *q, struct vq_chain *c);
    void (*put)(struct virtqueue *q, const struct vq_chain *c, u32 written);
    void (*set_doorbell)(struct virtqueue *q, bool wanted);
    bool (*interrupt_wanted)(struct virtqueue *q);
};
extern const struct vq_layout vq_split, vq_packed;

struct virtqueue {
    struct virtio *v;
    u16 index;
    bool enabled;
    u16 size;                       /* entries */
    gpa_t desc, driver, device;     /* split: descriptors, available ring, used ring; packed: ring, event suppressions */
    const struct vq_layout *layout;
    u16 next_avail, next_used;      /* split: counts modulo 2^16; packed: places */
    bool avail_wrap, used_wrap;     /* packed */
    u16 told;                       /* next_used when last the driver was, or need not be, interrupted */
    bool told_wrap, told_valid;
    struct timer work;
    u32 turn;                       /* while it is worked on: chains that it may still give, and one; 0: nobody counts */
    u64 kicks, chains, interrupts, quiet;   /* counted; quiet: interrupts that the driver did not want */
};

/* As after a reset: not enabled, with this size. Counts stay. */
void virtqueue_reset(struct virtqueue *q, u16 size);

/* The next chain, or false: there is none, or the device is broken. */
bool virtqueue_take(struct virtqueue *q, struct vq_chain *c);
bool virtqueue_available(struct virtqueue *q);
/* Give it back with `written` bytes filled in from the start of its writable part; virtqueue_interrupt() follows, once for many. */
void virtqueue_put(struct virtqueue *q, const struct vq_chain *c, u32 written);
void virtqueue_interrupt(struct virtqueue *q);
/* Does the device want the doorbell? A hint that the driver may read late. True: and something is available already. */
bool virtqueue_set_doorbell(struct virtqueue *q, bool wanted);

/* Taking back what was taken, all chains since the mark: for a device that finds out that it needs more than there is. */
struct vq_mark { u16 next_avail; bool avail_wrap; u64 chains; };
struct vq_mark virtqueue_mark(const struct virtqueue *q);
void virtqueue_return_to(struct virtqueue *q, struct vq_mark m);

/* The next `len` bytes of the readable part, or into the writable part. False: it is shorter, or not in memory. */
bool vq_read(struct virtqueue *q, struct vq_chain *c, void *buf, u64 len);
bool vq_write(struct virtqueue *q, struct vq_chain *c, const void *buf, u64 len);
/* The next at most `len` bytes of either as pieces of our memory, at most `max`: how many pieces, and their bytes in *got. 0: the
 * part is at its end, or not in memory. When `len` bytes were written that way, vq_written() follows, with c->out of before vq_map(). */
unsigned vq_map(struct virtqueue *q, struct vq_chain *c, bool writable, struct iovec *v, unsigned max, u64 len, u64 *got);
void vq_written(struct virtqueue *q, const struct vq_chain *c, struct vq_cursor from, u64 len);
/* The last byte of the writable part, wherever c->out is. False: there is none, or it is not in memory. */
bool vq_write_last(struct virtqueue *q, const struct vq_chain *c, u8 byte);

/* For the layouts: one more piece. False: the device is broken. */
bool vq_add_piece(struct virtqueue *q, struct vq_chain *c, gpa_t gpa, u32 len, bool writable);

#endif
