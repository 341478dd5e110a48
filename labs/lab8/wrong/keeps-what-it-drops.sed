# SPDX-License-Identifier: MIT
# A chain that cannot be sent is forgotten, not given back.
# file: lab8.c
# expect: wild address | wrong answer | seen "@vhost 70 frames, 0 spoiled"
# expect: wild length | wrong answer | seen "@vhost 70 frames, 0 spoiled"
# expect: wrapped address | wrong answer | seen "@vhost 70 frames, 0 spoiled"
# expect: short frame | wrong answer | seen "@vhost 70 frames, 0 spoiled"
# expect: writable piece | wrong answer | seen "@vhost 70 frames, 0 spoiled"
s/^    give_back(head);$/    if (c == CHAIN_SEND)\
        give_back(head);/
