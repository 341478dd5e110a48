# SPDX-License-Identifier: MIT
# A brace and a semicolon are missing.
# file: lab1.c
# expect: a harmless one | does not compile | error: expected ';' before 'c'
# expect: a handful | does not compile | error: expected ';' before 'c'
# expect: traps and harmless ones | does not compile | error: expected ';' before 'c'
# expect: experiments: SGDT to POPF | does not compile | error: expected ';' before 'c'
# expect: experiments: LAR to PUSH | does not compile | error: expected ';' before 'c'
# expect: experiments: CALL to MOV | does not compile | error: expected ';' before 'c'
# expect: shown by registers and memory | does not compile | error: expected ';' before 'c'
# expect: shown by the stack | does not compile | error: expected ';' before 'c'
# expect: shown by flags | does not compile | error: expected ';' before 'c'
# expect: shown by segment registers | does not compile | error: expected ';' before 'c'
s/^    c->ldtr = 0;$/    c->ldtr = 0/
