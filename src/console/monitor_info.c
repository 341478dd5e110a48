/* SPDX-License-Identifier: MIT */
/* What `info` shows. */
#include <inttypes.h>
#include <string.h>

#include "console/monitor_internal.h"

static const struct vm *vm_of(struct monitor *m) { return m->console->vm; }

static void info_status(struct monitor *m, FILE *out)
{
    static const char *const name[] = { [VM_RUNNING] = "running", [VM_PAUSED] = "stopped", [VM_ENDED] = "ended" };
    const struct vm *vm = vm_of(m);
    fprintf(out, "%s, engine %s, %.6f s of virtual time, %" PRIu64 " instructions\n", name[vm->status], vm->engine->name, (double)vm->clock.now / vm->clock.hz,
            vm->ledger.guest_insns);
    monitor_print_place(m, out);
}

static void info_registers(struct monitor *m, FILE *out)
{
    struct cpu_state s;
    char text[4096];
    debugger_get_state(&m->console->debugger, &s);
    state_format(&s, text, sizeof text);
    fputs(text, out);
}

/* --- memory --- */

static const char *const paging_name[] = { [PAGING_OFF] = "off", [PAGING_32] = "32-bit", [PAGING_PAE] = "PAE", [PAGING_4LEVEL] = "4-level" };

static void info_mmu(struct monitor *m, FILE *out)
{
    struct debugger *d = &m->console->debugger;
    const struct mmu *u = &vm_current(vm_of(m))->cpu.mmu;
    gpa_t gpa;
    debugger_translate(d, 0, &gpa);
    fprintf(out, "paging %s: CR0 %08" PRIx64 " CR3 %08" PRIx64 " CR4 %08" PRIx64 " EFER %" PRIx64 "\n", paging_name[d->mmu.mode], d->mmu.cr0, d->mmu.cr3, d->mmu.cr4,
            d->mmu.efer);
    fprintf(out, "the interpreter's: %" PRIu64 " walks with %" PRIu64 " references, %" PRIu64 " flushes, %" PRIu64 " INVLPG\n", u->walks, u->walk_refs, u->tlb_flushes,
            u->tlb_invlpgs);
}

struct range { gva_t from, to; u8 perms; };

static void print_range(const struct range *r, FILE *out)
{
    if (r->to > r->from)
        fprintf(out, "%08" PRIx64 "-%08" PRIx64 " %08" PRIx64 " %c%c%c%c\n", r->from, r->to, r->to - r->from, r->perms & PERM_USER ? 'u' : '-', r->perms & PERM_R ? 'r' : '-',
                r->perms & PERM_W ? 'w' : '-', r->perms & PERM_X ? 'x' : '-');
}

/* The first 4 GiB, page by page. */
static void info_mem(struct monitor *m, FILE *out)
{
    struct debugger *d = &m->console->debugger;
    struct range r = { 0 };
    struct xlat x;
    gpa_t gpa;
    debugger_translate(d, 0, &gpa); /* the tables of now */
    if (d->mmu.mode == PAGING_OFF) {
        fprintf(out, "paging is off\n");
        return;
    }
    for (gva_t at = 0; at < BIT(32); at += x.page_shift ? BIT(x.page_shift) : PAGE_SIZE) {
        x.page_shift = 0;
        u8 perms = mmu_probe(&d->mmu, at, ACCESS_READ, false, &x) == 0 ? x.perms | PERM_R : (x.page_shift = 0);
        if (perms != r.perms) {
            r.to = at;
            if (r.perms)
                print_range(&r, out);
            r = (struct range){ .from = at, .perms = perms };
        }
    }
    r.to = BIT(32);
    if (r.perms)
        print_range(&r, out);
}

static void print_tlb_entry(const struct tlb_entry *e, bool user, FILE *out)
{
    for (unsigned a = ACCESS_READ; a <= ACCESS_EXEC; a++)
        if (e->tag[a] != TLB_NONE) {
            fprintf(out, "%08" PRIx64 ": %08" PRIx64 " %s %c%c%c%s%s\n", e->tag[a] & ~(u64)TLB_DEVICE, e->gpa_page, user ? "user" : "kernel",
                    e->tag[ACCESS_READ] == e->tag[a] ? 'r' : '-', e->tag[ACCESS_WRITE] == e->tag[a] ? 'w' : '-',
                    e->tag[ACCESS_EXEC] == e->tag[a] ? 'x' : '-', e->tag[a] & TLB_DEVICE ? " device" : "", e->global ? " global" : "");
            return;
        }
}

