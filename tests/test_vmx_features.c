/* SPDX-License-Identifier: MIT */
/* What came to VT-x after 2005, by itself and without a monitor: preemption timer, MSR lists, windows, virtual APIC, posted interrupts. */
#include <stdlib.h>

#include "vmxrig.h"

enum { GDT_AT = 0x2000, IDT_AT = 0x3000, HANDLER_AT = 0x5000, APIC_AT = 0x700000, VECTOR = 0x51 };

static struct machine m;
static struct apic_access apic;
static hpa_t apic_page, list;
static u64 reason(void) { return vmread(&m.x.vmcs, EXIT_REASON); }
static u64 qualification(void) { return vmread(&m.x.vmcs, EXIT_QUALIFICATION); }
static struct cpu_state *st(void) { return &m.g.cpu.state; }

/* Flat segments, and a gate to HANDLER_AT for VECTOR: inc ebx; mov [APIC_AT + EOI], 0; iret. */
static void write_tables(void)
{
    static const u64 gdt[] = { 0, 0x00cf9b000000ffff, 0x00cf93000000ffff };
    static const u8 handler[] = { 0x43, 0xc7, 0x05, 0xb0, 0x00, 0x70, 0x00, 0, 0, 0, 0, 0xcf };
    const u64 gate = (HANDLER_AT & 0xffff) | 8 << 16 | (u64)0x8e00 << 32;
    guest_put(&m.g, GDT_AT, gdt, sizeof gdt);
    guest_put(&m.g, IDT_AT + 8 * VECTOR, &gate, sizeof gate);
    guest_put(&m.g, HANDLER_AT, handler, sizeof handler);
    st()->gdtr.base = GDT_AT;
    st()->gdtr.limit = sizeof gdt - 1;
    st()->idtr.base = IDT_AT;
    st()->idtr.limit = 0x7ff;
}

static void begin(void)
{
    machine_init(&m);
    write_tables();
    list = hostmem_alloc(&m.host);
}

static u64 *ept_entry(gpa_t gpa)
{
    hpa_t table = EPT_FRAME(vmread(&m.x.vmcs, EPT_POINTER));
    for (unsigned level = EPT_LEVELS; level > 1; level--)
        table = EPT_FRAME(hostmem_table(&m.host, table)[ept_index(gpa, level)]);
    return &hostmem_table(&m.host, table)[ept_index(gpa, 1)];
}

static void begin_apic(u32 proc2)
{
    struct error err;
    begin();
    apic = (struct apic_access){ .hpa = hostmem_alloc(&m.host) };
    apic_page = hostmem_alloc(&m.host);
    m.x.apic = &apic;
    *ept_entry(APIC_AT) = apic.hpa | EPT_R | EPT_W | EPT_WB;
    CHECK_EQ(physmap_add_mmio(&m.g.map, "apic-access", vapic_window(apic.hpa), PAGE_SIZE, &vapic_window_ops, &apic, &err), 0);
    vmwrite(&m.x.vmcs, VIRTUAL_APIC_ADDR, apic_page);
    vmwrite(&m.x.vmcs, APIC_ACCESS_ADDR, apic.hpa);
    vmwrite(&m.x.vmcs, PROC_CONTROLS, vmread(&m.x.vmcs, PROC_CONTROLS) | PROC_TPR_SHADOW);
    vmwrite(&m.x.vmcs, PROC2_CONTROLS, vmread(&m.x.vmcs, PROC2_CONTROLS) | PROC2_APIC_ACCESSES | proc2);
}
#define APICV (PROC2_APIC_REGISTERS | PROC2_VIRTUAL_INTERRUPTS)

/* Through what a monitor does not see, up to the next exit. */
static void run_to_exit(void)
{
    enum vmx_outcome o;
    unsigned n = 0;
    do
        o = enter(&m);
    while ((o == VMX_ATTENTION || o == VMX_DEADLINE) && ++n < 20);
    CHECK_EQ(o, VMX_EXIT);
}

