/* SPDX-License-Identifier: MIT */
#include "pvfixture.h"

#include <elf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "devices/serial/chardev.h"
#include "paravirt/grant.h"

static const u8 spin[] = { 0xeb, 0xfe };

const struct image good_image = {
    .pae = "yes", .features = "pae_pgdir_above_4gb", .virt_base = BASE, .entry = CODE, .hypercall_page = STUBS, .segment = BASE,
    .code = spin, .code_len = sizeof spin,
};

/* --- the image: ELF header, two program headers, notes or a section, code --- */

static u32 add_note(u8 *at, u32 type, const void *desc, u32 len)
{
    u32 head[3] = { 4, len, type };
    memcpy(at, head, 12);
    memcpy(at + 12, "Xen", 4);
    memcpy(at + 16, desc, len);
    return 16 + ((len + 3) & ~3u);
}

static u32 add_number(u8 *at, u32 type, u32 value)
{
    return add_note(at, type, &value, 4);
}

static u32 add_text(u8 *at, u32 type, const char *text)
{
    return text ? add_note(at, type, text, strlen(text) + 1) : 0;
}

static u32 make_notes(u8 *at, const struct image *i)
{
    u32 n = 0;
    if (i->no_notes)
        return 0;
    n += add_number(at + n, XEN_ELFNOTE_VIRT_BASE, i->virt_base);
    n += add_number(at + n, XEN_ELFNOTE_PADDR_OFFSET, i->virt_base);
    n += add_number(at + n, XEN_ELFNOTE_ENTRY, i->entry);
    if (i->hypercall_page)
        n += add_number(at + n, XEN_ELFNOTE_HYPERCALL_PAGE, i->hypercall_page);
    if (i->hole)
        n += add_number(at + n, XEN_ELFNOTE_HV_START_LOW, i->hole);
    n += add_text(at + n, XEN_ELFNOTE_PAE_MODE, i->pae);
    n += add_text(at + n, XEN_ELFNOTE_FEATURES, i->features);
    return n;
}

/* Section headers: null, __xen_guest, names. */
static u32 make_sections(u8 *file, u32 at, const struct image *i)
{
    static const char names[] = "\0__xen_guest\0.shstrtab";
    u32 text_at = at, names_at = at + 512;
    Elf32_Shdr sh[3] = { { 0 } };
    memcpy(file + text_at, i->xen_guest, strlen(i->xen_guest) + 1);
    memcpy(file + names_at, names, sizeof names);
    sh[1] = (Elf32_Shdr){ .sh_name = 1, .sh_type = SHT_PROGBITS, .sh_offset = text_at, .sh_size = strlen(i->xen_guest) + 1 };
    sh[2] = (Elf32_Shdr){ .sh_name = 13, .sh_type = SHT_STRTAB, .sh_offset = names_at, .sh_size = sizeof names };
    memcpy(file + at + 1024, sh, sizeof sh);
    return at + 1024;
}

static u32 make_image(u8 *file, const struct image *i)
{
    u32 notes_at = 512, code_at = 4096;
    u32 notes = make_notes(file + notes_at, i);
    Elf32_Ehdr *h = (Elf32_Ehdr *)file;
    Elf32_Phdr ph[2] = {
        { .p_type = PT_LOAD, .p_offset = code_at, .p_vaddr = i->segment, .p_paddr = i->segment, .p_filesz = i->code_len, .p_memsz = KERNEL_SIZE, .p_flags = 7 },
        { .p_type = PT_NOTE, .p_offset = notes_at, .p_filesz = notes, .p_memsz = notes },
    };
    memcpy(h->e_ident, ELFMAG "\1\1\1", 7);
    h->e_type = ET_EXEC;
    h->e_machine = i->is64 ? EM_MIPS : EM_386;
    h->e_version = 1;
    h->e_entry = i->entry;
    h->e_ehsize = sizeof *h;
    h->e_phoff = 64;
    h->e_phentsize = sizeof *ph;
    h->e_phnum = notes ? 2 : 1;
    h->e_shentsize = sizeof(Elf32_Shdr);
    memcpy(file + 64, ph, sizeof ph);
    memcpy(file + code_at, i->code, i->code_len);
    if (i->xen_guest) {
        h->e_shoff = make_sections(file, 2048, i);
        h->e_shnum = 3;
        h->e_shstrndx = 2;
    }
    return code_at + i->code_len;
}

static bool machine_beside(struct fixture *f, const char *path, const struct fixture *other, void (*adjust)(struct vm_config *c))
{
    struct vm_config c;
    vm_config_defaults(&c);
    f->console = chardev_buffer_new();
    c.engine = &pv_engine;
    c.kernel = path;
    c.append = "console=hvc0 test";
    c.ram_size = 32 << 20;
    c.serial[0] = f->console;
    c.max_cycles = 2000000000;
    c.neighbor = other ? other->vm : NULL;
    if (adjust)
        adjust(&c);
    f->vm = vm_new(&c, &f->err);
    f->d = f->vm ? domain_of(f->vm) : NULL;
    return f->vm;
}

