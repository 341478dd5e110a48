/* SPDX-License-Identifier: MIT */
/*
 * Rings that change under the reader. A spy on the PCI bus sees each access of a device's: what a ring says is read once, and what is changed
 * behind the first look has no effect; and it changes rings at each look, at random. A stranger in another process, as a back-end of
 * vhost-user is one, writes into the same memory all the time, and may make a device work, but never for ever.
 */
#include "devices/input/i8042.h"
#include "hostile_rig.h"
#include "virtio_rigs.h"

/* --- once --- */

/* What the spy watches: how often each descriptor of [from, to) was read; a word is changed behind its first look. */
struct watch { u64 from, to; unsigned reads[64]; struct vd *d; bool spoil; };

static void count_reads(struct spy *s, u64 address, u64 len, bool write)
{
    struct watch *w = s->opaque;
    bool inside = address >= w->from && address < w->to;
    w->spoil &= !(write && inside);                     /* used ones are the device's own */
    if (write || !inside || len != 16)
        return;
    unsigned n = (address - w->from) / 16;
    w->reads[n % 64]++;
    for (unsigned i = 0; i < n && w->spoil; i++)        /* those before it: their lengths and places lead elsewhere now */
        vd_descriptor(w->d, w->from + 16 * i, VD_DATA + 0x40000, 0xfffff000, 0xffff, 0xffff);
}

static struct pci_bus *bus_of(struct vd *d) { return pci_host_bus(d->r.device[0]); }

static void put_request(struct vd *d, u32 type, u64 sector)
{
    vd_poke(d, HEADER, 8, type);
    vd_poke(d, HEADER + 8, 8, sector);
    vd_poke(d, ANSWER, 8, 0xeeeeeeee);
}

/* A request of a disk whose pieces are spoilt as soon as they were read. In a packed ring the head is looked at before: is it there? */
static void read_once(u64 features)
{
    static const struct vd_piece p[4] = { { HEADER, 16, false }, { BUFFER, 256, true }, { BUFFER + 0x800, 256, true }, { ANSWER, 1, true } };
    struct spy spy;
    struct vd d;
    struct guard g;
    start_disk(&d, 0);
    spy_on(&spy, bus_of(&d), &d.r.map);
    ready_disk(&d, features, 16);
    bool indirect = features & VIRTIO_F_INDIRECT_DESC, packed = features & VIRTIO_F_RING_PACKED;
    struct watch w = { .from = indirect ? d.tables : d.q[0].desc, .d = &d, .spoil = true };
    w.to = w.from + 16 * 16;
    put_request(&d, 0, 3);
    vd_add(&d, 0, p, 4);
    spy.before = count_reads;
    spy.opaque = &w;
    guard_take(&g, &d.r.map, VD_RAM);
    vd_kick(&d, 0);
    vd_wait(&d);
    CHECK_EQ(vd_used(&d, 0, 4), 513);
    CHECK_EQ(vd_peek(&d, ANSWER, 1), 0);
    for (unsigned i = 0; i < 4; i++)
        CHECK_EQ(w.reads[i], 1u + (packed && !indirect && i == 0));
    CHECK(guard_changed(&g, &d.r.map, 0, BUFFER) >= BUFFER);
    CHECK_EQ(guard_changed(&g, &d.r.map, 0, BUFFER + 0x900), VD_RAM);   /* nothing where the spoilt ones lead to */
    guard_drop(&g);
    stop_disk(&d);
}

static void test_read_once(void)
{
    for (unsigned i = 0; i < ARRAY_LEN(layouts); i++)
        read_once(layouts[i]);
}

/* The header of a request says what, then where: it is a copy when it is looked at. */
static void spoil_header(struct spy *s, u64 address, u64 len, bool write)
{
    struct watch *w = s->opaque;
    w->reads[0] += !write && address == HEADER;
    for (unsigned at = 0; w->reads[0] && address != HEADER && at < 16; at += 8)
        vd_poke(w->d, HEADER + at, 8, ~(u64)0);
}

