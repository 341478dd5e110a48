/* SPDX-License-Identifier: MIT */
#include "machine/network.h"

#include <stdlib.h>
#include <string.h>

#include "devices/net/net_backend.h"
#include "devices/net/net_pcap.h"
#include "devices/net/net_wire.h"
#include "machine/outside.h"

struct network {
    struct net_room room;
    struct net_cable *cables;       /* between two adapters of this machine */
    struct { struct net_wire *wire; struct net_backend *backend; bool taken; } net[VM_MAX_NETDEVS];
    unsigned count;
    struct net_pcap *capture[VM_MAX_CAPTURES];
};

/* --- wires and what is at their far end --- */

static const struct net_backend_ops *find_backend(const char *type, struct error *err)
{
    for (const struct net_backend_ops *const *b = net_backends; *b; b++)
        if (strcmp((*b)->name, type) == 0)
            return *b;
    error_set(err, "-netdev %s: no back-end is called so; there are user, none, loopback, hubport, tap, socket, stream, dgram, vhost-user and wire", type);
    return NULL;
}

static int find_net(const struct network *n, const char *id)
{
    for (unsigned i = 0; i < n->count; i++)
        if (strcmp(n->net[i].wire->id, id) == 0)
            return i;
    return -1;
}

static bool says(const struct vm_netdev *d, const char *word)
{
    for (unsigned i = 0; i < d->nwords; i++)
        if (strcmp(d->word[i], word) == 0)
            return true;
    return false;
}

/* No wire: the adapter's rings are served by somebody else. */
static bool is_served(const struct vm_netdev *d)
{
    return strcmp(d->type, "vhost-user") == 0 || (strcmp(d->type, "tap") == 0 && says(d, "vhost=on"));
}

static bool has_cable(const struct vm_netdev *d)
{
    for (unsigned i = 0; i < d->nwords; i++)
        if (strncmp(d->word[i], "cable=", 6) == 0)
            return true;
    return false;
}

static int open_netdev(struct vm *vm, const struct vm_netdev *d, struct error *err)
{
    if (is_served(d))
        return 0;
    struct network *n = vm->network;
    const struct net_backend_ops *ops = find_backend(d->type, err);
    if (!ops)
        return -1;
    if (strlen(d->id) >= sizeof ((struct net_wire *)0)->id)
        return error_set(err, "-netdev %s,id=%s: the id is too long", d->type, d->id);
    if (find_net(n, d->id) >= 0)
        return error_set(err, "-netdev %s,id=%s: two are called so; give another id", d->type, d->id);
    struct net_wire *w = n->net[n->count].wire = net_new(d->id, &vm->clock);
    if (!w)
        return error_set(err, "-netdev %s: no memory", d->type);
    vm->gives_way |= vm->config.shared_cables && has_cable(d);
    n->net[n->count].backend = ops->open(w, &n->room, d->word, d->nwords, err);
    if (n->net[n->count++].backend)
        return 0;
    return -1;
}

/* --- captures --- */

static int open_capture(struct vm *vm, unsigned i, struct error *err)
{
    const struct vm_capture *c = &vm->config.capture[i];
    struct network *n = vm->network;
    int at = c->netdev ? find_net(n, c->netdev) : 0;
    if (at < 0)
        return error_set(err, "-object filter-dump,netdev=%s: no -netdev has this id", c->netdev);
    if (!n->count)
        return error_set(err, "--pcap %s: the machine has no network; add -nic user", c->file);
    n->capture[i] = net_pcap_open(n->net[at].wire, c->file, vm->config.rtc_base, c->snaplen, err);
    return n->capture[i] ? 0 : -1;
}

/* --- adapters --- */

static const struct { const char *name; enum nic_model model; } models[] = {
    { "e1000", NIC_E1000 }, { "e1000-82540em", NIC_E1000 }, { "virtio-net-pci", NIC_VIRTIO }, { "virtio-net", NIC_VIRTIO }, { "virtio", NIC_VIRTIO },
    { "virtio-net-pci-transitional", NIC_VIRTIO }, { "virtio-net-pci-non-transitional", NIC_VIRTIO },
    { "virtio-net-device", NIC_VIRTIO },
};

static int take_model(struct nic *to, const char *name, struct error *err)
{
    for (unsigned i = 0; i < ARRAY_LEN(models); i++)
        if (strcmp(models[i].name, name) == 0) {
            to->model = models[i].model;
            return 0;
        }
    return error_set(err, "no network adapter is called '%s'; there are e1000, virtio-net-pci and virtio-net-device", name);
}

