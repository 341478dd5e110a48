/* SPDX-License-Identifier: MIT */
/* The small Xen: event channels, time, the console, blocking. */
#include "pvtest.h"

static void test_event_ports(void)
{
    WITH(f);
    struct evtchn_bind_virq v = { VIRQ_TIMER, 0, 0 };
    CHECK_EQ(EVENT_OP(f, EVTCHNOP_bind_virq, v), 0);
    u32 port = v.port;
    CHECK(port > f.d->console_port);
    CHECK_EQ(EVENT_OP(f, EVTCHNOP_bind_virq, v), -XEN_EEXIST);
    v.virq = NR_VIRQS;
    CHECK_EQ(EVENT_OP(f, EVTCHNOP_bind_virq, v), -XEN_EINVAL);
    v = (struct evtchn_bind_virq){ VIRQ_DEBUG, 1, 0 };
    CHECK_EQ(EVENT_OP(f, EVTCHNOP_bind_virq, v), -XEN_ENOENT);
    struct evtchn_status s = { DOMID_SELF, port };
    CHECK_EQ(EVENT_OP(f, EVTCHNOP_status, s), 0);
    CHECK_EQ(s.status, EVTCHNSTAT_virq);
    s.port = PV_PORTS;
    CHECK_EQ(EVENT_OP(f, EVTCHNOP_status, s), -XEN_EINVAL);
    s.dom = 0;
    CHECK_EQ(EVENT_OP(f, EVTCHNOP_status, s), -XEN_EPERM);
    s.dom = 3;
    CHECK_EQ(EVENT_OP(f, EVTCHNOP_status, s), -XEN_ESRCH);  /* there is no such domain */
    struct evtchn_send send = { port };
    CHECK_EQ(EVENT_OP(f, EVTCHNOP_send, send), -XEN_EINVAL); /* a virq is not the guest's to send */
    send.port = 0xffffffff;
    CHECK_EQ(EVENT_OP(f, EVTCHNOP_send, send), -XEN_EINVAL);
    struct evtchn_close c = { port };
    CHECK_EQ(EVENT_OP(f, EVTCHNOP_close, c), 0);
    CHECK_EQ(EVENT_OP(f, EVTCHNOP_close, c), -XEN_EINVAL);
    struct evtchn_bind_pirq p = { 1, 0, 0 };
    CHECK_EQ(EVENT_OP(f, EVTCHNOP_bind_pirq, p), -XEN_EPERM);
    CHECK_EQ(call(&f, __HYPERVISOR_event_channel_op, 99, PAGE(40), 0, 0), -XEN_ENOSYS);
    CHECK_EQ(call(&f, __HYPERVISOR_event_channel_op, EVTCHNOP_send, 0, 0, 0), -XEN_EFAULT);
    DONE(f);
}

static void test_event_masks(void)
{
    WITH(f);
    struct evtchn_bind_ipi b = { 0, 0 };
    CHECK_EQ(EVENT_OP(f, EVTCHNOP_bind_ipi, b), 0);
    struct evtchn_send send = { b.port };
    struct evtchn_unmask u = { b.port };
    CHECK_EQ(EVENT_OP(f, EVTCHNOP_send, send), 0);
    CHECK_EQ(f.d->shared->evtchn_pending[0] >> b.port & 1, 1);
    CHECK_EQ(f.d->v.info->evtchn_upcall_pending, 0);    /* masked at its source */
    CHECK_EQ(EVENT_OP(f, EVTCHNOP_unmask, u), 0);
    CHECK_EQ(f.d->v.info->evtchn_upcall_pending, 1);
    CHECK_EQ(f.d->v.info->evtchn_pending_sel, 1);
    CHECK(!event_pending(f.d));                         /* held off by the vcpu's mask */
    f.d->v.info->evtchn_upcall_mask = 0;
    CHECK(event_pending(f.d));
    u.port = 999;
    CHECK_EQ(EVENT_OP(f, EVTCHNOP_unmask, u), -XEN_EINVAL);
    DONE(f);
}

static void test_event_loopback_and_exhaustion(void)
{
    WITH(f);
    struct evtchn_alloc_unbound a = { DOMID_SELF, DOMID_SELF, 0 };
    CHECK_EQ(EVENT_OP(f, EVTCHNOP_alloc_unbound, a), 0);
    struct evtchn_bind_interdomain b = { DOMID_SELF, a.port, 0 };
    CHECK_EQ(EVENT_OP(f, EVTCHNOP_bind_interdomain, b), 0);
    CHECK_EQ(EVENT_OP(f, EVTCHNOP_bind_interdomain, b), -XEN_EINVAL);
    struct evtchn_send send = { b.local_port };
    CHECK_EQ(EVENT_OP(f, EVTCHNOP_send, send), 0);
    CHECK_EQ(f.d->shared->evtchn_pending[0] >> a.port & 1, 1); /* at the other end */
    b.remote_dom = 0;
    CHECK_EQ(EVENT_OP(f, EVTCHNOP_bind_interdomain, b), -XEN_ESRCH);
    s32 rc;
    unsigned n = 0;
    while ((rc = EVENT_OP(f, EVTCHNOP_alloc_unbound, a)) == 0 && n < 2 * PV_PORTS)
        n++;
    CHECK_EQ(rc, -XEN_ENOSPC);
    CHECK_EQ(n, PV_PORTS - 1 - 4);
    struct evtchn_reset r = { DOMID_SELF };
    CHECK_EQ(EVENT_OP(f, EVTCHNOP_reset, r), 0);
    CHECK_EQ(EVENT_OP(f, EVTCHNOP_alloc_unbound, a), 0);
    DONE(f);
}

