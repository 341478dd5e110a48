/* SPDX-License-Identifier: MIT */
/* As guests/netload has it: guests/lib/pci/pci.c. */
#include "pci/pci.c"
