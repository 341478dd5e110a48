/* SPDX-License-Identifier: MIT */
#include "cli/serial.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

static void flush(struct serial *s)
{
    for (unsigned done = 0; done < s->pending && s->out >= 0;) {
        ssize_t n = write(s->out, s->output + done, s->pending - done);
        if (n < 0 && errno == EAGAIN)
            poll(&(struct pollfd){ .fd = s->out, .events = POLLOUT }, 1, -1);
        else if (n < 0 && errno != EINTR)
            break; /* the reader is gone or the disk is full: the guest's output is lost, as on a pulled cable */
        done += n > 0 ? n : 0;
    }
    s->pending = 0;
}

static void serial_write(struct chardev *c, u8 byte)
{
    struct serial *s = (struct serial *)c;
    s->output[s->pending++] = byte;
    if (byte == '\n' || s->pending == sizeof s->output)
        flush(s);
}

static int serial_read(struct chardev *c)
{
    struct serial *s = (struct serial *)c;
    return s->head < s->tail ? s->input[s->head++] : -1;
}

/* Take what has come, when the guest has read all of the last. End of file ends the input. */
static void take_input(struct serial *s)
{
    struct pollfd p = { .fd = s->dev.fd, .events = POLLIN };
    if (s->dev.fd < 0 || s->head < s->tail || poll(&p, 1, 0) <= 0)
        return;
    ssize_t n = read(s->dev.fd, s->input, sizeof s->input);
    s->head = 0;
    s->tail = n > 0 ? n : 0;
    if (n == 0 || (n < 0 && errno != EINTR && errno != EAGAIN))
        s->dev.fd = -1;
}

static void serial_poll(struct chardev *c)
{
    struct serial *s = (struct serial *)c;
    flush(s);
    take_input(s);
    if (s->head < s->tail && c->ready)
        c->ready(c->dev);
}

/* Keys one by one and without echo; Ctrl-C still ends the emulator. */
static void make_raw(struct serial *s)
{
    struct termios t;
    if (tcgetattr(s->dev.fd, &s->cooked))
        return;
    t = s->cooked;
    t.c_lflag &= ~(ICANON | ECHO);
    t.c_iflag &= ~ICRNL;
    s->raw = tcsetattr(s->dev.fd, TCSANOW, &t) == 0;
}

static int open_file(struct serial *s, const char *name, struct error *err)
{
    s->out = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (s->out < 0)
        return error_set(err, "-serial file:%s: %s", name, strerror(errno));
    s->owns_out = true;
    return 0;
}

static int open_stdio(struct serial *s)
{
    s->out = STDOUT_FILENO;
    s->dev.fd = STDIN_FILENO;
    if (isatty(STDIN_FILENO))
        make_raw(s);
    return 0;
}

int serial_open(struct serial *s, const char *spec, struct error *err)
{
    *s = (struct serial){ .dev = { .write = serial_write, .read = serial_read, .poll = serial_poll, .fd = -1 }, .out = -1 };
    if (strcmp(spec, "stdio") == 0 || strcmp(spec, "mon:stdio") == 0)
        return open_stdio(s);
    if (strncmp(spec, "file:", 5) == 0)
        return open_file(s, spec + 5, err);
    if (strcmp(spec, "none") == 0 || strcmp(spec, "null") == 0)
        return 0;
    return error_set(err, "-serial %s: give stdio, mon:stdio, none or file:NAME", spec);
}

void serial_close(struct serial *s)
{
    flush(s);
    if (s->owns_out)
        close(s->out);
    if (s->raw)
        tcsetattr(STDIN_FILENO, TCSANOW, &s->cooked);
    s->out = -1;
    s->owns_out = s->raw = false;
}
