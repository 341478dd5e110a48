/* SPDX-License-Identifier: MIT */
/*
 * One instruction on the host's own processor, in 32-bit compatibility mode; or, with NATIVE_BITS 64, in 64-bit mode.
 *
 * A 64-bit process may jump to the kernel's 32-bit user code segment. The stubs below do: they load
 * the registers from struct machine, jump to the instruction, and behind it another jump leads to the stub that stores
 * them again. Everything lies below 4 GiB at fixed addresses. What the instruction raises arrives as a signal, with all
 * registers, the vector and the error code in its frame. So does the end of a taken jump: it leads to unmapped memory
 * or onto the INT3s that fill the code page.
 */
#ifndef EMU_TESTS_NATIVE_H
#define EMU_TESTS_NATIVE_H

#ifndef _GNU_SOURCE
#error "define _GNU_SOURCE: ucontext.h hides the register names otherwise"
#endif
#include <assert.h>
#include <signal.h>
#include <string.h>
#include <asm/prctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include "cpu/decode.h"

#ifndef NATIVE_BITS
#define NATIVE_BITS 32
#endif

/* Linear addresses; plain numbers, since the stubs are made of them too. */
#define NATIVE_STATE 0x300000   /* struct native_area */
#define NATIVE_STUBS 0x310000
#define NATIVE_CODE 0x400000    /* the page of the instruction */
#define NATIVE_CS 0x23          /* Linux: GDT_ENTRY_DEFAULT_USER32_CS, _USER_DS and _USER_CS, with RPL 3 */
#define NATIVE_DS 0x2b
#define NATIVE_CS64 0x33
#define NATIVE_GS_BASE 0x12345000 /* in 64-bit mode; FS is the C library's */

enum { NO_VECTOR = -1 };

#if NATIVE_BITS == 64
typedef u64 word;
enum { NATIVE_GPRS = 16, NATIVE_XMMS = 16 };
#else
typedef u32 word;
enum { NATIVE_GPRS = 8, NATIVE_XMMS = 8 };
#endif

/* The registers of a user program, and what the instruction raised. */
struct machine {
    word gpr[NATIVE_GPRS], eip, eflags;
    int vector;             /* enum vector, or NO_VECTOR */
    u32 error;
    word cr2;
    u16 ds, es, cs;
    struct fpu_state fpu;
};

struct native_area {
    struct machine m;
    u64 host_rsp;
    u32 far_offset; u16 far_selector;
    u32 mxcsr;              /* the host's */
    word start, end;        /* of the instruction */
    u32 inside;
};
static struct native_area *const native = (void *)NATIVE_STATE;

#define TEXT1(x) #x
#define TEXT(x) TEXT1(x)
#define AT(offset) "(" TEXT(NATIVE_STATE) "+" #offset ")"
#if NATIVE_BITS == 64
static_assert(offsetof(struct native_area, m.eip) == 128 && offsetof(struct native_area, m.eflags) == 136 &&
                  offsetof(struct native_area, m.fpu) == 192 && offsetof(struct native_area, host_rsp) == 704 &&
                  offsetof(struct native_area, mxcsr) == 720,
              "what the stubs below have as numbers");

/* Copied to NATIVE_STUBS; position-dependent there. */
#define EACH_GPR(X) \
    X("rax", 0) X("rcx", 8) X("rdx", 16) X("rbx", 24) X("rbp", 40) X("rsi", 48) X("rdi", 56) X("r8", 64) X("r9", 72) X("r10", 80) \
    X("r11", 88) X("r12", 96) X("r13", 104) X("r14", 112) X("r15", 120) X("rsp", 32)
#define LOAD(reg, offset) "mov " AT(offset) ", %" reg "\n"
#define STORE(reg, offset) "mov %" reg ", " AT(offset) "\n"
__asm__(".pushsection .rodata\n"
        "native_stubs:\n"
        "push %rbx; push %rbp; push %r12; push %r13; push %r14; push %r15\n"
        "mov %rsp, " AT(704) "\n"
        "native_stub_load:\n"
        "fxrstor64 " AT(192) "\n"
        "mov $" AT(136) ", %esp; popfq\n"
        EACH_GPR(LOAD)
        "jmp *" AT(128) "\n"
        "native_stub_store:\n"                     /* the jump behind the instruction comes here */
        EACH_GPR(STORE)
        "mov $" AT(144) ", %esp; pushfq\n"
        "fxsave64 " AT(192) "\n"
        "native_stub_back:\n"                      /* also where the signal handler resumes */
        "mov " AT(704) ", %rsp\n"
        "pop %r15; pop %r14; pop %r13; pop %r12; pop %rbp; pop %rbx\n"
        "fninit; ldmxcsr " AT(720) "\n"
        "pushq $0x202; popfq; ret\n"
        "native_stubs_end:\n"
        ".popsection\n");
