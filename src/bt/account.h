/* SPDX-License-Identifier: MIT */
/*
 * What the monitor's work costs, in the ledger's terms. A software VMM of 1998 to 2006 runs on a processor with the guest's
 * kernel in ring 1: its costs are callouts from the cache, hardware faults that arrive in the monitor, walks and fills of shadow
 * page tables, and translation (Adams and Agesen 2006).
 */
#ifndef EMU_BT_ACCOUNT_H
#define EMU_BT_ACCOUNT_H

#include "bt/internal.h"

/* Instructions that reach the monitor while the interpreter stands in for the translator. */
#define ACCOUNT_INTERCEPTS                                                                                                              \
    (BIT(ICEPT_CPUID) | BIT(ICEPT_HLT) | BIT(ICEPT_IO) | BIT(ICEPT_RDTSC) | BIT(ICEPT_RDMSR) | BIT(ICEPT_WRMSR) | BIT(ICEPT_INVLPG) |    \
     BIT(ICEPT_CR0_WRITE) | BIT(ICEPT_CR3_READ) | BIT(ICEPT_CR3_WRITE) | BIT(ICEPT_CR4_WRITE) | BIT(ICEPT_CLTS) | BIT(ICEPT_LMSW) |      \
     BIT(ICEPT_DR) | BIT(ICEPT_GDTR_IDTR) | BIT(ICEPT_LDTR_TR) | BIT(ICEPT_WBINVD))

/* Sensitive instructions cost what their event says, not what they would cost on a bare processor. */
void account_init(struct cpu *c);

extern const struct policy account_policy;

void account_callout(struct bt_vcpu *t);                    /* before the instruction for which the cache was left is emulated */
void account_step(struct bt_vcpu *t);                       /* the same for one that was not translated: decoded anew */
void account_intercept(struct bt_vcpu *t);                  /* the same, from cpu->stop.icept */
void account_fault(struct bt_vcpu *t);                      /* a fault that was not hidden: t->fault says which */
void account_interrupt(struct bt_vcpu *t);
bool account_insn(struct bt_vcpu *t, struct insn *i);       /* the instruction at EIP; false: it cannot be fetched or decoded */

#endif
