/* SPDX-License-Identifier: MIT */
/*
 * Time: the guest reads it from shared memory and the TSC, without asking:
 *
 *     system_time + (((tsc - tsc_timestamp) << tsc_shift) * tsc_to_system_mul >> 32)     in ns
 *
 * and asks to be woken: VIRQ_TIMER from a one-shot or a periodic timer on the virtual clock.
 */
#include <string.h>

#include "paravirt/domain.h"

#define NS_PER_SECOND 1000000000ull

u64 system_time(const struct domain *d)
{
    return clock_cycles_to_ns(&d->vm->clock, d->vm->clock.now);
}

#define FAR_FUTURE ((u64)1 << 60) /* ns, some 36 years: no need to tell later times apart */

cycles_t system_time_to_cycle(const struct domain *d, u64 ns)
{
    return clock_ns_to_cycles(&d->vm->clock, ns < FAR_FUTURE ? ns : FAR_FUTURE);
}

/* mul / 2^32 * 2^shift nanoseconds a tick, with the top bit of mul set. */
static void scale_init(struct vcpu_time_info_x86_32 *t, u64 hz)
{
    s8 shift = 0;
    u64 mul;
    for (; hz > NS_PER_SECOND && shift > -31; shift--)
        hz >>= 1;
    for (; hz && hz <= NS_PER_SECOND / 2 && shift < 31; shift++)
        hz <<= 1;
    mul = (NS_PER_SECOND << 32) / (hz ? hz : 1);
    if (mul > UINT32_MAX) {
        mul >>= 1;
        shift++;
    }
    t->tsc_to_system_mul = mul;
    t->tsc_shift = shift;
}

/* Odd versions say "being written". The guest runs on this very processor, so it never sees one. */
static void time_stamp(struct domain *d)
{
    struct vcpu_time_info_x86_32 *t = &d->v.info->time;
    d->v.time_stamped = d->vm->clock.now;
    t->version = (t->version | 1) + 1;
    t->tsc_timestamp = cpu_read_tsc(domain_cpu(d));
    t->system_time = system_time(d);
    scale_init(t, d->vm->clock.hz);
}

/* Once a second, so that rounding of the scale does not add up. */
void time_refresh(struct domain *d)
{
    if (d->vm->clock.now - d->v.time_stamped >= d->vm->clock.hz)
        time_stamp(d);
}

/* --- timers --- */

static void timer_virq(struct domain *d)
{
    charge(d, EV_PV_VIRQ_TIMER);
    event_raise_virq(d, VIRQ_TIMER);
    cpu_kick(domain_cpu(d));
}

static void on_singleshot(void *opaque, cycles_t when) { timer_virq(opaque); }

static void on_periodic(void *opaque, cycles_t when)
{
    struct domain *d = opaque;
    timer_set(&d->vm->clock, &d->v.periodic, when + d->v.period);
    timer_virq(d);
}

static void on_poll_timeout(void *opaque, cycles_t when)
{
    struct domain *d = opaque;
    vcpu_wake(d);
    cpu_kick(domain_cpu(d));
}

void time_init(struct domain *d)
{
    d->v.singleshot = (struct timer){ .fire = on_singleshot, .opaque = d };
    d->v.periodic = (struct timer){ .fire = on_periodic, .opaque = d };
    d->v.poll_timeout = (struct timer){ .fire = on_poll_timeout, .opaque = d };
    d->shared->wc_sec = d->vm->platform.rtc_base;
    d->shared->arch.wc_sec_hi = (u64)d->vm->platform.rtc_base >> 32;
    d->shared->wc_version = 2;
    time_stamp(d);
}

void time_fini(struct domain *d)
{
    timer_cancel(&d->vm->clock, &d->v.singleshot);
    timer_cancel(&d->vm->clock, &d->v.periodic);
    timer_cancel(&d->vm->clock, &d->v.poll_timeout);
}

s32 do_set_timer_op(struct domain *d, const u32 arg[6])
{
    u64 ns = arg[0] | (u64)arg[1] << 32;
    if (ns)
        timer_set(&d->vm->clock, &d->v.singleshot, system_time_to_cycle(d, ns));
    else
        timer_cancel(&d->vm->clock, &d->v.singleshot);
    return 0;
}

/* --- runstate: where the virtual processor's time went --- */

static struct vcpu_runstate_info32 runstate_info(struct domain *d)
{
    struct vcpu_runstate_info32 r = { .state = d->v.runstate, .state_entry_time = d->v.runstate_since };
    memcpy(r.time, d->v.runstate_time, sizeof r.time);
    r.time[d->v.runstate] += system_time(d) - d->v.runstate_since;
    return r;
}

/* The copy that the guest asked for is best effort: if its page is gone, so is the news. */
void runstate_change(struct domain *d, u8 state)
{
    u64 now = system_time(d);
    d->v.runstate_time[d->v.runstate] += now - d->v.runstate_since;
    d->v.runstate_since = now;
    d->v.runstate = state;
    if (d->v.runstate_area) {
        struct vcpu_runstate_info32 r = runstate_info(d);
        copy_to_guest(d, d->v.runstate_area, &r, sizeof r);
    }
}

