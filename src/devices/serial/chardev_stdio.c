/* SPDX-License-Identifier: MIT */
/*
 * The terminal as a serial line. Input is looked for with poll(2) before each read, not with O_NONBLOCK: that flag
 * would stick to the terminal and so to the shell that started us.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "devices/serial/chardev.h"

enum { CTRL_C = 3, IMPATIENT = 3 /* Ctrl-C so often in a row: somebody wants to get out */ };

struct stdio_back {
    struct chardev c;
    void (*quit)(void *opaque);
    void *opaque;
    void (*monitor)(void *opaque);
    void *monitor_opaque;
    void (*take)(void *opaque, int byte); /* gets what is typed instead of the guest; NULL: the guest gets it */
    void *take_opaque;
    struct chardev_keys keys;
    bool lent;                  /* input is somebody else's now */
    bool escape;                /* Ctrl-A was the last key */
    unsigned interrupts;        /* Ctrl-C in a row */
    bool ended;                 /* end of file was seen: nothing more will come */
    u8 in[256];                 /* read, not yet taken by the device: in[taken..filled) */
    unsigned taken, filled;
    bool raw;                   /* `saved` is to be restored */
    struct termios saved;
};

static void flush(struct chardev *c)
{
    if (fflush(stdout) && !c->error)
        c->error = errno;
}

static void stdio_write(struct chardev *c, u8 byte)
{
    putchar(byte);
    if (byte == '\n')
        flush(c);
}

struct key_name { char text[8]; };

static struct key_name escape_name(const struct stdio_back *s)
{
    struct key_name n = { "Ctrl-A" };
    n.text[5] = '@' + s->keys.escape;
    if (s->keys.escape >= ' ')
        snprintf(n.text, sizeof n.text, "%c", s->keys.escape);
    return n;
}

static void print_keys(const struct stdio_back *s)
{
    struct key_name name = escape_name(s);
    const char *key = name.text;
    printf("\n%s h  this list\n%s x  leave emu\n", key, key);
    if (s->monitor)
        printf("%s c  to the monitor and back\n", key);
    printf("%s %s  the key itself, to the guest\n", key, key);
}

static void do_key(struct stdio_back *s, u8 byte)
{
    if (byte == 'x' && s->quit)
        s->quit(s->opaque);
    if (byte == 'c' && s->monitor)
        s->monitor(s->monitor_opaque);
    if (byte == 'h' || byte == '?')
        print_keys(s);
}

/* Ctrl-C is the guest's. Who presses it again and again may not know that. */
static void count_interrupts(struct stdio_back *s, u8 byte)
{
    s->interrupts = byte == CTRL_C ? s->interrupts + 1 : 0;
    if (s->interrupts == IMPATIENT)
        printf("\nCtrl-C goes to the guest; %s x leaves emu\n", escape_name(s).text);
}

/* Act on the escape key. Is this byte to be handed on? */
static bool is_typed(struct stdio_back *s, u8 byte)
{
    if (!s->raw && !s->keys.in_pipes)
        return true;
    count_interrupts(s, byte);
    if (!s->escape) {
        s->escape = byte == s->keys.escape;
        return !s->escape;
    }
    s->escape = false;
    if (byte != s->keys.escape)
        do_key(s, byte);
    return byte == s->keys.escape;
}

static unsigned room(const struct stdio_back *s)
{
    return sizeof s->in - s->filled;
}

/* What an idle run loop waits on: nothing while there is no room. */
static void choose_fd(struct stdio_back *s)
{
    s->c.fd = s->ended || s->lent || (!s->raw && !s->take && !room(s)) ? -1 : STDIN_FILENO;
}

static int stdio_read(struct chardev *c)
{
    struct stdio_back *s = (struct stdio_back *)c;
    int byte = s->taken < s->filled ? s->in[s->taken++] : -1;
    if (s->taken == s->filled)
        s->taken = s->filled = 0;
    choose_fd(s);
    return byte;
}

static void hand_on(struct stdio_back *s, u8 byte)
{
    if (s->take)
        s->take(s->take_opaque, byte);
    else if (room(s))
        s->in[s->filled++] = byte;
}

/* Of a terminal everything is read at once, so that Ctrl-A x works even if the guest takes no input; what it
 * then has no room for is lost, as on a real line. A pipe waits. */
static void stdio_fill(struct stdio_back *s)
{
    struct pollfd p = { .fd = s->c.fd, .events = POLLIN };
    u8 chunk[sizeof s->in];
    if (s->c.fd < 0 || poll(&p, 1, 0) <= 0)
        return;
    ssize_t n = read(s->c.fd, chunk, s->raw || s->take ? sizeof chunk : room(s));
    s->ended = n <= 0;
    for (ssize_t i = 0; i < n; i++)
        if (is_typed(s, chunk[i]))
            hand_on(s, chunk[i]);
    if (s->ended && s->take)
        s->take(s->take_opaque, -1);
    choose_fd(s);
}

static void stdio_poll(struct chardev *c)
{
    struct stdio_back *s = (struct stdio_back *)c;
    flush(c);
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
    t.c_lflag &= ~(ECHO | ECHONL | ICANON | IEXTEN | (s->keys.signals ? 0 : ISIG));
    t.c_cc[VMIN] = 1;
    t.c_cc[VTIME] = 0;
    s->raw = tcsetattr(STDIN_FILENO, TCSANOW, &t) == 0;
}

void chardev_stdio_set_keys(struct chardev *c, const struct chardev_keys *keys)
{
    struct stdio_back *s = (struct stdio_back *)c;
    s->keys = *keys;
    if (!s->raw)
        return;
    tcsetattr(STDIN_FILENO, TCSANOW, &s->saved);
    make_raw(s);
}

u8 chardev_stdio_escape(const struct chardev *c) { return ((const struct stdio_back *)c)->keys.escape; }

void chardev_stdio_divert(struct chardev *c, void (*take)(void *opaque, int byte), void *opaque)
{
    struct stdio_back *s = (struct stdio_back *)c;
    s->take = take;
    s->take_opaque = opaque;
    choose_fd(s);
}

void chardev_stdio_on_monitor(struct chardev *c, void (*monitor)(void *opaque), void *opaque)
{
    struct stdio_back *s = (struct stdio_back *)c;
    s->monitor = monitor;
    s->monitor_opaque = opaque;
}

void chardev_stdio_lend(struct chardev *c, bool lent)
{
    struct stdio_back *s = (struct stdio_back *)c;
    s->lent = lent;
    choose_fd(s);
    if (lent && s->raw)
        tcsetattr(STDIN_FILENO, TCSADRAIN, &s->saved);
    else
        make_raw(s);
}

struct chardev *chardev_stdio_new(void (*quit)(void *opaque), void *opaque, struct error *err)
{
    struct stdio_back *s = calloc(1, sizeof *s);
    if (!s) {
        error_set(err, "no memory for the terminal");
        return NULL;
    }
    s->c = (struct chardev){ .write = stdio_write, .read = stdio_read, .poll = stdio_poll, .close = stdio_close,
                             .fd = STDIN_FILENO };
    s->quit = quit;
    s->opaque = opaque;
    s->keys.escape = CHARDEV_ESCAPE;
    make_raw(s);
    return &s->c;
}
