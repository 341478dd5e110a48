/* SPDX-License-Identifier: MIT */
#include "progen_world.h"

#include <string.h>

#include "check.h"
#include "snippet.h"

/* --- handlers --- */

#define STR_(x) #x
#define STR(x) STR_(x)
_Static_assert(W_LANDING == 0x4000 && W_LOG_NEXT == 0x5000 && W_LOG_END == 0x5c00 && SEL_CODE0 == 8 && SEL_DATA3 == 0x23 && W_STACK == 0x230000 && W_LOG == 0x5020, "as below");

/* Frame at EBP: PUSHA's eight, vector (32), error code, EIP (40), CS (44), EFLAGS (48). */
SNIPPET32(common,
    "pusha\n cld\n mov $0x10, %eax\n mov %eax, %ds\n mov %eax, %es\n mov %esp, %ebp\n"
    "decl 0x5004\n jz 9f\n"
    "mov 0x5000, %edi\n mov 32(%ebp), %eax\n stosl\n mov 36(%ebp), %eax\n stosl\n mov 40(%ebp), %eax\n stosl\n"
    "mov 44(%ebp), %eax\n stosl\n mov 48(%ebp), %eax\n stosl\n mov %cr2, %eax\n stosl\n"
    "cmp $0x5c00, %edi\n jb 1f\n mov $0x5020, %edi\n 1: mov %edi, 0x5000\n"
    "mov 32(%ebp), %eax\n cmp $0x81, %eax\n je 9f\n cmp $0x82, %eax\n je 8f\n cmp $0x80, %eax\n je 7f\n"
    "cmp $3, %eax\n je 7f\n cmp $4, %eax\n je 7f\n cmp $1, %eax\n je 6f\n"
    "mov 0x4000, %eax\n mov %eax, 40(%ebp)\n andl $~0x4500, 48(%ebp)\n"    /* go on at the landing place; no TF, DF, NT */
    "mov $8, %edx\n mov 44(%ebp), %eax\n and $3, %eax\n jz 5f\n mov $0x79, %edx\n dec %eax\n jz 5f\n mov $0x1b, %edx\n 5: mov %edx, 44(%ebp)\n"
    "jmp 7f\n"
    "6: andl $~0x100, 48(%ebp)\n"                                           /* single step: no more */
    "7: mov $0x23, %eax\n mov %eax, %ds\n mov %eax, %es\n popa\n add $8, %esp\n iret\n"
    "8: mov 40(%ebp), %edx\n mov $0x10, %eax\n mov %eax, %ss\n mov $0x230000, %esp\n mov $0x23, %eax\n mov %eax, %ds\n mov %eax, %es\n jmp *%edx\n"
    "9: mov %cr2, %eax\n cli\n hlt\n jmp 9b\n")
SNIPPET32(sysenter, "push %eax\n pop %ebx\n sysexit")
SNIPPET32(gate, "push %ds\n pop %eax\n mov %cs, %ebx\n lret")
SNIPPET32(gate2, "mov 8(%esp), %eax\n lret $8")

static void put32(u8 *m, u32 at, u32 v) { memcpy(m + at, &v, 4); }
static void put64(u8 *m, u32 at, u64 v) { memcpy(m + at, &v, 8); }

static void put_idt(u8 *m)
{
    for (u32 vector = 0; vector < W_VECTORS; vector++) {
        u32 at = W_HANDLERS + vector * 16;
        bool has_error = vector == 8 || (vector >= 10 && vector <= 14) || vector == 17, open = vector >= 0x80 || vector == 3 || vector == 4;
        u8 handler[16] = { 0x6a, 0, 0x68, vector, 0, 0, 0, 0xe9 }; /* push 0; push vector; jmp common */
        u8 *p = has_error ? handler + 2 : handler;
        u32 rel = W_COMMON - (at + (has_error ? 10 : 12)), kind = (vector & 1 ? 0x8f00 : 0x8e00) | (open ? 0x6000 : 0);
        if (vector >= 32 && vector < 0x80)
            continue;
        memcpy(handler + 8, &rel, 4);
        memcpy(m + at, p, 12);
        put64(m, W_IDT + vector * 8, (at & 0xffff) | SEL_CODE0 << 16 | (u64)kind << 32 | (u64)(at >> 16) << 48);
    }
}

/* --- descriptors --- */

