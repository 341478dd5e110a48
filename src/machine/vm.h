/* SPDX-License-Identifier: MIT */
/*
 * One virtual machine: memory, bus, devices, clock, ledger, processors, and the engine that runs them.
 * No file-scope mutable state: a process may hold several.
 */
#ifndef EMU_MACHINE_VM_H
#define EMU_MACHINE_VM_H

#include <signal.h>

#include "base/ledger.h"
#include "base/trace.h"
#include "cpu/cpu.h"
#include "devices/block/block_host.h"
#include "devices/device.h"
#include "devices/vfio/host_card.h"
#include "machine/engine.h"
#include "machine/pace.h"

#define VM_MAX_VCPUS 8
#define VM_MAX_DEVICES 32
#define VM_MAX_MODULES 16
#define VM_MAX_DRIVES 8
#define VM_MAX_NETDEVS 8
#define VM_MAX_CAPTURES 8
#define VM_MAX_CHARDEVS 8
#define VM_MAX_HOST_CARDS HOST_CARDS
#define VM_NETDEV_WORDS 24
#define VM_RECENT_EXITS 8
#define VM_BIOS "bios-256k.bin" /* SeaBIOS, as its package names it */

enum drive_media { DRIVE_DISK, DRIVE_CDROM, DRIVE_FLOPPY };
struct vm_drive {
    const char *file;
    enum drive_media media;
    int index;                      /* IDE: 0, 1 first channel, 2, 3 second; floppy 0, 1; -1: the first that is free */
    bool snapshot, readonly;
    enum { DRIVE_NOT_SERVED, DRIVE_SERVED_USER, DRIVE_SERVED_KERNEL } served;    /* by the modelled host, and where */
    enum { DRIVE_OWN_BUS /* IDE's, the floppy controller's */, DRIVE_VIRTIO, DRIVE_APART /* some -device takes it by its id */ } bus;
    const char *id, *serial;        /* NULL: none */
};

/* A socket of the host's that a device talks to: -chardev. */
struct vm_chardev {
    const char *id, *path;          /* path: of a UNIX socket where somebody listens */
    unsigned patience_ms;           /* how long it may be gone, or silent; 0: the device's own idea */
};

/* A virtio device that is no network adapter: -device virtio-... */
struct vm_virtio {
    enum virtio_model model;
    const char *drive;              /* of a disk: the id of its drive, which has if=none */
    const char *serial;             /* of a disk; NULL: the drive's */
    const char *chardev;            /* of a disk that another process has: the id of its socket */
    unsigned queues;                /* of a disk; 0: one */
    u8 slot;
    struct virtio_flavor flavor;
    u64 seed;
};

/* A network that an adapter can be plugged into: -netdev. */
struct vm_netdev {
    const char *type, *id;
    const char *word[VM_NETDEV_WORDS]; unsigned nwords; /* the back-end's own options, "KEY=VALUE" */
};
struct vm_nic {
    const char *model;
    const char *netdev;             /* id; NULL: no cable */
    const char *mac;                /* NULL: one by number */
    u8 slot;                        /* of the PCI bus; 0: one by number */
    struct virtio_flavor virtio;
    unsigned pairs;                 /* of a virtio adapter's queues; 0: one */
    u16 queue_size;                 /* entries of each; 0: as it has by itself */
};
/* A device of the modelled host, -device vfio-pci,host=01:10.0, or of this computer: host=0000:01:10.0, or its directory in sysfs. */
struct vm_vfio {
    const char *host, *sysfsdev;    /* one of them; the other is NULL */
    bool no_rom;                    /* of this computer's: the guest does not see its expansion ROM */
    const char *netdev;             /* id of the network that its port is plugged into; NULL: no cable */
    u8 slot;
};
struct vm_capture {
    const char *netdev;             /* id; NULL: the first */
    const char *file;
    u32 snaplen;                    /* bytes of each frame that are kept; 0: all */
};

struct engine_choice; /* switch.h */

/* -machine kernel_irqchip=: this process (PIC, I/O APIC, local APIC, PIT), the local APIC in the host's kernel, or all four there. */
enum kernel_irqchip { IRQCHIP_OFF, IRQCHIP_SPLIT, IRQCHIP_ON };

