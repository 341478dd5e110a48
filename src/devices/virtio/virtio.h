/* SPDX-License-Identifier: MIT */
/*
 * Virtio 1.2 (OASIS): a device that was never of silicon. Driver and device agree on features, and exchange buffers through rings in
 * the guest's memory (virtqueue.h); what is left of registers is a status, a doorbell and an interrupt, and the transport has them.
 *
 * Three layers, blind to one another: a device (virtio_blk.c, virtio_net.c, ...) is a row of virtio_ops and sees queues; virtio.c
 * negotiates; a transport (virtio_pci.c) says where registers are, how memory is reached, and how one interrupts.
 */
#ifndef EMU_DEVICES_VIRTIO_H
#define EMU_DEVICES_VIRTIO_H

#include "base/trace.h"
#include "devices/device.h"
#include "devices/virtio/virtqueue.h"

enum { VIRTIO_QUEUES_MAX = 16, VIRTIO_CONFIG_MAX = 136 };
enum { VIRTIO_ID_NET = 1, VIRTIO_ID_BLOCK = 2, VIRTIO_ID_CONSOLE = 3, VIRTIO_ID_RNG = 4, VIRTIO_ID_BALLOON = 5, VIRTIO_ID_INPUT = 18 };

/* Device status (2.1). */
enum { VIRTIO_ACKNOWLEDGE = 0x01, VIRTIO_DRIVER = 0x02, VIRTIO_DRIVER_OK = 0x04, VIRTIO_FEATURES_OK = 0x08, VIRTIO_NEEDS_RESET = 0x40,
       VIRTIO_FAILED = 0x80 };

/* Features that are not of one kind of device (6). */
#define VIRTIO_F_ANY_LAYOUT BIT(27)         /* legacy: a header need not be a descriptor of its own */
#define VIRTIO_F_INDIRECT_DESC BIT(28)
#define VIRTIO_F_EVENT_IDX BIT(29)
#define VIRTIO_F_VERSION_1 BIT(32)
#define VIRTIO_F_RING_PACKED BIT(34)

struct virtio;

/* A kind of device. */
struct virtio_ops {
    const char *name;               /* "virtio-blk" */
    u16 id;
    u32 pci_class;
    unsigned queues, queue_size;    /* queues: if virtio_set_queues() says nothing else; size: entries, a power of two up to VQ_SIZE_MAX */
    unsigned config_size;           /* bytes of its configuration, in virtio.config[] */
    /* The driver is ready: features are settled, queues are there. May be NULL, as all that follow but kicked(). */
    void (*started)(struct virtio *v);
    /* The doorbell of a queue. */
    void (*kicked)(struct virtio *v, struct virtqueue *q);
    /* virtio_work_later() is over. True: the queue is empty now, and its doorbell may be on; false: it is gone on with later. */
    bool (*work)(struct virtio *v, struct virtqueue *q);
    /* The driver has written config[offset..offset+size), of which only those bytes changed that config_writable() allows. */
    bool (*config_writable)(const struct virtio *v, unsigned offset);
    void (*config_written)(struct virtio *v, unsigned offset, unsigned size);
    /* How many queues, the first, its server can have with these features; NULL: all that it was given. */
    unsigned (*served)(const struct virtio *v);
    void (*server_config)(struct virtio *v);        /* its server says that the configuration has changed */
    /* Its server cannot serve the chain: the answer that says so. Bytes written. NULL: there is no such answer. */
    u32 (*refused)(struct virtio *v, struct virtqueue *q, const struct vq_chain *c);
    void (*reset)(struct virtio *v);        /* requests under way are forgotten */
    void (*destroy)(struct virtio *v);      /* what it holds; the storage is its owner's */
    void (*info)(const struct virtio *v, FILE *out);
};

/* Somebody who serves some of a device's queues in its place (devices/vhost): the device's own code does not hear of them. */
struct virtio_server {
    unsigned queues;                /* the first so many are its, */
    unsigned used;                  /* of which the driver uses the first so many at present; used_changed() follows */
    void (*used_changed)(struct virtio_server *s);
    void (*started)(struct virtio_server *s);       /* the driver is ready */
    void (*kicked)(struct virtio_server *s, struct virtqueue *q);
    void (*reset)(struct virtio_server *s);         /* it must leave memory alone from now on */
    void (*orphaned)(struct virtio_server *s);      /* the device and its clock go away */
};

