/* SPDX-License-Identifier: MIT */
/* The options of -netdev user, spelled as QEMU spells them. */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "devices/net/net_backend.h"
#include "devices/net/net_user.h"

/* --- addresses --- */

static int set_address(struct in_addr *to, const char *key, const char *value, struct error *err)
{
    return inet_pton(AF_INET, value, to) == 1 ? 0 : error_set(err, "-netdev user: %s=%s: give an IPv4 address, as 10.0.2.2", key, value);
}
static int set_host(void *o, const char *v, struct error *err) { return set_address(&((struct user_options *)o)->host, "host", v, err); }
static int set_dhcp_start(void *o, const char *v, struct error *err) { return set_address(&((struct user_options *)o)->dhcp_start, "dhcpstart", v, err); }
static int set_dns(void *o, const char *v, struct error *err) { return set_address(&((struct user_options *)o)->dns, "dns", v, err); }

static in_addr_t mask_of(unsigned bits) { return htonl(bits ? ~(u32)0 << (32 - bits) : 0); }

/* ADDRESS or ADDRESS/BITS */
static int set_net(void *target, const char *value, struct error *err)
{
    struct user_options *o = target;
    char address[32] = "", *end;
    const char *slash = strchr(value, '/');
    size_t len = slash ? (size_t)(slash - value) : strlen(value);
    if (len < sizeof address)
        memcpy(address, value, len);
    unsigned long bits = slash ? strtoul(slash + 1, &end, 10) : 24;
    if (inet_pton(AF_INET, address, &o->net) != 1 || (slash && (*end || !slash[1])) || bits < 8 || bits > 28)
        return error_set(err, "-netdev user: net=%s: give a network as 10.0.2.0/24, of 8 to 28 bits", value);
    o->mask.s_addr = mask_of(bits);
    o->net.s_addr &= o->mask.s_addr;
    return 0;
}

/* --- names and files --- */

static int set_hostname(void *o, const char *v, struct error *err) { return ((struct user_options *)o)->hostname = v, 0; }
static int set_domain(void *o, const char *v, struct error *err) { return ((struct user_options *)o)->domain = v, 0; }
static int set_tftp_server(void *o, const char *v, struct error *err) { return ((struct user_options *)o)->tftp_server = v, 0; }

static int set_bootfile(void *o, const char *v, struct error *err)
{
    ((struct user_options *)o)->bootfile = v;
    return strlen(v) < 128 ? 0 : error_set(err, "-netdev user: bootfile=%s: is longer than DHCP has room for (127)", v);
}

static int set_tftp(void *o, const char *v, struct error *err)
{
    ((struct user_options *)o)->tftp = v;
    return access(v, R_OK | X_OK) == 0 ? 0 : error_set(err, "-netdev user: tftp=%s: is no folder that can be read", v);
}

static int set_search(void *target, const char *value, struct error *err)
{
    struct user_options *o = target;
    if (o->nsearch == USER_SEARCHES)
        return error_set(err, "-netdev user: dnssearch: at most %d", USER_SEARCHES);
    o->search[o->nsearch++] = value;
    return 0;
}

/* --- switches --- */

static int set_ipv4(void *o, const char *v, struct error *err) { return net_take_switch(&((struct user_options *)o)->ipv4, "user", "ipv4", v, err); }
static int set_ipv6(void *o, const char *v, struct error *err) { return net_take_switch(&((struct user_options *)o)->ipv6, "user", "ipv6", v, err); }
static int set_restrict(void *o, const char *v, struct error *err) { return net_take_switch(&((struct user_options *)o)->restricted, "user", "restrict", v, err); }

/* --- forwarding: [tcp|udp]:[HOST]:PORT-[GUEST]:PORT --- */

static int take_port(const char *text, u16 *port)
{
    char *end;
    unsigned long n = strtoul(text, &end, 10);
    *port = n;
    return end == text || *end || !n || n > 65535 ? -1 : 0;
}

/* "[ADDRESS]:PORT"; an address that is left out stays. `text` is cut. */
static int take_place(char *text, struct in_addr *address, u16 *port)
{
    char *colon = strchr(text, ':');
    if (!colon)
        return -1;
    *colon = 0;
    return (*text && inet_pton(AF_INET, text, address) != 1) || take_port(colon + 1, port) ? -1 : 0;
}

static int take_forward(struct user_forward *f, char *text)
{
    char *colon = strchr(text, ':'), *dash = strchr(text, '-');
    if (!colon || !dash || dash < colon)
        return -1;
    *colon = *dash = 0;
    f->udp = strcmp(text, "udp") == 0;
    if (!f->udp && *text && strcmp(text, "tcp"))
        return -1;
    return take_place(colon + 1, &f->host, &f->host_port) || take_place(dash + 1, &f->guest, &f->guest_port) ? -1 : 0;
}

static int set_hostfwd(void *target, const char *value, struct error *err)
{
    struct user_options *o = target;
    char copy[128];
    if (o->nforwards == USER_FORWARDS)
        return error_set(err, "-netdev user: hostfwd: at most %d ports", USER_FORWARDS);
    struct user_forward *f = &o->forward[o->nforwards++];
    f->text = value;
    if (strlen(value) >= sizeof copy || take_forward(f, strcpy(copy, value)))
        return error_set(err, "-netdev user: hostfwd=%s: give [tcp|udp]:[HOST]:PORT-[GUEST]:PORT, as tcp::8080-:80", value);
    return 0;
}

/* --- all of them --- */

static const struct net_option options[] = {
    { "hostfwd", set_hostfwd }, { "net", set_net }, { "restrict", set_restrict }, { "tftp", set_tftp }, { "bootfile", set_bootfile },
    { "tftp-server-name", set_tftp_server }, { "host", set_host }, { "dhcpstart", set_dhcp_start }, { "dns", set_dns },
    { "hostname", set_hostname }, { "domainname", set_domain }, { "dnssearch", set_search }, { "ipv4", set_ipv4 }, { "ipv6", set_ipv6 },
    { NULL, NULL },
};

/* An address that was left open is number n of the network; one that was given must be in it. */
static int settle(const struct user_options *o, struct in_addr *a, u32 n, const char *key, struct error *err)
{
    if (!a->s_addr)
        a->s_addr = o->net.s_addr | htonl(n);
    return (a->s_addr & o->mask.s_addr) == o->net.s_addr ? 0
               : error_set(err, "-netdev user: %s=%s: is not in the network; give net= too", key, inet_ntoa(*a));
}

int user_options_take(struct user_options *o, const char *const *word, unsigned nwords, struct error *err)
{
    *o = (struct user_options){ .ipv4 = true };
    o->net.s_addr = htonl(0x0a000200);
    o->mask.s_addr = mask_of(24);
    if (net_take_options("user", options, o, word, nwords, err))
        return -1;
    u32 last = ntohl(~o->mask.s_addr);
    return settle(o, &o->host, 2, "host", err) || settle(o, &o->dns, 3, "dns", err) ||
           settle(o, &o->dhcp_start, last < 31 ? 4 : 15, "dhcpstart", err) ? -1 : 0;
}
