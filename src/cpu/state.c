/* SPDX-License-Identifier: MIT */
#include "cpu/state.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { ATTR_DATA16 = 0x93, ATTR_CODE16 = 0x9b, ATTR_DATA32 = 0xc093, ATTR_CODE32 = 0xc09b, ATTR_LDT = 0x82, ATTR_TSS32_BUSY = 0x8b };

static struct segment segment(u16 selector, u64 base, u32 limit, u32 attr)
{
    return (struct segment){ .selector = selector, .base = base, .limit = limit, .attr = attr };
}

/* SDM vol. 3, table 9-1: after power-up all eight x87 registers are tagged "zero" and no x87 exception is masked; MXCSR
 * masks all of its own. */
static void reset_fpu(struct fpu_state *f)
{
    memset(f, 0, sizeof *f);
    f->fcw = 0x0040;
    f->ftw = 0xff;
    f->mxcsr = 0x1f80;
    f->mxcsr_mask = 0xffff;
}

void state_reset(struct cpu_state *s)
{
    memset(s, 0, sizeof *s);
    s->rip = 0xfff0;
    s->rflags = FLAG_FIXED;
    for (int i = 0; i < SREG_COUNT; i++)
        s->seg[i] = segment(0, 0, 0xffff, ATTR_DATA16);
    s->seg[CS] = segment(0xf000, 0xffff0000, 0xffff, ATTR_CODE16);
    s->ldtr = segment(0, 0, 0xffff, ATTR_LDT);
    s->tr = segment(0, 0, 0xffff, ATTR_TSS32_BUSY);
    s->gdtr.limit = s->idtr.limit = 0xffff;
    s->cr0 = CR0_CD | CR0_NW | CR0_ET;
    s->dr[6] = 0xffff0ff0;
    s->dr[7] = 0x400;
    s->misc_enable = 1; /* fast strings */
    s->pat = 0x0007040600070406; /* SDM vol. 3, table 11-12 */
    reset_fpu(&s->fpu);
}

void state_flat32(struct cpu_state *s, u32 eip, u32 esp)
{
    state_reset(s);
    for (int i = 0; i < SREG_COUNT; i++)
        s->seg[i] = segment(0x10, 0, 0xffffffff, ATTR_DATA32);
    s->seg[CS] = segment(0x08, 0, 0xffffffff, ATTR_CODE32);
    s->gdtr.limit = 0;
    s->idtr.limit = 0;
    s->cr0 = CR0_PE | CR0_ET;
    s->rip = eip;
    s->gpr[RSP] = esp;
}

/* A buffer that text is appended to; what does not fit is cut. */
struct text { char *buf; size_t size, len; };

static void __attribute__((format(printf, 2, 3))) add(struct text *t, const char *fmt, ...)
{
    if (t->len >= t->size)
        return;
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(t->buf + t->len, t->size - t->len, fmt, ap);
    va_end(ap);
    t->len += n > 0 ? (size_t)n : 0;
    if (t->len >= t->size)
        t->len = t->size ? t->size - 1 : 0;
}

static const char *mode_name(const struct cpu_state *s)
{
    if (state_real(s))
        return "real mode";
    if (state_v86(s))
        return "virtual-8086 mode";
    switch (state_code_bits(s)) {
    case 64: return "64-bit mode";
    case 32: return state_long(s) ? "32-bit compatibility mode" : "32-bit protected mode";
    default: return state_long(s) ? "16-bit compatibility mode" : "16-bit protected mode";
    }
}

static void add_gprs(struct text *t, const struct cpu_state *s)
{
    static const char *const name[] = { "AX", "CX", "DX", "BX", "SP", "BP", "SI", "DI" };
    static const u8 order[] = { RAX, RBX, RCX, RDX, RSI, RDI, RBP, RSP };
    bool wide = state_long(s);
    for (int i = 0; i < 8; i++) {
        const char *end = i % 4 == 3 ? "\n" : " ";
        if (wide)
            add(t, "R%s=%016llx%s", name[order[i]], (unsigned long long)s->gpr[order[i]], end);
        else
            add(t, "E%s=%08x%s", name[order[i]], (u32)s->gpr[order[i]], end);
    }
    for (int i = R8; wide && i <= R15; i++)
        add(t, "R%-2d=%016llx%s", i, (unsigned long long)s->gpr[i], i % 4 == 3 ? "\n" : " ");
}

