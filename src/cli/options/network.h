/* SPDX-License-Identifier: MIT */
/* What -netdev, -nic, -net, -device of an adapter, -object filter-dump and --pcap say. */
#ifndef EMU_CLI_NETWORK_H
#define EMU_CLI_NETWORK_H

#include "machine/vm.h"

enum { NETWORK_TEXTS = 32 };

/* Zeroed storage to begin with. */
struct network_options {
    char *text[NETWORK_TEXTS]; unsigned ntexts;     /* owned: what the configuration points into */
    int old_net, old_nic;           /* 1 + the place of -net user's and -net nic's in the configuration; 0: none */
};

/* Each takes one option's argument into the configuration. 0 or -1 with *err. */
int network_take_netdev(struct network_options *o, struct vm_config *c, const char *arg, struct error *err);
int network_take_nic(struct network_options *o, struct vm_config *c, const char *arg, struct error *err);
int network_take_net(struct network_options *o, struct vm_config *c, const char *arg, struct error *err);
int network_take_device(struct network_options *o, struct vm_config *c, const char *arg, struct error *err);
int network_take_object(struct network_options *o, struct vm_config *c, const char *arg, struct error *err);
int network_take_pcap(struct network_options *o, struct vm_config *c, const char *arg, struct error *err);
/* Is this -device an adapter? */
bool network_is_adapter(const char *arg);
/* Does something outside want to reach the guest, at a time of its own? */
bool network_is_served(const struct vm_config *c);
void network_fini(struct network_options *o);

#endif
