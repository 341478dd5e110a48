/* SPDX-License-Identifier: MIT */
/* System calls, files, signals: what enters the kernel and leaves it again. lmbench's lat_syscall and lat_sig. */
#include "program.h"

enum { COUNT = 400 };

/* --- calls ---------------------------------------------------------------------------------------------- */

static int zero_fd;
static char byte;
static const char types_h[64] = "/usr/include/sys/types.h", dev_zero[64] = "/dev/zero", no_such[64] = "/no/such";

static void null_call(void) { call0(SYS_getppid); }
static void null_read(void) { call3(SYS_read, zero_fd, (unsigned)&byte, 1); }
static void null_write(void) { call3(SYS_write, zero_fd, (unsigned)&byte, 1); }

static void file_stat(void)
{
    struct file_status s;
    call2(SYS_stat, (unsigned)types_h, (unsigned)&s);
    answers += s.size;
}

static void open_close(void)
{
    int fd = call1(SYS_open, (unsigned)types_h);
    answers += fd;
    call1(SYS_close, fd);
}

/* A hundred descriptors of one pipe that is empty: lmbench has TCP connections there. */
enum { SELECTED = 100 };
static unsigned select_from, select_ends[2];
static void select_all(void)
{
    unsigned bits[4] = { 0 };
    for (unsigned i = 0; i < SELECTED; i++)
        bits[(select_from + i) / 32] |= 1u << (select_from + i) % 32;
    answers += call2(SYS_select, select_from + SELECTED, (unsigned)bits) + 1;
}

static void measure_select(void)
{
    call1(SYS_pipe, (unsigned)select_ends);
    select_from = select_ends[1] + 1;
    for (unsigned i = 0; i < SELECTED; i++)
        answers += call1(SYS_dup, select_ends[0]);
    report("select", COUNT / 4, cycles_of(select_all, COUNT / 4), 0);
    for (unsigned i = 0; i < SELECTED; i++)
        call1(SYS_close, select_from + i);
    call1(SYS_close, select_ends[0]);
    call1(SYS_close, select_ends[1]);
}

/* --- files: made and deleted, empty or with 10 KiB, as lmbench's lat_fs does ------------------------------ */

enum { MADE = 20, CONTENTS = 10240 };
static char contents[CONTENTS];
static u64 made, deleted;

static void make_and_delete(unsigned bytes)
{
    char path[64] = "/tmp/x";
    u64 t0 = rdtsc();
    for (unsigned i = 0; i < MADE; i++) {
        path[5] = 'A' + i;
        int fd = call1(SYS_create, (unsigned)path);
        if (bytes)
            answers += call3(SYS_write, fd, (unsigned)contents, bytes);
        call1(SYS_close, fd);
    }
    u64 t1 = rdtsc();
    for (unsigned i = 0; i < MADE; i++) {
        path[5] = 'A' + i;
        if (call1(SYS_unlink, (unsigned)path))
            wrong("files");
    }
    made = t1 - t0;
    deleted = rdtsc() - t1;
}

static void measure_files(void)
{
    make_and_delete(CONTENTS);
    make_and_delete(0);
    make_and_delete(0);
    report("0K-create", MADE, made, 0);
    report("0K-delete", MADE, deleted, 0);
    make_and_delete(CONTENTS);
    report("10K-create", MADE, made, 0);
    report("10K-delete", MADE, deleted, 0);
}

void measure_calls(void)
{
    zero_fd = call1(SYS_open, (unsigned)dev_zero);
    if (zero_fd < 0 || call3(SYS_read, 39, 0, 0) >= 0 || call1(SYS_open, (unsigned)no_such) >= 0)
        wrong("files");
    report("null-call", COUNT, cycles_of(null_call, COUNT), 0);
    report("null-io", 2 * COUNT, cycles_of(null_read, COUNT) + cycles_of(null_write, COUNT), 0);
    report("stat", COUNT, cycles_of(file_stat, COUNT), 0);
    report("open-close", COUNT, cycles_of(open_close, COUNT), 0);
    measure_select();
    measure_files();
}

/* --- signals -------------------------------------------------------------------------------------------- */

static unsigned caught;
static char *protected;
extern void restorer(void);
__asm__(".text\n.globl restorer\nrestorer: mov $" "17" ", %eax\nint $0x80\n");
_Static_assert(SYS_sigreturn == 17, "restorer's number");

static void handler(int number, struct registers *r) { caught++; }
/* The store is not done again. */
static void skip(int number, struct registers *r)
{
    caught++;
    r->eip = r->ecx;
}

static void install(unsigned number, void (*action)(int, struct registers *))
{
    struct signal_action new = { (unsigned)action, (unsigned)restorer, 0, 0 }, old;
    call3(SYS_sigaction, number, (unsigned)&new, (unsigned)&old);
}

static void install_usr1(void) { install(SIGUSR1, handler); }
static void send_nothing(void) { call1(SYS_kill, 0); }
static void send_usr1(void) { call1(SYS_kill, SIGUSR1); }
static void write_protected(void) { __asm__ volatile("mov $1f, %%ecx; movb $1, %0; 1:" : "=m"(*protected) : : "ecx", "memory"); }

/* As lat_sig does: the handling of a signal is what sending one to oneself takes longer than sending none; a protection fault is what it
 * takes to come to the handler that way, less the handling. */
void measure_signals(void)
{
    int fd = call1(SYS_open, (unsigned)"/tmp/file");
    protected = (char *)call3(SYS_mmap, fd, 1, 0);
    answers += *protected;
    report("sig-inst", COUNT, cycles_of(install_usr1, COUNT), 0);
    u64 send = cycles_of(send_nothing, COUNT), handle = cycles_of(send_usr1, COUNT) - send;
    report("sig-hndl", COUNT, handle, 0);
    install(SIGSEGV, skip);
    report("prot-fault", COUNT, cycles_of(write_protected, COUNT), handle);
    if (caught != 2 * (COUNT + 8) || *protected)
        wrong("signals");
    answers += caught;
    call2(SYS_munmap, (unsigned)protected, 1);
    call1(SYS_close, fd);
}
