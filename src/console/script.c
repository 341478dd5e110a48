/* SPDX-License-Identifier: MIT */
#include "console/script.h"

#include <stdlib.h>
#include <string.h>

#include "console/screen_diff.h"
#include "devices/display/vga.h"
#include "devices/input/i8042.h"
#include "devices/serial/chardev.h"

#define LOOK_NS 10000000u       /* virtual, between two looks at the screen and between two keys */
#define REPLY_NS 1000000u       /* from what is seen to the reply on a serial line */
#define FIRST_TYPE_NS 1000000000u
#define TEXT_MAX 512

enum { PORTS = 4, ON_SCREEN = -1 };

struct tap {
    struct chardev c;
    struct script *script;
    unsigned port;
    struct chardev *inner;
    char seen[TEXT_MAX]; unsigned nseen;    /* since the last expectation was met: the end of it */
    char typed[TEXT_MAX]; unsigned taken, ntyped;
};

struct script {
    unsigned count, at;         /* steps; the current one */
    struct { enum script_kind kind; char text[TEXT_MAX]; } step[SCRIPT_MAX];
    struct tap tap[PORTS];
    struct vm *vm;
    struct device *keyboard, *screen;
    struct timer timer;
    int where;                  /* the console that showed the last expectation: a port, or ON_SCREEN */
    unsigned typed;             /* characters of the current step */
    char known[SCREEN_TEXT];    /* the screen, up to the end of what was expected last */
};

/* --- steps --- */

static void arm(struct script *s, u64 ns) { timer_set(&s->vm->clock, &s->timer, s->vm->clock.now + clock_ns_to_cycles(&s->vm->clock, ns)); }

static bool expecting(const struct script *s) { return s->at < s->count && s->step[s->at].kind == SCRIPT_EXPECT; }

static void next_step(struct script *s)
{
    s->at++;
    s->typed = 0;
    for (unsigned i = 0; i < PORTS; i++)
        s->tap[i].nseen = 0;
    arm(s, REPLY_NS);
}

static void met(struct script *s, int where)
{
    s->where = where;
    if (s->at + 1 == s->count)
        vm_stop(s->vm, STATUS_POWEROFF, "the last expectation was met");
    next_step(s);
}

/* --- serial lines --- */

static void saw(struct script *s, struct tap *t, u8 byte)
{
    const char *text = s->step[s->at].text;
    size_t len = strlen(text);
    if (t->nseen == TEXT_MAX)
        memmove(t->seen, t->seen + 1, --t->nseen);
    t->seen[t->nseen++] = byte;
    if (len <= t->nseen && memcmp(t->seen + t->nseen - len, text, len) == 0)
        met(s, t->port);
}

static void tap_write(struct chardev *c, u8 byte)
{
    struct tap *t = (struct tap *)c;
    t->inner->write(t->inner, byte);
    if (t->script->vm && expecting(t->script))
        saw(t->script, t, byte);
}

static int tap_read(struct chardev *c)
{
    struct tap *t = (struct tap *)c;
    int byte = t->taken < t->ntyped ? (u8)t->typed[t->taken++] : t->inner->read(t->inner);
    t->c.fd = t->inner->fd;
    return byte;
}

static void tap_poll(struct chardev *c)
{
    struct tap *t = (struct tap *)c;
    chardev_poll(t->inner);
    t->c.fd = t->inner->fd;
}

static void inner_ready(void *tap)
{
    struct tap *t = tap;
    if (t->c.ready)
        t->c.ready(t->c.dev);
}

struct chardev *script_tap(struct script *s, unsigned port, struct chardev *inner)
{
    struct tap *t = &s->tap[port];
    *t = (struct tap){ .c = { .write = tap_write, .read = tap_read, .poll = tap_poll, .fd = inner->fd }, .script = s, .port = port, .inner = inner };
    inner->ready = inner_ready;
    inner->dev = t;
    return &t->c;
}

static void type_on_line(struct script *s, struct tap *t)
{
    t->ntyped = strlen(s->step[s->at].text);
    memcpy(t->typed, s->step[s->at].text, t->ntyped);
    t->taken = 0;
    next_step(s);
    inner_ready(t);
}

/* --- screen and keyboard --- */

static void look_at_screen(struct script *s)
{
    char now[SCREEN_TEXT];
    if (!s->screen)
        return;
    vga_text(s->screen, now, sizeof now);
    const char *end = screen_find_new(s->known, now, s->step[s->at].text);
    if (!end)
        return;
    snprintf(s->known, sizeof s->known, "%.*s", (int)(end - now), now);
    met(s, ON_SCREEN);
}

static void type_key(struct script *s)
{
    const char *text = s->step[s->at].text + s->typed;
    char key[2] = { *text };
    if (*text && (!s->keyboard || keyboard_type(s->keyboard, key)))
        s->typed++;
    if (!*text)
        next_step(s);
}

static void on_timer(void *script, cycles_t when)
{
    struct script *s = script;
    arm(s, LOOK_NS);
    if (s->at == s->count)
        timer_cancel(&s->vm->clock, &s->timer);
    else if (expecting(s))
        look_at_screen(s);
    else if (s->step[s->at].kind == SCRIPT_THEN && s->where != ON_SCREEN)
        type_on_line(s, &s->tap[s->where]);
    else
        type_key(s);
}

/* --- beginning and end --- */

static void unescape(char *to, const char *from)
{
    static const char name[] = "ntre\\", meaning[] = "\n\t\r\033\\";
    char *end = to + TEXT_MAX - 1;
    for (; *from && to < end; from++) {
        const char *n = *from == '\\' && from[1] ? strchr(name, from[1]) : NULL;
        *to++ = n ? meaning[n - name] : *from;
        from += n != NULL;
    }
    *to = 0;
}

struct script *script_new(const struct script_plan *plan)
{
    struct script *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    s->count = plan->count;
    s->where = ON_SCREEN;
    for (unsigned i = 0; i < plan->count; i++) {
        s->step[i].kind = plan->step[i].kind;
        unescape(s->step[i].text, plan->step[i].text);
    }
    return s;
}

void script_free(struct script *s) { free(s); }

static struct device *find_device(struct vm *vm, const struct device_ops *ops)
{
    for (unsigned i = 0; i < vm->ndevices; i++)
        if (vm->device[i]->ops == ops)
            return vm->device[i];
    return NULL;
}

void script_attach(struct script *s, struct vm *vm)
{
    if (s->vm)
        timer_cancel(&s->vm->clock, &s->timer);
    s->vm = vm;
    if (!vm)
        return;
    s->keyboard = find_device(vm, &i8042_ops);
    s->screen = find_device(vm, &vga_ops);
    s->timer = (struct timer){ .fire = on_timer, .opaque = s };
    if (s->count)
        arm(s, expecting(s) ? LOOK_NS : FIRST_TYPE_NS);
}

const char *script_missing(const struct script *s)
{
    for (unsigned i = s->at; i < s->count; i++)
        if (s->step[i].kind == SCRIPT_EXPECT)
            return s->step[i].text;
    return NULL;
}
