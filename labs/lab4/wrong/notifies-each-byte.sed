# SPDX-License-Identifier: MIT
# An event for every character.
# file: lab4.c
# expect: console in 30 notifications | counts | notifications: 30 expected at most, seen 6142: 6112 too many
s/^        ring->out_prod++;$/&\
        notify();/
