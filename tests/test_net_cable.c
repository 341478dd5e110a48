/* SPDX-License-Identifier: MIT */
/*
 * Two machines on one modelled cable: frames from clock to clock, a receiver that holds up the sender, a machine that has been turned off; and two
 * Linux guests that take turns and talk to each other, the same in each run.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bt/bt.h"
#include "check.h"
#include "cli/turns.h"
#include "devices/net/net_backend.h"
#include "devices/net/net_wire.h"
#include "devices/serial/chardev.h"
#include "hwassist/hwassist.h"

enum { FULL = 1514, LATENCY_NS = 1000 };

/* --- the cable by itself, with us in the adapters' places --- */

struct end { struct clock clock; struct net_room room; struct net_wire *wire; struct net_backend *net; bool deaf, rooms; unsigned frames; cycles_t first, last; u8 frame[FULL]; };
struct pair { struct net_cable *cables; struct end end[2]; };

static void came(void *opaque, const u8 *frame, u32 len)
{
    struct end *e = opaque;
    e->frames++;
    e->first = e->frames == 1 ? e->clock.now : e->first;
    e->last = e->clock.now;
    memcpy(e->frame, frame, len < FULL ? len : FULL);
}

static bool listens(void *opaque) { return !((struct end *)opaque)->deaf; }
static void room(void *opaque) { ((struct end *)opaque)->rooms = true; }

static bool plug(struct pair *p, unsigned i, u64 hz, const char *const *words, unsigned n, struct error *err)
{
    struct end *e = &p->end[i];
    clock_init(&e->clock, hz);
    e->room.cables = &p->cables;
    e->wire = net_new("w", &e->clock);
    e->net = net_wire_ops.open(e->wire, &e->room, words, n, err);
    if (e->net)
        net_attach(e->wire, NET_NIC, &(struct net_end){ listens, came, room, NULL, e });
    return e->net;
}

static const char *const words[] = { "cable=c" };

static void start(struct pair *p)
{
    struct error err = { "" };
    memset(p, 0, sizeof *p);
    CHECK(plug(p, 0, 1000000000, words, 1, &err));
    CHECK(plug(p, 1, 2000000000, words, 1, &err));
}

static void pull(struct end *e)
{
    if (e->net)
        e->net->ops->close(e->net);
    net_free(e->wire);
    clock_fini(&e->clock);
}

static void stop(struct pair *p)
{
    pull(&p->end[0]);
    pull(&p->end[1]);
    CHECK(!p->cables);
}

/* Its turn: time passes there, and what is due happens at its own time. */
static void turn(struct end *e, u64 ns)
{
    cycles_t until = e->clock.now + clock_ns_to_cycles(&e->clock, ns);
    while (e->clock.now < until) {
        cycles_t due = clock_deadline(&e->clock);
        clock_advance(&e->clock, (due > e->clock.now && due < until ? due : until) - e->clock.now);
        clock_run_due(&e->clock);
    }
}

static void test_there_and_back(void)
{
    struct pair p;
    u8 frame[FULL] = { 1, 2, 3 };
    start(&p);
    net_send(p.end[0].wire, NET_NIC, frame, sizeof frame);
    turn(&p.end[0], 5000000);
    CHECK_EQ(p.end[1].frames, 0);               /* it has not had its turn */
    turn(&p.end[1], 5000000);
    CHECK_EQ(p.end[1].frames, 1);
    CHECK(!memcmp(p.end[1].frame, frame, FULL));
    u64 ns = (8 * (FULL + 24) + 9) / 10 + LATENCY_NS;   /* 10 Gb/s, once, and one latency */
    CHECK_EQ(p.end[1].first / 2, ns);
    net_send(p.end[1].wire, NET_NIC, frame, 60);
    turn(&p.end[1], 5000000);
    turn(&p.end[0], 5000000);
    CHECK_EQ(p.end[0].frames, 1);
    stop(&p);
}

