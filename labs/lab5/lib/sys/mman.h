/* SPDX-License-Identifier: MIT */
#ifndef LAB5_SYS_MMAN_H
#define LAB5_SYS_MMAN_H
#include <stddef.h>
#define PROT_READ 1
#define PROT_WRITE 2
#define MAP_SHARED 1
#define MAP_PRIVATE 2
#define MAP_ANONYMOUS 0x20
#define MAP_NORESERVE 0x4000
#define MAP_FAILED ((void *)-1)
/* Anonymous memory, 2 MiB in all, or struct kvm_run of a vcpu. */
void *mmap(void *where, size_t size, int protection, int flags, int fd, long offset);
int munmap(void *where, size_t size);
#endif
