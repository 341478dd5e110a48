/* SPDX-License-Identifier: MIT */
/* What is counted for who looks on, at a price (census.c). */
#ifndef EMU_BT_CENSUS_H
#define EMU_BT_CENSUS_H

#include "bt/internal.h"

/* How often a unit was entered, however often it was made anew. */
struct heat {
    u64 entered;
    u32 eip;
    u32 key;
    gpa_t gpa;
    struct heat *next;          /* of equal hash */
};
#define CENSUS_HASH 4096
#define CENSUS_MAX (1u << 18)   /* units counted one by one; the others together */
struct census {
    u64 table_jumps;            /* tried, also those that missed */
    u64 nheat;
    struct heat others;
    struct heat *hash[CENSUS_HASH];
};
/* What the code of that unit is to count in; never NULL. b->census is not NULL. */
struct heat *census_heat(struct bt *b, u32 eip, gpa_t gpa, u32 key);
void census_free(struct census *c);
void census_left(struct bt_vcpu *v);                /* the cache was left: why? */
void census_callout(struct bt_vcpu *v);             /* the monitor is about to emulate v->mnemonic */

#endif
