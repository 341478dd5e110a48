/* SPDX-License-Identifier: MIT */
/*
 * From a submission to images. Only the files that the lab names are taken, by reading them: a Makefile, a symbolic link or a
 * device in the submission's directory is never followed. Every compiler and linker runs in the sandbox, where
 *
 *     /in     the sources of the submission, or of a test     /guest  guests/lib
 *     /out    what the compiler writes                        /lab    the lab's own headers and sources, as the student has them
 *     /trust  objects that are the lab's and guests/lib's; never writable where the submission's code is seen
 */
#include <dirent.h>
#include <errno.h>
#include <elf.h>
#include <fcntl.h>
#include <glob.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "cli/grade/grade.h"
#include "cli/grade/grade_sandbox.h"

enum { MAX_OBJECTS = 48, SCRATCH_DEPTH = 3, STALE_SECONDS = 60, COMPILER_SECONDS = 10, NATIVE_END = 4 << 20, COMPILER_FILE = 16 << 20 };
#define COMPILER_MEMORY ((u64)1 << 30)

/* As guests/rules.mk has it, but that only errors are said: they are the verdict. */
static const char *const compiler[] = { "/usr/bin/gcc", "-m32", "-march=i686", "-O2", "-std=gnu11", "-ffreestanding", "-fno-pic", "-fno-pie",
    "-fno-stack-protector", "-fcf-protection=none", "-fno-asynchronous-unwind-tables", "-mno-sse", "-mno-mmx", "-mno-80387",
    "-w", "-fdiagnostics-color=never", "-fno-diagnostics-show-caret", "-I/lab", "-I/guest", "-idirafter", "/usr/include/x86_64-linux-gnu" /* <asm/...>, of Linux's own headers */ };
static const char *const linker[] = { "/usr/bin/gcc", "-m32", "-static", "-nostdlib", "-no-pie", "-Wl,--build-id=none", "-Wl,-z,noexecstack",
    "-Wl,--no-warn-rwx-segments" };

/* --- files --- */