/* What the user asked for; strings are borrowed from the command line or the caller. */
struct vm_config {
    const struct engine_ops *engine;
    const char *profile;            /* name or path; default "curriculum" */
    const char *cpu_model;          /* NULL: core2, or core2-64 for a 64-bit kernel */
    u64 ram_size;                   /* bytes; default 128 MiB */
    const char *kernel, *initrd, *append;
    const char *module[VM_MAX_MODULES]; unsigned nmodules; /* "file args": multiboot modules */
    const char *bios;               /* firmware to start from at the reset vector; NULL: the kernel is entered directly */
    const char *firmware_dir;       /* where to look for firmware first; NULL: only where it is installed */
    const char *boot;               /* letters in order: a floppy, c disk, d CD, n network; NULL: "cad" */
    bool boot_menu;                 /* the firmware waits for a key to show its menu */
    struct vm_drive drive[VM_MAX_DRIVES]; unsigned ndrives;
    struct vm_virtio virtio[VIRTIO_SLOTS_MAX]; unsigned nvirtios;
    struct vm_chardev chardev[VM_MAX_CHARDEVS]; unsigned nchardevs;
    bool snapshot;                  /* no image is written */
    struct vm_netdev netdev[VM_MAX_NETDEVS]; unsigned nnetdevs;
    struct vm_nic nic[NICS_MAX]; unsigned nnics;
    struct vm_capture capture[VM_MAX_CAPTURES]; unsigned ncaptures;
    struct vm_vfio vfio[VFIO_SLOTS_MAX]; unsigned nvfios;
    const struct vfio_calls *vfio_calls;    /* this computer's kernel, as far as it gives its devices to guests; NULL: the real one */
    struct host_card host_card[VM_MAX_HOST_CARDS]; unsigned nhost_cards; /* of the modelled host; none: the usual ones */
    struct vfio_host **shared_host; /* of several machines: made by the first that needs it, owned by the caller. NULL: the vm's own */
    struct net_cable **shared_cables; /* between machines of this run; the storage is the caller's. NULL: the machine is alone */
    struct chardev *debugcon;       /* the firmware's messages; NULL: nowhere */
    struct chardev *virtconsole;    /* of the virtio console; NULL: nobody is there */
    struct virtio_port virtport[VIRTIO_PORTS_MAX]; unsigned nvirtports; /* its other ports */
    struct chardev *serial[4], *parallel; /* parallel NULL: no printer port */
    u16 debug_exit_port; u8 debug_exit_size; /* default 0xf4, 1 */
    unsigned smp;                   /* processors, 1 to VM_MAX_VCPUS; 0: one */
    unsigned package_cpus;          /* of them, how many CPUID says that a package (socket) has; 0: all */
    cycles_t max_cycles;            /* 0: none */
    double max_seconds;             /* wall; 0: none */
    bool no_reboot;                 /* a reset ends the run with STATUS_POWEROFF */
    bool realtime;                  /* follow the host's clock when idle (interactive); otherwise virtual time jumps */
    bool timing_model;              /* --timing=model */
    u8 without_caches;              /* --timing=model,no-...: enum of mmu/walkcache.h */
    const struct cpu_accel_ops *accel; /* for engines whose guests run on the processor; NULL: the interpreter alone */
    u32 translation_cache;          /* bytes that a translator may keep; 0: its own choice */
    u32 shadow_spaces;              /* address spaces of which bt keeps shadow page tables; 0: its own choice */
    bool strict_io;
    const char *hw;                 /* --hw=ept,vpid,no-ept,...: for the VT-x model; NULL: all */
    const char *kvm;                /* --kvm=host|model|NULL (auto) */
    enum kernel_irqchip kernel_irqchip; /* who has the interrupt controllers on the host's KVM */
    enum kernel_irqchip model_irqchip;  /* and on the model's; default: its small KVM has all */
    struct tracer tracer;
    struct ledger_observer *observer; /* of the ledger; NULL: none. A chain, which outlives the vm */
    struct net_wire_counts *wire_counts; /* gets what has come to the far end of the first modelled wire, when all is over; NULL: nobody asks */
    struct vm *neighbor;            /* a machine whose monitor this one shares: pv, one Xen with several domains. It outlives this one. NULL: none */
    s64 rtc_base;                   /* seconds since 1970 that the RTC shows at power-on; default 2020-01-01, never the host's */
    /* For `engine NAME` of the monitor: what may this machine go on with under that name? 0 or -1 with *err. NULL: nothing else */
    int (*find_engine)(const struct vm *vm, const char *name, struct engine_choice *c, struct error *err);
    void (*pump)(struct vm *vm, void *opaque); /* a console's turn, between slices; NULL: none */
    void *pump_opaque;
};
/* The one place of the defaults: everything zero but for what has a default above. */
void vm_config_defaults(struct vm_config *c);

struct vcpu {
    struct vm *vm;
    unsigned index;
    struct cpu cpu;                 /* canonical state, paging unit, interpreter; engines build on it */
    void *engine_data;
    bool intr;                      /* the interrupt controller's wire, level */
    bool nmi;                       /* a non-maskable interrupt waits */
    bool intr_held;                 /* a debugger steps: interrupts wait */
    bool intr_window;               /* kvm's model: run() comes back, kicked, as soon as an interrupt could be delivered */
    enum vcpu_rest { VCPU_RUNS, VCPU_HALTED, VCPU_WAITS /* for a start-up IPI */ } rest; /* with several processors: has it a turn? */
    bool wakeable;                  /* VCPU_HALTED: with interrupts enabled */
    bool init;                      /* an INIT has come, */
    int startup;                    /* and a start-up IPI with this vector, or -1 */
};

enum vm_status { VM_RUNNING, VM_PAUSED, VM_ENDED };

