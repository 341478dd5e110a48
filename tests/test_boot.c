/* SPDX-License-Identifier: MIT */
/*
 * From the reset vector: SeaBIOS, then a boot sector made here, which prints, reads a sector and writes another; or GRUB from
 * its rescue CD and floppy, to its prompt. On every engine that takes unmodified guests.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "cli/engines.h"
#include "devices/display/vga.h"
#include "devices/input/i8042.h"
#include "devices/serial/chardev.h"
#include "machine/vm.h"

#define BIOS_PATH "/usr/share/seabios/" VM_BIOS
#define SECTOR 512

static struct device *find(struct vm *vm, const struct device_ops *ops)
{
    for (unsigned i = 0; i < vm->ndevices; i++)
        if (vm->device[i]->ops == ops)
            return vm->device[i];
    return NULL;
}

/* --- driving a guest by what its screen shows --- */

struct step { const char *shows, *then; };      /* wait for this text, then type that */

struct script {
    const struct step *step;    /* ended by shows == NULL */
    char text[8192];            /* the screen, last looked at */
};

static void look(struct vm *vm, void *opaque)
{
    struct script *s = opaque;
    vga_text(find(vm, &vga_ops), s->text, sizeof s->text);
    if (!strstr(s->text, s->step->shows))
        return;
    keyboard_type(find(vm, &i8042_ops), s->step->then);
    if (!(++s->step)->shows)
        vm_stop(vm, STATUS_POWEROFF, "seen");
}

static struct vm_config machine(const struct engine_ops *engine)
{
    struct vm_config c;
    vm_config_defaults(&c);
    c.engine = engine;
    c.kvm = "model";
    c.bios = VM_BIOS;
    c.max_seconds = 120;
    c.max_cycles = 40000000000u;
    return c;
}

static int run(struct vm_config *c, struct script *s)
{
    struct error err = { "" };
    check_context("engine %s", c->engine->name);
    c->pump = s ? look : NULL;
    c->pump_opaque = s;
    struct vm *vm = vm_new(c, &err);
    if (!vm) {
        FAIL("%s", err.text);
        return -1;
    }
    int status = vm_run(vm);
    if (s && s->step->shows)
        FAIL("'%s' was not seen (%s), but: %.2000s", s->step->shows, vm->reason, s->text);
    vm_free(vm);
    return status;
}

static bool runs_native(const struct engine_ops *e)
{
    char detail[160];
    return strcmp(e->image, "native") == 0 && e->probe(detail, sizeof detail, NULL) == 0;
}

/* --- a disk of our own --- */

/*
 * 16-bit code at 7C00h: writes the message behind it by INT 10h, reads sector 1 to 8000h and prints it, writes it to sector 2 (INT 13h),
 * and ends by port F4h with 10h if all went well, AH of the BIOS's answer otherwise.
 */
static const u8 boot_code[] = {
    0x31, 0xc0, 0x8e, 0xd8, 0x8e, 0xc0, 0x8e, 0xd0, 0xbc, 0x00, 0x7c,   /* xor ax,ax; ds, es, ss = ax; mov sp,7c00h */
    0xbe, 0x60, 0x7c, 0xe8, 0x30, 0x00,                                 /* mov si,7c60h; call print (7c41h) */
    0xb8, 0x01, 0x02, 0xb9, 0x02, 0x00, 0xba, 0x80, 0x00, 0xbb, 0x00, 0x80, 0xcd, 0x13, /* ax=0201h cx=2 dx=80h bx=8000h; int 13h */
    0x72, 0x1a,                                                         /* jc 7c3bh */
    0xbe, 0x00, 0x80, 0xe8, 0x1a, 0x00,                                 /* mov si,8000h; call print */
    0xb8, 0x01, 0x03, 0xb9, 0x03, 0x00, 0xbb, 0x00, 0x80, 0xcd, 0x13,   /* ax=0301h cx=3 bx=8000h; int 13h */
    0x72, 0x07,                                                         /* jc 7c3bh */
    0xb0, 0x10, 0xe6, 0xf4, 0xf4, 0xeb, 0xfd,                           /* mov al,10h; out 0f4h,al; hlt; jmp */
    0x88, 0xe0, 0xe6, 0xf4, 0xeb, 0xf7,                                 /* 7c3bh: mov al,ah; out 0f4h,al; jmp hlt */
    0xac, 0x84, 0xc0, 0x74, 0x09, 0xb4, 0x0e, 0xbb, 0x07, 0x00, 0xcd, 0x10, 0xeb, 0xf2, 0xc3, /* 7c41h: print: lodsb .. ret */
};
enum { MESSAGE_AT = 0x60, MESSAGES_SECTOR = 1, COPY_SECTOR = 2 };

static void make_disk(char *path, const char *said, const char *on_disk)
{
    static u8 image[2048 * SECTOR];
    memset(image, 0, sizeof image);
    memcpy(image, boot_code, sizeof boot_code);
    strcpy((char *)image + MESSAGE_AT, said);
    image[510] = 0x55;
    image[511] = 0xaa;
    strcpy((char *)image + MESSAGES_SECTOR * SECTOR, on_disk);
    FILE *f = fdopen(mkstemp(path), "wb");
    fwrite(image, 1, sizeof image, f);
    fclose(f);
}

static void read_copy(const char *path, char *to, unsigned size)
{
    FILE *f = fopen(path, "rb");
    fseek(f, COPY_SECTOR * SECTOR, SEEK_SET);
    to[fread(to, 1, size - 1, f)] = 0;
    fclose(f);
}

