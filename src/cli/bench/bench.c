/* SPDX-License-Identifier: MIT */
/* `emu bench`: the command line, and the runs that its tables are made from. */
#include "cli/bench/bench.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bt/bt.h"
#include "cli/commands.h"
#include "cli/words.h"

#define LONGEST_RUN 4000000000u /* virtual cycles */

static const char usage[] =
    "Usage: emu bench exits [-engine NAME] [-hw LIST]   what exits cost: published, and in the model\n"
    "       emu bench decade                            ten years of processors: the same guests on each\n"
    "       emu bench vpid [-svg FILE]                  two machines on one processor: what VPID saves, by working set\n"
    "       emu bench xen                               lmbench as in the Xen paper of 2003: native, Xen, VMware\n"
    "       emu bench net [-path NAME] [-engine NAME]   the ways to a network: exits, throughput, latency\n"
    "       emu bench blk [-path NAME] [-engine NAME]   the ways to a disk\n"
    "\n"
    "  -engine NAME       only rows of that engine\n"
    "  -hw LIST           rows of kvm on that hardware instead (a processor brings its costs; emu list hw)\n"
    "  -path NAME         of net: all, e1000-naive, e1000, virtio, vhost, vf, pv or bare; of blk: ide, virtio, vhost, pv or bare\n"
    "  -svg FILE          of vpid: draw the curve\n"
    "  -json, -html FILE  of net and blk: as one document; a page with curves over the batch's size\n"
    "Every figure's source stands in profiles/published.def or xen-2003.def. The exit status is 1 if a row is beyond its bar.\n";

/* guests/NAME beside the executable, or of the current directory. */
void bench_find_guest(const char *name, char *path, size_t size)
{
    char exe[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", exe, sizeof exe - 1);
    exe[n > 0 ? n : 0] = 0;
    char *slash = strrchr(exe, '/');
    if (slash)
        *slash = 0;
    snprintf(path, size, "%s/guests/%s", exe, name);
    if (access(path, R_OK))
        snprintf(path, size, "guests/%s", name);
}

static const struct column *result(struct bench_run *r, struct error *why)
{
    if (r->column.ran && !*r->column.note)
        return &r->column;
    error_set(why, "%s", r->column.note);
    return NULL;
}

const struct column *bench_run(struct bench *b, const char *spec, const char *guest, const char *profile, enum bench_timing timing, const char *kvm,
                               struct error *why)
{
    struct vm_config config;
    char path[PATH_MAX + 64], key[sizeof b->run[0].key];
    snprintf(key, sizeof key, "%s %s %s %d %s %u", spec, guest, profile, timing, kvm, b->shadow_spaces);
    for (unsigned i = 0; i < b->nruns; i++)
        if (!strcmp(b->run[i].key, key))
            return result(&b->run[i], why);
    if (b->nruns == BENCH_RUNS)
        return error_set(why, "too many runs"), NULL;
    struct bench_run *r = &b->run[b->nruns];
    if (column_parse(&r->column, spec, why))
        return NULL;
    vm_config_defaults(&config);
    config.profile = profile;
    config.accel = &bt_accel;
    config.timing_model = timing != BENCH_EVENTS;
    config.without_caches = timing == BENCH_WALKS_UNCACHED ? WITHOUT_WALK_CACHE | WITHOUT_NESTED_TLB : 0;
    config.kvm = kvm;
    config.shadow_spaces = b->shadow_spaces;
    config.max_cycles = LONGEST_RUN;
    bench_find_guest(guest, path, sizeof path);
    b->nruns++;
    strcpy(r->key, key);
    column_run(&r->column, path, &config);
    return result(r, why);
}

bool bench_cycles(struct bench *b, const char *spec, const char *guest, const char *operation, const char *profile, enum bench_timing timing, const char *kvm,
                 u64 *cycles, struct error *why)
{
    const struct column *c = bench_run(b, spec, guest, profile, timing, kvm, why);
    const struct operation *o = c ? column_operation(c, operation) : NULL;
    if (c && !o)
        error_set(why, "the guest has no %s there", operation);
    if (o)
        *cycles = (o->cycles + o->count / 2) / o->count;
    return o;
}

static int parse(struct bench *b, int argc, char **argv, const char **what)
{
    const struct { const char *name; const char **to; } words[] = { { "engine", &b->engine }, { "hw", &b->hw }, { "path", &b->path }, { "html", &b->html },
                                                                 { "svg", &b->svg } };
    for (int i = 1; i < argc; i++) {
        const char *value = NULL, **to = NULL;
        for (unsigned w = 0; w < ARRAY_LEN(words) && !to; w++)
            to = word_is_option(argv[i], words[w].name, &value) ? words[w].to : NULL;
        if (!to && word_is_option(argv[i], "json", &value) && !value) {
            b->json = true;
            continue;
        }
        if (!to && (*argv[i] == '-' || *what))
            return -1;
        if (!to)
            *what = argv[i];
        else if (!(*to = value ? value : i + 1 < argc ? argv[++i] : NULL))
            return -1;
    }
    return *what ? 0 : -1;
}

static const struct { const char *name; unsigned (*run)(struct bench *b); } tables[] = {
    { "exits", bench_exits }, { "decade", bench_decade }, { "vpid", bench_vpid }, { "net", bench_net }, { "blk", bench_blk }, { "xen", bench_xen },
};

/* The exit status: 1 if a row is beyond its bar. */
static int run_table(struct bench *b, const char *what)
{
    for (unsigned i = 0; i < ARRAY_LEN(tables); i++) {
        if (strcmp(tables[i].name, what))
            continue;
        unsigned beyond = tables[i].run(b);
        return beyond == BENCH_FAILED ? STATUS_USER : beyond != 0;
    }
    return -1;
}

/* As a column is named, so kvm:no-ept too. */
static bool is_engine(const char *spec)
{
    struct column column;
    struct error why;
    if (!spec || column_parse(&column, spec, &why) == 0)
        return true;
    fprintf(stderr, "emu: bench: %s\n", why.text);
    return false;
}

/* Found out before the measurement, not after it. */
static bool can_write(const char *option, const char *path)
{
    FILE *f = path ? fopen(path, "a") : NULL;
    if (f)
        fclose(f);
    else if (path)
        fprintf(stderr, "emu: bench: %s %s: %s\n", option, path, strerror(errno));
    return f || !path;
}

int cli_bench(int argc, char **argv)
{
    struct bench *b = calloc(1, sizeof *b);
    const char *what = NULL;
    int status = -1;
    b->out = stdout;
    if (argc > 1 && (word_is_option(argv[1], "help", &what) || word_is_option(argv[1], "h", &what))) {
        fputs(usage, stdout);
        status = STATUS_POWEROFF;
    } else if (parse(b, argc, argv, &what) == 0) {
        status = is_engine(b->engine) && can_write("--html", b->html) && can_write("--svg", b->svg) ? run_table(b, what) : STATUS_USER;
    }
    if (status < 0) {
        fprintf(stderr, "emu: bench%s%s: give exits, decade, vpid, net, blk or xen; `emu bench --help` says more\n", what ? " " : "", what ? what : "");
        status = STATUS_USER;
    }
    free(b);
    return status;
}
