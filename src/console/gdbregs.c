/* SPDX-License-Identifier: MIT */
/*
 * The registers as gdb sees them (GDB manual, G.5.3). A layout is fixed for the whole session: it follows from what the
 * processor can do, never from the mode that it is in just now, so no switch of modes makes a reply too long or too short for gdb.
 */
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "console/gdbstub.h"

enum kind { KIND_WORD /* where: offset in struct cpu_state */, KIND_SELECTOR, KIND_BASE /* where: enum sreg */, KIND_ST, KIND_X87, KIND_XMM /* where: which */, KIND_MXCSR };
enum x87 { X87_CONTROL, X87_STATUS, X87_TAG, X87_CS, X87_IP, X87_DS, X87_DP, X87_OP };

struct gdb_register {
    const char *feature;    /* where it begins one, else NULL */
    const char *name, *type;
    u8 bits, kind;
    u16 where;
};

#define FIELD(f) offsetof(struct cpu_state, f)
#define GPR(n, t, b, r) { NULL, n, t, b, KIND_WORD, FIELD(gpr) + 8 * (r) }
#define WORD(n, t, b, f) { NULL, n, t, b, KIND_WORD, FIELD(f) }
#define SELECTORS { NULL, "cs", "int32", 32, KIND_SELECTOR, CS }, { NULL, "ss", "int32", 32, KIND_SELECTOR, SS }, \
    { NULL, "ds", "int32", 32, KIND_SELECTOR, DS }, { NULL, "es", "int32", 32, KIND_SELECTOR, ES }, \
    { NULL, "fs", "int32", 32, KIND_SELECTOR, FS }, { NULL, "gs", "int32", 32, KIND_SELECTOR, GS }
#define ST(n, i) { NULL, n, "i387_ext", 80, KIND_ST, i }
#define X87(n, w) { NULL, n, "int", 32, KIND_X87, w }
#define STACK ST("st0", 0), ST("st1", 1), ST("st2", 2), ST("st3", 3), ST("st4", 4), ST("st5", 5), ST("st6", 6), ST("st7", 7), \
    X87("fctrl", X87_CONTROL), X87("fstat", X87_STATUS), X87("ftag", X87_TAG), X87("fiseg", X87_CS), X87("fioff", X87_IP), \
    X87("foseg", X87_DS), X87("fooff", X87_DP), X87("fop", X87_OP)
#define XMM(n, i) { NULL, n, "vec128", 128, KIND_XMM, i }
#define XMM_LOW { "org.gnu.gdb.i386.sse", "xmm0", "vec128", 128, KIND_XMM, 0 }, XMM("xmm1", 1), XMM("xmm2", 2), XMM("xmm3", 3), \
    XMM("xmm4", 4), XMM("xmm5", 5), XMM("xmm6", 6), XMM("xmm7", 7)
#define MXCSR { NULL, "mxcsr", "int", 32, KIND_MXCSR, 0 }
#define SYSTEM(t, b) { "emu.system", "cr0", t, b, KIND_WORD, FIELD(cr0) }, WORD("cr2", t, b, cr2), WORD("cr3", t, b, cr3), WORD("cr4", t, b, cr4), \
    WORD("gdt_base", t, b, gdtr.base), WORD("idt_base", t, b, idtr.base), { NULL, "cs_base", t, b, KIND_BASE, CS }, \
    { NULL, "ss_base", t, b, KIND_BASE, SS }, { NULL, "ds_base", t, b, KIND_BASE, DS }, { NULL, "es_base", t, b, KIND_BASE, ES }

