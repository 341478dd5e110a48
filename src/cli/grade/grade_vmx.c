/* SPDX-License-Identifier: MIT */
/*
 * Lab 6: VMX operation for a guest of the grader. One modelled processor with one VMCS, 16 MiB of host memory for tables, 1 MiB that its guest may
 * be given. What VMREAD, VMWRITE, VMLAUNCH... are to a monitor, requests are here; the processor is the model's own, unabridged.
 */
#include <stdlib.h>
#include <string.h>

#include "cli/grade/grade_service.h"
#include "hwassist/vmx/vmx.h"

enum { GUEST_MEMORY = 1 << 20 };
#define SLICE ((cycles_t)1 << 20)

/* What a request may fail with beside the manual's numbers: */
enum { HALTED_FOR_EVER = 100 /* HLT that does not exit, and no interrupt will come */, ABORTED = 101, NO_MEMORY = 102 };

struct labvmx {
    struct service *service;
    struct physmap map;             /* guest memory, by hpa - HOST_GUEST_HPA */
    struct clock clock;
    struct profile profile;
    struct ledger ledger;
    struct tracer tracer;
    struct cpu cpu;
    struct hostmem host;
    struct vmx x;
};

static void do_vmread(struct labvmx *v, struct service_request *r) { r->result = vmread_checked(&v->x.vmcs, r->number, &r->value); }
static void do_vmwrite(struct labvmx *v, struct service_request *r) { r->result = vmwrite_checked(&v->x.vmcs, r->number, r->arg); }

static s32 enter(struct labvmx *v, bool launch)
{
    enum vmx_outcome outcome;
    do {
        outcome = vmx_enter(&v->x, launch, v->clock.now + SLICE, false);
        launch = false;
    } while ((outcome == VMX_DEADLINE || outcome == VMX_ATTENTION) && !service_over(v->service));
    switch (outcome) {
    case VMX_FAIL: return vmcs_get(&v->x.vmcs, VMCSI_INSN_ERROR);
    case VMX_HALTED: return HALTED_FOR_EVER;
    case VMX_ABORT: return ABORTED;
    default: return 0;
    }
}

static void do_launch(struct labvmx *v, struct service_request *r) { r->result = enter(v, true); }
static void do_resume(struct labvmx *v, struct service_request *r) { r->result = enter(v, false); }

static void do_clear(struct labvmx *v, struct service_request *r) { v->x.vmcs.launched = false; }

static void do_invept(struct labvmx *v, struct service_request *r) { r->result = vmx_invept(&v->x, r->number, r->arg, 0); }
static void do_invvpid(struct labvmx *v, struct service_request *r) { r->result = vmx_invvpid(&v->x, r->number, (u16)r->fd, r->arg); }

static void do_rdmsr(struct labvmx *v, struct service_request *r) { r->result = vmx_caps_rdmsr(&v->x.caps, r->number, &r->value) ? 0 : -1; }

static void do_alloc(struct labvmx *v, struct service_request *r)
{
    r->value = hostmem_alloc(&v->host);
    r->result = r->value ? 0 : NO_MEMORY;
}

/* 8 bytes of host memory: a table's, or the guest's. */
static u8 *host_word(struct labvmx *v, u64 hpa)
{
    u64 *table = hostmem_table(&v->host, hpa);
    if (hpa % 8)
        return NULL;
    return table ? (u8 *)&table[(hpa & ~PAGE_MASK) / 8] : physmap_ptr(&v->map, hpa - HOST_GUEST_HPA, 8);
}

static void do_load(struct labvmx *v, struct service_request *r)
{
    const u8 *p = host_word(v, r->number);
    r->result = p ? 0 : NO_MEMORY;
    memcpy(&r->value, p ? p : (const u8 *)&r->value, 8);
}

static void do_store(struct labvmx *v, struct service_request *r)
{
    u8 *p = host_word(v, r->number);
    r->result = p ? 0 : NO_MEMORY;
    if (p && hostmem_table(&v->host, r->number))
        memcpy(p, &r->arg, 8);
    else if (p)
        physmap_write(&v->map, r->number - HOST_GUEST_HPA, &r->arg, 8);
}

