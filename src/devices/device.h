/* SPDX-License-Identifier: MIT */
/*
 * A device: a row of ops and its state. State is plain data, host handles apart, so that snapshots
 * and replay can come without touching every file again. Devices know bus, clock, wires and back-ends; no engine.
 */
#ifndef EMU_DEVICES_DEVICE_H
#define EMU_DEVICES_DEVICE_H

#include <stdio.h>

#include "base/clock.h"
#include "devices/bus.h"
#include "devices/irq.h"
#include "devices/shortcut.h"

struct apic_bus;
struct device;
struct block;
struct chardev;
struct dma;
struct fwcfg;
struct intc;
struct ledger;
struct net_wire;
struct pci_bus;
struct vhost;

enum platform_request {
    REQUEST_POWEROFF,
    REQUEST_RESET,      /* port 92, keyboard controller, port CF9 */
    REQUEST_EXIT,       /* debug-exit: value is emu's exit status, (v << 1) | 1 */
    REQUEST_A20,        /* value: 1 on, 0 off */
};

/* A network adapter that the user asked for; each model's device takes its own. */
enum nic_model { NIC_NONE, NIC_E1000, NIC_VIRTIO, NIC_VIF /* half of one: the guest has a driver for Xen's netif, the engine the other half */, NIC_MODELS };
enum { NICS_MAX = 8, VIRTIO_SLOTS_MAX = 8, VIRTIO_DEVICES_MAX = NICS_MAX + VIRTIO_SLOTS_MAX, VIRTIO_DISK_QUEUES = 8, VIRTIO_NET_PAIRS = 4, VIRTIO_PORTS_MAX = 6 /* at most, of one device */ };
/* What the user wants of a virtio device's interface: both of them, and split rings, if nothing is said. */
struct virtio_flavor { bool packed, no_legacy, no_modern, no_ioeventfd, mmio /* not a PCI function: registers and an interrupt line */; };
/* Where a device without a bus is: what nobody can find, and firmware tells. */
struct virtio_place { gpa_t gpa; u32 len; u8 irq; };
struct nic {
    enum nic_model model;
    u8 mac[6];
    u8 slot;                        /* of PCI bus 0; 0: its device chooses by its place in the list */
    struct net_wire *wire;          /* NULL: no cable */
    struct virtio_flavor virtio;
    struct vhost *vhost;            /* of NIC_VIRTIO: who serves its rings, and then there is no wire; NULL: nobody */
    unsigned pairs;                 /* of NIC_VIRTIO: receive and transmit queues; 0: one */
    u16 queue_size;                 /* of NIC_VIRTIO: entries of each, a power of two; 0: as it has by itself */
};

/* A device of the modelled host, or of the computer that we run on, that is given to the guest. */
enum { VFIO_SLOTS_MAX = 8 };
struct host_device;
struct vfio_calls;
struct vfio_host;
struct vfio_real_set;
struct vfio_slot {
    struct host_device *device;     /* of the modelled host, or */
    const char *address;            /* ... of this computer, "0000:01:10.0": then `device` is NULL */
    bool no_rom;                    /* ... without its expansion ROM */
    u8 slot;                        /* of PCI bus 0; 0: its device chooses by its place in the list */
    struct net_wire *wire;          /* what its port is plugged into; NULL: no cable */
};

/* A port of the virtio console beside its first: a line that has a name. */
struct virtio_port { struct chardev *line; const char *name; };

/* A virtio device other than a network adapter. */
enum virtio_model { VIRTIO_NONE, VIRTIO_BLK, VIRTIO_RNG, VIRTIO_CONSOLE, VIRTIO_VHOST_BLK, VIRTIO_BALLOON, VIRTIO_KEYBOARD, VIRTIO_TABLET };
struct virtio_slot {
    enum virtio_model model;
    u8 slot;                        /* of PCI bus 0; 0: the first that is free */
    struct virtio_flavor flavor;
    struct block *image;            /* VIRTIO_BLK */
    const char *serial;             /* ... its number; NULL: none */
    struct chardev *line;           /* VIRTIO_CONSOLE; NULL: what is written goes nowhere */
    struct virtio_port port[VIRTIO_PORTS_MAX]; unsigned nports;     /* ... more of them */
    u64 seed;                       /* VIRTIO_RNG: the same seed, the same bytes */
    struct vhost *vhost;            /* VIRTIO_VHOST_BLK: who has the disk */
    unsigned queues;                /* VIRTIO_BLK, VIRTIO_VHOST_BLK: as many, if there are so many; 0: one */
};

/* What a processor is told beside its interrupt wire. */
enum cpu_signal { CPU_SIGNAL_NMI, CPU_SIGNAL_INIT, CPU_SIGNAL_STARTUP /* the vector is the page where it starts */ };

/* Who hears of an EOI for a level-triggered interrupt. */
struct apic_eoi { void (*told)(void *ioapic, u8 vector); void *ioapic; };

