/* SPDX-License-Identifier: MIT */
/*
 * Speed of the interpreter: guest instructions per second on compute loops of flat 32-bit code with paging on.
 * The bar is the geometric mean of the loops' medians.
 */
#include "../tests/guest64.h"

#include <math.h>
#include <time.h>

enum { RUNS = 5, BAR_MIPS = 100 };

/* Guest code, assembled with this file. EBX: where data may go. Each ends with HLT. */
asm(".pushsection .rodata\n.code32\n"
    /* Sieve of Eratosthenes over 32 KiB, 40 times */
    "bench_sieve: mov $40, %ebp\n"
    "0: mov %ebx, %edi\n mov $8192, %ecx\n mov $0x01010101, %eax\n"
    "1: mov %eax, (%edi)\n add $4, %edi\n dec %ecx\n jnz 1b\n"
    " mov $2, %esi\n"
    "2: cmpb $0, (%ebx,%esi)\n je 4f\n lea (%esi,%esi), %edi\n"
    "3: cmp $32768, %edi\n jae 4f\n movb $0, (%ebx,%edi)\n add %esi, %edi\n jmp 3b\n"
    "4: inc %esi\n cmp $182, %esi\n jb 2b\n"
    " dec %ebp\n jnz 0b\n hlt\n bench_sieve_end:\n"
    /* CRC-32 bit by bit over 8 KiB, 20 times */
    "bench_crc: mov $20, %ebp\n"
    "0: xor %esi, %esi\n mov $-1, %eax\n"
    "1: movzbl (%ebx,%esi), %edx\n xor %edx, %eax\n mov $8, %ecx\n"
    "2: shr $1, %eax\n jnc 3f\n xor $0xedb88320, %eax\n"
    "3: dec %ecx\n jnz 2b\n inc %esi\n cmp $8192, %esi\n jb 1b\n"
    " dec %ebp\n jnz 0b\n hlt\n bench_crc_end:\n"
    /* fib(25), recursive, as a compiler without optimization has it */
    "bench_fib: push $25\n call 1f\n add $4, %esp\n hlt\n"
    "1: push %ebp\n mov %esp, %ebp\n push %ebx\n mov 8(%ebp), %eax\n cmp $2, %eax\n jl 2f\n"
    " dec %eax\n push %eax\n call 1b\n add $4, %esp\n mov %eax, %ebx\n"
    " mov 8(%ebp), %eax\n sub $2, %eax\n push %eax\n call 1b\n add $4, %esp\n add %ebx, %eax\n"
    "2: pop %ebx\n leave\n ret\n bench_fib_end:\n"
    /* What has no bar: x87; stores into the page that the code is in; real mode */
    "bench_x87: mov $400000, %ecx\n fld1\n fldz\n 1: fadd %st(1), %st\n fmul %st(1), %st\n dec %ecx\n jnz 1b\n hlt\n bench_x87_end:\n"
    "bench_near: mov $400000, %ecx\n 1: mov %ecx, 0x1800\n dec %ecx\n jnz 1b\n hlt\n bench_near_end:\n"
    ".code16\n"
    "bench_real: mov $100, %dx\n 0: mov $10000, %cx\n mov $0x4000, %bx\n xor %ax, %ax\n"
    "1: add (%bx), %ax\n mov %ax, 2(%bx)\n dec %cx\n jnz 1b\n dec %dx\n jnz 0b\n hlt\n bench_real_end:\n"
    /* The same CRC as 64-bit code, with registers that only that has */
    ".code64\n"
    "bench_crc64: mov $20, %r9d\n"
    "0: xor %r8d, %r8d\n mov $-1, %eax\n"
    "1: movzbl (%rbx,%r8), %edx\n xor %edx, %eax\n mov $8, %r10d\n"
    "2: shr $1, %eax\n jnc 3f\n xor $0xedb88320, %eax\n"
    "3: dec %r10\n jnz 2b\n inc %r8\n cmp $8192, %r8\n jb 1b\n"
    " dec %r9\n jnz 0b\n hlt\n bench_crc64_end:\n"
    ".popsection\n");

#define GUEST_LOOP(name) extern const u8 bench_##name[], bench_##name##_end[];
GUEST_LOOP(sieve)
GUEST_LOOP(crc)
GUEST_LOOP(fib)
GUEST_LOOP(x87)
GUEST_LOOP(near)
GUEST_LOOP(real)
GUEST_LOOP(crc64)

/* Of this process on a processor: other work on the machine does not count. */
static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return t.tv_sec + t.tv_nsec * 1e-9;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Millions of guest instructions per second, one run on a fresh machine. */
static double run_once(unsigned bits, const u8 *code, size_t size)
{
    static struct guest g;
    if (bits == 64)
        guest_init_long(&g, "core2-64");
    else
        guest_init(&g, bits);
    if (bits == 32)
        guest_paging(&g);
    guest_put(&g, GUEST_CODE_AT, code, size);
    g.cpu.state.gpr[RBX] = 0x200000;
    double start = seconds();
    enum cpu_stop_kind why = cpu_run(&g.cpu, CLOCK_NEVER);
    double mips = g.cpu.icount / (seconds() - start) / 1e6;
    if (why != STOP_HLT)
        mips = 0;
    guest_fini(&g);
    return mips;
}

static double median(const char *name, unsigned bits, const u8 *code, const u8 *end)
{
    double mips[RUNS];
    for (int i = 0; i < RUNS; i++)
        mips[i] = run_once(bits, code, end - code);
    qsort(mips, RUNS, sizeof *mips, by_value);
    printf("interp %-6s %7.1f MIPS (%.1f to %.1f, %d runs)\n", name, mips[RUNS / 2], mips[0], mips[RUNS - 1], RUNS);
    return mips[RUNS / 2];
}

int main(void)
{
    double sieve = median("sieve", 32, bench_sieve, bench_sieve_end);
    double crc = median("crc", 32, bench_crc, bench_crc_end);
    double fib = median("fib", 32, bench_fib, bench_fib_end);
    median("x87", 32, bench_x87, bench_x87_end);
    median("near", 32, bench_near, bench_near_end);
    median("real", 16, bench_real, bench_real_end);
    median("crc64", 64, bench_crc64, bench_crc64_end);
    double mean = cbrt(sieve * crc * fib);
    printf("interp mean   %7.1f MIPS, bar %d: %s\n", mean, BAR_MIPS, mean >= BAR_MIPS ? "ok" : "BELOW");
    return mean < BAR_MIPS;
}
