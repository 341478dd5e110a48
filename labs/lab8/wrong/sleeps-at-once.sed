# SPDX-License-Identifier: MIT
# The worker says that it wants to hear, and sleeps, and does not look once more.
# file: lab8.c
# expect: race | wrong answer | seen "@vhost 1 frames, 0 spoiled"
s/} while (read16(ring.available + 2) != next_available);/} while (0);/