/* The console is looked at after the run: the guest ends by itself. */
static void boot_disk(const struct engine_ops *engine, bool snapshot)
{
    char path[] = "/tmp/emu-test-boot-XXXXXX", copy[32], screen[8192];
    struct error err = { "" };
    struct vm_config c = machine(engine);
    make_disk(path, "this is a boot sector ", "and this the next");
    c.drive[c.ndrives++] = (struct vm_drive){ .file = path, .index = 0, .snapshot = snapshot };
    check_context("engine %s, snapshot %d", engine->name, snapshot);
    struct vm *vm = vm_new(&c, &err);
    if (!vm) {
        FAIL("%s", err.text);
        return;
    }
    CHECK_EQ(vm_run(vm), 0x10 << 1 | 1);
    vga_text(find(vm, &vga_ops), screen, sizeof screen);
    CHECK_CONTAINS(screen, "this is a boot sector and this the next");
    vm_free(vm);
    read_copy(path, copy, sizeof copy);
    CHECK_STR(copy, snapshot ? "" : "and this the next");
    unlink(path);
}

static void test_boot_sector(void)
{
    if (access(BIOS_PATH, R_OK))
        SKIP("package seabios is not installed");
    for (const struct engine_ops *const *e = engines; *e; e++) {
        if (!runs_native(*e))
            continue;
        boot_disk(*e, false);
        boot_disk(*e, true);
    }
}

/* A disk that cannot be written says so: the BIOS answers with an error, which ends the run with another status. */
static void test_write_refused(void)
{
    char path[] = "/tmp/emu-test-boot-XXXXXX";
    if (access(BIOS_PATH, R_OK))
        SKIP("package seabios is not installed");
    struct vm_config c = machine(engine_auto());
    make_disk(path, "x", "y");
    c.drive[c.ndrives++] = (struct vm_drive){ .file = path, .readonly = true, .index = 0 };
    int status = run(&c, NULL);
    CHECK(status & 1 && status != (0x10 << 1 | 1));
    unlink(path);
}

/* Twice the same: virtual time, instructions, everything. */
static void test_repeats(void)
{
    char path[] = "/tmp/emu-test-boot-XXXXXX";
    u64 now[2], insns[2];
    struct error err = { "" };
    if (access(BIOS_PATH, R_OK))
        SKIP("package seabios is not installed");
    make_disk(path, "x", "y");
    for (int i = 0; i < 2; i++) {
        struct vm_config c = machine(engine_auto());
        c.drive[c.ndrives++] = (struct vm_drive){ .file = path, .snapshot = true, .index = 0 };
        struct vm *vm = vm_new(&c, &err);
        vm_run(vm);
        now[i] = vm->clock.now;
        insns[i] = vm->ledger.guest_insns;
        vm_free(vm);
    }
    CHECK_EQ(now[0], now[1]);
    CHECK_EQ(insns[0], insns[1]);
    unlink(path);
}

static void test_no_firmware(void)
{
    struct error err = { "" };
    struct vm_config c = machine(engine_auto());
    c.bios = "no-such-bios.bin";
    CHECK(vm_new(&c, &err) == NULL);
    CHECK_CONTAINS(err.text, "package seabios");
    c.bios = "/etc/passwd";
    CHECK(vm_new(&c, &err) == NULL);
    CHECK_CONTAINS(err.text, "is no BIOS");
}

/* --- GRUB --- */

static bool fetched(const char *name, char path[80])
{
    char command[80];
    snprintf(path, 80, "guests/real/%s", name);
    snprintf(command, sizeof command, "tools/fetch-guests %s", name);
    return access(path, R_OK) == 0 || (system(command) == 0 && access(path, R_OK) == 0);
}

/* Its menu; then its command line, which is asked what it sees. */
static void boot_grub(const struct engine_ops *engine, const char *path, enum drive_media media, const char *device)
{
    const struct step steps[] = { { "Change the colors", "c" }, { "grub>", "ls\n" }, { device, "" }, { NULL } };
    struct script s = { steps };
    struct vm_config c = machine(engine);
    c.drive[c.ndrives++] = (struct vm_drive){ .file = path, .media = media, .index = -1, .snapshot = true };
    run(&c, &s);
}

/* The CD on each engine; the floppy, which takes the same road behind the BIOS and long seconds of polling, on the one without a monitor. */
static void test_grub_cd(void)
{
    char path[80];
    if (access(BIOS_PATH, R_OK) || !fetched("grub-rescue.iso", path))
        SKIP("package seabios, or guests/real/grub-rescue.iso, cannot be had");
    for (const struct engine_ops *const *e = engines; *e; e++)
        if (runs_native(*e))
            boot_grub(*e, path, DRIVE_CDROM, "(cd)");
}

static void test_grub_floppy(void)
{
    char path[80];
    if (access(BIOS_PATH, R_OK) || !fetched("grub-rescue.img", path))
        SKIP("package seabios, or guests/real/grub-rescue.img, cannot be had");
    boot_grub(engine_find("bare", NULL), path, DRIVE_FLOPPY, "(fd0)");
}

int main(int argc, char **argv)
{
    static const struct check tests[] = {
        { "boot_sector", test_boot_sector }, { "write_refused", test_write_refused }, { "repeats", test_repeats },
        { "no_firmware", test_no_firmware }, { "grub_cd", test_grub_cd }, { "grub_floppy", test_grub_floppy }, { NULL, NULL },
    };
    return check_main(argc, argv, "boot", tests);
}
