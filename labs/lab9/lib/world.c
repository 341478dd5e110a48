/* SPDX-License-Identifier: MIT */
/* The host's functions: requests to the emulator (src/cli/grade/grade_iommu.c), by a port. */
#include "world.h"

enum { LAB_PORT = 0xe0f0 };
enum op { FRAME, LOAD, STORE, REG_READ, REG_WRITE, OWNER, DMA };
struct request { u32 op; int word; u64 number, argument, value; int result; u32 unused; };

const struct device devices[DEVICES] = {
    { "82576 VF 01:10.0", 0x0180, 2 }, { "82576 VF 01:10.2", 0x0182, 3 }, { "82540EM 03:01.0", 0x0300, 10 }, { "82540EM 03:02.0", 0x0300, 10 },
};

static struct request ask(enum op op, int word, u64 number, u64 argument)
{
    struct request r = { op, word, number, argument, 0, 0, 0 };
    __asm__ volatile("outl %0, %w1" : : "a"(&r), "Nd"(LAB_PORT) : "memory");
    return r;
}

u64 iommu_read(u32 offset, u32 bytes) { return ask(REG_READ, bytes, offset, 0).value; }
void iommu_write(u32 offset, u32 bytes, u64 value) { ask(REG_WRITE, bytes, offset, value); }

u64 frame_alloc(void)
{
    struct request r = ask(FRAME, 0, 0, 0);
    if (r.result)
        kernel_panic("no frame is free");
    return r.value;
}

static u64 checked(struct request r)
{
    if (r.result) {
        print("hpa %x%x: no memory is there, or it is no multiple of 8\n", (u32)(r.number >> 32), (u32)r.number);
        kernel_panic("a bad hpa");
    }
    return r.value;
}

u64 host_read(u64 hpa) { return checked(ask(LOAD, 0, hpa, 0)); }
void host_write(u64 hpa, u64 value) { checked(ask(STORE, 0, hpa, value)); }

/* 37 and 64 have no divisor in common. */
u64 guest_frame(u32 vm, u32 page) { return ((u64)(vm + 1) << 32) + (page * 37 + 11) % PAGES * 4096; }

static int dma(u32 device, u64 address, void *data, u32 len, u32 write) { return ask(DMA, len | device << 16 | write << 20, address, (u32)data).result; }
int dma_read(u64 address, void *to, u32 len) { return dma(0, address, to, len, 0); }
int dma_write(u64 address, const void *from, u32 len) { return dma(0, address, (void *)from, len, 1); }

u32 guest_word(u32 vm, u32 gpa) { return host_read(guest_frame(vm, gpa >> 12) + (gpa & 0xff8)); }
void guest_set(u32 vm, u32 gpa, u32 value) { host_write(guest_frame(vm, gpa >> 12) + (gpa & 0xff8), value); }

/* --- who has what, as the world sees it --- */

static signed char owner[DEVICES] = { -1, -1, -1, -1 };

static void set_owner(u32 device, int vm)
{
    owner[device] = vm;
    ask(OWNER, vm, device, 0);
}

void say_assign(u32 vm, u32 n, const u32 *device)
{
    int result = vm_assign(vm, device, n);
    for (u32 i = 0; i < n && !result; i++)
        set_owner(device[i], vm);
    print(result < 0 ? "@lab9 machine %u, %u devices from %s on: refused, -%u\n" : "@lab9 machine %u, %u devices from %s on: %u\n", vm, n, devices[device[0]].name,
          (u32)(result < 0 ? -result : result));
}

void say_release(u32 vm)
{
    vm_release(vm);
    for (u32 i = 0; i < DEVICES; i++)
        if (owner[i] == (int)vm)
            set_owner(i, -1);
}

/* --- what a device does --- */

void say_faults(void)
{
    for (u32 i = 0; i < 8; i++) {
        u64 low = iommu_read(FRCD + 16 * i, 8), high = iommu_read(FRCD + 16 * i + 8, 8);
        if (!(high >> 63))
            continue;
        print("@fault %s of page %x by %x\n", high >> 62 & 1 ? "read" : "write", (u32)(low >> 12), (u32)high & 0xffff);
        iommu_write(FRCD + 16 * i + 8, 8, 1ull << 63);
    }
}

static void say(const char *what, u32 device, u64 address, u32 value, int result)
{
    print("@dma %s %s of page %x: %s, %x\n", devices[device].name, what, (u32)(address >> 12), result ? "refused" : "done", value);
    say_faults();
}

void say_write(u32 device, u64 address, u32 value)
{
    u64 data = value;
    say("write", device, address, value, dma(device, address, &data, 8, 1));
}

void say_read(u32 device, u64 address)
{
    u64 data = 0;
    int result = dma(device, address, &data, 8, 0);
    say("read", device, address, result ? 0 : (u32)data, result);
}
