# SPDX-License-Identifier: MIT
# One chain for each kick.
# file: lab8.c
# expect: batches | wrong answer | seen "@vhost 1 frames, 0 spoiled"
# expect: pieces | wrong answer | seen "@vhost 1 frames, 0 spoiled"
# expect: suppression | wrong answer | seen "@vhost 1 frames, 0 spoiled"
# expect: control | wrong answer | seen "@vhost 1 frames, 0 spoiled"
# expect: loop | wrong answer | seen "@vhost 1 frames, 0 spoiled"
# expect: wild address | wrong answer | seen "@vhost 1 frames, 0 spoiled"
# expect: race | wrong answer | seen "@vhost 1 frames, 0 spoiled"
# expect: long | wrong answer | seen "@vhost 1 frames, 0 spoiled"
# expect: bad head | wrong answer | seen "@vhost 1 frames, 0 spoiled"
# expect: bad next | wrong answer | seen "@vhost 1 frames, 0 spoiled"
# expect: bad index | wrong answer | seen "@vhost 1 frames, 0 spoiled"
# expect: wild length | wrong answer | seen "@vhost 1 frames, 0 spoiled"
# expect: wrapped address | wrong answer | seen "@vhost 1 frames, 0 spoiled"
# expect: short frame | wrong answer | seen "@vhost 1 frames, 0 spoiled"
# expect: writable piece | wrong answer | seen "@vhost 1 frames, 0 spoiled"
# expect: memory that changes | wrong answer | seen "@vhost 1 frames, 0 spoiled"
s/^    for (u16 waiting; (waiting = read16(ring.available + 2) - next_available);) {$/    u16 waiting = read16(ring.available + 2) - next_available;\
    if (waiting) {/
s/} while (read16(ring.available + 2) != next_available);/} while (0);/