/* --- preemption timer (26.5.1) --- */

static void start_timer(u32 value)
{
    vmwrite(&m.x.vmcs, PIN_CONTROLS, vmread(&m.x.vmcs, PIN_CONTROLS) | PIN_TIMER);
    vmwrite(&m.x.vmcs, PREEMPTION_TIMER, value);
}

static void test_timer(void)
{
    begin();
    GUEST_CODE(&m.g, "\xeb\xfe"); /* jmp $ */
    start_timer(100);
    cycles_t before = m.g.clock.now;
    run_to_exit();
    CHECK_EQ(reason(), REASON_PREEMPTION_TIMER);
    CHECK(m.g.clock.now - before >= 100 << PREEMPTION_TIMER_SHIFT && m.g.clock.now - before < 102 << PREEMPTION_TIMER_SHIFT);
    u64 icount = m.g.cpu.icount;
    vmwrite(&m.x.vmcs, PREEMPTION_TIMER, 0);
    run_to_exit();
    CHECK_EQ(reason(), REASON_PREEMPTION_TIMER);
    CHECK_EQ(m.g.cpu.icount, icount); /* it had run out before the first instruction */
    machine_fini(&m);
}

static void test_timer_saved(void)
{
    begin();
    start_timer(1000);
    run_to_exit();
    CHECK_EQ(reason(), REASON_HLT);
    CHECK_EQ(vmread(&m.x.vmcs, PREEMPTION_TIMER), 1000);
    st()->rip = GUEST_CODE_AT;
    vmwrite(&m.x.vmcs, EXIT_CONTROLS, vmread(&m.x.vmcs, EXIT_CONTROLS) | EXIT_SAVE_TIMER);
    run_to_exit();
    CHECK_EQ(vmread(&m.x.vmcs, PREEMPTION_TIMER), 999);
    machine_fini(&m);
}

/* --- MSR lists (27.4, 28.4, 28.6) --- */

struct msr_entry { u32 msr, reserved; u64 value; };
static struct msr_entry *entries(void) { return (struct msr_entry *)hostmem_table(&m.host, list); }

static void test_msr_lists(void)
{
    begin();
    entries()[0] = (struct msr_entry){ 0x174, 0, 0x1234 };
    entries()[1] = (struct msr_entry){ 0x175, 0, 0x5678 };
    entries()[8] = (struct msr_entry){ 0x175, 0, 0 };
    entries()[16] = (struct msr_entry){ 0x174, 0, 0x9 };
    vmwrite(&m.x.vmcs, ENTRY_MSR_LOAD_ADDR, list);
    vmwrite(&m.x.vmcs, ENTRY_MSR_LOAD_COUNT, 2);
    vmwrite(&m.x.vmcs, EXIT_MSR_STORE_ADDR, list + 8 * 16);
    vmwrite(&m.x.vmcs, EXIT_MSR_STORE_COUNT, 1);
    vmwrite(&m.x.vmcs, EXIT_MSR_LOAD_ADDR, list + 16 * 16);
    vmwrite(&m.x.vmcs, EXIT_MSR_LOAD_COUNT, 1);
    GUEST_CODE(&m.g, "\xb9\x74\x01\x00\x00\x0f\x32\xf4"); /* mov ecx, 174h; rdmsr; hlt */
    u8 *bitmap = (u8 *)hostmem_table(&m.host, hostmem_alloc(&m.host));
    vmwrite(&m.x.vmcs, MSR_BITMAP, HOST_POOL_HPA + (bitmap - m.host.base));
    vmwrite(&m.x.vmcs, PROC_CONTROLS, vmread(&m.x.vmcs, PROC_CONTROLS) | PROC_MSR_BITMAPS);
    run_to_exit();
    CHECK_EQ(reason(), REASON_HLT);
    CHECK_EQ(st()->gpr[RAX], 0x1234);
    CHECK_EQ(entries()[8].value, 0x5678);
    CHECK_EQ(st()->sysenter_cs, 0x9);
    machine_fini(&m);
}

