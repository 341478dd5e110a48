/* SPDX-License-Identifier: MIT */
/*
 * One virtual machine: memory, bus, devices, clock, ledger, processors, and the engine that runs them.
 * No file-scope mutable state: a process may hold several.
 */
#ifndef EMU_MACHINE_VM_H
#define EMU_MACHINE_VM_H

#include "base/ledger.h"
#include "base/trace.h"
#include "cpu/cpu.h"
#include "devices/device.h"
#include "machine/engine.h"

#define VM_MAX_VCPUS 8
#define VM_MAX_DEVICES 32
#define VM_MAX_MODULES 16

/* What the user asked for; strings are borrowed from the command line or the caller. */
struct vm_config {
    const struct engine_ops *engine;
    const char *profile;            /* name or path; default "curriculum" */
    const char *cpu_model;          /* default "core2" */
    u64 ram_size;                   /* bytes; default 128 MiB */
    const char *kernel, *initrd, *append;
    const char *module[VM_MAX_MODULES]; unsigned nmodules; /* "file args": multiboot modules */
    struct chardev *serial[4];
    u16 debug_exit_port; u8 debug_exit_size; /* default 0xf4, 1 */
    cycles_t max_cycles;            /* 0: none */
    double max_seconds;             /* wall; 0: none */
    bool no_reboot;                 /* a reset ends the run with STATUS_POWEROFF */
    bool realtime;                  /* follow the host's clock when idle (interactive); otherwise virtual time jumps */
    bool timing_model;              /* --timing=model */
    bool strict_io;
    const char *hw;                 /* --hw=ept,vpid,no-ept,...: for the VT-x model; NULL: all */
    const char *kvm;                /* --kvm=host|model|NULL (auto) */
    struct tracer tracer;
};
void vm_config_defaults(struct vm_config *c);

struct vcpu {
    struct vm *vm;
    unsigned index;
    struct cpu cpu;                 /* canonical state, paging unit, interpreter; engines build on it */
    void *engine_data;
    bool intr;                      /* the interrupt controller's wire, level */
};

enum vm_status { VM_RUNNING, VM_PAUSED, VM_ENDED };

struct vm {
    struct vm_config config;        /* a copy */
    const struct engine_ops *engine;
    void *engine_data;
    struct profile profile;
    struct clock clock;
    struct ledger ledger;
    struct tracer tracer;
    struct physmap map;
    struct bus bus;
    struct platform platform;
    struct device *device[VM_MAX_DEVICES]; unsigned ndevices;
    struct intc *intc;              /* the interrupt controller, if the machine has one */
    struct vcpu *vcpu[VM_MAX_VCPUS]; unsigned nvcpus;
    enum vm_status status;
    int exit_status;                /* valid when VM_ENDED: see enum exit_status */
    char reason[1024];              /* valid when VM_ENDED: why, for people; may hold several lines */
    bool reset_requested;
    u64 exits[EXIT_KIND_COUNT];     /* of the run loop, counted */
    u64 wall_ns;                    /* spent in vm_run() */
};

/* Build the machine, load the guest, set the processor to its entry. The vm is heap storage; pair with vm_free().
 * NULL with *err. */
struct vm *vm_new(const struct vm_config *c, struct error *err);
void vm_free(struct vm *vm);

/* The one run loop: until the guest ends, a limit is reached, or vm_stop(). Returns the exit status. */
int vm_run(struct vm *vm);
/* End the VM with a status and a reason for people (printf). The first call wins. */
void vm_stop(struct vm *vm, int exit_status, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* For engines: the machine's port access (by the bus; afterwards the vcpu is kicked if timers or wires changed). */
u64 vm_io_read(struct vm *vm, u16 port, unsigned size);
void vm_io_write(struct vm *vm, u16 port, unsigned size, u64 value);

/* For engines: is an external interrupt waiting, and which one (acknowledging it)? */
static inline bool vcpu_intr_pending(const struct vcpu *v) { return v->intr; }
u8 vcpu_intr_acknowledge(struct vcpu *v);

/* A vcpu that halts: the run loop advances the clock to the next timer. For engines that return EXIT_HLT. */

#endif
