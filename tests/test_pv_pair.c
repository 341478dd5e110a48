/* SPDX-License-Identifier: MIT */
/* Two domains on one Xen: event channels and grants between them, the store that they share, and what is left when one dies. */
#include "bt/bt.h"
#include "pvgrant.h"
#include "pvstore.h"

#define A DOMID_GUEST
#define B (DOMID_GUEST + 1)
#define NOBODY 7
#define FOREIGN(mfn) ((u32)A << FOREIGN_SHIFT | (mfn))  /* as B names a frame of A's */

struct pair { struct fixture a, b; };

static bool open_pair(struct pair *p, void (*adjust)(struct vm_config *c))
{
    memset(p, 0, sizeof *p);
    return CHECK(fixture_open_machine(&p->a, &good_image, adjust)) && CHECK(fixture_open_beside(&p->b, &good_image, &p->a, adjust)) &&
           open_table(&p->a) && open_table(&p->b);
}

static void close_pair(struct pair *p)
{
    if (p->b.vm) {
        CHECK_STR(audit(&p->a), "");
        CHECK_STR(audit(&p->b), "");
        fixture_close(&p->b);
    }
    fixture_close(&p->a);
}

#define PAIR(p) struct pair p; if (!open_pair(&p, NULL)) { close_pair(&p); return; }

/* The domain's own end comes to the run loop, as it does after the hypercall that caused it. */
static void dies(struct fixture *f)
{
    struct exit e;
    domain_crash(f->d, "it was asked to");
    f->vm->engine->run(f->vm->vcpu[0], f->vm->clock.now + 1000, &e);
    CHECK_EQ(e.kind, EXIT_STOPPED);
    CHECK(f->d->buried);
}

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

/* --- grants ------------------------------------------------------------------------------------ */

#define SHARED PAGE(5)      /* A's page */
#define WINDOW PAGE(6)      /* where B maps it */

static s16 b_maps(struct pair *p, u32 ref, u32 flags, u32 at, u32 *handle)
{
    return map_at(&p->b, A, ref, GNTMAP_host_map | flags, at, handle);
}

static void test_map(void)
{
    PAIR(p);
    u32 h, mfn = mfn_of(&p.a, SHARED);
    grant(&p.a, 4, B, GTF_permit_access, mfn);
    poke32(&p.a, SHARED, 0x11223344);
    CHECK_EQ(b_maps(&p, 4, 0, WINDOW, &h), GNTST_okay);
    CHECK_EQ((pte_of(&p.b, WINDOW) & 0xffffffffff000) >> 12, FOREIGN(mfn));
    CHECK_EQ(peek32(&p.b, WINDOW), 0x11223344);
    poke32(&p.b, WINDOW + 4, 0x55667788);
    CHECK_EQ(peek32(&p.a, SHARED + 4), 0x55667788);
    CHECK_EQ(flags_of(&p.a, 4), GTF_permit_access | GTF_reading | GTF_writing);
    CHECK_STR(audit(&p.a), "");
    CHECK_STR(audit(&p.b), "");
    CHECK_EQ(unmap_at(&p.b, WINDOW, 0, h), GNTST_okay);
    CHECK_EQ(pte_of(&p.b, WINDOW), 0);
    CHECK_EQ(flags_of(&p.a, 4), GTF_permit_access);
    CHECK_EQ(unmap_at(&p.b, WINDOW, 0, h), GNTST_bad_handle);
    close_pair(&p);
}

