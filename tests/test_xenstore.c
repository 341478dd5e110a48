/* SPDX-License-Identifier: MIT */
/* The store as the guest meets it: every message over the rings, watches, transactions, permissions, quotas, and rings gone mad. */
#include "pvstore.h"

/* --- reading what the tools wrote --- */

static void test_read(void)
{
    WITH(f);
    CHECK_STR(TELL(&f, XS_READ, 0, "domid").text, "1");
    struct store_answer a = TELL(&f, XS_READ, 0, "/local/domain/1/name");
    CHECK_EQ(a.type, XS_READ);
    CHECK_EQ(a.len, 3); /* a value has no NUL */
    CHECK_STR(a.text, "emu");
    CHECK_ERROR(TELL(&f, XS_READ, 0, "device/vbd"), "ENOENT");
    CHECK_ERROR(TELL(&f, XS_READ, 0, "/nowhere"), "EACCES"); /* not even whether it is there */
    CHECK_ERROR(TELL(&f, XS_DIRECTORY, 0, "/local"), "EACCES");
    a = TELL(&f, XS_DIRECTORY, 0, "");
    CHECK_ERROR(a, "EINVAL");
    a = TELL(&f, XS_DIRECTORY, 0, "/local/domain/1/");
    CHECK_EQ(a.type, XS_DIRECTORY);
    CHECK(a.len > 10 && !memcmp(a.text, "name\0domid\0console", 19));
    CHECK_ERROR(TELL(&f, 1000, 0, "domid"), "ENOSYS");
    CHECK_ERROR(TELL(&f, XS_WATCH_EVENT, 0, "domid"), "ENOSYS");
    CHECK_EQ(f.d->shared->evtchn_pending[0] >> f.d->store_port & 1, 1);
    DONE(f);
}

static void test_write(void)
{
    WITH(f);
    CHECK_OK(TELL_OPEN(&f, XS_WRITE, 0, "data/a/b/c\0value"), XS_WRITE);
    CHECK_STR(TELL(&f, XS_READ, 0, "/local/domain/1/data/a/b/c").text, "value");
    CHECK_OK(TELL_OPEN(&f, XS_WRITE, 0, "data/a/b/c\0"), XS_WRITE); /* empty */
    CHECK_EQ(TELL(&f, XS_READ, 0, "data/a/b/c").len, 0);
    CHECK_OK(TELL_OPEN(&f, XS_WRITE, 0, "data/binary\0x\0y\xff"), XS_WRITE);
    CHECK_EQ(TELL(&f, XS_READ, 0, "data/binary").len, 4);
    CHECK_OK(TELL(&f, XS_MKDIR, 0, "data/dir/sub"), XS_MKDIR);
    CHECK_OK(TELL(&f, XS_MKDIR, 0, "data/dir/sub"), XS_MKDIR);
    CHECK_STR(TELL(&f, XS_DIRECTORY, 0, "data/dir").text, "sub");
    CHECK_OK(TELL(&f, XS_RM, 0, "data/a"), XS_RM);
    CHECK_ERROR(TELL(&f, XS_READ, 0, "data/a/b/c"), "ENOENT");
    CHECK_OK(TELL(&f, XS_RM, 0, "data/a"), XS_RM); /* gone already */
    CHECK_ERROR(TELL(&f, XS_RM, 0, "data/a/b/c"), "ENOENT");
    DONE(f);
}

