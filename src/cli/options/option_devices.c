/* SPDX-License-Identifier: MIT */
/* Serial ports, the display, adapters: devices and the other ends of their lines. One handler an option, in the order of options.def. */
#include "cli/options/option_handlers.h"

#include <stdlib.h>
#include <string.h>

int opt_debugcon(struct options *o, const char *arg, struct error *err)
{
    o->debugcon = arg;
    return 0;
}
int opt_serial(struct options *o, const char *arg, struct error *err)
{
    if (o->nserial == MAX_SERIAL)
        return error_set(err, "-serial: a PC has at most %d serial ports", MAX_SERIAL);
    o->serial_said = true;
    o->serial[o->nserial++] = arg;
    return 0;
}
int opt_parallel(struct options *o, const char *arg, struct error *err)
{
    o->parallel = strcmp(arg, "none") && strcmp(arg, "null") && strcmp(arg, "vc") ? arg : NULL;
    return 0;
}
int opt_echr(struct options *o, const char *arg, struct error *err)
{
    u64 key;
    if (parse_number(arg, &key) || key > 127)
        return error_set(err, "-echr %s: give the number of a key, as 20 for Ctrl-T", arg);
    o->escape = key;
    return 0;
}

/* QEMU's other kinds of windows are this one; what stands behind a comma is about how they draw. */
int opt_display(struct options *o, const char *arg, struct error *err)
{
    static const struct { const char *given, *kind; } kinds[] = {
        { "none", "none" }, { "sdl", "sdl" }, { "text", "text" }, { "auto", "auto" }, { "gtk", "sdl" }, { "cocoa", "sdl" }, { "curses", "text" },
    };
    size_t len = strcspn(arg, ",");
    for (unsigned i = 0; i < ARRAY_LEN(kinds); i++)
        if (strlen(kinds[i].given) == len && memcmp(arg, kinds[i].given, len) == 0) {
            o->display = kinds[i].kind;
            return 0;
        }
    return error_set(err, "-display %s: give none, sdl, text or auto", arg);
}
int opt_curses(struct options *o, const char *arg, struct error *err) { return opt_display(o, "text", err); }
int opt_screenshot_at(struct options *o, const char *arg, struct error *err) { return screenshots_add(&o->screenshots, arg, err); }
int opt_vga(struct options *o, const char *arg, struct error *err)
{
    if (strcmp(arg, "std"))
        fprintf(stderr, "emu: -vga %s: the display is always std, a VGA with Bochs' display interface\n", arg);
    return 0;
}
int opt_nographic(struct options *o, const char *arg, struct error *err)
{
    o->nographic = true;
    o->display = "none";
    return 0;
}

static int set_exit_property(struct options *o, const char *property, struct error *err)
{
    u64 n;
    const char *value = strchr(property, '=');
    if (!value || parse_number(value + 1, &n))
        return error_set(err, "-device isa-debug-exit: '%s' is not iobase=PORT or iosize=BYTES", property);
    if (strncmp(property, "iobase=", 7) == 0 && n <= 0xffff)
        o->vm.debug_exit_port = n;
    else if (strncmp(property, "iosize=", 7) == 0 && n >= 1 && n <= 4)
        o->vm.debug_exit_size = n;
    else
        return error_set(err, "-device isa-debug-exit: '%s': iobase is a port up to 0xffff, iosize 1 to 4 bytes", property);
    return 0;
}

static int take_debug_exit(struct options *o, const char *arg, struct error *err)
{
    char copy[128], *save, *word;
    snprintf(copy, sizeof copy, "%s", arg);
    strtok_r(copy, ",", &save);
    o->vm.debug_exit_port = 0x501; /* QEMU's, where nothing else is said */
    o->vm.debug_exit_size = 2;
    while ((word = strtok_r(NULL, ",", &save)))
        if (set_exit_property(o, word, err))
            return -1;
    return 0;
}

int opt_device(struct options *o, const char *arg, struct error *err)
{
    if (network_is_adapter(arg))
        return network_take_device(&o->network, &o->vm, arg, err);
    if (virtio_is_device(arg))
        return virtio_take_device(&o->virtio, &o->vm, arg, err);
    if (vfio_is_device(arg))
        return vfio_take_device(&o->vfio, &o->vm, arg, err);
    if (strncmp(arg, "isa-debug-exit", strcspn(arg, ",")) == 0 && strcspn(arg, ",") == strlen("isa-debug-exit"))
        return take_debug_exit(o, arg, err);
    return error_set(err, "-device %s: only e1000, virtio-net-pci, virtio-blk-pci, virtio-rng-pci, vhost-user-blk-pci, virtio-balloon-pci, virtio-keyboard-pci, virtio-tablet-pci, virtconsole, virtserialport, vfio-pci and isa-debug-exit can be set up; the machine's other devices are always there (emu list devices)", arg);
}
int opt_chardev(struct options *o, const char *arg, struct error *err) { return chardevs_take(&o->chardevs, &o->vm, arg, err); }
int opt_netdev(struct options *o, const char *arg, struct error *err) { return network_take_netdev(&o->network, &o->vm, arg, err); }
int opt_nic(struct options *o, const char *arg, struct error *err) { return network_take_nic(&o->network, &o->vm, arg, err); }
int opt_net(struct options *o, const char *arg, struct error *err) { return network_take_net(&o->network, &o->vm, arg, err); }
int opt_host_nic(struct options *o, const char *arg, struct error *err) { return vfio_take_host_nic(&o->vm, arg, err); }
int opt_object(struct options *o, const char *arg, struct error *err) { return network_take_object(&o->network, &o->vm, arg, err); }
int opt_pcap(struct options *o, const char *arg, struct error *err) { return network_take_pcap(&o->network, &o->vm, arg, err); }
