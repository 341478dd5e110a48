/* SPDX-License-Identifier: MIT */
/*
 * The domain builder: from an ELF image to a guest that is about to execute its first instruction, as the
 * "start of day" comment of xen/xen.h describes it. From VIRT_BASE on, packed, each on its own pages:
 *
 *     kernel | initrd | mfn list | start_info | xenstore ring | console ring | page tables (read-only) | stack
 *
 * mapped up to a 4 MiB boundary, with at least 512 KiB to spare. Virtual, pseudo-physical: the same order. Machine frames:
 * scattered on purpose, so that a kernel which takes a pfn for an mfn falls over at once.
 */
#include <stdlib.h>
#include <string.h>

#include "machine/loader.h"
#include "paravirt/domain.h"
#include "paravirt/notes.h"

#define SPARE (512u << 10)
#define REGION_ALIGN ((u64)4 << 20)
#define FEATURES (1u << XENFEAT_pae_pgdir_above_4gb | 1u << XENFEAT_mmu_pt_update_preserve_ad)

struct layout {
    struct pv_image img;
    u64 kernel_end, initrd, initrd_len, p2m, start_info, store, console, tables, stack, end; /* gva */
    u32 ntables, nl2;
    u32 *p2m_list;      /* [nr_pages], owned */
};

/* --- pseudo-physical to machine --- */

static u32 gcd(u32 a, u32 b)
{
    return b ? gcd(b, a % b) : a;
}

/* Multiples of a number without common divisor visit every frame once. */
static u32 scatter_stride(u32 n)
{
    u32 stride = n / 8 * 5 + 1;
    while (gcd(stride, n) != 1)
        stride++;
    return stride;
}

static int p2m_init(struct domain *d, struct layout *l, struct error *err)
{
    u32 n = d->npool - d->npool_xen, stride = scatter_stride(n);
    d->nr_pages = d->max_pages = n;
    l->p2m_list = calloc(n, sizeof *l->p2m_list);
    if (!l->p2m_list)
        return error_set(err, "not enough memory for a list of %u pages", n);
    for (u32 pfn = 0; pfn < n; pfn++) {
        u32 mfn = d->pool[d->npool_xen + ((u64)pfn * stride + n / 3) % n];
        l->p2m_list[pfn] = mfn;
        d->frame[mfn] = (struct frame){ .owner = OWNER_DOMAIN, .allocated = true };
        d->m2p[mfn] = pfn;
    }
    return 0;
}

static u32 mfn_at(const struct layout *l, u64 gva)
{
    return l->p2m_list[(gva - l->img.virt_base) >> PAGE_SHIFT];
}

/* Write into the new domain by its virtual address, page by page. */
static void put(struct domain *d, const struct layout *l, u64 gva, const void *from, u64 len)
{
    const u8 *p = from;
    while (len) {
        u64 within = gva & ~PAGE_MASK, n = PAGE_SIZE - within < len ? PAGE_SIZE - within : len;
        u32 mfn = mfn_at(l, gva);
        memcpy(frame_hva(d, mfn) + within, p, n);
        physmap_written(&d->vm->map, maddr(mfn) + within, n);
        gva += n;
        p += n;
        len -= n;
    }
}

/* --- layout --- */

static u64 page_up(u64 a) { return (a + PAGE_SIZE - 1) & PAGE_MASK; }

static int kernel_extent(struct layout *l, const struct elf *e, struct error *err)
{
    u64 offset = l->img.virt_base - l->img.paddr_offset;
    for (unsigned i = 0; i < e->nseg; i++) {
        u64 start = (u32)(e->seg[i].paddr + offset), end = start + e->seg[i].memsz;
        if (start < l->img.virt_base || end < start || end > XEN_VIRT_START)
            return error_set(err, "%s: segment %u at 0x%llx lies outside the kernel's part of the address space", e->file->path, i,
                             (unsigned long long)start);
        if (page_up(end) > l->kernel_end)
            l->kernel_end = page_up(end);
    }
    if (!l->kernel_end)
        return error_set(err, "%s: nothing to load", e->file->path);
    return 0;
}