#else
static_assert(offsetof(struct native_area, m.eip) == 32 && offsetof(struct native_area, m.eflags) == 36 &&
                  offsetof(struct native_area, m.fpu) == 64 && offsetof(struct native_area, host_rsp) == 576 &&
                  offsetof(struct native_area, far_offset) == 584 && offsetof(struct native_area, mxcsr) == 592,
              "what the stubs below have as numbers");

/* Copied to NATIVE_STUBS; position-dependent there. */
__asm__(".pushsection .rodata\n"
        "native_stubs:\n"
        ".code64\n"                                 /* called from C */
        "push %rbx; push %rbp; push %r12; push %r13; push %r14; push %r15\n"
        "mov %rsp, " AT(576) "\n"
        "ljmp *" AT(584) "\n"                       /* to the next line, in 32-bit mode */
        "native_stub_load:\n"
        ".code32\n"
        "fxrstor " AT(64) "\n"
        "mov $" AT(36) ", %esp; popfl\n"
        "mov " AT(0) ", %eax; mov " AT(4) ", %ecx; mov " AT(8) ", %edx; mov " AT(12) ", %ebx\n"
        "mov " AT(16) ", %esp; mov " AT(20) ", %ebp; mov " AT(24) ", %esi; mov " AT(28) ", %edi\n"
        "jmp *" AT(32) "\n"
        "native_stub_store:\n"                      /* the jump behind the instruction comes here */
        /* by SS: the instruction may have put anything into DS */
        "mov %eax, %ss:" AT(0) "; mov %ecx, %ss:" AT(4) "; mov %edx, %ss:" AT(8) "; mov %ebx, %ss:" AT(12) "\n"
        "mov %esp, %ss:" AT(16) "; mov %ebp, %ss:" AT(20) "; mov %esi, %ss:" AT(24) "; mov %edi, %ss:" AT(28) "\n"
        "mov $" AT(40) ", %esp; pushfl\n"
        "fxsave %ss:" AT(64) "\n"
        "ljmp $" TEXT(NATIVE_CS64) ", $(" TEXT(NATIVE_STUBS) " + native_stub_back - native_stubs)\n"
        "native_stub_back:\n"                       /* also where the signal handler resumes */
        ".code64\n"
        "mov " AT(576) ", %rsp\n"
        "pop %r15; pop %r14; pop %r13; pop %r12; pop %rbp; pop %rbx\n"
        "fninit; ldmxcsr " AT(592) "\n"
        /* AC, NT and ID would outlive a POPF */
        "pushq $0x202; popfq; ret\n"
        "native_stubs_end:\n"
        ".popsection\n");
#endif
extern const u8 native_stubs[], native_stub_load[], native_stub_store[], native_stub_back[], native_stubs_end[];

static u32 native_stub(const u8 *label) { return NATIVE_STUBS + (label - native_stubs); }

static const int native_gregs[16] = { REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
                                      REG_R8,  REG_R9,  REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15 };

/* A trap or fault behind the instruction is no more than the end of a taken jump. */
static void native_note_vector(struct machine *m, const greg_t *g)
{
    bool int3_reached = g[REG_TRAPNO] == VEC_BP && (word)g[REG_RIP] != native->end;
    bool fetch_failed =
        g[REG_TRAPNO] == VEC_PF && (word)g[REG_CR2] == (word)g[REG_RIP] && (word)g[REG_RIP] != native->start;
    m->eip = g[REG_RIP] - int3_reached;
    m->vector = int3_reached || fetch_failed ? NO_VECTOR : g[REG_TRAPNO];
    m->error = g[REG_ERR];
    m->cr2 = g[REG_CR2];
}

