/* SPDX-License-Identifier: MIT */
/*
 * What a lab's guest may ask of the machine that grades it, beyond a PC: the students' own monitors run in the guest, and drive a
 * processor that is modelled beside it. So their code is only ever a guest, and its limits are guest instructions.
 *
 *     "kvm"   grade_kvm.c: the ioctls of <linux/kvm.h> (lab 5)
 *     "vmx"   grade_vmx.c: VMREAD, VMWRITE, VMLAUNCH, INVEPT, INVVPID (lab 6)
 *     "e1000", "virtio-net"   grade_nic.c: an adapter in the machine itself, and a far end that looks at what comes (lab 7)
 *     "vhost" grade_vhost.c: the machine that a vhost worker serves: its memory, eventfds, ioeventfd, irqfd (lab 8)
 *     "iommu" grade_iommu.c: an IOMMU, the memory of two guests, functions that can be given to them (lab 9)
 *
 * The guest writes the address of a request into a port, as 4 bytes; the answer is in the request when OUT has been executed.
 */
#ifndef EMU_CLI_GRADE_SERVICE_H
#define EMU_CLI_GRADE_SERVICE_H

#include "base/error.h"
#include "base/ledger.h"

#define SERVICE_PORT 0xe0f0

struct service_request {
    u32 op;
    s32 fd;
    u64 number, arg;
    u64 value;              /* answer */
    s32 result;             /* answer: 0 or more; less: an error */
    u32 unused;
};

struct json_t;
struct physmap;
struct service;
struct vm;
struct vm_config;

struct service_ops {
    const char *name;
    int (*start)(struct service *s, struct error *err); /* fills s->self */
    void (*call)(struct service *s, struct service_request *r);
    void (*end)(struct service *s);
    void (*machine)(struct vm_config *c);               /* what the asking machine is to have beside; NULL: nothing */
    void (*attach)(struct service *s);                  /* that machine, s->asker, is there now; NULL: all the same */
    void (*say)(struct service *s, char *to, size_t size); /* at the end: lines for the console's end. NULL: none */
};
extern const struct service_ops service_kvm, service_vmx, service_e1000, service_virtio_net, service_vhost, service_iommu;

struct service {
    const struct service_ops *ops;
    void *self;                         /* the ops' own */
    struct physmap *memory;             /* of the guest that asks */
    struct ledger *ledger;              /* of what it drives; set by start() */
    u64 work;                           /* that its answers have cost, in guest instructions: who asks for ever comes to its limit */
    u64 max_insns;
    struct vm *asker;
};

/* Is there one of that name? */
const struct service_ops *service_find(const char *name);
/* NULL with *err. Beyond max_insns of both together, work included, the asking guest is stopped. */
struct service *service_new(const struct service_ops *ops, u64 max_insns, struct error *err);
int service_attach(struct service *s, struct vm *asker, struct error *err);
void service_free(struct service *s);
/* Guest instructions of what it drives. */
u64 service_insns(const struct service *s);
/* It has done what so many guest instructions would take. */
void service_charge(struct service *s, u64 insns);
/* True: the limit is reached, and the asking guest is being stopped. */
bool service_over(struct service *s);

/* Its memory by the guest's physical address, which is the linear one; false: that is not all memory. */
bool service_read(const struct service *s, u64 at, void *to, u64 len);
bool service_write(const struct service *s, u64 at, const void *from, u64 len);

#endif