/* One L3, the L2s of the slots that are used and of slot 3, and an L1 for each 2 MiB. */
static void count_tables(struct layout *l)
{
    u32 first = l->img.virt_base >> 30, last = (l->end - 1) >> 30;
    l->nl2 = last - first + 1 + (last < 3);
    l->ntables = 1 + l->nl2 + (u32)(((l->end - 1) >> 21) - (l->img.virt_base >> 21) + 1);
}

static void place(struct layout *l, u32 nr_pages)
{
    l->initrd = l->kernel_end;
    l->p2m = l->initrd + page_up(l->initrd_len);
    l->start_info = l->p2m + page_up((u64)nr_pages * 4);
    l->store = l->start_info + PAGE_SIZE;
    l->console = l->store + PAGE_SIZE;
    l->tables = l->console + PAGE_SIZE;
    l->end = l->tables;
    do { /* the tables lie within what they map */
        count_tables(l);
        l->stack = l->tables + l->ntables * PAGE_SIZE;
        u64 end = l->stack + PAGE_SIZE + SPARE;
        l->end = (end + REGION_ALIGN - 1) & ~(REGION_ALIGN - 1);
    } while (count_tables(l), l->stack != l->tables + l->ntables * PAGE_SIZE);
}

static int check_layout(const struct domain *d, const struct layout *l, struct error *err)
{
    u64 pages = (l->end - l->img.virt_base) >> PAGE_SHIFT;
    if (l->end > XEN_VIRT_START || pages > d->nr_pages)
        return error_set(err, "the kernel, its initrd and tables need %llu MiB, but the domain has %u MiB; give more memory with -m",
                         (unsigned long long)(pages >> 8), d->nr_pages >> 8);
    if (l->img.entry < l->img.virt_base || l->img.entry >= l->end)
        return error_set(err, "the kernel's entry 0x%llx is not in its own memory", (unsigned long long)l->img.entry);
    if (l->img.hypercall_page && (l->img.hypercall_page < l->img.virt_base || l->img.hypercall_page >= l->kernel_end ||
                                  l->img.hypercall_page & ~PAGE_MASK))
        return error_set(err, "the kernel's hypercall page 0x%llx is not a page of its own memory", (unsigned long long)l->img.hypercall_page);
    if (l->img.virt_base & (REGION_ALIGN - 1))
        return error_set(err, "the kernel's VIRT_BASE 0x%llx is not aligned to 4 MiB", (unsigned long long)l->img.virt_base);
    return 0;
}

/* --- contents --- */

static void put_kernel(struct domain *d, const struct layout *l, const struct elf *e)
{
    u64 offset = l->img.virt_base - l->img.paddr_offset;
    for (unsigned i = 0; i < e->nseg; i++)
        put(d, l, (u32)(e->seg[i].paddr + offset), e->file->data + e->seg[i].offset, e->seg[i].filesz);
}

/* One stub of 32 bytes for each number: mov $nr, %eax; int $0x82; ret. That of iret saves EAX and does not return. */
void hypercall_page_fill(u8 page[PAGE_SIZE])
{
    memset(page, 0, PAGE_SIZE);
    for (u32 nr = 0; nr < PAGE_SIZE / 32; nr++) {
        u8 stub[9] = { 0x50, 0xb8, nr, 0, 0, 0, 0xcd, 0x82, 0xc3 };
        bool iret = nr == __HYPERVISOR_iret;
        memcpy(page + nr * 32, iret ? stub : stub + 1, 8);
    }
}

static void put_hypercall_page(struct domain *d, const struct layout *l)
{
    u8 page[PAGE_SIZE];
    hypercall_page_fill(page);
    if (l->img.hypercall_page)
        put(d, l, l->img.hypercall_page, page, sizeof page);
}

static void put_start_info(struct domain *d, const struct layout *l)
{
    start_info32 s = { .magic = "xen-3.0-x86_32p" };
    d->store_mfn = mfn_at(l, l->store);
    d->console_mfn = mfn_at(l, l->console);
    d->console = (struct xencons_interface *)frame_hva(d, d->console_mfn);
    s.nr_pages = d->nr_pages;
    s.shared_info = maddr(d->shared_mfn);
    s.store_mfn = d->store_mfn;
    s.store_evtchn = d->store_port;
    s.console.domU.mfn = d->console_mfn;
    s.console.domU.evtchn = d->console_port;
    s.pt_base = l->tables;
    s.nr_pt_frames = l->ntables;
    s.mfn_list = l->p2m;
    s.mod_start = l->initrd_len ? l->initrd : 0;
    s.mod_len = l->initrd_len;
    strncpy((char *)s.cmd_line, d->vm->config.append ? d->vm->config.append : "", sizeof s.cmd_line - 1);
    put(d, l, l->start_info, &s, sizeof s);
}

