/* SPDX-License-Identifier: MIT */
/*
 * vhost-net by a stand-in for the kernel, which knows its rules (drivers/vhost/vhost.c and net.c): who may say what when, what an address
 * must be, and what each ring needs before an interface is put behind it. It also moves frames, from the transmit ring to the receive ring.
 * Where the host has the real one, that is asked too.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/vhost.h>
#include <poll.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#undef VIRTIO_F_ANY_LAYOUT      /* the kernel has numbers where we have bits */
#undef VIRTIO_F_VERSION_1
#undef VIRTIO_F_RING_PACKED

#include "devices/net/net_outside.h"
#include "devices/vhost/vhost.h"
#include "virtio_driver.h"

enum { VHOST_FD = 1000, TAP_FD = 1001, HEADER = VD_DATA, BUFFER = VD_DATA + 0x1000 };
#define KERNEL_FEATURES (BIT(15) | BIT(24) | BIT(26) | BIT(27) | BIT(28) | BIT(29) | BIT(32) | BIT(33))
#define OFFLOADS (TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN)

/* --- the kernel's side --- */

struct kernel_ring { u32 size; u16 next; u64 desc, avail, used; int kick, call, backend; bool placed; };

static struct kernel {
    bool exists, is_open, owned;
    u64 features;
    int header; unsigned offload;
    struct vhost_memory_region region[8]; unsigned regions;
    struct kernel_ring ring[2];
    int fail_at, calls;             /* the call that fails with EIO; 0: none */
    char log[4000];
} k;

static void note(const char *format, ...)
{
    size_t have = strlen(k.log);
    va_list args;
    va_start(args, format);
    if (have < sizeof k.log)
        vsnprintf(k.log + have, sizeof k.log - have, format, args);
    va_end(args);
}

static int refuse(int error) { return errno = error, -1; }

/* A user address of ours, which must be in the memory table. */
static u8 *user_at(u64 address, u64 len)
{
    for (unsigned i = 0; i < k.regions; i++)
        if (address >= k.region[i].userspace_addr && address - k.region[i].userspace_addr + len <= k.region[i].memory_size)
            return (u8 *)address;
    return NULL;
}

static u8 *guest_at(u64 gpa, u64 len)
{
    for (unsigned i = 0; i < k.regions; i++)
        if (gpa >= k.region[i].guest_phys_addr && gpa - k.region[i].guest_phys_addr + len <= k.region[i].memory_size)
            return (u8 *)(k.region[i].userspace_addr + gpa - k.region[i].guest_phys_addr);
    return NULL;
}

static bool accessible(const struct kernel_ring *r)
{
    return r->placed && r->size && user_at(r->desc, 16 * r->size) && user_at(r->avail, 6 + 2 * r->size) && user_at(r->used, 6 + 8 * r->size);
}

static int set_memory(const struct vhost_memory *m)
{
    if (m->padding)
        return refuse(EOPNOTSUPP);
    if (m->nregions > 8)
        return refuse(E2BIG);
    for (unsigned i = 0; i < m->nregions; i++)
        if (m->regions[i].flags_padding || m->regions[i].guest_phys_addr % 4096 || !m->regions[i].memory_size)
            return refuse(EFAULT);
    memcpy(k.region, m->regions, m->nregions * sizeof k.region[0]);
    k.regions = m->nregions;
    note("MEM_TABLE %u\n", k.regions);
    return 0;
}

static int set_place(const struct vhost_vring_addr *a)
{
    struct kernel_ring *r = a->index < 2 ? &k.ring[a->index] : NULL;
    if (!r)
        return refuse(ENOBUFS);
    if (a->flags)
        return refuse(EOPNOTSUPP);
    if (a->avail_user_addr % 2 || a->used_user_addr % 4 || a->desc_user_addr % 16)
        return refuse(EINVAL);
    r->desc = a->desc_user_addr;
    r->avail = a->avail_user_addr;
    r->used = a->used_user_addr;
    r->placed = true;
    if (r->backend >= 0 && !accessible(r))
        return refuse(EINVAL);
    note("ADDR %u\n", a->index);
    return 0;
}