static u64 descriptor(u32 base, u32 limit /* 20 bits */, u32 access, u32 flags)
{
    return (limit & 0xffff) | (u64)(base & 0xffffff) << 16 | (u64)access << 40 | (u64)(limit >> 16 & 15) << 48 | (u64)flags << 52 | (u64)(base >> 24) << 56;
}

static u64 call_gate(u32 offset, u32 parameters)
{
    return (offset & 0xffff) | SEL_CODE0 << 16 | (u64)parameters << 32 | (u64)0xec << 40 | (u64)(offset >> 16) << 48;
}

static void put_gdt(u8 *m)
{
    const struct { u16 selector; u64 raw; } rows[] = {
        { SEL_CODE0, descriptor(0, 0xfffff, 0x9b, 0xc) }, { SEL_DATA0, descriptor(0, 0xfffff, 0x93, 0xc) }, { SEL_CODE3, descriptor(0, 0xfffff, 0xfb, 0xc) },
        { SEL_DATA3, descriptor(0, 0xfffff, 0xf3, 0xc) }, { SEL_TSS, descriptor(W_TSS, 0x8f, 0x8b, 0) }, { SEL_CODE16, descriptor(W_CODE, 0xffff, 0x9b, 0) },
        { SEL_CODE16_3, descriptor(W_CODE, 0xffff, 0xfb, 0) }, { SEL_DATA16, descriptor(W_DATA, 0xffff, 0xf3, 0) }, { SEL_BASED, descriptor(W_DATA, 0x3fff, 0xf2, 4) },
        { SEL_DOWN, descriptor(W_DATA, 0x1fff, 0xf7, 4) }, { SEL_READ_ONLY, descriptor(0, 0xfffff, 0xf1, 0xc) }, { SEL_ABSENT, descriptor(0, 0xfffff, 0x73, 0xc) },
        { SEL_LDT, descriptor(W_LDT, 15, 0x82, 0) }, { SEL_CONFORMING, descriptor(0, 0xfffff, 0x9e, 0xc) }, { SEL_CODE1, descriptor(0, 0xfffff, 0xbb, 0xc) },
        { SEL_DATA1, descriptor(0, 0xfffff, 0xb3, 0xc) }, { SEL_GATE, call_gate(W_GATE, 0) }, { SEL_GATE2, call_gate(W_GATE + 0x80, 2) },
        { SEL_EXECUTE_ONLY, descriptor(0, 0xfffff, 0xf8, 0xc) }, { SEL_CODE_LIMITED, descriptor(0, 0x103fff, 0x9a, 4) },
        { SEL_DATA16_0, descriptor(W_DATA, 0xffff, 0x93, 0) }, { SEL_STACK16, descriptor(W_STACK_END - 0x10000, 0xffff, 0x93, 0) },
    };
    for (unsigned i = 0; i < ARRAY_LEN(rows); i++)
        put64(m, W_GDT + (rows[i].selector & ~7), rows[i].raw);
    put64(m, W_LDT, descriptor(W_DATA + 0x1000, 0xfff, 0xf3, 4));
}

static void put_tss(u8 *m)
{
    put32(m, W_TSS + 4, W_STACK0);
    put32(m, W_TSS + 8, SEL_DATA0);
    put32(m, W_TSS + 12, W_STACK0 - 0x400);
    put32(m, W_TSS + 16, SEL_DATA1);
    m[W_TSS + 0x66] = 0x68; /* the I/O bitmap: port 80h is for everybody */
    memset(m + W_TSS + 0x68, 0xff, 0x28);
    m[W_TSS + 0x68 + 0x10] = 0xfe;
}

/* What programs write, if they do as they should. */
static const struct { u32 from, to; } parts[] = {
    { 0, W_LOW_END }, { W_CODE, W_CODE_END }, { W_VARIANTS, W_VARIANTS + 0x4000 }, { W_DATA, W_DATA_END }, { W_GAMES, W_GAMES_END }, { W_STACK_LOW, W_STACK_END },
    { W_HOLE - 0x1000, W_HOLE },
};

static bool in_parts(u32 gpa)
{
    for (unsigned i = 0; i < ARRAY_LEN(parts); i++)
        if (gpa >= parts[i].from && gpa < parts[i].to)
            return true;
    return false;
}

/* --- paging --- */

