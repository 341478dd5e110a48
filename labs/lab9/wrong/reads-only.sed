# SPDX-License-Identifier: MIT
# The attack never writes.
# file: attack.c
# expect: attack: the neighbour and the ROM | counts | attacks, refused and recorded, on: rom: 1 expected at least
s/^        dma_write(places.*$//
