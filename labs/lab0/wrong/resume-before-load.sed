# SPDX-License-Identifier: MIT
# Execution resumes at the load, which faults for ever.
# file: lab0.c
# expect: faults | time-out | still running after 20000000 guest instructions
s/^    __asm__ volatile("movl \$1f, %0; movb (%2), %%al; movl \$0, %1; 1:" : "=m"(trap_resume), "+m"(faulted) : "r"(address) : "eax", "memory");$/    __asm__ volatile("movl $1f, %0; 1: movb (%2), %%al; movl $0, %1" : "=m"(trap_resume), "+m"(faulted) : "r"(address) : "eax", "memory");/
