/* SPDX-License-Identifier: MIT */
/* Rings and requests at random: answers, errors, a closed device; never anything else. */
#include "pvfront.h"

static void scribble(struct fixture *f, struct ring_page *page, u64 *seed)
{
    u32 *word = (u32 *)page;
    unsigned n = check_random(seed) % 4;
    page->req_prod += check_random(seed) % 16 ? check_random(seed) % 5 : check_random(seed);
    for (unsigned i = 0; i < n; i++)
        word[16 + check_random(seed) % 1000] = check_random(seed) % 2 ? check_random(seed) % 64 : check_random(seed);
    if (check_random(seed) % 64 == 0)
        word[check_random(seed) % 4] = check_random(seed);
    if (check_random(seed) % 32 == 0)
        front_grant(f, check_random(seed) % 64, check_random(seed), PAGE(check_random(seed) % 30));
}

static void start_over(struct fixture *f, const char *front)
{
    front_put(f, front, "state", XenbusStateClosed);
    front_put(f, front, "state", XenbusStateInitialising);
    front_grant(f, RING_REF, GTF_permit_access, RING_PAGE);
    front_grant(f, RING_REF + 1, GTF_permit_access, RING_PAGE2);
}

static void fuzz(unsigned rounds, bool network)
{
    WITH_FRONT(f);
    u64 seed = check_seed();
    for (unsigned i = 0; i < rounds && !f.d->ended; i++) {
        start_over(&f, network ? VIF : FRONT);
        struct blk b = { 0 };
        struct vif v = { 0 };
        if (network)
            v = vif_connect(&f);
        else
            b = blk_connect(&f);
        u32 port = network ? v.port : b.port;
        for (unsigned k = 0; k < 40; k++) {
            scribble(&f, network ? v.tx : b.page, &seed);
            if (network)
                scribble(&f, v.rx, &seed);
            front_notify(&f, port);
            front_deliver(&f);
        }
        front_put(&f, network ? VIF : FRONT, "state", check_random(&seed) % 8);
        poke(&f, OP, &port, 4);
        call(&f, __HYPERVISOR_event_channel_op, EVTCHNOP_close, OP, 0, 0);
        if (i % 16 == 0 && !CHECK_STR(audit(&f), ""))
            break;
    }
    CHECK(!f.d->ended);
    DONE_FRONT(f);
}

static unsigned fuzz_rounds(void) { return check_rounds(200); }
static void test_fuzz_disk(void) { fuzz(fuzz_rounds(), false); }
static void test_fuzz_network(void) { fuzz(fuzz_rounds(), true); }

int main(int argc, char **argv)
{
    static const struct check tests[] = {
        { "fuzz-disk", test_fuzz_disk },
        { "fuzz-network", test_fuzz_network },
        { NULL, NULL },
    };
    return check_main(argc, argv, "rings at random", tests);
}
