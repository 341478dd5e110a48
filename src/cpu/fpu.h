/* SPDX-License-Identifier: MIT */
/*
 * Inside src/cpu: floating point and vector instructions, executed by the host's own (SDM vol. 1, chapters 8 to 12).
 *
 * The host is always x86-64, so it can run the same opcode. For each form of an instruction a small stub of host code is
 * made once: it loads what the instruction needs from struct fpu_io, runs the opcode with its registers renamed and its
 * memory operand replaced by a buffer, and stores back. All checks, and all accesses to guest memory, are made around it in C.
 */
#ifndef EMU_CPU_FPU_H
#define EMU_CPU_FPU_H

#include <string.h>

#include "cpu/internal.h"

/* FSW and FCW, SDM vol. 1, figures 8-4 and 8-6 */
enum { X87_IE = 1, X87_DE = 2, X87_ZE = 4, X87_OE = 8, X87_UE = 16, X87_PE = 32, X87_EXCEPTIONS = 63, FSW_SF = 1 << 6, FSW_ES = 1 << 7,
       FSW_C0 = 1 << 8, FSW_C1 = 1 << 9, FSW_C2 = 1 << 10, FSW_TOP = 7 << 11, FSW_C3 = 1 << 14, FSW_B = 1 << 15 };
enum { MXCSR_FLAGS = 0x3f, MXCSR_MASKS = 0x1f80, MXCSR_VALID = 0xffff };

/* What a stub reads and writes; addressed with 8-bit or 32-bit displacements, so the order is free. */
struct fpu_io {
    u8 xmm[2][16];          /* [0]: ModRM.reg's register, [1]: ModRM.rm's */
    u8 mem[16];             /* the memory operand */
    u8 mmx[2][8];
    u64 gpr[2];
    u8 st[2][16];           /* ST(0), ST(i) before */
    u8 st_out[2][16];       /* and after */
    u64 flags;              /* EFLAGS before FCMOV, after FCOMI and COMISS */
    u32 mxcsr, host_mxcsr;
    u16 fcw, host_fcw, fsw_before, fsw;
    struct fpu_state image; /* for the stubs that load the whole x87 */
} __attribute__((aligned(64)));

typedef void stub_fn(struct fpu_io *io);

/* A stub and what it expects; made by x87.c or simd.c. */
struct stub {
    u64 key;                /* 0: free */
    stub_fn *run;
    u8 kind[2];             /* of ModRM.reg's and ModRM.rm's operand: enum operand_kind, OPD_NONE if it is none */
    u8 op[2];               /* which operand of the instruction they are */
    u8 dest;                /* 0: reg, 1: rm, 2: none */
    u8 props;
};

/* One for each processor: stubs live in a page that is mapped twice, writable here and executable there. */
enum { STUB_COUNT = 1024, STUB_AREA = 1 << 16, STUB_MAX = 96 /* bytes of one */ };
struct fpu_unit {
    struct fpu_io io;
    struct stub stubs[STUB_COUNT]; /* hashed by key */
    unsigned nstubs;
    u8 *write, *exec;       /* the two views of the area */
    size_t used;            /* bytes of the area */
};

/* A memory operand of 2, 4, 8, 10 or 16 bytes, in and out. */
static inline void read_operand(struct cpu *c, unsigned seg, u64 at, u8 *buf, unsigned size)
{
    if (size <= 8) {
        u64 value = seg_read(c, seg, at, size);
        memcpy(buf, &value, 8);
    } else {
        seg_read_bytes(c, seg, at, buf, size);
    }
}
static inline void write_operand(struct cpu *c, unsigned seg, u64 at, const u8 *buf, unsigned size)
{
    u64 value;
    memcpy(&value, buf, 8);
    if (size <= 8)
        seg_write(c, seg, at, size, size == 8 ? value : value & (BIT(8 * size) - 1));
    else
        seg_write_bytes(c, seg, at, buf, size);
}

/* --- stub.c --- */
struct code { u8 bytes[STUB_MAX]; unsigned len; };
void emit(struct code *k, const void *bytes, unsigned n);
#define EMIT(k, ...) emit((k), (const u8[]){ __VA_ARGS__ }, sizeof((const u8[]){ __VA_ARGS__ }))
/* `opcode` (1 to 4 bytes, ModRM's mod and rm still zero in `modrm`) with the operand [rdi + offset]. */
void emit_mem(struct code *k, const u8 *opcode, unsigned n, u8 reg, unsigned offset);
#define EMIT_MEM(k, reg, offset, ...) emit_mem((k), (const u8[]){ __VA_ARGS__ }, sizeof((const u8[]){ __VA_ARGS__ }), (reg), (offset))
static inline unsigned stub_slot(u64 key) { return (key * 0x9e3779b97f4a7c15u >> 32) % STUB_COUNT; }
struct stub *stub_search(struct fpu_unit *u, u64 key);
/* The stub of that key; NULL: make it with stub_add(), which forgets all others if there is no more room. */
static inline struct stub *stub_find(struct fpu_unit *u, u64 key)
{
    struct stub *s = &u->stubs[stub_slot(key)];
    return likely(s->key == key) ? s : stub_search(u, key);
}
struct stub *stub_add(struct fpu_unit *u, u64 key, const struct code *k);

/* --- x87.c, x87fast.c --- */
exec_fn exec_x87;
/* Try the short way: only the registers that matter. False: nothing happened, go the long way. */
bool x87_try_fast(struct cpu *c, const struct insn *i);
/* #NM for the x87 and its environment; #MF if an exception is pending and CR0.NE. */
void x87_require(struct cpu *c);
void x87_check_pending(struct cpu *c);
/* FOP, FIP, FDP: which instruction, where it was, where its operand was (SDM vol. 1, 8.1.8). */
void x87_note(struct cpu *c, const struct insn *i);
/* FSW.ES and B follow from flags and masks. */
void x87_update_summary(struct fpu_state *f);
static inline u16 x87_pending(const struct fpu_state *f) { return f->fsw & ~f->fcw & X87_EXCEPTIONS; }
static inline unsigned x87_top(const struct fpu_state *f) { return f->fsw >> 11 & 7; }
/* Turn the top so that ST(0) is another physical register; contents stay in theirs. */
void x87_set_top(struct fpu_state *f, unsigned top);

/* --- simd.c --- */
exec_fn exec_simd, exec_maskmov, exec_emms;

/* --- x87env.c --- */
exec_fn exec_fninit, exec_fnclex, exec_fnstcw, exec_fldcw, exec_fnstsw, exec_fnstenv, exec_fldenv, exec_fnsave, exec_frstor;
exec_fn exec_fnop, exec_obsolete, exec_wait, exec_fxsave, exec_fxrstor, exec_ldmxcsr, exec_stmxcsr;

#endif