/* How the device reaches the guest. */
struct virtio_transport {
    /* Where [gpa, gpa + len), which does not cross a page, is in our memory; NULL: nothing can be reached there. */
    u8 *(*memory)(void *port, gpa_t gpa, u64 len, bool write);
    void (*written)(void *port, gpa_t gpa, u64 len);
    void (*queue_interrupt)(void *port, unsigned queue);
    void (*config_interrupt)(void *port);
    void (*reset)(void *port);      /* the driver has reset the device: vectors and pending interrupts are gone */
};

struct virtio {
    const struct virtio_ops *ops;
    u64 offered;                    /* features of the device, */
    u64 features;                   /* and what the driver takes of them: settled with FEATURES_OK */
    u8 status;
    u8 generation;                  /* of config[]: moves when the device changes it */
    u8 config[VIRTIO_CONFIG_MAX];
    bool legacy;                    /* the driver came by the legacy interface: no FEATURES_OK, rings by page number */
    const char *broken;             /* what the driver did; NULL: nothing */
    u16 queue_size;                 /* entries that each queue has, if the driver takes all of them */
    struct virtqueue queue[VIRTIO_QUEUES_MAX]; unsigned queues;
    struct virtio_server *server;   /* NULL: the device serves all of them */

    const struct virtio_transport *transport;
    void *port;                     /* the transport's */
    struct clock *clock;
    const struct tracer *tracer;
};

static inline bool virtio_has(const struct virtio *v, u64 feature) { return v->features & feature; }
static inline bool virtio_running(const struct virtio *v) { return v->status & VIRTIO_DRIVER_OK && !v->broken; }

/* --- for a device --- */

/* offered: its own features; those of the rings are added, packed ones if `packed`. */
void virtio_init(struct virtio *v, const struct virtio_ops *ops, u64 offered, bool packed, const struct platform *to);
/* Before it is connected: another number of queues than ops->queues. */
void virtio_set_queues(struct virtio *v, unsigned queues);
/* Queues of another size than the device's kind has; before the driver sees them. */
void virtio_set_queue_size(struct virtio *v, u16 size);
/* Stops what is under way, then ops->destroy(). */
void virtio_fini(struct virtio *v);
/* Work on the queue after that time, with doorbells off until then: work(), once, whatever is rung meanwhile. */
void virtio_work_later(struct virtqueue *q, u64 ns);
/* config[] was changed: the driver hears of it. */
void virtio_config_changed(struct virtio *v);
/* The driver has done what cannot be served: it must reset the device before anything else happens (2.1.2). Returns false. */
bool virtio_break(struct virtio *v, const char *why);

/* The guest's memory. False, or NULL: something of it cannot be reached. */
bool virtio_read(const struct virtio *v, gpa_t gpa, void *buf, u64 len);
bool virtio_write(const struct virtio *v, gpa_t gpa, const void *buf, u64 len);

/* --- for a transport --- */

void virtio_connect(struct virtio *v, const struct virtio_transport *t, void *port);
void virtio_reset(struct virtio *v);
void virtio_set_status(struct virtio *v, u8 status);
/* 32 of the features that the driver takes, `high` or low; only until FEATURES_OK. */
void virtio_take_features(struct virtio *v, bool high, u32 features);
void virtio_kick(struct virtio *v, unsigned queue);
/* The queue's place and size are set; from now on it is used. A wrong size or place breaks the device. */
void virtio_enable_queue(struct virtio *v, struct virtqueue *q);
/* The driver takes the queue away. One that a server has must be reset with its device, which breaks: requests are under way. */
void virtio_disable_queue(struct virtio *v, struct virtqueue *q);
u8 virtio_config_read(const struct virtio *v, u64 offset);
void virtio_config_write(struct virtio *v, u64 offset, unsigned size, u32 value);

/* --- the kinds of device: heap storage, freed by ops->destroy(). NULL when there is no memory --- */

struct virtio *virtio_blk_new(const struct platform *to, const struct virtio_slot *s);
struct virtio *virtio_net_new(const struct platform *to, const struct nic *n);
struct virtio *virtio_rng_new(const struct platform *to, const struct virtio_slot *s);
/* A keyboard or a tablet. */
struct virtio *virtio_input_new(const struct platform *to, const struct virtio_slot *s);
struct virtio *virtio_balloon_new(const struct platform *to, const struct virtio_slot *s);
struct virtio *virtio_console_new(const struct platform *to, const struct virtio_slot *s);

/* The guest shall get along with `bytes` of its memory. False: this is no balloon, or there is none among them. */
bool virtio_balloon_leave(struct virtio *v, u64 bytes);
bool virtio_set_balloon(struct device *set, u64 bytes);

/* All of the machine's virtio devices, on its PCI bus. */
extern const struct device_ops virtio_set_ops;

#endif