/* More than the other's queue holds: nothing is lost. */
static void test_back_pressure(void)
{
    struct pair p;
    u8 frame[FULL] = { 0 };
    unsigned sent = 0;
    start(&p);
    p.end[1].deaf = true;
    for (unsigned i = 0; i < 2000; i++) {
        while (sent < 5000 && net_room(p.end[0].wire, NET_NIC)) {
            net_send(p.end[0].wire, NET_NIC, frame, sizeof frame);
            sent++;
        }
        if (i == 20) {
            CHECK_EQ(p.end[1].frames, 0);
            CHECK(sent > 2000 && sent < 5000);      /* both queues are full */
            p.end[1].deaf = false;
            net_wake(p.end[1].wire, NET_NIC);
        }
        turn(&p.end[0], 100000);
        turn(&p.end[1], 100000);
    }
    CHECK_EQ(sent, 5000);
    CHECK_EQ(p.end[1].frames, 5000);
    CHECK_EQ(p.end[0].wire->lane[NET_BACKEND].dropped + p.end[1].wire->lane[NET_NIC].dropped, 0);
    stop(&p);
}

static void test_turned_off(void)
{
    struct pair p;
    u8 frame[FULL] = { 0 };
    start(&p);
    turn(&p.end[0], 2000000000);
    for (unsigned i = 0; i < 3000; i++) {
        net_send(p.end[0].wire, NET_NIC, frame, sizeof frame);
        turn(&p.end[0], 10000);
    }
    CHECK_EQ(p.end[0].wire->lane[NET_BACKEND].frames, 0);
    stop(&p);
}

static void test_mistakes(void)
{
    static const char *const slow[] = { "cable=c", "speed=1G" }, *const peer[] = { "cable=d", "peer=echo" }, *const empty[] = { "cable=" };
    struct pair p;
    struct error err;
    memset(&p, 0, sizeof p);
    CHECK(plug(&p, 0, 1000000000, words, 1, &err));
    CHECK(!plug(&p, 1, 1000000000, slow, 2, &err));
    CHECK_CONTAINS(err.text, "same speed=");
    net_free(p.end[1].wire);
    CHECK(plug(&p, 1, 1000000000, words, 1, &err));
    struct pair q = { .cables = p.cables };
    CHECK(!plug(&q, 0, 1000000000, words, 1, &err));
    CHECK_CONTAINS(err.text, "both are plugged in");
    net_free(q.end[0].wire);
    CHECK(!plug(&q, 0, 1000000000, peer, 2, &err));
    CHECK_CONTAINS(err.text, "leave out peer=");
    net_free(q.end[0].wire);
    CHECK(!plug(&q, 0, 1000000000, empty, 1, &err));
    net_free(q.end[0].wire);
    stop(&p);
}

/* --- two Linux guests --- */

#define INITRD "build/tests/initrd-cable"
#define SCRIPT_STEPS 8

struct step { const char *expect, *send; };
struct machine { struct chardev *console; const struct step *step; size_t seen; struct vm *vm; };

static void follow(struct vm *vm, void *opaque)
{
    struct machine *m = opaque;
    const char *text = chardev_buffer_text(m->console, NULL), *found = m->step->expect ? strstr(text + m->seen, m->step->expect) : NULL;
    if (!found)
        return;
    m->seen = found - text + strlen(m->step->expect);
    if (m->step->send)
        chardev_buffer_feed(m->console, m->step->send, strlen(m->step->send));
    m->step++;
    if (!m->step->expect)
        vm_stop(vm, STATUS_POWEROFF, "seen");
}

