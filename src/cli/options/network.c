/* SPDX-License-Identifier: MIT */
/*
 * Four ways to say the same: -netdev user,id=n -device e1000,netdev=n; -nic user; -net nic -net user; and none of them, which is a
 * machine without a network. Words that are not about the adapter are the back-end's, which reads them itself.
 */
#include "cli/options/network.h"

#include <stdlib.h>
#include <string.h>

#include "cli/options/options.h"
#include "cli/options/virtio.h"

enum { WORDS = VM_NETDEV_WORDS + 4 };

/* An argument cut at its commas. */
struct words { char *word[WORDS]; unsigned count; };

static int cut(struct network_options *o, const char *option, const char *arg, struct words *w, struct error *err)
{
    char *save;
    w->count = 0;
    if (o->ntexts == NETWORK_TEXTS || !(o->text[o->ntexts] = strdup(arg)))
        return error_set(err, "%s %s: too many network options", option, arg);
    for (char *word = strtok_r(o->text[o->ntexts++], ",", &save); word; word = strtok_r(NULL, ",", &save)) {
        if (w->count == WORDS)
            return error_set(err, "%s %s: too many words", option, arg);
        w->word[w->count++] = word;
    }
    return w->count ? 0 : error_set(err, "%s: names nothing; try -nic user", option);
}

/* The value of KEY=VALUE; NULL: another key. */
static char *value_of(char *word, const char *key)
{
    size_t len = strlen(key);
    return strncmp(word, key, len) == 0 && word[len] == '=' ? word + len + 1 : NULL;
}

static struct vm_netdev *new_netdev(struct vm_config *c, const char *type, const char *id, struct error *err)
{
    if (c->nnetdevs == VM_MAX_NETDEVS) {
        error_set(err, "-netdev %s: at most %d networks", type, VM_MAX_NETDEVS);
        return NULL;
    }
    struct vm_netdev *d = &c->netdev[c->nnetdevs++];
    *d = (struct vm_netdev){ .type = type, .id = id };
    return d;
}

static struct vm_nic *new_nic(struct vm_config *c, struct error *err)
{
    if (c->nnics == NICS_MAX) {
        error_set(err, "at most %d network adapters", NICS_MAX);
        return NULL;
    }
    struct vm_nic *n = &c->nic[c->nnics++];
    *n = (struct vm_nic){ .model = "e1000" };
    return n;
}

static int give_word(struct vm_netdev *d, char *word, struct error *err)
{
    if (d->nwords == VM_NETDEV_WORDS)
        return error_set(err, "-netdev %s: too many words", d->type);
    d->word[d->nwords++] = word;
    return 0;
}

int network_take_netdev(struct network_options *o, struct vm_config *c, const char *arg, struct error *err)
{
    struct words w;
    if (cut(o, "-netdev", arg, &w, err))
        return -1;
    struct vm_netdev *d = new_netdev(c, w.word[0], NULL, err);
    for (unsigned i = 1; d && i < w.count; i++) {
        char *id = value_of(w.word[i], "id");
        d->id = id ? id : d->id;
        if (!id && give_word(d, w.word[i], err))
            return -1;
    }
    if (!d)
        return -1;
    return d->id ? 0 : error_set(err, "-netdev %s: has no id; give -netdev %s,id=n0 -device e1000,netdev=n0, or -nic %s", arg, arg, arg);
}

/* --- adapters --- */

static int set_model(struct vm_nic *n, const char *value, struct error *err) { return n->model = value, 0; }
static int set_netdev(struct vm_nic *n, const char *value, struct error *err) { return n->netdev = value, 0; }
static int set_mac(struct vm_nic *n, const char *value, struct error *err) { return n->mac = value, 0; }
static int set_nothing(struct vm_nic *n, const char *value, struct error *err) { return 0; }

static int set_pairs(struct vm_nic *n, const char *value, struct error *err)
{
    u64 pairs;
    if (parse_number(value, &pairs) || pairs < 1 || pairs > VIRTIO_NET_PAIRS)
        return error_set(err, "queues=%s: give 1 to %d pairs of queues", value, VIRTIO_NET_PAIRS);
    n->pairs = pairs;
    return 0;
}

static int set_mq(struct vm_nic *n, const char *value, struct error *err)
{
    n->pairs = strcmp(value, "on") ? 1 : n->pairs ? n->pairs : VIRTIO_NET_PAIRS;
    return 0;
}