/* How vm_run() goes on: freely, or by one instruction, before which interrupts are delivered or wait. */
enum vm_gait { GAIT_RUN, GAIT_STEP, GAIT_STEP_HELD };

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
    struct shortcuts shortcuts;
    struct irq isa_wire[16];        /* into the machine's interrupt controllers */
    u16 isa_level;                  /* bit by line: what devices say now */
    struct irq irq_tap;             /* an engine's: gets the lines instead. set NULL: nobody does */
    char vfio_address[VFIO_SLOTS_MAX][16]; /* places of this computer's devices that the guest gets */
    struct vfio_host *host;         /* the modelled host's devices, if it is this machine's alone; owned */
    struct block_host disk_host[VM_MAX_DRIVES];     /* of the drives that the modelled host serves */
    struct network *network;        /* wires and back-ends; NULL: the machine has none */
    struct device *device[VM_MAX_DEVICES]; unsigned ndevices;
    struct intc *intc;              /* the interrupt controller, if the machine has one */
    struct vcpu *vcpu[VM_MAX_VCPUS]; unsigned nvcpus;
    unsigned current;               /* the processor whose turn it is; while paused: the one that is looked at */
    cycles_t turn_end;              /* with several processors: when it is over */
    u64 turn_state;                 /* what the length of the next turn is made from */
    enum vm_status status;
    enum vm_gait gait;
    int exit_status;                /* valid when VM_ENDED: see enum exit_status */
    char reason[2048];              /* valid when VM_ENDED: why, for people; may hold several lines */
    bool gives_way;                 /* it waits for another machine of this run: when it is idle, vm_run() returns, and: */
    bool waits;                     /* ... it did so for that reason */
    bool reset_requested;
    bool posts_interrupts;          /* the engine lets devices' interrupts reach the guest past the host */
    bool host_interrupted;          /* an interrupt for the host has come since the engine looked last */
    u64 exits[EXIT_KIND_COUNT];     /* of the run loop, counted */
    struct { enum exit_kind kind; cycles_t when; } recent_exit[VM_RECENT_EXITS]; /* a ring; exits_total says where */
    u64 exits_total;
    u64 wall_ns, started_ns;        /* host time spent in vm_run(), and when it was entered */
    struct pace pace;               /* virtual against the host's time, while vm_run() runs */
    bool in_guest;                  /* engine->run() is on the stack: a kick makes it come back */
    volatile sig_atomic_t interrupt; /* a signal's number, set by vm_interrupt() */
    unsigned phases;                /* of vm_new(), done */
};

/* Build the machine, load the guest, set the processor to its entry. The vm is heap storage; pair with vm_free().
 * Without a kernel the processor stands at its reset vector. NULL with *err. */
struct vm *vm_new(const struct vm_config *c, struct error *err);
void vm_free(struct vm *vm);

/* The one run loop: until the guest ends, a limit is reached, or vm_stop(). Returns the exit status.
 * It also returns when the guest is paused (status VM_PAUSED): by vm_pause(), a breakpoint, or the end of a step. */
int vm_run(struct vm *vm);
/* Pause the guest before its next instruction: for the pump, or before vm_run(). */
void vm_pause(struct vm *vm);
/* Let the next vm_run() go on. A step is over when one instruction has retired (all iterations of a string instruction, unless a
 * watchpoint is hit), or has faulted and the guest is at its handler. A halted guest waits for its interrupt first. */
void vm_resume(struct vm *vm, enum vm_gait gait);
/* End the VM with a status and a reason for people (printf). The first call wins. */
void vm_stop(struct vm *vm, int exit_status, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* Call say() for every file of the host that has not got all that it should have: disk images, captures. How many. */
unsigned vm_losses(struct vm *vm, void (*say)(const struct error *what));

/* Stop from a signal handler: the run loop ends the VM as soon as it comes back. */
void vm_interrupt(struct vm *vm, int signal);
/* Power-on again: devices, processors, engine state, and the guest loaded anew. RAM keeps what the loader does not
 * write, as on a real reset. On failure (the image is gone) the VM is stopped. */
void vm_reset(struct vm *vm);
/* Where the current processor stands, for people: "ring 0, 0008:00101234". Returns buf. */
const char *vm_describe_place(struct vm *vm, char *buf, size_t size);

/* For engines: the machine's port access, by the bus. Timers, wires and requests that it moved kick the vcpu. */
u64 vm_io_read(struct vm *vm, u16 port, unsigned size);
void vm_io_write(struct vm *vm, u16 port, unsigned size, u64 value);

static inline struct vcpu *vm_current(const struct vm *vm) { return vm->vcpu[vm->current]; }

/* For engines: is an external interrupt waiting, and which one (acknowledging it)? */
static inline bool vcpu_intr_pending(const struct vcpu *v) { return v->intr && !v->intr_held; }
u8 vcpu_intr_acknowledge(struct vcpu *v);
/* The same of a non-maskable one: may it be delivered now (SDM vol. 3, 6.7.1)? Taking it gives the event to deliver. */
static inline bool vcpu_nmi_pending(const struct vcpu *v)
{
    return v->nmi && !v->intr_held && !v->cpu.state.nmi_blocked && !v->cpu.state.movss_shadow;
}
struct trap vcpu_nmi_take(struct vcpu *v);

#endif
