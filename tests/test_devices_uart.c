/* SPDX-License-Identifier: MIT */
/* Serial ports: characters, FIFOs, interrupts and their priorities, modem lines; and the character back-ends. */
#include <stdlib.h>
#include <unistd.h>

#include "check.h"
#include "devices/serial/serial.h"
#include "devices_rig.h"

enum { DATA = 0x3f8, IER, IIR, LCR, MCR, LSR, MSR, SCR };
#define FCR IIR

static void start(struct rig *r)
{
    rig_init(r, 1000000000);
    r->platform.serial[0] = chardev_buffer_new();
    rig_add(r, &serial_ops);
}
static void finish(struct rig *r)
{
    struct chardev *c[4];
    memcpy(c, r->platform.serial, sizeof c);
    rig_fini(r);
    for (int n = 0; n < 4; n++)
        chardev_close(c[n]);
}
static void feed(struct rig *r, const char *text) { chardev_buffer_feed(r->platform.serial[0], text, strlen(text)); }
static const char *sent(struct rig *r) { return chardev_buffer_text(r->platform.serial[0], NULL); }

static void test_send(void)
{
    struct rig r;
    start(&r);
    for (const char *p = "hello"; *p; p++) {
        CHECK_EQ(in8(&r, LSR), 0x60);
        out8(&r, DATA, *p);
    }
    CHECK_STR(sent(&r), "hello");
    finish(&r);
}

static void test_receive(void)
{
    struct rig r;
    start(&r);
    feed(&r, "abc");
    for (const char *p = "abc"; *p; p++) {
        CHECK_EQ(in8(&r, LSR), 0x61);
        CHECK_EQ(in8(&r, DATA), *p);
    }
    CHECK_EQ(in8(&r, LSR), 0x60);
    CHECK_EQ(in8(&r, DATA), 0);
    finish(&r);
}

/* How drivers find out what they have: scratch register, FIFO bits, the divisor behind DLAB. */
static void test_detect(void)
{
    struct rig r;
    start(&r);
    out8(&r, SCR, 0x5a);
    CHECK_EQ(in8(&r, SCR), 0x5a);
    CHECK_EQ(in8(&r, IIR), 0x01);
    out8(&r, FCR, 0x01);
    CHECK_EQ(in8(&r, IIR), 0xc1);
    out8(&r, FCR, 0x00);
    CHECK_EQ(in8(&r, IIR), 0x01);
    out8(&r, IER, 0xff);
    CHECK_EQ(in8(&r, IER), 0x0f);
    out8(&r, LCR, 0x83);
    out8(&r, DATA, 0x34);
    out8(&r, IER, 0x12);
    CHECK_EQ(in8(&r, DATA), 0x34);
    CHECK_EQ(in8(&r, IER), 0x12);
    out8(&r, LCR, 0x03);
    CHECK_EQ(in8(&r, IER), 0x0f);
    CHECK_STR(sent(&r), "");
    finish(&r);
}

static void test_thr_interrupt(void)
{
    struct rig r;
    start(&r);
    out8(&r, IER, 0x02);
    CHECK(r.level[4]);                  /* enabled while empty: at once */
    CHECK_EQ(in8(&r, IIR), 0x02);
    CHECK(!r.level[4]);                 /* reading IIR took it away */
    CHECK_EQ(in8(&r, IIR), 0x01);
    out8(&r, DATA, 'x');
    CHECK(r.level[4]);
    CHECK_EQ(in8(&r, IIR), 0x02);
    out8(&r, IER, 0x02);                /* already enabled: no new one */
    CHECK(!r.level[4]);
    out8(&r, IER, 0x00);
    out8(&r, IER, 0x02);
    CHECK(r.level[4]);
    out8(&r, IER, 0x00);
    CHECK(!r.level[4]);
    finish(&r);
}

