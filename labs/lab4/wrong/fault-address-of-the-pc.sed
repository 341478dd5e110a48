# SPDX-License-Identifier: MIT
# CR2 is read as on a bare PC, where nobody has put the address: Xen keeps the real one to itself.
# file: lab4.c
# expect: fork | crash | the guest ended with code 99; its console with "@lab4 fork: the child sees 10page fault at 0, error 7|panic: a page fault that nobody expected"
# expect: save and restore | crash | the guest ended with code 99; its console with "@lab4 save: 12page fault at 0, error 7|panic: a page fault that nobody expected"
# expect: generations | crash | the guest ended with code 99; its console with "page fault at 0, error 7|panic: a page fault that nobody expected"
# expect: generations in few hypercalls | crash | the guest ended with code 99; its console with "page fault at 0, error 7|panic: a page fault that nobody expected"
s/^    return xen_shared->vcpu_info\[0\].arch.cr2;$/    return 0;/
