# SPDX-License-Identifier: MIT
# The ioeventfd takes every value that is written: another queue's doorbell does not come through.
# file: lab8.c
# expect: control | counts | exits to user space, of another queue's doorbell: 5 expected at least
s/s->doorbell, 2, 1, s->queue/s->doorbell, 2, 0, 0/
