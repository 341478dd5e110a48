/* SPDX-License-Identifier: MIT */
/*
 * Starting from a BIOS. The processor's first instruction after reset is at FFFFFFF0h (SDM vol. 3, 10.1.4), so the ROM
 * ends at 4 GiB; the host bridge shows its end below 1 MiB too, where real mode reaches it (devices/chipset/pam.h).
 */
#include "machine/firmware_rom.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "devices/chipset/fwcfg.h"
#include "devices/pci/pci.h"
#include "machine/firmware.h"
#include "machine/loader.h"

#define KIB ((u64)1 << 10)
#define MIB ((u64)1 << 20)
#define GIB4 ((u64)4 << 30)
#define ROM_UNIT (64 * KIB)     /* the segment of the reset vector */
#define ROM_MAX (16 * MIB)
#define VGA_BIOS "vgabios-stdvga.bin"
#define CLASS_VGA 0x0300

/* Where distributions install firmware. */
static const char *const directories[] = { "/usr/share/seabios", "/usr/share/qemu", "/usr/share/qemu-server" };

static bool found_in(const char *directory, const char *name, char *path, size_t size)
{
    return directory && snprintf(path, size, "%s/%s", directory, name) < (int)size && access(path, R_OK) == 0;
}

/* A file as it is named, or in -L's directory, or where firmware is installed. */
static int find_firmware(const struct vm *vm, const char *name, char *path, size_t size, struct error *err)
{
    if (found_in(vm->config.firmware_dir, name, path, size))
        return 0;
    for (unsigned i = 0; i < ARRAY_LEN(directories); i++)
        if (!strchr(name, '/') && found_in(directories[i], name, path, size))
            return 0;
    if (snprintf(path, size, "%s", name) < (int)size && access(path, F_OK) == 0)
        return 0;
    return error_set(err, "%s: firmware is not there; install package seabios (apt install seabios), or name one with -bios", name);
}

static int load_firmware(const struct vm *vm, const char *name, struct file *f, char path[512], struct error *err)
{
    return find_firmware(vm, name, path, 512, err) ? -1 : file_load_raw(f, path, err);
}

static int place_rom(struct vm *vm, const struct file *f, struct error *err)
{
    if (f->size % ROM_UNIT || f->size > ROM_MAX)
        return error_set(err, "%s: is no BIOS: its size must be a multiple of 64 KiB, at most 16 MiB", f->path);
    u8 *rom = physmap_add_rom(&vm->map, "bios", GIB4 - f->size, f->size, err);
    if (!rom)
        return -1;
    memcpy(rom, f->data, f->size);
    vm->platform.bios = rom;
    vm->platform.bios_size = f->size;
    return 0;
}

int firmware_load_rom(struct vm *vm, struct error *err)
{
    char path[512];
    struct file f;
    if (!vm->config.bios)
        return 0;
    if (load_firmware(vm, vm->config.bios, &f, path, err))
        return -1;
    int result = place_rom(vm, &f, err);
    file_free(&f);
    return result;
}

/* --- what it asks --- */

/* Firmware finds holes and keeps parts for itself; it wants to know only where RAM is. */
static int tell_memory(struct vm *vm, struct fwcfg *fw, struct error *err)
{
    struct e820_entry ram = { 0, vm->config.ram_size, E820_RAM };
    return fwcfg_set_number(fw, FWCFG_RAM_SIZE, vm->config.ram_size, 8, err) || fwcfg_set_file(fw, "etc/e820", &ram, sizeof ram, err) ? -1 : 0;
}

/* A display on the PCI bus gets its BIOS by its numbers, one that is not there by a name. */
static void name_vga_bios(const struct vm *vm, char *name, size_t size)
{
    snprintf(name, size, "vgaroms/%s", VGA_BIOS);
    for (unsigned devfn = 0; devfn < 256; devfn++) {
        const struct pci_function *f = vm->platform.pci->function[devfn];
        if (f && pci_get(f->config, PCI_CLASS + 1, 2) == CLASS_VGA)
            snprintf(name, size, "pci%04x,%04x.rom", pci_get(f->config, PCI_VENDOR, 2), pci_get(f->config, PCI_DEVICE, 2));
    }
}

static int give_vga_bios(struct vm *vm, struct fwcfg *fw, struct error *err)
{
    char path[512], name[48];
    struct file f;
    if (load_firmware(vm, VGA_BIOS, &f, path, err))
        return -1;
    name_vga_bios(vm, name, sizeof name);
    int result = fwcfg_set_file(fw, name, f.data, f.size, err);
    file_free(&f);
    return result;
}

int firmware_fill_fwcfg(struct vm *vm, struct error *err)
{
    struct fwcfg *fw = vm->platform.fwcfg;
    if (tell_memory(vm, fw, err) || fwcfg_set_number(fw, FWCFG_NB_CPUS, vm->config.smp, 2, err) ||
        fwcfg_set_number(fw, FWCFG_MAX_CPUS, vm->config.smp, 2, err) ||
        fwcfg_set_number(fw, FWCFG_BOOT_MENU, vm->config.boot_menu, 2, err))
        return -1;
    return vm->config.bios ? give_vga_bios(vm, fw, err) : 0;
}
