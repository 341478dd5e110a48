/* SPDX-License-Identifier: MIT */
/* Keys by name (QEMU's names) and text for the guest's keyboard. */
#include <stdlib.h>
#include <string.h>

#include "console/monitor_internal.h"
#include "devices/input/i8042.h"
#include "devices/input/ps2.h"
#include "devices/virtio/virtio.h"

#define MAX_KEYS 8

static const struct { const char *name; u16 code; } named[] = {
    { "esc", 0x01 },   { "minus", 0x0c },  { "equal", 0x0d }, { "backspace", 0x0e }, { "tab", 0x0f },      { "ret", 0x1c },     { "kp_enter", 0xe01c }, { "ctrl", 0x1d },
    { "ctrl_r", 0xe01d }, { "semicolon", 0x27 }, { "apostrophe", 0x28 }, { "grave_accent", 0x29 }, { "shift", 0x2a }, { "backslash", 0x2b }, { "comma", 0x33 },
    { "dot", 0x34 },   { "slash", 0x35 },  { "shift_r", 0x36 }, { "alt", 0x38 },     { "alt_r", 0xe038 },  { "spc", 0x39 },     { "caps_lock", 0x3a },
    { "f1", 0x3b },    { "f2", 0x3c },     { "f3", 0x3d },    { "f4", 0x3e },        { "f5", 0x3f },       { "f6", 0x40 },      { "f7", 0x41 },    { "f8", 0x42 },
    { "f9", 0x43 },    { "f10", 0x44 },    { "f11", 0x57 },   { "f12", 0x58 },       { "num_lock", 0x45 }, { "scroll_lock", 0x46 }, { "home", 0xe047 }, { "up", 0xe048 },
    { "pgup", 0xe049 }, { "left", 0xe04b }, { "right", 0xe04d }, { "end", 0xe04f },  { "down", 0xe050 },   { "pgdn", 0xe051 },  { "insert", 0xe052 }, { "delete", 0xe053 },
    { "meta_l", 0xe05b }, { "pause", KEY_PAUSE },
};

static u16 code_of(const char *name)
{
    bool shift;
    for (unsigned i = 0; i < ARRAY_LEN(named); i++)
        if (strcmp(named[i].name, name) == 0)
            return named[i].code;
    return name[0] && !name[1] ? scancode_of_ascii(*name, &shift) : 0;
}

static struct device *keyboard(struct monitor *m, FILE *out)
{
    for (unsigned i = 0; i < m->console->vm->ndevices; i++)
        if (m->console->vm->device[i]->ops == &i8042_ops)
            return m->console->vm->device[i];
    fprintf(out, "this machine has no keyboard\n");
    return NULL;
}

void monitor_sendkey(struct monitor *m, char *args, FILE *out)
{
    struct device *d = keyboard(m, out);
    u16 code[MAX_KEYS];
    unsigned n = 0;
    char *save;
    for (char *key = strtok_r(args, "-", &save); key && n < MAX_KEYS; key = strtok_r(NULL, "-", &save)) {
        code[n] = code_of(key);
        if (!code[n++]) {
            fprintf(out, "%s: no key is called so; a letter or digit, ret, spc, esc, f1, ctrl, alt, shift, up..., joined by -\n", key);
            return;
        }
    }
    for (unsigned i = 0; d && i < n; i++)
        keyboard_key(d, code[i], true);
    while (d && n--)
        keyboard_key(d, code[n], false);
}

void monitor_mouse_move(struct monitor *m, char *args, FILE *out)
{
    struct device *d = keyboard(m, out);
    int dx, dy;
    unsigned buttons = 0;
    if (sscanf(args, "%d %d %u", &dx, &dy, &buttons) < 2)
        fprintf(out, "mouse_move: give two numbers, right and down are positive\n");
    else if (d)
        mouse_move(d, dx, dy, buttons);
}

void monitor_balloon(struct monitor *m, char *args, FILE *out)
{
    struct vm *vm = monitor_vm(m, out);
    char *end;
    u64 mib = strtoull(args, &end, 10);
    if (end == args || !mib) {
        fprintf(out, "balloon: give the MiB that the guest shall get along with\n");
        return;
    }
    for (unsigned i = 0; vm && i < vm->ndevices; i++)
        if (vm->device[i]->ops == &virtio_set_ops && virtio_set_balloon(vm->device[i], mib << 20))
            return;
    fprintf(out, "this machine has no balloon; add -device virtio-balloon-pci\n");
}

void monitor_type(struct monitor *m, char *args, FILE *out)
{
    struct device *d = keyboard(m, out);
    size_t taken = d ? keyboard_type(d, args) : 0;
    if (d && args[taken])
        fprintf(out, "the keyboard's buffer is full; not typed: %s\n", args + taken);
}