static const struct msr_entry malformed[] = {
    { 0xc0000100, 0, 0 }, { 0xc0000101, 0, 0 }, { 0x808, 0, 0 }, { 0x9b, 0, 0 }, { 0x174, 1, 0 }, { 0x12345, 0, 0 }, { 0x277, 0, 0x0202020202020202 },
};

/* The entry fails with the number of the list's entry; nothing of the guest runs. */
static void test_malformed_entry_list(void)
{
    for (unsigned i = 0; i < ARRAY_LEN(malformed); i++) {
        begin();
        check_context("MSR %x", malformed[i].msr);
        entries()[0] = (struct msr_entry){ 0x174, 0, 1 };
        entries()[1] = malformed[i];
        vmwrite(&m.x.vmcs, ENTRY_MSR_LOAD_ADDR, list);
        vmwrite(&m.x.vmcs, ENTRY_MSR_LOAD_COUNT, 2);
        CHECK_EQ(enter(&m), VMX_EXIT);
        CHECK_EQ(reason(), REASON_ENTRY_MSR_LOAD | REASON_ENTRY_FAILURE);
        CHECK_EQ(qualification(), 2);
        CHECK_EQ(m.g.cpu.icount, 0);
        CHECK(!m.x.vmcs.launched);
        machine_fini(&m);
    }
}

/* The qualification is the number of the first bad one, from 1, wherever it is; a list may be too long, or lie where the host has no memory. */
static void test_position(void)
{
    static const struct { u64 bad, count, qualification; bool nowhere; } cases[] = { { 0, 3, 1 }, { 2, 3, 3 }, { 7, 8, 8 }, { 600, 513, 513 }, { 600, 1, 1, true } };
    for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
        begin();
        check_context("case %u", i);
        hostmem_alloc(&m.host);
        hostmem_alloc(&m.host); /* a list of three pages, one behind the other */
        for (unsigned n = 0; n < 256; n++)
            entries()[n] = (struct msr_entry){ n == cases[i].bad ? 0x9b : 0x174, 0, 1 };
        for (unsigned n = 256; n < 520; n++)
            entries()[n] = (struct msr_entry){ 0x174, 0, 1 };
        vmwrite(&m.x.vmcs, ENTRY_MSR_LOAD_ADDR, cases[i].nowhere ? 0x1000 : list);
        vmwrite(&m.x.vmcs, ENTRY_MSR_LOAD_COUNT, cases[i].count);
        CHECK_EQ(enter(&m), VMX_EXIT);
        CHECK_EQ(reason(), REASON_ENTRY_MSR_LOAD | REASON_ENTRY_FAILURE);
        CHECK_EQ(qualification(), cases[i].qualification);
        machine_fini(&m);
    }
}

/* An exit cannot fail: the processor aborts, and does not enter again. */
static void test_malformed_exit_lists(void)
{
    static const struct { enum vmcs_index address, count; enum vmx_abort abort; } lists[] = {
        { VMCSI_EXIT_MSR_STORE_ADDR, VMCSI_EXIT_MSR_STORE_COUNT, ABORT_STORE_MSRS }, { VMCSI_EXIT_MSR_LOAD_ADDR, VMCSI_EXIT_MSR_LOAD_COUNT, ABORT_LOAD_MSRS },
    };
    for (unsigned l = 0; l < ARRAY_LEN(lists); l++) {
        for (unsigned i = 0; i < 6; i++) {
            begin();
            check_context("list %u, MSR %x", l, malformed[i].msr);
            entries()[0] = malformed[i];
            vmcs_write(&m.x.vmcs, lists[l].address, list);
            vmcs_write(&m.x.vmcs, lists[l].count, 1);
            CHECK_EQ(vmx_exit_msrs(&m.x), lists[l].abort);
            CHECK_EQ(enter(&m), VMX_ABORT);
            CHECK_EQ(enter(&m), VMX_ABORT);
            machine_fini(&m);
        }
    }
}

