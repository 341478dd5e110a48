/* SPDX-License-Identifier: MIT */
/*
 * A disk that a server has: the Network Block Device protocol, by libnbd. With qemu-nbd on the other side that is every format which
 * QEMU knows. The guest's command waits for the answer, at most PATIENCE_MS: a server that has died, or says nothing for so long, is
 * left, and each command after that fails at once.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "devices/block/block_backend.h"
#include "devices/block/nbd_api.h"

enum { PATIENCE_MS = 5000, SECTOR = 512 };
#define PIECE_MAX (32u << 20)   /* bytes in one request: what every server takes (the protocol's document, "Block size constraints") */

struct block_nbd {
    struct block head;
    struct nbd_api api;
    struct nbd_handle *server;  /* NULL: it was left */
    u32 piece;                  /* bytes in one request */
    bool flushes;
};

/* --- where it is --- */

/* QEMU's older spelling, nbd:unix:SOCKET or nbd:HOST:PORT, either with :exportname=NAME behind it. */
struct place { char text[256]; const char *socket, *host, *port, *name; };

static bool is_uri(const char *path)
{
    static const char *const schemes[] = { "nbd://", "nbds://", "nbd+unix://", "nbds+unix://" };
    for (unsigned i = 0; i < ARRAY_LEN(schemes); i++)
        if (strncmp(path, schemes[i], strlen(schemes[i])) == 0)
            return true;
    return false;
}

bool block_nbd_is(const char *path) { return is_uri(path) || strncmp(path, "nbd:", 4) == 0; }

static int parse_place(struct place *p, const char *path, struct error *err)
{
    if ((size_t)snprintf(p->text, sizeof p->text, "%s", path + strlen("nbd:")) >= sizeof p->text)
        return error_set(err, "%s: is too long for the name of an NBD server", path);
    char *name = strstr(p->text, ":exportname=");
    p->name = name ? name + strlen(":exportname=") : "";
    if (name)
        *name = 0;
    if (strncmp(p->text, "unix:", 5) == 0 && p->text[5]) {
        p->socket = p->text + 5;
        return 0;
    }
    char *colon = strrchr(p->text, ':');
    if (!colon || colon == p->text || !colon[1])
        return error_set(err, "%s: give nbd:unix:SOCKET, nbd:HOST:PORT or a URI nbd://HOST:PORT/EXPORT", path);
    *colon = 0;
    p->host = p->text + (p->text[0] == '[');        /* [::1]:10809 */
    if (p->text[0] == '[')
        p->text[strcspn(p->text, "]")] = 0;
    p->port = colon + 1;
    return 0;
}

/* --- waiting --- */

static u64 now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000ull + t.tv_nsec / 1000000;
}

/* Let the library work until the deadline. False: it is over, or the connection is. */
static bool work(struct block_nbd *n, u64 deadline)
{
    u64 now = now_ms();
    return now < deadline && n->api.poll(n->server, deadline - now) > 0;
}

static void leave(struct block_nbd *n)
{
    if (n->server)
        n->api.close(n->server);
    n->server = NULL;
}

/* --- connecting --- */

static int connect_place(struct block_nbd *n, struct error *err)
{
    struct place p = { "" };
    if (is_uri(n->head.path))
        return n->api.aio_connect_uri(n->server, n->head.path);
    if (parse_place(&p, n->head.path, err))
        return -1;
    if (n->api.set_export_name(n->server, p.name))
        return -1;
    return p.socket ? n->api.aio_connect_unix(n->server, p.socket) : n->api.aio_connect_tcp(n->server, p.host, p.port);
}

static int connect_server(struct block_nbd *n, struct error *err)
{
    const char *path = n->head.path;
    u64 deadline = now_ms() + PATIENCE_MS;
    struct error own = { "" };
    n->server = n->api.create();
    if (!n->server)
        return error_set(err, "%s: no memory", path);
    bool started = connect_place(n, &own) == 0;
    if (*own.text)
        return error_set(err, "%s", own.text);
    while (started && n->api.aio_is_connecting(n->server) > 0)
        if (!work(n, deadline))
            break;
    if (started && n->api.aio_is_ready(n->server) > 0)
        return 0;
    if (now_ms() >= deadline)
        return error_set(err, "%s: the server says nothing for %d s", path, PATIENCE_MS / 1000);
    const char *why = n->api.get_error();
    return error_set(err, "%s: no NBD server answers (%s); `qemu-nbd -t -k SOCKET IMAGE` is one", path, why ? why : "the connection was closed");
}