static const struct gdb_register wide[] = {
    { "org.gnu.gdb.i386.core", "rax", "int64", 64, KIND_WORD, FIELD(gpr) + 8 * RAX },
    GPR("rbx", "int64", 64, RBX), GPR("rcx", "int64", 64, RCX), GPR("rdx", "int64", 64, RDX), GPR("rsi", "int64", 64, RSI), GPR("rdi", "int64", 64, RDI),
    GPR("rbp", "data_ptr", 64, RBP), GPR("rsp", "data_ptr", 64, RSP), GPR("r8", "int64", 64, R8), GPR("r9", "int64", 64, R9), GPR("r10", "int64", 64, R10),
    GPR("r11", "int64", 64, R11), GPR("r12", "int64", 64, R12), GPR("r13", "int64", 64, R13), GPR("r14", "int64", 64, R14), GPR("r15", "int64", 64, R15),
    WORD("rip", "code_ptr", 64, rip), WORD("eflags", "i386_eflags", 32, rflags), SELECTORS, STACK,
    XMM_LOW, XMM("xmm8", 8), XMM("xmm9", 9), XMM("xmm10", 10), XMM("xmm11", 11), XMM("xmm12", 12), XMM("xmm13", 13), XMM("xmm14", 14), XMM("xmm15", 15), MXCSR,
    { "org.gnu.gdb.i386.segments", "fs_base", "int64", 64, KIND_BASE, FS }, { NULL, "gs_base", "int64", 64, KIND_BASE, GS },
    SYSTEM("int64", 64), WORD("cr8", "int64", 64, cr8), WORD("efer", "int64", 64, efer), WORD("k_gs_base", "int64", 64, kernel_gs_base),
};

static const struct gdb_register narrow[] = {
    { "org.gnu.gdb.i386.core", "eax", "int32", 32, KIND_WORD, FIELD(gpr) + 8 * RAX },
    GPR("ecx", "int32", 32, RCX), GPR("edx", "int32", 32, RDX), GPR("ebx", "int32", 32, RBX), GPR("esp", "data_ptr", 32, RSP), GPR("ebp", "data_ptr", 32, RBP),
    GPR("esi", "int32", 32, RSI), GPR("edi", "int32", 32, RDI), WORD("eip", "code_ptr", 32, rip), WORD("eflags", "i386_eflags", 32, rflags), SELECTORS, STACK,
    XMM_LOW, MXCSR,
    SYSTEM("int32", 32), { NULL, "fs_base", "int32", 32, KIND_BASE, FS }, { NULL, "gs_base", "int32", 32, KIND_BASE, GS },
};

const struct gdb_layout gdb_layouts[] = {
    { "x86-64", "i386:x86-64", wide, ARRAY_LEN(wide) },
    { "i386", "i386", narrow, ARRAY_LEN(narrow) },
};
const struct gdb_layout *const gdb_layout_wide = &gdb_layouts[0], *const gdb_layout_narrow = &gdb_layouts[1];

/* --- values --- */

/* The abridged tag word says only empty or not; the full one (SDM vol. 1, 8.1.7) is made of what the registers hold. */
static unsigned tag_of(const u8 st[16])
{
    u64 fraction;
    unsigned exponent = (st[9] << 8 | st[8]) & 0x7fff;
    memcpy(&fraction, st, 8);
    if (exponent == 0)
        return fraction ? 2 : 1;
    return exponent != 0x7fff && fraction >> 63 ? 0 : 2;
}

static u32 full_tag(const struct fpu_state *f)
{
    u32 tag = 0;
    unsigned top = f->fsw >> 11 & 7;
    for (unsigned physical = 0; physical < 8; physical++)
        tag |= (f->ftw >> physical & 1 ? tag_of(f->st[(physical - top) & 7]) : 3) << 2 * physical;
    return tag;
}

static u8 abridged_tag(u32 tag)
{
    u8 abridged = 0;
    for (unsigned i = 0; i < 8; i++)
        abridged |= (tag >> 2 * i & 3) != 3 ? 1 << i : 0;
    return abridged;
}

