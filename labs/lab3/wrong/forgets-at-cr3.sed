# SPDX-License-Identifier: MIT
# Each load of CR3 begins with empty tables.
# file: lab3.c
# expect: spaces in few hidden faults | counts | hidden faults: 100 expected at most, seen 584: 484 too many
/^void shadow_cr3_load/,/^}/s/^    make_room();$/    for (struct shadow *s = shadows; s < shadows + SHADOW_PAGES; s++)\
        if (s->table)\
            shadow_drop(s);/
