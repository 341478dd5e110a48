/* SPDX-License-Identifier: MIT */
/* The page fault's entry. IRET is nobody's privilege, and the frame looks the same whether the processor or Xen has built it. */
        .text
        .globl page_fault_entry
page_fault_entry:
        pusha
        push %ds
        push %es
        mov %ss, %eax
        mov %eax, %ds
        mov %eax, %es
        push 40(%esp)                   /* the error code */
        call kernel_page_fault
        add $4, %esp
        pop %es
        pop %ds
        popa
        add $4, %esp
        iret
        .section .note.GNU-stack, "", @progbits
