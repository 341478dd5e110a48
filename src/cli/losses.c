/* SPDX-License-Identifier: MIT */
#include "cli/losses.h"

#include <errno.h>
#include <string.h>

#include "devices/serial/chardev.h"
#include "machine/vm.h"

static void say(const struct error *what) { fprintf(stderr, "emu: %s\n", what->text); }

bool losses_of_vm(struct vm *vm) { return vm_losses(vm, say) > 0; }

bool losses_of_chardev(const char *option, const char *spec, struct chardev *c)
{
    bool file = spec && strncmp(spec, "file:", 5) == 0;
    if (file)
        chardev_poll(c); /* others would read input, too */
    if (!c || !c->error)
        return false;
    if (file)
        fprintf(stderr, "emu: %s %s: %s\n", option, spec, strerror(c->error));
    else
        fprintf(stderr, "emu: standard output: %s\n", strerror(c->error));
    return file || freopen("/dev/null", "w", stdout) || true; /* nothing more of it needs to be said */
}

bool losses_of_file(const char *option, const char *path, FILE *f)
{
    errno = 0;
    bool lost = f && (fflush(f) || ferror(f));
    if (lost)
        fprintf(stderr, "emu: %s%s%s: %s\n", option, *path ? " " : "", path, errno ? strerror(errno) : "not all of it could be written; is the disk full?");
    return lost;
}

/* 0, or a guest's own status, which is odd. */
int losses_status(int status, bool lost) { return lost && (status == STATUS_POWEROFF || status & 1) ? STATUS_USER : status; }