static void test_priorities(void)
{
    struct rig r;
    start(&r);
    out8(&r, MCR, 0x10);                /* loopback: everything can be made to happen */
    out8(&r, IER, 0x0f);
    in8(&r, MSR);
    in8(&r, IIR);
    out8(&r, DATA, 'a');
    out8(&r, DATA, 'b');                /* no FIFO: overrun */
    out8(&r, MCR, 0x1f);                /* the modem lines change */
    CHECK_EQ(in8(&r, IIR), 0x06);       /* line status first */
    CHECK_EQ(in8(&r, IIR), 0x06);       /* reading IIR takes only the THR source away */
    CHECK_EQ(in8(&r, LSR), 0x63);
    CHECK_EQ(in8(&r, LSR), 0x61);
    CHECK_EQ(in8(&r, IIR), 0x04);       /* then data */
    CHECK_EQ(in8(&r, DATA), 'b');
    CHECK_EQ(in8(&r, IIR), 0x02);       /* then THR */
    CHECK_EQ(in8(&r, IIR), 0x00);       /* then the modem */
    CHECK_EQ(in8(&r, MSR), 0xfb);
    CHECK_EQ(in8(&r, MSR), 0xf0);
    CHECK_EQ(in8(&r, IIR), 0x01);
    CHECK(!r.level[4]);
    CHECK_STR(sent(&r), "");
    finish(&r);
}

static void test_trigger_levels(void)
{
    static const struct { u8 fcr; unsigned level; } row[] = { { 0x01, 1 }, { 0x41, 4 }, { 0x81, 8 }, { 0xc1, 14 } };
    for (unsigned i = 0; i < ARRAY_LEN(row); i++) {
        struct rig r;
        start(&r);
        check_context("FCR %02x", row[i].fcr);
        out8(&r, FCR, row[i].fcr);
        out8(&r, IER, 0x01);
        for (unsigned n = 1; n <= 16; n++) {
            feed(&r, "x");
            CHECK_EQ(r.level[4], n >= row[i].level);
        }
        CHECK_EQ(in8(&r, IIR), 0xc4);
        for (unsigned n = 16; n-- > 0;) {
            in8(&r, DATA);
            CHECK_EQ(r.level[4], n >= row[i].level);
        }
        finish(&r);
    }
}

/* Fewer characters than the trigger level are reported after four character times: 9600 baud 8N1 is 10 bits, 4.1666 ms. */
static void test_timeout(void)
{
    struct rig r;
    start(&r);
    out8(&r, LCR, 0x03);
    out8(&r, FCR, 0xc1);
    out8(&r, IER, 0x01);
    feed(&r, "ab");
    rig_run(&r, 4166666);
    CHECK(!r.level[4]);
    rig_run(&r, 1);
    CHECK(r.level[4]);
    CHECK_EQ(in8(&r, IIR), 0xcc);
    CHECK_EQ(in8(&r, DATA), 'a');
    CHECK(!r.level[4]);                 /* a read begins the time anew */
    rig_run(&r, 4166667);
    CHECK_EQ(in8(&r, IIR), 0xcc);
    CHECK_EQ(in8(&r, DATA), 'b');
    CHECK_EQ(clock_deadline(&r.clock), CLOCK_NEVER);
    finish(&r);
}

/* What does not fit into the FIFO waits in the back-end: nothing is lost. */
static void test_flow(void)
{
    struct rig r;
    char text[101];
    start(&r);
    for (int i = 0; i < 100; i++)
        text[i] = ' ' + i % 90;
    text[100] = 0;
    out8(&r, FCR, 0x01);
    feed(&r, text);
    for (int i = 0; i < 100; i++)
        CHECK_EQ(in8(&r, DATA), text[i]);
    CHECK_EQ(in8(&r, LSR), 0x60);
    feed(&r, "lost");
    out8(&r, FCR, 0x03);                /* clears the receiver's FIFO */
    CHECK_EQ(in8(&r, LSR), 0x60);
    finish(&r);
}

static void test_loopback(void)
{
    struct rig r;
    start(&r);
    CHECK_EQ(in8(&r, MSR), 0xb0);
    out8(&r, MCR, 0x1e);                /* OUT2, OUT1, RTS: as drivers probe */
    CHECK_EQ(in8(&r, MSR) & 0xf0, 0xd0);
    out8(&r, MCR, 0x10);
    CHECK_EQ(in8(&r, MSR), 0x0d);       /* DDCD, TERI, DCTS */
    out8(&r, FCR, 0x01);
    feed(&r, "from outside");           /* does not come in */
    out8(&r, DATA, 'z');
    CHECK_EQ(in8(&r, DATA), 'z');
    CHECK_EQ(in8(&r, LSR), 0x60);
    out8(&r, MCR, 0x03);
    CHECK_EQ(in8(&r, DATA), 'f');       /* waited */
    CHECK_STR(sent(&r), "");
    finish(&r);
}