/* --- the window for NMIs --- */

static void test_nmi_window(void)
{
    begin();
    /* pushf; push cs; push 1020h; iret ... 1020h: inc eax; hlt */
    GUEST_CODE(&m.g, "\x9c\x0e\x68\x20\x10\x00\x00\xcf");
    guest_put(&m.g, 0x1020, "\x40\xf4", 2);
    vmwrite(&m.x.vmcs, PIN_CONTROLS, vmread(&m.x.vmcs, PIN_CONTROLS) | PIN_VIRTUAL_NMI);
    vmwrite(&m.x.vmcs, PROC_CONTROLS, vmread(&m.x.vmcs, PROC_CONTROLS) | PROC_NMI_WINDOW);
    st()->nmi_blocked = 1;
    run_to_exit();
    CHECK_EQ(reason(), REASON_NMI_WINDOW);
    CHECK_EQ(st()->rip, 0x1020);
    CHECK_EQ(st()->gpr[RAX], 0);
    run_to_exit(); /* open still: at once */
    CHECK_EQ(reason(), REASON_NMI_WINDOW);
    CHECK_EQ(st()->rip, 0x1020);
    vmwrite(&m.x.vmcs, PROC_CONTROLS, vmread(&m.x.vmcs, PROC_CONTROLS) & ~(u64)PROC_NMI_WINDOW);
    run_to_exit();
    CHECK_EQ(reason(), REASON_HLT);
    machine_fini(&m);
}

/* --- TPR shadow (30.1.2) --- */

static void test_tpr_threshold(void)
{
    begin_apic(0);
    /* mov dword [APIC+80h], 10h; inc eax; hlt */
    GUEST_CODE(&m.g, "\xc7\x05\x80\x00\x70\x00\x10\x00\x00\x00\x40\xf4");
    vapic_write(&m.x, VAPIC_TPR, 0x30);
    vmwrite(&m.x.vmcs, TPR_THRESHOLD, 2);
    run_to_exit();
    CHECK_EQ(reason(), REASON_TPR_THRESHOLD);
    CHECK_EQ(st()->rip, GUEST_CODE_AT + 10); /* a trap: behind the write */
    CHECK_EQ(st()->gpr[RAX], 0);
    CHECK_EQ(vapic_read(&m.x, VAPIC_TPR), 0x10);
    run_to_exit(); /* 27.7.7: it is below at the entry */
    CHECK_EQ(reason(), REASON_TPR_THRESHOLD);
    CHECK_EQ(st()->gpr[RAX], 0);
    vmwrite(&m.x.vmcs, TPR_THRESHOLD, 1);
    run_to_exit();
    CHECK_EQ(reason(), REASON_HLT);
    machine_fini(&m);
}

/* Other registers than the task priority exit, at the instruction, with offset and kind. */
static void test_apic_access(void)
{
    begin_apic(0);
    GUEST_CODE(&m.g, "\xa1\x80\x00\x70\x00\xa1\x20\x00\x70\x00\xf4"); /* mov eax, [APIC+80h]; mov eax, [APIC+20h] */
    vapic_write(&m.x, VAPIC_TPR, 0x77);
    run_to_exit();
    CHECK_EQ(reason(), REASON_APIC_ACCESS);
    CHECK_EQ(qualification(), 0x20);
    CHECK_EQ(st()->gpr[RAX], 0x77);
    CHECK_EQ(st()->rip, GUEST_CODE_AT + 5);
    GUEST_CODE(&m.g, "\xa3\xf0\x00\x70\x00\xf4"); /* mov [APIC+f0h], eax */
    st()->rip = GUEST_CODE_AT;
    run_to_exit();
    CHECK_EQ(reason(), REASON_APIC_ACCESS);
    CHECK_EQ(qualification(), 0x10f0);
    CHECK_EQ(vapic_read(&m.x, 0xf0), 0);
    machine_fini(&m);
}

