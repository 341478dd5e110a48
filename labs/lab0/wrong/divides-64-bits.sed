# SPDX-License-Identifier: MIT
# A 64-bit division, for which a guest has no library.
# file: lab0.c
# expect: hello, on a bare PC | does not compile | lab0.c:(.text+0x9f): undefined reference to `__udivdi3'
# expect: hello, on Xen | does not compile | lab0.c:(.text+0x9f): undefined reference to `__udivdi3'
# expect: hello, translated | does not compile | lab0.c:(.text+0x9f): undefined reference to `__udivdi3'
# expect: faults | does not compile | lab0.c:(.text+0x9f): undefined reference to `__udivdi3'
# expect: the price of a port | does not compile | lab0.c:(.text+0x9f): undefined reference to `__udivdi3'
s/^    return (u32)(rdtsc() - start) \/ n;$/    return (rdtsc() - start) \/ n;/
