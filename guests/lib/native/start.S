/* SPDX-License-Identifier: MIT */
/*
 * Native guest: from the multiboot loader's hands to guest_main(), and everything that C cannot say: the entries of
 * exceptions, interrupts and system calls, and the way to ring 3 and back.
 */
#define MULTIBOOT_MAGIC 0x1BADB002
#define KERNEL_DATA 0x10
#define USER_CODE_SELECTOR 0x1b
#define USER_DATA_SELECTOR 0x23

        .section .multiboot, "a"
        .align 4
        .long MULTIBOOT_MAGIC, 0, -MULTIBOOT_MAGIC      /* magic, flags, checksum: the ELF headers say the rest */

        .text
        .globl _start
_start: cld
        mov $kernel_stack_top, %esp
        push %ebx                                       /* the boot information */
        call kernel_start                               /* does not return */

/* --- exceptions --------------------------------------------------------------------------------
 * The processor has pushed EFLAGS, CS, EIP and perhaps an error code. Vectors without one get a zero, so
 * that all frames look alike. */
        .macro exception vector, has_error
        .globl exception_\vector
exception_\vector:
        .if !\has_error
        push $0
        .endif
        push $\vector
        jmp exception_unexpected
        .endm

/* #DE, #UD, #GP, #PF: continue at trap_resume if the program has set it. This is all that a timed fault costs. */
        .macro resumable vector, has_error
        .globl exception_\vector
exception_\vector:
        .if !\has_error
        push $0
        .endif
        push %eax
        mov trap_resume, %eax
        test %eax, %eax
        jz 1f
        mov %eax, 8(%esp)                               /* EIP of the frame */
        pop %eax
        add $4, %esp                                    /* the error code */
        iret
1:      pop %eax
        push $\vector
        jmp exception_unexpected
        .endm

        resumable 0, 0
        exception 1, 0
        exception 2, 0
        exception 3, 0
        exception 4, 0
        exception 5, 0
        resumable 6, 0
        exception 7, 0
        exception 8, 1
        exception 9, 0
        exception 10, 1
        exception 11, 1
        exception 12, 1
        resumable 13, 1
        resumable 14, 1
        exception 15, 0
        exception 16, 0
        exception 17, 1
        exception 18, 0
        exception 19, 0

/* Stack: vector, error, EIP, CS, EFLAGS. */
exception_unexpected:
        mov %esp, %eax
        mov $KERNEL_DATA, %edx
        mov %edx, %ds
        mov %edx, %es
        push %eax
        call exception_report                           /* does not return */

/* --- interrupts ------------------------------------------------------------------------------- */
        .globl interrupt_timer, interrupt_apic, interrupt_line, interrupt_spurious
interrupt_line:
        pusha
        call interrupt_dispatch
        popa
        iret
interrupt_apic:
        incl apic_interrupts
        movl $0, 0xfee000b0                             /* end of interrupt, to the local APIC */
        iret
interrupt_timer:
        push %eax
        incl timer_ticks
        mov $0x20, %al                                  /* end of interrupt, to the first PIC */
        out %al, $0x20
        pop %eax
interrupt_spurious:
        iret

/* --- user mode -------------------------------------------------------------------------------- */

/* The null call is back at once: this is all that a timed system call costs. */
        .globl system_call
system_call:
        cmp $1, %eax                                    /* SYSCALL_EXIT */
        je 1f
        xor %eax, %eax
        iret
1:      mov %ebx, %eax                                  /* user_run()'s result */
        mov $KERNEL_DATA, %edx
        mov %edx, %ds
        mov %edx, %es
        mov tss + 4, %esp                               /* ESP0: as user_run() left it */
        popf
        pop %edi
        pop %esi
        pop %ebx
        pop %ebp
        ret

/* u32 user_run(void (*fn)(u32 arg), u32 arg) */
        .globl user_run
user_run:
        mov 4(%esp), %ecx
        mov 8(%esp), %eax
        push %ebp
        push %ebx
        push %esi
        push %edi
        pushf
        mov %esp, tss + 4                               /* where the kernel's stack begins for calls from ring 3 */
        mov $user_stack_top, %edx
        mov %eax, -4(%edx)                              /* the argument, under a return address that is never used */
        sub $8, %edx
        mov $USER_DATA_SELECTOR, %eax
        mov %eax, %ds
        mov %eax, %es
        push %eax                                       /* SS, ESP, EFLAGS, CS, EIP: a frame for IRET to ring 3 */
        push %edx
        pushf
        push $USER_CODE_SELECTOR
        push %ecx
        iret

/* void kernel_idle(void): STI lets nothing in before HLT waits (SDM vol. 2, STI), so no tick is lost between them. */
        .globl kernel_idle
kernel_idle:
        sti
        hlt
        cli
        ret

        .bss
        .align 16
        .space 8192
kernel_stack_top:

        .section .user.data, "aw"
        .align 16
        .space 4096
user_stack_top:
        .section .note.GNU-stack, "", @progbits