static bool power_on(struct machine *m, const struct engine_ops *engine, const char *nic, const struct step *script, struct net_cable **cables)
{
    struct error err = { "" };
    struct vm_config c;
    vm_config_defaults(&c);
    m->console = chardev_buffer_new();
    m->step = script;
    m->seen = 0;
    c.engine = engine;
    c.kvm = "model";
    c.kernel = "guests/real/linux32";
    c.initrd = INITRD;
    c.append = "console=ttyS0 quiet";
    c.no_reboot = true;
    c.ram_size = 64 << 20;
    c.serial[0] = m->console;
    c.pump = follow;
    c.pump_opaque = m;
    c.shared_cables = cables;
    c.max_cycles = 400000000000;
    c.netdev[c.nnetdevs++] = (struct vm_netdev){ .type = "wire", .id = "n", .word = { "cable=lan" }, .nwords = 1 };
    c.nic[c.nnics++] = (struct vm_nic){ .model = nic, .netdev = "n", .mac = script->send[0] == 'A' ? "52:54:00:00:00:01" : "52:54:00:00:00:02" };
    m->vm = vm_new(&c, &err);
    if (!m->vm)
        FAIL("%s", err.text);
    return m->vm;
}

static const struct step scripts[2][SCRIPT_STEPS] = {
    { { "guest# ", "A=1; insmod /lib/e1000.ko; ifconfig eth0 10.0.0.1 up && head -c 3000000 /bin/busybox >/dev/null; nc -l -p 99 </bin/busybox; echo GAVE $((6 * 7))\n" },
      { "GAVE 42", "ping -c 5 10.0.0.2\n" }, { "5 packets received", NULL } },
    { { "guest# ", "B=1; insmod /lib/e1000.ko; ifconfig eth0 10.0.0.2 up; until nc 10.0.0.1 99 >/tmp/f; do sleep 1; done; cmp /tmp/f /bin/busybox && echo SAME $((6 * 7))\n" },
      { "SAME 42", "sleep 9\n" }, { "guest# ", "sleep 9\n" }, { "guest# ", NULL } },
};

/* The virtual times at their ends. */
static bool two(const struct engine_ops *engine, const char *nic, cycles_t when[2])
{
    struct net_cable *cables = NULL;
    struct machine m[2] = { { 0 } };
    struct turn_taker turns[2] = { { 0 } };
    bool ok = true;
    for (unsigned i = 0; i < 2; i++)
        ok &= power_on(&m[i], engine, nic, scripts[i], &cables);
    for (unsigned i = 0; i < 2 && ok; i++)
        turns[i].vm = m[i].vm;
    if (ok)
        turns_take(turns, 2, 5000000);
    for (unsigned i = 0; i < 2 && ok; i++) {
        when[i] = m[i].vm->clock.now;
        if (m[i].step->expect) {
            const char *text = chardev_buffer_text(m[i].console, NULL);
            size_t len = strlen(text);
            FAIL("machine %u waited for %s; it ended so: %s; last words: %s", i, m[i].step->expect, m[i].vm->reason, text + (len > 500 ? len - 500 : 0));
            ok = false;
        }
    }
    for (unsigned i = 2; i-- > 0;) {
        vm_free(m[i].vm);
        if (m[i].console)
            chardev_close(m[i].console);
    }
    CHECK(!cables);
    return ok;
}

static void test_linux(void)
{
    cycles_t first[2], second[2];
    if (system("tools/fetch-guests linux32 busybox32 e1000.ko"))
        SKIP("the guest cannot be had (tools/fetch-guests linux32 busybox32 e1000.ko)");
    if (system("tools/make-initramfs " INITRD " lib/e1000.ko=guests/real/e1000.ko"))
        SKIP("tools/make-initramfs cannot make the initial RAM disk");
    if (!two(&bt_engine, "e1000", first) || !two(&bt_engine, "e1000", second))
        return;
    CHECK_EQ(first[0], second[0]);
    CHECK_EQ(first[1], second[1]);
}

int main(int argc, char **argv)
{
    static const struct check tests[] = {
        { "there_and_back", test_there_and_back }, { "back_pressure", test_back_pressure }, { "turned_off", test_turned_off },
        { "mistakes", test_mistakes }, { "linux", test_linux }, { NULL, NULL },
    };
    return check_main(argc, argv, "net_cable", tests);
}
