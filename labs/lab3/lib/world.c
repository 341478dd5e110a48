/* SPDX-License-Identifier: MIT */
#include "world.h"

enum { MONITOR_MEMORY_ENTRY = GUEST_BASE >> 22, POOL = GUEST_BASE + 0x100000, POOL_LAST = POOL + SHADOW_PAGES * 4096, KERNEL_CODE = 8, VECTOR_PF = 14 };
enum { MAX_FILLS = 4 /* of one access */, GUEST_FRAMES = GUEST_SIZE >> 12 };

enum op { CR3, LOAD, STORE, INVLPG };
struct step { u8 op; _Bool user; u32 gva, value; };
struct outcome { u32 value; _Bool faulted; };

static struct step steps[MAX_STEPS];
static struct outcome native_outcome[MAX_STEPS];
static u32 native_memory[GUEST_SIZE / 4];
static u32 nsteps, seed, memory_table[1024] __attribute__((aligned(4096)));
static u8 pool_used[SHADOW_PAGES];

/* The run that is going on. */
static _Bool native, in_guest;
static struct outcome now;
static u32 fills, hidden, traced, true_faults;
static const char *trouble;

/* --- memory --- */

/* A permutation of frames: 37 and 128 have no divisor in common. */
u32 host_frame(u32 gpa)
{
    u32 n = (gpa - GUEST_BASE) >> 12;
    if (n >= GUEST_FRAMES) {
        print("host_frame(%x): that is not a guest-physical address\n", gpa);
        kernel_panic("a bad gpa");
    }
    return native ? FRAME(gpa) : GUEST_BASE + (n * 37 + 11) % GUEST_FRAMES * 4096;
}

u32 *guest_page(u32 gpa) { return (u32 *)host_frame(gpa); }

static u32 *guest_word(u32 gpa) { return guest_page(gpa) + (gpa & 0xfff) / 4; }

u32 *shadow_page_alloc(void)
{
    for (u32 i = 0; i < SHADOW_PAGES; i++) {
        u32 *page = (u32 *)(POOL + i * 4096);
        if (pool_used[i])
            continue;
        pool_used[i] = 1;
        for (u32 k = 0; k < 1024; k++)
            page[k] = 0;
        return page;
    }
    return 0;
}

static void load_cr3(u32 directory) { __asm__ volatile("mov %0, %%cr3" : : "r"(directory) : "memory"); }

static u32 read_cr3(void)
{
    u32 cr3;
    __asm__ volatile("mov %%cr3, %0" : "=r"(cr3));
    return cr3;
}

void shadow_page_free(u32 *page)
{
    u32 i = ((u32)page - POOL) >> 12;
    if (i >= SHADOW_PAGES || !pool_used[i])
        kernel_panic("shadow_page_free() of a page that is not in use");
    pool_used[i] = 0;
    if (read_cr3() == (u32)page)
        load_cr3((u32)page_directory);
}

static void add_monitor(u32 *directory)
{
    directory[0] = page_directory[0];
    directory[MONITOR_MEMORY_ENTRY] = page_directory[MONITOR_MEMORY_ENTRY];
}

void shadow_activate(u32 *directory)
{
    if ((u32)directory < POOL || (u32)directory >= POOL_LAST)
        kernel_panic("shadow_activate() of what is no shadow page");
    add_monitor(directory);
    load_cr3((u32)directory);
}

/* --- the guest's instructions --- */

u32 world_kernel_access(u32 gva, u32 value, u32 write);
void world_user_access(u32 write);
void world_page_fault(void);
USER_DATA u32 world_user_gva, world_user_value;

struct frame { u32 es, ds, edi, esi, ebp, esp, ebx, edx, ecx, eax, error, eip, cs, eflags; };
_Noreturn void exception_report(const u32 *frame);

static void step_over(struct frame *f) { f->eip += 2; }

static void true_fault(struct frame *f, u32 error)
{
    now = (struct outcome){ error, 1 };
    step_over(f);
}

static void give_up(struct frame *f, const char *why)
{
    trouble = why;
    step_over(f);
}

static void make_store(struct frame *f, u32 gpa)
{
    if (!(f->error & PF_WRITE)) {
        give_up(f, "TRACED was answered to a load");
        return;
    }
    *guest_word(gpa) = f->eax;
    shadow_pte_written(gpa);
    traced++;
    step_over(f);
}

static void shadow(struct frame *f, u32 gva)
{
    struct fault fault = { .gva = gva, .error = f->error };
    in_guest = 0;
    switch (shadow_fault(&fault)) {
    case FILLED:
        hidden++;
        if (++fills > MAX_FILLS)
            give_up(f, "FILLED was answered, and the same access faults again and again");
        break;
    case TRACED:
        make_store(f, fault.gpa);
        break;
    case GUEST_FAULT:
        true_faults++;
        true_fault(f, fault.guest_error);
        break;
    }
    in_guest = 1;
}

void world_on_page_fault(struct frame *f)
{
    u32 cr2;
    __asm__ volatile("mov %%cr2, %0" : "=r"(cr2));
    if (!in_guest)
        exception_report((const u32[]){ VECTOR_PF, f->error, f->eip });
    if (native)
        true_fault(f, f->error);
    else
        shadow(f, cr2);
}

static void start(void)
{
    struct __attribute__((packed)) { u16 limit; u32 base; } r;
    u32 entry = (u32)world_page_fault;
    __asm__ volatile("sidt %0" : "=m"(r));
    ((u64 *)r.base)[VECTOR_PF] = (entry & 0xffff) | KERNEL_CODE << 16 | (u64)0x8e00 << 32 | (u64)(entry >> 16) << 48;
    for (u32 i = 0; i < 1024; i++)
        memory_table[i] = ((GUEST_BASE & ~0x3fffffu) + i * 4096) | RW;
    page_directory[MONITOR_MEMORY_ENTRY] = (u32)memory_table | RW;
    load_cr3((u32)page_directory);
}

