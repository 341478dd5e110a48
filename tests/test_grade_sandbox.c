/* SPDX-License-Identifier: MIT */
/* The sandbox's walls, tried from inside, and that nothing is graded where it cannot be built. */
#include <unistd.h>

#include "cli/grade/grade_sandbox.h"
#include "grading.h"

static const struct wall { const char *name, *command; enum sandbox_end end; bool fails; const char *says, *never; } walls[] = {
    { "files of the host", "cat /etc/passwd /etc/shadow; ls /root /home /work /var /usr/share /usr/local", SANDBOX_EXITED, true, "No such file", "root:" },
    { "writing outside", "echo x >/usr/bin/x || echo x >/in/x || echo x >/x.c/y", SANDBOX_EXITED, true, "", NULL },
    { "the network", "tail -n +3 /proc/net/dev | grep -v lo:", SANDBOX_EXITED, true, "", ":" },
    { "processes of the host", "ls -d /proc/[0-9]* | wc -l", SANDBOX_EXITED, false, "", "00" },
    { "the environment", "env", SANDBOX_EXITED, false, "LC_ALL=C", "HOME=" },
    { "privileges", "mount -t tmpfs none /tmp || mknod /tmp/n c 1 3", SANDBOX_EXITED, true, "", NULL },
    { "an endless loop", "while :; do :; done", SANDBOX_CPU, true, "", NULL },
    { "a flood", "yes", SANDBOX_FLOOD, true, "y", NULL },
    { "memory", "head -c 300000000 /dev/zero | tail -c 300000000 | wc -c", SANDBOX_EXITED, false, "memory", "300000000" },
    { "a file that grows", "head -c 9M /dev/zero >/tmp/f", SANDBOX_SIGNALED, true, "", NULL },
    { "what stays behind", "sleep 1000 & echo started", SANDBOX_EXITED, false, "started", NULL },
};

static void check_wall(const struct wall *w)
{
    char out[4096];
    const char *argv[] = { "/usr/bin/sh", "-c", w->command, NULL };
    struct sandbox s = { .argv = argv, .cpu_seconds = 1, .address_space = 256 << 20, .file_size = 8 << 20, .out = out, .size = sizeof out };
    struct error err = { "" };
    enum sandbox_end end;
    int status;
    check_context("%s", w->name);
    CHECK_EQ(sandbox_run(&s, &end, &status, &err), 0);
    CHECK_EQ(end, w->end);
    if (w->fails)
        CHECK(status != 0);
    CHECK_CONTAINS(out, w->says);
    CHECK(!w->never || !strstr(out, w->never));
    check_context(NULL);
}

static void test_walls(void)
{
    NEED_SANDBOX();
    for (unsigned i = 0; i < sizeof walls / sizeof *walls; i++)
        check_wall(&walls[i]);
}

static void test_processes(void)
{
    static const struct wall w = { "more processes than it may have", "for i in $(seq 400); do sleep 2 & done; echo all", SANDBOX_EXITED, true, "fork", "all" };
    NEED_SANDBOX();
    if (getuid() == 0)
        SKIP("the host's root is beyond the limit of processes");
    check_wall(&w);
}

/* --- the kernel: system calls that a submission has no business with --- */

