/* SPDX-License-Identifier: MIT */
/*
 * A back-end of vhost-user, in a process of its own: a disk in a file, or a network that sends each frame back. It can have vices: it
 * dies with requests in its hands, hangs, lies. It reads split rings only, without indirect tables. It serves nobody before it has heard
 * that the driver is ready, and a write to its disk's sector VB_GROW_SECTOR makes the disk larger.
 */
#ifndef EMU_TESTS_VHOST_BACKEND_H
#define EMU_TESTS_VHOST_BACKEND_H

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "devices/vhost/vhost_message.h"

enum vb_vice {
    VB_NONE, VB_DIES, VB_HANGS, VB_BAD_ID, VB_BAD_INDEX, VB_TWICE, VB_TALKS,    /* when it has taken `after` chains */
    VB_SILENT, VB_REFUSES, VB_WRONG_REQUEST, VB_WRONG_SIZE, VB_LONG, VB_VERSION, VB_WITH_FDS, VB_CUT, VB_HANGS_UP, VB_DIES_IN_HEADER, VB_DIES_IN_PAYLOAD,  /* when `after` messages have come */
    VB_VICES,
};
enum { VB_RINGS = 8, VB_DISK_CONFIG = 60, VB_GROW_SECTOR = 777, VB_GROW_BYTES = 1 << 20 };

struct vb {
    const char *path;               /* of the socket */
    const char *disk;               /* NULL: a network */
    u64 features;                   /* of the device */
    enum vb_vice vice; unsigned after;
    bool no_reply_ack;
    u32 says;                   /* what it says on its channel; 0: that its configuration has changed */
    unsigned queues;            /* that it says it serves; 0: as many as its configuration says */
    /* inside the process */
    int listener, socket, image, channel;
    u64 status;
    u64 size;
    unsigned messages, chains;
    struct vhost_region region[VHOST_REGIONS_MAX]; u8 *mapped[VHOST_REGIONS_MAX]; unsigned regions;
    struct { bool on; u16 size, next; u8 *desc, *avail, *used; int kick, call; } ring[VB_RINGS];
};

struct vb_desc { u64 gpa; u32 len; u16 flags, next; };

/* --- memory --- */

static inline u8 *vb_at(struct vb *b, u64 address, bool user)
{
    for (unsigned i = 0; i < b->regions; i++) {
        u64 from = user ? b->region[i].user : b->region[i].gpa;
        if (address - from < b->region[i].size)
            return b->mapped[i] + (address - from);
    }
    fprintf(stderr, "vhost back-end: %llx is nowhere\n", (unsigned long long)address);
    _exit(3);
}

static inline void vb_set_memory(struct vb *b, struct vhost_message *m)
{
    for (unsigned i = 0; i < b->regions; i++)
        munmap(b->mapped[i], b->region[i].size);
    b->regions = m->memory.count;
    for (unsigned i = 0; i < b->regions; i++) {
        b->region[i] = m->memory.region[i];
        b->mapped[i] = mmap(NULL, b->region[i].size, PROT_READ | PROT_WRITE, MAP_SHARED, m->fd[i], b->region[i].fd_offset);
        if (b->mapped[i] == MAP_FAILED)
            _exit(4);
    }
}

/* --- chains --- */

static inline u16 vb_get16(const u8 *p) { return __atomic_load_n((const u16 *)p, __ATOMIC_ACQUIRE); }

static inline void vb_put(struct vb *b, unsigned n, u32 id, u32 len)
{
    u8 *used = b->ring[n].used;
    u16 index = vb_get16(used + 2);
    u32 pair[2] = { id, len };
    memcpy(used + 4 + 8 * (index % b->ring[n].size), pair, 8);
    __atomic_store_n((u16 *)(used + 2), index + 1, __ATOMIC_RELEASE);
}