/* --- APIC-register virtualization (30.4) --- */

static void test_register_virtualization(void)
{
    begin_apic(APICV);
    GUEST_CODE(&m.g, "\xa1\x20\x00\x70\x00\xa3\xf0\x00\x70\x00\x43\xf4"); /* mov eax, [ID]; mov [SVR], eax; inc ebx; hlt */
    vapic_write(&m.x, VAPIC_ID, 0x5000000);
    run_to_exit();
    CHECK_EQ(st()->gpr[RAX], 0x5000000);
    CHECK_EQ(reason(), REASON_APIC_WRITE);
    CHECK_EQ(qualification(), 0xf0);
    CHECK_EQ(vapic_read(&m.x, 0xf0), 0x5000000); /* done already: it is a trap */
    CHECK_EQ(st()->rip, GUEST_CODE_AT + 10);
    CHECK_EQ(st()->gpr[RBX], 0);
    run_to_exit();
    CHECK_EQ(reason(), REASON_HLT);
    CHECK_EQ(st()->gpr[RBX], 1);
    GUEST_CODE(&m.g, "\xa1\x90\x03\x70\x00\xf4"); /* the timer's current count is not in the page */
    st()->rip = GUEST_CODE_AT;
    run_to_exit();
    CHECK_EQ(reason(), REASON_APIC_ACCESS);
    CHECK_EQ(qualification(), 0x390);
    machine_fini(&m);
}

/* --- virtual-interrupt delivery (30.2) --- */

static void pend(u8 vector)
{
    vapic_write(&m.x, VAPIC_IRR + vector / 32 * 16, BIT(vector % 32));
    vmwrite(&m.x.vmcs, GUEST_INTR_STATUS, vector);
}

static void test_delivery(void)
{
    begin_apic(APICV);
    GUEST_CODE(&m.g, "\x40\x40\xfb\x40\x40\xf4"); /* inc eax twice; sti; inc eax twice; hlt */
    pend(VECTOR);
    run_to_exit();
    CHECK_EQ(reason(), REASON_HLT);
    CHECK_EQ(st()->gpr[RBX], 1);
    CHECK_EQ(st()->gpr[RAX], 4);
    CHECK_EQ(m.x.exits[REASON_INTERRUPT_WINDOW], 0);
    CHECK_EQ(m.x.virtual_interrupts, 1);
    CHECK_EQ(vmread(&m.x.vmcs, GUEST_INTR_STATUS), 0);
    CHECK_EQ(vapic_read(&m.x, VAPIC_ISR + VECTOR / 32 * 16), 0); /* its handler ended it, without an exit */
    CHECK_EQ(m.x.exits[REASON_EOI], 0);
    machine_fini(&m);
}

/* The task priority holds it back until it falls. */
static void test_priority(void)
{
    begin_apic(APICV);
    GUEST_CODE(&m.g, "\xfb\x90\x90\xf4\xc7\x05\x80\x00\x70\x00\x40\x00\x00\x00\x90\xf4"); /* sti; nop; nop; hlt; TPR = 40h; nop; hlt */
    vapic_write(&m.x, VAPIC_TPR, 0x60);
    pend(VECTOR);
    run_to_exit();
    CHECK_EQ(st()->gpr[RBX], 0);
    CHECK_EQ(vapic_read(&m.x, VAPIC_PPR), 0x60);
    CHECK_EQ(vmread(&m.x.vmcs, GUEST_INTR_STATUS), VECTOR);
    st()->rip = GUEST_CODE_AT + 4;
    run_to_exit();
    CHECK_EQ(reason(), REASON_HLT);
    CHECK_EQ(st()->gpr[RBX], 1);
    CHECK_EQ(vapic_read(&m.x, VAPIC_PPR), 0x40);
    machine_fini(&m);
}

