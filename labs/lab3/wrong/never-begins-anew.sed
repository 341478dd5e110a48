# SPDX-License-Identifier: MIT
# Nobody thinks of the day when all shadow pages are in use.
# file: lab3.c
# expect: many | crash | the guest ended with code 99; its console with "panic: no shadow is free"
/^static void make_room/,/^}/s/ >= 2)/ < 100)/