/* What the server says of its disk. */
static int check_export(struct block_nbd *n, bool writes, struct error *err)
{
    const char *path = n->head.path;
    s64 size = n->api.get_size(n->server), least = n->api.get_block_size(n->server, LIBNBD_SIZE_MINIMUM),
        most = n->api.get_block_size(n->server, LIBNBD_SIZE_MAXIMUM);
    if (size < 0)
        return error_set(err, "%s: the server does not say how large its disk is", path);
    if (size < SECTOR)
        return error_set(err, "%s: is empty", path);
    if (least > SECTOR)
        return error_set(err, "%s: the server moves no less than %lld bytes, a disk's sectors have %d", path, (long long)least, SECTOR);
    if (writes && n->api.is_read_only(n->server) > 0)
        return error_set(err, "%s: the server lets nobody write; -snapshot keeps the guest's writes apart", path);
    n->head.size = size & ~(s64)(SECTOR - 1);   /* nobody could write the rest of a last sector */
    n->piece = most > SECTOR && most < PIECE_MAX ? most & ~(s64)(SECTOR - 1) : PIECE_MAX;
    n->flushes = n->api.can_flush(n->server) > 0;
    return 0;
}

/* --- requests --- */

/* After which the server does not know our buffer any more: it has answered, or we have left. `cookie` is the request's, or -1. */
static bool answered(struct block_nbd *n, s64 cookie, const char *what)
{
    u64 deadline = now_ms() + PATIENCE_MS;
    int done = cookie < 0 ? -1 : 0;
    while (!done) {
        done = n->api.aio_command_completed(n->server, cookie);
        if (done || !work(n, deadline))
            break;
    }
    if (done > 0)
        return true;
    const char *why = n->api.get_error();
    block_refuse(&n->head, what, done == 0 && now_ms() >= deadline ? "the server says nothing" : why ? why : "the connection is lost");
    if (n->api.aio_is_ready(n->server) <= 0 || done == 0)
        leave(n);
    return false;
}

static bool left(struct block_nbd *n) { return !n->server; }

static bool server_read(struct block *b, u64 offset, u8 *buf, u64 len)
{
    struct block_nbd *n = (struct block_nbd *)b;
    for (u64 some; len && !left(n); offset += some, buf += some, len -= some) {
        some = len < n->piece ? len : n->piece;
        if (!answered(n, n->api.aio_pread(n->server, buf, some, offset, NBD_NULL_COMPLETION, 0), "read"))
            return false;
    }
    return !len;
}

static bool server_write(struct block *b, u64 offset, const u8 *buf, u64 len)
{
    struct block_nbd *n = (struct block_nbd *)b;
    for (u64 some; len && !left(n); offset += some, buf += some, len -= some) {
        some = len < n->piece ? len : n->piece;
        if (!answered(n, n->api.aio_pwrite(n->server, buf, some, offset, NBD_NULL_COMPLETION, 0), "write"))
            return false;
    }
    return !len;
}

static bool server_flush(struct block *b)
{
    struct block_nbd *n = (struct block_nbd *)b;
    return !left(n) && (!n->flushes || answered(n, n->api.aio_flush(n->server, NBD_NULL_COMPLETION, 0), "flush"));
}

static void server_close(struct block *b)
{
    struct block_nbd *n = (struct block_nbd *)b;
    leave(n);
    nbd_api_unload(&n->api);
    free(n);
}

static const struct block_ops nbd_ops = { "nbd", server_read, server_write, NULL, NULL, server_flush, server_close };

struct block *block_nbd_open(const char *path, bool writes, struct error *err)
{
    struct block_nbd *n = block_new(&nbd_ops, sizeof *n, path, err);
    if (!n)
        return NULL;
    n->head.readonly = !writes;
    if (!nbd_api_load(&n->api, err) && !connect_server(n, err) && !check_export(n, writes, err))
        return &n->head;
    server_close(&n->head);
    return NULL;
}