static inline void vb_call(struct vb *b, unsigned n)
{
    u64 one = 1;
    if (b->ring[n].call >= 0 && write(b->ring[n].call, &one, 8) != 8)
        _exit(5);
}

struct vb_chain { u16 head; unsigned pieces, readable; struct { u8 *at; u32 len; } piece[1024]; };

static inline bool vb_take(struct vb *b, unsigned n, struct vb_chain *c)
{
    if (!b->ring[n].on || !(b->status & 4) || vb_get16(b->ring[n].avail + 2) == b->ring[n].next)
        return false;
    c->head = vb_get16(b->ring[n].avail + 4 + 2 * (b->ring[n].next++ % b->ring[n].size));
    c->pieces = c->readable = 0;
    struct vb_desc d;
    u16 at = c->head;
    do {
        memcpy(&d, b->ring[n].desc + 16 * at, 16);
        c->piece[c->pieces].at = vb_at(b, d.gpa, false);
        c->piece[c->pieces++].len = d.len;
        c->readable += !(d.flags & 2);
        at = d.next;
    } while (d.flags & 1);
    b->chains++;
    return true;
}

/* The disk is larger now, as it says on its channel, and is heard. */
static inline void vb_grow(struct vb *b)
{
    struct vhost_message m = { .request = b->says ? b->says : VHOST_BACKEND_CONFIG_CHANGE, .flags = VHOST_VERSION | VHOST_NEED_REPLY };
    b->size += VB_GROW_BYTES;
    vhost_message_send(b->channel, &m);
}

/* Returns the bytes written. */
static inline u32 vb_disk(struct vb *b, struct vb_chain *c)
{
    u32 type, written = 0;
    u64 sector;
    memcpy(&type, c->piece[0].at, 4);
    memcpy(&sector, c->piece[0].at + 8, 8);
    u8 *answer = c->piece[c->pieces - 1].at;
    off_t at = sector * 512;
    *answer = type > 1 && type != 4 ? 2 : 0;
    for (unsigned i = 1; i + 1 < c->pieces && type <= 1; i++) {
        ssize_t n = type ? pwrite(b->image, c->piece[i].at, c->piece[i].len, at) : pread(b->image, c->piece[i].at, c->piece[i].len, at);
        *answer |= n != c->piece[i].len;
        written += type ? 0 : c->piece[i].len;
        at += c->piece[i].len;
    }
    if (type == 4)
        fdatasync(b->image);
    if (type == 1 && sector == VB_GROW_SECTOR)
        vb_grow(b);
    return written + 1;
}

static inline void vb_echo(struct vb *b, unsigned rx_ring, struct vb_chain *tx)
{
    static struct vb_chain rx;
    u8 frame[2048];
    u32 len = 0, room;
    for (unsigned i = 0; i < tx->pieces && len + tx->piece[i].len <= sizeof frame; len += tx->piece[i++].len)
        memcpy(frame + len, tx->piece[i].at, tx->piece[i].len);
    if (!vb_take(b, rx_ring, &rx))
        return;
    frame[10] = 1;      /* num_buffers */
    room = rx.piece[0].len < len ? rx.piece[0].len : len;
    memcpy(rx.piece[0].at, frame, room);
    if (rx.pieces > 1)
        memcpy(rx.piece[1].at, frame + room, len - room);
    vb_put(b, rx_ring, rx.head, len);
    vb_call(b, rx_ring);
}

static inline void vb_misbehave(struct vb *b, unsigned n, u16 head)
{
    static const u8 text[12] = { 1, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0 };
    switch (b->vice) {
    case VB_DIES: _exit(0);
    case VB_HANGS: pause(); break;
    case VB_BAD_ID: vb_put(b, n, 0x12345678, 1); break;
    case VB_BAD_INDEX: __atomic_store_n((u16 *)(b->ring[n].used + 2), vb_get16(b->ring[n].used + 2) + 3000, __ATOMIC_RELEASE); break;
    case VB_TWICE: vb_put(b, n, head, 1); vb_put(b, n, head, 1); break;
    case VB_TALKS: if (write(b->socket, text, sizeof text) < 0) _exit(6); break;
    default: break;
    }
    vb_call(b, n);
}

