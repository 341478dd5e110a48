# SPDX-License-Identifier: MIT
# The header goes out with the frame.
# file: lab8.c
# expect: batches | wrong answer | seen "@vhost 200 frames, 200 spoiled"
# expect: pieces | wrong answer | seen "@vhost 400 frames, 400 spoiled"
# expect: suppression | wrong answer | seen "@vhost 3000 frames, 3000 spoiled"
# expect: control | wrong answer | seen "@vhost 200 frames, 200 spoiled"
# expect: loop | wrong answer | seen "@vhost refused: a loop, behind spoiled frames"
# expect: wild address | wrong answer | seen "@vhost 88 frames, 88 spoiled"
# expect: race | wrong answer | seen "@vhost 300 frames, 300 spoiled"
# expect: long | wrong answer | seen "@vhost 70000 frames, 70000 spoiled"
# expect: bad head | wrong answer | seen "@vhost refused: a head, behind spoiled frames"
# expect: bad next | wrong answer | seen "@vhost refused: a next, behind spoiled frames"
# expect: bad index | wrong answer | seen "@vhost refused: the index, behind spoiled frames"
# expect: wild length | wrong answer | seen "@vhost 88 frames, 88 spoiled"
# expect: wrapped address | wrong answer | seen "@vhost 88 frames, 88 spoiled"
# expect: short frame | wrong answer | seen "@vhost 88 frames, 88 spoiled"
# expect: writable piece | wrong answer | seen "@vhost 88 frames, 88 spoiled"
# expect: memory that changes | wrong answer | seen "@vhost 200 frames, 200 spoiled"
s/wire_send(packet + HEADER, len - HEADER)/wire_send(packet, len)/
