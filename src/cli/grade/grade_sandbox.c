/* SPDX-License-Identifier: MIT */
#include "cli/grade/grade_sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "machine/pace.h"

enum { MAX_ARGS = 160, OPEN_FILES = 128, WALL_FACTOR = 10, FILTER_FD = 3, FLOOD_BYTES = 8 << 20 };

/* As in signals.c: a signal handler gets no argument of ours. */
static volatile sig_atomic_t caught;

static void on_signal(int signal) { caught = signal; }

void sandbox_catch_signals(void)
{
    struct sigaction a = { .sa_handler = on_signal }; /* without SA_RESTART: a wait for the sandbox is over */
    sigaction(SIGINT, &a, NULL);
    sigaction(SIGTERM, &a, NULL);
    if (signal(SIGHUP, SIG_IGN) != SIG_IGN) /* nohup's wish */
        sigaction(SIGHUP, &a, NULL);
}

int sandbox_signal(void) { return caught; }

struct args { const char *arg[MAX_ARGS]; unsigned n; };

static void add(struct args *a, const char *word)
{
    if (a->n < MAX_ARGS - 1)
        a->arg[a->n++] = word;
}

static void add_all(struct args *a, const char *const *words)
{
    for (; *words; words++)
        add(a, *words);
}

/* Programs and libraries, but nothing else of /usr: labs may be installed there, with their solutions. */
static void add_system(struct args *a)
{
    static const char *const dirs[] = { "/usr/bin", "/usr/lib", "/usr/lib32", "/usr/lib64", "/usr/libexec", "/usr/include", "/usr/share/seabios" };
    static const char *const links[] = { "--symlink", "usr/bin", "/bin", "--symlink", "usr/lib", "/lib", "--symlink", "usr/lib32", "/lib32",
                                         "--symlink", "usr/lib64", "/lib64", NULL };
    for (unsigned i = 0; i < ARRAY_LEN(dirs); i++)
        add_all(a, (const char *const[]){ "--ro-bind-try", dirs[i], dirs[i], NULL });
    add_all(a, links);
}

static void make_args(struct args *a, const struct sandbox *s)
{
    /* Inside, where the user's other processes do not count (setrlimit(2): a count for each user namespace). */
    static const char *const processes[] = { "/usr/bin/prlimit", "--nproc=256:256", "--", NULL };
    static const char *const walls[] = { "bwrap", "--unshare-all", "--die-with-parent", "--new-session", "--cap-drop", "ALL", "--clearenv",
        "--setenv", "PATH", "/usr/bin", "--setenv", "LC_ALL", "C", "--proc", "/proc", "--dev", "/dev", "--size", "16777216", "--tmpfs", "/tmp", NULL };
    add_all(a, walls);
    add_all(a, (const char *const[]){ "--seccomp", "3", NULL }); /* FILTER_FD */
#ifdef __SANITIZE_ADDRESS__
    add_all(a, (const char *const[]){ "--setenv", "ASAN_OPTIONS", "detect_leaks=0", NULL }); /* it would look by ptrace */
#endif
    add_system(a);
    for (unsigned i = 0; i < s->nbinds; i++)
        add_all(a, (const char *const[]){ s->bind[i].writable ? "--bind" : "--ro-bind", s->bind[i].host, s->bind[i].inside, NULL });
    add_all(a, (const char *const[]){ "--chdir", s->cwd ? s->cwd : "/tmp", "--", NULL });
    add_all(a, processes);
    add_all(a, s->argv);
    a->arg[a->n] = NULL;
}

/* Of processor time the hard limit lies behind: at the soft one comes SIGXCPU, which says why. */
static void limit(int what, rlim_t value)
{
    struct rlimit r = { value, value + (what == RLIMIT_CPU) };
    setrlimit(what, &r);
}

/* In the child, between fork and exec. The group is its own, so that all of it can be ended together. */
static _Noreturn void become(const struct sandbox *s, const struct args *a, int out)
{
    int null = open("/dev/null", O_RDONLY), filter = sandbox_filter_open();
    if (filter < 0)
        _exit(127);
    setpgid(0, 0);
    dup2(null, STDIN_FILENO);
    dup2(out, STDOUT_FILENO);
    dup2(out, STDERR_FILENO);
    if (filter == FILTER_FD)
        fcntl(filter, F_SETFD, 0);
    else
        dup2(filter, FILTER_FD);
    close_range(FILTER_FD + 1, ~0u, 0);
    limit(RLIMIT_CORE, 0);
    limit(RLIMIT_CPU, s->cpu_seconds);
    if (s->file_size)
        limit(RLIMIT_FSIZE, s->file_size);
    limit(RLIMIT_NOFILE, OPEN_FILES);
    if (s->address_space)
        limit(RLIMIT_AS, s->address_space);
    execvp(a->arg[0], (char *const *)a->arg);
    _exit(127);
}