char *grade_take_file(const char *dir, const char *name, size_t *len, struct error *err)
{
    struct stat st;
    char *text = NULL;
    int at = open(dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    int fd = at < 0 ? -1 : openat(at, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        error_set(err, errno == ELOOP ? "%s is a symbolic link, which is not followed" : "%s is missing", name);
    else if (fstat(fd, &st) || !S_ISREG(st.st_mode) || st.st_size > GRADE_SOURCE)
        error_set(err, "%s is no ordinary file of at most %d KiB", name, GRADE_SOURCE >> 10);
    else if ((text = calloc(1, GRADE_SOURCE + 1)))
        *len = read(fd, text, GRADE_SOURCE) > 0 ? st.st_size : 0;
    if (fd >= 0)
        close(fd);
    if (at >= 0)
        close(at);
    return text;
}

static void hash(u64 *h, const char *data, size_t len) /* FNV-1a */
{
    for (size_t i = 0; i < len; i++)
        *h = (*h ^ (u8)data[i]) * 0x100000001b3;
}

static void hash_files(u64 *h, const char *dir, const char *name)
{
    size_t len = 0;
    char *text = grade_take_file(dir, name, &len, NULL);
    hash(h, text ? text : "", len);
    hash(h, name, strlen(name) + 1);
    free(text);
}

/* Its main program is one of guests/, not the lab's. */
static bool is_of_guests(const struct grade_test *t) { return t->main && strncmp(t->main, "guests/", strlen("guests/")) == 0; }

/* Every file of a directory, without those beneath it. */
static void hash_directory(u64 *h, const char *root, const char *below)
{
    char dir[PATH_MAX + 32];
    struct dirent **entry;
    snprintf(dir, sizeof dir, "%s/%s", root, below);
    int n = scandir(dir, &entry, NULL, alphasort);
    for (int i = 0; i < n; i++) {
        hash_files(h, dir, entry[i]->d_name);
        free(entry[i]);
    }
    if (n >= 0)
        free(entry);
}

void grade_fingerprint(struct grade *g)
{
    static const char *const of_lab[] = { "lib", "tests", "hidden", "solution" };
    static const char *const of_guests[] = { "guests/lib", "guests/lib/native", "guests/lib/xen", "guests/lib/pci" };
    u64 h = 0xcbf29ce484222325;
    hash_files(&h, g->lab->dir, "lab.json");
    for (unsigned i = 0; i < ARRAY_LEN(of_lab); i++)
        hash_directory(&h, g->lab->dir, of_lab[i]);
    for (unsigned i = 0; i < ARRAY_LEN(of_guests); i++)
        hash_directory(&h, g->lab->root, of_guests[i]);
    for (const struct grade_test *t = g->lab->test; t < g->lab->test + g->lab->ntests; t++)
        if (is_of_guests(t))
            hash_files(&h, g->lab->root, t->main);
    for (unsigned i = 0; i < g->lab->nfiles; i++)
        hash_files(&h, g->submission, g->lab->file[i]);
    snprintf(g->fingerprint, sizeof g->fingerprint, "%016llx", (unsigned long long)h);
}

static int put_file(const char *dir, const char *name, const char *text, size_t len)
{
    char path[PATH_MAX + 256];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *f = fopen(path, "w");
    bool ok = f && fwrite(text, 1, len, f) == len;
    return f && fclose(f) == 0 && ok ? 0 : -1;
}

static bool is_c(const char *name)
{
    size_t n = strlen(name);
    return n > 2 && (!strcmp(name + n - 2, ".c") || !strcmp(name + n - 2, ".S"));
}

static int make_dir(struct grade_build *b, const char *name)
{
    char path[PATH_MAX + 32];
    snprintf(path, sizeof path, "%s/%s", b->scratch, name);
    return mkdir(path, 0700);
}

/* So many levels, as they were made; not through links. */
static void empty(const char *dir, unsigned depth)
{
    char pattern[PATH_MAX + 8];
    glob_t g;
    snprintf(pattern, sizeof pattern, "%s/*", dir);
    if (glob(pattern, GLOB_PERIOD | GLOB_NOSORT, NULL, &g) == 0) {
        for (size_t i = 0; i < g.gl_pathc; i++) {
            const char *name = strrchr(g.gl_pathv[i], '/') + 1;
            struct stat st;
            if (!strcmp(name, ".") || !strcmp(name, ".."))
                continue;
            if (depth && lstat(g.gl_pathv[i], &st) == 0 && S_ISDIR(st.st_mode))
                empty(g.gl_pathv[i], depth - 1);
            else
                unlink(g.gl_pathv[i]);
        }
        globfree(&g);
    }
    rmdir(dir);
}

/* The lock goes with the process, however that ends. A file descriptor, or -1: somebody has it. */
static int lock_scratch(const char *dir)
{
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) == 0)
        return fd;
    close(fd);
    return -1;
}

/* This user's, and older than one that is just being made and not locked yet. */
static bool may_be_stale(const char *dir)
{
    struct stat st;
    return lstat(dir, &st) == 0 && S_ISDIR(st.st_mode) && st.st_uid == geteuid() && time(NULL) - st.st_mtime > STALE_SECONDS;
}

static void remove_stale(const char *tmp)
{
    char pattern[PATH_MAX + 24];
    glob_t g;
    snprintf(pattern, sizeof pattern, "%s/emu-grade-??????", tmp);
    if (glob(pattern, GLOB_NOSORT, NULL, &g))
        return;
    for (size_t i = 0; i < g.gl_pathc; i++) {
        int fd = may_be_stale(g.gl_pathv[i]) ? lock_scratch(g.gl_pathv[i]) : -1;
        if (fd < 0)
            continue;
        empty(g.gl_pathv[i], SCRATCH_DEPTH);
        close(fd);
    }
    globfree(&g);
}

int grade_build_init(struct grade_build *b, const struct grade_lab *lab, struct error *err)
{
    static const char *const dirs[] = { "in", "out", "out/native", "out/xen", "trust", "trust/native", "trust/xen" };
    const char *tmp = getenv("TMPDIR");
    tmp = tmp && *tmp ? tmp : "/tmp";
    memset(b, 0, sizeof *b);
    remove_stale(tmp);
    snprintf(b->scratch, sizeof b->scratch, "%s/emu-grade-XXXXXX", tmp);
    if (!mkdtemp(b->scratch))
        return error_set(err, "grade: %s: %s", b->scratch, strerror(errno));
    b->lock = lock_scratch(b->scratch);
    for (unsigned i = 0; i < ARRAY_LEN(dirs); i++)
        if (make_dir(b, dirs[i]))
            return error_set(err, "grade: %s/%s: %s", b->scratch, dirs[i], strerror(errno));
    return 0;
}

