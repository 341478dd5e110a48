/* SPDX-License-Identifier: MIT */
/* `emu bench`: the command line, and the runs that its tables are made from. */
#include "cli/bench/bench.h"

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
    "\n"
    "  -engine NAME       only rows of that engine\n"
    "  -hw LIST           rows of kvm on that hardware instead (a processor brings its costs; emu list hw)\n"
    "Every figure's source stands in profiles/published.def. The exit status is 1 if a row is beyond its bar.\n";

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

const struct column *bench_run(struct bench *b, const char *spec, const char *guest, const char *profile, bool timing, const char *kvm, struct error *why)
{
    struct vm_config config;
    char path[PATH_MAX + 64], key[sizeof b->run[0].key];
    snprintf(key, sizeof key, "%s %s %s %d %s", spec, guest, profile, timing, kvm);
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
    config.timing_model = timing;
    config.kvm = kvm;
    config.max_cycles = LONGEST_RUN;
    bench_find_guest(guest, path, sizeof path);
    b->nruns++;
    strcpy(r->key, key);
    column_run(&r->column, path, &config);
    return result(r, why);
}

bool bench_cycles(struct bench *b, const char *spec, const char *guest, const char *operation, const char *profile, bool timing, const char *kvm, u64 *cycles,
                  struct error *why)
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
    for (int i = 1; i < argc; i++) {
        const char *value = NULL, **to = NULL;
        if (word_is_option(argv[i], "engine", &value))
            to = &b->engine;
        else if (word_is_option(argv[i], "hw", &value))
            to = &b->hw;
        else if (*argv[i] == '-' || *what)
            return -1;
        if (!to)
            *what = argv[i];
        else if (!(*to = value ? value : i + 1 < argc ? argv[++i] : NULL))
            return -1;
    }
    return *what ? 0 : -1;
}

int cli_bench(int argc, char **argv)
{
    static struct bench empty;
    struct bench *b = malloc(sizeof *b);
    const char *what = NULL;
    int status = STATUS_POWEROFF;
    *b = empty;
    b->out = stdout;
    if (argc > 1 && (word_is_option(argv[1], "help", &what) || word_is_option(argv[1], "h", &what))) {
        fputs(usage, stdout);
    } else if (parse(b, argc, argv, &what) || (strcmp(what, "exits") && strcmp(what, "decade") && strcmp(what, "net"))) {
        fprintf(stderr, "emu: bench %s: give exits or decade; `emu bench --help` says more\n", what ? what : "");
        status = STATUS_USER;
    } else if (!strcmp(what, "exits")) {
        status = bench_exits(b) != 0;
    } else if (!strcmp(what, "net")) {
        status = bench_net(b) != 0;
    } else {
        bench_decade(b);
    }
    free(b);
    return status;
}
