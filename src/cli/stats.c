/* SPDX-License-Identifier: MIT */
#include "cli/stats.h"

#include <inttypes.h>

#include "cli/moved.h"
#include "devices/display/vga.h"
#include "devices/vfio/vfio.h"
#include "devices/vfio/vfio_real.h"

static void print_events(const struct ledger *l, enum family f, FILE *out)
{
    if (!ledger_family_count(l, f))
        return;
    fprintf(out, "%-24s %14" PRIu64 " %16" PRIu64 "\n", family_rows[f].name, ledger_family_count(l, f), ledger_family_cycles(l, f));
    for (int e = 0; e < EV_COUNT; e++)
        if (event_rows[e].family == f && l->count[e])
            fprintf(out, "  %-22s %14" PRIu64 " %16" PRIu64 "\n", event_rows[e].name, l->count[e], l->cycles[e]);
}

void stats_print(const struct vm *vm, FILE *out)
{
    const struct ledger *l = &vm->ledger;
    fprintf(out, "engine %s, profile %s\n%-24s %14s %16s\n", vm->engine->name, vm->profile.name, "", "count", "cycles");
    fprintf(out, "%-24s %14" PRIu64 " %16" PRIu64 "\n", "guest instructions", l->guest_insns, l->guest_cycles);
    for (int f = 0; f < FAMILY_COUNT; f++)
        print_events(l, f, out);
    for (int k = 0; k < EXIT_KIND_COUNT; k++)
        if (vm->exits[k])
            fprintf(out, "run loop: %-14s %14" PRIu64 "\n", exit_rows[k].name, vm->exits[k]);
    fprintf(out, "%-24s %14" PRIu64 " %16" PRIu64 "\n", "devices: unclaimed", vm->bus.unclaimed_reads + vm->bus.unclaimed_writes + vm->map.unclaimed, (u64)0);
    fprintf(out, "virtual time %.6f s, wall time %.3f s\n", (double)vm->clock.now / vm->clock.hz, vm->wall_ns / 1e9);
    moved_print(vm, out);
    for (unsigned i = 0; i < vm->ndevices; i++)
        if (vm->device[i]->ops == &vfio_set_ops || vm->device[i]->ops == &vfio_real_ops)
            vm->device[i]->ops->info(vm->device[i], out);
    if (vm->engine->info)
        vm->engine->info(vm, out);
    const struct cpu *c = &vm->vcpu[0]->cpu;
    if (c->accel && c->accel->info)
        c->accel->info(c->accel_self, out);
}

void screen_text_print(const struct vm *vm, FILE *out)
{
    char text[8192];
    for (unsigned i = 0; i < vm->ndevices; i++)
        if (vm->device[i]->ops == &vga_ops)
            fwrite(text, 1, vga_text(vm->device[i], text, sizeof text), out);
}