static int set_slot(struct vm_nic *n, const char *value, struct error *err)
{
    char *end;
    unsigned long slot = strtoul(value, &end, 16);
    n->slot = slot;
    return end != value && !*end && slot >= 1 && slot <= 31 ? 0 : error_set(err, "addr=%s: give a slot of the PCI bus, 3 to 1f", value);
}

static int set_packed(struct vm_nic *n, const char *value, struct error *err) { return virtio_take_flavor(&n->virtio, "packed", value, err); }
static int set_no_legacy(struct vm_nic *n, const char *value, struct error *err) { return virtio_take_flavor(&n->virtio, "disable-legacy", value, err); }
static int set_no_modern(struct vm_nic *n, const char *value, struct error *err) { return virtio_take_flavor(&n->virtio, "disable-modern", value, err); }

/* Here all queues of an adapter are of one size. */
static int set_queue_size(struct vm_nic *n, const char *value, struct error *err)
{
    u64 size;
    if (parse_number(value, &size) || size < 64 || size > 1024 || size & (size - 1))
        return error_set(err, "tx_queue_size=%s: give a power of two, 64 to 1024", value);
    n->queue_size = size;
    return 0;
}

static int set_ioeventfd(struct vm_nic *n, const char *value, struct error *err) { return virtio_take_flavor(&n->virtio, "ioeventfd", value, err); }

static const struct nic_key { const char *key; int (*set)(struct vm_nic *n, const char *value, struct error *err); } nic_keys[] = {
    { "model", set_model }, { "netdev", set_netdev }, { "mac", set_mac }, { "macaddr", set_mac }, { "addr", set_slot }, { "id", set_nothing },
    { "bus", set_nothing }, { "bootindex", set_nothing }, { "romfile", set_nothing }, { "rombar", set_nothing }, { "packed", set_packed }, { "queues", set_pairs }, { "mq", set_mq }, { "vectors", set_nothing },
    { "disable-legacy", set_no_legacy }, { "disable-modern", set_no_modern }, { "name", set_nothing }, { "ioeventfd", set_ioeventfd }, { "tx_queue_size", set_queue_size }, { "rx_queue_size", set_queue_size },
};

/* 1: it is a word about the adapter; 0: it is not. */
static int take_nic_word(struct vm_nic *n, char *word, struct error *err)
{
    for (unsigned i = 0; i < ARRAY_LEN(nic_keys); i++) {
        char *value = value_of(word, nic_keys[i].key);
        if (value)
            return nic_keys[i].set(n, value, err) ? -1 : 1;
    }
    return 0;
}

static int take_nic_words(struct vm_nic *n, const char *option, const struct words *w, struct error *err)
{
    for (unsigned i = 1; i < w->count; i++) {
        int taken = take_nic_word(n, w->word[i], err);
        if (taken <= 0)
            return taken ? -1 : error_set(err, "%s %s: '%s' is not netdev=, mac=, addr= or model=", option, w->word[0], w->word[i]);
    }
    return 0;
}

bool network_is_adapter(const char *arg) { return strncmp(arg, "e1000", 5) == 0 || strncmp(arg, "virtio-net", 10) == 0; }

int network_take_device(struct network_options *o, struct vm_config *c, const char *arg, struct error *err)
{
    struct words w;
    struct vm_nic *n = cut(o, "-device", arg, &w, err) ? NULL : new_nic(c, err);
    if (!n)
        return -1;
    n->model = w.word[0];
    return take_nic_words(n, "-device", &w, err);
}

/* Both at once: the words that are not about the adapter are the back-end's. */
int network_take_nic(struct network_options *o, struct vm_config *c, const char *arg, struct error *err)
{
    static const char *const ids[NICS_MAX] = { "nic0", "nic1", "nic2", "nic3", "nic4", "nic5", "nic6", "nic7" };
    struct words w;
    if (cut(o, "-nic", arg, &w, err))
        return -1;
    if (strcmp(w.word[0], "none") == 0)
        return 0;               /* QEMU's way to say that there is no adapter; there is none unless somebody asks */
    struct vm_nic *n = new_nic(c, err);
    struct vm_netdev *d = n ? new_netdev(c, w.word[0], ids[c->nnics - 1], err) : NULL;
    if (!d)
        return -1;
    n->netdev = d->id;
    for (unsigned i = 1; i < w.count; i++) {
        char *id = value_of(w.word[i], "id");
        if (id) {
            n->netdev = d->id = id;
            continue;
        }
        int taken = take_nic_word(n, w.word[i], err);
        if (taken < 0 || (taken == 0 && give_word(d, w.word[i], err)))
            return -1;
    }
    return 0;
}

