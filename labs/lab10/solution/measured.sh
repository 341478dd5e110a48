#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# measured.sh EMU: the reference's table, measured as students measure it.
# writes: measured.csv
set -eu
emu=$1 table=$(mktemp)
trap 'rm -f "$table"' EXIT
"$emu" compare --engines=bt,pv,kvm --csv "$table" guests/hello guests/tick guests/nano guests/churn >/dev/null
echo "# guest-engine,cycles"
awk -F, '$4 == "guest" && $5 == "instructions" { own[$1 $3] = $8 }
         $4 == "run" && $5 == "together" { all[$1 $3] = $8; name[++n] = $1 $3; key[n] = substr($1, 8) "-" $3 }
         END { for (i = 1; i <= n; i++) print key[i] "," all[name[i]] - own[name[i]] }' "$table"
