# SPDX-License-Identifier: MIT
# The ioeventfd is for stores of four bytes; the guest's has two.
# file: lab8.c
# expect: batches | wrong answer | seen "@vhost 0 frames, 0 spoiled"
# expect: pieces | wrong answer | seen "@vhost 0 frames, 0 spoiled"
# expect: suppression | wrong answer | seen "@vhost 0 frames, 0 spoiled"
# expect: control | wrong answer | seen "@vhost 0 frames, 0 spoiled"
# expect: loop | wrong answer | seen "@vhost 0 frames, 0 spoiled"
# expect: wild address | wrong answer | seen "@vhost 0 frames, 0 spoiled"
# expect: race | counts | exits to user space: 0 expected at most
# expect: long | wrong answer | seen "@vhost 0 frames, 0 spoiled"
# expect: bad head | wrong answer | seen "@vhost 0 frames, 0 spoiled"
# expect: bad next | wrong answer | seen "@vhost 0 frames, 0 spoiled"
# expect: bad index | wrong answer | seen "@vhost 0 frames, 0 spoiled"
# expect: wild length | wrong answer | seen "@vhost 0 frames, 0 spoiled"
# expect: wrapped address | wrong answer | seen "@vhost 0 frames, 0 spoiled"
# expect: short frame | wrong answer | seen "@vhost 0 frames, 0 spoiled"
# expect: writable piece | wrong answer | seen "@vhost 0 frames, 0 spoiled"
# expect: memory that changes | wrong answer | seen "@vhost 0 frames, 0 spoiled"
s/s->doorbell, 2, 1/s->doorbell, 4, 1/