static int set_state(unsigned long request, struct vhost_vring_state *s)
{
    struct kernel_ring *r = s->index < 2 ? &k.ring[s->index] : NULL;
    if (!r)
        return refuse(ENOBUFS);
    if (request == VHOST_GET_VRING_BASE) {
        s->num = r->next;
        note("GET_BASE %u\n", s->index);
        return 0;
    }
    if (r->backend >= 0)
        return refuse(EBUSY);
    if (request == VHOST_SET_VRING_NUM && (!s->num || s->num > 0xffff || s->num & (s->num - 1)))
        return refuse(EINVAL);
    if (request == VHOST_SET_VRING_BASE && s->num > 0xffff)
        return refuse(EINVAL);
    if (request == VHOST_SET_VRING_NUM)
        r->size = s->num;
    else
        r->next = s->num;
    note("%s %u\n", request == VHOST_SET_VRING_NUM ? "NUM" : "BASE", s->index);
    return 0;
}

static int set_file(unsigned long request, const struct vhost_vring_file *f)
{
    struct kernel_ring *r = f->index < 2 ? &k.ring[f->index] : NULL;
    if (!r)
        return refuse(ENOBUFS);
    if (request == VHOST_NET_SET_BACKEND) {
        if (!accessible(r))
            return refuse(EFAULT);
        if (f->fd != -1 && f->fd != TAP_FD)
            return refuse(ENOTSOCK);
        r->backend = f->fd;
        note("BACKEND %u %s\n", f->index, f->fd < 0 ? "none" : "tap");
        return 0;
    }
    if (f->fd != -1 && fcntl(f->fd, F_GETFD) < 0)
        return refuse(EBADF);
    *(request == VHOST_SET_VRING_KICK ? &r->kick : &r->call) = f->fd;
    note("%s %u\n", request == VHOST_SET_VRING_KICK ? "KICK" : "CALL", f->index);
    return 0;
}

static int tap_ioctl(unsigned long request, void *argument)
{
    if (request == TUNSETVNETHDRSZ && *(int *)argument < 10)
        return refuse(EINVAL);
    if (request == TUNSETOFFLOAD && ((uintptr_t)argument & ~(uintptr_t)OFFLOADS || ((uintptr_t)argument & (TUN_F_TSO4 | TUN_F_TSO6) && !((uintptr_t)argument & TUN_F_CSUM))))
        return refuse(EINVAL);
    if (request == TUNSETVNETHDRSZ)
        k.header = *(int *)argument;
    else if (request == TUNSETOFFLOAD)
        k.offload = (uintptr_t)argument;
    else
        return refuse(ENOTTY);
    return 0;
}

static int kernel_ioctl(int fd, unsigned long request, void *argument)
{
    if (++k.calls == k.fail_at)
        return refuse(EIO);
    if (fd == TAP_FD)
        return tap_ioctl(request, argument);
    if (fd != VHOST_FD || !k.is_open)
        return refuse(EBADF);
    switch (request) {
    case VHOST_GET_FEATURES: *(u64 *)argument = KERNEL_FEATURES; return 0;
    case VHOST_SET_FEATURES:
        if (*(u64 *)argument & ~KERNEL_FEATURES)
            return refuse(EOPNOTSUPP);
        k.features = *(u64 *)argument;
        note("FEATURES\n");
        return 0;
    case VHOST_SET_OWNER:
        if (k.owned)
            return refuse(EBUSY);
        k.owned = true;
        note("OWNER\n");
        return 0;
    }
    if (!k.owned)
        return refuse(EPERM);
    switch (request) {
    case VHOST_SET_MEM_TABLE: return set_memory(argument);
    case VHOST_SET_VRING_ADDR: return set_place(argument);
    case VHOST_SET_VRING_NUM: case VHOST_SET_VRING_BASE: case VHOST_GET_VRING_BASE: return set_state(request, argument);
    case VHOST_SET_VRING_KICK: case VHOST_SET_VRING_CALL: case VHOST_NET_SET_BACKEND: return set_file(request, argument);
    default: return refuse(ENOTTY);
    }
}

static int kernel_open(const char *path)
{
    CHECK_STR(path, "/dev/vhost-net");
    if (!k.exists || k.is_open)
        return refuse(k.exists ? EMFILE : ENOENT);
    k.is_open = true;
    return VHOST_FD;
}

static void kernel_close(int fd)
{
    if (fd != VHOST_FD)
        return;
    k.is_open = k.owned = false;
    memset(k.ring, 0, sizeof k.ring);
    k.ring[0].backend = k.ring[1].backend = -1;
    note("CLOSED\n");
}