/* One piece: kept as far as there is room, dropped behind it. Bytes, 0 at the end, -1 for none now. */
static ssize_t drain_piece(const struct sandbox *s, int in, size_t total)
{
    char dropped[4096];
    bool room = total < s->size - 1;
    ssize_t n = read(in, room ? s->out + total : dropped, room ? s->size - 1 - total : sizeof dropped);
    if (n > 0 && room)
        s->out[total + n] = 0;
    return n < 0 && errno != EINTR ? 0 : n;
}

/* Read until it closes its end. False: too much came, it has hung for long, or a signal wants an end. */
static bool drain(const struct sandbox *s, int in, enum sandbox_end *end)
{
    u64 until = pace_host_ns() + (u64)s->cpu_seconds * WALL_FACTOR * 1000000000u;
    for (size_t total = 0; total < FLOOD_BYTES;) {
        struct pollfd p = { in, POLLIN, 0 };
        int ready = poll(&p, 1, 1000);
        if (pace_host_ns() > until)
            return *end = SANDBOX_CPU, false;
        if (caught)
            return false;
        ssize_t n = ready > 0 ? drain_piece(s, in, total) : -1;
        if (n == 0)
            return true;
        total += n > 0 ? n : 0;
    }
    return *end = SANDBOX_FLOOD, false;
}

/* bubblewrap ends with 128 + the signal of what it ran. */
static void read_status(int wait, enum sandbox_end *end, int *status)
{
    *status = WIFSIGNALED(wait) ? WTERMSIG(wait) : WEXITSTATUS(wait) > 128 ? WEXITSTATUS(wait) - 128 : WEXITSTATUS(wait);
    if (*end != SANDBOX_EXITED || (!WIFSIGNALED(wait) && WEXITSTATUS(wait) <= 128))
        return;
    *end = *status == SIGXCPU ? SANDBOX_CPU : SANDBOX_SIGNALED;
}

int sandbox_run(const struct sandbox *s, enum sandbox_end *end, int *status, struct error *err)
{
    struct args a = { .n = 0 };
    int pipes[2], wait = 0;
    make_args(&a, s);
    s->out[0] = 0;
    *end = SANDBOX_EXITED;
    if (caught)
        return error_set(err, "grade: interrupted by signal %d", (int)caught);
    if (pipe2(pipes, O_CLOEXEC))
        return error_set(err, "grade: pipe: %s", strerror(errno));
    fflush(NULL);
    pid_t child = fork();
    if (child == 0)
        become(s, &a, pipes[1]);
    close(pipes[1]);
    if (child < 0) {
        close(pipes[0]);
        return error_set(err, "grade: fork: %s", strerror(errno));
    }
    if (!drain(s, pipes[0], end))
        kill(-child, SIGKILL);
    close(pipes[0]);
    while (waitpid(child, &wait, 0) < 0 && errno == EINTR)
        ;
    if (caught)
        return error_set(err, "grade: interrupted by signal %d", (int)caught);
    read_status(wait, end, status);
    if (*end == SANDBOX_EXITED && *status == 127 && !*s->out)
        return error_set(err, "grade: bwrap is not installed, and submissions are not run without it: apt-get install bubblewrap");
    return 0;
}

int sandbox_probe(struct error *err)
{
    static const char *const argv[] = { "/usr/bin/grep", "-q", "^Seccomp:.*2", "/proc/self/status", NULL }; /* proc(5): 2 is a filter */
    char out[300];
    enum sandbox_end end;
    int status;
    struct sandbox s = { .argv = argv, .cpu_seconds = 10, .out = out, .size = sizeof out };
    if (sandbox_run(&s, &end, &status, err))
        return -1;
    if (end == SANDBOX_EXITED && status == 0)
        return 0;
    if (end == SANDBOX_EXITED && status == 1 && !*out)
        return error_set(err, "grade: no filter of system calls here, and submissions are not run without one: the kernel needs CONFIG_SECCOMP_FILTER, and bwrap --seccomp");
    return error_set(err, "grade: no sandbox here, and submissions are not run without one: bwrap says '%.*s' (user namespaces must be allowed: sysctl kernel.unprivileged_userns_clone=1, in a container --security-opt seccomp=unconfined)",
                     (int)strcspn(out, "\n"), out);
}
