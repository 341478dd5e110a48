/* SPDX-License-Identifier: MIT */
/* Inside the user-mode network: what its options say. */
#ifndef EMU_DEVICES_NET_USER_H
#define EMU_DEVICES_NET_USER_H

#include <netinet/in.h>

#include "base/error.h"
#include "base/types.h"

enum { USER_FORWARDS = 16, USER_SEARCHES = 8 };

/* A port of the host that leads into the guest's network. */
struct user_forward {
    const char *text;               /* as the user gave it */
    bool udp;
    struct in_addr host, guest;     /* guest 0: the first address of DHCP */
    u16 host_port, guest_port;
};

/* Strings are borrowed from the words. */
struct user_options {
    bool ipv4, ipv6, restricted;
    struct in_addr net, mask, host, dhcp_start, dns;    /* net 0: 10.0.2.0/24; the others 0: .2, .15 and .3 of the network */
    const char *hostname, *domain, *tftp, *tftp_server, *bootfile;
    const char *search[USER_SEARCHES + 1]; unsigned nsearch;
    struct user_forward forward[USER_FORWARDS]; unsigned nforwards;
};

/* Take the words, then fill in what they left open. 0 or -1 with *err. */
int user_options_take(struct user_options *o, const char *const *word, unsigned nwords, struct error *err);

#endif
