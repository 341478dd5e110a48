/* SPDX-License-Identifier: MIT */
/*
 * vhost-net: the host's kernel serves the rings of a network adapter, by a thread of its own, and moves frames between them and an interface
 * (linux/vhost.h). It is told by ioctls what a vhost-user back-end is told by messages; memory it sees at our own addresses.
 *
 * Checksums and segments are not its work but the interface's, which is told apart what the driver takes.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/vhost.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "devices/vhost/vhost_peer.h"

/* Features (virtio 1.2, 5.1.3) of the interface, and those that both must agree on. */
#define F_CSUM BIT(0)
#define F_GUEST_CSUM BIT(1)
#define F_GUEST_TSO4 BIT(7)
#define F_GUEST_TSO6 BIT(8)
#define F_GUEST_ECN BIT(9)
#define F_HOST_TSO4 BIT(11)
#define F_HOST_TSO6 BIT(12)
#define F_HOST_ECN BIT(13)
#define F_MRG_RXBUF BIT(15)
#define F_VERSION_1 BIT(32)
#define TAP_FEATURES (F_CSUM | F_GUEST_CSUM | F_GUEST_TSO4 | F_GUEST_TSO6 | F_GUEST_ECN | F_HOST_TSO4 | F_HOST_TSO6 | F_HOST_ECN)
enum { HEADER = 10, HEADER_MERGED = 12, REGIONS_MAX = 4, QUEUES = 2 };

struct vhost_kernel {
    struct vhost_peer head;
    const struct vhost_kernel_calls *calls;
    int vhost, tap;
    u64 features;               /* the kernel's own */
};

static int host_open(const char *path) { return open(path, O_RDWR | O_CLOEXEC); }
static int host_ioctl(int fd, unsigned long request, void *argument) { return ioctl(fd, request, argument); }
static void host_close(int fd) { close(fd); }
const struct vhost_kernel_calls vhost_kernel_host = { host_open, host_ioctl, host_close };

static bool tell(struct vhost_kernel *k, int fd, const char *what, unsigned long request, void *argument)
{
    return k->calls->ioctl(fd, request, argument) >= 0 || vhost_peer_refuse(&k->head, what, strerror(errno));
}
#define TELL(k, request, argument) tell(k, (k)->vhost, #request, request, argument)

/* --- connecting --- */

static void kernel_disconnect(struct vhost_peer *p)
{
    struct vhost_kernel *k = (struct vhost_kernel *)p;
    if (k->vhost >= 0)
        k->calls->close(k->vhost);      /* its thread ends, and lets go of the rings */
    k->vhost = -1;
    p->connected = false;
}

static bool kernel_connect(struct vhost_peer *p)
{
    struct vhost_kernel *k = (struct vhost_kernel *)p;
    kernel_disconnect(p);
    k->vhost = k->calls->open("/dev/vhost-net");
    if (k->vhost < 0)
        return vhost_peer_refuse(p, "/dev/vhost-net", strerror(errno));
    p->connected = TELL(k, VHOST_SET_OWNER, NULL) && TELL(k, VHOST_GET_FEATURES, &k->features);
    p->features = (k->features & (F_MRG_RXBUF | F_VERSION_1)) | TAP_FEATURES;
    if (!p->connected)
        kernel_disconnect(p);
    return p->connected;
}

/* --- features --- */

static unsigned offloads(u64 features)
{
    static const struct { u64 feature; unsigned offload; } table[] = {
        { F_GUEST_CSUM, TUN_F_CSUM }, { F_GUEST_TSO4, TUN_F_TSO4 }, { F_GUEST_TSO6, TUN_F_TSO6 }, { F_GUEST_ECN, TUN_F_TSO_ECN },
    };
    unsigned o = 0;
    for (unsigned i = 0; i < ARRAY_LEN(table); i++)
        o |= features & table[i].feature ? table[i].offload : 0;
    return o;
}