void grade_build_fini(struct grade_build *b)
{
    empty(b->scratch, SCRATCH_DEPTH);
    if (b->lock >= 0)
        close(b->lock);
}

int grade_build_place(const char *dir, struct error *err)
{
    char place[PATH_MAX];
    empty(dir, 1 + SCRATCH_DEPTH);
    if (mkdir(dir, 0700) || !realpath(dir, place) || setenv("TMPDIR", place, 1))
        return error_set(err, "grade: %s: %s", dir, strerror(errno));
    return 0;
}

/* --- the compiler --- */

struct job {
    const struct grade_lab *lab;
    struct grade_build *b;
    const char *kind, *in;          /* in: the directory at /in */
    const char *out;                /* "out" or "trust", at /out */
    bool sees_trust;
};

/* 0; 1: it failed, b->words says how; -1 with *err. */
static int call(const struct job *j, const char *const *argv, struct error *err)
{
    char out[PATH_MAX + 16], trust[PATH_MAX + 16], guest[PATH_MAX + 16], lib[PATH_MAX + 16];
    enum sandbox_end end;
    int status;
    snprintf(out, sizeof out, "%s/%s", j->b->scratch, j->out);
    snprintf(trust, sizeof trust, "%s/trust", j->b->scratch);
    snprintf(guest, sizeof guest, "%s/guests/lib", j->lab->root);
    snprintf(lib, sizeof lib, "%s/lib", j->lab->dir);
    struct sandbox s = { .argv = argv, .cwd = "/in", .address_space = COMPILER_MEMORY, .file_size = COMPILER_FILE, .cpu_seconds = COMPILER_SECONDS,
                         .bind = { { j->in, "/in" }, { guest, "/guest" }, { lib, "/lab" }, { out, "/out", true }, { trust, "/trust" } },
                         .nbinds = j->sees_trust ? 5 : 4, .out = j->b->words, .size = sizeof j->b->words };
    if (sandbox_run(&s, &end, &status, err))
        return -1;
    if (end == SANDBOX_EXITED && status == 0)
        return 0;
    if (strncmp(j->b->words, "bwrap: ", 7) == 0 || strncmp(j->b->words, "prlimit: ", 9) == 0) /* no compiler begins so */
        return error_set(err, "grade: the sandbox: %.300s", j->b->words);
    if (end == SANDBOX_CPU)
        snprintf(j->b->words, sizeof j->b->words, "the compiler did not finish within %d seconds", COMPILER_SECONDS);
    else if (end == SANDBOX_FLOOD)
        snprintf(j->b->words, sizeof j->b->words, "the compiler had more to say than fits");
    else if (end == SANDBOX_SIGNALED)
        snprintf(j->b->words, sizeof j->b->words, "the compiler went over its limits (signal %d)", status);
    return 1;
}

static int compile(const struct job *j, const char *source, const char *object, struct error *err)
{
    const char *argv[ARRAY_LEN(compiler) + 8];
    char platform[32];
    unsigned n = 0;
    snprintf(platform, sizeof platform, "-I/guest/%s", j->kind);
    for (; n < ARRAY_LEN(compiler); n++)
        argv[n] = compiler[n];
    argv[n++] = platform;
    argv[n++] = "-c";
    argv[n++] = "-o";
    argv[n++] = object;
    argv[n++] = source;
    argv[n] = NULL;
    return call(j, argv, err);
}

/* What is not the student's must compile. */
static int compile_trusted(const struct job *j, const char *source, const char *object, struct error *err)
{
    struct stat st;
    char path[PATH_MAX + 64];
    snprintf(path, sizeof path, "%s/trust%s", j->b->scratch, object + strlen("/out"));
    if (stat(path, &st) == 0)
        return 0;
    int failed = compile(j, source, object, err);
    return failed <= 0 ? failed : error_set(err, "grade: %s does not compile: %.300s", source, j->b->words);
}

struct objects { char name[MAX_OBJECTS][96]; unsigned n; };

