/* SPDX-License-Identifier: MIT */
/* A processor in VMX operation, with everything in order: guest memory one to one behind EPT, `inc eax; hlt` to run. No monitor. */
#ifndef EMU_TESTS_VMXRIG_H
#define EMU_TESTS_VMXRIG_H

#include "guestcode.h"
#include "hwassist/vmx/vmx.h"

struct machine { struct guest g; struct hostmem host; struct vmx x; };

static inline void map_all(struct machine *m, u64 pages)
{
    struct hostmem *h = &m->host;
    hpa_t root = hostmem_alloc(h), l3 = hostmem_alloc(h), l2 = hostmem_alloc(h);
    hostmem_table(h, root)[0] = l3 | EPT_RWX;
    hostmem_table(h, l3)[0] = l2 | EPT_RWX;
    for (u64 i = 0; i < pages; i++) {
        u64 *e = &hostmem_table(h, l2)[i >> 9];
        if (!*e)
            *e = hostmem_alloc(h) | EPT_RWX;
        hostmem_table(h, EPT_FRAME(*e))[i & 511] = (HOST_GUEST_HPA + i * PAGE_SIZE) | EPT_RWX | EPT_WB;
    }
    vmwrite(&m->x.vmcs, EPT_POINTER, root | EPTP_WB | EPTP_WALK_4);
}

static inline void write_controls(struct vmx *x)
{
    struct vmcs *c = &x->vmcs;
    vmwrite(c, PIN_CONTROLS, x->caps.pin.must | PIN_EXTINT | PIN_NMI);
    vmwrite(c, PROC_CONTROLS, x->caps.proc.must | PROC_HLT | PROC_SECONDARY);
    vmwrite(c, PROC2_CONTROLS, PROC2_EPT | PROC2_UG | PROC2_VPID);
    vmwrite(c, VPID, 1);
    vmwrite(c, EXIT_CONTROLS, x->caps.exit.must | EXIT_HOST_64);
    vmwrite(c, ENTRY_CONTROLS, x->caps.entry.must | ENTRY_LOAD_EFER);
    vmwrite(c, CR0_MASK, CR0_NE);
    vmwrite(c, CR4_MASK, CR4_VMXE);
}

static inline void write_host(struct vmcs *c)
{
    vmwrite(c, HOST_CR0, CR0_PG | CR0_PE | CR0_NE);
    vmwrite(c, HOST_CR4, CR4_PAE | CR4_VMXE);
    vmwrite(c, HOST_CS_SELECTOR, 0x10);
    vmwrite(c, HOST_TR_SELECTOR, 0x40);
    vmwrite(c, HOST_RIP, 0xffffffff80000000);
}

static inline void machine_init(struct machine *m)
{
    guest_init(&m->g, 32);
    memset(&m->x, 0, sizeof m->x);
    struct error err;
    if (hostmem_init(&m->host, &err) < 0)
        abort();
    vmx_init(&m->x, &m->g.cpu, &m->host, FEATURE_ALL);
    if (vmx_begin(&m->x))
        abort();
    write_controls(&m->x);
    write_host(&m->x.vmcs);
    map_all(m, GUEST_RAM >> PAGE_SHIFT);
    m->g.cpu.state.cr0 |= CR0_NE;
    m->g.cpu.state.cr4 |= CR4_VMXE;
    GUEST_CODE(&m->g, "\x40\xf4"); /* inc eax; hlt */
}

static inline void machine_fini(struct machine *m)
{
    vmx_leave(&m->x);
    hostmem_fini(&m->host);
    guest_fini(&m->g);
}

static inline enum vmx_outcome enter(struct machine *m) { return vmx_enter(&m->x, !m->x.vmcs.launched, m->g.clock.now + 1000000, false); }

#endif
