# SPDX-License-Identifier: MIT
# The attack only goes where everybody would.
# file: attack.c
# expect: attack: the host and its tables | counts | attacks, refused and recorded, on: tables: 1 expected at least
# expect: attack: the neighbour and the ROM | counts | attacks, refused and recorded, on: neighbour: 1 expected at least
# expect: attack: the edges | counts | attacks, refused and recorded, on: border: 1 expected at least
s/HOST_KERNEL_HPA, HOST_TABLES_HPA, NEIGHBOUR_HPA/HOST_KERNEL_HPA/
s/^    dma_read((PAGES << 12) - 8.*$//
