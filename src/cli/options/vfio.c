/* SPDX-License-Identifier: MIT */
#include "cli/options/vfio.h"

#include <stdlib.h>
#include <string.h>

#include "cli/options/options.h"

/* --- -device vfio-pci,host=01:10.0 of the modelled host, host=0000:01:10.0 or sysfsdev=PATH of this computer --- */

static const char *const ignored[] = { "id", "bus", "x-igd-opregion", "bootindex", "multifunction" };

bool vfio_is_device(const char *arg) { return strncmp(arg, "vfio-pci", 8) == 0 && (!arg[8] || arg[8] == ','); }

static char *value_of(char *word, const char *key)
{
    size_t len = strlen(key);
    return strncmp(word, key, len) == 0 && word[len] == '=' ? word + len + 1 : NULL;
}

static int set_slot(struct vm_vfio *x, const char *value, struct error *err)
{
    char *end;
    unsigned long slot = strtoul(value, &end, 16);
    x->slot = slot;
    return end != value && !*end && slot >= 1 && slot <= 31 ? 0 : error_set(err, "addr=%s: give a slot of the PCI bus, 3 to 1f", value);
}

static int set_rom(struct vm_vfio *x, const char *value, struct error *err)
{
    x->no_rom = !strcmp(value, "0") || !strcmp(value, "off");
    return x->no_rom || !strcmp(value, "1") || !strcmp(value, "on") ? 0 : error_set(err, "-device vfio-pci,rombar=%s: give 0 or 1", value);
}

static int take_word(struct vm_vfio *x, char *word, struct error *err)
{
    char *value;
    if ((value = value_of(word, "host")))
        return x->host = value, 0;
    if ((value = value_of(word, "sysfsdev")))
        return x->sysfsdev = value, 0;
    if ((value = value_of(word, "rombar")))
        return set_rom(x, value, err);
    if ((value = value_of(word, "netdev")))
        return x->netdev = value, 0;
    if ((value = value_of(word, "addr")))
        return set_slot(x, value, err);
    for (unsigned i = 0; i < ARRAY_LEN(ignored); i++)
        if (value_of(word, ignored[i]))
            return 0;
    return error_set(err, "-device vfio-pci: '%s' is not host=, sysfsdev=, netdev=, rombar= or addr=", word);
}

int vfio_take_device(struct vfio_options *o, struct vm_config *c, const char *arg, struct error *err)
{
    char *save;
    if (o->ntexts == VFIO_SLOTS_MAX || !(o->text[o->ntexts] = strdup(arg)))
        return error_set(err, "-device %s: at most %d devices of the host", arg, VFIO_SLOTS_MAX);
    strtok_r(o->text[o->ntexts++], ",", &save);
    struct vm_vfio *x = &c->vfio[c->nvfios++];
    *x = (struct vm_vfio){ 0 };
    for (char *word = strtok_r(NULL, ",", &save); word; word = strtok_r(NULL, ",", &save))
        if (take_word(x, word, err))
            return -1;
    if (x->host && x->sysfsdev)
        return error_set(err, "-device vfio-pci: host=%s and sysfsdev=%s are two devices; give two -device", x->host, x->sysfsdev);
    if (x->host || x->sysfsdev)
        return 0;
    return error_set(err, "-device vfio-pci: says not which device; give host=01:10.0 of the modelled host, or host=0000:01:10.0 of this computer");
}

void vfio_fini_options(struct vfio_options *o)
{
    while (o->ntexts)
        free(o->text[--o->ntexts]);
}

/* --- --host-nic 82576,vfs=7 --- */

static const struct { const char *name, *key; struct host_card card; unsigned most; } cards[] = {
    { "82576", "vfs", { CARD_82576, 0, HOST_CARD_VFS }, HOST_CARD_VFS },
    { "82540em", "count", { CARD_82540EM, 1, 0 }, HOST_CARD_FUNCTIONS },
};

static int take_number(struct host_card *card, unsigned row, const char *arg, const char *word, struct error *err)
{
    size_t len = strlen(cards[row].key);
    u64 n;
    if (strncmp(word, cards[row].key, len) || word[len] != '=' || parse_number(word + len + 1, &n) || n < 1 || n > cards[row].most)
        return error_set(err, "--host-nic %s: behind the comma stands %s=1..%u", arg, cards[row].key, cards[row].most);
    *(card->model == CARD_82576 ? &card->vfs : &card->functions) = n;
    return 0;
}

int vfio_take_host_nic(struct vm_config *c, const char *arg, struct error *err)
{
    size_t len = strcspn(arg, ",");
    if (c->nhost_cards == VM_MAX_HOST_CARDS)
        return error_set(err, "--host-nic %s: the modelled host has at most %d", arg, VM_MAX_HOST_CARDS);
    for (unsigned i = 0; i < ARRAY_LEN(cards); i++) {
        if (strlen(cards[i].name) != len || strncasecmp(cards[i].name, arg, len))
            continue;
        struct host_card *card = &c->host_card[c->nhost_cards++];
        *card = cards[i].card;
        return arg[len] ? take_number(card, i, arg, arg + len + 1, err) : 0;
    }
    return error_set(err, "--host-nic %s: give 82576, 82576,vfs=2, 82540em or 82540em,count=2", arg);
}
