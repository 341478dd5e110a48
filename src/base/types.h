/* SPDX-License-Identifier: MIT */
/* The few types that every room uses. An address says in its type whose it is. */
#ifndef EMU_BASE_TYPES_H
#define EMU_BASE_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int8_t s8;
typedef int16_t s16;
typedef int32_t s32;
typedef int64_t s64;

typedef u64 gva_t; /* guest virtual ("linear" in the SDM's words, after segmentation) */
typedef u64 gpa_t; /* guest physical */
typedef u64 hpa_t; /* physical on the modelled host */
typedef u64 cycles_t; /* virtual cycles of the modelled processor */

#define PAGE_SHIFT 12
#define PAGE_SIZE ((u64)1 << PAGE_SHIFT)
#define PAGE_MASK (~(PAGE_SIZE - 1))

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
#define BIT(n) ((u64)1 << (n))
#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

#endif