static const struct vhost_kernel_calls stand_in = { kernel_open, kernel_ioctl, kernel_close };

/* --- its thread: what the driver sends comes back --- */

struct entry { u64 gpa; u32 len; u16 flags, next; };

static bool take(struct kernel_ring *r, u16 *head)
{
    if (r->backend < 0 || *(u16 *)(r->avail + 2) == r->next)
        return false;
    *head = *(u16 *)(r->avail + 4 + 2 * (r->next++ % r->size));
    return true;
}

/* Copies to or from the chain. Returns the bytes. */
static u32 walk(const struct kernel_ring *r, u16 head, u8 *data, u32 len, bool write)
{
    u32 done = 0;
    for (u16 at = head;; at = ((struct entry *)r->desc)[at].next) {
        struct entry e = ((struct entry *)r->desc)[at];
        u32 n = e.len < len - done ? e.len : len - done;
        u8 *p = guest_at(e.gpa, e.len);
        if (!CHECK(p != NULL))
            return done;
        CHECK_EQ(!!(e.flags & 2), write);
        memcpy(write ? p : data + done, write ? data + done : p, n);
        done += n;
        if (!(e.flags & 1))
            return done;
    }
}

static void give(struct kernel_ring *r, u16 head, u32 len)
{
    u16 *index = (u16 *)(r->used + 2);
    u32 pair[2] = { head, len };
    memcpy((u8 *)r->used + 4 + 8 * (*index % r->size), pair, 8);
    ++*index;
    CHECK_EQ(write(r->call, &(u64){ 1 }, 8), 8);
}

static void kernel_thread(void)
{
    static u8 data[65536];
    u16 tx, rx;
    u64 count;
    if (k.ring[1].backend < 0 || read(k.ring[1].kick, &count, 8) != 8)
        return;
    while (take(&k.ring[1], &tx)) {
        u32 len = walk(&k.ring[1], tx, data, sizeof data, false);
        give(&k.ring[1], tx, 0);
        if (take(&k.ring[0], &rx))
            give(&k.ring[0], rx, walk(&k.ring[0], rx, data, len, true));
    }
}

/* --- tests --- */

static void start_kernel(void)
{
    memset(&k, 0, sizeof k);
    k.exists = true;
    k.ring[0].backend = k.ring[1].backend = -1;
}

static bool start_machine(struct vd *d)
{
    vd_init(d);
    struct vhost *h = vhost_new(vhost_kernel_new(&stand_in, TAP_FD), "tap", (struct vhost_patience){ 50, 100 }, &d->r.err);
    d->r.platform.nic[0] = (struct nic){ .model = NIC_VIRTIO, .mac = { 2, 0, 0, 0, 0, 1 }, .slot = 3, .vhost = h, .virtio.packed = true };
    if (h)
        vd_power_on(d);
    return h;
}

static void stop_machine(struct vd *d)
{
    struct vhost *h = d->r.platform.nic[0].vhost;
    rig_fini(&d->r);
    vhost_free(h);
}

static void ready(struct vd *d, u64 features)
{
    CHECK(vd_negotiate(d, features));
    vd_queue(d, 0, 16);
    vd_queue(d, 1, 16);
    vd_go(d);
}

static s64 wait_used(struct vd *d, unsigned q, unsigned slots)
{
    s64 used;
    for (unsigned i = 0; i < 1000 && (used = vd_used(d, q, slots)) < 0; i++) {
        kernel_thread();
        vhost_poll(d->r.platform.nic[0].vhost);
        rig_run(&d->r, 10000);
    }
    return used;
}

static const char sequence[] =
    "OWNER\nFEATURES\nMEM_TABLE 2\nNUM 0\nBASE 0\nADDR 0\nKICK 0\nCALL 0\nBACKEND 0 tap\nNUM 1\nBASE 1\nADDR 1\nKICK 1\nCALL 1\nBACKEND 1 tap\n";