static void add_flags(struct text *t, u64 rflags)
{
    static const struct { u32 bit; const char *name; } flag[] = {
        { FLAG_ID, "ID" }, { FLAG_VIP, "VIP" }, { FLAG_VIF, "VIF" }, { FLAG_AC, "AC" }, { FLAG_VM, "VM" }, { FLAG_RF, "RF" },
        { FLAG_NT, "NT" }, { FLAG_OF, "OF" }, { FLAG_DF, "DF" }, { FLAG_IF, "IF" }, { FLAG_TF, "TF" }, { FLAG_SF, "SF" },
        { FLAG_ZF, "ZF" }, { FLAG_AF, "AF" }, { FLAG_PF, "PF" }, { FLAG_CF, "CF" },
    };
    const char *gap = "";
    add(t, "[");
    for (unsigned i = 0; i < ARRAY_LEN(flag); i++) {
        if (rflags & flag[i].bit) {
            add(t, "%s%s", gap, flag[i].name);
            gap = " ";
        }
    }
    add(t, "]");
}

static void add_segment(struct text *t, const char *name, const struct segment *g)
{
    add(t, "%-3s=%04x base=%08llx limit=%08x attr=%05x DPL=%u%s\n", name, g->selector, (unsigned long long)g->base, g->limit, g->attr,
        seg_dpl(g->attr), g->attr & SEG_UNUSABLE ? " unusable" : "");
}

static void add_control(struct text *t, const struct cpu_state *s)
{
    add(t, "GDT base=%08llx limit=%04x   IDT base=%08llx limit=%04x\n", (unsigned long long)s->gdtr.base, s->gdtr.limit,
        (unsigned long long)s->idtr.base, s->idtr.limit);
    add(t, "CR0=%08llx CR2=%08llx CR3=%08llx CR4=%08llx EFER=%llx\n", (unsigned long long)s->cr0, (unsigned long long)s->cr2,
        (unsigned long long)s->cr3, (unsigned long long)s->cr4, (unsigned long long)s->efer);
    add(t, "DR0=%08llx DR1=%08llx DR2=%08llx DR3=%08llx DR6=%08llx DR7=%08llx\n", (unsigned long long)s->dr[0], (unsigned long long)s->dr[1],
        (unsigned long long)s->dr[2], (unsigned long long)s->dr[3], (unsigned long long)s->dr[6], (unsigned long long)s->dr[7]);
    if (state_long(s))
        add(t, "STAR=%016llx LSTAR=%016llx FMASK=%08llx KERNEL_GS_BASE=%016llx CR8=%llx\n", (unsigned long long)s->star, (unsigned long long)s->lstar,
            (unsigned long long)s->sfmask, (unsigned long long)s->kernel_gs_base, (unsigned long long)s->cr8);
}

int state_format(const struct cpu_state *s, char *buf, size_t size)
{
    static const char *const seg_name[] = { "ES", "CS", "SS", "DS", "FS", "GS" };
    static const char *const activity[] = { "running", "halted", "shut down", "waiting for a start-up IPI" };
    struct text t = { buf, size, 0 };
    add_gprs(&t, s);
    add(&t, "%s=%08llx EFLAGS=%08llx ", state_long(s) ? "RIP" : "EIP", (unsigned long long)s->rip, (unsigned long long)s->rflags);
    add_flags(&t, s->rflags);
    add(&t, " CPL=%u %s, %s\n", state_cpl(s), mode_name(s), s->activity < ARRAY_LEN(activity) ? activity[s->activity] : "?");
    for (int i = 0; i < SREG_COUNT; i++)
        add_segment(&t, seg_name[i], &s->seg[i]);
    add_segment(&t, "LDT", &s->ldtr);
    add_segment(&t, "TR", &s->tr);
    add_control(&t, s);
    return (int)t.len;
}
