# SPDX-License-Identifier: MIT
# The machine that the profile modern stands for, by the name of its core.
title = Skylake (2015): the profile modern
base = modern
vmx.exit = 531           # book, table 4.3 (second hand): Broadwell, the nearest to Skylake
