/* SPDX-License-Identifier: MIT */
/* What tests are made of. */
#ifndef LAB6_WORLD_H
#define LAB6_WORLD_H

#include "lab6.h"

enum counter { ENTRIES, EXITS, WALKS, REFERENCES, FLUSHES, VIOLATIONS };
u32 counter(enum counter c);

/* Guest memory by gpa. */
u32 guest_read(u32 gpa);
void guest_write(u32 gpa, u32 value);

/* Machine code of 32 or 64 bits, NAME_begin to NAME_end. */
#define GUEST_CODE(name, bits, text) \
    __asm__(".section .rodata\n.globl " #name "_begin, " #name "_end\n.code" #bits "\n" #name "_begin:\n" text "\n" #name "_end:\n.code32\n.text\n"); \
    extern const char name##_begin[], name##_end[];
#define CODE 0x1000u
#define STACK 0x8000u
#define PAGES 128u      /* of guest memory, unless a test says less */
#define TABLES 0x10000u /* of a 64-bit guest: the first 2 MiB, one to one */

/* A guest's memory: code at CODE, and tables if it is one of 64 bits. */
void world_load(const char *begin, const char *end, _Bool is_long);
#define LOAD_CODE(name, is_long) world_load(name##_begin, name##_end, is_long)
/* The page's contents go to another frame; the old one is filled with other things. */
void world_move(u32 page);
/* "@lab6 NAME: ..." */
void say_end(const char *name, int end);

#endif
