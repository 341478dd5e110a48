/* SPDX-License-Identifier: MIT */
/*
 * Xen guest: from the domain builder's hands to guest_main(), and everything that C cannot say. Compare with native/start.S:
 * what differs is who calls these entries (Xen bounces exceptions, the processor brings system calls) and in which
 * ring they run.
 */
#define __ASSEMBLY__
#define __XEN_INTERFACE_VERSION__ 0x00040600
#include <xen/xen.h>
#include <xen/elfnote.h>

/* --- what the image says of itself --------------------------------------------------------------- */
        .macro note type, value:vararg
        .align 4
        .long 4, 2f - 1f, \type
        .asciz "Xen"
1:      \value
2:      .align 4
        .endm

        .section .note.Xen, "a", @note
        note XEN_ELFNOTE_XEN_VERSION, .asciz "xen-3.0"
        note XEN_ELFNOTE_GUEST_OS, .asciz "emu guest"
        note XEN_ELFNOTE_VIRT_BASE, .long 0xc0000000
        note XEN_ELFNOTE_PADDR_OFFSET, .long 0xc0000000
        note XEN_ELFNOTE_ENTRY, .long _start
        note XEN_ELFNOTE_HYPERCALL_PAGE, .long hypercall_page
        note XEN_ELFNOTE_PAE_MODE, .asciz "yes"
        note XEN_ELFNOTE_LOADER, .asciz "generic"
        note XEN_ELFNOTE_FEATURES, .asciz "pae_pgdir_above_4gb"

        .section .hypercall_page, "ax"
        .globl hypercall_page
        .align 4096
hypercall_page:
        .skip 4096

        .text
        .globl _start
_start: cld
        mov $kernel_stack_top, %esp
        push %esi                                       /* start_info */
        call kernel_start                               /* does not return */

/* --- exceptions --------------------------------------------------------------------------------
 * Xen has built the frame that the processor would have built: EFLAGS, CS, EIP and perhaps an error code. IRET works as it
 * stands: returning to the same or an outer ring is nobody's privilege. */
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
        push %eax
        call exception_report                           /* does not return */

/* --- events -------------------------------------------------------------------------------------
 * The upcall comes with events masked; hypercall iret unmasks them and returns in one step. It expects EAX on
 * top of the frame, and its stub pushes it. */
        .globl event_entry, failsafe_entry
event_entry:
        pusha
        cld
        call event_upcall
        popa
        jmp hypercall_page + __HYPERVISOR_iret * 32
failsafe_entry:
        push $0
        push $255
        jmp exception_unexpected

/* --- user mode -------------------------------------------------------------------------------- */

/* The null call is back at once. Xen has no part in it: INT 0x80 goes straight from ring 3 to ring 1. */
        .globl system_call
system_call:
        cmp $1, %eax                                    /* SYSCALL_EXIT */
        je 1f
        xor %eax, %eax
        iret
1:      mov %ebx, %eax                                  /* user_run()'s result */
        mov $FLAT_KERNEL_DS, %edx
        mov %edx, %ds
        mov %edx, %es
        mov user_run_stack, %esp
        pop %edi
        pop %esi
        pop %ebx
        pop %ebp
        ret

/* u32 user_run(void (*fn)(u32 arg), u32 arg) */
        .globl user_run
user_run:
        push %ebp
        push %ebx
        push %esi
        push %edi
        mov %esp, user_run_stack
        mov $FLAT_KERNEL_SS, %ebx                       /* where the kernel's stack begins for calls from ring 3 */
        mov %esp, %ecx
        call hypercall_page + __HYPERVISOR_stack_switch * 32
        mov 20(%esp), %ecx                              /* fn */
        mov 24(%esp), %eax                              /* arg */
        mov $user_stack_top, %edx
        mov %eax, -4(%edx)                              /* the argument, under a return address that is never used */
        sub $8, %edx
        mov $FLAT_USER_DS, %eax
        mov %eax, %ds
        mov %eax, %es
        push %eax                                       /* SS, ESP, EFLAGS, CS, EIP: a frame for IRET to ring 3 */
        push %edx
        pushf
        push $FLAT_USER_CS
        push %ecx
        iret

        .bss
        .align 16
        .space 8192
kernel_stack_top:
user_run_stack:
        .long 0

        .section .user.data, "aw"
        .align 16
        .space 4096
user_stack_top:
        .section .note.GNU-stack, "", @progbits
