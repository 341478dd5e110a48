/* SPDX-License-Identifier: MIT */
/* Images without a header: a 512-byte boot sector, or 32-bit code from 1 MiB on. And the choice among all loaders. */
#include <string.h>

#include "machine/acpi.h"
#include "machine/firmware.h"
#include "machine/loaders.h"
#include "machine/mptable.h"

#define BOOT_SECTOR_SIZE 512
#define BOOT_SECTOR_GPA 0x7c00
#define FLAT_GPA 0x100000
#define FIRST_DISK 0x80

static bool flat_match(const struct file *f) { return true; }

static bool has_boot_signature(const struct file *f)
{
    return f->size >= BOOT_SECTOR_SIZE && f->data[510] == 0x55 && f->data[511] == 0xaa;
}

/* Real mode at 0000:7C00 with the boot disk in DL, as a BIOS leaves it. */
static void enter_boot_sector(struct cpu_state *s)
{
    for (int i = 0; i < SREG_COUNT; i++) {
        s->seg[i].selector = 0;
        s->seg[i].base = 0;
    }
    s->rip = BOOT_SECTOR_GPA;
    s->gpr[RSP] = BOOT_SECTOR_GPA;
    s->gpr[RDX] = FIRST_DISK;
}

static int load_boot_sector(struct vm *vm, const struct file *f, struct placer *p, struct error *err)
{
    if (place_at(p, "boot sector", BOOT_SECTOR_GPA, f->data, f->size, f->size, err))
        return -1;
    enter_boot_sector(&vm->vcpu[0]->cpu.state);
    return 0;
}

static int flat_load(struct vm *vm, const struct file *f, struct error *err)
{
    struct placer p = { .vm = vm, .path = f->path };
    if (has_boot_signature(f) && f->size == BOOT_SECTOR_SIZE)
        return load_boot_sector(vm, f, &p, err);
    if (has_boot_signature(f))
        return error_set(err, "%s: is a disk image, not a kernel (only a single boot sector of 512 bytes can be started without a disk)", f->path);
    if (place_at(&p, "image", FLAT_GPA, f->data, f->size, f->size, err))
        return -1;
    state_flat32(&vm->vcpu[0]->cpu.state, FLAT_GPA, LOADER_STACK);
    return 0;
}

const struct loader flat_loader = { "flat", "a boot sector (512 bytes, to 7C00h), or 32-bit code loaded and entered at 1 MiB", flat_match, flat_load };

const struct loader *const loaders[] = { &multiboot_loader, &bzimage_loader, &elf_loader, &flat_loader, NULL };

/* Only Linux knows what an initrd is: what no kernel would see is not passed over in silence. */
static int check_initrd(const struct vm *vm, const struct loader *l, struct error *err)
{
    const char *initrd = vm->config.initrd;
    if (!initrd || l == &bzimage_loader)
        return 0;
    return l == &multiboot_loader ? error_set(err, "-initrd %s: a multiboot kernel takes modules; give -module %s", initrd, initrd)
                                  : error_set(err, "-initrd %s: only Linux takes one, and %s is no bzImage", initrd, vm->config.kernel);
}

int load_kernel(struct vm *vm, const char *path, struct error *err)
{
    struct file f;
    const struct loader *const *l = loaders;
    if (file_load(&f, path, err))
        return -1;
    while (!(*l)->match(&f))
        l++;
    firmware_leave_data(vm);
    acpi_leave_tables(vm);
    mptable_leave(vm);
    int result = check_initrd(vm, *l, err) ? -1 : (*l)->load(vm, &f, err);
    file_free(&f);
    return result;
}
