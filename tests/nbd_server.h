/* SPDX-License-Identifier: MIT */
/*
 * A small NBD server for tests, in a child process, that is honest or not: the newstyle handshake and simple replies of the protocol's
 * document (NetworkBlockDevice, doc/proto.md), one client after another, the disk in memory.
 */
#ifndef EMU_TESTS_NBD_SERVER_H
#define EMU_TESTS_NBD_SERVER_H

#include <endian.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/types.h"

enum nbd_mood {
    NBD_HONEST,
    NBD_READ_ONLY,      /* says that nobody may write */
    NBD_FULL,           /* refuses writes: ENOSPC */
    NBD_DIES,           /* at the fourth request */
    NBD_HANGS,          /* from the fourth request on */
    NBD_SILENT,         /* from the start: no handshake */
    NBD_NOISE,          /* answers requests with nonsense */
    NBD_LIES,           /* says that the disk is four times as large as it is */
    NBD_HUGE,           /* says that the disk has 2^62 bytes */
    NBD_EMPTY,          /* says that the disk has none */
};

struct nbd_server { pid_t pid; char folder[40], socket[60], url[80]; };

struct nbd_state { enum nbd_mood mood; u8 *disk; u64 size; unsigned requests; int client; };

static inline bool nbd_get(int fd, void *to, size_t n)
{
    for (u8 *p = to; n;) {
        ssize_t got = read(fd, p, n);
        if (got <= 0)
            return false;
        p += got, n -= got;
    }
    return true;
}
static inline bool nbd_put(int fd, const void *from, size_t n) { return write(fd, from, n) == (ssize_t)n; }

static inline void nbd_option_reply(int fd, u32 option, u32 type, const void *data, u32 len)
{
    struct { u64 magic; u32 option, type, len; } __attribute__((packed)) r = { htobe64(0x3e889045565a9), htobe32(option), htobe32(type), htobe32(len) };
    nbd_put(fd, &r, sizeof r);
    nbd_put(fd, data, len);
}

static inline bool nbd_handshake(struct nbd_state *s)
{
    enum { OPT_GO = 7, REP_ACK = 1, REP_INFO = 3, HAS_FLAGS = 1, READ_ONLY = 2, SEND_FLUSH = 4 };
    struct { u64 magic, option_magic; u16 flags; } __attribute__((packed)) hello = { htobe64(0x4e42444d41474943), htobe64(0x49484156454f5054), htobe16(3) };
    struct { u64 magic; u32 option, len; } __attribute__((packed)) o;
    u64 size = s->mood == NBD_LIES ? 4 * s->size : s->mood == NBD_HUGE ? BIT(62) : s->mood == NBD_EMPTY ? 0 : s->size;
    struct { u16 type; u64 size; u16 flags; } __attribute__((packed)) info = {
        0, htobe64(size), htobe16(HAS_FLAGS | SEND_FLUSH | (s->mood == NBD_READ_ONLY ? READ_ONLY : 0)) };
    u32 flags;
    u8 data[4096];
    nbd_put(s->client, &hello, sizeof hello);
    if (!nbd_get(s->client, &flags, 4))
        return false;
    while (nbd_get(s->client, &o, sizeof o) && be32toh(o.len) <= sizeof data && nbd_get(s->client, data, be32toh(o.len))) {
        if (be32toh(o.option) != OPT_GO) {
            nbd_option_reply(s->client, be32toh(o.option), 1u << 31 | 1, "", 0);    /* not supported */
            continue;
        }
        nbd_option_reply(s->client, OPT_GO, REP_INFO, &info, sizeof info);
        nbd_option_reply(s->client, OPT_GO, REP_ACK, "", 0);
        return true;
    }
    return false;
}

struct nbd_request { u32 magic; u16 flags, type; u64 handle, offset; u32 len; } __attribute__((packed));
struct nbd_reply { u32 magic, error; u64 handle; } __attribute__((packed));

/* False: the connection is over. */
static inline bool nbd_answer(struct nbd_state *s, const struct nbd_request *q)
{
    enum { READ, WRITE, DISCONNECT };
    u16 type = be16toh(q->type);
    u64 offset = be64toh(q->offset), len = be32toh(q->len);
    bool within = offset <= s->size && len <= s->size - offset;
    struct nbd_reply r = { htobe32(0x67446698), within ? 0 : htobe32(EINVAL), q->handle };
    u8 *at = within ? s->disk + offset : NULL, *other = at ? NULL : malloc(len + 1);
    if (type == DISCONNECT || (type == WRITE && !nbd_get(s->client, at ? at : other, len)))
        return false;
    s->requests++;
    if (s->mood == NBD_DIES && s->requests >= 4)
        _exit(0);
    while (s->mood == NBD_HANGS && s->requests >= 4)
        pause();
    if (s->mood == NBD_NOISE)
        r.magic = htobe32(0xdeadbeef);
    if (s->mood == NBD_FULL && type == WRITE)
        r.error = htobe32(ENOSPC);
    nbd_put(s->client, &r, sizeof r);
    if (type == READ && !r.error)
        nbd_put(s->client, at, len);
    free(other);
    return true;
}

static inline void nbd_serve(int listener, struct nbd_state *s)
{
    struct nbd_request q;
    while ((s->client = accept(listener, NULL, NULL)) >= 0) {
        while (s->mood == NBD_SILENT)
            pause();
        if (nbd_handshake(s))
            while (nbd_get(s->client, &q, sizeof q) && nbd_answer(s, &q))
                ;
        close(s->client);
    }
}

/* A server of a copy of disk[0..size). Pair with nbd_server_stop(). */
static inline void nbd_server_start(struct nbd_server *n, enum nbd_mood mood, const u8 *disk, u64 size)
{
    struct sockaddr_un at = { .sun_family = AF_UNIX };
    struct nbd_state s = { .mood = mood, .disk = malloc(size), .size = size };
    memcpy(s.disk, disk, size);
    strcpy(n->folder, "/tmp/emu-test-nbd-XXXXXX");
    if (!mkdtemp(n->folder))
        abort();
    snprintf(n->socket, sizeof n->socket, "%s/socket", n->folder);
    snprintf(n->url, sizeof n->url, "nbd:unix:%s", n->socket);
    snprintf(at.sun_path, sizeof at.sun_path, "%s", n->socket);
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(listener, (struct sockaddr *)&at, sizeof at) || listen(listener, 4))
        abort();
    n->pid = fork();
    if (!n->pid) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        signal(SIGPIPE, SIG_IGN);
        nbd_serve(listener, &s);
        _exit(0);
    }
    close(listener);
    free(s.disk);
}

static inline void nbd_server_stop(struct nbd_server *n)
{
    kill(n->pid, SIGKILL);
    waitpid(n->pid, NULL, 0);
    unlink(n->socket);
    rmdir(n->folder);
}

#endif