static void test_header_once(void)
{
    static const struct vd_piece p[3] = { { HEADER, 16, false }, { BUFFER, 512, true }, { ANSWER, 1, true } };
    for (unsigned i = 0; i < ARRAY_LEN(layouts); i++) {
        struct spy spy;
        struct vd d;
        start_disk(&d, 0);
        spy_on(&spy, bus_of(&d), &d.r.map);
        ready_disk(&d, layouts[i], 16);
        struct watch w = { .d = &d };
        put_request(&d, 0, 3);
        vd_add(&d, 0, p, 3);
        spy.before = spoil_header;
        spy.opaque = &w;
        vd_kick(&d, 0);
        vd_wait(&d);
        CHECK_EQ(w.reads[0], 1);
        CHECK_EQ(vd_used(&d, 0, 3), 513);
        CHECK_EQ(vd_peek(&d, ANSWER, 1), 0);
        stop_disk(&d);
    }
}

/* A disk that reads into the ring itself: descriptors, indices, the table in use. */
static void test_data_over_rings(void)
{
    for (unsigned i = 0; i < ARRAY_LEN(layouts); i++)
        for (unsigned where = 0; where < 4; where++) {
            struct vd d;
            s64 used;
            start_disk(&d, 0);
            ready_disk(&d, layouts[i], 16);
            const gpa_t at[] = { d.q[0].desc, d.q[0].driver, d.q[0].device, VD_RINGS + 4 * VD_RING_STEP };
            struct vd_piece p[3] = { { HEADER, 16, false }, { at[where], 4096, true }, { ANSWER, 1, true } };
            for (u32 word = 0; word < 1024; word++)         /* the sectors that it reads are a ring gone mad */
                vd_poke(&d, BUFFER + 4 * word, 4, word * 2654435761u);
            put_request(&d, 1, 0);
            CHECK_EQ(vd_exchange(&d, 0, (struct vd_piece[]){ { HEADER, 16, false }, { BUFFER, 4096, false }, { ANSWER, 1, true } }, 3), 1);
            put_request(&d, 0, 0);
            for (unsigned n = 0; n < 4; n++)
                vd_add(&d, 0, p, 3);
            vd_kick(&d, 0);
            vd_wait(&d);
            CHECK_EQ(vd_peek(&d, ANSWER, 1), 0);            /* the first at least was right */
            ready_disk(&d, layouts[i], 16);
            put_request(&d, 0, 0);
            used = vd_exchange(&d, 0, (struct vd_piece[]){ { HEADER, 16, false }, { BUFFER, 512, true }, { ANSWER, 1, true } }, 3);
            CHECK_EQ(used, 513);
            stop_disk(&d);
        }
}

/* --- at each look, at random --- */

struct flips { struct vd *d; u64 seed, made; };

static void flip(struct spy *s, u64 address, u64 len, bool write)
{
    struct flips *f = s->opaque;
    u64 v = check_random(&f->seed);
    if (v % 8)
        return;
    gpa_t at = v >> 8 & 3 ? address & PAGE_MASK : VD_RINGS + (v >> 12) % (8 * VD_RING_STEP);
    vd_poke(f->d, at + (v >> 32) % 4096, 1 << (v >> 44) % 4, v >> 50 & 1 ? check_random(&f->seed) : v >> 56);
    f->made++;
}

static void some_chain(struct vd *d, u64 *seed)
{
    struct vd_piece p[3];
    u64 v = check_random(seed);
    unsigned q = v % 4;
    if (!d->q[q].size)
        return;
    for (unsigned i = 0; i < 3; i++) {
        u64 w = check_random(seed);
        p[i] = (struct vd_piece){ VD_DATA + (w >> 8) % 0x10000, (w >> 32) % 1500, i > (v >> 8 & 1) };
    }
    p[0].len = v >> 16 & 3 ? 16 : p[0].len;
    vd_poke(d, p[0].gpa, 8, v >> 24 & 15);
    vd_poke(d, p[0].gpa + 8, 8, v >> 32 & 0xff);
    if (d->tables > VD_RINGS + 7 * VD_RING_STEP)
        d->tables = VD_RINGS + 4 * VD_RING_STEP;
    vd_add(d, q, p, 1 + (v >> 20) % 3);
    vd_kick(d, q);
}