static bool is_table_page(const struct layout *l, u64 gva)
{
    return gva >= l->tables && gva < l->tables + l->ntables * PAGE_SIZE;
}

static void put_pte(struct domain *d, const struct layout *l, u64 table, unsigned slot, u64 pte)
{
    put(d, l, table + slot * 8, &pte, sizeof pte);
}

/* Tables in the order L3, L2s, L1s. The last L2 is that of slot 3, where the hypervisor lives. */
static void put_tables(struct domain *d, const struct layout *l)
{
    u64 l2 = l->tables + PAGE_SIZE, l1 = l2 + l->nl2 * PAGE_SIZE;
    u32 first = l->img.virt_base >> 30;
    for (u32 i = 0; i < l->nl2; i++) {
        u32 slot = i == l->nl2 - 1 ? 3 : first + i;
        put_pte(d, l, l->tables, slot, maddr(mfn_at(l, l2 + i * PAGE_SIZE)) | PTE_P);
    }
    for (u64 gva = l->img.virt_base; gva < l->end; gva += PAGE_SIZE) {
        u64 table = l1 + ((gva >> 21) - (l->img.virt_base >> 21)) * PAGE_SIZE;
        u64 directory = l2 + ((gva >> 30) - first) * PAGE_SIZE;
        if (!(gva >> PAGE_SHIFT & (PTES - 1)) || gva == l->img.virt_base)
            put_pte(d, l, directory, gva >> 21 & (PTES - 1), maddr(mfn_at(l, table)) | PTE_P | PTE_RW | PTE_USER | PTE_A);
        put_pte(d, l, table, gva >> PAGE_SHIFT & (PTES - 1),
                maddr(mfn_at(l, gva)) | PTE_P | PTE_A | (is_table_page(l, gva) ? 0 : PTE_RW | PTE_D));
    }
}

/* --- the processor --- */

static struct segment flat(u16 selector, bool code)
{
    u32 attr = SEG_P | SEG_S | SEG_RW | SEG_ACCESSED | SEG_DB | SEG_G | (selector & 3) << 5 | (code ? SEG_CODE : 0);
    return (struct segment){ .selector = selector, .limit = GUEST_SEGMENT_END - 1, .attr = attr };
}

static void start_state(struct domain *d, const struct layout *l, struct cpu_state *s)
{
    const struct cpu_model *model = domain_cpu(d)->model;
    for (unsigned i = 0; i < SREG_COUNT; i++)
        s->seg[i] = flat(i == CS ? FLAT_RING1_CS : FLAT_RING1_DS, i == CS);
    s->ldtr = (struct segment){ .attr = SEG_UNUSABLE };
    s->tr = (struct segment){ .selector = XEN_TSS_SELECTOR, .base = TSS_VIRT, .limit = 0x67, .attr = SEG_P | 0xb };
    s->gdtr = (struct dtable){ GDT_VIRT, FIRST_RESERVED_GDT_BYTE + PAGE_SIZE - 1 };
    s->idtr = (struct dtable){ IDT_VIRT, 256 * 8 - 1 };
    s->cr0 = CR0_PG | CR0_WP | CR0_NE | CR0_ET | CR0_MP | CR0_PE;
    s->cr3 = maddr(d->l3_copy_mfn);
    memcpy(s->pdpte, frame_hva(d, d->l3_copy_mfn), sizeof s->pdpte);
    s->cr4 = CR4_PAE | (model->features_edx & CPUID_FXSR ? CR4_OSFXSR : 0) | (model->features_edx & CPUID_SSE ? CR4_OSXMMEXCPT : 0);
    s->efer = model->ext_features_edx & BIT(20) ? EFER_NXE : 0;
    s->rflags = FLAG_FIXED | FLAG_IF;
    memset(s->gpr, 0, sizeof s->gpr);
    s->gpr[RSI] = l->start_info;
    s->gpr[RSP] = l->stack + PAGE_SIZE;
    s->rip = l->img.entry;
    s->activity = CPU_ACTIVE;
}