/* A program that tries them, and says which were not refused. It is compiled by the sandbox's own compiler. */
static const char tries[] =
    "cat >/tmp/try.c <<'END'\n"
    "#include <errno.h>\n#include <linux/keyctl.h>\n#include <sched.h>\n#include <stdio.h>\n#include <sys/ioctl.h>\n#include <sys/ptrace.h>\n"
    "#include <sys/socket.h>\n#include <sys/syscall.h>\n#include <sys/wait.h>\n#include <unistd.h>\n"
    "static char page[4096];\n"
    "#define TRY(name, ...) if (syscall(SYS_##name, __VA_ARGS__) != -1 || (errno != EPERM && errno != ENOSYS)) printf(\"not refused: \" #name \" %d\\n\", errno)\n"
    "int main(void)\n{\n"
    "    TRY(socket, AF_INET, SOCK_STREAM, 0); TRY(socket, AF_UNIX, SOCK_STREAM, 0); TRY(socket, AF_NETLINK, SOCK_RAW, 0); TRY(socketpair, AF_UNIX, SOCK_STREAM, 0, page);\n"
    "    TRY(add_key, \"user\", \"k\", \"v\", 1, KEY_SPEC_PROCESS_KEYRING); TRY(request_key, \"user\", \"k\", 0, 0); TRY(keyctl, KEYCTL_GET_KEYRING_ID, KEY_SPEC_USER_KEYRING, 1);\n"
    "    TRY(ptrace, PTRACE_TRACEME, 0, 0, 0); TRY(process_vm_readv, 1, page, 1, page, 1, 0); TRY(process_vm_writev, 1, page, 1, page, 1, 0); TRY(kcmp, 1, 1, 0, 0, 0);\n"
    "    TRY(mount, \"none\", \"/tmp\", \"tmpfs\", 0, 0); TRY(umount2, \"/proc\", MNT_DETACH); TRY(pivot_root, \"/tmp\", \"/tmp\"); TRY(chroot, \"/tmp\"); TRY(fsopen, \"tmpfs\", 0);\n"
    "    TRY(unshare, CLONE_NEWUSER); TRY(setns, 0, 0); TRY(clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0); TRY(clone, CLONE_NEWNET | SIGCHLD, 0, 0, 0, 0); TRY(clone3, page, 88);\n"
    "    TRY(bpf, 0, page, 48); TRY(perf_event_open, page, 0, -1, -1, 0); TRY(userfaultfd, 1); TRY(io_uring_setup, 1, page); TRY(open_by_handle_at, 0, page, 0);\n"
    "    TRY(init_module, page, 1, \"\"); TRY(kexec_load, 0, 0, page, 0); TRY(reboot, 0, 0, 0, 0); TRY(swapon, \"/tmp/x\", 0); TRY(sethostname, \"x\", 1); TRY(iopl, 3);\n"
    "    TRY(mknodat, -100, \"/tmp/n\", 020666, 0x103); TRY(personality, 0x40000); TRY(setuid, 1); TRY(sched_setscheduler, 0, 1, page); TRY(inotify_init1, 0); TRY(shmget, 1, 4096, 01666);\n"
    "    errno = 0; if (ioctl(0, TIOCSTI, \"x\") != -1 || errno != ENOTTY) printf(\"not refused: TIOCSTI %d\\n\", errno);\n"
    "    int status; pid_t child = fork();\n"
    "    if (child == 0) { int n = 20; __asm__ volatile(\"int $0x80\" : \"+a\"(n)); _exit(0); }\n" /* 20 is getpid of the 32-bit table */
    "    waitpid(child, &status, 0); if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGSYS) printf(\"not refused: int 80h\\n\");\n"
    "    printf(\"tried\\n\");\n}\nEND\n"
    "gcc -D_GNU_SOURCE -include signal.h -include sys/mount.h -o /tmp/try /tmp/try.c && /tmp/try";

static void test_calls(void)
{
    char out[4096];
    const char *argv[] = { "/usr/bin/sh", "-c", tries, NULL };
    struct sandbox s = { .argv = argv, .cpu_seconds = 20, .file_size = 8 << 20, .out = out, .size = sizeof out };
    struct error err = { "" };
    enum sandbox_end end;
    int status;
    NEED_SANDBOX();
    CHECK_EQ(sandbox_run(&s, &end, &status, &err), 0);
    CHECK_EQ(end, SANDBOX_EXITED);
    CHECK_EQ(status, 0);
    CHECK_STR(out, "tried\n");
}

/* --- where it cannot be built, nothing is graded --- */

static void check_refusal(const char *what, const char *bwrap, const char *says)
{
    static char folder[] = "/tmp/emu-grade-bwrap-XXXXXX";
    check_context("%s", what);
    if (!CHECK(mkdtemp(folder) != NULL))
        return;
    shell("cat >%s/bwrap <<'END'\n#!/bin/sh\n%s\nEND\nchmod +x %s/bwrap", folder, bwrap, folder);
    CHECK_EQ(shell("PATH=%s:$PATH %s grade -json %s/marks.json labs/lab1 labs/lab1/solution >%s/out 2>&1", folder, emu(), folder, folder), 64);
    CHECK_EQ(shell("grep -qF '%s' %s/out && test $(wc -l <%s/out) = 1", says, folder, folder), 0);
    CHECK(shell("test -e %s/marks.json", folder) != 0);
    shell("rm -r %s", folder);
    memcpy(folder + strlen(folder) - 6, "XXXXXX", 6);
    check_context(NULL);
}

static void test_no_sandbox(void)
{
    check_refusal("no user namespaces", "echo bwrap: No permissions to create new namespace >&2; exit 1", "bwrap says");
    check_refusal("a kernel without seccomp", "echo bwrap: prctl: Invalid argument >&2; exit 1", "submissions are not run without one");
    if (sandbox_works())
        check_refusal("a bwrap that leaves the filter out", "for a; do shift; if [ \"$a\" = --seccomp ]; then skip=1; elif [ \"$skip\" ]; then skip=; "
                      "else set -- \"$@\" \"$a\"; fi; done; exec /usr/bin/bwrap \"$@\"", "no filter of system calls here");
}

int main(int argc, char **argv)
{
    static const struct check tests[] = { { "walls", test_walls }, { "system calls", test_calls }, { "processes", test_processes }, { "no sandbox", test_no_sandbox }, { NULL, NULL } };
    return check_main(argc, argv, "grade_sandbox", tests);
}
