/* SPDX-License-Identifier: MIT */
/*
 * `emu bench net`: the same frames on each path to a 10 Gb/s wire. What is counted stands beside table A3 of the curriculum, what
 * follows from it in time beside A4. Nothing here is a result: the tables say what to run, and what was published.
 */
#include <string.h>

#include "cli/bench/bench.h"
#include "cli/bench/bench_load.h"
#include "devices/net/net_wire.h"

enum { FULL = 1514, SMALL = 60 };
/* Table A3 has 1,000,000 packets a second by virtio, and A4 has 9 to 9.5 Gb/s: so these are frames of 1101 to 1163 bytes. */
enum { MILLION = 1132 };

/* --- the paths --- */

static int plug(const struct load *l, struct vm_config *c, const char *model, const char *vhost)
{
    struct vm_netdev *d = &c->netdev[c->nnetdevs++];
    *d = (struct vm_netdev){ .type = "wire", .id = "wire" };
    d->word[d->nwords++] = !strcmp(l->mode, "pingpong") ? "peer=echo" : strcmp(l->mode, "rx") ? "peer=sink" : l->size == FULL ? "peer=source:1514" : "peer=source:60";
    if (vhost)
        d->word[d->nwords++] = vhost;
    if (model)
        c->nic[c->nnics++] = (struct vm_nic){ .model = model, .netdev = "wire", .queue_size = 1024 };
    return 0;
}

static int plug_e1000(const struct load *l, struct vm_config *c, struct error *err) { return plug(l, c, "e1000", NULL); }
static int plug_virtio(const struct load *l, struct vm_config *c, struct error *err) { return plug(l, c, "virtio-net-pci", NULL); }
static int plug_vhost(const struct load *l, struct vm_config *c, struct error *err) { return plug(l, c, "virtio-net-pci", "vhost=on"); }
static int plug_zerocopy(const struct load *l, struct vm_config *c, struct error *err)
{
    struct vm_netdev *d = &c->netdev[c->nnetdevs];
    plug(l, c, "virtio-net-pci", "vhost=on");
    d->word[d->nwords++] = "zerocopy=on";
    return 0;
}
static int plug_vf(const struct load *l, struct vm_config *c, struct error *err)
{
    plug(l, c, NULL, NULL);
    c->vfio[c->nvfios++] = (struct vm_vfio){ .host = "01:10.0", .netdev = "wire" };
    return 0;
}

enum { NAIVE, E1000, THROTTLED, DYNAMIC, VIRTIO, VHOST, ZEROCOPY, VF, MODERATED, PV, BARE, PATHS };
static const struct load_path paths[PATHS] = {
    [NAIVE] = { "e1000-naive", "emulated, a first driver", "kvm", "netload", "e1000 naive", plug_e1000, 1 },
    [E1000] = { "e1000", "emulated, a driver that batches", "kvm", "netload", "e1000", plug_e1000 },
    [THROTTLED] = { "e1000-throttled", "emulated, a driver as Linux's until 2006: 8000 interrupts a second", "kvm", "netload", "e1000 throttle=8000", plug_e1000, 1 },
    [DYNAMIC] = { "e1000-dynamic", "emulated, as Linux's since then: 4000 to 20000 interrupts a second", "kvm", "netload", "e1000 throttle=dynamic", plug_e1000, 1, .ends = true },
    [VIRTIO] = { "virtio", "rings, served in user space", "kvm", "netload", "virtio", plug_virtio },
    [VHOST] = { "vhost", "the same rings, served in the host's kernel", "kvm", "netload", "virtio", plug_vhost },
    [ZEROCOPY] = { "vhost-zerocopy", "the same, which copies nothing that is sent: the adapter reads the guest's memory", "kvm", "netload", "virtio", plug_zerocopy, .ends = true },
    [VF] = { "vf", "a virtual function, assigned to the guest", "kvm", "netload", "vf", plug_vf },
    [MODERATED] = { "vf-dynamic", "the same, its interrupts throttled as by Linux's igbvf", "kvm", "netload", "vf throttle=dynamic", plug_vf, .ends = true },
    [PV] = { "pv", "Xen's split driver", "pv", "netload", "pv", plug_e1000 },
    [BARE] = { "bare", "no monitor: the same function of the adapter, the machine's own", "bare", "netload", "vf", plug_vf },
};

/* --- what is measured --- */