/* Every source of a directory, once. */
static int compile_directory(struct job *j, const char *dir, const char *inside, struct objects *o, struct error *err)
{
    char pattern[PATH_MAX + 16];
    glob_t g;
    int status = 0;
    snprintf(pattern, sizeof pattern, "%s/*.[cS]", dir);
    if (glob(pattern, 0, NULL, &g))
        return 0;
    for (size_t i = 0; i < g.gl_pathc && !status && o->n < MAX_OBJECTS; i++) {
        char source[300], *name = basename(g.gl_pathv[i]), *object = o->name[o->n++];
        snprintf(source, sizeof source, "%s/%.200s", inside, name);
        snprintf(object, sizeof o->name[0], "/out/%s/%.8s-%.60s.o", j->kind, inside + 1, name);
        for (char *c = strchr(object + 5, '/') + 1; *c; c++)
            *c = *c == '/' ? '-' : *c;
        status = compile_trusted(j, source, object, err);
    }
    globfree(&g);
    return status;
}

static int compile_libraries(struct job *j, bool of_lab, struct objects *o, struct error *err)
{
    char dir[PATH_MAX + 32], inside[32];
    snprintf(dir, sizeof dir, "%s/guests/lib", j->lab->root);
    if (compile_directory(j, dir, "/guest", o, err))
        return -1;
    snprintf(dir, sizeof dir, "%s/guests/lib/%s", j->lab->root, j->kind);
    snprintf(inside, sizeof inside, "/guest/%s", j->kind);
    if (compile_directory(j, dir, inside, o, err))
        return -1;
    snprintf(dir, sizeof dir, "%s/lib", j->lab->dir);
    return of_lab ? compile_directory(j, dir, "/lab", o, err) : 0;
}

/* --- the submission --- */

static const char *kind_of(const struct grade_test *t) { return strcmp(t->engine, "pv") ? "native" : "xen"; }

static int take_all(struct grade_build *b, const struct grade *g)
{
    char in[PATH_MAX + 8];
    struct error why = { "" };
    snprintf(in, sizeof in, "%s/in", b->scratch);
    for (unsigned i = 0; i < g->lab->nfiles; i++) {
        size_t len;
        char *text = grade_take_file(g->submission, g->lab->file[i], &len, &why);
        int failed = text ? put_file(in, g->lab->file[i], text, len) : -1;
        free(text);
        if (failed)
            return snprintf(b->words, sizeof b->words, "%s", why.text), -1;
    }
    return 0;
}

static bool wants_kind(const struct grade_lab *lab, const char *kind)
{
    for (unsigned i = 0; i < lab->ntests; i++)
        if (grade_runs(&lab->test[i]) && !lab->test[i].answer && !strcmp(kind_of(&lab->test[i]), kind))
            return true;
    return false;
}

static int compile_kind(struct grade_build *b, const struct grade *g, const char *kind, struct error *err)
{
    char in[PATH_MAX + 8], object[96];
    snprintf(in, sizeof in, "%s/in", b->scratch);
    struct job j = { g->lab, b, kind, in, "out", false };
    for (unsigned i = 0; i < g->lab->nfiles; i++) {
        if (!is_c(g->lab->file[i]))
            continue;
        snprintf(object, sizeof object, "/out/%s/%.60s.o", kind, g->lab->file[i]);
        int failed = compile(&j, g->lab->file[i], object, err);
        if (failed)
            return failed;
    }
    return 0;
}

int grade_build_submission(struct grade_build *b, const struct grade *g, struct error *err)
{
    static const char *const kinds[] = { "native", "xen" };
    if (take_all(b, g)) {
        b->failed = true;
        return 0;
    }
    for (unsigned k = 0; k < ARRAY_LEN(kinds) && !b->failed; k++) {
        int failed = wants_kind(g->lab, kinds[k]) ? compile_kind(b, g, kinds[k], err) : 0;
        if (failed < 0)
            return -1;
        b->failed = failed;
    }
    return 0;
}

/* --- an image --- */

/* Main program and replacements: they lie where the submission's compiler never looks. */
static int compile_test_file(struct job *j, const char *root, const char *path, char *object, size_t size, struct error *err)
{
    char host[2 * PATH_MAX], copy[2 * PATH_MAX], source[PATH_MAX + 8];
    snprintf(host, sizeof host, "%s/%s", root, path);
    memcpy(copy, host, sizeof copy);
    j->in = dirname(host);
    snprintf(source, sizeof source, "%s", basename(copy));
    snprintf(object, size, "/out/%s/test-%.70s.o", j->kind, path);
    for (char *c = object + strlen("/out/") + strlen(j->kind) + 1; *c; c++)
        *c = *c == '/' ? '-' : *c;
    return compile_trusted(j, source, object, err);
}