/* --- steps --- */

static void add(struct step s)
{
    if (nsteps == MAX_STEPS)
        kernel_panic("too many steps");
    steps[nsteps++] = s;
}

void step_cr3(u32 directory) { add((struct step){ CR3, 0, directory, 0 }); }
void step_load(_Bool user, u32 gva) { add((struct step){ LOAD, user, gva, 0 }); }
void step_store(_Bool user, u32 gva, u32 value) { add((struct step){ STORE, user, gva, value }); }
void step_pte(u32 table, u32 index, u32 entry) { step_store(0, WINDOW + (table - GUEST_BASE) + index * 4, entry); }
void step_invlpg(u32 gva) { add((struct step){ INVLPG, 0, gva, 0 }); }

void world_entry(u32 table, u32 index, u32 entry) { guest_page(table)[index] = entry; }

void world_window(u32 directory, u32 window)
{
    world_entry(directory, WINDOW >> 22, window | RW);
    for (u32 i = 0; i < GUEST_FRAMES; i++)
        world_entry(window, i, PAGE(i) | RW);
}

u32 world_random(u32 limit)
{
    seed = seed * 1664525 + 1013904223;
    return (seed >> 8) % limit;
}

static void do_cr3(u32 directory)
{
    if (!native) {
        shadow_cr3_load(directory);
        return;
    }
    add_monitor(guest_page(directory));
    load_cr3(directory);
}

static void do_invlpg(u32 gva)
{
    if (native)
        tlb_flush_page((void *)gva);
    else
        shadow_invlpg(gva);
}

static void do_access(const struct step *s)
{
    fills = 0;
    in_guest = 1;
    now.faulted = 0;
    world_user_gva = s->gva;
    world_user_value = s->value;
    u32 value = s->user ? user_run((void (*)(u32))world_user_access, s->op == STORE) : world_kernel_access(s->gva, s->value, s->op == STORE);
    in_guest = 0;
    if (!now.faulted && s->op == LOAD)
        now.value = value;
}

static void do_step(const struct step *s)
{
    now = (struct outcome){ 0, 0 };
    switch (s->op) {
    case CR3: do_cr3(s->gva); break;
    case INVLPG: do_invlpg(s->gva); break;
    default: do_access(s);
    }
}

/* --- both runs --- */

static void begin(_Bool on_native, void (*build)(void))
{
    native = on_native;
    nsteps = 0;
    seed = 1;
    hidden = traced = true_faults = 0;
    trouble = 0;
    for (u32 i = 0; i < GUEST_SIZE / 4; i++)
        *guest_word(GUEST_BASE + i * 4) = 0;
    for (u32 i = 0; i < SHADOW_PAGES; i++)
        pool_used[i] = 0;
    build();
}

static void say_outcome(const char *whose, const struct step *s, const struct outcome *o)
{
    print(o->faulted ? "%s a fault with error %x" : s->op == STORE ? "%s it is stored" : "%s %x", whose, o->value);
}

static _Bool same(const char *name, u32 i)
{
    static const char *const words[] = { "CR3", "load", "store", "INVLPG" };
    const struct step *s = &steps[i];
    const struct outcome *n = &native_outcome[i];
    if (!trouble && n->faulted == now.faulted && n->value == now.value)
        return 1;
    print("@lab3 %s: step %u, %s %x in ring %u: ", name, i + 1, words[s->op], s->gva, s->user ? 3u : 0);
    if (trouble) {
        print("%s\n", trouble);
        return 0;
    }
    say_outcome("on its own tables", s, n);
    say_outcome(", on yours", s, &now);
    print("\n");
    return 0;
}

/* What the monitor put into page directories for the first run is not the guest's. */
static _Bool is_monitors(u32 word)
{
    u32 in_page = word & 1023;
    return in_page == 0 || in_page == MONITOR_MEMORY_ENTRY;
}

static _Bool same_memory(const char *name, u32 *sum)
{
    for (u32 i = 0; i < GUEST_SIZE / 4; i++) {
        u32 value = *guest_word(GUEST_BASE + i * 4);
        if (is_monitors(i))
            continue;
        *sum = (*sum ^ value) * 16777619;
        if (value == native_memory[i])
            continue;
        print("@lab3 %s: in the end memory at gpa %x is %x; the processor itself leaves %x\n", name, GUEST_BASE + i * 4, value, native_memory[i]);
        return 0;
    }
    return 1;
}

static void run_native(void (*build)(void))
{
    begin(1, build);
    for (u32 i = 0; i < nsteps; i++) {
        do_step(&steps[i]);
        native_outcome[i] = now;
    }
    load_cr3((u32)page_directory);
    for (u32 i = 0; i < GUEST_SIZE / 4; i++)
        native_memory[i] = *guest_word(GUEST_BASE + i * 4);
}

static _Bool run_shadow(const char *name, void (*build)(void))
{
    begin(0, build);
    shadow_start();
    for (u32 i = 0; i < nsteps; i++) {
        do_step(&steps[i]);
        if (!same(name, i))
            return 0;
    }
    return 1;
}

void world_run(const char *name, void (*build)(void))
{
    u32 sum = 2166136261u;
    start();
    run_native(build);
    _Bool good = run_shadow(name, build);
    load_cr3((u32)page_directory);
    if (good && same_memory(name, &sum))
        print("@lab3 %s: %u steps as on its own tables, checksum %x\n", name, nsteps, sum);
    print("@count hidden %u\n@count traces %u\n@count true %u\n", hidden, traced, true_faults);
}