static void test_bad_paths(void)
{
    WITH(f);
    static const char *const bad[] = { "data//a", "data/a b", "data/\x80", "/", "//a", "data/a\n", "data/%s" };
    for (unsigned i = 0; i < ARRAY_LEN(bad); i++) {
        check_context("path '%s'", bad[i]);
        struct store_answer a = store_tell(&f, XS_WRITE, 0, bad[i], strlen(bad[i]) + 1);
        CHECK_EQ(a.type, XS_ERROR);
        CHECK_STR(a.text, strcmp(bad[i], "/") ? "EINVAL" : "EACCES");
    }
    check_context(NULL);
    static char longest[XENSTORE_PAYLOAD_MAX];
    memset(longest, 'x', sizeof longest);
    CHECK_ERROR(store_tell(&f, XS_READ, 0, longest, sizeof longest), "EINVAL");       /* no end */
    longest[XENSTORE_REL_PATH_MAX] = 0;
    CHECK_ERROR(store_tell(&f, XS_READ, 0, longest, XENSTORE_REL_PATH_MAX + 1), "EINVAL");
    memcpy(longest, "data/", 5);
    longest[XENSTORE_REL_PATH_MAX - 1] = 0;
    CHECK_OK(store_tell(&f, XS_WRITE, 0, longest, XENSTORE_REL_PATH_MAX), XS_WRITE);
    CHECK_ERROR(store_tell(&f, XS_READ, 0, "", 0), "EINVAL");
    DONE(f);
}

/* --- permissions --- */

static void test_permissions(void)
{
    WITH(f);
    CHECK_ERROR(TELL_OPEN(&f, XS_WRITE, 0, "domid\0" "7"), "EACCES");
    CHECK_ERROR(TELL_OPEN(&f, XS_WRITE, 0, "/local/domain/0/backend/x\0y"), "EACCES");
    CHECK_ERROR(TELL_OPEN(&f, XS_WRITE, 0, "/tool\0y"), "EACCES");
    CHECK_ERROR(TELL(&f, XS_MKDIR, 0, "device/vbd/1"), "EACCES");
    CHECK_ERROR(TELL(&f, XS_RM, 0, "name"), "EACCES");
    CHECK_ERROR(TELL(&f, XS_RM, 0, "/"), "EINVAL");
    CHECK_ERROR(TELL(&f, XS_SET_PERMS, 0, "name\0b1"), "EACCES");
    struct store_answer a = TELL(&f, XS_GET_PERMS, 0, "name");
    CHECK_EQ(a.type, XS_GET_PERMS);
    CHECK(a.len == 6 && !memcmp(a.text, "n0\0r1", 6));
    CHECK_OK(TELL_OPEN(&f, XS_WRITE, 0, "data/mine\0x"), XS_WRITE);
    a = TELL(&f, XS_GET_PERMS, 0, "data/mine");
    CHECK(a.len == 6 && !memcmp(a.text, "n1\0r0", 6));
    CHECK_OK(TELL(&f, XS_SET_PERMS, 0, "data/mine\0r1\0b0\0w7"), XS_SET_PERMS);
    CHECK_EQ(TELL(&f, XS_GET_PERMS, 0, "data/mine").len, 9);
    CHECK_ERROR(TELL(&f, XS_SET_PERMS, 0, "data/mine\0r0"), "EPERM"); /* given away */
    CHECK_ERROR(TELL(&f, XS_SET_PERMS, 0, "data/mine\0x1"), "EINVAL");
    CHECK_ERROR(TELL(&f, XS_SET_PERMS, 0, "data/mine\0r99999"), "EINVAL");
    CHECK_ERROR(TELL(&f, XS_SET_PERMS, 0, "data/mine\0r"), "EINVAL");
    CHECK_ERROR(TELL_OPEN(&f, XS_SET_PERMS, 0, "data/mine\0r1"), "EINVAL");
    CHECK_ERROR(TELL_OPEN(&f, XS_SET_PERMS, 0, "data/mine\0"), "EINVAL");
    CHECK_ERROR(TELL(&f, XS_SET_PERMS, 0, "data/mine\0n1\0r2\0r3\0r4\0r5\0r6"), "ENOSPC");
    CHECK_ERROR(TELL(&f, XS_RELEASE, 0, "1"), "EACCES");
    CHECK_ERROR(TELL(&f, XS_RESUME, 0, "1"), "EACCES");
    CHECK_ERROR(TELL(&f, XS_INTRODUCE, 0, "1\0" "5\0" "6"), "EACCES");
    CHECK_ERROR(TELL(&f, XS_SET_TARGET, 0, "1\0" "0"), "EACCES");
    CHECK_ERROR(TELL(&f, XS_CONTROL, 0, "print\0x"), "EACCES");
    DONE(f);
}

