/* SPDX-License-Identifier: MIT */
#ifndef LAB5_SYS_IOCTL_H
#define LAB5_SYS_IOCTL_H
#include <asm/ioctl.h>
int ioctl(int fd, unsigned long request, ...);
#endif