static void info_tlb(struct monitor *m, FILE *out)
{
    const struct mmu *u = &vm_current(vm_of(m))->cpu.mmu;
    for (unsigned user = 0; user < 2; user++)
        for (unsigned i = 0; i < TLB_ENTRIES; i++)
            print_tlb_entry(&u->tlb[user][i], user, out);
}

/* --- machine --- */

static void print_controller(const struct vm *vm, const char *name, FILE *out)
{
    for (unsigned i = 0; i < vm->ndevices; i++)
        if (!strcmp(vm->device[i]->ops->name, name))
            vm->device[i]->ops->info(vm->device[i], out);
}

static void info_irq(struct monitor *m, FILE *out)
{
    const struct vm *vm = vm_of(m);
    const struct ledger *l = &vm->ledger;
    for (unsigned i = 0; i < vm->nvcpus; i++) {
        struct vcpu *v = vm->vcpu[i];
        struct cpu_state s;
        vm->engine->get_state(v, &s);
        if (vm->nvcpus > 1)
            fprintf(out, "cpu %u: ", i);
        fprintf(out, "INTR %s, IF %d%s%s\n", v->intr ? "raised" : "low", !!(s.rflags & FLAG_IF), s.sti_shadow || s.movss_shadow ? ", in a shadow" : "",
                v->nmi ? ", an NMI waits" : "");
    }
    if (vm->platform.apic) {
        print_controller(vm, "lapic", out);
        print_controller(vm, "ioapic", out);
    }
    for (int e = 0; e < EV_COUNT; e++)
        if (event_rows[e].family == FAMILY_IRQ && l->count[e])
            fprintf(out, "%-22s %14" PRIu64 "\n", event_rows[e].name, l->count[e]);
}

static void info_cpus(struct monitor *m, FILE *out)
{
    const struct vm *vm = vm_of(m);
    for (unsigned i = 0; i < vm->nvcpus; i++) {
        static const char *const activity[] = { "running", "halted", "shut down", "waits for a start-up IPI" };
        struct cpu_state s;
        vm->engine->get_state(vm->vcpu[i], &s);
        fprintf(out, "%ccpu %u: %04x:%08" PRIx64 " ring %u, %s, %" PRIu64 " instructions\n", i == vm->current ? '*' : ' ', i, s.seg[CS].selector, s.rip,
                state_cpl(&s), activity[s.activity & 3], vm->vcpu[i]->cpu.icount);
    }
}

static void print_family(const struct ledger *l, enum family f, FILE *out)
{
    if (!ledger_family_count(l, f))
        return;
    fprintf(out, "%-24s %12" PRIu64 " %14" PRIu64 "\n", family_rows[f].name, ledger_family_count(l, f), ledger_family_cycles(l, f));
    for (int e = 0; e < EV_COUNT; e++)
        if (event_rows[e].family == f && l->count[e])
            fprintf(out, "  %-22s %12" PRIu64 " %14" PRIu64 "\n", event_rows[e].name, l->count[e], l->cycles[e]);
}

static void info_exits(struct monitor *m, FILE *out)
{
    const struct vm *vm = vm_of(m);
    for (int f = 0; f < FAMILY_COUNT; f++)
        print_family(&vm->ledger, f, out);
    for (int k = 0; k < EXIT_KIND_COUNT; k++)
        if (vm->exits[k])
            fprintf(out, "run loop: %-14s %12" PRIu64 "\n", exit_rows[k].name, vm->exits[k]);
    fprintf(out, "last:");
    for (u64 i = vm->exits_total > VM_RECENT_EXITS ? vm->exits_total - VM_RECENT_EXITS : 0; i < vm->exits_total; i++)
        fprintf(out, " %s@%" PRIu64, exit_rows[vm->recent_exit[i % VM_RECENT_EXITS].kind].name, vm->recent_exit[i % VM_RECENT_EXITS].when);
    fprintf(out, "\n");
}

