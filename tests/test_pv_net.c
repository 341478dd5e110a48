/* SPDX-License-Identifier: MIT */
/* Domain 0's network, from the front-end's side: frames there and back, and front-ends that break every rule. */
#include "pvfront.h"

/* A network waits for state 4: GNU Mach writes what it wishes only behind state 3. */
static void test_late_wishes(void)
{
    WITH_FRONT(f);
    front_put(&f, VIF, "state", XenbusStateInitialised);
    CHECK_EQ(front_state(&f, VIF_BACK), XenbusStateInitWait);
    vif_connect(&f);
    CHECK_EQ(front_state(&f, VIF_BACK), XenbusStateConnected);
    DONE_FRONT(f);
}

static void test_echo(void)
{
    WITH_FRONT(f);
    struct vif v = vif_connect(&f);
    CHECK_EQ(front_state(&f, VIF_BACK), XenbusStateConnected);
    vif_offer(&v, DATA_REF + 1, 5);
    poke(&f, DATA(0) + 100, "to: me from: me, this is a frame", 33);
    u64 copies = f.vm->ledger.count[EV_PV_GRANT_COPY];
    vif_send(&v, DATA_REF, 100, 0, 77, 60);
    CHECK_EQ(vif_sent(&v, 77), NETIF_RSP_OKAY);
    CHECK(front_pending(&f, v.port));
    front_deliver(&f);
    CHECK_EQ(vif_got(&v, 5), 60);
    CHECK(front_pending(&f, v.port));
    CHECK_EQ(peek64(&f, DATA(1)), peek64(&f, DATA(0) + 100));
    CHECK_EQ(f.vm->ledger.count[EV_PV_GRANT_COPY], copies + 2);
    CHECK(f.vm->ledger.count[EV_PV_COPIED_LINE] >= 2);
    DONE_FRONT(f);
}

/* What lies in the ring together is copied by one hypercall, up to 64 at a time; each frame is a copy of its own; and there is one event. */
static void test_many_copies_a_hypercall(void)
{
    static const struct { u16 frames; u64 lists; } rows[] = { { 1, 1 }, { 8, 1 }, { 64, 1 }, { 65, 2 }, { 200, 4 } };
    for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
        WITH_FRONT(f);
        struct vif v = vif_connect(&f);
        const u64 *count = f.vm->ledger.count;
        u64 calls = count[EV_PV_DRIVER_CALL], copies = count[EV_PV_GRANT_COPY];
        check_context("%u frames", rows[i].frames);
        for (u16 n = 0; n < rows[i].frames; n++)
            vif_put(&v, DATA_REF, 0, 0, n, 60);
        front_notify(&f, v.port);
        CHECK_EQ(count[EV_PV_GRANT_COPY] - copies, rows[i].frames);
        CHECK_EQ(count[EV_PV_DRIVER_CALL] - calls, rows[i].lists + 1);      /* and the event */
        for (u16 n = 0; n < rows[i].frames; n++)
            CHECK_EQ(vif_sent(&v, n), NETIF_RSP_OKAY);
        DONE_FRONT(f);
    }
    check_context(NULL);
}

/* The same for frames that come together: one switch to domain 0 and back, one list, one event. */
static void test_many_frames_an_interrupt(void)
{
    WITH_FRONT(f);
    struct vif v = vif_connect(&f);
    const u64 *count = f.vm->ledger.count;
    for (u16 n = 0; n < 8; n++)
        vif_offer(&v, DATA_REF + 1, n);
    for (u16 n = 0; n < 8; n++)
        vif_put(&v, DATA_REF, 0, 0, n, 60);
    front_notify(&f, v.port);
    front_pending(&f, v.port);
    u64 calls = count[EV_PV_DRIVER_CALL], copies = count[EV_PV_GRANT_COPY], switches = count[EV_PV_DOMAIN_SWITCH];
    front_deliver(&f);
    CHECK_EQ(count[EV_PV_GRANT_COPY] - copies, 8);
    CHECK_EQ(count[EV_PV_DRIVER_CALL] - calls, 2);
    CHECK_EQ(count[EV_PV_DOMAIN_SWITCH] - switches, 2);
    CHECK(front_pending(&f, v.port));
    for (u16 n = 0; n < 8; n++)
        CHECK_EQ(vif_got(&v, n), 60);
    DONE_FRONT(f);
}

/* No page for it: the frame waits on the wire until the guest offers one. */
static void test_no_page_for_a_frame(void)
{
    WITH_FRONT(f);
    struct vif v = vif_connect(&f);
    vif_send(&v, DATA_REF, 0, 0, 1, 60);
    front_deliver(&f);
    CHECK_EQ(v.rx->rsp_prod, 0);
    vif_offer(&v, DATA_REF + 1, 9);
    CHECK_EQ(v.rx->req_event, 1); /* it asked to be told */
    front_notify(&f, v.port);
    front_deliver(&f);
    CHECK_EQ(vif_got(&v, 9), 60);
    DONE_FRONT(f);
}

