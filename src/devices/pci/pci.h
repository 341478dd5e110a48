/* SPDX-License-Identifier: MIT */
/*
 * PCI bus 0 behind configuration mechanism 1 (ports CF8h and CFCh) with its host bridge, and the reset control
 * register at CF9h. A PCI device makes a struct pci_function, identifies it, gives it base address registers, and adds it.
 */
#ifndef EMU_DEVICES_PCI_H
#define EMU_DEVICES_PCI_H

#include "devices/device.h"

/* Offsets in configuration space (PCI Local Bus Specification 3.0, 6.1). */
enum { PCI_VENDOR = 0x00, PCI_DEVICE = 0x02, PCI_COMMAND = 0x04, PCI_STATUS = 0x06, PCI_REVISION = 0x08,
       PCI_CLASS = 0x09, PCI_HEADER_TYPE = 0x0e, PCI_BAR0 = 0x10, PCI_SUBSYSTEM_VENDOR = 0x2c, PCI_ROM_BAR = 0x30, PCI_CAPABILITIES = 0x34,
       PCI_INTERRUPT_LINE = 0x3c, PCI_INTERRUPT_PIN = 0x3d };
enum { PCI_COMMAND_IO = 0x0001, PCI_COMMAND_MEMORY = 0x0002, PCI_COMMAND_MASTER = 0x0004, PCI_COMMAND_INTX_OFF = 0x0400 };

/* A part of a memory BAR, whole pages, whose registers this process has in its own memory: a real device's. */
struct pci_window { u32 offset, size; u8 *hva; };

enum { PCI_BARS = 6, PCI_ROM = PCI_BARS /* the seventh is the expansion ROM's */, PCI_WINDOWS_MAX = 8 };

/* One base address register: where the guest puts it, the bus finds the device. */
struct pci_bar {
    const char *name;
    u32 size;               /* bytes, a power of two: I/O at least 4, memory at least 16, a ROM 2048; 0: no such register */
    bool io;
    const struct bus_ops *ops;
    void *dev;
    bool direct;            /* memory: the guest reaches the device past its monitor */
    struct pci_window window[PCI_WINDOWS_MAX]; unsigned nwindows; /* and these parts, while pci_show_windows() says so */
    u32 at;                 /* where it is on the bus, when it is */
    bool mapped, open;      /* open: with its windows */
};

struct pci_function;

/* Where a function's accesses and messages go, when it is not straight to memory and the local APICs: an IOMMU. */
struct pci_root {
    /* Where [address, address + len), which does not cross a page, is in our memory; NULL: refused. */
    u8 *(*dma)(struct pci_root *r, struct pci_function *f, u64 address, u64 len, bool write);
    void (*written)(struct pci_root *r, struct pci_function *f, u64 address, u64 len);
    void (*message)(struct pci_root *r, struct pci_function *f, u64 address, u32 data);
};

struct pci_function {
    u8 config[256];
    u8 writable[256];       /* the bits of each byte that a guest can change */
    struct pci_bar bar[PCI_BARS + 1];
    bool windows;           /* of the BARs: they are shown */
    /* After config[offset..offset+size) was written: a BAR moved, bus mastering was switched. NULL: nobody cares. */
    void (*written)(struct pci_function *f, u8 offset, unsigned size);
    /* Before config[offset..offset+size) is read: bytes that come from elsewhere. NULL: there are none. */
    void (*reading)(struct pci_function *f, u8 offset, unsigned size);
    void *dev;
    struct pci_bus *bus;    /* set by pci_add() */
    u8 devfn;
    bool intx;              /* the level of its interrupt pin */
    void *assigned;         /* on the host's bus, for the root: whose it is; on a guest's: it is a device of the host's. NULL: neither */
    cycles_t dma_cycles;    /* how long its DMA has taken since pci_dma_time(), where somebody counts that */
};

struct pci_bus {
    struct pci_function *function[256];     /* by devfn = device << 3 | function; owned by their devices */
    struct bus *bus;                        /* where BARs are mapped */
    struct irq pirq[4];                     /* the chipset's four interrupt wires; connected by whoever routes them */
    unsigned asserted[4];                   /* how many pins hold each */
    struct apic_bus *apic;                  /* where interrupt messages go; NULL: nowhere */
    struct pci_root *root;                  /* stands before memory and APICs; NULL: nobody */
    u8 number;                              /* of the bus, where there are several */
};

extern const struct device_ops pci_host_ops;

/* The bus behind the host bridge. d is the device of pci_host_ops. */
struct pci_bus *pci_host_bus(struct device *d);

/* Little-endian, for filling and reading config[] and writable[]. */
void pci_put(u8 *space, u8 offset, unsigned size, u32 value);
u32 pci_get(const u8 *space, u8 offset, unsigned size);
/* Vendor, device, class (24 bits: base, sub, interface). */
void pci_identify(struct pci_function *f, u16 vendor, u16 device, u32 class_code, u8 revision);
/* Give base address register n (0 to 5, or PCI_ROM); before pci_add(). name and ops are not copied. The command register becomes writable. */
void pci_set_bar(struct pci_function *f, unsigned n, const struct pci_bar *bar);
/* 0, or -1 with *err if the place is taken. */
int pci_add(struct pci_bus *b, unsigned slot, unsigned func, struct pci_function *f, struct error *err);
/* As after RST#: command, BARs and interrupt line zero, nothing mapped, the pin low. The rest is the device's to restore. */
void pci_reset(struct pci_function *f);
/* Where register n is. */
static inline u8 pci_bar_at(unsigned n) { return n == PCI_ROM ? PCI_ROM_BAR : PCI_BAR0 + 4 * n; }
/* May the guest's monitor map the windows of its BARs? */
void pci_show_windows(struct pci_function *f, bool show);
/* After config[] was changed by the device itself: map what is enabled now. */
void pci_update_bars(struct pci_function *f);

/* The function's interrupt pin (PCI_INTERRUPT_PIN says which). */
void pci_set_intx(struct pci_function *f, bool level);
/* Which of the four PIRQ wires a pin (1 to 4) of a slot is on. */
unsigned pci_pirq_of(unsigned slot, unsigned pin);

/* Bus-master access: only RAM can be reached (and read from ROM). False when it is another place, or mastering is off. */
bool pci_dma_read(const struct pci_function *f, gpa_t gpa, void *buf, u64 len);
bool pci_dma_write(const struct pci_function *f, gpa_t gpa, const void *buf, u64 len);
/* The same without a copy: where [gpa, gpa + len), which must not cross a page, is in our memory; NULL where nothing can be reached.
 * After having written there: pci_dma_written(). */
u8 *pci_dma_ptr(const struct pci_function *f, gpa_t gpa, u64 len, bool write);
void pci_dma_written(const struct pci_function *f, gpa_t gpa, u64 len);
/* How long the function's DMA has taken since this was asked last. */
cycles_t pci_dma_time(struct pci_function *f);

#endif
