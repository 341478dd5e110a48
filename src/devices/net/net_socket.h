/* SPDX-License-Identifier: MIT */
/* Inside the socket back-ends: where the other end is. */
#ifndef EMU_DEVICES_NET_SOCKET_H
#define EMU_DEVICES_NET_SOCKET_H

#include <sys/socket.h>

#include "base/error.h"
#include "base/types.h"

/* An address of the host's: a UNIX socket's path, or host and port. */
struct socket_place { struct sockaddr_storage address; socklen_t len; };

int socket_place_unix(struct socket_place *p, const char *path, struct error *err);
/* host "": any, where one listens; this host, where one connects. 0 or -1 with *err. */
int socket_place_inet(struct socket_place *p, const char *host, const char *port, bool listens, struct error *err);
/* "host:port", ":port". */
int socket_place_pair(struct socket_place *p, const char *text, bool listens, struct error *err);

/* A socket of that type which does not wait: bound there, and listening if it is a stream. -1 with *err. */
int socket_bind(const struct socket_place *p, int type, struct error *err);
/* Connected, or about to be when wait_ms of the host's time are over. -1 with errno. */
int socket_connect(const struct socket_place *p, int type, int wait_ms);

#endif
