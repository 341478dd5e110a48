/* SPDX-License-Identifier: MIT */
#include "cli/options/virtio.h"

#include <stdlib.h>
#include <string.h>

#include "cli/options/options.h"

#define SEED 1      /* of virtio-rng, when the user gives none */

/* virtio-serial is the bus of consoles in QEMU; here each console has its own function. */
static const struct { const char *name; enum virtio_model model; bool mmio; } models[] = {
    { "virtio-blk-pci", VIRTIO_BLK }, { "virtio-blk", VIRTIO_BLK }, { "virtio-rng-pci", VIRTIO_RNG }, { "virtio-rng", VIRTIO_RNG },
    { "vhost-user-blk-pci", VIRTIO_VHOST_BLK }, { "vhost-user-blk", VIRTIO_VHOST_BLK }, { "virtio-balloon-pci", VIRTIO_BALLOON }, { "virtio-balloon", VIRTIO_BALLOON },
    { "virtio-keyboard-pci", VIRTIO_KEYBOARD }, { "virtio-tablet-pci", VIRTIO_TABLET }, { "virtconsole", VIRTIO_CONSOLE }, { "virtio-serial-pci", VIRTIO_NONE }, { "virtio-serial", VIRTIO_NONE },
    { "virtio-blk-device", VIRTIO_BLK, true }, { "virtio-rng-device", VIRTIO_RNG, true }, { "virtio-balloon-device", VIRTIO_BALLOON, true },
    { "virtio-keyboard-device", VIRTIO_KEYBOARD, true }, { "virtio-tablet-device", VIRTIO_TABLET, true }, { "virtio-serial-device", VIRTIO_NONE, true },
};

/* The row of a name, which may end in -transitional or -non-transitional; -1. */
static int find_model(const char *arg)
{
    size_t len = strcspn(arg, ",");
    for (unsigned i = 0; i < ARRAY_LEN(models); i++) {
        size_t have = strlen(models[i].name);
        const char *rest = arg + have;
        if (strncmp(arg, models[i].name, have) || have > len)
            continue;
        if (have == len || strncmp(rest, "-transitional", len - have) == 0 || strncmp(rest, "-non-transitional", len - have) == 0)
            return i;
    }
    return -1;
}

static bool is_port(const char *arg) { return strcspn(arg, ",") == strlen("virtserialport") && strncmp(arg, "virtserialport", strcspn(arg, ",")) == 0; }

bool virtio_is_device(const char *arg) { return is_port(arg) || find_model(arg) >= 0; }

int virtio_take_flavor(struct virtio_flavor *f, const char *key, const char *value, struct error *err)
{
    bool on = strcmp(value, "on") == 0 || strcmp(value, "true") == 0;
    if (!on && strcmp(value, "off") && strcmp(value, "false") && strcmp(value, "auto"))
        return error_set(err, "%s=%s: give on or off", key, value);
    if (strcmp(key, "ioeventfd") == 0)
        return f->no_ioeventfd = !on, 0;
    *(strcmp(key, "packed") == 0 ? &f->packed : strcmp(key, "disable-legacy") == 0 ? &f->no_legacy : &f->no_modern) = on;
    return f->no_legacy && f->no_modern ? error_set(err, "disable-legacy=on and disable-modern=on leave no interface; give one of them") : 0;
}

/* --- words --- */

struct taking { struct virtio_options *o; struct vm_virtio *x; const char *key; };

static int set_flavor(struct taking *t, const char *value, struct error *err) { return virtio_take_flavor(&t->x->flavor, t->key, value, err); }
static int set_drive(struct taking *t, const char *value, struct error *err) { return t->x->drive = value, 0; }
static int set_serial(struct taking *t, const char *value, struct error *err) { return t->x->serial = value, 0; }
static int set_chardev(struct taking *t, const char *value, struct error *err)
{
    *(t->x->model == VIRTIO_VHOST_BLK ? &t->x->chardev : &t->o->console) = value;
    return 0;
}
static int set_nothing(struct taking *t, const char *value, struct error *err) { return 0; }

static int set_slot(struct taking *t, const char *value, struct error *err)
{
    char *end;
    unsigned long slot = strtoul(value, &end, 16);
    t->x->slot = slot;
    return end != value && !*end && slot >= 1 && slot <= 31 ? 0 : error_set(err, "addr=%s: give a slot of the PCI bus, 3 to 1f", value);
}

static int set_queues(struct taking *t, const char *value, struct error *err)
{
    u64 n;
    if (parse_number(value, &n) || n < 1 || n > VIRTIO_DISK_QUEUES)
        return error_set(err, "num-queues=%s: give 1 to %d", value, VIRTIO_DISK_QUEUES);
    t->x->queues = n;
    return 0;
}

static int set_seed(struct taking *t, const char *value, struct error *err)
{
    return parse_number(value, &t->x->seed) ? error_set(err, "seed=%s: give a number", value) : 0;
}

