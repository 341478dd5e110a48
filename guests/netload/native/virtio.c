/* SPDX-License-Identifier: MIT */
#include "virtio.h"

enum { TYPE_COMMON = 1, TYPE_NOTIFY = 2, EVENT_IDX = 1u << 29, VERSION_1 = 1u << 0 /* of the high half */ };
enum { DEVICE_SELECT = 0, DEVICE_FEATURES = 4, DRIVER_SELECT = 8, DRIVER_FEATURES = 12, STATUS = 20, QUEUE_SELECT = 22, QUEUE_SIZE = 24, QUEUE_VECTOR = 26,
       QUEUE_ENABLE = 28, QUEUE_NOTIFY = 30, QUEUE_DESC = 32, QUEUE_DRIVER = 40, QUEUE_DEVICE = 48 };
enum { ACKNOWLEDGE = 1, DRIVER = 2, DRIVER_OK = 4, FEATURES_OK = 8 };

struct transport { u32 function; u8 *common, *bells; u32 step; };

#define FULL_BARRIER() __asm__ volatile("lock; orl $0, (%%esp)" : : : "memory")
#define WRITE_BARRIER() __asm__ volatile("" : : : "memory")

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

static void take_features(const struct transport *t, u32 features)
{
    put32(t->common + DEVICE_SELECT, 0);
    features = (features | EVENT_IDX) & *(u32 volatile *)(t->common + DEVICE_FEATURES);
    put32(t->common + DRIVER_SELECT, 0);
    put32(t->common + DRIVER_FEATURES, features);
    put32(t->common + DRIVER_SELECT, 1);
    put32(t->common + DRIVER_FEATURES, VERSION_1);
}

static void ring_start(const struct transport *t, struct vring *r, u32 index)
{
    put16(t->common + QUEUE_SELECT, index);
    r->size = get16(t->common + QUEUE_SIZE);
    r->size = r->size < VRING_MAX ? r->size : VRING_MAX;
    r->index = index;
    r->bell = (u16 volatile *)(t->bells + t->step * get16(t->common + QUEUE_NOTIFY));
    put16(t->common + QUEUE_SIZE, r->size);
    put16(t->common + QUEUE_VECTOR, 0);
    put32(t->common + QUEUE_DESC, (u32)r->descriptor);
    put32(t->common + QUEUE_DRIVER, (u32)&r->available);
    put32(t->common + QUEUE_DEVICE, (u32)&r->used);
    put16(t->common + QUEUE_ENABLE, 1);
}

_Bool virtio_start(u16 transitional, u16 modern, u32 features, struct vring *rings, u32 nrings)
{
    struct transport t = { .function = pci_find(0x1af4, transitional) };
    u8 at;
    t.function = t.function ? t.function : pci_find(0x1af4, modern);
    if (!t.function || !(t.common = area(t.function, TYPE_COMMON, &at)) || !(t.bells = area(t.function, TYPE_NOTIFY, &at)))
        return 0;
    t.step = pci_read(t.function, at + 16);
    put8(t.common + STATUS, 0);
    put8(t.common + STATUS, ACKNOWLEDGE);
    put8(t.common + STATUS, ACKNOWLEDGE | DRIVER);
    take_features(&t, features);
    put8(t.common + STATUS, ACKNOWLEDGE | DRIVER | FEATURES_OK);
    if (!(t.common[STATUS] & FEATURES_OK) || !pci_msix(t.function, 0))
        return 0;
    for (u32 i = 0; i < nrings; i++)
        ring_start(&t, &rings[i], i);
    put8(t.common + STATUS, ACKNOWLEDGE | DRIVER | FEATURES_OK | DRIVER_OK);
    return 1;
}

/* The event fields lie where the ring ends, which depends on its size. */
static u16 volatile *used_event(struct vring *r) { return &r->available.ring[r->size]; }
static u16 volatile *avail_event(struct vring *r) { return (u16 volatile *)&r->used.ring[r->size]; }

void vring_offer(struct vring *r, u16 head)
{
    r->available.ring[r->made++ & (r->size - 1)] = head;     /* a power of two (2.7) */
    WRITE_BARRIER();
    r->available.index = r->made;
}

/* 2.7.10: has `made` passed the event since the device was told last? */
void vring_kick(struct vring *r)
{
    u16 told = r->told;
    r->told = r->made;
    FULL_BARRIER();     /* the index is seen before the event is looked at */
    if ((u16)(r->made - *avail_event(r) - 1) < (u16)(r->made - told))
        *r->bell = r->index;
}

void vring_want(struct vring *r, u16 count)
{
    *used_event(r) = count - 1;
    FULL_BARRIER();
}
