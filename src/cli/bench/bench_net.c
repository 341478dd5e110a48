/* SPDX-License-Identifier: MIT */
/*
 * `emu bench net`: the same frames on each path to a 10 Gb/s wire. What is counted stands beside table A3 of the curriculum, what
 * follows from it in time beside A4. Nothing here is a result: a row says what to run, and what was published.
 */
#include <inttypes.h>
#include <string.h>

#include "cli/bench/bench.h"
#include "cli/bench/bench_load.h"

enum { FULL = 1514, SMALL = 60, WIRE_OVERHEAD = 24, LONG = 16384, SHORT = 256 };

/* --- the paths --- */

static int plug(const struct load *l, struct vm_config *c, const char *model, const char *vhost)
{
    struct vm_netdev *d = &c->netdev[c->nnetdevs++];
    *d = (struct vm_netdev){ .type = "wire", .id = "wire" };
    d->word[d->nwords++] = !strcmp(l->mode, "pingpong") ? "peer=echo" : strcmp(l->mode, "rx") ? "peer=sink" : l->size == FULL ? "peer=source:1514" : "peer=source:60";
    if (vhost)
        d->word[d->nwords++] = vhost;
    c->nic[c->nnics++] = (struct vm_nic){ .model = model, .netdev = "wire", .queue_size = 1024 };
    return 0;
}

static int plug_e1000(const struct load *l, struct vm_config *c, struct error *err) { return plug(l, c, "e1000", NULL); }
static int plug_virtio(const struct load *l, struct vm_config *c, struct error *err) { return plug(l, c, "virtio-net-pci", NULL); }
static int plug_vhost(const struct load *l, struct vm_config *c, struct error *err) { return plug(l, c, "virtio-net-pci", "vhost=on"); }

static const struct load_path paths[] = {
    { "pv", "Xen's split driver", "netload", "pv", plug_e1000 },
    { "e1000-naive", "emulated, a first driver", "netload", "e1000 naive", plug_e1000 },
    { "e1000", "emulated, a driver that batches", "netload", "e1000", plug_e1000 },
    { "virtio", "rings, served in user space", "netload", "virtio", plug_virtio },
    { "vhost", "the same rings, served in the host's kernel", "netload", "virtio", plug_vhost },
};

/* --- A3 and A4 --- */

struct band { double low, high; };
struct row {
    const char *what, *path, *engine;
    u32 batch;
    struct band gbits, us, cpu, loss;
};

static const struct row rows[] = {
    { "e1000, a first driver", "e1000-naive", "kvm", 1, { 2, 3 }, { 100, 100 }, { 80, 80 }, { 20, 40 } },
    { "e1000, batches of 64", "e1000", "kvm", 64, { 2, 3 }, { 100, 100 }, { 80, 80 }, { 20, 40 } },
    { "virtio-net", "virtio", "kvm", 1024, { 9, 9.5 }, { 15, 15 }, { 20, 20 }, { 5, 10 } },
    { "vhost-net", "vhost", "kvm", 1024, { 9.8, 9.8 }, { 10, 10 }, { 10, 10 }, { 2, 5 } },
    { "Xen's split driver", "pv", "pv", 1024, { 9, 9.5 }, { 15, 15 }, { 20, 20 }, { 5, 10 } },
    { "bare metal", "e1000", "bare", 1024, { 10, 10 }, { 4, 4 }, { 1, 1 }, { 0, 0 } },
};

static const struct load_path *find_path(const char *name)
{
    for (unsigned i = 0; i < ARRAY_LEN(paths); i++)
        if (!strcmp(paths[i].name, name))
            return &paths[i];
    return NULL;
}

/* Within 15 % of the band, or how far from it. */
static bool judge(struct bench *b, double value, struct band band)
{
    bool ok = value >= 0.85 * band.low && value <= 1.15 * band.high;
    double edge = value < band.low ? band.low : band.high;
    char verdict[16] = "ok";
    if (!ok)
        snprintf(verdict, sizeof verdict, "x%.2f", value / edge);
    if (band.low == band.high)
        fprintf(b->out, " %8.2f %9.4g %-6s", value, band.low, verdict);
    else
        fprintf(b->out, " %8.2f %4.4g-%-4.4g %-6s", value, band.low, band.high, verdict);
    return ok;
}

static unsigned do_row(struct bench *b, const struct row *r)
{
    static struct load_result tx, echo;
    const struct load_path *p = find_path(r->path);
    load_run(&(struct load){ p, r->engine, "tx", FULL, r->batch, LONG }, &tx);
    load_run(&(struct load){ p, r->engine, "pingpong", SMALL, 1, SHORT }, &echo);
    fprintf(b->out, "%-24s", r->what);
    if (!tx.ran || !echo.ran) {
        fprintf(b->out, " skipped: %s\n", tx.ran ? echo.why : tx.why);
        return 0;
    }
    unsigned bad = !judge(b, load_gbits(&tx, FULL + WIRE_OVERHEAD), r->gbits);
    bad += !judge(b, load_us(&echo), r->us);
    bad += !judge(b, load_cpu(&tx), r->cpu);
    fprintf(b->out, "\n");
    for (unsigned e = 0; e < EV_COUNT; e++)
        if (tx.ledger.count[e])
            fprintf(b->out, "    %s %.4f", event_rows[e].name, (double)tx.ledger.count[e] / tx.operations);
    fprintf(b->out, "\n");
    return bad;
}

unsigned bench_net(struct bench *b)
{
    unsigned beyond = 0;
    for (unsigned i = 0; i < ARRAY_LEN(rows); i++)
        beyond += do_row(b, &rows[i]);
    return beyond;
}
