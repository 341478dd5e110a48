/* SPDX-License-Identifier: MIT */
/* Between shadow.c and shadow_pages.c: pages of shadow entries, and who maps a guest page. */
#ifndef EMU_HWASSIST_KVM_SHADOW_PAGES_H
#define EMU_HWASSIST_KVM_SHADOW_PAGES_H

#include "hwassist/kvm/shadow.h"

/* A shadow entry: the hardware's own format. */
enum { SPTE_P = 1, SPTE_W = 2, SPTE_U = 4, SPTE_A = 0x20, SPTE_D = 0x40 };
#define SPTE_NX BIT(63)
#define SPTE_FRAME(e) ((e) & (BIT(52) - 1) & PAGE_MASK)

unsigned shadow_bucket(u64 gfn);
/* Tracked by any processor's shadow: none may map it writable. */
bool shadow_is_watched(const struct shadow *s, u64 gfn);

/* The page for that role, made and tracked if there is none; the one whose table lies there, or NULL. */
struct shadow_page *shadow_page_get(struct shadow *s, const struct shadow_role *r);
struct shadow_page *shadow_page_at(struct shadow *s, hpa_t table);
void shadow_parent_add(struct shadow_page *p, u64 *entry);
/* One shadow entry goes: a leaf from the reverse map, a pointer from its child's parents. */
void shadow_drop_entry(struct shadow *s, struct shadow_page *p, unsigned i);
void shadow_zap_page(struct shadow *s, struct shadow_page *p);
/* A leaf that maps hpa with those PERM_*. */
void shadow_set_leaf(struct shadow *s, u64 *entry, hpa_t hpa, u8 perms);

/* As an observer of guest memory: a tracked page was written; another processor's shadow has begun to track one. */
void shadow_on_written(void *opaque, gpa_t gpa, u64 len);
void shadow_on_marked(void *opaque, gpa_t page, u8 marks);

#endif