static const struct load_kind kinds[] = {
    { "tx", "transmit, frames of 1514 bytes", "tx", FULL, { 1, 4, 16, 64, 256, 1024 }, 4096 },
    { "tx-60", "transmit, frames of 60 bytes", "tx", SMALL, { 1, 4, 16, 64, 256, 1024 }, 2048 },
    { "rx", "receive, frames of 1514 bytes", "rx", FULL, { 64 }, 2048 },
    { "rx-60", "receive, frames of 60 bytes", "rx", SMALL, { 64 }, 2048 },
    { "round-trip", "a frame of 60 bytes there and back", "pingpong", SMALL, { 1 }, 256 },
    { "tx-1132", "transmit, frames of 1132 bytes: a million a second are 9.25 Gb/s", "tx", MILLION, { 1024 }, 4096 },
    { NULL },
};

/* --- what was published --- */

static const struct load_claim claims[] = {
    { "A3", "e1000-naive", "tx", 1, CLAIM_EXITS, { 7, 12 }, "7+ exits a packet" },
    { "A3", "e1000-naive", "tx", 1, CLAIM_KRATE, { 100, 100 }, "about 100,000 packets/s at most" },
    { "A3", "virtio", "tx", 1024, CLAIM_EXITS_PER_BATCH, { 2, 2 }, "2 exits in 1000 packets: notify and interrupt" },
    { "A3", "virtio", "tx-1132", 1024, CLAIM_KRATE, { 1000, 1000 }, "about 1,000,000 packets/s (1132 bytes)" },
    { "A3", "virtio", "tx", 1024, CLAIM_KRATE, { 1000, 1000 }, "... of 1514 bytes: more than the wire carries", true },
    { "A3", "vhost", "tx", 1024, CLAIM_USER, { 0, 0 }, "minimal, none to user space" },
    { "A3", "vf", "tx", 1024, CLAIM_DATA_EXITS, { 0, 0 }, "none on the data path" },
    { "A2", "bare", "tx", 64, CLAIM_DMA_NS, { 50, 50 }, "DMA without an IOMMU, ns" },
    { "A2", "vf", "round-trip", 1, CLAIM_DMA_MISS_NS, { 150, 150 }, "DMA with it, when it must walk, ns" },
    { "A2", "vf", "tx", 64, CLAIM_IOTLB_HITS, { 0, 100 }, "DMA that needs no walk, %" },
/* Rows of the table have a bar; what else could be meant stands behind them, without one. docs/paths.md says which is which, and why. */
#define A4(path, batch, gbits_low, gbits_high, us, cpu, loss_low, loss_high, aside) \
    { "A4", path, "tx", batch, CLAIM_GBITS, { gbits_low, gbits_high }, "throughput, Gb/s", aside }, \
    { "A4", path, "round-trip", 1, CLAIM_US, { us, us }, "latency, us", aside }, \
    { "A4", path, "tx", batch, CLAIM_CPU, { cpu, cpu }, "processor, %", aside }, \
    { "A4", path, "tx", batch, CLAIM_LOSS, { loss_low, loss_high }, "overhead, % of the wire", aside }
    A4("e1000-throttled", 1, 2, 3, 100, 80, 20, 40, false),
    A4("virtio", 1024, 9, 9.5, 15, 20, 5, 10, false),
    A4("vhost", 1024, 9.8, 9.8, 10, 10, 2, 5, false),
    A4("vf", 1024, 9.9, 9.95, 5, 2, 0, 1, false),
    A4("bare", 1024, 10, 10, 4, 1, 0, 0, false),
    A4("e1000-naive", 1, 2, 3, 100, 80, 20, 40, true),
    A4("e1000-dynamic", 1, 2, 3, 100, 80, 20, 40, true),
    A4("vhost-zerocopy", 1024, 9.8, 9.8, 10, 10, 2, 5, true),
    A4("vf-dynamic", 1024, 9.9, 9.95, 5, 2, 0, 1, true),
    { NULL },
};

const struct load_bench bench_net_loads = {
    .name = "net", .title = "Four ways to a 10 Gb/s wire, and a fifth", .noun = "packet", .paths = paths, .npaths = PATHS, .kinds = kinds, .claims = claims,
    .overhead = 24, .wire_gbits = 10,
};

unsigned bench_net(struct bench *b) { return bench_paths(b, &bench_net_loads); }
