/* SPDX-License-Identifier: MIT */
/* Processes: who runs, fork, exec, exit, wait. Nobody is interrupted: a process runs until it waits for something. */
#include "os.h"

struct task *current;
static struct task tasks[TASKS], *ready, **ready_end = &ready;
static u32 pids;

static u8 *stack_top(const struct task *t) { return t->stack + PAGE; }

/* --- who runs ------------------------------------------------------------------------------------------- */

void task_ready(struct task *t)
{
    if (t->state != TASK_WAITING)
        return;
    t->state = TASK_READY;
    t->next = 0;
    *ready_end = t;
    ready_end = &t->next;
}

static void schedule(void)
{
    struct task *before = current, *next = ready;
    if (!next)
        kernel_panic("all processes wait");
    ready = next->next;
    if (!ready)
        ready_end = &ready;
    if (next == before)
        return;
    current = next;
    port_switch(next->space.table[0], stack_top(next));
    context_switch(&before->esp, next->esp);
}

void task_wait(void)
{
    current->state = TASK_WAITING;
    schedule();
}

/* --- birth ---------------------------------------------------------------------------------------------- */

static struct task *task_new(void)
{
    for (struct task *t = tasks; t < tasks + TASKS; t++)
        if (t->state == TASK_FREE) {
            *t = (struct task){ .state = TASK_WAITING, .stack = page_new(), .pid = ++pids, .parent = current };
            return t;
        }
    return 0;
}

/* Its stack is as context_switch() would have left it: four registers and where to go on. */
static void task_prepare(struct task *t)
{
    u32 *sp = (u32 *)task_registers(t);
    *--sp = (u32)task_begin;
    t->esp = (u32)(sp - 4);
}

int sys_fork(struct registers *r)
{
    struct task *t = task_new();
    if (!t)
        return -EAGAIN;
    struct registers *child = task_registers(t);
    *child = *r;
    child->eax = 0;
    task_prepare(t);
    for (u32 i = 0; i < SIGNALS; i++)
        t->action[i] = current->action[i];
    files_copy(t, current);
    space_copy(&t->space, &current->space);
    task_ready(t);
    return t->pid;
}

/* --- exec ----------------------------------------------------------------------------------------------- */

static u32 pages_of(u32 from, u32 to) { return (to - from + PAGE - 1) / PAGE; }

static void map_program(struct space *s, struct inode *program, const struct program_header *h)
{
    struct inode *library = inode_find("/lib/libc");
    u32 text = pages_of(PROGRAM_BASE, h->text_end), data = pages_of(h->text_end, h->data_end);
    space_add(s, PROGRAM_BASE, text, 0, 0, program, 0);
    space_add(s, PROGRAM_BASE + text * PAGE, data, 1, 0, program, text);
    space_add(s, PROGRAM_BASE + (text + data) * PAGE, pages_of(h->data_end, h->bss_end), 1, 0, 0, 0);
    space_add(s, LIBRARY_BASE, LIBRARY_TEXT, 0, 0, library, 0);
    space_add(s, LIBRARY_BASE + LIBRARY_TEXT * PAGE, LIBRARY_DATA, 1, 0, library, LIBRARY_TEXT);
    space_add(s, STACK_TOP - STACK_PAGES * PAGE, STACK_PAGES, 1, 0, 0, 0);
}

static void registers_start(struct registers *r, const struct program_header *h, u32 argument)
{
    *r = (struct registers){ .eip = h->entry, .cs = PORT_USER_CS, .eflags = PORT_USER_FLAGS, .esp = STACK_TOP, .ss = PORT_USER_DS, .eax = argument };
}

static _Bool start_program(struct task *t, struct inode *program, u32 argument)
{
    const struct program_header *h = (void *)inode_page(program, 0);
    if (h->magic != PROGRAM_MAGIC)
        return 0;
    space_new(&t->space);
    map_program(&t->space, program, h);
    space_seal(&t->space);
    registers_start(task_registers(t), h, argument);
    return 1;
}

int sys_exec(struct registers *r)
{
    char path[PATH_MOST];
    u32 argument = r->ecx;
    if (!user_range(r->ebx, PATH_MOST))
        return -EFAULT;
    copy_words(path, (void *)r->ebx, PATH_MOST);
    path[PATH_MOST - 1] = 0;
    struct inode *program = inode_find(path);
    if (!program)
        return -ENOENT;
    port_load_kernel();
    space_free(&current->space);
    for (u32 i = 0; i < SIGNALS; i++)
        current->action[i] = (struct signal_action){ 0 };
    if (!start_program(current, program, argument))
        kernel_panic("not a program");
    port_switch(current->space.table[0], stack_top(current));
    return argument;
}

/* --- death ---------------------------------------------------------------------------------------------- */

_Noreturn void task_exit(u32 code)
{
    struct task *t = current;
    port_load_kernel();
    space_free(&t->space);
    files_close(t);
    t->code = code;
    t->state = TASK_ENDED;
    if (!t->parent)
        kernel_exit(code);
    task_ready(t->parent);      /* if it waits for something else, it looks again */
    schedule();
    kernel_panic("a process went on after its end");
}

int sys_exit(struct registers *r) { task_exit(r->ebx); }

static struct task *ended_child(void)
{
    for (struct task *t = tasks; t < tasks + TASKS; t++)
        if (t->state == TASK_ENDED && t->parent == current)
            return t;
    return 0;
}

static _Bool has_child(void)
{
    for (struct task *t = tasks; t < tasks + TASKS; t++)
        if (t->state != TASK_FREE && t->parent == current)
            return 1;
    return 0;
}

int sys_wait(struct registers *r)
{
    struct task *t;
    if (!has_child())
        return -ECHILD;
    while (!(t = ended_child()))
        task_wait();
    int code = t->code;
    page_put(t->stack);
    t->state = TASK_FREE;
    return code;
}

int sys_getppid(struct registers *r) { return current->parent ? current->parent->pid : 0; }

void task_first(const char *path)
{
    static u32 nowhere;
    struct task *t = task_new();
    task_prepare(t);
    files_copy(t, 0);
    if (!start_program(t, inode_find(path), 0))
        kernel_panic("no first program");
    current = t;
    port_switch(t->space.table[0], stack_top(t));
    context_switch(&nowhere, t->esp);
}
