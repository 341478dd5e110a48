# SPDX-License-Identifier: MIT
# All accesses are taken for 4 bytes.
# file: lab5.c
# expect: hello | wrong answer | seen "@out port e9, size 4: 48"
# expect: ports | wrong answer | seen "@out port 10, size 4: 11223344"
# expect: strings | wrong answer | seen "@out port e9, size 4: 69727453"
# expect: interrupts | wrong answer | seen "@out port 20, size 4: 60"
# expect: chain | wrong answer | seen "@out port 20, size 4: 62"
# expect: shutdown | wrong answer | seen "@out port 10, size 4: 1"
# expect: halt | wrong answer | seen "@out port 20, size 4: 60"
# expect: memory | wrong answer | seen "@out port 10, size 4: be00"
# expect: mix | wrong answer | seen "@out port e9, size 4: 6578696d"
s/^    unsigned size = v->run->io.size;$/    unsigned size = 4;/
