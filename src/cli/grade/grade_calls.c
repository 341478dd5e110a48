/* SPDX-License-Identifier: MIT */
/*
 * The filter of system calls behind which the sandbox's programs run: seccomp(2), a program for the classic BPF machine that the kernel
 * runs at each system call on struct seccomp_data. A namespace hides what is elsewhere; this keeps the kernel itself out of reach.
 */
#include "cli/grade/grade_sandbox.h"

#include <asm/termbits.h>
#include <asm/ioctls.h>
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define LOAD_ARG(n) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args) + 8 * (n)) /* its low half */
#define IF_EQUAL(k, is, otherwise) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, k, is, otherwise) /* so many instructions further */
#define IF_ANY(bits, is, otherwise) BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, bits, is, otherwise)
#define VERDICT(v) BPF_STMT(BPF_RET | BPF_K, v)
#define REFUSE(error) VERDICT(SECCOMP_RET_ERRNO | (error))
#define ALLOW VERDICT(SECCOMP_RET_ALLOW)

/* A process that is new in its namespaces could be anybody there. */
#define NEW_NAMESPACES (CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET)

static const struct sock_filter filter[] = {
    /* The 32-bit table has other numbers. */
    LOAD(arch),
    IF_EQUAL(AUDIT_ARCH_X86_64, 1, 0),
    VERDICT(SECCOMP_RET_KILL_PROCESS),
    LOAD(nr),
    /* Threads and processes, but no namespaces. clone3's flags lie in memory, where no filter can look: the C library then takes clone. */
    IF_EQUAL(SYS_clone3, 0, 1),
    REFUSE(ENOSYS),
    IF_EQUAL(SYS_clone, 0, 4),
    LOAD_ARG(0),
    IF_ANY(NEW_NAMESPACES, 0, 1),
    REFUSE(EPERM),
    ALLOW,
    /* Of a terminal: what it is, and how wide. */
    IF_EQUAL(SYS_ioctl, 0, 5),
    LOAD_ARG(1),
    IF_EQUAL(TCGETS, 2, 0),
    IF_EQUAL(TIOCGWINSZ, 1, 0),
    REFUSE(ENOTTY),
    ALLOW,
#define CALL(name) IF_EQUAL(SYS_##name, 0, 1), ALLOW,
#include "cli/grade/grade_calls.def"
#undef CALL
    REFUSE(EPERM),
};

int sandbox_filter_open(void)
{
    int fd = memfd_create("calls", MFD_CLOEXEC);
    if (fd >= 0 && (write(fd, filter, sizeof filter) != sizeof filter || lseek(fd, 0, SEEK_SET) != 0)) {
        close(fd);
        return -1;
    }
    return fd;
}
