/* SPDX-License-Identifier: MIT */
/* The kernel's functions: requests to the emulator (src/cli/grade/grade_vhost.c), by a port. */
#include "world.h"

enum { LAB_PORT = 0xe0f0 };
enum op { SETUP, READ, WRITE, EVENTFD, IOEVENTFD, IRQFD, SIGNAL, WAIT, SEND, BROKEN };
struct request { u32 op; int word; u64 number, argument, value; int result; u32 unused; };

static int ask(enum op op, int word, u64 number, u64 argument)
{
    struct request r = { op, word, number, argument, 0, 0, 0 };
    __asm__ volatile("outl %0, %w1" : : "a"(&r), "Nd"(LAB_PORT) : "memory");
    return r.result;
}

_Bool guest_read(u64 gpa, void *to, u32 len) { return ask(READ, len, gpa, (u32)to) == 0; }
_Bool guest_write(u64 gpa, const void *from, u32 len) { return ask(WRITE, len, gpa, (u32)from) == 0; }
int eventfd(void) { return ask(EVENTFD, 0, 0, 0); }
void eventfd_signal(int fd) { ask(SIGNAL, fd, 0, 0); }
_Bool eventfd_wait(int fd) { return ask(WAIT, fd, 0, 0) == 1; }
void kvm_ioeventfd(int fd, const struct ioeventfd *e) { ask(IOEVENTFD, fd, e->address, (e->len & 0xff) | e->match << 8 | (u64)e->value << 32); }
void kvm_irqfd(int fd, u32 gsi) { ask(IRQFD, fd, gsi, 0); }
void wire_send(const void *frame, u32 len) { ask(SEND, len, 0, (u32)frame); }
void ring_broken(enum broken why) { ask(BROKEN, 0, why, 0); }

void world_run(u32 script)
{
    struct setup s;
    ask(SETUP, 0, script, (u32)&s);
    vhost_start(&s);
    vhost_worker();
}