static void test_checksum_is_filled_in(void)
{
    WITH_FRONT(f);
    struct vif v = vif_connect(&f);
    u8 frame[60] = { [12] = 8, [14] = 0x45, [17] = 46 - 0, [22] = 64, [23] = 17, [26] = 10, [29] = 1, [30] = 10, [33] = 2,
                     [35] = 7, [37] = 9, [39] = 26, [40] = 0x14, [41] = 0x2e /* pseudo header: 10.0.0.1 + 10.0.0.2 + 17 + 26 */ };
    poke(&f, DATA(0), frame, sizeof frame);
    vif_offer(&v, DATA_REF + 1, 1);
    vif_send(&v, DATA_REF, 0, NETTXF_csum_blank, 1, sizeof frame);
    CHECK_EQ(vif_sent(&v, 1), NETIF_RSP_OKAY);
    front_deliver(&f);
    CHECK_EQ(vif_got(&v, 1), 60);
    /* ports 7 and 9, length 26, the pseudo header's sum: 0x7 + 0x9 + 0x1a + 0x142e = 0x1458 */
    CHECK_EQ(__builtin_bswap16(peek32(&f, DATA(1) + 40)), 0xffff & ~0x1458);
    vif_offer(&v, DATA_REF + 1, 2);
    frame[14] = 0x4f; /* a header that reaches beyond the frame: nothing is written there */
    poke(&f, DATA(0), frame, sizeof frame);
    vif_send(&v, DATA_REF, 0, NETTXF_csum_blank, 2, 40);
    CHECK_EQ(vif_sent(&v, 2), NETIF_RSP_OKAY);
    DONE_FRONT(f);
}

static void test_bad_frames(void)
{
    WITH_FRONT(f);
    struct vif v = vif_connect(&f);
    static const struct { u32 ref; u16 offset, size; } bad[] = {
        { DATA_REF, 4090, 60 }, { DATA_REF, 0xffff, 60 }, { DATA_REF, 0, 4097 }, { DATA_REF, 0, 0xffff }, { DATA_REF, 0, 0 }, { DATA_REF, 0, 13 },
        { 5, 0, 60 }, { 0xffffffff, 0, 60 },
    };
    for (unsigned i = 0; i < ARRAY_LEN(bad); i++) {
        check_context("bad frame %u", i);
        vif_send(&v, bad[i].ref, bad[i].offset, 0, i, bad[i].size);
        CHECK_EQ(vif_sent(&v, i), NETIF_RSP_ERROR);
    }
    check_context(NULL);
    vif_offer(&v, 5, 3);            /* a page that is not granted */
    vif_send(&v, DATA_REF, 0, 0, 99, 60);
    front_deliver(&f);
    CHECK_EQ(vif_got(&v, 3), NETIF_RSP_ERROR);
    CHECK_EQ(front_state(&f, VIF_BACK), XenbusStateConnected);
    CHECK_STR(audit(&f), "");
    vif_send(&v, DATA_REF, 0, NETTXF_more_data, 1, 60);
    CHECK_EQ(front_state(&f, VIF_BACK), XenbusStateClosing);
    CHECK_CONTAINS(store_text(&f.d->xen->store, VIF_BACK "/error"), "pieces");
    DONE_FRONT(f);
}

static void test_mad_network_rings(void)
{
    for (unsigned which = 0; which < 2; which++) {
        WITH_FRONT(f);
        struct vif v = vif_connect(&f);
        (which ? v.rx : v.tx)->req_prod += 257;
        if (which) {
            v.tx->req_prod = 0;
            vif_send(&v, DATA_REF, 0, 0, 1, 60);
            front_deliver(&f);
        } else
            front_notify(&f, v.port);
        CHECK_EQ(front_state(&f, VIF_BACK), XenbusStateClosing);
        front_deliver(&f);
        CHECK(!f.d->ended);
        DONE_FRONT(f);
    }
}

int main(int argc, char **argv)
{
    static const struct check tests[] = {
        { "late-wishes", test_late_wishes },
        { "echo", test_echo },
        { "many-copies-a-hypercall", test_many_copies_a_hypercall },
        { "many-frames-an-interrupt", test_many_frames_an_interrupt },
        { "no-page-for-a-frame", test_no_page_for_a_frame },
        { "checksum-is-filled-in", test_checksum_is_filled_in },
        { "bad-frames", test_bad_frames },
        { "mad-network-rings", test_mad_network_rings },
        { NULL, NULL },
    };
    return check_main(argc, argv, "netback", tests);
}
