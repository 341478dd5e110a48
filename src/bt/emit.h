/* SPDX-License-Identifier: MIT */
/* Writing host code, byte by byte. The caller has made sure of room (translate.c reserves it per unit). */
#ifndef EMU_BT_EMIT_H
#define EMU_BT_EMIT_H

#include <string.h>

#include "bt/internal.h"

struct emitter { u8 *start, *p; };

static inline void emit8(struct emitter *e, u8 b) { *e->p++ = b; }
static inline void emit32(struct emitter *e, u32 v) { memcpy(e->p, &v, 4); e->p += 4; }
static inline void emit64(struct emitter *e, u64 v) { memcpy(e->p, &v, 8); e->p += 8; }
static inline void emit_bytes(struct emitter *e, const void *b, unsigned n) { memcpy(e->p, b, n); e->p += n; }
#define EMIT(e, ...) emit_bytes((e), (const u8[]){ __VA_ARGS__ }, sizeof((const u8[]){ __VA_ARGS__ }))

/* ModRM and displacement of [r15 + disp32] with that reg field. */
static inline void emit_ctx(struct emitter *e, unsigned reg, u32 offset)
{
    emit8(e, 0x80 | (reg & 7) << 3 | 7);
    emit32(e, offset);
}
#define CTX(field) ((u32)offsetof(struct context, field))

#endif
