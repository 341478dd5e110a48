/* SPDX-License-Identifier: MIT */
/* Finding adapters, and MSI-X: guests/lib/pci/pci.h says what each function does. */
#include "pci/pci.h"