static const struct { const char *key; int (*set)(struct taking *t, const char *value, struct error *err); } keys[] = {
    { "drive", set_drive }, { "num-queues", set_queues }, { "serial", set_serial }, { "chardev", set_chardev }, { "seed", set_seed }, { "addr", set_slot },
    { "packed", set_flavor }, { "disable-legacy", set_flavor }, { "disable-modern", set_flavor }, { "ioeventfd", set_flavor },
    { "id", set_nothing }, { "bus", set_nothing }, { "bootindex", set_nothing }, { "rng", set_nothing },
    { "max-bytes", set_nothing }, { "period", set_nothing }, { "name", set_nothing }, { "vectors", set_nothing }, { "max_ports", set_nothing },
};

/* --- a port beside the console's first: virtserialport --- */

static struct vm_virtio *find_console(struct vm_config *c)
{
    for (unsigned i = 0; i < c->nvirtios; i++)
        if (c->virtio[i].model == VIRTIO_CONSOLE)
            return &c->virtio[i];
    return NULL;
}

static int take_port_word(const char **where, const char **name, char *word, struct error *err)
{
    if (strncmp(word, "chardev=", 8) == 0)
        *where = word + 8;
    else if (strncmp(word, "name=", 5) == 0)
        *name = word + 5;
    else if (strncmp(word, "id=", 3) && strncmp(word, "bus=", 4) && strncmp(word, "nr=", 3))
        return error_set(err, "-device virtserialport: '%s' is not chardev=, name=, id=, bus= or nr=", word);
    return 0;
}

/* Its device is the console's; where there is none, one whose first port nobody is at. */
static int take_port(struct virtio_options *o, struct vm_config *c, const char *arg, struct error *err)
{
    char *save;
    unsigned n = c->nvirtports;
    if (n == VIRTIO_PORTS_MAX || o->ntexts == ARRAY_LEN(o->text) || !(o->text[o->ntexts] = strdup(arg)))
        return error_set(err, "-device %s: at most %d ports beside the console", arg, VIRTIO_PORTS_MAX);
    c->nvirtports++;
    strtok_r(o->text[o->ntexts++], ",", &save);
    for (char *word = strtok_r(NULL, ",", &save); word; word = strtok_r(NULL, ",", &save))
        if (take_port_word(&o->port[n], &c->virtport[n].name, word, err))
            return -1;
    return find_console(c) ? 0 : virtio_take_device(o, c, "virtconsole", err);
}

static int take_word(struct taking *t, const char *device, char *word, struct error *err)
{
    char *value = strchr(word, '=');
    size_t len = value ? (size_t)(value - word) : 0;
    for (unsigned i = 0; value && i < ARRAY_LEN(keys); i++)
        if (strlen(keys[i].key) == len && strncmp(word, keys[i].key, len) == 0) {
            t->key = keys[i].key;
            return keys[i].set(t, value + 1, err);
        }
    return error_set(err, "-device %s: '%s' is not drive=, serial=, chardev=, seed=, addr=, packed=, disable-legacy= or disable-modern=", device, word);
}

/* --- devices --- */

static int check(const struct vm_virtio *x, const char *device, struct error *err)
{
    if (x->model == VIRTIO_VHOST_BLK && !x->chardev)
        return error_set(err, "-device %s: names no back-end; give -chardev socket,id=c,path=SOCKET -device %s,chardev=c", device, device);
    if (x->flavor.mmio && x->slot)
        return error_set(err, "-device %s,addr=: is on no bus; leave addr= out, or take its -pci form", device);
    return x->model != VIRTIO_BLK || x->drive ? 0 : error_set(err, "-device %s: names no drive; give -drive file=F,if=none,id=d -device %s,drive=d, "
                                                                   "or -drive file=F,if=virtio", device, device);
}

int virtio_take_device(struct virtio_options *o, struct vm_config *c, const char *arg, struct error *err)
{
    char *save;
    if (is_port(arg))
        return take_port(o, c, arg, err);
    int row = find_model(arg);
    enum virtio_model model = models[row].model;
    if (model == VIRTIO_NONE)
        return o->serial_mmio = models[row].mmio, 0;
    if (c->nvirtios == VIRTIO_SLOTS_MAX || o->ntexts == ARRAY_LEN(o->text) || !(o->text[o->ntexts] = strdup(arg)))
        return error_set(err, "-device %s: at most %d virtio devices", arg, VIRTIO_SLOTS_MAX);
    const char *device = strtok_r(o->text[o->ntexts++], ",", &save);
    struct vm_virtio *x = model == VIRTIO_CONSOLE ? find_console(c) : NULL;    /* which a port may have made before */
    if (!x)
        x = &c->virtio[c->nvirtios++];
    struct taking t = { o, x, NULL };
    *x = (struct vm_virtio){ .model = model, .seed = SEED, .flavor.no_legacy = strstr(device, "-non-transitional"),
                             .flavor.mmio = models[row].mmio || (model == VIRTIO_CONSOLE && o->serial_mmio) };
    for (char *word = strtok_r(NULL, ",", &save); word; word = strtok_r(NULL, ",", &save))
        if (take_word(&t, device, word, err))
            return -1;
    return check(x, device, err);
}

void virtio_fini_options(struct virtio_options *o)
{
    while (o->ntexts)
        free(o->text[--o->ntexts]);
}