/* What the machine offers to a device while it is set up. */
struct platform {
    struct bus *bus;
    struct physmap *map;
    struct clock *clock;
    const struct tracer *tracer;
    struct irq isa_irq[16];         /* wires into the interrupt controller; filled in by its create(), which runs first */
    struct irq cpu_intr;            /* the controller's wire to the processor; filled in by the machine: its line is the processor's
                                     * number. The local APICs stand before it: then it is the wire to their LINT0 */
    bool has_apic;                  /* the processors have local APICs, and the board an I/O APIC */
    unsigned ncpus;                 /* 0: one */
    const unsigned *this_cpu;       /* the processor whose turn it is: the one that makes the access. NULL: the first */
    void (*cpu_signal)(void *machine, unsigned cpu, enum cpu_signal s, u8 vector); /* NULL: nobody listens */
    struct apic_bus *apic;          /* published by the local APICs; NULL: there are none */
    struct apic_eoi apic_eoi;       /* published by the I/O APIC */
    struct shortcuts *shortcuts;    /* the machine's; NULL: nobody could take them up */
    struct intc *intc;              /* the controller itself; filled in by its create(). NULL: none */
    struct pci_bus *pci;            /* bus 0, published by the host bridge's create(). NULL: the machine has none */
    struct chardev *serial[4];      /* back-end of COM1..COM4; NULL: none */
    struct chardev *parallel;       /* back-end of the printer port; NULL: there is none */
    struct chardev *debugcon;       /* where firmware's messages go; NULL: nowhere */
    struct device *keyboard;        /* published by the keyboard controller; NULL: there is none */
    struct dma *dma;                /* published by the DMA controllers' create() */
    struct fwcfg *fwcfg;            /* published by fw_cfg's create() */
    const u8 *bios; u64 bios_size;  /* the firmware's ROM, seen at the end of 4 GiB; NULL: none, and upper memory is plain RAM */
    u64 ram_size;                   /* bytes */
    /* requests to the machine, by devices that turn it off, reset it, or end the run */
    void (*request)(void *machine, enum platform_request r, int value);
    void *machine;
    u16 debug_exit_port; u8 debug_exit_size;
    struct { struct block *image; bool is_cd; } ide[4]; /* first channel 0 and 1, second 2 and 3; image NULL: no drive */
    struct nic nic[NICS_MAX];
    struct virtio_slot virtio[VIRTIO_SLOTS_MAX];
    struct virtio_place virtio_mmio[VIRTIO_DEVICES_MAX]; unsigned nvirtio_mmio;     /* published by the virtio devices */
    struct vfio_slot vfio[VFIO_SLOTS_MAX]; unsigned nvfio;
    struct vfio_host *vfio_host;    /* whose devices these are */
    const struct vfio_calls *vfio_calls;    /* of those of this computer: who is its kernel; NULL: the real one */
    struct vfio_real_set *vfio_real;        /* published by their create(); NULL: there are none */
    bool no_iommu;                  /* the guest is the host itself: nothing stands between devices and memory */
    const bool *posting;            /* can its engine take interrupts past the host? NULL: no */
    void (*host_interrupt)(void *machine); /* an interrupt for the host has come on the processor that runs the guest; NULL: nobody cares */
    struct ledger *ledger;          /* what is counted; NULL: nothing is */
    struct block *floppy[2];        /* NULL: no drive, but for the first if the second is there */
    const char *boot;               /* letters of the boot order: a, c, d, n; NULL: none is told */
    s64 rtc_base;                   /* seconds since 1970 that the RTC shows at power-on */
};

struct device_ops {
    const char *name, *help;
    /* Allocate and register on p->bus. NULL with *err on failure. Wires in p are copied; an interrupt
     * controller publishes its own in p. */
    struct device *(*create)(struct platform *p, struct error *err);
    void (*reset)(struct device *d);
    void (*destroy)(struct device *d);
    void (*info)(const struct device *d, FILE *out);    /* for `info devices`; may be NULL */
};

/* The head of every device's own struct. */
struct device {
    const struct device_ops *ops;
};

/* For create(): zeroed storage of `size` bytes whose head is a struct device of these ops; free() it in destroy().
 * NULL with *err when there is no memory. */
void *device_new(const struct device_ops *ops, size_t size, struct error *err);

/* Ask the machine for something; dropped if nobody listens (a test). */
static inline void platform_ask(const struct platform *p, enum platform_request r, int value)
{
    if (p->request)
        p->request(p->machine, r, value);
}

/* Where characters go and come from: a terminal, a file, a buffer, a scripted test. */
struct chardev {
    void (*write)(struct chardev *c, u8 byte);
    int (*read)(struct chardev *c);     /* a byte, or -1 when there is none now */
    /* set by the device: called by the back-end (from the run loop, never a signal) when bytes have come */
    void (*ready)(void *dev);
    void *dev;
    /* The run loop calls it between slices: look for input without waiting, call ready() if there is some. NULL: no input
     * comes from outside. fd: what an idle run loop may wait on besides, -1: nothing. */
    void (*poll)(struct chardev *c);
    int fd;
    int error;                          /* errno of a byte that could not be written where it should go; 0: none was lost */
    /* for the owner: give everything back; may be NULL. See devices/serial/chardev.h */
    void (*close)(struct chardev *c);
};

/* The interrupt controller's other side, for the run loop: which vector does the processor get? */
struct intc {
    bool (*pending)(struct intc *i);    /* INTR is raised */
    u8 (*acknowledge)(struct intc *i);  /* INTA cycle: returns the vector */
};

/* The PC's devices in start-up order, NULL-ended: the one explicit array. */
extern const struct device_ops *const pc_devices[];

#endif
