/* SPDX-License-Identifier: MIT */
/* Kernels that nobody here wrote, from power-on to where they are known to end, on every engine that takes native guests. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "cli/engines.h"
#include "devices/chardev.h"
#include "devices/vga.h"
#include "machine/bare.h"
#include "machine/vm.h"

#define MIB (1u << 20)

/* Path of a guest, fetched if it is missing; NULL if it cannot be had. */
static const char *guest(const char *name, char path[80])
{
    char command[80];
    snprintf(path, 80, "guests/real/%s", name);
    snprintf(command, sizeof command, "tools/fetch-guests %s", name);
    return access(path, R_OK) == 0 || (system(command) == 0 && access(path, R_OK) == 0) ? path : NULL;
}

/* --- watching a guest until it has said what is waited for --- */

struct watch {
    struct chardev *console;    /* COM1 */
    const char *expected;       /* on it, or on the screen */
    bool screen, seen;
    char text[8192];            /* the screen, last looked at */
};

static bool screen_shows(struct vm *vm, struct watch *w)
{
    for (unsigned i = 0; i < vm->ndevices; i++)
        if (vm->device[i]->ops == &vga_ops)
            vga_text(vm->device[i], w->text, sizeof w->text);
    return strstr(w->text, w->expected);
}

static void look(struct vm *vm, void *opaque)
{
    struct watch *w = opaque;
    w->seen = w->screen ? screen_shows(vm, w) : strstr(chardev_buffer_text(w->console, NULL), w->expected) != NULL;
    if (w->seen)
        vm_stop(vm, STATUS_POWEROFF, "seen");
}

static void boot(struct vm_config *c, struct watch *w, const struct engine_ops *engine)
{
    struct error err = { "" };
    w->console = chardev_buffer_new();
    w->seen = false;
    c->engine = engine;
    c->kvm = "model";
    c->serial[0] = w->console;
    c->pump = look;
    c->pump_opaque = w;
    c->max_seconds = 300;
    c->no_reboot = true;
    struct vm *vm = vm_new(c, &err);
    check_context("engine %s", engine->name);
    if (!vm) {
        FAIL("%s", err.text);
    } else {
        vm_run(vm);
        if (!CHECK(w->seen))
            fprintf(stderr, "    it ended so: %s\n    its last words: %.600s\n", vm->reason, w->screen ? w->text : chardev_buffer_text(w->console, NULL));
    }
    vm_free(vm);
    chardev_close(w->console);
}

static void boot_on_each(struct vm_config *c, struct watch *w)
{
    char detail[160];
    for (const struct engine_ops *const *e = engines; *e; e++)
        if (strcmp((*e)->image, "native") == 0 && (*e)->probe(detail, sizeof detail, NULL) == 0)
            boot(c, w, *e);
}

/* Long ones run on one engine, or with EMU_LONG set on each (minutes). */
static void boot_long(struct vm_config *c, struct watch *w, const struct engine_ops *engine)
{
    if (getenv("EMU_LONG"))
        boot_on_each(c, w);
    else
        boot(c, w, engine);
}

static void test_gnumach(void)
{
    char path[80];
    struct vm_config c;
    struct watch w = { .expected = "bootstrap_create: No bootstrap code loaded with the kernel!" };
    vm_config_defaults(&c);
    c.kernel = guest("gnumach", path);
    c.append = "console=com0";
    c.ram_size = 64 * MIB;
    if (!c.kernel)
        SKIP("guests/real/gnumach cannot be had (tools/fetch-guests gnumach)");
    boot_on_each(&c, &w);
}

static void test_memtest(void)
{
    char path[80];
    struct vm_config c;
    struct watch w = { .expected = "Memtest86+ v6", .screen = true };
    vm_config_defaults(&c);
    c.kernel = guest("memtest32.bin", path);
    c.ram_size = 64 * MIB;
    if (!c.kernel)
        SKIP("guests/real/memtest32.bin cannot be had (tools/fetch-guests memtest32.bin)");
    boot_long(&c, &w, &bare_engine);
}

/* --- Linux with an initial RAM disk made here: a cpio archive ("newc") of busybox and an init --- */

static void add_file(FILE *f, const char *name, unsigned mode, const void *data, unsigned size, unsigned major, unsigned minor)
{
    static const char zeros[4];
    unsigned namesize = strlen(name) + 1, fields[13] = { 1, mode, 0, 0, 1, 0, size, 0, 0, major, minor, namesize, 0 };
    fputs("070701", f);
    for (unsigned i = 0; i < ARRAY_LEN(fields); i++)
        fprintf(f, "%08X", fields[i]);
    fwrite(name, 1, namesize, f);
    fwrite(zeros, 1, -(6 + 13 * 8 + namesize) & 3, f);
    fwrite(data, 1, size, f);
    fwrite(zeros, 1, -size & 3, f);
}

static const char init[] = "#!/bin/busybox sh\n"
                           "/bin/busybox mount -t proc proc /proc\n"
                           "echo \"init: $(/bin/busybox uname -m) $(/bin/busybox grep -c ^processor /proc/cpuinfo) $(/bin/busybox expr 6 '*' 7)\"\n"
                           "/bin/busybox reboot -f\n";

static void write_initrd(FILE *f, const char *busybox)
{
    static char data[4 * MIB];
    FILE *b = fopen(busybox, "rb");
    unsigned size = b ? fread(data, 1, sizeof data, b) : 0;
    add_file(f, "bin", 0040755, "", 0, 0, 0);
    add_file(f, "dev", 0040755, "", 0, 0, 0);
    add_file(f, "proc", 0040755, "", 0, 0, 0);
    add_file(f, "dev/console", 0020600, "", 0, 5, 1);
    add_file(f, "bin/busybox", 0100755, data, size, 0, 0);
    add_file(f, "init", 0100755, init, sizeof init - 1, 0, 0);
    add_file(f, "TRAILER!!!", 0, "", 0, 0, 0);
    if (b)
        fclose(b);
}

/* From the boot loader to user programs. */
static void test_linux(void)
{
    char kernel[80], busybox[80], initrd[] = "/tmp/emu-test-XXXXXX";
    struct vm_config c;
    struct watch w = { .expected = "init: i686 1 42" };
    vm_config_defaults(&c);
    c.kernel = guest("linux32", kernel);
    c.append = "console=ttyS0 quiet";
    c.initrd = initrd;
    if (!c.kernel || !guest("busybox32", busybox))
        SKIP("guests/real/linux32 or busybox32 cannot be had (tools/fetch-guests linux32 busybox32)");
    FILE *f = fdopen(mkstemp(initrd), "wb");
    write_initrd(f, busybox);
    fclose(f);
    boot_long(&c, &w, engine_auto());
    unlink(initrd);
}

int main(int argc, char **argv)
{
    static const struct check tests[] = {
        { "gnumach", test_gnumach },
        { "memtest", test_memtest },
        { "linux", test_linux },
        { NULL, NULL },
    };
    return check_main(argc, argv, "real_guests", tests);
}
