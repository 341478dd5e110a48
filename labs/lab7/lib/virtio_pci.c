/* SPDX-License-Identifier: MIT */
#include "virtio.h"

enum { TYPE_COMMON = 1, TYPE_NOTIFY = 2, EVENT_IDX = 1u << 29, F_MAC = 1 << 5, VERSION_1 = 1u << 0 /* of the high half */ };
enum { DEVICE_SELECT = 0, DEVICE_FEATURES = 4, DRIVER_SELECT = 8, DRIVER_FEATURES = 12, STATUS = 20, QUEUE_SELECT = 22, QUEUE_SIZE = 24, QUEUE_VECTOR = 26,
       QUEUE_ENABLE = 28, QUEUE_NOTIFY = 30, QUEUE_DESC = 32, QUEUE_DRIVER = 40, QUEUE_DEVICE = 48 };
enum { ACKNOWLEDGE = 1, DRIVER = 2, DRIVER_OK = 4, FEATURES_OK = 8 };

static void put8(u8 *at, u8 value) { *(u8 volatile *)at = value; }
static void put16(u8 *at, u16 value) { *(u16 volatile *)at = value; }
static void put32(u8 *at, u32 value) { *(u32 volatile *)at = value; }
static u16 get16(u8 *at) { return *(u16 volatile *)at; }

/* Where a vendor capability of that type points to. */
static u8 *area(u32 function, u8 type, u8 *at)
{
    for (*at = 0; (*at = pci_capability(function, PCI_CAP_VENDOR, *at));)
        if (pci_read(function, *at) >> 24 == type)
            return (u8 *)device_map((pci_read(function, PCI_BAR0 + 4 * (pci_read(function, *at + 4) & 7)) & ~15u) + pci_read(function, *at + 8));
    return 0;
}

static void take_features(u8 *common)
{
    put32(common + DEVICE_SELECT, 0);
    u32 offered = *(u32 volatile *)(common + DEVICE_FEATURES);
    put32(common + DRIVER_SELECT, 0);
    put32(common + DRIVER_FEATURES, offered & (EVENT_IDX | F_MAC));
    put32(common + DRIVER_SELECT, 1);
    put32(common + DRIVER_FEATURES, VERSION_1);
}

static u16 give_ring(u8 *common, struct vring *r)
{
    put16(common + QUEUE_SELECT, VIRTIO_NET_TX);
    put16(common + QUEUE_SIZE, VRING_SIZE);
    put16(common + QUEUE_VECTOR, 0);
    put32(common + QUEUE_DESC, (u32)r->descriptor);
    put32(common + QUEUE_DRIVER, (u32)&r->available);
    put32(common + QUEUE_DEVICE, (u32)&r->used);
    put16(common + QUEUE_ENABLE, 1);
    return get16(common + QUEUE_NOTIFY);
}

u16 volatile *virtio_net_start(struct vring *ring)
{
    u32 function = pci_find(0x1af4, 0x1000);    /* transitional */
    u8 at, *common, *bells;
    if (!function || !(common = area(function, TYPE_COMMON, &at)) || !(bells = area(function, TYPE_NOTIFY, &at)))
        return 0;
    put8(common + STATUS, 0);
    put8(common + STATUS, ACKNOWLEDGE);
    put8(common + STATUS, ACKNOWLEDGE | DRIVER);
    take_features(common);
    put8(common + STATUS, ACKNOWLEDGE | DRIVER | FEATURES_OK);
    if (!(common[STATUS] & FEATURES_OK) || !pci_msix(function, 0))
        return 0;
    u16 bell = give_ring(common, ring);
    put8(common + STATUS, ACKNOWLEDGE | DRIVER | FEATURES_OK | DRIVER_OK);
    return (u16 volatile *)(bells + pci_read(function, at + 16) * bell);
}