static void test_domains(void)
{
    WITH(f);
    CHECK_STR(TELL(&f, XS_GET_DOMAIN_PATH, 0, "1").text, "/local/domain/1");
    CHECK_STR(TELL(&f, XS_GET_DOMAIN_PATH, 0, "31000").text, "/local/domain/31000");
    CHECK_ERROR(TELL(&f, XS_GET_DOMAIN_PATH, 0, "x"), "EINVAL");
    CHECK_ERROR(TELL(&f, XS_GET_DOMAIN_PATH, 0, "99999999999999999999"), "EINVAL");
    CHECK_STR(TELL(&f, XS_IS_DOMAIN_INTRODUCED, 0, "1").text, "T");
    CHECK_STR(TELL(&f, XS_IS_DOMAIN_INTRODUCED, 0, "0").text, "T");
    CHECK_STR(TELL(&f, XS_IS_DOMAIN_INTRODUCED, 0, "5").text, "F");
    DONE(f);
}

/* --- watches --- */

static void test_watches(void)
{
    WITH(f);
    struct store_answer a = TELL(&f, XS_WATCH, 0, "data\0tok");
    CHECK_EQ(a.events, 1); /* once when it is set */
    CHECK_STR(a.event, "data tok");
    CHECK_STR(a.text, "OK");
    CHECK_ERROR(TELL(&f, XS_WATCH, 0, "data\0tok"), "EEXIST");
    CHECK_ERROR(TELL_OPEN(&f, XS_WATCH, 0, "data\0tok"), "EINVAL");
    CHECK_ERROR(TELL(&f, XS_WATCH, 0, "data\0a\0b"), "EINVAL");
    a = TELL_OPEN(&f, XS_WRITE, 0, "data/x/y\0" "1");
    CHECK_EQ(a.events, 1);
    CHECK_STR(a.event, "data/x/y tok");
    a = TELL(&f, XS_WATCH, 0, "/local/domain/1/data/x/y\0abs");
    CHECK_STR(a.event, "/local/domain/1/data/x/y abs");
    a = TELL(&f, XS_RM, 0, "data/x"); /* what is above a watched node goes */
    CHECK_EQ(a.events, 2);
    CHECK_STR(a.event, "/local/domain/1/data/x/y abs");
    CHECK_EQ(TELL_OPEN(&f, XS_WRITE, 0, "error/z\0" "1").events, 0);
    CHECK_OK(TELL(&f, XS_UNWATCH, 0, "data\0tok"), XS_UNWATCH);
    CHECK_ERROR(TELL(&f, XS_UNWATCH, 0, "data\0tok"), "ENOENT");
    CHECK_ERROR(TELL(&f, XS_UNWATCH, 0, "data\0abs"), "ENOENT");
    CHECK_EQ(TELL_OPEN(&f, XS_WRITE, 0, "data/q\0" "1").events, 0);
    a = TELL(&f, XS_WATCH, 0, "@releaseDomain\0t");
    CHECK_STR(a.event, "@releaseDomain t");
    CHECK_OK(TELL(&f, XS_RESET_WATCHES, 0, ""), XS_RESET_WATCHES);
    CHECK_EQ(f.d->store.watches, 0);
    DONE(f);
}

/* Of what the guest may not read it hears nothing, though it may set the watch. */
static void test_watch_of_a_secret(void)
{
    WITH(f);
    u8 got[512];
    struct store_answer a = { 0 };
    CHECK_EQ(TELL(&f, XS_WATCH, 0, "/\0all").events, 1);
    store_put(&f.d->xen->store, "/tool/key", "secret");
    store_put(&f.d->xen->store, "/local/domain/1/news", "open");
    store_kick(&f);
    store_take(&a, got, store_collect(&f, got, 0));
    CHECK_EQ(a.events, 1);
    CHECK_STR(a.event, "/local/domain/1/news all");
    CHECK_ERROR(TELL(&f, XS_READ, 0, "/tool/key"), "EACCES");
    DONE(f);
}

/* --- transactions --- */