bool fixture_machine(struct fixture *f, const char *path, void (*adjust)(struct vm_config *c))
{
    return machine_beside(f, path, NULL, adjust);
}

bool fixture_kernel(struct fixture *f, const char *path) { return fixture_machine(f, path, NULL); }

bool fixture_open_beside(struct fixture *f, const struct image *img, const struct fixture *other, void (*adjust)(struct vm_config *c))
{
    char path[] = "/tmp/emu-pv-XXXXXX";
    u8 *file = calloc(1, 16384);
    int fd = mkstemp(path);
    memset(f, 0, sizeof *f);
    strcpy(f->path, path);
    u32 len = make_image(file, img);
    bool written = fd >= 0 && write(fd, file, len) == (ssize_t)len;
    free(file);
    close(fd);
    return written && machine_beside(f, f->path, other, adjust);
}

bool fixture_open_machine(struct fixture *f, const struct image *img, void (*adjust)(struct vm_config *c))
{
    return fixture_open_beside(f, img, NULL, adjust);
}

bool fixture_open(struct fixture *f, const struct image *img) { return fixture_open_machine(f, img, NULL); }

bool fixture_guest(struct fixture *f, const char *name)
{
    char path[64];
    snprintf(path, sizeof path, "build/guests/%s.xen.elf", name);
    memset(f, 0, sizeof *f);
    return fixture_kernel(f, path);
}

void fixture_close(struct fixture *f)
{
    if (f->path[0])
        unlink(f->path);
    vm_free(f->vm);
    chardev_close(f->console);
}

const char *fixture_output(const struct fixture *f)
{
    return chardev_buffer_text(f->console, NULL);
}

/* --- memory --- */

static gpa_t gpa_of(struct fixture *f, u32 gva)
{
    return (pte_of(f, gva) & 0xffffffffff000) | (gva & 0xfff);
}

void poke(struct fixture *f, u32 gva, const void *from, u32 len)
{
    for (u32 i = 0; i < len; i++)
        physmap_store(&f->vm->map, gpa_of(f, gva + i), 1, ((const u8 *)from)[i]);
}

void poke32(struct fixture *f, u32 gva, u32 value) { poke(f, gva, &value, 4); }
void poke64(struct fixture *f, u32 gva, u64 value) { poke(f, gva, &value, 8); }
u32 peek32(struct fixture *f, u32 gva) { return physmap_load(&f->vm->map, gpa_of(f, gva), 4); }
u64 peek64(struct fixture *f, u32 gva) { return physmap_load(&f->vm->map, gpa_of(f, gva), 8); }

u64 pte_of(struct fixture *f, u32 gva)
{
    struct physmap *m = &f->vm->map;
    u64 l3 = physmap_load(m, maddr(f->d->v.base_mfn) + (gva >> 30) * 8, 8);
    u64 l2 = physmap_load(m, (l3 & 0xffffffffff000) + (gva >> 21 & 511) * 8, 8);
    return physmap_load(m, (l2 & 0xffffffffff000) + (gva >> 12 & 511) * 8, 8);
}

/* The first mfn list, wherever the tables lead by now. */
u32 mfn_of(struct fixture *f, u32 gva)
{
    for (u32 mfn = 0; mfn < f->d->nframes; mfn++)
        if (f->d->m2p[mfn] == (gva - BASE) >> 12)
            return mfn;
    return 0;
}

const start_info32 *start_info(struct fixture *f)
{
    u32 gva = f->vm->vcpu[0]->cpu.state.gpr[RSI];
    return (const start_info32 *)physmap_ptr(&f->vm->map, gpa_of(f, gva), sizeof(start_info32));
}

/* --- hypercalls; their arguments lie at the end of the scratch pages --- */

#define ARGUMENTS PAGE(63)

s32 call(struct fixture *f, u32 nr, u32 a, u32 b, u32 c, u32 d)
{
    const u32 arg[6] = { a, b, c, d };
    return hypercall_call(f->d, nr, arg);
}

s32 mmuext(struct fixture *f, u32 cmd, u32 arg1, u32 arg2)
{
    struct mmuext_op32 op = { cmd, arg1, arg2 };
    poke(f, ARGUMENTS, &op, sizeof op);
    return call(f, __HYPERVISOR_mmuext_op, ARGUMENTS, 1, 0, DOMID_SELF);
}

s32 mmu_update(struct fixture *f, u64 ptr, u64 val)
{
    struct mmu_update u = { ptr, val };
    poke(f, ARGUMENTS, &u, sizeof u);
    return call(f, __HYPERVISOR_mmu_update, ARGUMENTS, 1, 0, DOMID_SELF);
}

s32 update_va(struct fixture *f, u32 gva, u64 pte)
{
    return call(f, __HYPERVISOR_update_va_mapping, gva, pte, pte >> 32, UVMF_INVLPG);
}

/* --- the audit --- */

struct tally { u32 refs, typed; };

static void tally_typed(struct tally *t, u32 mfn)
{
    t[mfn].refs++;
    t[mfn].typed++;
}

