/* SPDX-License-Identifier: MIT */
#ifndef LAB5_STRING_H
#define LAB5_STRING_H
#include <stddef.h>
void *memcpy(void *to, const void *from, size_t n);
void *memset(void *to, int byte, size_t n);
int memcmp(const void *a, const void *b, size_t n);
size_t strlen(const char *s);
#endif