static u32 x87_get(const struct fpu_state *f, enum x87 which)
{
    switch (which) {
    case X87_CONTROL: return f->fcw;
    case X87_STATUS: return f->fsw;
    case X87_TAG: return full_tag(f);
    case X87_CS: return f->fip >> 32 & 0xffff;
    case X87_IP: return f->fip;
    case X87_DS: return f->fdp >> 32 & 0xffff;
    case X87_DP: return f->fdp;
    case X87_OP: return f->fop;
    }
    return 0;
}

static void x87_set(struct fpu_state *f, enum x87 which, u32 value)
{
    switch (which) {
    case X87_CONTROL: f->fcw = value | 0x40; break;
    case X87_STATUS: f->fsw = value; break;
    case X87_TAG: f->ftw = abridged_tag(value); break;
    case X87_CS: f->fip = (f->fip & 0xffffffff) | (u64)(value & 0xffff) << 32; break;
    case X87_IP: f->fip = (f->fip & ~(u64)0xffffffff) | value; break;
    case X87_DS: f->fdp = (f->fdp & 0xffffffff) | (u64)(value & 0xffff) << 32; break;
    case X87_DP: f->fdp = (f->fdp & ~(u64)0xffffffff) | value; break;
    case X87_OP: f->fop = value & 0x7ff; break;
    }
}

/* The bytes of a register that are kept as such, or NULL. */
static void *bytes_of(struct cpu_state *s, const struct gdb_register *r)
{
    switch (r->kind) {
    case KIND_WORD: return (u8 *)s + r->where;
    case KIND_BASE: return &s->seg[r->where].base;
    case KIND_ST: return s->fpu.st[r->where];
    case KIND_XMM: return s->fpu.xmm[r->where];
    case KIND_MXCSR: return &s->fpu.mxcsr;
    }
    return NULL;
}

unsigned gdb_register_get(const struct gdb_layout *l, const struct cpu_state *s, unsigned n, u8 *buf)
{
    if (n >= l->count)
        return 0;
    const struct gdb_register *r = &l->reg[n];
    u32 value = r->kind == KIND_SELECTOR ? s->seg[r->where].selector : r->kind == KIND_X87 ? x87_get(&s->fpu, r->where) : 0;
    const void *bytes = bytes_of((struct cpu_state *)s, r);
    memcpy(buf, bytes ? bytes : &value, r->bits / 8);
    return r->bits / 8;
}

/* Only where a selector means its base by itself: otherwise a descriptor would have to come with it. */
static void set_selector(struct cpu_state *s, unsigned seg, u16 selector)
{
    if (!state_real(s) && !state_v86(s))
        return;
    s->seg[seg].selector = selector;
    s->seg[seg].base = (u32)selector << 4;
}

static bool writable(const struct gdb_register *r) /* changing these needs more than their bytes */
{
    return r->kind != KIND_BASE && !(r->kind == KIND_WORD && r->where >= FIELD(gdtr) && r->where < FIELD(dr));
}

unsigned gdb_register_set(const struct gdb_layout *l, struct cpu_state *s, unsigned n, const u8 *buf)
{
    u32 value = 0;
    if (n >= l->count)
        return 0;
    const struct gdb_register *r = &l->reg[n];
    memcpy(&value, buf, r->bits / 8 < 4 ? r->bits / 8 : 4);
    if (r->kind == KIND_SELECTOR)
        set_selector(s, r->where, value);
    else if (r->kind == KIND_X87)
        x87_set(&s->fpu, r->where, value);
    else if (r->kind == KIND_MXCSR)
        s->fpu.mxcsr = value & 0xffff;
    else if (r->where == FIELD(rflags) && r->kind == KIND_WORD)
        s->rflags = (value & 0x3f7fd5) | FLAG_FIXED;
    else if (writable(r)) {
        memcpy(bytes_of(s, r), buf, r->bits / 8);
        if (r->kind == KIND_WORD && !state_long(s))
            *(u64 *)bytes_of(s, r) &= 0xffffffff;
    }
    return r->bits / 8;
}