/* --- vcpu_op --- */

static s32 op_initialise(struct domain *d, u32 gva) { return -XEN_EEXIST; } /* the one there is runs already */
static s32 op_up(struct domain *d, u32 gva) { return 0; }
static s32 op_is_up(struct domain *d, u32 gva) { return 1; }

/* The last virtual processor stops: nothing can ever wake it. */
static s32 op_down(struct domain *d, u32 gva)
{
    domain_end(d, EXIT_STOPPED, "the guest took its only virtual processor down");
    return 0;
}

static s32 op_runstate(struct domain *d, u32 gva)
{
    struct vcpu_runstate_info32 r = runstate_info(d);
    return copy_to_guest(d, gva, &r, sizeof r);
}

static s32 op_runstate_area(struct domain *d, u32 gva)
{
    u32 area;
    if (copy_from_guest(d, &area, gva, sizeof area) < 0)
        return -XEN_EFAULT;
    struct vcpu_runstate_info32 r = runstate_info(d);
    if (area && copy_to_guest(d, area, &r, sizeof r) < 0)
        return -XEN_EFAULT;
    d->v.runstate_area = area;
    return 0;
}

static s32 op_set_periodic(struct domain *d, u32 gva)
{
    u64 ns;
    if (copy_from_guest(d, &ns, gva, sizeof ns) < 0)
        return -XEN_EFAULT;
    if (ns < 1000000) /* Xen takes none shorter than a millisecond */
        return -XEN_EINVAL;
    d->v.period = system_time_to_cycle(d, ns);
    timer_set(&d->vm->clock, &d->v.periodic, d->vm->clock.now + d->v.period);
    return 0;
}

static s32 op_stop_periodic(struct domain *d, u32 gva)
{
    timer_cancel(&d->vm->clock, &d->v.periodic);
    return 0;
}

static s32 op_set_singleshot(struct domain *d, u32 gva)
{
    struct vcpu_singleshot32 s;
    if (copy_from_guest(d, &s, gva, sizeof s) < 0)
        return -XEN_EFAULT;
    if (s.flags & VCPU_SSHOTTMR_future && s.timeout_abs_ns < system_time(d))
        return -XEN_ETIME;
    timer_set(&d->vm->clock, &d->v.singleshot, system_time_to_cycle(d, s.timeout_abs_ns));
    return 0;
}

static s32 op_stop_singleshot(struct domain *d, u32 gva)
{
    timer_cancel(&d->vm->clock, &d->v.singleshot);
    return 0;
}

/* vcpu_info moves to a page of the guest's. The page stays writable for ever: it holds a reference that is never given back. */
static s32 op_register_vcpu_info(struct domain *d, u32 gva)
{
    struct vcpu_register_vcpu_info r;
    if (copy_from_guest(d, &r, gva, sizeof r) < 0)
        return -XEN_EFAULT;
    if (d->v.info != &d->shared->vcpu_info[0] || r.offset > PAGE_SIZE - sizeof(vcpu_info32) || r.offset & 3)
        return -XEN_EINVAL;
    int rc = frame_get_type(d, r.mfn, TYPE_WRITABLE);
    if (rc < 0)
        return rc;
    vcpu_info32 *info = (vcpu_info32 *)(frame_hva(d, r.mfn) + r.offset);
    *info = *d->v.info;
    info->evtchn_upcall_pending = 1; /* whatever was missed on the way is looked at */
    info->evtchn_pending_sel = ~0u;
    d->v.info = info;
    d->v.info_mfn = r.mfn;
    physmap_written(&d->vm->map, maddr(r.mfn), PAGE_SIZE);
    return 0;
}

s32 do_vcpu_op(struct domain *d, const u32 arg[6])
{
    static s32 (*const handler[])(struct domain *, u32) = {
        [VCPUOP_initialise] = op_initialise, [VCPUOP_up] = op_up, [VCPUOP_down] = op_down, [VCPUOP_is_up] = op_is_up,
        [VCPUOP_get_runstate_info] = op_runstate, [VCPUOP_register_runstate_memory_area] = op_runstate_area,
        [VCPUOP_set_periodic_timer] = op_set_periodic, [VCPUOP_stop_periodic_timer] = op_stop_periodic,
        [VCPUOP_set_singleshot_timer] = op_set_singleshot, [VCPUOP_stop_singleshot_timer] = op_stop_singleshot,
        [VCPUOP_register_vcpu_info] = op_register_vcpu_info,
    };
    if (arg[1])
        return -XEN_ENOENT;
    if (arg[0] >= ARRAY_LEN(handler) || !handler[arg[0]])
        return -XEN_ENOSYS;
    return handler[arg[0]](d, arg[2]);
}
