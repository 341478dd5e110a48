/* SPDX-License-Identifier: MIT */
/*
 * Bytes by network and disk, then two views of what they cost: accesses by the device that answered, which is exact whatever else the
 * guest did, and exits by reason, of the whole run. Exits of the translator, and of the guest's own memory and processor, are not the path's.
 */
#include "cli/moved.h"

#include <inttypes.h>
#include <string.h>

#include "devices/block/block.h"
#include "devices/vhost/vhost.h"
#include "machine/network.h"

#define MIB (1 << 20)
#define SHOWN 0.005     /* of a figure that has two places */

struct moved { FILE *out; u64 bytes; };

static void add(struct moved *m, const char *what, const char *name, u64 to_guest, u64 from_guest)
{
    m->bytes += to_guest + from_guest;
    if (m->out && to_guest + from_guest)
        fprintf(m->out, "  %-4s %-33s %9.2f %12.2f\n", what, name, (double)to_guest / MIB, (double)from_guest / MIB);
}

static void add_wires(struct moved *m, const struct vm *vm)
{
    const struct net_wire *w;
    for (unsigned n = 0; (w = network_wire(vm, n)); n++)
        add(m, "net", w->id, w->lane[NET_NIC].sent_bytes, w->lane[NET_BACKEND].sent_bytes);
}

static void add_disk(struct moved *m, const struct block *b)
{
    if (b)
        add(m, "disk", block_path(b), block_bytes_read(b), block_bytes_written(b));
}

static void add_server(struct moved *m, const char *what, const char *name, const struct vhost *h)
{
    u64 to_guest, from_guest;
    if (!h)
        return;
    vhost_moved(h, &to_guest, &from_guest);
    add(m, what, name, to_guest, from_guest);
}

static void add_all(struct moved *m, const struct vm *vm)
{
    const struct platform *p = &vm->platform;
    add_wires(m, vm);
    for (unsigned i = 0; i < ARRAY_LEN(p->nic); i++)
        add_server(m, "net", "vhost", p->nic[i].vhost);
    for (unsigned i = 0; i < ARRAY_LEN(p->ide); i++)
        add_disk(m, p->ide[i].image);
    for (unsigned i = 0; i < ARRAY_LEN(p->floppy); i++)
        add_disk(m, p->floppy[i]);
    for (unsigned i = 0; i < ARRAY_LEN(p->virtio); i++) {
        add_disk(m, p->virtio[i].image);
        add_server(m, "disk", "vhost-user", p->virtio[i].vhost);
    }
}

/* --- for each MiB --- */

static void print_one(const struct moved *m, const char *name, u64 count)
{
    double each = (double)count * MIB / m->bytes;
    if (each >= SHOWN)
        fprintf(m->out, " %s %.2f,", name, each);
}

/* A device may have several ranges, ports and memory: the first of its name prints the sum of all. */
static u64 accesses(struct bus_range *const *list, unsigned n, const char *name)
{
    u64 sum = 0;
    for (unsigned i = 0; i < n; i++)
        if (strcmp(list[i]->name, name) == 0)
            sum += list[i]->reads + list[i]->writes;
    return sum;
}

static bool is_first(struct bus_range *const *list, unsigned at)
{
    for (unsigned i = 0; i < at; i++)
        if (strcmp(list[i]->name, list[at]->name) == 0)
            return false;
    return true;
}

static void print_accesses(const struct moved *m, const struct bus *b)
{
    fprintf(m->out, "accesses a MiB:");
    for (unsigned i = 0; i < b->nport; i++)
        if (is_first(b->port, i))
            print_one(m, b->port[i]->name, accesses(b->port, b->nport, b->port[i]->name));
    for (unsigned i = 0; i < b->nmmio; i++)
        if (is_first(b->mmio, i))
            print_one(m, b->mmio[i]->name, accesses(b->mmio, b->nmmio, b->mmio[i]->name));
    fprintf(m->out, " all bytes together\n");
}

static void print_exits(const struct moved *m, const struct ledger *l)
{
    static const bool shown[FAMILY_COUNT] = { [FAMILY_IO] = true, [FAMILY_IRQ] = true, [FAMILY_CALL] = true, [FAMILY_IDLE] = true };
    fprintf(m->out, "exits a MiB:");
    for (int e = 0; e < EV_COUNT; e++)
        if (shown[event_rows[e].family])
            print_one(m, event_rows[e].name, l->count[e]);
    fprintf(m->out, " boot and all\n");
}

void moved_print(const struct vm *vm, FILE *out)
{
    struct moved m = { NULL, 0 };
    add_all(&m, vm);
    if (m.bytes < MIB)
        return;
    m = (struct moved){ out, 0 };
    fprintf(out, "%-38s %9s %12s\n", "moved, MiB", "to guest", "from guest");
    add_all(&m, vm);
    print_accesses(&m, &vm->bus);
    print_exits(&m, &vm->ledger);
}