static bool kernel_set_features(struct vhost_peer *p, u64 features)
{
    struct vhost_kernel *k = (struct vhost_kernel *)p;
    u64 own = features & k->features & (F_MRG_RXBUF | F_VERSION_1);
    int header = own ? HEADER_MERGED : HEADER;
    return tell(k, k->tap, "TUNSETVNETHDRSZ", TUNSETVNETHDRSZ, &header) &&
           tell(k, k->tap, "TUNSETOFFLOAD", TUNSETOFFLOAD, (void *)(uintptr_t)offloads(features)) && TELL(k, VHOST_SET_FEATURES, &own);
}

/* --- memory and rings --- */

static bool kernel_set_memory(struct vhost_peer *p, const struct vhost_shared *shared, unsigned n)
{
    struct { struct vhost_memory head; struct vhost_memory_region region[REGIONS_MAX]; } m = { .head.nregions = n };
    if (n > REGIONS_MAX)
        return vhost_peer_refuse(p, "memory", "it has too many pieces");
    for (unsigned i = 0; i < n; i++)
        m.region[i] = (struct vhost_memory_region){ shared[i].region.gpa, shared[i].region.size, shared[i].region.user, 0 };
    return TELL((struct vhost_kernel *)p, VHOST_SET_MEM_TABLE, &m);
}

static bool set_backend(struct vhost_kernel *k, unsigned n, int fd)
{
    struct vhost_vring_file backend = { n, fd };
    return TELL(k, VHOST_NET_SET_BACKEND, &backend);
}

/* The interface last: then it begins. */
static bool kernel_start_ring(struct vhost_peer *p, unsigned n, const struct vhost_place *at)
{
    struct vhost_kernel *k = (struct vhost_kernel *)p;
    struct vhost_vring_state size = { n, at->size }, base = { n, 0 };
    struct vhost_vring_addr place = { .index = n, .desc_user_addr = at->desc, .used_user_addr = at->used, .avail_user_addr = at->avail };
    struct vhost_vring_file kick = { n, at->kick }, call = { n, at->call };
    return n < QUEUES && TELL(k, VHOST_SET_VRING_NUM, &size) && TELL(k, VHOST_SET_VRING_BASE, &base) && TELL(k, VHOST_SET_VRING_ADDR, &place) &&
           TELL(k, VHOST_SET_VRING_KICK, &kick) && TELL(k, VHOST_SET_VRING_CALL, &call) && set_backend(k, n, k->tap);
}

static bool kernel_stop_ring(struct vhost_peer *p, unsigned n)
{
    struct vhost_vring_state base = { n, 0 };
    return set_backend((struct vhost_kernel *)p, n, -1) && TELL((struct vhost_kernel *)p, VHOST_GET_VRING_BASE, &base);
}

static bool kernel_alive(struct vhost_peer *p) { return true; }

static void kernel_close(struct vhost_peer *p)
{
    struct vhost_kernel *k = (struct vhost_kernel *)p;
    kernel_disconnect(p);
    k->calls->close(k->tap);
    free(k);
}

static const struct vhost_peer_ops kernel_ops = {
    .name = "vhost-net", .connect = kernel_connect, .disconnect = kernel_disconnect, .set_features = kernel_set_features,
    .set_memory = kernel_set_memory, .start_ring = kernel_start_ring, .stop_ring = kernel_stop_ring, .alive = kernel_alive, .close = kernel_close,
};

struct vhost_peer *vhost_kernel_new(const struct vhost_kernel_calls *calls, int tap)
{
    struct vhost_kernel *k = calloc(1, sizeof *k);
    if (!k)
        return NULL;
    k->head = (struct vhost_peer){ .ops = &kernel_ops, .fd = -1, .channel = -1, .queues = 1 };
    k->calls = calls;
    k->vhost = -1;
    k->tap = tap;
    return &k->head;
}