static void native_on_signal(int sig, siginfo_t *info, void *context)
{
    ucontext_t *uc = context;
    greg_t *g = uc->uc_mcontext.gregs;
    if (!native->inside) {
        signal(sig, SIG_DFL); /* not ours: die of it */
        return;
    }
    native->inside = false;
    for (unsigned i = 0; i < NATIVE_GPRS; i++)
        native->m.gpr[i] = g[native_gregs[i]];
    native->m.eflags = g[REG_EFL];
    native->m.cs = g[REG_CSGSFS];
    native_note_vector(&native->m, g);
    memcpy(&native->m.fpu, uc->uc_mcontext.fpregs, offsetof(struct fpu_state, xmm[NATIVE_XMMS]));
    g[REG_RIP] = native_stub(native_stub_back);
    g[REG_EFL] = FLAG_FIXED | FLAG_IF;
    g[REG_CSGSFS] = (g[REG_CSGSFS] & ~(greg_t)0xffff) | NATIVE_CS64;
}

/* Pages at a fixed linear address; false if they are taken. */
static bool native_map(u32 at, u32 size, int protection)
{
    void *p = mmap((void *)(uintptr_t)at, size, protection, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
    return p == (void *)(uintptr_t)at;
}

/* Stubs, handlers and their stack. False if this host cannot. */
static bool native_init(void)
{
    static u8 stack[1 << 16];
    static const int signals[] = { SIGTRAP, SIGSEGV, SIGBUS, SIGFPE, SIGILL };
    stack_t ss = { .ss_sp = stack, .ss_size = sizeof stack };
    struct sigaction sa = { .sa_sigaction = native_on_signal, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER };
    bool ok = sigaltstack(&ss, NULL) == 0 && native_map(NATIVE_STATE, PAGE_SIZE, PROT_READ | PROT_WRITE) &&
              native_map(NATIVE_STUBS, PAGE_SIZE, PROT_READ | PROT_WRITE | PROT_EXEC) &&
              native_map(NATIVE_CODE, PAGE_SIZE, PROT_READ | PROT_WRITE | PROT_EXEC);
    for (unsigned i = 0; i < ARRAY_LEN(signals); i++)
        ok &= sigaction(signals[i], &sa, NULL) == 0;
    if (!ok)
        return false;
    memset((void *)NATIVE_STUBS, 0xcc, PAGE_SIZE); /* a random jump may come here, too */
    memcpy((void *)NATIVE_STUBS, native_stubs, native_stubs_end - native_stubs);
    memset((void *)NATIVE_CODE, 0xcc, PAGE_SIZE);
    native->mxcsr = 0x1f80;
    native->far_offset = native_stub(native_stub_load);
    native->far_selector = NATIVE_CS;
    return true;
}

/* Execute the instruction bytes[0..len) at m->eip, which lies in the code page; all of *m is replaced. */
static void native_run(struct machine *m, const u8 *bytes, unsigned len)
{
    u8 *code = (void *)(uintptr_t)m->eip;
    u32 back = native_stub(native_stub_store) - (m->eip + len + 5);
    uintptr_t stubs = NATIVE_STUBS;
    u8 overwritten[INSN_MAX + 5];
    memcpy(overwritten, code, len + 5);
    memcpy(code, bytes, len);
    code[len] = 0xe9; /* jmp native_stub_store */
    memcpy(code + len + 1, &back, sizeof back);
    native->m = *m;
    native->m.vector = NO_VECTOR;
    native->m.cs = NATIVE_BITS == 64 ? NATIVE_CS64 : NATIVE_CS;
    native->start = m->eip;
    native->end = m->eip + len;
    native->inside = true;
    __asm__ volatile("mov %0, %%ds; mov %0, %%es; mov %1, %%gs" : : "r"(NATIVE_DS), "r"(0)); /* (FS is libc's) */
    if (NATIVE_BITS == 64)
        syscall(SYS_arch_prctl, ARCH_SET_GS, NATIVE_GS_BASE);
    /* the red zone below RSP is the compiler's: step over it */
    __asm__ volatile("sub $128, %%rsp; call *%0; add $128, %%rsp"
                     : "+a"(stubs)
                     :
                     : "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "cc", "memory", "mm0", "mm1", "mm2", "mm3",
                       "mm4", "mm5", "mm6", "mm7", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8",
                       "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15");
    if (native->inside) /* came back without a signal: it went on to the jump */
        native->m.eip = m->eip + len;
    native->inside = false;
    __asm__ volatile("mov %%ds, %0; mov %%es, %1" : "=r"(native->m.ds), "=r"(native->m.es));
    memcpy(code, overwritten, len + 5);
    *m = native->m;
}

#endif
