# SPDX-License-Identifier: MIT
# The fault is not expected: the kernel panics.
# file: lab0.c
# expect: faults | crash | the guest ended with code 99
s/^    __asm__ volatile("movl \$1f, %0; movb (%2), %%al; movl \$0, %1; 1:" : "=m"(trap_resume), "+m"(faulted) : "r"(address) : "eax", "memory");$/    __asm__ volatile("movl $0, %0; movb (%2), %%al; movl $0, %1; 1:" : "=m"(trap_resume), "+m"(faulted) : "r"(address) : "eax", "memory");/