static void info_engine(struct monitor *m, FILE *out)
{
    const struct engine_ops *e = vm_of(m)->engine;
    fprintf(out, "%s: %s\n", e->name, e->help);
    const struct cpu *c = &vm_of(m)->vcpu[0]->cpu;
    if (e->info)
        e->info(vm_of(m), out);
    if (c->accel && c->accel->info)
        c->accel->info(c->accel_self, out);
}

static void info_mtree(struct monitor *m, FILE *out)
{
    static const char *const kind[] = { [REGION_RAM] = "ram", [REGION_ROM] = "rom", [REGION_MMIO] = "mmio" };
    const struct vm *vm = vm_of(m);
    for (unsigned i = 0; i < vm->map.nregions; i++) {
        const struct region *r = &vm->map.region[i];
        fprintf(out, "%08" PRIx64 "-%08" PRIx64 " %-4s %s\n", r->gpa, r->gpa + r->size - 1, kind[r->kind], r->name);
    }
    for (unsigned i = 0; i < vm->bus.nport; i++) {
        const struct bus_range *r = vm->bus.port[i];
        fprintf(out, "port %04" PRIx64 "-%04" PRIx64 " %-12s %10" PRIu64 " reads %10" PRIu64 " writes\n", r->base, r->base + r->len - 1, r->name, r->reads, r->writes);
    }
}

static void info_devices(struct monitor *m, FILE *out)
{
    const struct vm *vm = vm_of(m);
    for (unsigned i = 0; i < vm->ndevices; i++)
        fprintf(out, "%-12s %s%s\n", vm->device[i]->ops->name, vm->device[i]->ops->help, vm->device[i]->ops->info ? " (info shows more)" : "");
}

static void info_breakpoints(struct monitor *m, FILE *out)
{
    static const char *const owner[] = { [OWNER_GDB_SOFT] = "gdb", [OWNER_GDB_HARD] = "gdb, hardware", [OWNER_MONITOR] = "monitor" };
    static const char *const access[] = { [ACCESS_READ] = "read", [ACCESS_WRITE] = "write", "access" };
    const struct debugger *d = &m->console->debugger;
    for (unsigned i = 0; i < d->points.nbreak; i++)
        fprintf(out, "break %08" PRIx64 " (%s)\n", d->points.brk[i], owner[d->break_owner[i]]);
    for (unsigned i = 0; i < d->points.nwatch; i++)
        fprintf(out, "watch %08" PRIx64 " %u bytes, %s (%s)\n", d->points.watch[i].gva, d->points.watch[i].len, access[d->points.watch[i].access], owner[d->watch_owner[i]]);
    if (!d->points.nbreak && !d->points.nwatch)
        fprintf(out, "none\n");
}

const struct monitor_info_row monitor_info_rows[] = {
#define INFO(id, name, help) { name, help, info_##id },
#include "console/monitor_info.def"
#undef INFO
};
const unsigned monitor_info_count = ARRAY_LEN(monitor_info_rows);

/* --- choosing --- */

static void list(struct monitor *m, FILE *out)
{
    const struct vm *vm = vm_of(m);
    for (unsigned i = 0; i < monitor_info_count; i++)
        fprintf(out, "%-12s %s\n", monitor_info_rows[i].name, monitor_info_rows[i].help);
    for (unsigned i = 0; i < vm->ndevices; i++)
        if (vm->device[i]->ops->info)
            fprintf(out, "%-12s %s\n", vm->device[i]->ops->name, vm->device[i]->ops->help);
}

static bool info_of_device(const struct vm *vm, const char *name, FILE *out)
{
    for (unsigned i = 0; i < vm->ndevices; i++) {
        const struct device_ops *ops = vm->device[i]->ops;
        if (strcmp(ops->name, name) == 0 && ops->info) {
            ops->info(vm->device[i], out);
            return true;
        }
    }
    return false;
}

void monitor_info(struct monitor *m, char *args, FILE *out)
{
    if (strcmp(args, vm_of(m)->engine->name) == 0)
        args = "engine";
    for (unsigned i = 0; i < monitor_info_count; i++)
        if (strcmp(monitor_info_rows[i].name, args) == 0) {
            monitor_info_rows[i].print(m, out);
            return;
        }
    if (!*args)
        list(m, out);
    else if (!info_of_device(vm_of(m), args, out))
        fprintf(out, "info %s: there is no such thing here; info lists what there is\n", args);
}