static void test_self_ipi(void)
{
    begin_apic(APICV);
    GUEST_CODE(&m.g, "\xfb\xc7\x05\x00\x03\x70\x00\x51\x00\x04\x00\x90\x40\xf4"); /* sti; ICR = 40051h; nop; inc eax; hlt */
    run_to_exit();
    CHECK_EQ(reason(), REASON_HLT);
    CHECK_EQ(st()->gpr[RBX], 1);
    CHECK_EQ(m.x.virtual_interrupts, 1);
    CHECK_EQ(m.x.exits[REASON_APIC_WRITE], 0);
    GUEST_CODE(&m.g, "\xc7\x05\x00\x03\x70\x00\x51\x00\x00\x00\xf4"); /* to another processor: the monitor's */
    st()->rip = GUEST_CODE_AT;
    run_to_exit();
    CHECK_EQ(reason(), REASON_APIC_WRITE);
    CHECK_EQ(qualification(), 0x300);
    machine_fini(&m);
}

static void test_eoi_exit(void)
{
    begin_apic(APICV);
    GUEST_CODE(&m.g, "\xfb\x90\x90\xf4");
    vmwrite(&m.x.vmcs, EOI_EXIT_BITMAP1, BIT(VECTOR - 64));
    pend(VECTOR);
    run_to_exit();
    CHECK_EQ(reason(), REASON_EOI);
    CHECK_EQ(qualification(), VECTOR);
    CHECK_EQ(st()->rip, HANDLER_AT + 11);
    run_to_exit();
    CHECK_EQ(reason(), REASON_HLT);
    machine_fini(&m);
}

/* --- posted interrupts (30.6) --- */

static void test_posted(void)
{
    begin_apic(APICV);
    hpa_t at = hostmem_alloc(&m.host);
    struct posted *d = (struct posted *)hostmem_table(&m.host, at);
    vmwrite(&m.x.vmcs, POSTED_INTR_DESC, at);
    vmwrite(&m.x.vmcs, POSTED_INTR_VECTOR, 0xf2);
    vmwrite(&m.x.vmcs, PIN_CONTROLS, vmread(&m.x.vmcs, PIN_CONTROLS) | PIN_POSTED);
    vmwrite(&m.x.vmcs, EXIT_CONTROLS, vmread(&m.x.vmcs, EXIT_CONTROLS) | EXIT_ACK_INTR);
    GUEST_CODE(&m.g, "\xfb\x90\x90\xf4");
    CHECK(posted_request(d, VECTOR));
    CHECK(!posted_request(d, VECTOR)); /* ON is set: one notification is enough */
    CHECK_EQ(d->pir[VECTOR / 64], BIT(VECTOR % 64));
    CHECK(!vapic_notified(&m.x, 0xf1));
    CHECK(vapic_notified(&m.x, 0xf2));
    CHECK_EQ(d->control & POSTED_ON, 0);
    CHECK_EQ(d->pir[VECTOR / 64], 0);
    CHECK_EQ(vmread(&m.x.vmcs, GUEST_INTR_STATUS), VECTOR);
    run_to_exit();
    CHECK_EQ(reason(), REASON_HLT);
    CHECK_EQ(st()->gpr[RBX], 1);
    CHECK_EQ(m.x.posted_interrupts, 1);
    CHECK_EQ(m.x.exits[REASON_EXTERNAL_INTERRUPT], 0);
    machine_fini(&m);
}

/* --- bitmaps (25.6.4, 25.6.9) --- */

static u8 *new_bitmap(enum vmcs_index field)
{
    hpa_t at = hostmem_alloc(&m.host);
    vmcs_write(&m.x.vmcs, field, at);
    return (u8 *)hostmem_table(&m.host, at);
}

