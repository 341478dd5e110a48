/* SPDX-License-Identifier: MIT */
/*
 * What the host's kernel says of a device in sysfs: is it there, is there an IOMMU before it, which group is it in, which drivers have that
 * group's devices. Everything that can be missing has a sentence of its own, which says what to type.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "devices/vfio/vfio_kernel.h"

#define DEVICES "/sys/bus/pci/devices/"
#define GROUPS "/sys/kernel/iommu_groups/"

/* --- which one --- */

static bool is_address(const char *text, char address[VFIO_ADDRESS])
{
    unsigned domain, bus, slot, func;
    int end = 0;
    if (sscanf(text, "%x:%x:%x.%u%n", &domain, &bus, &slot, &func, &end) != 4 || text[end] || domain > 0xfffff || bus > 255 || slot > 31 || func > 7)
        return false;
    snprintf(address, VFIO_ADDRESS, "%04x:%02x:%02x.%u", domain & 0xfffff, bus & 0xff, slot & 31, func & 7);
    return true;
}

int vfio_kernel_parse(const char *host, const char *sysfsdev, char address[VFIO_ADDRESS], struct error *err)
{
    const char *slash = sysfsdev ? strrchr(sysfsdev, '/') : NULL;
    if (host)
        return is_address(host, address) ? 0 : error_set(err, "-device vfio-pci,host=%s: a function of this computer has four parts, as 0000:01:10.0 (lspci -D)", host);
    if (slash && is_address(slash + 1, address))
        return 0;
    return error_set(err, "-device vfio-pci,sysfsdev=%s: give the path of a PCI function, as " DEVICES "0000:01:10.0", sysfsdev);
}

/* --- what sysfs says --- */

/* The last word of where a link leads. */
static bool link_word(const struct vfio_calls *c, const char *path, char *word, size_t size)
{
    char target[256];
    ssize_t n = c->readlink(c->self, path, target, sizeof target - 1);
    if (n < 0)
        return false;
    target[n] = 0;
    const char *slash = strrchr(target, '/');
    snprintf(word, size, "%.*s", (int)size - 1, slash ? slash + 1 : target);
    return true;
}

static bool device_link(const struct vfio_calls *c, const char *address, const char *link, char *word, size_t size)
{
    char path[80];
    snprintf(path, sizeof path, DEVICES "%s/%s", address, link);
    return link_word(c, path, word, size);
}

/* Drivers that hand a device on to programs: vfio-pci and its variants, as mlx5-vfio-pci. */
static bool hands_on(const char *driver) { return strstr(driver, "vfio") != NULL; }

static int not_bound(const char *address, const char *driver, struct error *err)
{
    char unbind[80] = "";
    if (driver)
        snprintf(unbind, sizeof unbind, "; echo %s > " DEVICES "%s/driver/unbind", address, address);
    return error_set(err, "-device vfio-pci,host=%s: %s%s; as root: modprobe vfio-pci; echo vfio-pci > " DEVICES "%s/driver_override%s; "
                          "echo %s > /sys/bus/pci/drivers_probe",
                     address, driver ? "the host's driver has it: " : "no driver has it, it must be vfio-pci", driver ? driver : "", address, unbind, address);
}

int vfio_kernel_find(const struct vfio_calls *c, const char *address, char group[16], struct error *err)
{
    char driver[40], bus[40];
    if (!device_link(c, address, "subsystem", bus, sizeof bus))
        return error_set(err, "-device vfio-pci,host=%s: this computer has no such device (lspci -D lists them; those of the modelled host have three parts, as 01:10.0)", address);
    if (!device_link(c, address, "iommu_group", group, 16))
        return error_set(err, "-device vfio-pci,host=%s: no IOMMU stands before it in this kernel; turn VT-d or AMD-Vi on in the firmware, and boot the kernel with "
                              "intel_iommu=on or amd_iommu=on", address);
    bool bound = device_link(c, address, "driver", driver, sizeof driver);
    return bound && hands_on(driver) ? 0 : not_bound(address, bound ? driver : NULL, err);
}

/* --- why not --- */

int vfio_kernel_explain_open(const char *address, const char *path, int errnum, struct error *err)
{
    static const struct { int errnum; const char *advice; } rows[] = {
        { ENOENT, "load the module (as root: modprobe vfio-pci)" },
        { EACCES, "this user has no right to it; as root: chown $USER, or add a rule to udev" },
        { EPERM, "the group has no real IOMMU, and then only root may have it" },
        { EBUSY, "another program has the group; end it (fuser -v /dev/vfio/*)" },
        { ENODEV, "load the module (as root: modprobe vfio-pci)" },
    };
    const char *advice = "see dmesg";
    for (unsigned i = 0; i < ARRAY_LEN(rows); i++)
        if (rows[i].errnum == errnum)
            advice = rows[i].advice;
    return error_set(err, "-device vfio-pci,host=%s: %s: %s; %s", address, path, strerror(errnum), advice);
}

int vfio_kernel_explain_group(const struct vfio_calls *c, const char *address, const char *group, struct error *err)
{
    char path[60], name[64], driver[40], others[300] = "";
    size_t len = 0;
    snprintf(path, sizeof path, GROUPS "%s/devices", group);
    for (unsigned n = 0; n < 64 && c->list(c->self, path, n, name, sizeof name); n++)
        if (device_link(c, name, "driver", driver, sizeof driver) && !hands_on(driver) && strcmp(driver, "pci-stub") && strcmp(driver, "pcieport") &&
            len < sizeof others)
            len += snprintf(others + len, sizeof others - len, "%s %s (%s)", len ? "," : "", name, driver);
    return error_set(err, "-device vfio-pci,host=%s: its IOMMU group %s is not viable: the host's drivers still have%s; the IOMMU cannot tell them apart: "
                          "bind them all to vfio-pci, too", address, group, len ? others : " one of its devices");
}
