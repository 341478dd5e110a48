/* SPDX-License-Identifier: MIT */
/*
 * For tests of src/paravirt: a domain built from a tiny kernel made on the spot, its memory within reach, hypercalls called as
 * the guest would, and an audit that counts every reference anew.
 */
#ifndef EMU_TESTS_PVFIXTURE_H
#define EMU_TESTS_PVFIXTURE_H

#include "paravirt/domain.h"
#include "paravirt/pv.h"

#define BASE 0xc0000000u        /* VIRT_BASE */
#define CODE BASE               /* the kernel: one page of code, then zeroes */
#define STUBS (BASE + 0x1000)   /* hypercall page */
#define SCRATCH (BASE + 0x2000) /* 64 pages that the test may use as it likes */
#define PAGE(n) (SCRATCH + (n) * 0x1000u)
#define KERNEL_SIZE (0x2000 + 64 * 0x1000)

/* What the image says; NULL or 0 leaves the note out. */
struct image {
    const char *pae, *features, *xen_guest;
    u64 virt_base, entry, hypercall_page, hole;
    bool no_notes, is64;
    u32 segment;                /* gva of the kernel's segment */
    const u8 *code; u32 code_len;
};
extern const struct image good_image;

struct fixture {
    struct vm *vm;
    struct domain *d;
    struct chardev *console;
    struct error err;
    char path[32];              /* of the image, removed when the fixture is closed; empty: not ours */
};
/* Write the image to a file of its own and build a domain from it. False (f->err says why) when it is refused. */
bool fixture_open(struct fixture *f, const struct image *img);
/* The same with a guest of build/guests. */
bool fixture_guest(struct fixture *f, const char *name);
/* And with any image, and with a machine that adjust() has changed (it may be NULL). */
bool fixture_kernel(struct fixture *f, const char *path);
bool fixture_machine(struct fixture *f, const char *path, void (*adjust)(struct vm_config *c));
/* fixture_open() with such a machine. */
bool fixture_open_machine(struct fixture *f, const struct image *img, void (*adjust)(struct vm_config *c));
/* A second domain beside that of another fixture, which must be closed after it. */
bool fixture_open_beside(struct fixture *f, const struct image *img, const struct fixture *other, void (*adjust)(struct vm_config *c));
void fixture_close(struct fixture *f);
const char *fixture_output(const struct fixture *f);

/* The guest's memory by virtual address, whatever its tables say about writing. */
void poke(struct fixture *f, u32 gva, const void *from, u32 len);
void poke32(struct fixture *f, u32 gva, u32 value);
void poke64(struct fixture *f, u32 gva, u64 value);
u32 peek32(struct fixture *f, u32 gva);
u64 peek64(struct fixture *f, u32 gva);
/* Machine frame behind a virtual address of the first tables. */
u32 mfn_of(struct fixture *f, u32 gva);
const start_info32 *start_info(struct fixture *f);
/* The entry that maps a page by hardware's tables. */
u64 pte_of(struct fixture *f, u32 gva);

s32 call(struct fixture *f, u32 nr, u32 a, u32 b, u32 c, u32 d);
s32 mmuext(struct fixture *f, u32 cmd, u32 arg1, u32 arg2);
s32 mmu_update(struct fixture *f, u64 ptr, u64 val);
s32 update_va(struct fixture *f, u32 gva, u64 pte);

/* Count all references by walking every table. An empty string, or what is wrong first. */
const char *audit(struct fixture *f);

#endif
