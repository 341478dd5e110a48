/* SPDX-License-Identifier: MIT */
/* The processor's functions: requests to the emulator (src/cli/grade/grade_vmx.c), by a port. */
#include "lab6.h"
#include "world.h"

enum { LAB_PORT = 0xe0f0 };
enum op { VMREAD, VMWRITE, VMLAUNCH, VMRESUME, VMCLEAR, INVEPT, INVVPID, RDMSR, ALLOC, LOAD, STORE, GET, SET, COUNT };
struct request { u32 op; int word; u64 number, argument, value; int result; u32 unused; };

static struct request ask(enum op op, int word, u64 number, u64 argument)
{
    struct request r = { op, word, number, argument, 0, 0, 0 };
    __asm__ volatile("outl %0, %w1" : : "a"(&r), "Nd"(LAB_PORT) : "memory");
    return r;
}

int vmread(u32 field, u64 *value)
{
    struct request r = ask(VMREAD, 0, field, 0);
    *value = r.value;
    return r.result;
}

int vmwrite(u32 field, u64 value) { return ask(VMWRITE, 0, field, value).result; }
int vmlaunch(void) { return ask(VMLAUNCH, 0, 0, 0).result; }
int vmresume(void) { return ask(VMRESUME, 0, 0, 0).result; }
void vmclear(void) { ask(VMCLEAR, 0, 0, 0); }
int invept(u32 type, u64 eptp) { return ask(INVEPT, 0, type, eptp).result; }
int invvpid(u32 type, u16 vpid, u64 gva) { return ask(INVVPID, vpid, type, gva).result; }
u64 rdmsr(u32 msr) { return ask(RDMSR, 0, msr, 0).value; }
u64 register_read(u32 number) { return ask(GET, 0, number, 0).value; }
void register_write(u32 number, u64 value) { ask(SET, 0, number, value); }
u32 counter(enum counter c) { return ask(COUNT, 0, c, 0).value; }

u64 frame_alloc(void)
{
    struct request r = ask(ALLOC, 0, 0, 0);
    if (r.result)
        kernel_panic("no frame is free");
    return r.value;
}

static void check(const struct request *r)
{
    if (!r->result)
        return;
    print("hpa %x%x: no memory is there, or it is no multiple of 8\n", (u32)(r->number >> 32), (u32)r->number);
    kernel_panic("a bad hpa");
}

u64 host_read(u64 hpa)
{
    struct request r = ask(LOAD, 0, hpa, 0);
    check(&r);
    return r.value;
}

void host_write(u64 hpa, u64 value)
{
    struct request r = ask(STORE, 0, hpa, value);
    check(&r);
}
