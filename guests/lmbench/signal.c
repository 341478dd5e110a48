/* SPDX-License-Identifier: MIT */
/* Signals: a frame on the program's stack, a handler that returns to a restorer, and a system call that takes the frame back. */
#include "os.h"

struct signal_frame { u32 restorer, number, registers_at; struct registers registers; };

int sys_sigaction(struct registers *r)
{
    u32 number = r->ebx;
    if (!number || number >= SIGNALS)
        return -EINVAL;
    if ((r->ecx && !user_range(r->ecx, sizeof(struct signal_action))) || (r->edx && !user_range(r->edx, sizeof(struct signal_action))))
        return -EFAULT;
    struct signal_action *action = &current->action[number], old = *action;
    if (r->ecx)
        copy_words(action, (void *)r->ecx, sizeof *action);
    if (r->edx)
        copy_words((void *)r->edx, &old, sizeof old);
    return 0;
}

int sys_kill(struct registers *r)
{
    if (r->ebx >= SIGNALS)
        return -EINVAL;
    if (r->ebx)
        current->pending |= 1u << r->ebx;
    return 0;
}

void signal_force(u32 number) { current->pending |= 1u << number; }

/* The way back to the program leads through its handler. */
static void enter_handler(struct registers *r, u32 number, const struct signal_action *action)
{
    struct signal_frame f = { .restorer = action->restorer, .number = number }, *to = (struct signal_frame *)r->esp - 1;
    if (!user_range((u32)to, sizeof f))
        task_exit(SIGSEGV);
    f.registers_at = (u32)&to->registers;
    copy_words(&f.registers, r, sizeof *r);
    copy_words(to, &f, sizeof f);
    r->esp = (u32)to;
    r->eip = action->handler;
}

void signal_deliver(struct registers *r)
{
    u32 number = __builtin_ctz(current->pending);
    const struct signal_action *action = &current->action[number];
    current->pending &= current->pending - 1;
    if (!action->handler)
        task_exit(number);
    enter_handler(r, number, action);
}

/* The restorer's stack pointer stands behind the return address. What may not be the program's to choose stays as it is. */
int sys_sigreturn(struct registers *r)
{
    struct signal_frame *f = (void *)(r->esp - 4);
    if (!user_range((u32)f, sizeof *f))
        task_exit(SIGSEGV);
    struct registers saved;
    copy_words(&saved, &f->registers, sizeof saved);
    saved.cs = r->cs;
    saved.ss = r->ss;
    saved.eflags = r->eflags;
    *r = saved;
    return r->eax;
}