/* --- the old spelling: what -net adds is plugged together --- */

#define OLD_ID "net"

static void plug_old_together(struct network_options *o, struct vm_config *c)
{
    if (o->old_net && o->old_nic && !c->nic[o->old_nic - 1].netdev)
        c->nic[o->old_nic - 1].netdev = OLD_ID;
}

static int take_old_nic(struct network_options *o, struct vm_config *c, const struct words *w, struct error *err)
{
    if (o->old_nic)
        return error_set(err, "-net nic: only one; give -nic user for each");
    struct vm_nic *n = new_nic(c, err);
    o->old_nic = c->nnics;
    return n ? take_nic_words(n, "-net", w, err) : -1;
}

static int take_old_net(struct network_options *o, struct vm_config *c, const struct words *w, struct error *err)
{
    if (o->old_net)
        return error_set(err, "-net %s: only one back-end; give -nic for each", w->word[0]);
    struct vm_netdev *d = new_netdev(c, w->word[0], OLD_ID, err);
    o->old_net = c->nnetdevs;
    for (unsigned i = 1; d && i < w->count; i++)
        if (give_word(d, w->word[i], err))
            return -1;
    return d ? 0 : -1;
}

int network_take_net(struct network_options *o, struct vm_config *c, const char *arg, struct error *err)
{
    struct words w;
    if (cut(o, "-net", arg, &w, err))
        return -1;
    if (strcmp(w.word[0], "none") == 0)
        return 0;
    if ((strcmp(w.word[0], "nic") == 0 ? take_old_nic : take_old_net)(o, c, &w, err))
        return -1;
    plug_old_together(o, c);
    return 0;
}

/* --- captures --- */

static struct vm_capture *new_capture(struct vm_config *c, const char *file, struct error *err)
{
    if (c->ncaptures == VM_MAX_CAPTURES) {
        error_set(err, "--pcap, -object filter-dump: at most %d captures", VM_MAX_CAPTURES);
        return NULL;
    }
    struct vm_capture *x = &c->capture[c->ncaptures++];
    *x = (struct vm_capture){ .file = file };
    return x;
}

int network_take_pcap(struct network_options *o, struct vm_config *c, const char *arg, struct error *err)
{
    return new_capture(c, arg, err) ? 0 : -1;
}

static int take_dump_word(struct vm_capture *x, char *word, struct error *err)
{
    char *value;
    u64 n;
    if (value_of(word, "id"))
        return 0;
    if ((value = value_of(word, "netdev")))
        return x->netdev = value, 0;
    if ((value = value_of(word, "file")))
        return x->file = value, 0;
    if ((value = value_of(word, "maxlen")) && parse_number(value, &n) == 0 && n >= 1 && n <= 65536)
        return x->snaplen = n, 0;
    return error_set(err, "-object filter-dump: '%s' is not id=, netdev=, file= or maxlen=1..65536", word);
}

int network_take_object(struct network_options *o, struct vm_config *c, const char *arg, struct error *err)
{
    struct words w;
    if (cut(o, "-object", arg, &w, err))
        return -1;
    if (strcmp(w.word[0], "filter-dump"))
        return error_set(err, "-object %s: only filter-dump can be made, as filter-dump,id=f,netdev=n0,file=FILE", w.word[0]);
    struct vm_capture *x = new_capture(c, NULL, err);
    for (unsigned i = 1; x && i < w.count; i++)
        if (take_dump_word(x, w.word[i], err))
            return -1;
    if (!x)
        return -1;
    return x->file && x->netdev ? 0 : error_set(err, "-object filter-dump: give netdev= and file=, as filter-dump,id=f,netdev=n0,file=FILE");
}

bool network_is_served(const struct vm_config *c)
{
    for (unsigned i = 0; i < c->nnetdevs; i++)
        for (unsigned k = 0; k < c->netdev[i].nwords; k++)
            if (strncmp(c->netdev[i].word[k], "hostfwd=", 8) == 0)
                return true;
    return false;
}

void network_fini(struct network_options *o)
{
    while (o->ntexts)
        free(o->text[--o->ntexts]);
}