static void test_maps_that_are_refused(void)
{
    PAIR(p);
    u32 h, mfn = mfn_of(&p.a, SHARED);
    grant(&p.a, 4, B, GTF_permit_access | GTF_readonly, mfn);
    grant(&p.a, 5, NOBODY, GTF_permit_access, mfn);
    grant(&p.a, 6, B, GTF_permit_access, p.a.d->v.base_mfn);
    grant(&p.a, 7, B, GTF_permit_access, FOREIGN(mfn));                     /* it does not have that */
    CHECK_EQ(b_maps(&p, 4, 0, WINDOW, &h), GNTST_general_error);
    CHECK_EQ(b_maps(&p, 5, 0, WINDOW, &h), GNTST_general_error);
    CHECK_EQ(b_maps(&p, 6, 0, WINDOW, &h), GNTST_general_error);            /* a page table, writable */
    CHECK_EQ(b_maps(&p, 7, 0, WINDOW, &h), GNTST_general_error);
    CHECK_EQ(b_maps(&p, 99999, 0, WINDOW, &h), GNTST_bad_gntref);
    CHECK_EQ(map_at(&p.b, NOBODY, 4, GNTMAP_host_map, WINDOW, &h), GNTST_bad_domain);
    CHECK_EQ(map_at(&p.b, DOMID_SELF, 4, GNTMAP_host_map, WINDOW, &h), GNTST_bad_domain);
    CHECK_EQ(map_at(&p.a, A, 4, GNTMAP_host_map | GNTMAP_readonly, WINDOW, &h), GNTST_general_error);   /* granted, but not to A */
    CHECK_EQ(b_maps(&p, 4, GNTMAP_readonly, XEN_VIRT_START, &h), GNTST_general_error);
    CHECK_EQ(b_maps(&p, 4, GNTMAP_readonly, start_info(&p.b)->pt_base, &h), GNTST_okay);  /* over a mapping of a table: why not */
    CHECK_EQ(unmap_at(&p.b, start_info(&p.b)->pt_base, 0, h), GNTST_okay);
    close_pair(&p);
}

/* Revoked too early: what is mapped stays A's to lose, and nothing more is given out. */
static void test_revoke_while_mapped(void)
{
    PAIR(p);
    u32 h, h2, mfn = mfn_of(&p.a, SHARED);
    grant(&p.a, 4, B, GTF_permit_access, mfn);
    CHECK_EQ(b_maps(&p, 4, 0, WINDOW, &h), GNTST_okay);
    grant(&p.a, 4, 0, 0, 0);
    CHECK_EQ(b_maps(&p, 4, 0, PAGE(7), &h2), GNTST_general_error);
    grant(&p.a, 4, B, GTF_permit_access, mfn_of(&p.a, PAGE(9)));            /* another page under the same number: */
    CHECK_EQ(b_maps(&p, 4, 0, PAGE(7), &h2), GNTST_okay);
    CHECK_EQ((pte_of(&p.b, PAGE(7)) & 0xffffffffff000) >> 12, FOREIGN(mfn)); /* the use goes on, so it is still the first */
    CHECK_EQ(update_va(&p.a, SHARED, 0), 0);
    CHECK_EQ(mmuext(&p.a, MMUEXT_PIN_L1_TABLE, mfn, 0), -XEN_EINVAL);       /* B could write into it */
    struct memory_reservation32 r = { .extent_start = PAGE(58), .nr_extents = 1, .domid = DOMID_SELF };
    poke32(&p.a, PAGE(58), mfn);
    poke(&p.a, OP, &r, sizeof r);
    CHECK_EQ(call(&p.a, __HYPERVISOR_memory_op, XENMEM_decrease_reservation, OP, 0, 0), 1);
    CHECK_EQ(p.a.d->frame[mfn].owner, OWNER_DOMAIN);                        /* not free while B has it */
    CHECK_EQ(unmap_at(&p.b, WINDOW, 0, h), GNTST_okay);
    CHECK_EQ(p.a.d->frame[mfn].owner, OWNER_DOMAIN);
    CHECK_EQ(unmap_at(&p.b, PAGE(7), 0, h2), GNTST_okay);
    CHECK_EQ(p.a.d->frame[mfn].owner, OWNER_NOBODY);
    close_pair(&p);
}

