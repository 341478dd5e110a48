#!/bin/sh
# SPDX-License-Identifier: MIT
# In the Linux guest of tests/test_smp.c: does it have four processors, and do they all work?
echo "@processors $(grep -c ^processor /proc/cpuinfo)"
for i in 0 1 2 3; do
    taskset $((1 << i)) sh -c 'n=0; while [ $n -lt 5000 ]; do n=$((n + 1)); done' &
done
wait
busy=0
for i in 0 1 2 3; do
    set -- $(grep "^cpu$i " /proc/stat)
    [ "$2" -gt 0 ] && busy=$((busy + 1))
done
echo "@loops $busy"
set -- $(grep LOC: /proc/interrupts)
ticks=0
for n in $2 $3 $4 $5; do [ "$n" -gt 50 ] && ticks=$((ticks + 1)); done
echo "@ticks $ticks"
sent=0
for n in $(grep -E 'RES:|CAL:' /proc/interrupts); do case $n in *[!0-9]*) ;; *) sent=$((sent + n)) ;; esac; done
[ $sent -gt 20 ] && echo "@ipis yes" || echo "@ipis $sent"
