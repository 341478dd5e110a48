/* SPDX-License-Identifier: MIT */
/* The page fault's entry, and the guest's two instructions; each is two bytes long. */
#define KERNEL_DATA 0x10

        .text
        .globl world_page_fault
world_page_fault:
        pusha
        push %ds
        push %es
        mov $KERNEL_DATA, %eax
        mov %eax, %ds
        mov %eax, %es
        push %esp
        call world_on_page_fault
        add $4, %esp
        pop %es
        pop %ds
        popa
        add $4, %esp                    /* the error code */
        iret

/* u32 world_kernel_access(u32 gva, u32 value, u32 write): the guest's kernel */
        .globl world_kernel_access
world_kernel_access:
        mov 4(%esp), %edx
        mov 8(%esp), %eax
        cmpl $0, 12(%esp)
        jne 1f
        mov (%edx), %eax
        ret
1:      mov %eax, (%edx)
        ret

/* void world_user_access(u32 write), in ring 3: address and value are in user memory; SYSCALL_EXIT with what was loaded */
        .section .user.text, "ax"
        .globl world_user_access
world_user_access:
        mov world_user_gva, %edx
        mov world_user_value, %eax
        cmpl $0, 4(%esp)
        jne 1f
        mov (%edx), %eax
        jmp 2f
1:      mov %eax, (%edx)
2:      mov %eax, %ebx
        mov $1, %eax
        int $0x80
        .section .note.GNU-stack, "", @progbits
