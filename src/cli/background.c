/* SPDX-License-Identifier: MIT */
#include "cli/background.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static int write_pid(struct background *b, const char *pidfile, struct error *err)
{
    FILE *f = pidfile ? fopen(pidfile, "w") : NULL;
    if (!pidfile)
        return 0;
    if (!f)
        return error_set(err, "-pidfile %s: %s; give a name that can be written", pidfile, strerror(errno));
    fprintf(f, "%d\n", (int)getpid());
    if (fclose(f))
        return error_set(err, "-pidfile %s: %s", pidfile, strerror(errno));
    b->pidfile = pidfile;
    return 0;
}

/* The first process: wait for a byte, which says that all is well, or for the end of the pipe, which says that the child is gone. */
static void wait_for_child(pid_t child, int fd)
{
    char byte;
    int status;
    if (read(fd, &byte, 1) == 1)
        _exit(0);
    waitpid(child, &status, 0);
    _exit(WIFEXITED(status) ? WEXITSTATUS(status) : STATUS_BUG);
}

static int leave_shell(struct background *b, struct error *err)
{
    int fds[2];
    if (pipe2(fds, O_CLOEXEC))
        return error_set(err, "-daemonize: %s", strerror(errno));
    pid_t child = fork();
    if (child < 0)
        return error_set(err, "-daemonize: %s", strerror(errno));
    close(fds[child == 0 ? 0 : 1]);
    if (child)
        wait_for_child(child, fds[0]);
    setsid();
    b->ready = fds[1];
    b->waited = true;
    return 0;
}

int background_start(struct background *b, const char *pidfile, bool daemonize, struct error *err)
{
    return (daemonize && leave_shell(b, err)) || write_pid(b, pidfile, err) ? -1 : 0;
}

void background_ready(struct background *b)
{
    if (!b->waited)
        return;
    b->waited = false;
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    for (int fd = 0; fd <= 2; fd++)
        if (dup2(null, fd) < 0)
            return;
    if (write(b->ready, "", 1) == 1)
        close(b->ready);
}

void background_end(struct background *b)
{
    struct stat st;
    if (b->pidfile && lstat(b->pidfile, &st) == 0 && S_ISREG(st.st_mode)) /* never a device that it named */
        unlink(b->pidfile);
    b->pidfile = NULL;
}
