/* SPDX-License-Identifier: MIT */
/*
 * Several machines on one processor. Each is a vm of its own; what they share is the modelled processor: its time, of which each gets
 * a slice in turn, and its TLB (turns.h).
 */
#include "cli/several.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "cli/engines.h"
#include "cli/guest_path.h"
#include "cli/losses.h"
#include "cli/options/options.h"
#include "cli/options/serial.h"
#include "cli/signals.h"
#include "cli/stats.h"
#include "cli/turns.h"
#include "devices/vfio/vfio_host.h"
#include "paravirt/pv.h"

enum { MAX_WORDS = 64, LINE = 512 };
#define SLICE_NS 5000000u   /* 5 ms: the shortest that Barham et al. (SOSP 2003, 5.4) ran many domains with */

struct one {
    const char *conf;
    char *word[MAX_WORDS]; int nwords;  /* of its command line; owned from `first_own` on */
    int first_own;
    struct options options;
    char kernel[PATH_MAX];
    struct chardev *console;
    struct vfio_host **host;
    struct net_cable **cables;
    struct vm *vm;
};

/* --- from a file to a machine --- */

static int add_line(struct one *m, char *line, struct error *err)
{
    char word[LINE + 2];
    line[strcspn(line, "#\n")] = 0;
    for (char *end = line + strlen(line); end > line && (end[-1] == ' ' || end[-1] == '\r'); *--end = 0)
        ;
    line += strspn(line, " -");
    if (!*line)
        return 0;
    if (m->nwords == MAX_WORDS)
        return error_set(err, "%s: more than %d options", m->conf, MAX_WORDS);
    bool guest = strncmp(line, "guest=", 6) == 0;
    snprintf(word, sizeof word, "%s%s", guest ? "" : "-", guest ? line + 6 : line);
    m->word[m->nwords++] = strdup(word);
    return 0;
}

static int read_conf(struct one *m, struct error *err)
{
    char line[LINE];
    FILE *f = fopen(m->conf, "r");
    int r = f ? 0 : error_set(err, "-vm %s: %s", m->conf, strerror(errno));
    m->first_own = m->nwords;
    while (r == 0 && f && fgets(line, sizeof line, f))
        r = add_line(m, line, err);
    if (r == 0 && ferror(f))
        r = error_set(err, "-vm %s: %s", m->conf, strerror(errno));
    if (f)
        fclose(f);
    return r;
}

/* Words of the command line but for -vm FILE. */
static int common_words(struct one *m, int argc, char **argv, struct error *err)
{
    for (int i = 0; i < argc; i++) {
        const char *name = argv[i] + strspn(argv[i], "-");
        bool vm = i && *argv[i] == '-' && strncmp(name, "vm", 2) == 0 && (!name[2] || name[2] == '=');
        if (vm)
            i += !name[2];
        else if (m->nwords == MAX_WORDS)
            return error_set(err, "-vm: more than %d words on the command line", MAX_WORDS);
        else
            m->word[m->nwords++] = argv[i];
    }
    return 0;
}

/* The first machine of the kind that may share a monitor. */
static struct vm *neighbor_of(const struct one *all, const struct one *m)
{
    for (const struct one *o = all; m->options.vm.engine == &pv_engine && o < m; o++)
        if (o->vm->engine == &pv_engine)
            return o->vm;
    return NULL;
}

static int build(const struct one *all, struct one *m, struct error *err)
{
    static const struct serial_keys no_keys;
    struct options *o = &m->options;
    if (!o->guest)
        return error_set(err, "-vm %s: names no guest; add a line guest=guests/hello", m->conf);
    o->vm.engine = o->engine ? engine_find(o->engine, err) : engine_auto();
    if (!o->vm.engine || guest_path(o->guest, o->vm.engine, m->kernel, sizeof m->kernel, err))
        return -1;
    m->console = serial_open(o->nserial ? o->serial[0] : "none", &no_keys, err);
    if (!m->console)
        return -1;
    o->vm.kernel = m->kernel;
    o->vm.serial[0] = m->console;
    o->vm.shared_host = m->host;
    o->vm.shared_cables = m->cables;
    o->vm.kvm = o->vm.kvm ? o->vm.kvm : "model";
    o->vm.neighbor = neighbor_of(all, m);
    o->vm.no_reboot |= o->vm.engine == &pv_engine; /* others may have mapped memory of it */
    m->vm = vm_new(&o->vm, err);
    return m->vm ? 0 : -1;
}

static int open_one(const struct one *all, struct one *m, const char *conf, int argc, char **argv, struct error *err)
{
    m->conf = conf;
    if (common_words(m, argc, argv, err) || read_conf(m, err) || options_parse(&m->options, m->nwords, m->word, err))
        return -1;
    return build(all, m, err);
}

static void close_one(struct one *m)
{
    vm_free(m->vm);
    chardev_close(m->console);
    options_fini(&m->options);
    for (int i = m->first_own; m->first_own && i < m->nwords; i++)
        free(m->word[i]);
}

/* --- the end --- */

static int report(const struct one *m, const struct turn_taker *t)
{
    const struct vm *vm = m->vm;
    printf("%s: %" PRIu64 " switches to it; of %" PRIu64 " TLB entries that it held it lost %" PRIu64 " (%" PRIu64 " %%); %" PRIu64 " page walks\n", m->conf,
           t->switches, t->held, t->lost, t->held ? (100 * t->lost + t->held / 2) / t->held : 0, vm->vcpu[0]->cpu.mmu.misses);
    if (vm->exit_status == STATUS_STOPPED || vm->exit_status == STATUS_LIMIT)
        fprintf(stderr, "emu: %s: %s\n", m->conf, vm->reason);
    if (m->options.stats)
        stats_print((struct vm *)vm, stderr);
    const struct options *o = &m->options;
    bool lost = losses_of_vm(m->vm) | losses_of_chardev("-serial", o->nserial ? o->serial[0] : "none", m->console) |
                losses_of_file("-D", o->trace_path, o->trace_file);
    return losses_status(vm->exit_status, lost);
}

int several_run(int argc, char **argv, struct error *err)
{
    struct options all;
    struct one *m = calloc(MAX_MACHINES, sizeof *m);
    struct turn_taker turns[MAX_MACHINES] = { 0 };
    struct vfio_host *host = NULL;      /* its devices are shared among the machines, */
    struct net_cable *cables = NULL;    /* and what they are connected by */
    int status = options_parse(&all, argc, argv, err);
    unsigned n = 0;
    signals_install();
    while (status == 0 && n < all.nconf) {
        m[n].host = &host;
        m[n].cables = &cables;
        status = open_one(m, &m[n], all.conf[n], argc, argv, err);
        n++;
    }
    for (unsigned i = 0; status == 0 && i < n; i++)
        turns[i].vm = m[i].vm;
    if (status == 0)
        turns_take(turns, n, SLICE_NS);
    fflush(stdout);
    for (unsigned i = 0; status >= 0 && i < n; i++) {
        int own = report(&m[i], &turns[i]);
        status = status ? status : own;
    }
    signals_watch(NULL);
    while (n)
        close_one(&m[--n]);
    vfio_host_free(host);
    options_fini(&all);
    free(m);
    return status;
}
