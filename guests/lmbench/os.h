/* SPDX-License-Identifier: MIT */
/*
 * A kernel with processes, as small as lmbench lets it be: fork with copy on write, demand paging of files and anonymous
 * memory, pipes, signals, exec. Nothing in these files knows whether it runs on a bare PC or on Xen: what differs is port.h.
 *
 * memory.c frames · space.c address spaces and page faults · task.c processes · file.c names, files, pipes · signal.c · call.c
 */
#ifndef LMBENCH_OS_H
#define LMBENCH_OS_H

#include "kernel.h"

#include "abi.h"

enum { EBADF = 9, EAGAIN = 11, ENOMEM = 12, EFAULT = 14, EINVAL = 22, EMFILE = 24, ENOENT = 2, ENOSYS = 38, ECHILD = 10 };
enum { PAGE = 4096 };

/* --- memory.c: frames of the pool, counted by who maps them ------------------------------------------ */

enum { POOL_PAGES = 2048 };
extern u8 pool[POOL_PAGES][PAGE];
void memory_start(void);
void *page_new(void);           /* one reference; contents undefined. The pool is large enough, or the kernel panics */
void *page_new_zeroed(void);
void *page_new_copy(const void *of);
void page_get(const void *page);
void page_put(const void *page);
u32 page_refs(const void *page);

/* --- space.c: address spaces ----------------------------------------------------------------------- */

typedef u64 entry_t;            /* of a page table: three levels of 512, SDM vol. 3, 4.4 */
enum { ENTRIES = 512, TABLES = 12 };

struct inode;
struct area { u32 start, end; _Bool writable, shared; struct inode *file; u32 file_page; struct area *next; };
struct space {
    entry_t *table[TABLES]; u32 ntables;    /* all pages that are tables of this space alone; [0] is the root */
    _Bool sealed;                           /* the processor may walk them */
    struct area *areas;                     /* by address */
};

void space_new(struct space *s);
struct area *space_add(struct space *s, u32 start, u32 pages, _Bool writable, _Bool shared, struct inode *file, u32 file_page);
void space_seal(struct space *s);           /* from now on it may be loaded; changes go through the port */
void space_copy(struct space *child, struct space *parent);
void space_free(struct space *s);           /* it is not loaded */
void space_remove(struct space *s, u32 start, u32 pages);
u32 space_room(struct space *s, u32 pages); /* an address for that many pages between MMAP_BASE and the stack */
void fault_handle(struct registers *r);     /* called by entry.S */
static inline _Bool user_range(u32 address, u32 len) { return address >= PROGRAM_BASE && address < STACK_TOP && len <= STACK_TOP - address; }

/* --- task.c: processes ------------------------------------------------------------------------------ */

enum { TASKS = 24, FILES = 128 };
enum task_state { TASK_FREE, TASK_READY, TASK_WAITING, TASK_ENDED };
struct file;
struct task {
    u32 esp;                    /* kernel stack pointer while another runs */
    enum task_state state;
    u8 *stack;                  /* a page */
    struct space space;
    struct task *parent, *next; /* next: in the queue of those that are ready */
    u32 pid, code;
    struct file *file[FILES];
    struct signal_action action[SIGNALS];
    u32 pending;                /* signals, by bit */
};
extern struct task *current;
void task_first(const char *path);          /* does not return */
void task_ready(struct task *t);
void task_wait(void);           /* give the processor away until task_ready() */
_Noreturn void task_exit(u32 code);
static inline struct registers *task_registers(struct task *t) { return (struct registers *)(t->stack + PAGE) - 1; }

/* --- file.c ----------------------------------------------------------------------------------------- */

enum { FILE_PAGES = 512, NAME_MOST = 24, PATH_MOST = 64 };
struct inode {
    char name[NAME_MOST];
    u32 hash, number, mode, size, opened;
    struct inode *parent, *chain;           /* chain: the same bucket of the table of names */
    const struct file_operations *operations;
    u8 *page[FILE_PAGES];                   /* contents; NULL: not touched yet */
};
struct file_operations {
    int (*read)(struct file *f, u8 *to, u32 len);
    int (*write)(struct file *f, const u8 *from, u32 len);
    _Bool (*readable)(struct file *f);
    void (*release)(struct file *f);
};
struct pipe;
struct file { u32 refs, position; struct inode *inode; struct pipe *pipe; const struct file_operations *operations; };
void files_start(void);
struct inode *inode_find(const char *path); /* NULL: no such name */
struct inode *inode_new(const char *path, u32 size, const struct file_operations *operations); /* NULL: it exists, or cannot */
u8 *inode_page(struct inode *i, u32 n);
struct file *file_of(u32 fd);
void files_copy(struct task *to, const struct task *from);
void files_close(struct task *t);

/* --- signal.c, call.c, entry.S -------------------------------------------------------------------------- */

void signal_deliver(struct registers *r);
void signal_force(u32 number);
#define DECLARE(name, arguments) int sys_##name(struct registers *r);
SYSTEM_CALLS(DECLARE)
#undef DECLARE
void enter_call(void), enter_fault(void), task_begin(void);
void context_switch(u32 *save_esp, u32 esp);

static inline void copy_words(void *to, const void *from, u32 bytes)
{
    u32 n = bytes / 4;
    __asm__ volatile("rep movsl" : "+D"(to), "+S"(from), "+c"(n) : : "memory");
}

#include "port.h"

#endif
