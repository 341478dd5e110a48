/* SPDX-License-Identifier: MIT */
#ifndef LAB5_ERRNO_H
#define LAB5_ERRNO_H
#include <asm/errno.h>
extern int errno;
#endif