/* Bytes by ':' or '-'; none given: as QEMU numbers its own. */
static int take_mac(struct nic *to, const char *text, unsigned index, struct error *err)
{
    static const u8 first[6] = { 0x52, 0x54, 0x00, 0x12, 0x34, 0x56 };
    int end = 0;
    memcpy(to->mac, first, 6);
    to->mac[5] += index;
    if (!text)
        return 0;
    u8 *m = to->mac;
    if (sscanf(text, "%2hhx%*1[:-]%2hhx%*1[:-]%2hhx%*1[:-]%2hhx%*1[:-]%2hhx%*1[:-]%2hhx%n", &m[0], &m[1], &m[2], &m[3], &m[4], &m[5], &end) != 6 || text[end])
        return error_set(err, "mac=%s: give six bytes, as 52:54:00:12:34:56", text);
    return m[0] & 1 ? error_set(err, "mac=%s: is a multicast address; the first byte must be even", text) : 0;
}

static const struct vm_netdev *find_served(const struct vm *vm, const char *id)
{
    for (unsigned i = 0; id && i < vm->config.nnetdevs; i++)
        if (is_served(&vm->config.netdev[i]) && strcmp(vm->config.netdev[i].id, id) == 0)
            return &vm->config.netdev[i];
    return NULL;
}

/* What the user says of who serves the rings. */
struct served { const char *chardev, *ifname; };

static int set_chardev(void *target, const char *value, struct error *err) { return ((struct served *)target)->chardev = value, 0; }
static int set_ifname(void *target, const char *value, struct error *err) { return ((struct served *)target)->ifname = value, 0; }
static int set_nothing(void *target, const char *value, struct error *err) { return 0; }

static struct vhost *open_server(struct vm *vm, const struct vm_netdev *d, struct error *err)
{
    static const struct net_option of_user[] = { { "chardev", set_chardev }, { "vhostforce", set_nothing }, { NULL, NULL } },
        of_tap[] = { { "ifname", set_ifname }, { "vhost", set_nothing }, { "script", set_nothing }, { "downscript", set_nothing }, { NULL, NULL } };
    bool tap = strcmp(d->type, "tap") == 0;
    struct served s = { NULL, "" };
    if (net_take_options(d->type, tap ? of_tap : of_user, &s, d->word, d->nwords, err))
        return NULL;
    if (tap)
        return outside_open_tap(s.ifname, err);
    if (s.chardev)
        return outside_open_adapter(vm, s.chardev, err);
    error_set(err, "-netdev %s: names no back-end; give chardev=C, and -chardev socket,id=C,path=SOCKET", d->type);
    return NULL;
}

static int plug_into_server(struct vm *vm, struct nic *to, const struct vm_netdev *d, struct error *err)
{
    if (to->model != NIC_VIRTIO)
        return error_set(err, "-netdev %s: serves the rings of a virtio-net-pci, and nothing else", d->type);
    for (unsigned i = 0; i < NICS_MAX; i++)
        if (vm->platform.nic[i].vhost && find_served(vm, vm->config.nic[i].netdev) == d)
            return error_set(err, "-device ..,netdev=%s: another adapter is plugged in there; give each a -netdev of its own", d->id);
    return (to->vhost = open_server(vm, d, err)) ? 0 : -1;
}

/* How the adapter reaches the wire on the modelled host. On the bare machine it is the machine's own. */
static enum net_path path_of(const struct vm *vm, enum nic_model model)
{
    static const enum net_path path[NIC_MODELS] = { [NIC_E1000] = NET_PATH_EMULATED, [NIC_VIRTIO] = NET_PATH_VIRTIO, [NIC_VIF] = NET_PATH_PV };
    return strcmp(vm->config.engine->name, "bare") == 0 ? NET_PATH_DIRECT : path[model];
}

struct net_wire *network_wire(const struct vm *vm, unsigned n) { return vm->network && n < vm->network->count ? vm->network->net[n].wire : NULL; }

int network_plug(struct vm *vm, struct net_wire **wire, const char *id, enum net_path path, struct error *err)
{
    int at = vm->network && id ? find_net(vm->network, id) : -1;
    if (!id)
        return 0;
    if (at < 0)
        return error_set(err, "-device ..,netdev=%s: no -netdev has this id; add -netdev user,id=%s", id, id);
    if (vm->network->net[at].taken)
        return error_set(err, "-device ..,netdev=%s: another adapter is plugged in there; give each a -netdev of its own", id);
    vm->network->net[at].taken = true;
    *wire = vm->network->net[at].wire;
    net_wire_serve(vm->network->net[at].backend, path);
    return 0;
}