static void do_get(struct labvmx *v, struct service_request *r) { r->value = v->cpu.state.gpr[r->number & 15]; }
static void do_set(struct labvmx *v, struct service_request *r) { v->cpu.state.gpr[r->number & 15] = r->arg; }

static u64 all_exits(const struct labvmx *v)
{
    u64 n = 0;
    for (unsigned i = 0; i < REASON_COUNT; i++)
        n += v->x.exits[i];
    return n;
}

static void do_count(struct labvmx *v, struct service_request *r)
{
    const u64 counters[] = { v->x.entries, all_exits(v), v->cpu.mmu.walks, v->cpu.mmu.walk_refs, v->x.tlb_flushes, v->x.exits[REASON_EPT_VIOLATION] };
    r->value = r->number < ARRAY_LEN(counters) ? counters[r->number] : 0;
}

static void call(struct service *s, struct service_request *r)
{
    static void (*const calls[])(struct labvmx *v, struct service_request *r) = {
        do_vmread, do_vmwrite, do_launch, do_resume, do_clear, do_invept, do_invvpid, do_rdmsr, do_alloc, do_load, do_store, do_get, do_set, do_count,
    };
    if (r->op < ARRAY_LEN(calls))
        calls[r->op](s->self, r);
    else
        r->result = -1;
}

/* --- what surrounds the processor: nothing --- */

static u64 no_port_read(void *o, u16 port, unsigned size) { return ~(u64)0; }
static void no_port_write(void *o, u16 port, unsigned size, u64 value) { }
static bool no_msr_read(void *o, u32 msr, u64 *value) { return false; }
static bool no_msr_write(void *o, u32 msr, u64 value) { return false; }
static const struct cpu_env nothing = { no_port_read, no_port_write, no_msr_read, no_msr_write, NULL };

/* --- the machine. Its VMCS has nothing in it: what is not written is zero. --- */

static int start_processor(struct labvmx *v, struct error *err)
{
    const struct cpu_model *model = cpu_model_find("core2");
    if (cpu_init(&v->cpu, model, &v->map, &v->clock, &v->ledger, &v->profile, &v->tracer, err))
        return -1;
    v->cpu.env = &nothing;
    memset(&v->cpu.state, 0, offsetof(struct cpu_state, fpu));
    cpu_state_changed(&v->cpu);
    vmx_init(&v->x, &v->cpu, &v->host, FEATURE_EPT | FEATURE_EPT_2M | FEATURE_VPID | FEATURE_UG);
    return vmx_begin(&v->x) ? error_set(err, "grade: no host memory for a VMCS") : 0;
}

static int start(struct service *s, struct error *err)
{
    struct labvmx *v = aligned_alloc(_Alignof(struct labvmx), sizeof *v);
    memset(v, 0, sizeof *v);
    v->service = s;
    if (profile_load(&v->profile, "curriculum", err))
        goto no_profile;
    clock_init(&v->clock, v->profile.value[COMP_CPU_HZ]);
    if (ledger_init(&v->ledger, &v->clock, &v->profile, err) || physmap_init(&v->map, GUEST_MEMORY, err))
        goto no_memory;
    if (!physmap_add_ram(&v->map, "guest", 0, GUEST_MEMORY, err) || hostmem_init(&v->host, err))
        goto no_host;
    if (start_processor(v, err))
        goto no_processor;
    s->self = v;
    s->ledger = &v->ledger;
    return 0;
no_processor:
    hostmem_fini(&v->host);
no_host:
    physmap_fini(&v->map);
no_memory:
    clock_fini(&v->clock);
    profile_fini(&v->profile);
no_profile:
    free(v);
    return -1;
}

static void end(struct service *s)
{
    struct labvmx *v = s->self;
    vmx_leave(&v->x);
    cpu_fini(&v->cpu);
    hostmem_fini(&v->host);
    physmap_fini(&v->map);
    clock_fini(&v->clock);
    profile_fini(&v->profile);
    free(v);
}

const struct service_ops service_vmx = { "vmx", start, call, end };