static void test_transaction(void)
{
    WITH(f);
    u32 t = 0, u = 0;
    CHECK_EQ(TELL(&f, XS_WATCH, 0, "data\0w").events, 1);
    CHECK_EQ(sscanf(TELL(&f, XS_TRANSACTION_START, 0, "").text, "%u", &t), 1);
    CHECK(t);
    CHECK_EQ(TELL_OPEN(&f, XS_WRITE, t, "data/a\0" "1").events, 0);
    CHECK_STR(TELL(&f, XS_READ, t, "data/a").text, "1");
    CHECK_ERROR(TELL(&f, XS_READ, 0, "data/a"), "ENOENT");      /* not seen from outside */
    CHECK_ERROR(TELL(&f, XS_TRANSACTION_START, t, ""), "EBUSY");
    struct store_answer a = TELL(&f, XS_TRANSACTION_END, t, "T");
    CHECK_STR(a.text, "OK");
    CHECK_STR(a.event, "data/a w");
    CHECK_STR(TELL(&f, XS_READ, 0, "data/a").text, "1");
    CHECK_ERROR(TELL(&f, XS_TRANSACTION_END, t, "T"), "ENOENT");

    sscanf(TELL(&f, XS_TRANSACTION_START, 0, "").text, "%u", &t);
    TELL(&f, XS_RM, t, "data/a");
    CHECK_ERROR(TELL(&f, XS_TRANSACTION_END, t, "X"), "EINVAL");
    CHECK_OK(TELL(&f, XS_TRANSACTION_END, t, "F"), XS_TRANSACTION_END); /* given up */
    CHECK_STR(TELL(&f, XS_READ, 0, "data/a").text, "1");

    sscanf(TELL(&f, XS_TRANSACTION_START, 0, "").text, "%u", &t);
    sscanf(TELL(&f, XS_TRANSACTION_START, 0, "").text, "%u", &u);
    CHECK(t != u);
    TELL_OPEN(&f, XS_WRITE, t, "data/a\0" "from t");
    TELL_OPEN(&f, XS_WRITE, u, "data/a\0" "from u");
    CHECK_OK(TELL(&f, XS_TRANSACTION_END, u, "T"), XS_TRANSACTION_END);
    CHECK_ERROR(TELL(&f, XS_TRANSACTION_END, t, "T"), "EAGAIN");
    CHECK_STR(TELL(&f, XS_READ, 0, "data/a").text, "from u");
    CHECK_ERROR(TELL(&f, XS_READ, 12345, "data/a"), "ENOENT");
    CHECK_ERROR(TELL(&f, XS_TRANSACTION_END, 0, "T"), "ENOENT");
    DONE(f);
}

/* --- quotas --- */

static struct store_answer write_numbered(struct fixture *f, u32 tx, unsigned i)
{
    char text[32];
    return store_tell(f, XS_WRITE, tx, text, sprintf(text, "data/n%u", i) + 1);
}

static void test_quotas(void)
{
    WITH(f);
    static char big[3000] = "data/v";
    CHECK_ERROR(store_tell(&f, XS_WRITE, 0, big, 7 + STORE_VALUE_MOST + 1), "ENOSPC");
    CHECK_OK(store_tell(&f, XS_WRITE, 0, big, 7 + STORE_VALUE_MOST), XS_WRITE);
    CHECK_EQ(TELL(&f, XS_READ, 0, "data/v").len, STORE_VALUE_MOST);
    struct store_answer a = { 0 };
    unsigned made = 0;
    while (made < 2000 && (a = write_numbered(&f, 0, made)).type == XS_WRITE)
        made++;
    CHECK_ERROR(a, "ENOSPC");
    CHECK(made > STORE_NODES_MOST - 10 && made < STORE_NODES_MOST);
    CHECK_ERROR(TELL(&f, XS_DIRECTORY, 0, "data"), "E2BIG"); /* more names than a message holds */
    CHECK_OK(write_numbered(&f, 0, 0), XS_WRITE); /* what is there may still be written */
    CHECK_OK(TELL(&f, XS_RM, 0, "data/n1"), XS_RM);
    CHECK_OK(write_numbered(&f, 0, 5000), XS_WRITE);
    for (unsigned i = 0; i < STORE_WATCHES_MOST; i++) {
        char text[32];
        CHECK_STR(store_tell(&f, XS_WATCH, 0, text, sprintf(text, "data/n1%ct%u", 0, i) + 1).text, "OK");
    }
    CHECK_ERROR(TELL(&f, XS_WATCH, 0, "data\0more"), "E2BIG");
    for (unsigned i = 0; i < STORE_TRANSACTIONS_MOST; i++)
        CHECK_EQ(TELL(&f, XS_TRANSACTION_START, 0, "").type, XS_TRANSACTION_START);
    CHECK_ERROR(TELL(&f, XS_TRANSACTION_START, 0, ""), "ENOSPC");
    for (unsigned i = 0; i < STORE_CHANGES_MOST; i++)
        write_numbered(&f, 1, 7);
    CHECK_ERROR(write_numbered(&f, 1, 7), "ENOSPC");
    DONE(f);
}