static void exchange(struct vd *d, unsigned header)
{
    u8 frame[12 + 300], back[sizeof frame];
    for (unsigned n = 0; n < 40; n++) {
        vd_add(d, 0, &(struct vd_piece){ BUFFER, 2048, true }, 1);
        vd_kick(d, 0);
        for (unsigned i = 0; i < sizeof frame; i++)
            frame[i] = i < header ? 0 : i + n;
        physmap_write(&d->r.map, HEADER, frame, sizeof frame);
        struct vd_piece p[2] = { { HEADER, header, false }, { HEADER + header, sizeof frame - header, false } };
        vd_add(d, 1, p, 2);
        vd_kick(d, 1);
        CHECK(wait_used(d, 1, 2) >= 0);
        CHECK_EQ(wait_used(d, 0, 1), sizeof frame);
        physmap_read(&d->r.map, BUFFER, back, sizeof back);
        if (!CHECK(memcmp(frame, back, sizeof frame) == 0))
            return;
    }
}

static void test_sequence(void)
{
    struct vd d;
    start_kernel();
    CHECK(start_machine(&d));
    CHECK_EQ(vd_offered(&d) & 0xffff, BIT(0) | BIT(1) | BIT(5) | BIT(7) | BIT(8) | BIT(9) | BIT(11) | BIT(12) | BIT(13) | BIT(15));
    ready(&d, VIRTIO_F_VERSION_1 | BIT(0) | BIT(1) | BIT(7) | BIT(15));
    CHECK_STR(k.log, sequence);
    CHECK_EQ(k.features, VIRTIO_F_VERSION_1 | BIT(15));
    CHECK_EQ(k.header, 12);
    CHECK_EQ(k.offload, TUN_F_CSUM | TUN_F_TSO4);
    exchange(&d, 12);
    *k.log = 0;
    vd_set_status(&d, 0);
    CHECK_STR(k.log, "BACKEND 0 none\nGET_BASE 0\nBACKEND 1 none\nGET_BASE 1\n");
    *k.log = 0;
    ready(&d, VIRTIO_F_VERSION_1 | VIRTIO_F_RING_PACKED);       /* the kernel never hears of packed rings */
    CHECK_STR(k.log, sequence + strlen("OWNER\n"));
    CHECK_EQ(k.offload, 0);
    exchange(&d, 12);
    stop_machine(&d);
    CHECK(!k.is_open);
}

/* Each call fails once: the adapter is broken or works later, and nothing else happens. */
static void test_failures(void)
{
    for (int n = 1; n < 40; n++) {
        struct vd d;
        start_kernel();
        k.fail_at = n;
        check_context("call %d fails", n);
        if (start_machine(&d)) {
            ready(&d, VIRTIO_F_VERSION_1 | BIT(15));
            usleep(60000);
            vhost_poll(d.r.platform.nic[0].vhost);      /* tried again */
            exchange(&d, 12);
            CHECK_EQ(vd_status(&d), 0xf);
            vd_set_status(&d, 0);
            stop_machine(&d);
        } else {
            CHECK_CONTAINS(d.r.err.text, "Input/output error");
            CHECK(n <= 2);
            rig_fini(&d.r);
        }
        CHECK(!k.is_open);
    }
}

static void test_no_kernel(void)
{
    struct vd d;
    start_kernel();
    k.exists = false;
    CHECK(!start_machine(&d));
    CHECK_CONTAINS(d.r.err.text, "/dev/vhost-net: No such file");
    rig_fini(&d.r);
}

static void test_real_kernel(void)
{
    struct vd d;
    struct error err;
    if (access("/dev/vhost-net", R_OK | W_OK))
        SKIP("this host has no /dev/vhost-net");
    int tap = net_tap_open("", true, &err);
    if (tap < 0)
        SKIP("no interface of this host can be had: %s", err.text);
    vd_init(&d);
    struct vhost *h = vhost_new(vhost_kernel_new(&vhost_kernel_host, tap), "tap", (struct vhost_patience){ 0 }, &d.r.err);
    if (!h) {
        rig_fini(&d.r);
        SKIP("vhost-net cannot be had: %s", d.r.err.text);
    }
    d.r.platform.nic[0] = (struct nic){ .model = NIC_VIRTIO, .mac = { 2, 0, 0, 0, 0, 1 }, .slot = 3, .vhost = h };
    vd_power_on(&d);
    ready(&d, VIRTIO_F_VERSION_1 | BIT(15));
    CHECK_STR(vhost_trouble(h), "");
    stop_machine(&d);
}

int main(int argc, char **argv)
{
    static const struct check tests[] = {
        { "sequence", test_sequence }, { "failures", test_failures }, { "no_kernel", test_no_kernel }, { "real_kernel", test_real_kernel }, { NULL, NULL },
    };
    return check_main(argc, argv, "vhost_net", tests);
}