static void put_page_table(u8 *m, u32 at, u32 twist)
{
    for (u32 page = 0; page < W_HOLE >> 12; page++) {
        u32 gpa = page << 12;
        bool user = gpa >= W_CODE || gpa == W_LANDING, game = gpa >= W_GAMES && gpa < W_GAMES_END;
        if (in_parts(gpa))
            put32(m, at + page * 4, (game ? gpa ^ twist : gpa) | (user ? 7 : 3));
    }
}

/* Two address spaces, which differ in the order of the pages of W_GAMES. */
static void put_paging(u8 *m)
{
    put_page_table(m, W_PT, 0);
    put_page_table(m, W_PT2, 0x1000);
    for (u32 space = 0; space < 2; space++) {
        u32 pd = space ? W_PD2 : W_PD, pt = space ? W_PT2 : W_PT;
        put32(m, pd, pt | 7);
        put32(m, pd + (W_ALIAS >> 22) * 4, pt | 7);
        put32(m, pd + (W_LARGE >> 22) * 4, 0x87);
    }
}

static void put_data(u8 *m)
{
    u64 random = 88172645463325252u;
    for (u32 at = W_DATA; at < W_GAMES_END; at++)
        m[at] = at < W_DATA_END ? check_random(&random) >> 24 : at >= W_GAMES ? at >> 12 : 0;
    for (u32 v = 0; v < 4; v++) {
        const u8 function[] = { 0xb8, v, 1, 2, 3, 0x83, 0xc2, v, 0xc3 }; /* mov eax, 3020100h + v; add edx, v; ret */
        memcpy(m + W_VARIANTS + v * 0x1000, function, sizeof function);
    }
}

const u8 *world_image(void)
{
    static u8 image[W_HOLE];
    static bool built;
    if (built)
        return image;
    built = true;
    memset(image, 0xf4, W_GDT); /* HLT, for those who stray */
    memset(image + W_STACK0, 0xf4, W_PD - W_STACK0);
    memcpy(image + W_COMMON, SNIP(common));
    memcpy(image + W_SYSENTER, SNIP(sysenter));
    memcpy(image + W_GATE, SNIP(gate));
    memcpy(image + W_GATE + 0x80, SNIP(gate2));
    put_idt(image);
    put_gdt(image);
    put_tss(image);
    put_paging(image);
    put_data(image);
    put32(image, W_LOG_NEXT, W_LOG);
    put32(image, W_FAULTS_LEFT, W_FAULTS);
    return image;
}

/* --- into a machine --- */

/* Only what differs is written, in small pieces: a monitor that traces a page table would drop all of it otherwise. */
static void restore(struct vm *vm, gpa_t at, const u8 *from, u64 size)
{
    const u8 *now = physmap_ptr_ro(&vm->map, at, size);
    for (u64 n = 0; n < size; n += PAGE_SIZE) {
        if (memcmp(now + n, from + n, PAGE_SIZE) == 0)
            continue;
        for (u64 k = n; k < n + PAGE_SIZE; k += 16)
            if (memcmp(now + k, from + k, 16) != 0)
                physmap_write(&vm->map, at + k, from + k, 16);
    }
}

void progen_prepare(struct vm *vm)
{
    u8 page[PAGE_SIZE];
    memset(page, 0xf4, sizeof page); /* HLT */
    for (gpa_t at = 0; at < W_ALIAS >> 1; at += PAGE_SIZE)
        if (!in_parts(at))
            physmap_write(&vm->map, at, page, sizeof page);
}

void progen_load(const struct progen *p, struct vm *vm)
{
    const u8 *image = world_image();
    for (unsigned i = 0; i < ARRAY_LEN(parts); i++)
        if (parts[i].from != W_CODE)
            restore(vm, parts[i].from, image + parts[i].from, parts[i].to - parts[i].from);
    physmap_write(&vm->map, p->at, p->code, p->len);
    vm->engine->set_state(vm->vcpu[0], &p->state);
    vm->vcpu[0]->cpu.attention = 0;
}

s64 progen_difference(struct vm *a, struct vm *b)
{
    for (unsigned i = 0; i < ARRAY_LEN(parts); i++) {
        u32 size = parts[i].to - parts[i].from;
        const u8 *p = physmap_ptr_ro(&a->map, parts[i].from, size), *q = physmap_ptr_ro(&b->map, parts[i].from, size);
        if (memcmp(p, q, size) == 0)
            continue;
        for (u32 n = 0;; n++)
            if (p[n] != q[n])
                return parts[i].from + n;
    }
    return -1;
}