/* Only the grant makes such an entry; every other way to name another's frame is refused. */
static void test_forged_foreign_frames(void)
{
    PAIR(p);
    u32 h, mfn = mfn_of(&p.a, SHARED), table = mfn_of(&p.b, PAGE(20));
    u64 wish = maddr(FOREIGN(mfn)) | PTE_P;
    CHECK_EQ(update_va(&p.b, WINDOW, wish), -XEN_EINVAL);
    CHECK_EQ(update_va(&p.b, WINDOW, wish | PTE_RW), -XEN_EINVAL);
    CHECK_EQ(mmu_update(&p.b, pte_address(&p.b, WINDOW), wish), -XEN_EINVAL);
    CHECK_EQ(mmu_update(&p.b, maddr(FOREIGN(p.a.d->v.base_mfn)), 0), -XEN_EINVAL);   /* into A's tables */
    CHECK_EQ(mmu_update(&p.b, maddr(FOREIGN(mfn)) | MMU_MACHPHYS_UPDATE, 0), -XEN_EINVAL);
    for (u32 cmd = MMUEXT_PIN_L1_TABLE; cmd <= MMUEXT_NEW_BASEPTR; cmd++)
        CHECK_EQ(mmuext(&p.b, cmd, FOREIGN(mfn), 0), cmd == MMUEXT_PIN_L4_TABLE ? -XEN_ENOSYS : -XEN_EINVAL);
    CHECK_EQ(mmuext(&p.b, MMUEXT_CLEAR_PAGE, FOREIGN(mfn), 0), -XEN_EINVAL);
    CHECK_EQ(mmuext(&p.b, MMUEXT_COPY_PAGE, table, FOREIGN(mfn)), -XEN_EINVAL);
    poke32(&p.b, PAGE(59), FOREIGN(mfn));
    CHECK_EQ(call(&p.b, __HYPERVISOR_set_gdt, PAGE(59), 512, 0, 0), -XEN_EINVAL);
    grant(&p.a, 4, B, GTF_permit_access, mfn);
    CHECK_EQ(b_maps(&p, 4, GNTMAP_readonly, WINDOW, &h), GNTST_okay);
    CHECK_EQ(update_va(&p.b, WINDOW, wish | PTE_RW), -XEN_EINVAL);          /* more than was granted */
    CHECK_EQ(update_va(&p.b, PAGE(7), wish), -XEN_EINVAL);                  /* the same once more */
    poke64(&p.b, PAGE(20), wish);
    detach(&p.b, 20);
    CHECK_EQ(mmuext(&p.b, MMUEXT_PIN_L1_TABLE, table, 0), -XEN_EINVAL);     /* within a table of its own making */
    CHECK_EQ(unmap_at(&p.b, WINDOW, 0, h), GNTST_okay);
    close_pair(&p);
}

/* B loses the entry itself: the use goes on until its end, and nothing of A's is freed meanwhile. */
static void test_entry_overwritten(void)
{
    PAIR(p);
    u32 h, mfn = mfn_of(&p.a, SHARED);
    grant(&p.a, 4, B, GTF_permit_access, mfn);
    CHECK_EQ(b_maps(&p, 4, 0, WINDOW, &h), GNTST_okay);
    CHECK_EQ(update_va(&p.b, WINDOW, 0), 0);
    CHECK_EQ(unmap_at(&p.b, WINDOW, 0, h), GNTST_general_error);
    CHECK_EQ(flags_of(&p.a, 4), GTF_permit_access | GTF_reading | GTF_writing);
    dies(&p.b);
    CHECK_EQ(flags_of(&p.a, 4), GTF_permit_access);
    close_pair(&p);
}

static s16 b_copies(struct pair *p, u32 ref, u32 to_mfn, bool other_way)
{
    struct gnttab_copy_end32 theirs = { ref, A, 0 }, own = { to_mfn, DOMID_SELF, 0 };
    struct gnttab_copy32 c = { other_way ? own : theirs, other_way ? theirs : own, 4096, other_way ? GNTCOPY_dest_gref : GNTCOPY_source_gref, -100 };
    CHECK_EQ(grant_op(&p->b, GNTTABOP_copy, &c, sizeof c), 0);
    return c.status;
}

static void test_copy(void)
{
    PAIR(p);
    u32 own = mfn_of(&p.b, PAGE(8));
    grant(&p.a, 4, B, GTF_permit_access | GTF_readonly, mfn_of(&p.a, SHARED));
    poke32(&p.a, SHARED + 4092, 77);
    CHECK_EQ(b_copies(&p, 4, own, false), GNTST_okay);
    CHECK_EQ(peek32(&p.b, PAGE(8) + 4092), 77);
    CHECK_EQ(b_copies(&p, 4, own, true), GNTST_general_error);              /* read-only */
    grant(&p.a, 4, B, GTF_permit_access, mfn_of(&p.a, SHARED));
    poke32(&p.b, PAGE(8), 78);
    CHECK_EQ(b_copies(&p, 4, own, true), GNTST_okay);
    CHECK_EQ(peek32(&p.a, SHARED), 78);
    CHECK_EQ(b_copies(&p, 5, own, false), GNTST_general_error);
    CHECK_EQ(flags_of(&p.a, 4), GTF_permit_access);
    dies(&p.a);
    CHECK_EQ(b_copies(&p, 4, own, false), GNTST_bad_domain);
    close_pair(&p);
}

