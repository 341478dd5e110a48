/* SPDX-License-Identifier: MIT */
/*
 * The kvm engine: the guest gets a ring 0 of its own from VT-x. Two backends: the real /dev/kvm (host/), and a
 * model of the processor with a small KVM on it (vmx/, kvm/). vm_config.kvm chooses: "host", "model", or NULL:
 * the host where hardware assist is real, the model elsewhere.
 */
#ifndef EMU_HWASSIST_HWASSIST_H
#define EMU_HWASSIST_HWASSIST_H

#include "machine/engine.h"

extern const struct engine_ops kvm_engine;

/* The two backends, each a whole engine. Both keep a pointer to their own ops as the first member of vm->engine_data. */
extern const struct engine_ops kvm_model_backend, kvm_host_backend;

/* Which one would run for this --kvm=... (may be NULL), and why: a sentence for people. NULL with *err. */
const struct engine_ops *kvm_choose(const char *want, char *why, size_t size, struct error *err);

/* What a machine of this configuration runs on, for its start: which backend, why, and with which features. Ends without a newline. */
struct vm_config;
void kvm_describe(const struct vm_config *c, char *text, size_t size);

/* One modelled processor goes from one virtual machine to another, both of kvm's model: charged to the second. What its TLB held, and what
 * of that is lost: everything without VPID, with it what the first has displaced. False: not both are the model's. */
struct tlb_loss;
bool kvm_switch(struct vm *from, struct vm *to, struct tlb_loss *loss);

/* `emu list hw`: features, and processors by name with their features and costs, as a table. */
void hw_print(void *file);
/* The i-th processor of that table, by launch; its cost profile has its name. False: there are no more. */
bool hw_generation(unsigned i, const char **name, const char **launch);
/* Is that a list for `--hw=`? -1 with *err. */
int hw_check(const char *list, struct error *err);
/* The cost profile that belongs to a `--hw=` list whose first word is a processor's name; NULL: none does. */
const char *hw_profile(const char *list);

#endif
