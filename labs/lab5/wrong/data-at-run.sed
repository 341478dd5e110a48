# SPDX-License-Identifier: MIT
# The data of an I/O exit is looked for behind the structure, not where data_offset says.
# file: lab5.c
# expect: hello | wrong answer | seen "@lab5 hello ends with 0"
# expect: ports | wrong answer | seen "@out port 10, size 4: 0"
# expect: strings | wrong answer | seen "@out port 10, size 4: 0"
# expect: mmio | wrong answer | seen "@out port 10, size 4: 0"
# expect: interrupts | output flood | more than 64 KiB of output
# expect: chain | output flood | more than 64 KiB of output
# expect: shutdown | wrong answer | seen "@out port 10, size 1: 0"
# expect: halt | wrong answer | seen "@out port 20, size 1: 0"
# expect: memory | wrong answer | seen "@out port 10, size 4: 0"
# expect: mix | wrong answer | seen "@write d0001000, size 1: 70"
s/(unsigned char \*)v->run + v->run->io.data_offset/(unsigned char *)(v->run + 1)/
