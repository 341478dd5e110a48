/* SPDX-License-Identifier: MIT */
/* A server for guests on the network, a process of its own: one port gives a file by HTTP, the other takes it back and looks at it. */
#ifndef EMU_TESTS_NET_SERVER_H
#define EMU_TESTS_NET_SERVER_H

#include <arpa/inet.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/types.h"
#include "check.h"

enum { NET_SERVER_FILE_MAX = 100 << 20 };    /* bytes, under EMU_SOAK; a tenth of it otherwise */

static u8 net_server_file[NET_SERVER_FILE_MAX];      /* what the guest gets, and gives back */

static inline int net_server_size(void) { return getenv("EMU_SOAK") ? NET_SERVER_FILE_MAX : NET_SERVER_FILE_MAX / 10; }

struct net_server { int download, upload, report; u16 download_port, upload_port; pid_t pid; };

static inline int net_server_listen(u16 *port)
{
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof a;
    int s = socket(AF_INET, SOCK_STREAM, 0);
    if (bind(s, (struct sockaddr *)&a, sizeof a) || listen(s, 4) || getsockname(s, (struct sockaddr *)&a, &len))
        return -1;
    *port = ntohs(a.sin_port);
    return s;
}

static inline double net_server_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec * 1e-9;
}

/* Under EMU_SOAK: how fast it was, by the host's clock. */
static inline void net_server_say(const char *what, double since)
{
    double s = net_server_now() - since;
    if (getenv("EMU_SOAK"))
        fprintf(stderr, "    %s %d bytes in %.1f s: %.1f MB/s\n", what, net_server_size(), s, net_server_size() / s / 1e6);
}

/* Under EMU_SOAK: what --stats says of each MiB, out of all that emu printed. */
static inline void net_server_show(const char *printed)
{
    const char *from = strstr(printed, "\nmoved, MiB"), *end = from ? strstr(from, "all bytes together") : NULL;
    if (getenv("EMU_SOAK") && end)
        fprintf(stderr, "%.*s\n", (int)(end - from - 3), from + 1);
}

static inline void net_server_show_file(const char *path)
{
    static char text[65536];
    FILE *f = fopen(path, "r");
    size_t n = f ? fread(text, 1, sizeof text - 1, f) : 0;
    if (f)
        fclose(f);
    text[n] = 0;
    net_server_show(text);
}

static inline void net_server_download(int s)
{
    double since = net_server_now();
    char request[4096];
    size_t have = 0;
    for (ssize_t n; have < sizeof request - 1 && (n = read(s, request + have, sizeof request - 1 - have)) > 0;) {
        request[have += n] = 0;
        if (strstr(request, "\r\n\r\n"))
            break;
    }
    dprintf(s, "HTTP/1.0 200 OK\r\nContent-Length: %d\r\n\r\n", net_server_size());
    for (size_t sent = 0, size = net_server_size(); sent < size;) {
        ssize_t n = write(s, net_server_file + sent, size - sent);
        if (n <= 0)
            break;
        sent += n;
    }
    net_server_say("given", since);
}

/* How many bytes came that were right; -1 if one was wrong. */
static inline int net_server_upload(int s)
{
    static u8 buffer[65536];
    double since = net_server_now();
    int have = 0;
    for (ssize_t n; (n = read(s, buffer, sizeof buffer)) > 0; have += n)
        if (have + n > net_server_size() || memcmp(buffer, net_server_file + have, n))
            return -1;
    net_server_say("taken", since);
    return have;
}

static inline void net_server_serve(struct net_server *v)
{
    struct pollfd p[2] = { { .fd = v->download, .events = POLLIN }, { .fd = v->upload, .events = POLLIN } };
    signal(SIGPIPE, SIG_IGN);
    while (poll(p, 2, -1) > 0) {
        bool up = p[1].revents;
        int s = accept(p[up].fd, NULL, NULL);
        if (up) {
            int got = net_server_upload(s);
            if (write(v->report, &got, sizeof got) != sizeof got)
                _exit(1);
        } else {
            net_server_download(s);
        }
        close(s);
    }
    _exit(0);
}

static inline bool net_server_start(struct net_server *v)
{
    int ends[2];
    u64 seed = check_seed();
    for (int i = 0; i < net_server_size(); i += 8)
        *(u64 *)(net_server_file + i) = check_random(&seed);
    v->download = net_server_listen(&v->download_port);
    v->upload = net_server_listen(&v->upload_port);
    if (v->download < 0 || v->upload < 0 || pipe(ends))
        return false;
    v->report = ends[1];
    v->pid = fork();
    if (v->pid == 0)
        net_server_serve(v);
    close(ends[1]);
    close(v->download);
    close(v->upload);
    v->report = ends[0];
    return v->pid > 0;
}

/* What the last upload was; -2: there was none. */
static inline int net_server_report(struct net_server *v)
{
    int got = -2;
    struct pollfd p = { .fd = v->report, .events = POLLIN };
    if (poll(&p, 1, 2000) <= 0 || read(v->report, &got, sizeof got) != sizeof got)
        return -2;
    return got;
}

static inline void net_server_stop(struct net_server *v)
{
    kill(v->pid, SIGKILL);
    waitpid(v->pid, NULL, 0);
    close(v->report);
}

#endif
