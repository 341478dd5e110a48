#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# answers.sh EMU: the reference's answers, counted as students count them, for the counts change when an engine does.
# writes: answers.txt
set -eu
emu=$1 table=$(mktemp)
trap 'rm -f "$table"' EXIT
"$emu" compare --engines=bare,bt,pv,kvm --csv "$table" guests/hello guests/nano >/dev/null
count() { awk -F, -v g="$1" -v e="$2" -v n="$3" '$1 == g && $3 == e && ($5 ~ n) { sum += $7 } END { print sum }' "$table"; }
echo "hello-instructions = $(count guests/hello bare '^instructions$')"
echo "nano-kvm-io = $(count guests/nano kvm '^kvm.io-')"
echo "nano-bt-int = $(count guests/nano bt '^bt.int$')"
echo "nano-pv-bounce = $(count guests/nano pv '^pv.bounce$')"
echo "nano-bt-hidden = $(count guests/nano bt '^bt.hidden-fault$')"