static void test_ports(void)
{
    struct rig r;
    rig_init(&r, 1000000000);
    for (int n = 1; n < 3; n++)
        r.platform.serial[n] = chardev_buffer_new();
    rig_add(&r, &serial_ops);
    out8(&r, 0x3f8, '1');               /* COM1 is there without a back-end */
    out8(&r, 0x2f8, '2');
    out8(&r, 0x3e8, '3');
    CHECK_EQ(in8(&r, 0x3fd), 0x60);
    CHECK_EQ(in8(&r, 0x2ed), 0xff);     /* COM4 is not */
    CHECK_STR(chardev_buffer_text(r.platform.serial[1], NULL), "2");
    CHECK_STR(chardev_buffer_text(r.platform.serial[2], NULL), "3");
    out8(&r, 0x3f9, 0x02);
    out8(&r, 0x3e9, 0x02);
    out8(&r, 0x2f9, 0x02);
    CHECK(r.level[4] && r.level[3]);
    in8(&r, 0x3fa);
    CHECK(r.level[4]);                  /* COM3 still wants the shared wire */
    in8(&r, 0x3ea);
    CHECK(!r.level[4] && r.level[3]);
    finish(&r);
}

static void test_reset(void)
{
    struct rig r;
    start(&r);
    out8(&r, SCR, 9);
    out8(&r, FCR, 0x01);
    out8(&r, IER, 0x03);
    feed(&r, "x");
    CHECK(r.level[4]);
    r.device[0]->ops->reset(r.device[0]);
    CHECK(!r.level[4]);
    CHECK_EQ(in8(&r, IER), 0);
    CHECK_EQ(in8(&r, IIR), 0x01);
    CHECK_EQ(in8(&r, LSR), 0x60);
    CHECK_EQ(in8(&r, SCR), 9);
    finish(&r);
}

static void test_file_back_end(void)
{
    char path[] = "/tmp/emu-test-chardev-XXXXXX", text[8] = "";
    struct error err;
    close(mkstemp(path));
    struct chardev *c = chardev_file_new(path, &err);
    CHECK(c);
    c->write(c, 'h');
    c->write(c, 'i');
    CHECK_EQ(c->read(c), -1);
    chardev_poll(c);
    FILE *f = fopen(path, "r");
    CHECK_STR(fgets(text, sizeof text, f), "hi");
    fclose(f);
    chardev_close(c);
    unlink(path);
    CHECK(!chardev_file_new("/nowhere/at/all", &err));
    CHECK_CONTAINS(err.text, "/nowhere/at/all");
}

static void test_null_back_end(void)
{
    struct chardev *c = chardev_null_new();
    c->write(c, 'x');
    CHECK_EQ(c->read(c), -1);
    chardev_poll(c);
    chardev_close(c);
    chardev_poll(NULL);
    chardev_close(NULL);
}

static void count_ready(void *dev) { ++*(unsigned *)dev; }

/* stdin as a pipe: bytes come, none is a key, the end is seen. */
static void test_stdio_back_end(void)
{
    int pipe_fd[2], saved = dup(0);
    unsigned ready = 0;
    struct error err;
    CHECK_EQ(pipe(pipe_fd), 0);
    dup2(pipe_fd[0], 0);
    struct chardev *c = chardev_stdio_new(NULL, NULL, &err);
    c->ready = count_ready;
    c->dev = &ready;
    chardev_poll(c);
    CHECK_EQ(ready, 0);
    CHECK_EQ(write(pipe_fd[1], "a\001x", 3), 3);
    chardev_poll(c);
    CHECK_EQ(ready, 1);
    CHECK_EQ(c->read(c), 'a');
    CHECK_EQ(c->read(c), 1);
    CHECK_EQ(c->read(c), 'x');
    CHECK_EQ(c->read(c), -1);
    CHECK_EQ(c->fd, 0);
    close(pipe_fd[1]);
    chardev_poll(c);
    CHECK_EQ(c->fd, -1);
    chardev_close(c);
    dup2(saved, 0);
    close(saved);
    close(pipe_fd[0]);
}

int main(int argc, char **argv)
{
    static const struct check tests[] = {
        { "send", test_send }, { "receive", test_receive }, { "detect", test_detect }, { "thr_interrupt", test_thr_interrupt },
        { "priorities", test_priorities }, { "trigger_levels", test_trigger_levels }, { "timeout", test_timeout },
        { "flow", test_flow }, { "loopback", test_loopback }, { "ports", test_ports }, { "reset", test_reset },
        { "file_back_end", test_file_back_end }, { "null_back_end", test_null_back_end },
        { "stdio_back_end", test_stdio_back_end }, { NULL, NULL },
    };
    return check_main(argc, argv, "devices_uart", tests);
}
