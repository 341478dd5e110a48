/* SPDX-License-Identifier: MIT */
#include "pci.h"

enum { CONFIG_ADDRESS = 0xcf8, CONFIG_DATA = 0xcfc, ENABLE = 0x6 /* memory, master */, MSIX_ON = 1u << 31 };

u32 pci_read(u32 function, u8 reg)
{
    io_out32(CONFIG_ADDRESS, function | (reg & 0xfc));
    return io_in32(CONFIG_DATA);
}

void pci_write(u32 function, u8 reg, u32 value)
{
    io_out32(CONFIG_ADDRESS, function | (reg & 0xfc));
    io_out32(CONFIG_DATA, value);
}

u32 pci_find(u16 vendor, u16 device)
{
    for (u32 slot = 0; slot < 32; slot++) {
        u32 function = 0x80000000u | slot << 11;
        if (pci_read(function, 0) != ((u32)device << 16 | vendor))
            continue;
        pci_write(function, PCI_COMMAND, (pci_read(function, PCI_COMMAND) & 0xffff) | ENABLE);
        return function;
    }
    return PCI_NONE;
}

u8 pci_capability(u32 function, u8 id, u8 at)
{
    u8 next = at ? pci_read(function, at) >> 8 : pci_read(function, PCI_CAPABILITIES);
    while (next && (u8)pci_read(function, next) != id)
        next = pci_read(function, next) >> 8;
    return next;
}

_Bool pci_msix(u32 function, u32 n)
{
    u8 at = pci_capability(function, PCI_CAP_MSIX, 0);
    if (!at || !apic_start())
        return 0;
    u32 table = pci_read(function, at + 4);
    u32 volatile *entry = device_map((pci_read(function, PCI_BAR0 + 4 * (table & 7)) & ~15u) + (table & ~7u));
    entry[4 * n] = APIC_BASE;           /* to processor 0, physical destination (SDM vol. 3, 11.11.1) */
    entry[4 * n + 1] = 0;
    entry[4 * n + 2] = APIC_VECTOR;
    entry[4 * n + 3] = 0;
    pci_write(function, at, pci_read(function, at) | MSIX_ON);
    return 1;
}
