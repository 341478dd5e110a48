/* SPDX-License-Identifier: MIT */
/* Ways into the kernel and from one process to another. The frames are the processor's, or Xen's, which look the same. */
        .macro save
        push %eax
        push %ebp
        push %edi
        push %esi
        push %edx
        push %ecx
        push %ebx
        cld
        push %esp                                       /* struct registers * */
        .endm

        .text
        .globl enter_call, enter_fault, task_begin, context_switch
enter_call:
        push $0                                         /* no error code */
        save
        call call_handle
        jmp leave
enter_fault:
        save
        call fault_handle
leave:  add $4, %esp
        pop %ebx
        pop %ecx
        pop %edx
        pop %esi
        pop %edi
        pop %ebp
        pop %eax
        add $4, %esp                                    /* the error code */
        iret

/* Where a new process begins: its stack holds struct registers. */
task_begin:
        push %esp
        jmp leave

/* void context_switch(u32 *save_esp, u32 esp) */
context_switch:
        mov 4(%esp), %eax
        mov 8(%esp), %edx
        push %ebp
        push %ebx
        push %esi
        push %edi
        mov %esp, (%eax)
        mov %edx, %esp
        pop %edi
        pop %esi
        pop %ebx
        pop %ebp
        ret

/* The file of the programs, page by page. */
        .section .rodata, "a"
        .globl program_file, program_file_end
        .align 4
program_file:
        .incbin PROGRAM
program_file_end:
        .section .note.GNU-stack, "", @progbits