/* The tables pass the same checks as any that the guest makes later; then they are pinned, as the tools of a real Xen do. */
static int adopt_tables(struct domain *d, const struct layout *l, struct error *err)
{
    u32 l3 = mfn_at(l, l->tables);
    /* Domain 0 writes into these pages for as long as the guest lives: they must never become page tables. */
    if (frame_get_type(d, d->store_mfn, TYPE_WRITABLE) < 0 || frame_get_type(d, d->console_mfn, TYPE_WRITABLE) < 0 ||
        frame_get_type(d, l3, TYPE_L3) < 0 || frame_get_type(d, l3, TYPE_L3) < 0)
        return error_set(err, "the domain's first page tables are not valid: this is a bug in the domain builder");
    d->frame[l3].pinned = true;
    base_copy(d, l3);
    return 0;
}

static void vcpu_defaults(struct domain *d)
{
    d->v.info = &d->shared->vcpu_info[0];
    d->v.info->evtchn_upcall_mask = 1;
    memset(d->shared->evtchn_mask, 0xff, sizeof d->shared->evtchn_mask);
    d->shared->arch.max_pfn = 0;
    d->v.kernel_ss = FLAT_RING1_DS;
    d->v.dr[6] = 0xffff0ff0;
    d->v.dr[7] = 0x400;
    memcpy(d->tss + 102, &(u16){ 0x68 }, 2); /* no I/O map: ports fault in rings 1 to 3 */
}

static int build(struct domain *d, struct layout *l, const struct elf *e, const struct file *initrd, struct error *err)
{
    d->features = FEATURES;
    if (pv_image_parse(&l->img, e, d->features, err) < 0 || kernel_extent(l, e, err) < 0 || xenmem_init(d, err) < 0 ||
        grants_init(d, err) < 0 || p2m_init(d, l, err) < 0)
        return -1;
    l->initrd_len = initrd->size;
    if (l->kernel_end + initrd->size > XEN_VIRT_START)
        return error_set(err, "the initrd does not fit below the hypervisor");
    place(l, d->nr_pages);
    if (check_layout(d, l, err) < 0)
        return -1;
    vcpu_defaults(d);
    console_init(d);
    d->store_port = event_bind_backend(d, BACKEND_STORE);
    if (drivers_init(d, err) < 0)
        return -1;
    put_kernel(d, l, e);
    put_hypercall_page(d, l);
    put(d, l, l->initrd, initrd->data, initrd->size);
    put(d, l, l->p2m, l->p2m_list, (u64)d->nr_pages * 4);
    put_start_info(d, l);
    put_tables(d, l);
    if (adopt_tables(d, l, err) < 0)
        return -1;
    struct cpu_state state = domain_cpu(d)->state;
    start_state(d, l, &state);
    cpu_set_state(domain_cpu(d), &state);
    time_init(d);
    d->started = true;
    return 0;
}

static int load_initrd(struct vm *vm, struct file *initrd, struct error *err)
{
    const char *path = vm->config.initrd ? vm->config.initrd : vm->config.nmodules ? vm->config.module[0] : NULL;
    return path ? file_load_raw(initrd, path, err) : 0;
}

int domain_load(struct vm *vm, struct error *err)
{
    struct file kernel = { 0 }, initrd = { 0 };
    struct elf e;
    struct layout l = { 0 };
    int rc = -1;
    if (file_load(&kernel, vm->config.kernel, err) < 0)
        return -1;
    if (!elf_match(&kernel))
        error_set(err, "%s: is no ELF file; this Xen takes kernels that were ported to it, for 32-bit PAE. A bzImage runs on the other engines", kernel.path);
    else if (elf_parse(&e, &kernel, err) == 0 && load_initrd(vm, &initrd, err) == 0)
        rc = build(domain_of(vm), &l, &e, &initrd, err);
    free(l.p2m_list);
    file_free(&initrd);
    file_free(&kernel);
    return rc;
}
