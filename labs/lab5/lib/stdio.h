/* SPDX-License-Identifier: MIT */
#ifndef LAB5_STDIO_H
#define LAB5_STDIO_H
/* %d %u %x %s %c %%, and the last three numbers with l or ll before them. */
int printf(const char *format, ...) __attribute__((format(printf, 1, 2)));
int puts(const char *s);
void perror(const char *what);
#endif