bool gdb_register_named(const struct cpu_state *s, const char *name, u64 *value)
{
    u8 buf[16] = { 0 };
    if (strcmp(name, "pc") == 0)
        name = "rip";
    for (unsigned i = 0; i < ARRAY_LEN(gdb_layouts); i++)
        for (unsigned n = 0; n < gdb_layouts[i].count; n++)
            if (strcmp(gdb_layouts[i].reg[n].name, name) == 0) {
                gdb_register_get(&gdb_layouts[i], s, n, buf);
                memcpy(value, buf, 8);
                return true;
            }
    return false;
}

/* --- the description --- */

static void print_flags(FILE *out)
{
    static const struct { const char *name; int first, last; } flag[] = {
        { "CF", 0, 0 },    { "", 1, 1 },      { "PF", 2, 2 },    { "AF", 4, 4 },    { "ZF", 6, 6 },    { "SF", 7, 7 },    { "TF", 8, 8 },    { "IF", 9, 9 },    { "DF", 10, 10 },
        { "OF", 11, 11 },  { "IOPL", 12, 13 }, { "NT", 14, 14 }, { "RF", 16, 16 },  { "VM", 17, 17 },  { "AC", 18, 18 },  { "VIF", 19, 19 }, { "VIP", 20, 20 },  { "ID", 21, 21 },
    };
    fprintf(out, "<flags id=\"i386_eflags\" size=\"4\">");
    for (unsigned i = 0; i < ARRAY_LEN(flag); i++)
        fprintf(out, "<field name=\"%s\" start=\"%d\" end=\"%d\"/>", flag[i].name, flag[i].first, flag[i].last);
    fprintf(out, "</flags>\n");
}

static void print_vectors(FILE *out)
{
    fprintf(out, "<vector id=\"v4f\" type=\"ieee_single\" count=\"4\"/><vector id=\"v2d\" type=\"ieee_double\" count=\"2\"/>"
                 "<vector id=\"v16i8\" type=\"int8\" count=\"16\"/><vector id=\"v8i16\" type=\"int16\" count=\"8\"/>"
                 "<vector id=\"v4i32\" type=\"int32\" count=\"4\"/><vector id=\"v2i64\" type=\"int64\" count=\"2\"/>\n"
                 "<union id=\"vec128\"><field name=\"v4_float\" type=\"v4f\"/><field name=\"v2_double\" type=\"v2d\"/>"
                 "<field name=\"v16_int8\" type=\"v16i8\"/><field name=\"v8_int16\" type=\"v8i16\"/><field name=\"v4_int32\" type=\"v4i32\"/>"
                 "<field name=\"v2_int64\" type=\"v2i64\"/><field name=\"uint128\" type=\"uint128\"/></union>\n");
}

static void print_registers(const struct gdb_layout *l, FILE *out)
{
    for (unsigned i = 0; i < l->count; i++) {
        const struct gdb_register *r = &l->reg[i];
        if (r->feature)
            fprintf(out, "%s<feature name=\"%s\">\n", i ? "</feature>\n" : "", r->feature);
        if (i == 0)
            print_flags(out);
        if (r->feature && strstr(r->feature, ".sse"))
            print_vectors(out);
        fprintf(out, "<reg name=\"%s\" bitsize=\"%u\" type=\"%s\" regnum=\"%u\"/>\n", r->name, r->bits, r->type, i);
    }
    fprintf(out, "</feature>\n");
}

char *gdb_target_xml(const struct gdb_layout *l)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    if (!out)
        return NULL;
    fprintf(out, "<?xml version=\"1.0\"?><!DOCTYPE target SYSTEM \"gdb-target.dtd\"><target><architecture>%s</architecture>\n", l->architecture);
    if (l == gdb_layout_wide)
        fprintf(out, "<compatible>i386</compatible>\n");
    print_registers(l, out);
    fprintf(out, "</target>\n");
    fclose(out);
    return text;
}
