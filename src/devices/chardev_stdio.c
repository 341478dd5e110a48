/* SPDX-License-Identifier: MIT */
/*
 * The terminal as a serial line. Input is looked for with poll(2) before each read, not with O_NONBLOCK: that flag
 * would stick to the terminal and so to the shell that started us.
 */
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "devices/chardev.h"

enum { ESCAPE = 0x01 };     /* Ctrl-A */

struct stdio_back {
    struct chardev c;
    void (*quit)(void *opaque);
    void *opaque;
    bool escape;                /* Ctrl-A was the last key */
    u8 in[256];                 /* read, not yet taken by the device: in[taken..filled) */
    unsigned taken, filled;
    bool raw;                   /* `saved` is to be restored */
    struct termios saved;
};

static void stdio_write(struct chardev *c, u8 byte)
{
    putchar(byte);
    if (byte == '\n')
        fflush(stdout);
}

/* Act on the escape key. Is this byte for the guest? */
static bool for_guest(struct stdio_back *s, u8 byte)
{
    if (!s->raw)
        return true;            /* a pipe has no keys */
    if (!s->escape) {
        s->escape = byte == ESCAPE;
        return !s->escape;
    }
    s->escape = false;
    if (byte == 'x' && s->quit)
        s->quit(s->opaque);
    return byte == ESCAPE;
}

static int stdio_read(struct chardev *c)
{
    struct stdio_back *s = (struct stdio_back *)c;
    while (s->taken < s->filled) {
        u8 byte = s->in[s->taken++];
        if (for_guest(s, byte))
            return byte;
    }
    return -1;
}

static void stdio_fill(struct stdio_back *s)
{
    struct pollfd p = { .fd = s->c.fd, .events = POLLIN };
    if (s->taken < s->filled || s->c.fd < 0 || poll(&p, 1, 0) <= 0)
        return;
    ssize_t n = read(s->c.fd, s->in, sizeof s->in);
    if (n <= 0)
        s->c.fd = -1;           /* end of file: nothing more will come */
    s->taken = 0;
    s->filled = n > 0 ? n : 0;
}

static void stdio_poll(struct chardev *c)
{
    struct stdio_back *s = (struct stdio_back *)c;
    fflush(stdout);
    stdio_fill(s);
    if (s->taken < s->filled && c->ready)
        c->ready(c->dev);
}

static void stdio_close(struct chardev *c)
{
    struct stdio_back *s = (struct stdio_back *)c;
    fflush(stdout);
    if (s->raw)
        tcsetattr(STDIN_FILENO, TCSAFLUSH, &s->saved);
    free(s);
}

/* Raw input: no echo, no lines, no signals. Output keeps its newline translation for emu's own messages. */
static void make_raw(struct stdio_back *s)
{
    if (!isatty(STDIN_FILENO) || tcgetattr(STDIN_FILENO, &s->saved) < 0)
        return;
    struct termios t = s->saved;
    t.c_iflag &= ~(IGNBRK | BRKINT | PARMRK | ISTRIP | INLCR | IGNCR | ICRNL | IXON);
    t.c_lflag &= ~(ECHO | ECHONL | ICANON | ISIG | IEXTEN);
    t.c_cc[VMIN] = 1;
    t.c_cc[VTIME] = 0;
    s->raw = tcsetattr(STDIN_FILENO, TCSANOW, &t) == 0;
}

struct chardev *chardev_stdio_new(void (*quit)(void *opaque), void *opaque, struct error *err)
{
    struct stdio_back *s = calloc(1, sizeof *s);
    if (!s) {
        error_set(err, "no memory for the terminal");
        return NULL;
    }
    s->c = (struct chardev){ .write = stdio_write, .read = stdio_read, .poll = stdio_poll, .close = stdio_close, .fd = STDIN_FILENO };
    s->quit = quit;
    s->opaque = opaque;
    make_raw(s);
    return &s->c;
}