static void begin_again(struct vd *d, u64 v)
{
    vd_negotiate(d, (vd_offered(d) & v) | VIRTIO_F_VERSION_1);
    for (unsigned n = 0; n < 4; n++)
        vd_queue(d, n, 1 << (v >> 4 * n & 7));
    vd_go(d);
}

static void flip_rings(struct vd *d)
{
    struct spy spy;
    struct flips f = { d, check_seed(), 0 };
    u64 seed = check_seed(), chains = 0;
    spy_on(&spy, bus_of(d), &d->r.map);
    spy.before = flip;
    spy.opaque = &f;
    for (u64 i = 0, rounds = check_rounds(30000); i < rounds; i++) {
        u64 v = check_random(&seed);
        if (i % 16 == 0)
            begin_again(d, v);
        some_chain(d, &seed);
        if (v & 1)
            rig_run(&d->r, (v >> 8) % 100000);
        for (unsigned n = 0; n < 4; n++)
            chains += d->q[n].size && vd_used(d, n, 1) >= 0;
        if (d->r.platform.nic[0].wire && v & 2)
            net_send(d->r.platform.nic[0].wire, NET_BACKEND, (u8 *)d->r.map.base, 14 + (v >> 44) % 3000);
    }
    CHECK(f.made > 1000);
    CHECK(chains > 50);
}

/* --- every kind of device --- */

static struct chardev *line;

static void start_kind(struct vd *d, unsigned kind)
{
    static const enum virtio_model model[] = { VIRTIO_RNG, VIRTIO_CONSOLE, VIRTIO_BALLOON, VIRTIO_KEYBOARD };
    if (kind == 0) {
        start_disk(d, 0);
    } else if (kind == 1) {
        start_net(d);
    } else {
        line = chardev_buffer_new();
        start_slot(d, model[kind - 2], model[kind - 2] == VIRTIO_CONSOLE ? line : NULL, 7);
    }
}

static void stop_kind(struct vd *d, unsigned kind)
{
    if (kind == 0)
        stop_disk(d);
    else if (kind == 1)
        stop_net(d);
    else
        rig_fini(&d->r), chardev_close(line);
}

static void flip_kind(unsigned kind)
{
    struct vd d;
    start_kind(&d, kind);
    flip_rings(&d);
    stop_kind(&d, kind);
}

static void test_flips_disk(void) { flip_kind(0); }
static void test_flips_net(void) { flip_kind(1); }
static void test_flips_rng(void) { flip_kind(2); }
static void test_flips_console(void) { flip_kind(3); }
static void test_flips_balloon(void) { flip_kind(4); }

/* --- a stranger --- */

/* Scribbles over rings and tables, for ever. */
static void scribble(void *opaque)
{
    struct vd *d = opaque;
    u64 seed = check_seed();
    for (;;) {
        u64 v = check_random(&seed);
        volatile u32 *word = (volatile u32 *)(d->r.map.base + VD_RINGS + ((v >> 8) % (8 * VD_RING_STEP) & ~(u64)3));
        *word = v & 1 ? v >> 32 : v & 2 ? (v >> 32 & 0x80870007) : VD_DATA + (v >> 40);
    }
}

static void test_stranger(void)
{
    for (unsigned kind = 0; kind < 5; kind++) {
        u64 seed = check_seed(), rounds = check_rounds(3000);
        struct vd d;
        start_kind(&d, kind);
        pid_t pid = stranger_start(scribble, &d);
        for (u64 i = 0; i < rounds; i++) {
            if (i % 16 == 0)
                begin_again(&d, check_random(&seed));
            some_chain(&d, &seed);
            rig_run(&d.r, 20000);
        }
        stranger_stop(pid);
        stop_kind(&d, kind);
    }
    CHECK(true);
}

/* Makes chains available faster than they are served: at each look half a ring is ahead. */
struct ahead { struct vd *d; unsigned queue; };

static void stay_ahead(struct spy *s, u64 address, u64 len, bool write)
{
    struct ahead *a = s->opaque;
    const struct vd_queue *q = &a->d->q[a->queue];
    vd_poke(a->d, q->driver + 2, 2, vd_peek(a->d, q->device + 2, 2) + q->size / 2);
}

/* The machine gets its turn nevertheless. It runs in a process of its own here, to be ended if it does not. */
static int serve_for_a_while(struct vd *d, unsigned queue)
{
    struct ahead a = { d, queue };
    struct spy spy;
    spy_on(&spy, bus_of(d), &d->r.map);
    spy.before = stay_ahead;
    spy.opaque = &a;
    vd_kick(d, queue);
    rig_run(&d->r, 100000);
    return vd_peek(d, d->q[queue].device + 2, 2) > 1 ? 0 : 1;      /* and something was done */
}

static bool comes_back(struct vd *d, unsigned queue)
{
    int status = 1;
    pid_t pid = fork();
    if (pid == 0)
        _exit(serve_for_a_while(d, queue));
    for (unsigned i = 0; i < 1000 && waitpid(pid, &status, WNOHANG) == 0; i++)
        usleep(10000);
    if (WIFEXITED(status))
        return WEXITSTATUS(status) == 0;
    stranger_stop(pid);
    return false;
}

static void test_never_for_ever(void)
{
    static const struct { unsigned kind, queue; bool writable; } row[] = { { 0, 0, true }, { 1, 1, false }, { 1, 2, false }, { 2, 0, true }, { 3, 1, false }, { 4, 0, false }, { 4, 2, false }, { 5, 1, false } };
    for (unsigned i = 0; i < ARRAY_LEN(row); i++) {
        struct vd d;
        start_kind(&d, row[i].kind);
        check_context("kind %u, queue %u", row[i].kind, row[i].queue);
        CHECK(vd_negotiate(&d, VIRTIO_F_VERSION_1 | (row[i].kind == 1 ? BIT(17) : row[i].kind == 4 ? BIT(1) : 0)));
        for (unsigned n = 0; n < 4; n++)
            vd_queue(&d, n, 8);
        vd_go(&d);
        for (unsigned n = 0; n < 8; n++) {      /* each descriptor a chain: two pieces of them, the header and what comes back */
            vd_descriptor(&d, d.q[row[i].queue].desc + 16 * n, HEADER, 16, n % 2 || !row[i].writable ? n % 2 && row[i].writable ? D_WRITE : 0 : D_NEXT, n + 1);
            vd_poke(&d, d.q[row[i].queue].driver + 4 + 2 * n, 2, row[i].writable ? n & 6 : n);
        }
        vd_poke(&d, HEADER, 8, 99);             /* a disk does not know that request, and is soon done */
        CHECK(comes_back(&d, row[i].queue));
        stop_kind(&d, row[i].kind);
    }
}

int main(int argc, char **argv)
{
    static const struct check tests[] = {
        { "read_once", test_read_once }, { "header_once", test_header_once }, { "data_over_rings", test_data_over_rings },
        { "flips_disk", test_flips_disk }, { "flips_net", test_flips_net }, { "flips_rng", test_flips_rng }, { "flips_console", test_flips_console },
        { "flips_balloon", test_flips_balloon }, { "stranger", test_stranger }, { "never_for_ever", test_never_for_ever }, { NULL, NULL },
    };
    if (make_image())
        return 1;
    int status = check_main(argc, argv, "hostile_rings", tests);
    unlink(image);
    return status;
}
