/* SPDX-License-Identifier: MIT */
/*
 * `emu bench vpid`: two machines share a processor; each visits a working set. What does it cost that the TLB is flushed, at each switch
 * and at each exit, where entries carry no VPID? Everything is counted: guests/tlb with --timing=model, once with and once without.
 */
#include "cli/bench/bench.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "bt/bt.h"
#include "cli/bench/plot.h"
#include "cli/engines.h"
#include "cli/guest_path.h"
#include "cli/turns.h"
#include "devices/serial/chardev.h"

#define SLICE_NS 5000000u   /* as `emu --vm`'s */
enum { SMALLEST = 8, LARGEST = 1024, SIZES = 8, RATES = 3 };

/* How often the guests leave on their own; instructions between two exits, at 2 GHz and one a cycle. The rates: figures A3 of the curriculum. */
static const struct { const char *name; unsigned every; } rates[RATES] = {
    { "switches only", 0 }, { "+ 50,000 exits/s (virtio)", 40000 }, { "+ 500,000 exits/s (emulated)", 4000 },
};

struct shared { u64 cycles, held, lost, misses; };

static struct vm *new_machine(struct bench *b, const char *hw, const char *words, struct chardev **console, struct error *why)
{
    struct vm_config config;
    char path[PATH_MAX], kernel[PATH_MAX];
    vm_config_defaults(&config);
    config.engine = engine_find("kvm", why);
    bench_find_guest("tlb", path, sizeof path);
    if (!config.engine || guest_path(path, config.engine, kernel, sizeof kernel, why))
        return NULL;
    config.kvm = "model";
    config.hw = hw;
    config.append = words;
    config.accel = &bt_accel;
    config.timing_model = true;
    config.kernel = kernel;
    config.serial[0] = *console = chardev_buffer_new();
    return vm_new(&config, why);
}

/* Guests that did not come to their end have no result. */
static bool collect(const struct turn_taker t[2], struct shared *s, struct error *why)
{
    *s = (struct shared){ 0 };
    for (unsigned i = 0; i < 2; i++) {
        const struct ledger *l = &t[i].vm->ledger;
        if (t[i].vm->exit_status != STATUS_POWEROFF) {
            error_set(why, "%.200s", t[i].vm->reason);
            return false;
        }
        s->cycles += l->guest_cycles + ledger_event_cycles(l);
        s->held += t[i].held;
        s->lost += t[i].lost;
        s->misses += t[i].vm->vcpu[0]->cpu.mmu.misses;
    }
    return true;
}

static bool share(struct bench *b, const char *hw, unsigned pages, unsigned every, struct shared *s, struct error *why)
{
    struct turn_taker t[2] = { 0 };
    struct chardev *console[2] = { NULL };
    char words[64];
    snprintf(words, sizeof words, "pages=%u exit=%u", pages, every);
    bool ok = true;
    for (unsigned i = 0; i < 2 && ok; i++)
        ok = (t[i].vm = new_machine(b, hw, words, &console[i], why));
    if (ok) {
        turns_take(t, 2, SLICE_NS);
        ok = collect(t, s, why);
    }
    for (unsigned i = 0; i < 2; i++) {
        vm_free(t[i].vm);
        chardev_close(console[i]);
    }
    return ok;
}

static double percent(u64 part, u64 whole) { return whole ? 100.0 * part / whole : 0; }

bool bench_vpid_at(struct bench *b, unsigned pages, unsigned exits_every, struct vpid_result *r, struct error *why)
{
    struct shared with, without;
    if (!share(b, "all", pages, exits_every, &with, why) || !share(b, "no-vpid", pages, exits_every, &without, why))
        return false;
    r->lost_with = percent(with.lost, with.held);
    r->lost_without = percent(without.lost, without.held);
    r->better = percent(without.cycles - with.cycles, without.cycles);
    r->misses_with = with.misses;
    r->misses_without = without.misses;
    return true;
}

static bool print_row(struct bench *b, unsigned i, struct plot *p)
{
    struct vpid_result r;
    struct error why;
    unsigned pages = p->x[i] = SMALLEST << i;
    fprintf(b->out, "%5u", pages);
    for (unsigned rate = 0; rate < RATES; rate++) {
        if (!bench_vpid_at(b, pages, rates[rate].every, &r, &why)) {
            fprintf(b->out, "  %s\n", why.text);
            return false;
        }
        p->line[rate].percent[i] = r.better;
        if (rate == 0)
            fprintf(b->out, " %8.0f %% %6.1f %%", r.lost_without, r.lost_with);
        fprintf(b->out, " %26.1f %%", r.better);
    }
    fputc('\n', b->out);
    return true;
}

static unsigned write_svg(const struct plot *p, const char *path)
{
    FILE *f = fopen(path, "w");
    if (!f) {
        fprintf(stderr, "emu: bench: --svg %s: %s\n", path, strerror(errno));
        return 1;
    }
    plot_svg(p, f);
    return fclose(f) != 0;
}

unsigned bench_vpid(struct bench *b)
{
    struct plot p = { .title = "What VPID saves two machines that share a processor", .across = "working set of each, pages of 4 KiB",
                      .up = "time saved", .top = 100, .band_low = 10, .band_high = 15, .band = "published: 10 to 15 %", .nx = SIZES, .nlines = RATES };
    fprintf(b->out, "      lost at a switch        time saved by VPID\npages  without     with");
    for (unsigned rate = 0; rate < RATES; rate++) {
        p.line[rate].name = rates[rate].name;
        fprintf(b->out, " %28s", rates[rate].name);
    }
    fputc('\n', b->out);
    for (unsigned i = 0; i < SIZES; i++)
        if (!print_row(b, i, &p))
            return 1;
    return b->svg ? write_svg(&p, b->svg) : 0;
}
