#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# tests/make_class.sh LAB N DIR EMU: a class of N submissions in DIR: one is the reference, one the starter, one each wrong solution of the
# lab, one hangs, one is too large, one is empty, and so on in turn, each with its number in it, so that no two are the same.
set -eu
lab=$1 n=$2 dir=$3 emu=$4
mkdir -p "$dir"
models=$(mktemp -d)
trap 'rm -r "$models"' EXIT
tools/lab-starter "$lab" "$models/reference" "$emu"
tools/lab-starter "$lab" "$models/starter"
file=$(sed -n 's/.*"files": *\["\([^"]*\.c\)".*/\1/p' "$lab/lab.json")

like_reference() { cp -r "$models/reference" "$models/$1"; }
for wrong in "$lab"/wrong/*; do
    name=wrong-$(basename "$wrong")
    of=$(sed -n 's/.* file: \([^ ]*\).*/\1/p' "$wrong" | head -n 1)
    like_reference "$name"
    case $wrong in
        *.sed) sed -f "$wrong" "$models/reference/$of" >"$models/$name/$of" ;;
        *) cp "$wrong" "$models/$name/$of" ;;
    esac
done
for odd in hangs large empty; do like_reference $odd; done
{ printf '#define for(...) for (;;)\n#define while(...) while (1)\n'; cat "$models/reference/$file"; } >"$models/hangs/$file"
printf 'int large[0x2000000] = { 1 };\n' >>"$models/large/$file"
: >"$models/empty/$file"

set -- "$models"/*
for i in $(seq "$n"); do
    to=$(printf '%s/s%03d' "$dir" "$i")
    cp -r "$1" "$to"
    basename "$1" >"$to/model"
    printf '\n/* student %d */\n' "$i" >>"$to/$file"
    set -- "${@:2}" "$1"
done