/* --- the rings --- */

static void test_pieces(void)
{
    WITH(f);
    u8 got[2048];
    struct { struct xsd_sockmsg h; char text[6]; } piece = { { XS_READ, 1, 0, 6 }, "domid" };
    CHECK_EQ(store_ask(&f, &piece, 10, got), 0); /* half a header: it waits */
    CHECK_EQ(store_ask(&f, (u8 *)&piece + 10, sizeof piece.h + 6 - 10, got), sizeof piece.h + 1);
    memcpy(piece.text, "domidx", 6);       /* a path without an end */
    CHECK_EQ(store_ask(&f, &piece, sizeof piece.h + 6, got), sizeof piece.h + 7);
    CHECK_STR((char *)got + sizeof piece.h, "EINVAL");
    DONE(f);
}

/* A guest that asks and does not read: nothing is lost, and nothing more is taken from it until it reads. */
static void test_no_room_for_replies(void)
{
    WITH(f);
    struct xenstore_domain_interface *ring = store_ring_of(&f);
    struct { struct xsd_sockmsg h; char text[6]; } m = { { XS_READ, 1, 0, 6 }, "domid" };
    u32 size = sizeof m.h + 6, n = 0;
    for (u32 i = 0; i < 500; i++)
        if (ring->req_prod - ring->req_cons + size <= XENSTORE_RING_SIZE) {
            for (u32 j = 0; j < size; j++)
                ring->req[MASK_XENSTORE_IDX(ring->req_prod++)] = ((u8 *)&m)[j];
            store_kick(&f);
            n++;
        }
    CHECK_EQ(ring->rsp_prod - ring->rsp_cons, XENSTORE_RING_SIZE);
    static u8 got[65536];
    u32 len = 0, before;
    do {
        before = len;
        len = store_collect(&f, got, len);
        store_kick(&f);
    } while (len != before);
    CHECK_EQ(len, n * (sizeof m.h + 1));
    DONE(f);
}

static void mad(struct fixture *f, u32 why)
{
    CHECK(f->d->store.dead);
    CHECK_EQ(store_ring_of(f)->error, why);
    u32 prod = store_ring_of(f)->rsp_prod;
    store_kick(f);
    CHECK_EQ(store_ring_of(f)->rsp_prod, prod);
    CHECK(!f->d->ended); /* only the store is lost to it */
}

static void test_mad_rings(void)
{
    static const struct { u32 req_ahead, rsp_behind; } wrong[] = { { 1025, 0 }, { 0x80000000, 0 }, { 0xffffffff, 0 }, { 0, 1025 }, { 0, 0x80000001 } };
    for (unsigned i = 0; i < ARRAY_LEN(wrong); i++) {
        WITH(f);
        struct xenstore_domain_interface *ring = store_ring_of(&f);
        check_context("wrong indices %u", i);
        ring->req_prod = ring->req_cons + wrong[i].req_ahead;
        ring->rsp_cons = ring->rsp_prod - wrong[i].rsp_behind;
        store_kick(&f);
        mad(&f, XENSTORE_ERROR_RINGIDX);
        DONE(f);
    }
    check_context(NULL);
}

