/* SPDX-License-Identifier: MIT */
#ifndef LAB5_UNISTD_H
#define LAB5_UNISTD_H
int close(int fd);
#endif