static void check_io(u16 port, unsigned size, u16 marked, bool exits)
{
    static const u8 code[] = { 0, 0xe5, 0x66, 0, 0xed };
    begin();
    u8 *a = new_bitmap(VMCSI_IO_BITMAP_A), *b = new_bitmap(VMCSI_IO_BITMAP_B);
    (marked & 0x8000 ? b : a)[(marked & 0x7fff) / 8] |= 1 << marked % 8;
    vmwrite(&m.x.vmcs, PROC_CONTROLS, vmread(&m.x.vmcs, PROC_CONTROLS) | PROC_IO_BITMAPS);
    if (size == 1)
        GUEST_CODE(&m.g, "\xec\xf4");
    else if (size == 2)
        GUEST_CODE(&m.g, "\x66\xed\xf4");
    else
        guest_put(&m.g, GUEST_CODE_AT, (const u8[]){ code[4], 0xf4 }, 2);
    st()->gpr[RDX] = port;
    run_to_exit();
    check_context("port %x, %u bytes, bit of %x", port, size, marked);
    CHECK_EQ(reason(), exits ? REASON_IO : REASON_HLT);
    machine_fini(&m);
}

static void test_io_bitmaps(void)
{
    check_io(0x60, 1, 0x60, true);
    check_io(0x60, 1, 0x61, false);
    check_io(0x60, 2, 0x61, true);
    check_io(0x60, 4, 0x63, true);
    check_io(0x60, 4, 0x64, false);
    check_io(0x7ffe, 4, 0x8001, true); /* over the border of the two bitmaps */
    check_io(0xfffe, 4, 0x1234, true); /* beyond the last port: always */
}

static void test_msr_bitmaps(void)
{
    static const struct { u32 msr; unsigned byte, bit; bool write; } cases[] = {
        { 0x174, 0x174 / 8, 0x174 % 8, false }, { 0xc0000081, 1024 + 0x81 / 8, 0x81 % 8, false }, { 0x174, 2048 + 0x174 / 8, 0x174 % 8, true },
    };
    for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
        for (unsigned marked = 0; marked < 2; marked++) {
            begin();
            u8 *bitmap = new_bitmap(VMCSI_MSR_BITMAP);
            bitmap[cases[i].byte] |= marked << cases[i].bit;
            vmwrite(&m.x.vmcs, PROC_CONTROLS, vmread(&m.x.vmcs, PROC_CONTROLS) | PROC_MSR_BITMAPS);
            st()->gpr[RCX] = cases[i].msr;
            if (cases[i].write)
                GUEST_CODE(&m.g, "\x0f\x30\xf4");
            else
                GUEST_CODE(&m.g, "\x0f\x32\xf4");
            run_to_exit();
            check_context("MSR %x, write %u, marked %u", cases[i].msr, cases[i].write, marked);
            CHECK_EQ(reason() == REASON_RDMSR || reason() == REASON_WRMSR, marked);
            machine_fini(&m);
        }
    }
}

int main(int argc, char **argv)
{
    static const struct check tests[] = {
        { "timer", test_timer },
        { "timer_saved", test_timer_saved },
        { "msr_lists", test_msr_lists },
        { "malformed_entry_list", test_malformed_entry_list },
        { "msr_position", test_position },
        { "malformed_exit_lists", test_malformed_exit_lists },
        { "nmi_window", test_nmi_window },
        { "tpr_threshold", test_tpr_threshold },
        { "apic_access", test_apic_access },
        { "register_virtualization", test_register_virtualization },
        { "delivery", test_delivery },
        { "priority", test_priority },
        { "self_ipi", test_self_ipi },
        { "eoi_exit", test_eoi_exit },
        { "posted", test_posted },
        { "io_bitmaps", test_io_bitmaps },
        { "msr_bitmaps", test_msr_bitmaps },
        { NULL, NULL },
    };
    return check_main(argc, argv, "vmx features", tests);
}