static void test_granter_dies(void)
{
    PAIR(p);
    u32 h, h2;
    grant(&p.a, 4, B, GTF_permit_access, mfn_of(&p.a, SHARED));
    CHECK_EQ(b_maps(&p, 4, 0, WINDOW, &h), GNTST_okay);
    poke32(&p.a, SHARED, 123);
    dies(&p.a);
    CHECK_EQ(b_maps(&p, 4, 0, PAGE(7), &h2), GNTST_bad_domain);
    CHECK_EQ(peek32(&p.b, WINDOW), 123);    /* the dead's page stays until B lets it go */
    CHECK_EQ(unmap_at(&p.b, WINDOW, 0, h), GNTST_okay);
    CHECK(!p.b.d->ended);
    close_pair(&p);
}

/* A domain's vm goes altogether: who had its memory mapped finds nothing there, and reads ones. */
static void test_granter_vanishes(void)
{
    PAIR(p);
    u32 h;
    grant(&p.b, 4, A, GTF_permit_access, mfn_of(&p.b, SHARED));
    CHECK_EQ(map_at(&p.a, B, 4, GNTMAP_host_map, WINDOW, &h), GNTST_okay);
    fixture_close(&p.b);
    p.b.vm = NULL;
    CHECK_EQ(peek32(&p.a, WINDOW), 0xffffffff);
    CHECK_EQ(unmap_at(&p.a, WINDOW, 0, h), GNTST_okay);
    CHECK_STR(audit(&p.a), "");
    close_pair(&p);
}

/* A grant that many use is counted up to its end and not beyond. */
static void test_handles_run_out(void)
{
    PAIR(p);
    u32 h, n = 0;
    s16 rc;
    grant(&p.a, 4, B, GTF_permit_access, mfn_of(&p.a, SHARED));
    while ((rc = map_at(&p.b, A, 4, GNTMAP_device_map, 0, &h)) == GNTST_okay)
        n++;
    CHECK_EQ(rc, GNTST_no_device_space);
    CHECK_EQ(n, GRANT_HANDLES);
    CHECK_STR(audit(&p.a), "");
    dies(&p.b);
    CHECK_EQ(p.a.d->grants->active[4].writers, 0);
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
        { "event-channel", test_event_channel },
        { "channels-that-are-refused", test_channels_that_are_refused },
        { "event-wakes", test_event_wakes },
        { "peer-dies", test_peer_dies },
        { "map", test_map },
        { "maps-that-are-refused", test_maps_that_are_refused },
        { "revoke-while-mapped", test_revoke_while_mapped },
        { "forged-foreign-frames", test_forged_foreign_frames },
        { "entry-overwritten", test_entry_overwritten },
        { "copy", test_copy },
        { "granter-dies", test_granter_dies },
        { "granter-vanishes", test_granter_vanishes },
        { "handles-run-out", test_handles_run_out },
        { "store-is-shared", test_store_is_shared },
        { "watch-of-another", test_watch_of_another },
        { "transactions-collide", test_transactions_collide },
        { "store-breach-of-one", test_store_breach_of_one },
        { "store-forgets-the-dead", test_store_forgets_the_dead },
        { "code-of-another", test_code_of_another },
        { "code-given-back", test_code_given_back },
        { "code-mapped-again", test_code_mapped_again },
        { "crash-of-one", test_crash_of_one },
        { "blocked-gives-way", test_blocked_gives_way },
        { "no-second-life", test_no_second_life },
        { "numbers-count-on", test_numbers_count_on },
        { "random", test_random },
        { NULL, NULL },
    };
    return check_main(argc, argv, "two domains", tests);
}
