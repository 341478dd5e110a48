# SPDX-License-Identifier: MIT
# A new space has the user's pages only.
# file: lab4.c
# expect: one process | crash | Xen crashed the domain: no room for a trap frame on its kernel stack, esp=0xc0008f6c; it ended with ""
# expect: two processes | crash | Xen crashed the domain: no room for a trap frame on its kernel stack, esp=0xc0008f5c; it ended with ""
# expect: fork | crash | Xen crashed the domain: no room for a trap frame on its kernel stack, esp=0xc0008f6c; it ended with ""
# expect: save and restore | crash | Xen crashed the domain: no room for a trap frame on its kernel stack, esp=0xc0008f6c; it ended with ""
# expect: fork of 64 pages in 150 hypercalls | crash | Xen crashed the domain: no room for a trap frame on its kernel stack, esp=0xc0008f6c; it ended with ""
# expect: fork of 64 pages in 40 | crash | Xen crashed the domain: no room for a trap frame on its kernel stack, esp=0xc0008f6c; it ended with ""
# expect: fork of 64 pages in 20 | crash | Xen crashed the domain: no room for a trap frame on its kernel stack, esp=0xc0008f6c; it ended with ""
# expect: generations | crash | Xen crashed the domain: no room for a trap frame on its kernel stack, esp=0xc0008f4c; it ended with ""
# expect: generations in few hypercalls | crash | Xen crashed the domain: no room for a trap frame on its kernel stack, esp=0xc0008f4c; it ended with ""
s/^        kernel\[i\] = kernel_directory()\[i\];$/        kernel[i] = 0;/
