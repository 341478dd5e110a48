# SPDX-License-Identifier: MIT
# The index is written before the element that it shows.
# file: lab8.c
# expect: batches | wrong answer | seen "@vhost 200 chains back, 127 of them wrongly"
# expect: pieces | wrong answer | seen "@vhost 400 chains back, 400 of them wrongly"
# expect: suppression | wrong answer | seen "@vhost 3000 chains back, 127 of them wrongly"
# expect: control | wrong answer | seen "@vhost 200 chains back, 127 of them wrongly"
# expect: wild address | wrong answer | seen "@vhost 100 chains back, 100 of them wrongly"
# expect: race | wrong answer | seen "@vhost 300 chains back, 127 of them wrongly"
# expect: long | wrong answer | seen "@vhost 70000 chains back, 127 of them wrongly"
# expect: wild length | wrong answer | seen "@vhost 100 chains back, 100 of them wrongly"
# expect: wrapped address | wrong answer | seen "@vhost 100 chains back, 100 of them wrongly"
# expect: short frame | wrong answer | seen "@vhost 100 chains back, 99 of them wrongly"
# expect: writable piece | wrong answer | seen "@vhost 100 chains back, 100 of them wrongly"
# expect: memory that changes | wrong answer | seen "@vhost 200 chains back, 200 of them wrongly"
/^static void give_back/,/^}/{/guest_write(ring.used + 4/d;s/^    write16.*$/    write16(ring.used + 2, next_used + 1);\
    guest_write(ring.used + 4 + 8 * (next_used++ % ring.size), \&e, sizeof e);/}
