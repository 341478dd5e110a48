# SPDX-License-Identifier: MIT
# printf() and its header: there is no C library in a kernel.
# file: lab0.c
# expect: hello, on a bare PC | does not compile | lab0.c:(.text+0x15): undefined reference to `printf'
# expect: hello, on Xen | does not compile | lab0.c:(.text+0x15): undefined reference to `printf'
# expect: hello, translated | does not compile | lab0.c:(.text+0x15): undefined reference to `printf'
# expect: faults | does not compile | lab0.c:(.text+0x15): undefined reference to `printf'
# expect: the price of a port | does not compile | lab0.c:(.text+0x15): undefined reference to `printf'
s/^\/\* Lab 0: a first program that runs as a kernel\. handout\.md says what is to be done\. \*\/$/\/* Lab 0: a first program that runs as a kernel. handout.md says what is to be done. *\/\
#include <stdio.h>/
s/^    print("@lab0 hello from ring %u\\n", cs & 3);$/    printf("@lab0 hello from ring %u\\n", cs \& 3);/