static void test_time(void)
{
    WITH(f);
    const struct vcpu_time_info_x86_32 *t = &f.d->v.info->time;
    CHECK_EQ(t->version & 1, 0);
    CHECK(t->tsc_to_system_mul >> 31);
    u64 ticks = 1000000, shifted = t->tsc_shift < 0 ? ticks >> -t->tsc_shift : ticks << t->tsc_shift;
    u64 ns = (unsigned __int128)shifted * t->tsc_to_system_mul >> 32, want = clock_cycles_to_ns(&f.vm->clock, ticks);
    CHECK(ns + 2 >= want && ns <= want + 2);
    struct evtchn_bind_virq v = { VIRQ_TIMER, 0, 0 };
    CHECK_EQ(EVENT_OP(f, EVTCHNOP_bind_virq, v), 0);
    u64 at = system_time(f.d) + 1000000;
    CHECK_EQ(call(&f, __HYPERVISOR_set_timer_op, at, at >> 32, 0, 0), 0);
    clock_run_due(&f.vm->clock);
    CHECK_EQ(f.d->shared->evtchn_pending[0] >> v.port & 1, 0);
    clock_advance(&f.vm->clock, clock_ns_to_cycles(&f.vm->clock, 1000001));
    clock_run_due(&f.vm->clock);
    CHECK_EQ(f.d->shared->evtchn_pending[0] >> v.port & 1, 1);
    CHECK_EQ(f.vm->ledger.count[EV_PV_VIRQ_TIMER], 1);
    DONE(f);
}

static void test_vcpu_op(void)
{
    WITH(f);
    CHECK_EQ(call(&f, __HYPERVISOR_vcpu_op, VCPUOP_is_up, 0, 0, 0), 1);
    CHECK_EQ(call(&f, __HYPERVISOR_vcpu_op, VCPUOP_is_up, 1, 0, 0), -XEN_ENOENT);
    CHECK_EQ(call(&f, __HYPERVISOR_vcpu_op, VCPUOP_get_runstate_info, 0, PAGE(0), 0), 0);
    CHECK_EQ(call(&f, __HYPERVISOR_vcpu_op, VCPUOP_get_runstate_info, 0, 0x1000, 0), -XEN_EFAULT);
    poke64(&f, PAGE(0), 999999);
    CHECK_EQ(call(&f, __HYPERVISOR_vcpu_op, VCPUOP_set_periodic_timer, 0, PAGE(0), 0), -XEN_EINVAL);
    struct vcpu_singleshot32 s = { 0, VCPU_SSHOTTMR_future };
    clock_advance(&f.vm->clock, 1000);
    poke(&f, PAGE(0), &s, sizeof s);
    CHECK_EQ(call(&f, __HYPERVISOR_vcpu_op, VCPUOP_set_singleshot_timer, 0, PAGE(0), 0), -XEN_ETIME);
    struct vcpu_register_vcpu_info r = { f.d->pool[0], 0, 0 };
    poke(&f, PAGE(0), &r, sizeof r);
    CHECK_EQ(call(&f, __HYPERVISOR_vcpu_op, VCPUOP_register_vcpu_info, 0, PAGE(0), 0), -XEN_EINVAL); /* Xen's frame */
    r = (struct vcpu_register_vcpu_info){ mfn_of(&f, PAGE(1)), 4096 - 32, 0 };
    poke(&f, PAGE(0), &r, sizeof r);
    CHECK_EQ(call(&f, __HYPERVISOR_vcpu_op, VCPUOP_register_vcpu_info, 0, PAGE(0), 0), -XEN_EINVAL); /* over the page's end */
    r.offset = 64;
    poke(&f, PAGE(0), &r, sizeof r);
    CHECK_EQ(call(&f, __HYPERVISOR_vcpu_op, VCPUOP_register_vcpu_info, 0, PAGE(0), 0), 0);
    CHECK_EQ(peek32(&f, PAGE(1) + 64) & 0xffff, 0x101); /* pending, and masked as it was */
    CHECK_EQ(call(&f, __HYPERVISOR_vcpu_op, VCPUOP_register_vcpu_info, 0, PAGE(0), 0), -XEN_EINVAL); /* once only */
    poke32(&f, PAGE(0), PAGE(2));
    CHECK_EQ(call(&f, __HYPERVISOR_vcpu_op, VCPUOP_register_runstate_memory_area, 0, PAGE(0), 0), 0);
    CHECK_EQ(peek32(&f, PAGE(2)), RUNSTATE_running);
    runstate_change(f.d, RUNSTATE_blocked);
    CHECK_EQ(peek32(&f, PAGE(2)), RUNSTATE_blocked);
    CHECK_EQ(call(&f, __HYPERVISOR_set_timer_op, ~0u, ~0u, 0, 0), 0); /* for ever */
    CHECK(f.d->v.singleshot.when > f.vm->clock.now);
    CHECK_EQ(call(&f, __HYPERVISOR_vcpu_op, 99, 0, 0, 0), -XEN_ENOSYS);
    DONE(f);
}