/* The trusted objects first: the boot header that is found is theirs. In the order of guests/rules.mk, so that a guest of this
 * repository has the same addresses, and the same counts, as students see. */
static int add_test_objects(struct job *j, const struct grade_test *t, struct objects *o, struct error *err)
{
    const char *root = is_of_guests(t) ? j->lab->root : j->lab->dir;
    char solution[PATH_MAX];
    if (compile_test_file(j, root, t->main, o->name[o->n++], sizeof o->name[0], err) || compile_libraries(j, !t->answer, o, err))
        return -1;
    if (!t->replace || o->n == MAX_OBJECTS)
        return 0;
    snprintf(solution, sizeof solution, "solution/%s", t->replace);
    return compile_test_file(j, j->lab->dir, solution, o->name[o->n++], sizeof o->name[0], err);
}

static int link_image(struct job *j, const struct grade *g, const struct grade_test *t, struct objects *o, const char *name, struct error *err)
{
    const char *argv[ARRAY_LEN(linker) + MAX_OBJECTS + GRADE_MAX_FILES + 8];
    char script[64], own[GRADE_MAX_FILES][96];
    unsigned n = 0;
    for (; n < ARRAY_LEN(linker); n++)
        argv[n] = linker[n];
    snprintf(script, sizeof script, "-Wl,-T,/guest/%s/link.ld", j->kind);
    argv[n++] = script;
    argv[n++] = "-o";
    argv[n++] = name;
    for (unsigned i = 0; i < o->n; i++) {
        memmove(o->name[i] + strlen("/trust"), o->name[i] + strlen("/out"), strlen(o->name[i]) - strlen("/out") + 1);
        memcpy(o->name[i], "/trust", strlen("/trust"));
        argv[n++] = o->name[i];
    }
    for (unsigned i = 0; i < g->lab->nfiles && !t->answer; i++) {
        if (!is_c(g->lab->file[i]) || (t->replace && !strcmp(t->replace, g->lab->file[i])))
            continue;
        snprintf(own[i], sizeof own[i], "/out/%s/%.60s.o", j->kind, g->lab->file[i]);
        argv[n++] = own[i];
    }
    argv[n] = NULL;
    return call(j, argv, err);
}

/* What the native kernel maps of itself ends at 4 MiB. 0, or 1: it is larger. */
static int check_size(struct grade_build *b, const char *path, const char *kind)
{
    Elf32_Ehdr e;
    Elf32_Phdr p;
    u64 end = 0;
    int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC), wrong = fd < 0 || read(fd, &e, sizeof e) != sizeof e;
    for (unsigned i = 0; !wrong && i < e.e_phnum && i < 16; i++)
        if (pread(fd, &p, sizeof p, e.e_phoff + i * sizeof p) == sizeof p && p.p_type == PT_LOAD && (u64)p.p_vaddr + p.p_memsz > end)
            end = (u64)p.p_vaddr + p.p_memsz;
    if (fd >= 0)
        close(fd);
    if (wrong || (!strcmp(kind, "native") && end > NATIVE_END)) {
        snprintf(b->words, sizeof b->words, "the program's code and data end at %llu KiB; the guest's memory is mapped up to %d KiB",
                 (unsigned long long)end >> 10, NATIVE_END >> 10);
        return 2;
    }
    return 0;
}

int grade_build_image(struct grade_build *b, const struct grade *g, const struct grade_test *t, char *path, struct error *err)
{
    struct objects o = { .n = 0 };
    char in[PATH_MAX + 8], name[64];
    snprintf(in, sizeof in, "%s/in", b->scratch);
    struct job j = { g->lab, b, kind_of(t), in, "trust", false };
    if (add_test_objects(&j, t, &o, err))
        return -1;
    j.in = in;
    j.out = "out";
    j.sees_trust = true;
    snprintf(name, sizeof name, "/out/test%u.elf", (unsigned)(t - g->lab->test));
    int failed = link_image(&j, g, t, &o, name, err);
    if (snprintf(path, PATH_MAX, "%s%s", b->scratch, name) >= PATH_MAX)
        return error_set(err, "grade: %s: the name is too long", b->scratch);
    return failed ? failed : check_size(b, path, j.kind);
}