static void test_mad_lengths(void)
{
    static const u32 lens[] = { XENSTORE_PAYLOAD_MAX + 1, 0x7fffffff, 0xffffffff, 0xfffffff0 };
    for (unsigned i = 0; i < ARRAY_LEN(lens); i++) {
        WITH(f);
        u8 got[64];
        struct xsd_sockmsg h = { XS_READ, 1, 0, lens[i] };
        CHECK_EQ(store_ask(&f, &h, sizeof h, got), 0);
        mad(&f, XENSTORE_ERROR_PROTO);
        DONE(f);
    }
}

/* Events that nobody reads pile up no further than a bound. */
static void test_unread_events(void)
{
    WITH(f);
    struct store_answer a = TELL(&f, XS_WATCH, 0, "data\0w");
    CHECK_EQ(a.events, 1);
    for (u32 i = 0; i < 200000 && !f.d->store.dead; i++)
        store_put(&f.d->xen->store, "/local/domain/1/data/x", "1");
    CHECK(f.d->store.dead);
    CHECK(f.d->store.out_len <= STORE_OUT_MOST);
    DONE(f);
}

/* Domain 0 writes into the ring's page: it must not become a page table under its hands. */
static void test_ring_page_is_held(void)
{
    WITH(f);
    CHECK_EQ(update_va(&f, start_info(&f)->pt_base - 2 * 4096, 0), 0);
    CHECK_EQ(mmuext(&f, MMUEXT_PIN_L1_TABLE, f.d->store_mfn, 0), -XEN_EINVAL);
    CHECK_EQ(mmuext(&f, MMUEXT_PIN_L1_TABLE, f.d->console_mfn, 0), -XEN_EINVAL);
    DONE(f);
}

/* Random bytes in the ring, in random amounts: whatever it is, an answer, an error or silence. */
static void fuzz(unsigned rounds)
{
    WITH(f);
    u64 seed = check_seed();
    struct xenstore_domain_interface *ring = store_ring_of(&f);
    static const char *const paths[] = { "data", "data/a", "device", "/", "/local/domain/0", "name", "@x", "data/a/b/c", "" };
    for (unsigned i = 0; i < rounds && !f.d->store.dead; i++) {
        u8 m[128] = { 0 };
        struct xsd_sockmsg h = { check_random(&seed) % 24, 1, check_random(&seed) % 4 ? 0 : check_random(&seed) % 12, 0 };
        u32 n = sprintf((char *)m, "%s", paths[check_random(&seed) % ARRAY_LEN(paths)]) + 1;
        for (u32 more = check_random(&seed) % 16; more; more--)
            m[n++] = check_random(&seed) % 3 ? (u8)"rnwb01T/"[check_random(&seed) % 8] : check_random(&seed) % 2 ? 0 : (u8)check_random(&seed);
        h.len = check_random(&seed) % 16 ? n : n - 1;
        u8 got[65536], bytes[sizeof h + sizeof m];
        memcpy(bytes, &h, sizeof h);
        memcpy(bytes + sizeof h, m, h.len);
        if (check_random(&seed) % 500 == 0)
            ring->rsp_cons -= check_random(&seed) % 2;
        store_ask(&f, bytes, sizeof h + h.len, got);
    }
    CHECK(!f.d->ended);
    DONE(f);
}

static void test_fuzz(void)
{
    fuzz(getenv("EMU_SOAK") ? 2000000 : 5000);
}

int main(int argc, char **argv)
{
    static const struct check tests[] = {
        { "read", test_read },
        { "write", test_write },
        { "bad-paths", test_bad_paths },
        { "permissions", test_permissions },
        { "domains", test_domains },
        { "watches", test_watches },
        { "watch-of-a-secret", test_watch_of_a_secret },
        { "transaction", test_transaction },
        { "quotas", test_quotas },
        { "pieces", test_pieces },
        { "no-room-for-replies", test_no_room_for_replies },
        { "mad-rings", test_mad_rings },
        { "mad-lengths", test_mad_lengths },
        { "unread-events", test_unread_events },
        { "ring-page-is-held", test_ring_page_is_held },
        { "fuzz", test_fuzz },
        { NULL, NULL },
    };
    return check_main(argc, argv, "xenstore", tests);
}
