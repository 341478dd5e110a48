/* SPDX-License-Identifier: MIT */
/* What the grader's library has of Linux's: enough for a monitor. On the host these headers are the system's own. */
#ifndef LAB5_FCNTL_H
#define LAB5_FCNTL_H
#define O_RDWR 02
#define O_CLOEXEC 02000000
/* "/dev/kvm" is the only file. */
int open(const char *path, int flags, ...);
#endif