static inline void vb_serve(struct vb *b, unsigned n)
{
    static struct vb_chain c;
    while (vb_take(b, n, &c)) {
        if (b->vice >= VB_DIES && b->vice <= VB_TALKS && b->chains > b->after) {
            vb_misbehave(b, n, c.head);
            continue;
        }
        u32 written = b->disk ? vb_disk(b, &c) : 0;
        if (!b->disk)
            vb_echo(b, n - 1, &c);
        vb_put(b, n, c.head, written);
    }
    vb_call(b, n);
}

/* --- messages --- */

static inline void vb_answer(struct vb *b, struct vhost_message *m, u32 size)
{
    bool now = b->vice >= VB_SILENT && b->messages > b->after;
    m->flags = VHOST_VERSION | VHOST_REPLY;
    m->size = size;
    m->nfds = 0;
    if (now) {
        switch (b->vice) {
        case VB_SILENT: pause(); break;
        case VB_REFUSES: m->value = 1; break;
        case VB_WRONG_REQUEST: m->request++; break;
        case VB_WRONG_SIZE: m->size += 4; break;
        case VB_LONG: m->size = VHOST_PAYLOAD_MAX + 1; break;
        case VB_VERSION: m->flags ^= 3; break;
        case VB_WITH_FDS: m->fd[0] = m->fd[1] = b->socket; m->nfds = 2; break;
        case VB_CUT: if (write(b->socket, m, 7) < 0) _exit(6); pause(); break;
        case VB_HANGS_UP: _exit(0);
        case VB_DIES_IN_HEADER: _exit(write(b->socket, m, 7) != 7);
        case VB_DIES_IN_PAYLOAD: _exit(write(b->socket, m, VHOST_HEADER + 3) != VHOST_HEADER + 3);
        default: break;
        }
    }
    if (m->size > VHOST_PAYLOAD_MAX) {
        if (write(b->socket, m, VHOST_HEADER) < 0)
            _exit(6);
        return;
    }
    vhost_message_send(b->socket, m);
}

static inline void vb_config(struct vb *b, u8 *to)
{
    u64 sectors = b->size / 512;
    memset(to, 0, VB_DISK_CONFIG);
    memcpy(to, &sectors, 8);
    to[12] = 126;       /* seg_max */
    to[21] = 2;         /* blk_size */
    to[34] = 4;         /* num_queues */
}

static inline void vb_set_ring(struct vb *b, struct vhost_message *m)
{
    unsigned n = m->ring.index % VB_RINGS;
    switch (m->request) {
    case VHOST_USER_SET_VRING_NUM: b->ring[n].size = m->ring.number; break;
    case VHOST_USER_SET_VRING_BASE: b->ring[n].next = m->ring.number; break;
    case VHOST_USER_SET_VRING_ENABLE: b->ring[n].on = m->ring.number; break;
    case VHOST_USER_SET_VRING_KICK: b->ring[n].kick = m->fd[0]; m->nfds = 0; break;
    case VHOST_USER_SET_VRING_CALL: b->ring[n].call = m->fd[0]; m->nfds = 0; break;
    case VHOST_USER_SET_VRING_ADDR:
        b->ring[n].desc = vb_at(b, m->place.desc, true);
        b->ring[n].avail = vb_at(b, m->place.avail, true);
        b->ring[n].used = vb_at(b, m->place.used, true);
        break;
    }
}

/* What was rung before that is served now. */
static inline void vb_set_status(struct vb *b, u64 status)
{
    b->status = status;
    for (unsigned n = 0; n < VB_RINGS; n++)
        if (b->ring[n].on && (b->disk || n % 2))
            vb_serve(b, n);
}

