/* SPDX-License-Identifier: MIT */
/*
 * The smallest kernel for several processors: the loader's hands, the page at which the other processors start, interrupt entries. Paging
 * stays off: whoever wants to see that is served by guests/lib.
 */
#define MULTIBOOT_MAGIC 0x1BADB002
#define KERNEL_CODE 0x08
#define KERNEL_DATA 0x10
#define LAPIC_EOI 0xfee000b0

        .section .multiboot, "a"
        .align 4
        .long MULTIBOOT_MAGIC, 0, -MULTIBOOT_MAGIC

        .text
        .globl _start
_start: cld
        lgdt gdt_register
        ljmp $KERNEL_CODE, $1f
1:      mov $KERNEL_DATA, %eax
        mov %eax, %ds
        mov %eax, %es
        mov %eax, %ss
        mov $first_stack_top, %esp
        call first_main                                 /* does not return */

/* --- the others (SDM vol. 3, 9.4.4.1): in real mode, at the page that the start-up IPI named. smp.c copies this there. */
        .code16
        .globl trampoline, trampoline_end, trampoline_stack
trampoline:
        cli
        xor %ax, %ax
        mov %ax, %ds
        lgdtl gdt_register - trampoline + 0x7000
        mov %cr0, %eax
        or $1, %eax
        mov %eax, %cr0
        ljmpl $KERNEL_CODE, $other_start
        .align 4
gdt_register:
        .word 3 * 8 - 1
        .long gdt
trampoline_end:

        .code32
other_start:
        mov $KERNEL_DATA, %eax
        mov %eax, %ds
        mov %eax, %es
        mov %eax, %ss
        mov trampoline_stack, %esp
        call other_main                                 /* does not return */

/* --- interrupts: each is counted, and told to the local APIC but for the NMI */
        .macro counted name, counter, eoi
        .globl \name
\name:  lock incl \counter
        .if \eoi
        movl $0, LAPIC_EOI
        .endif
        .endm
        counted entry_ipi, ipis, 1
        iret
        counted entry_timer, timer_interrupts, 1
        iret
        counted entry_nmi, nmis, 0
        .globl entry_spurious
entry_spurious:
        iret

/* A function that is rewritten while another processor calls it. */
        .globl patched
patched:
        mov $1, %eax
        ret

        .data
        .align 8
gdt:    .quad 0, 0x00cf9a000000ffff, 0x00cf92000000ffff
trampoline_stack:
        .long 0

        .bss
        .align 16
        .skip 4096
first_stack_top:
