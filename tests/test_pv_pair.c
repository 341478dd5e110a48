/* SPDX-License-Identifier: MIT */
/* Two domains on one Xen: event channels, the store that they share, turns, what is left when one dies; and all of it at random. */
#include "pvpair.h"

/* --- event channels ---------------------------------------------------------------------------- */

static bool is_pending(struct fixture *f, u32 port)
{
    bool was = f->d->shared->evtchn_pending[port / 32] >> port % 32 & 1;
    f->d->shared->evtchn_pending[port / 32] &= ~(1u << port % 32);
    return was;
}

/* A's port, bound by B to one of its own. */
static void connect(struct pair *p, u32 *a, u32 *b)
{
    struct evtchn_alloc_unbound alloc = { DOMID_SELF, B, 0 };
    CHECK_EQ(EVENT_OP(p->a, EVTCHNOP_alloc_unbound, alloc), 0);
    struct evtchn_bind_interdomain bind = { A, alloc.port, 0 };
    CHECK_EQ(EVENT_OP(p->b, EVTCHNOP_bind_interdomain, bind), 0);
    *a = alloc.port;
    *b = bind.local_port;
}

static struct evtchn_status status(struct fixture *f, u32 port)
{
    struct evtchn_status s = { DOMID_SELF, port };
    CHECK_EQ(EVENT_OP(*f, EVTCHNOP_status, s), 0);
    return s;
}

static s32 send(struct fixture *f, u32 port)
{
    struct evtchn_send s = { port };
    return EVENT_OP(*f, EVTCHNOP_send, s);
}

static void test_event_channel(void)
{
    PAIR(p);
    u32 a, b;
    connect(&p, &a, &b);
    CHECK(is_pending(&p.b, b));         /* what was missed before is looked at */
    struct evtchn_status s = status(&p.a, a);
    CHECK_EQ(s.status, EVTCHNSTAT_interdomain);
    CHECK_EQ(s.u.interdomain.dom, B);
    CHECK_EQ(s.u.interdomain.port, b);
    CHECK_EQ(send(&p.a, a), 0);
    CHECK(is_pending(&p.b, b) && !is_pending(&p.a, a));
    CHECK_EQ(send(&p.b, b), 0);
    CHECK(is_pending(&p.a, a) && !is_pending(&p.b, b));
    struct evtchn_close c = { b };
    CHECK_EQ(EVENT_OP(p.b, EVTCHNOP_close, c), 0);
    s = status(&p.a, a);
    CHECK_EQ(s.status, EVTCHNSTAT_unbound);
    CHECK_EQ(s.u.unbound.dom, B);
    CHECK_EQ(send(&p.a, a), 0);         /* nobody listens */
    struct evtchn_bind_interdomain again = { A, a, 0 };
    CHECK_EQ(EVENT_OP(p.b, EVTCHNOP_bind_interdomain, again), 0);
    close_pair(&p);
}

static void test_channels_that_are_refused(void)
{
    PAIR(p);
    struct evtchn_alloc_unbound alloc = { DOMID_SELF, NOBODY, 0 };
    CHECK_EQ(EVENT_OP(p.a, EVTCHNOP_alloc_unbound, alloc), 0);  /* for a domain that may yet come */
    struct evtchn_bind_interdomain bind = { A, alloc.port, 0 };
    CHECK_EQ(EVENT_OP(p.b, EVTCHNOP_bind_interdomain, bind), -XEN_EINVAL);  /* but not for B */
    bind.remote_dom = NOBODY;
    CHECK_EQ(EVENT_OP(p.b, EVTCHNOP_bind_interdomain, bind), -XEN_ESRCH);
    bind = (struct evtchn_bind_interdomain){ A, p.a.d->console_port, 0 };
    CHECK_EQ(EVENT_OP(p.b, EVTCHNOP_bind_interdomain, bind), -XEN_EINVAL);
    bind = (struct evtchn_bind_interdomain){ A, 0xffffffff, 0 };
    CHECK_EQ(EVENT_OP(p.b, EVTCHNOP_bind_interdomain, bind), -XEN_EINVAL);
    alloc = (struct evtchn_alloc_unbound){ A, B, 0 };
    CHECK_EQ(EVENT_OP(p.b, EVTCHNOP_alloc_unbound, alloc), -XEN_EPERM);     /* in another's name */
    struct evtchn_status s = { A, 1 };
    CHECK_EQ(EVENT_OP(p.b, EVTCHNOP_status, s), -XEN_EPERM);
    struct evtchn_reset r = { A };
    CHECK_EQ(EVENT_OP(p.b, EVTCHNOP_reset, r), -XEN_EPERM);
    close_pair(&p);
}

/* An event wakes who waits for it. */
static void test_event_wakes(void)
{
    PAIR(p);
    u32 a, b;
    connect(&p, &a, &b);
    is_pending(&p.b, b);
    CHECK_EQ(call(&p.b, __HYPERVISOR_sched_op, SCHEDOP_block, 0, 0, 0), 0);
    CHECK(pv_waits(p.b.vm) && !pv_waits(p.a.vm));
    CHECK_EQ(send(&p.a, a), 0);
    CHECK(pv_waits(p.b.vm));            /* the port is masked */
    struct evtchn_unmask u = { b };
    CHECK_EQ(EVENT_OP(p.b, EVTCHNOP_unmask, u), 0);
    CHECK(!pv_waits(p.b.vm));
    close_pair(&p);
}

static void test_peer_dies(void)
{
    PAIR(p);
    u32 a, b;
    connect(&p, &a, &b);
    dies(&p.b);
    CHECK_EQ(status(&p.a, a).status, EVTCHNSTAT_unbound);
    CHECK_EQ(send(&p.a, a), 0);
    struct evtchn_alloc_unbound alloc = { DOMID_SELF, B, 0 };
    CHECK_EQ(EVENT_OP(p.a, EVTCHNOP_alloc_unbound, alloc), 0);
    struct evtchn_bind_interdomain bind = { B, b, 0 };
    CHECK_EQ(EVENT_OP(p.a, EVTCHNOP_bind_interdomain, bind), -XEN_ESRCH);
    close_pair(&p);
}

/* --- the store --------------------------------------------------------------------------------- */

#define A_DATA "/local/domain/1/data"

static void test_store_is_shared(void)
{
    PAIR(p);
    CHECK_OK(TELL_OPEN(&p.a, XS_WRITE, 0, "data/x\0" "1"), XS_WRITE);
    CHECK_ERROR(TELL(&p.b, XS_READ, 0, A_DATA "/x"), "EACCES");
    CHECK_ERROR(TELL_OPEN(&p.b, XS_WRITE, 0, A_DATA "/x\0" "2"), "EACCES");
    CHECK_ERROR(TELL_OPEN(&p.b, XS_WRITE, 0, A_DATA "/y\0" "2"), "EACCES");
    CHECK_ERROR(TELL(&p.b, XS_RM, 0, A_DATA "/x"), "EACCES");
    CHECK_ERROR(TELL(&p.b, XS_DIRECTORY, 0, "/local/domain/1"), "EACCES");
    CHECK_ERROR(TELL(&p.b, XS_SET_PERMS, 0, A_DATA "/x\0" "n2"), "EACCES");
    CHECK_STR(TELL(&p.b, XS_READ, 0, "domid").text, "2");
    CHECK_STR(TELL(&p.a, XS_READ, 0, "domid").text, "1");
    CHECK_OK(TELL(&p.a, XS_SET_PERMS, 0, "data/x\0n1\0r2"), XS_SET_PERMS);
    CHECK_STR(TELL(&p.b, XS_READ, 0, A_DATA "/x").text, "1");
    CHECK_ERROR(TELL_OPEN(&p.b, XS_WRITE, 0, A_DATA "/x\0" "2"), "EACCES");
    CHECK_OK(TELL(&p.a, XS_SET_PERMS, 0, "data/x\0n1\0b2"), XS_SET_PERMS);
    CHECK_OK(TELL_OPEN(&p.b, XS_WRITE, 0, A_DATA "/x\0" "2"), XS_WRITE);
    CHECK_STR(TELL(&p.a, XS_READ, 0, "data/x").text, "2");
    CHECK_STR(TELL(&p.a, XS_IS_DOMAIN_INTRODUCED, 0, "2").text, "T");
    CHECK_STR(TELL(&p.a, XS_IS_DOMAIN_INTRODUCED, 0, "3").text, "F");
    close_pair(&p);
}

/* What one domain writes another hears of at once, though it asked for nothing. */
static void test_watch_of_another(void)
{
    PAIR(p);
    u8 got[256];
    struct store_answer a = { 0 };
    CHECK_OK(TELL_OPEN(&p.a, XS_WRITE, 0, "data/x\0" "1"), XS_WRITE);
    CHECK_OK(TELL(&p.a, XS_SET_PERMS, 0, "data/x\0n1\0r2"), XS_SET_PERMS);
    CHECK_OK(TELL(&p.b, XS_WATCH, 0, A_DATA "/x\0tok"), XS_WATCH);
    CHECK_OK(TELL(&p.b, XS_WATCH, 0, A_DATA "\0tok2"), XS_WATCH);
    store_collect(&p.b, got, 0);
    is_pending(&p.b, p.b.d->store_port);
    CHECK_OK(TELL_OPEN(&p.a, XS_WRITE, 0, "data/secret\0" "1"), XS_WRITE);
    CHECK(!is_pending(&p.b, p.b.d->store_port));
    CHECK_OK(TELL_OPEN(&p.a, XS_WRITE, 0, "data/x\0" "2"), XS_WRITE);
    CHECK(is_pending(&p.b, p.b.d->store_port));
    store_take(&a, got, store_collect(&p.b, got, 0));
    CHECK_EQ(a.events, 2); /* of either watch */
    CHECK_STR(a.event, A_DATA "/x tok2");
    close_pair(&p);
}

/* Transactions see one another: the second to end starts over. */
static void test_transactions_collide(void)
{
    PAIR(p);
    char end[] = "T";
    CHECK_STR(TELL(&p.a, XS_TRANSACTION_START, 0, "").text, "1");
    CHECK_STR(TELL(&p.b, XS_TRANSACTION_START, 0, "").text, "1");   /* numbers are each domain's own */
    CHECK_OK(TELL_OPEN(&p.a, XS_WRITE, 1, "data/x\0" "1"), XS_WRITE);
    CHECK_OK(TELL_OPEN(&p.b, XS_WRITE, 1, "data/x\0" "2"), XS_WRITE);
    CHECK_OK(TELL(&p.a, XS_TRANSACTION_END, 1, end), XS_TRANSACTION_END);
    CHECK_ERROR(TELL(&p.b, XS_TRANSACTION_END, 1, end), "EAGAIN");
    CHECK_STR(TELL(&p.a, XS_READ, 0, "data/x").text, "1");
    close_pair(&p);
}

/* A guest that breaks the ring's protocol loses the store; the other does not. */
static void test_store_breach_of_one(void)
{
    PAIR(p);
    store_ring_of(&p.b)->req_prod += 5000;
    store_kick(&p.b);
    CHECK(p.b.d->store.dead);
    CHECK_STR(TELL(&p.a, XS_READ, 0, "domid").text, "1");
    close_pair(&p);
}

static void test_store_forgets_the_dead(void)
{
    PAIR(p);
    CHECK_OK(TELL_OPEN(&p.b, XS_WRITE, 0, "data/x\0" "1"), XS_WRITE);
    CHECK_OK(TELL(&p.b, XS_WATCH, 0, "data\0tok"), XS_WATCH);
    dies(&p.b);
    CHECK(!store_find(p.a.d->xen->store.root, "/local/domain/2"));
    CHECK_EQ(p.a.d->xen->store.nwatches, 0);
    CHECK_STR(TELL(&p.a, XS_IS_DOMAIN_INTRODUCED, 0, "2").text, "F");
    CHECK_STR(TELL(&p.a, XS_READ, 0, "domid").text, "1");
    close_pair(&p);
}

/* --- turns ------------------------------------------------------------------------------------- */

static struct exit run_at(struct fixture *f, u32 eip)
{
    struct exit e = { 0 };
    f->vm->status = VM_RUNNING;
    f->vm->vcpu[0]->cpu.state.rip = eip;
    f->vm->engine->run(f->vm->vcpu[0], f->vm->clock.now + 3000, &e);
    return e;
}

static void with_translator(struct vm_config *c) { c->accel = &bt_accel; }

/* A runs code in a page that B writes into: the translations of it are no longer true after B's turn, even if B has given the page back. */
static void code_of_another(void (*adjust)(struct vm_config *c), bool gives_back)
{
    struct pair p;
    u32 h;
    if (!open_pair(&p, adjust)) {
        close_pair(&p);
        return;
    }
    const u64 *gpr = p.a.vm->vcpu[0]->cpu.state.gpr;
    poke(&p.a, SHARED, "\xb8\x01\x00\x00\x00\xeb\xfe", 7);          /* mov $1, %eax; spin */
    poke(&p.b, CODE, "\xc6\x05????\x02\xeb\xfe", 9);                /* movb $2, WINDOW + 1; spin */
    poke32(&p.b, CODE + 2, WINDOW + 1);
    grant(&p.a, 4, B, GTF_permit_access, mfn_of(&p.a, SHARED));
    CHECK_EQ(b_maps(&p, 4, 0, WINDOW, &h), GNTST_okay);
    CHECK_EQ(run_at(&p.a, SHARED).kind, EXIT_DEADLINE);
    CHECK_EQ(gpr[RAX], 1);
    CHECK_EQ(run_at(&p.b, CODE).kind, EXIT_DEADLINE);
    if (gives_back)
        CHECK_EQ(unmap_at(&p.b, WINDOW, 0, h), GNTST_okay);
    CHECK_EQ(run_at(&p.a, SHARED).kind, EXIT_DEADLINE);
    CHECK_EQ(gpr[RAX], 2);
    CHECK_EQ(p.a.d->switches, 1);
    CHECK_EQ(p.b.d->switches, 1);
    CHECK_EQ(p.b.vm->ledger.count[EV_PV_DOMAIN_SWITCH], 1);
    if (!gives_back)
        CHECK_EQ(unmap_at(&p.b, WINDOW, 0, h), GNTST_okay);
    close_pair(&p);
}

/* B runs code of A's, in a page that it has mapped, gives back, and maps again: A has written into it meanwhile. */
static void code_mapped_again(void (*adjust)(struct vm_config *c))
{
    struct pair p;
    u32 h;
    if (!open_pair(&p, adjust)) {
        close_pair(&p);
        return;
    }
    grant(&p.a, 4, B, GTF_permit_access, mfn_of(&p.a, SHARED));
    for (u8 round = 1; round < 4; round++) {
        const u8 code[] = { 0xb8, round, 0, 0, 0, 0xeb, 0xfe };     /* mov $round, %eax; spin */
        check_context("round %u", round);
        poke(&p.a, CODE, "\xeb\xfe", 2);
        poke(&p.a, SHARED, code, sizeof code);
        CHECK_EQ(run_at(&p.a, CODE).kind, EXIT_DEADLINE);
        poke(&p.b, CODE, "\xeb\xfe", 2);
        CHECK_EQ(run_at(&p.b, CODE).kind, EXIT_DEADLINE);
        CHECK_EQ(b_maps(&p, 4, 0, WINDOW, &h), GNTST_okay);
        CHECK_EQ(run_at(&p.b, WINDOW).kind, EXIT_DEADLINE);
        CHECK_EQ(p.b.vm->vcpu[0]->cpu.state.gpr[RAX], round);
        CHECK_EQ(unmap_at(&p.b, WINDOW, 0, h), GNTST_okay);
    }
    check_context(NULL);
    close_pair(&p);
}

static void test_code_of_another(void)
{
    code_of_another(NULL, false);
    code_of_another(with_translator, false);
}

static void test_code_given_back(void)
{
    code_of_another(NULL, true);
    code_of_another(with_translator, true);
}

static void test_code_mapped_again(void)
{
    code_mapped_again(NULL);
    code_mapped_again(with_translator);
}

/* One crashes in the middle of its turn: the other's goes on as if nothing had happened. */
static void test_crash_of_one(void)
{
    PAIR(p);
    poke(&p.a, CODE, "\x40\xeb\xfd", 3);                    /* inc %eax, for ever */
    poke(&p.b, CODE, "\x0f\x0b", 2);                        /* UD2, and no handler */
    p.a.vm->vcpu[0]->cpu.state.gpr[RAX] = 0;
    run_at(&p.a, CODE);
    u64 before = p.a.vm->vcpu[0]->cpu.state.gpr[RAX];
    struct exit e = run_at(&p.b, CODE);
    CHECK_EQ(e.kind, EXIT_STOPPED);
    CHECK_CONTAINS(e.stopped.reason, "Xen crashed the domain");
    CHECK_EQ(run_at(&p.a, CODE).kind, EXIT_DEADLINE);
    CHECK(p.a.vm->vcpu[0]->cpu.state.gpr[RAX] > before);
    close_pair(&p);
}

static void test_blocked_gives_way(void)
{
    PAIR(p);
    CHECK_EQ(call(&p.a, __HYPERVISOR_sched_op, SCHEDOP_yield, 0, 0, 0), 0);
    CHECK_EQ(run_at(&p.a, CODE).kind, EXIT_KICKED);
    CHECK_EQ(p.a.vm->status, VM_PAUSED);
    CHECK_EQ(run_at(&p.a, CODE).kind, EXIT_DEADLINE);       /* once only */
    CHECK_EQ(call(&p.a, __HYPERVISOR_sched_op, SCHEDOP_block, 0, 0, 0), 0);
    CHECK_EQ(run_at(&p.a, CODE).kind, EXIT_HLT);
    CHECK_EQ(p.a.vm->status, VM_PAUSED);
    close_pair(&p);
}

static void test_no_second_life(void)
{
    PAIR(p);
    struct error err;
    CHECK(p.b.vm->engine->load(p.b.vm, &err) < 0);          /* A may have its memory mapped */
    CHECK_CONTAINS(err.text, "does not start again");
    close_pair(&p);
}

/* What was granted to a domain that is gone is not granted to whoever comes next: numbers count on, and come round in the end. */
static void test_numbers_count_on(void)
{
    PAIR(p);
    unsigned last = p.b.d->domid;
    for (unsigned i = 0; i < 2 * XEN_DOMAINS_MOST; i++) {
        fixture_close(&p.b);
        memset(&p.b, 0, sizeof p.b);
        if (!CHECK(fixture_open_beside(&p.b, &good_image, &p.a, NULL)))
            break;
        unsigned expected = last == XEN_DOMAINS_MOST ? DOMID_GUEST + 1 : last + 1; /* A, which lives, has the first */
        CHECK_EQ(p.b.d->domid, expected);
        last = p.b.d->domid;
    }
    close_pair(&p);
}

/* --- at random --------------------------------------------------------------------------------- */

struct dice { u64 seed; struct pair *p; };
static u32 roll(struct dice *d, u32 n) { return check_random(&d->seed) % n; }

static u32 any_frame(struct dice *d, struct fixture *f)
{
    u32 own = mfn_of(f, PAGE(roll(d, 12)));
    return roll(d, 4) ? own : roll(d, 4) ? (u32)(A + roll(d, 3)) << FOREIGN_SHIFT | own : check_random(&d->seed) | 0x10000;
}

static u16 any_domain(struct dice *d) { return roll(d, 8) ? A + roll(d, 2) : roll(d, 2) ? DOMID_SELF : roll(d, 4); }

static void random_grant(struct dice *d, struct fixture *f)
{
    grant(f, roll(d, 16), any_domain(d), roll(d, 4) ? GTF_permit_access | (roll(d, 3) ? 0 : GTF_readonly) : roll(d, 8), any_frame(d, f));
}

static void random_map(struct dice *d, struct fixture *f)
{
    u32 h, gva = PAGE(roll(d, 12));
    map_at(f, any_domain(d), roll(d, 18), roll(d, 4) ? GNTMAP_host_map | (roll(d, 2) ? GNTMAP_readonly : 0) : roll(d, 32),
           roll(d, 4) ? gva : pte_address(f, gva), &h);
}

static void random_unmap(struct dice *d, struct fixture *f)
{
    u32 h = roll(d, 24);
    unmap_at(f, roll(d, 4) ? f->d->grants->mapping[h].host_addr : PAGE(roll(d, 12)), 0, h);
}

static void random_copy(struct dice *d, struct fixture *f)
{
    struct gnttab_copy32 c = { { roll(d, 2) ? roll(d, 18) : any_frame(d, f), any_domain(d), roll(d, 4096) },
                               { roll(d, 2) ? roll(d, 18) : any_frame(d, f), any_domain(d), roll(d, 4096) }, roll(d, 4096), roll(d, 4), 0 };
    grant_op(f, GNTTABOP_copy, &c, sizeof c);
}

static void random_event(struct dice *d, struct fixture *f)
{
    struct { u32 word[4]; } op = { { any_domain(d) | (u32)any_domain(d) << 16, roll(d, 24), roll(d, 24), 0 } };
    if (roll(d, 2))
        op.word[0] = roll(d, 24); /* a port, as it begins most of them */
    EVENT_OP(*f, roll(d, 12), op);
}

static void random_page_table(struct dice *d, struct fixture *f)
{
    u32 mfn = any_frame(d, f);
    switch (roll(d, 4)) {
    case 0: update_va(f, PAGE(roll(d, 12)), roll(d, 4) ? maddr(mfn) | PTE_P | (roll(d, 2) ? PTE_RW : 0) : 0); return;
    case 1: mmuext(f, roll(d, 5), mfn, 0); return;
    case 2: mmu_update(f, maddr(mfn) + roll(d, 4) * 8, maddr(any_frame(d, f)) | PTE_P); return;
    }
    update_va(f, PAGE(roll(d, 12)), maddr(mfn_of(f, PAGE(roll(d, 12)))) | RW);
}

static void random_store(struct dice *d, struct fixture *f)
{
    static const char *const texts[] = { "data/x", "/local/domain/1/data/x", "/local/domain/2/data/x", "/local/domain/2", "data/x\0n1\0b2", "data/x\0n2\0b1",
                                         "/local/domain/1/data\0t", "1", "T", "" };
    char text[64] = "";
    strcpy(text, texts[roll(d, ARRAY_LEN(texts))]);
    if (!f->d->store.dead && f->d->port[f->d->store_port].backend == BACKEND_STORE)
        store_tell(f, roll(d, 22), roll(d, 4) ? 0 : roll(d, 3), text, strlen(text) + 1 + (roll(d, 3) ? 0 : roll(d, 5)));
}

/* Both do what they like, and now and then one dies. Whatever happens, every count of either is true. */
static void test_random(void)
{
    static void (*const deed[])(struct dice *, struct fixture *) = {
        random_grant, random_grant, random_map, random_map, random_unmap, random_copy, random_event, random_page_table, random_store,
    };
    unsigned rounds = getenv("EMU_SOAK") ? 3000000 : 12000, lives = 0;
    struct pair p;
    struct dice d = { check_seed(), &p };
    bool good = open_pair(&p, NULL);
    for (unsigned i = 0; good && i < rounds; i++) {
        struct fixture *f = roll(&d, 2) ? &p.a : &p.b;
        deed[roll(&d, ARRAY_LEN(deed))](&d, f);
        f = i / 1000 % 2 ? &p.a : &p.b;
        if (i % 1000 == 999 && !f->d->ended)
            dies(f);
        if (i % 256 == 0)
            good = CHECK_STR(audit(&p.a), "") && CHECK_STR(audit(&p.b), "");
        if (p.a.d->ended && p.b.d->ended) {
            lives++;
            close_pair(&p);
            good &= open_pair(&p, NULL);
        }
    }
    CHECK(lives > 0);
    close_pair(&p);
}
int main(int argc, char **argv)
{
    static const struct check tests[] = {
        { "event-channel", test_event_channel }, { "channels-that-are-refused", test_channels_that_are_refused },
        { "event-wakes", test_event_wakes }, { "peer-dies", test_peer_dies },
        { "store-is-shared", test_store_is_shared }, { "watch-of-another", test_watch_of_another },
        { "transactions-collide", test_transactions_collide }, { "store-breach-of-one", test_store_breach_of_one },
        { "store-forgets-the-dead", test_store_forgets_the_dead }, { "code-of-another", test_code_of_another },
        { "code-given-back", test_code_given_back }, { "code-mapped-again", test_code_mapped_again },
        { "crash-of-one", test_crash_of_one }, { "blocked-gives-way", test_blocked_gives_way },
        { "no-second-life", test_no_second_life }, { "numbers-count-on", test_numbers_count_on },
        { "random", test_random },
        { NULL, NULL },
    };
    return check_main(argc, argv, "two domains", tests);
}
