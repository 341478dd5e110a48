/* SPDX-License-Identifier: MIT */
/* Addresses, and sockets that never wait: binding, connecting, and finding out later what became of it (connect(2), EINPROGRESS). */
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "devices/net/net_socket.h"

int socket_place_unix(struct socket_place *p, const char *path, struct error *err)
{
    struct sockaddr_un *a = (struct sockaddr_un *)&p->address;
    *p = (struct socket_place){ .len = sizeof *a };
    a->sun_family = AF_UNIX;
    if (!*path || strlen(path) >= sizeof a->sun_path)
        return error_set(err, "-netdev: '%s' is no path of a socket: at most %zu characters", path, sizeof a->sun_path - 1);
    strcpy(a->sun_path, path);
    return 0;
}

int socket_place_inet(struct socket_place *p, const char *host, const char *port, bool listens, struct error *err)
{
    struct addrinfo want = { .ai_family = AF_INET, .ai_socktype = SOCK_STREAM, .ai_flags = listens ? AI_PASSIVE : 0 }, *found = NULL;
    int e = getaddrinfo(*host ? host : NULL, port, &want, &found);
    if (e)
        return error_set(err, "-netdev: %s:%s: %s; give HOST:PORT", host, port, gai_strerror(e));
    memcpy(&p->address, found->ai_addr, found->ai_addrlen);
    p->len = found->ai_addrlen;
    freeaddrinfo(found);
    return 0;
}

int socket_place_pair(struct socket_place *p, const char *text, bool listens, struct error *err)
{
    char host[256];
    const char *colon = strrchr(text, ':');
    if (!colon || !colon[1] || (size_t)(colon - text) >= sizeof host)
        return error_set(err, "-netdev socket: '%s' is not HOST:PORT, or :PORT", text);
    memcpy(host, text, colon - text);
    host[colon - text] = 0;
    return socket_place_inet(p, host, colon + 1, listens, err);
}

static int new_socket(const struct socket_place *p, int type)
{
    int one = 1, s = socket(p->address.ss_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (s >= 0 && p->address.ss_family == AF_INET) {
        setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
        if (type == SOCK_STREAM)
            setsockopt(s, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    }
    return s;
}

static bool is_socket(const char *path)
{
    struct stat s;
    return lstat(path, &s) == 0 && S_ISSOCK(s.st_mode);
}

/* A UNIX socket that nobody listens at any more is in the way. Any other file is refused with the same errno, and stays. */
static void clear_way(const struct socket_place *p, int type)
{
    const struct sockaddr_un *a = (const struct sockaddr_un *)&p->address;
    int s = p->address.ss_family == AF_UNIX ? socket_connect(p, type, 0) : -1;
    if (p->address.ss_family == AF_UNIX && s < 0 && errno == ECONNREFUSED && is_socket(a->sun_path))
        unlink(a->sun_path);
    if (s >= 0)
        close(s);
}

int socket_bind(const struct socket_place *p, int type, struct error *err)
{
    clear_way(p, type);
    int s = new_socket(p, type);
    if (s >= 0 && bind(s, (const struct sockaddr *)&p->address, p->len) == 0 && (type != SOCK_STREAM || listen(s, 1) == 0))
        return s;
    error_set(err, "-netdev: the socket cannot be had: %s; give another place", strerror(errno));
    if (s >= 0)
        close(s);
    return -1;
}

/* What a connection that takes its time has come to. */
static bool is_refused(int s, int wait_ms)
{
    struct pollfd p = { .fd = s, .events = POLLOUT };
    int e = 0;
    socklen_t len = sizeof e;
    if (poll(&p, 1, wait_ms) == 1)
        getsockopt(s, SOL_SOCKET, SO_ERROR, &e, &len);
    errno = e;
    return e;
}

int socket_connect(const struct socket_place *p, int type, int wait_ms)
{
    int s = new_socket(p, type);
    if (s < 0 || connect(s, (const struct sockaddr *)&p->address, p->len) == 0 || (errno == EINPROGRESS && !is_refused(s, wait_ms)))
        return s;
    int e = errno;
    close(s);
    errno = e;
    return -1;
}