static int plug_in(struct vm *vm, struct nic *to, const char *id, struct error *err)
{
    const struct vm_netdev *served = find_served(vm, id);
    return served ? plug_into_server(vm, to, served, err) : network_plug(vm, &to->wire, id, path_of(vm, to->model), err);
}

/* A paravirtual guest has no bus with adapters: of the adapter it sees the half that its hypervisor offers, whatever the model. */
static int add_nic(struct vm *vm, unsigned i, struct error *err)
{
    const struct vm_nic *n = &vm->config.nic[i];
    struct nic *to = &vm->platform.nic[i];
    to->slot = n->slot;
    to->virtio = n->virtio;
    to->pairs = n->pairs;
    to->queue_size = n->queue_size;
    to->virtio.no_legacy |= strstr(n->model, "non-transitional") != NULL;
    to->virtio.mmio = strcmp(n->model, "virtio-net-device") == 0;
    if (to->virtio.mmio && n->slot)
        return error_set(err, "-device %s,addr=: is on no bus; leave addr= out, or take virtio-net-pci", n->model);
    if (take_model(to, n->model, err) || take_mac(to, n->mac, i, err))
        return -1;
    if (strcmp(vm->config.engine->image, "xen-pv") == 0)
        to->model = NIC_VIF;
    return plug_in(vm, to, n->netdev, err);
}

/* --- all of it --- */

static int open_all(struct vm *vm, struct error *err)
{
    for (unsigned i = 0; i < vm->config.nnetdevs; i++)
        if (open_netdev(vm, &vm->config.netdev[i], err))
            return -1;
    for (unsigned i = 0; i < vm->config.ncaptures; i++)
        if (open_capture(vm, i, err))
            return -1;
    for (unsigned i = 0; i < vm->config.nnics; i++)
        if (add_nic(vm, i, err))
            return -1;
    return 0;
}

int network_open(struct vm *vm, struct error *err)
{
    if (!vm->config.nnetdevs && !vm->config.nnics && !vm->config.ncaptures)
        return 0;
    vm->network = calloc(1, sizeof *vm->network);
    if (!vm->network)
        return error_set(err, "no memory for the network");
    vm->network->room.ledger = &vm->ledger;
    vm->network->room.cables = vm->config.shared_cables ? vm->config.shared_cables : &vm->network->cables;
    if (open_all(vm, err) == 0)
        return 0;
    network_close(vm);
    return -1;
}

static void count_wire(const struct vm *vm)
{
    const struct network *n = vm->network;
    for (unsigned i = 0; vm->config.wire_counts && i < n->count; i++)
        if (n->net[i].backend && net_wire_counts(n->net[i].backend, vm->config.wire_counts))
            return;
}

void network_close(struct vm *vm)
{
    struct network *n = vm->network;
    if (!n)
        return;
    outside_close_adapters(vm);
    count_wire(vm);
    for (unsigned i = 0; i < n->count; i++)
        if (n->net[i].backend)
            n->net[i].backend->ops->close(n->net[i].backend);
    for (unsigned i = 0; i < VM_MAX_CAPTURES; i++)
        net_pcap_close(n->capture[i]);
    for (unsigned i = 0; i < n->count; i++)
        net_free(n->net[i].wire);
    free(n);
    vm->network = NULL;
}

int network_check_capture(struct vm *vm, unsigned n, struct error *err)
{
    return vm->network && vm->network->capture[n] ? net_pcap_check(vm->network->capture[n], err) : 0;
}

void network_poll(struct vm *vm)
{
    const struct network *n = vm->network;
    for (unsigned i = 0; n && i < n->count; i++)
        if (n->net[i].backend->ops->poll)
            n->net[i].backend->ops->poll(n->net[i].backend);
}

unsigned network_fds(struct vm *vm, struct pollfd *fds, unsigned max)
{
    const struct network *n = vm->network;
    unsigned count = 0;
    for (unsigned i = 0; n && i < n->count; i++)
        if (n->net[i].backend->ops->fds)
            count += n->net[i].backend->ops->fds(n->net[i].backend, fds + count, max - count);
    return count;
}

bool network_waits(struct vm *vm)
{
    const struct network *n = vm->network;
    for (unsigned i = 0; n && i < n->count; i++)
        if (n->net[i].backend->ops->waits && n->net[i].backend->ops->waits(n->net[i].backend))
            return true;
    return false;
}