static void test_console(void)
{
    WITH(f);
    struct xencons_interface *ring = f.d->console;
    struct evtchn_send send = { f.d->console_port };
    memcpy(ring->out + 2045, "abc", 3);
    memcpy(ring->out, "def", 3);
    ring->out_cons = 0xfffffffd; /* indices wrap on their way */
    ring->out_prod = 3;
    CHECK_EQ(EVENT_OP(f, EVTCHNOP_send, send), 0);
    CHECK_STR(fixture_output(&f), "abcdef");
    CHECK_EQ(ring->out_cons, 3);
    ring->out_prod = 3 + 2049; /* more than it can hold */
    CHECK_EQ(EVENT_OP(f, EVTCHNOP_send, send), 0);
    CHECK_STR(fixture_output(&f), "abcdef");
    chardev_buffer_feed(f.console, "xy", 2);
    CHECK_EQ(ring->in_prod, 2);
    CHECK(!memcmp(ring->in, "xy", 2));
    poke(&f, PAGE(0), "hello", 5);
    CHECK_EQ(call(&f, __HYPERVISOR_console_io, CONSOLEIO_write, 5, PAGE(0), 0), 0);
    CHECK_STR(fixture_output(&f), "abcdefhello");
    CHECK_EQ(call(&f, __HYPERVISOR_console_io, CONSOLEIO_write, 5, 0x1000, 0), -XEN_EFAULT);
    CHECK_EQ(call(&f, __HYPERVISOR_console_io, CONSOLEIO_write, 0xffffffff, PAGE(0), 0), -XEN_EINVAL);
    CHECK_EQ(call(&f, __HYPERVISOR_console_io, 5, 5, PAGE(0), 0), -XEN_ENOSYS);
    DONE(f);
}

static void test_sched(void)
{
    WITH(f);
    CHECK_EQ(call(&f, __HYPERVISOR_sched_op, SCHEDOP_yield, 0, 0, 0), 0);
    CHECK_EQ(call(&f, __HYPERVISOR_sched_op, SCHEDOP_block, 0, 0, 0), 0);
    CHECK(f.d->v.blocked);
    CHECK_EQ(f.d->v.info->evtchn_upcall_mask, 0);
    f.d->shared->evtchn_mask[0] = 0;
    event_set_pending(f.d, 1);
    CHECK(!f.d->v.blocked);
    struct sched_poll32 p = { PAGE(1), 1, 0 };
    poke(&f, PAGE(0), &p, sizeof p);
    poke32(&f, PAGE(1), PV_PORTS);
    CHECK_EQ(call(&f, __HYPERVISOR_sched_op, SCHEDOP_poll, PAGE(0), 0, 0), -XEN_EINVAL);
    poke32(&f, PAGE(1), 1);
    CHECK_EQ(call(&f, __HYPERVISOR_sched_op, SCHEDOP_poll, PAGE(0), 0, 0), 0);
    CHECK(!f.d->v.blocked); /* it is pending already */
    poke32(&f, PAGE(0) + 4, 1000);
    CHECK_EQ(call(&f, __HYPERVISOR_sched_op, SCHEDOP_poll, PAGE(0), 0, 0), -XEN_EINVAL);
    CHECK_EQ(call(&f, __HYPERVISOR_sched_op, 99, 0, 0, 0), -XEN_ENOSYS);
    poke32(&f, PAGE(0), 99);
    CHECK_EQ(call(&f, __HYPERVISOR_sched_op, SCHEDOP_shutdown, PAGE(0), 0, 0), -XEN_EINVAL);
    CHECK(!f.d->ended);
    CHECK_EQ(call(&f, __HYPERVISOR_sched_op_compat, SCHEDOP_shutdown, SHUTDOWN_poweroff, 0, 0), 0);
    CHECK_EQ(f.d->end, EXIT_POWEROFF);
    DONE(f);
}

int main(int argc, char **argv)
{
    static const struct check tests[] = {
        { "event-ports", test_event_ports },
        { "event-masks", test_event_masks },
        { "event-loopback-and-exhaustion", test_event_loopback_and_exhaustion },
        { "time", test_time },
        { "vcpu-op", test_vcpu_op },
        { "console", test_console },
        { "sched", test_sched },
        { NULL, NULL },
    };
    return check_main(argc, argv, "events and time", tests);
}