static inline void vb_obey(struct vb *b, struct vhost_message *m)
{
    bool wants_ack = m->flags & VHOST_NEED_REPLY;
    b->messages++;
    switch (m->request) {
    case VHOST_USER_GET_FEATURES: m->value = b->features | VHOST_F_PROTOCOL_FEATURES; vb_answer(b, m, 8); return;
    case VHOST_USER_GET_PROTOCOL_FEATURES:
        m->value = VHOST_PROTOCOL_MQ | VHOST_PROTOCOL_CONFIG | VHOST_PROTOCOL_BACKEND_REQ | VHOST_PROTOCOL_STATUS | (b->no_reply_ack ? 0 : VHOST_PROTOCOL_REPLY_ACK);
        vb_answer(b, m, 8);
        return;
    case VHOST_USER_GET_QUEUE_NUM: m->value = b->queues ? b->queues : 4; vb_answer(b, m, 8); return;
    case VHOST_USER_GET_CONFIG: vb_config(b, m->config.bytes); vb_answer(b, m, m->size); return;
    case VHOST_USER_GET_VRING_BASE:
        b->ring[m->ring.index].on = false;
        m->ring.number = b->ring[m->ring.index].next;
        vb_answer(b, m, 8);
        return;
    case VHOST_USER_SET_MEM_TABLE: vb_set_memory(b, m); break;
    case VHOST_USER_SET_STATUS: vb_set_status(b, m->value); break;
    case VHOST_USER_SET_BACKEND_REQ_FD: b->channel = m->fd[0]; m->nfds = 0; break;
    default: vb_set_ring(b, m);
    }
    vhost_message_close_fds(m);
    if (wants_ack) {
        m->value = 0;
        vb_answer(b, m, 8);
    }
}

static inline void vb_talk(struct vb *b)
{
    for (;;) {
        struct pollfd fds[1 + VB_RINGS] = { { .fd = b->socket, .events = POLLIN } };
        for (unsigned n = 0; n < VB_RINGS; n++)
            fds[1 + n] = (struct pollfd){ .fd = b->ring[n].on && (b->disk || n % 2) ? b->ring[n].kick : -1, .events = POLLIN };
        poll(fds, 1 + VB_RINGS, -1);
        for (unsigned n = 0; n < VB_RINGS; n++) {
            u64 count;
            if (fds[1 + n].revents & POLLIN && read(b->ring[n].kick, &count, 8) == 8)
                vb_serve(b, n);
        }
        struct vhost_message m;
        if (!(fds[0].revents & POLLIN))
            continue;
        if (vhost_message_receive(b->socket, &m))
            return;
        vb_obey(b, &m);
    }
}

/* --- its life --- */

/* `run` in a process of its own, with the socket listening already. */
static inline pid_t vb_fork(struct vb *b, void (*run)(struct vb *b))
{
    struct sockaddr_un at = { .sun_family = AF_UNIX };
    snprintf(at.sun_path, sizeof at.sun_path, "%s", b->path);
    unlink(b->path);
    b->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (b->listener < 0 || bind(b->listener, (struct sockaddr *)&at, sizeof at) || listen(b->listener, 4))
        abort();
    pid_t pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        run(b);
        _exit(0);
    }
    close(b->listener);
    return pid;
}

static inline void vb_run(struct vb *b)
{
    struct stat st;
    b->image = b->disk ? open(b->disk, O_RDWR) : -1;
    b->size = b->disk && fstat(b->image, &st) == 0 ? st.st_size : 0;
    for (;;) {
        b->socket = accept(b->listener, NULL, NULL);
        memset(b->ring, 0, sizeof b->ring);
        b->status = 0;
        vb_talk(b);
        close(b->socket);
    }
}

static inline pid_t vb_start(struct vb *b) { return vb_fork(b, vb_run); }

static inline void vb_stop(pid_t pid)
{
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

#endif
