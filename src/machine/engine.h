/* SPDX-License-Identifier: MIT */
/*
 * An engine: how the guest gets from one exit to the next. The machine calls engines only through this table;
 * engines never include one another.
 */
#ifndef EMU_MACHINE_ENGINE_H
#define EMU_MACHINE_ENGINE_H

#include "base/error.h"
#include "cpu/state.h"

struct vm;
struct vcpu;

/* Why run() came back to the one run loop: kinds, names and help from exits.def. */
enum exit_kind {
#define EXIT(id, name, help) EXIT_##id,
#include "machine/exits.def"
#undef EXIT
    EXIT_KIND_COUNT
};
struct exit_row { const char *name, *help; };
extern const struct exit_row exit_rows[EXIT_KIND_COUNT];

struct exit {
    enum exit_kind kind;
    union {
        struct { u16 port; u8 size; bool write; u32 count; u8 *data; } io;  /* data: count items of size bytes, in place */
        struct { gpa_t gpa; u8 size; bool write; u8 *data; } mmio;
        struct { char reason[256]; } stopped;
    };
};

struct engine_ops {
    const char *name, *help;
    const char *image;          /* which kind of guest it runs: "native" or "xen-pv" */
    unsigned max_vcpus;         /* 0: as many as a machine may have */
    bool on_processor;          /* guest code runs on the vcpu's own processor by cpu_run(): an accelerator may serve it */

    /* Can it run here? By doing, not by reading flags. 0, or -1 with the reason in *why. `detail` (>= 160 bytes) gets what was found;
     * with size 0 nobody wants to know. */
    int (*probe)(char *detail, size_t size, struct error *why);

    /* vm->engine_data and vcpu->engine_data are the engine's. 0 or -1 with *err. */
    int (*vm_init)(struct vm *vm, struct error *err);
    void (*vm_fini)(struct vm *vm);
    int (*vcpu_init)(struct vcpu *v, struct error *err);
    void (*vcpu_fini)(struct vcpu *v);

    /* Run until something must be handled or clock->now >= deadline. Deliver pending interrupts
     * (vcpu_intr_pending(), vcpu_intr_acknowledge()) on the way. */
    void (*run)(struct vcpu *v, cycles_t deadline, struct exit *e);
    void (*step)(struct vcpu *v, struct exit *e);       /* one guest instruction */
    void (*kick)(struct vcpu *v);                       /* make run() come back soon; async-signal-safe */

    /* The canonical state, at an instruction boundary. */
    void (*get_state)(struct vcpu *v, struct cpu_state *s);
    void (*set_state)(struct vcpu *v, const struct cpu_state *s);

    /* Build a guest of its own kind from an image (pv's domain builder). NULL: the machine's loaders do it. */
    int (*load)(struct vm *vm, struct error *err);

    /* The machine is reset, its devices have been: what the engine has of them follows. NULL: nothing. */
    void (*reset)(struct vm *vm);
    /* May the machine go on with another engine? 0, or -1 with *err. NULL: at any time. */
    int (*may_leave)(const struct vm *vm, struct error *err);

    /* Add lines of its own to `info` and to reports; may be NULL. */
    void (*info)(const struct vm *vm, void *file);
};

#endif
