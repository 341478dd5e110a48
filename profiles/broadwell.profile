# SPDX-License-Identifier: MIT
# 2014.
# Short names of sources: ATC 2012 = Agesen et al., USENIX ATC 2012, hardware exit round trip by generation; book = Bugnion, Nieh &
# Tsafrir, table 4.3, one-way #PF exit (second hand); 1b = Adams & Agesen, ASPLOS 2006, table 1. All else is the base's.
title = Broadwell (2014)
base = modern
vmx.exit = 531           # book: Broadwell 531
vmx.entry = 277          # estimate: as Sandy Bridge, 784 less 507; no round trip was published