static const char *complain(const char *what, u32 mfn, u32 have, u32 want)
{
    static _Thread_local char text[160];
    snprintf(text, sizeof text, "%s of frame 0x%x: %u, but counted anew %u", what, mfn, have, want);
    return text;
}

/* Another domain's frame: is there a mapping of a grant that allows it? The dead's tables are walked no more. */
static bool granted(const struct domain *d, u64 pte)
{
    if (d->buried)
        return true;
    for (u32 i = 0; i < GRANT_HANDLES; i++) {
        const struct grant_mapping *m = &d->grants->mapping[i];
        if (m->parts & PART_HOST && m->mfn == (pte & 0xffffffffff000) >> 12 && !(pte & PTE_RW && m->readonly))
            return true;
    }
    return false;
}

static const char *tally_table(struct domain *d, u32 mfn, struct tally *t)
{
    enum frame_type type = d->frame[mfn].type;
    unsigned slots = type == TYPE_L3 ? 4 : type == TYPE_L2_XEN ? XEN_FIRST_L2_SLOT : PTES;
    const u64 *table = (const u64 *)frame_hva(d, mfn);
    for (unsigned i = 0; i < slots; i++) {
        u64 pte = table[i];
        u32 to = (pte & 0xffffffffff000) >> 12;
        if (!(pte & PTE_P))
            continue;
        if (type == TYPE_L1 && mfn_is_foreign(to) && granted(d, pte))
            continue;
        if (to >= d->nframes || (d->frame[to].owner != OWNER_DOMAIN && d->frame[to].owner != OWNER_SHARED))
            return complain("foreign frame mapped in a table", mfn, to, 0);
        t[to].refs++;
        if (type != TYPE_L1 || pte & PTE_RW)
            t[to].typed++;
        if (type == TYPE_L1 && pte & PTE_RW && d->frame[to].type != TYPE_WRITABLE)
            return complain("writable mapping of a typed frame, type", to, d->frame[to].type, TYPE_WRITABLE);
    }
    if (type == TYPE_L2_XEN && memcmp(table + XEN_FIRST_L2_SLOT, d->xen_l2, sizeof d->xen_l2))
        return complain("hypervisor's slots", mfn, 0, 1);
    return "";
}

static void tally_roots(struct domain *d, struct tally *t)
{
    tally_typed(t, d->v.base_mfn);
    tally_typed(t, d->store_mfn); /* domain 0's pages of the guest's */
    tally_typed(t, d->console_mfn);
    for (u32 i = 0; i < d->nframes; i++)
        if (d->frame[i].pinned)
            tally_typed(t, i);
    if (d->v.info_mfn)
        tally_typed(t, d->v.info_mfn);
    for (unsigned i = 0; i < d->v.gdt_pages; i++)
        tally_typed(t, d->v.gdt_mfn[i]);
    for (u32 i = 0; i < GRANT_REFS; i++) { /* uses of grants */
        const struct grant_active *a = &d->grants->active[i];
        t[a->mfn].refs += a->readers + a->writers;
        t[a->mfn].typed += a->writers;
    }
    for (unsigned i = 0; i < ARRAY_LEN(d->v.ldt_mfn); i++)
        if (d->v.ldt_mfn[i])
            tally_typed(t, d->v.ldt_mfn[i]);
}

static const char *compare(struct domain *d, const struct tally *t)
{
    for (u32 i = 0; i < d->nframes; i++) {
        if (d->frame[i].refs != t[i].refs)
            return complain("references", i, d->frame[i].refs, t[i].refs);
        if (d->frame[i].type_count != t[i].typed)
            return complain("type references", i, d->frame[i].type_count, t[i].typed);
    }
    return "";
}

/* Uses of a grant by guests are mappings that they hold. */
static const char *compare_grants(const struct domain *d)
{
    for (u32 ref = 0; ref < GRANT_REFS; ref++) {
        const struct grant_active *a = &d->grants->active[ref];
        const struct domain *user = a->domid >= DOMID_GUEST && a->domid <= XEN_DOMAINS_MOST ? d->xen->domain[a->domid - DOMID_GUEST] : NULL;
        u32 uses = 0;
        for (u32 i = 0; user && i < GRANT_HANDLES; i++)
            uses += user->grants->mapping[i].parts && user->grants->mapping[i].domid == d->domid && user->grants->mapping[i].ref == ref;
        if (user && uses != (u32)a->readers + a->writers)
            return complain("uses of a grant", a->mfn, a->readers + a->writers, uses);
    }
    return "";
}

const char *audit(struct fixture *f)
{
    struct domain *d = f->d;
    struct tally *t = calloc(d->nframes, sizeof *t);
    const char *wrong = "";
    tally_roots(d, t);
    for (u32 i = 0; i < d->nframes && !*wrong; i++)
        if (d->frame[i].type_count && d->frame[i].type >= TYPE_L1 && d->frame[i].type <= TYPE_L3)
            wrong = tally_table(d, i, t);
    if (!*wrong)
        wrong = compare(d, t);
    if (!*wrong)
        wrong = compare_grants(d);
    free(t);
    return wrong;
}
