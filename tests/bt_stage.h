/* SPDX-License-Identifier: MIT */
/*
 * Guests that mean harm, each on three machines: interpreted, translated by the bt engine, and translated without a monitor. They must come
 * to the same end, and ask bounded things of the host.
 */
#ifndef EMU_TESTS_BT_STAGE_H
#define EMU_TESTS_BT_STAGE_H

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bt/bt.h"
#include "check.h"
#include "lockstep.h"
#include "machine/bare.h"
#include "progen_world.h"
#include "snippet.h"

#define RAM (32u << 20)
#define LIMIT ((cycles_t)400000000)    /* cycles: longer than any guest here */
#define AREAS_MAX 65530         /* vm.max_map_count, the kernel's default */
enum { STAGES = 3, FAULTS = 2000, SPARE = 0x400000 /* from here on RAM is the guests' to fill */ };

/* --- the stage: the same guest on three machines --- */

struct stage { struct vm *vm[STAGES]; enum exit_kind end[STAGES]; };
static const char *const stage_names[STAGES] = { "interpreter", "bt", "accelerator" };

static inline struct vm *machine(unsigned n)
{
    struct vm_config c;
    struct error err = { "" };
    vm_config_defaults(&c);
    c.engine = n == 1 ? &bt_engine : &bare_engine;
    c.accel = n == 2 ? &bt_accel : NULL;
    c.ram_size = RAM;
    struct vm *vm = vm_new(&c, &err);
    if (!vm)
        FAIL("%s", err.text);
    if (!vm)
        return NULL;
    progen_prepare(vm);
    u8 page[PAGE_SIZE]; /* and wherever else they stray to */
    memset(page, 0xf4, sizeof page);
    for (gpa_t at = SPARE; at < RAM; at += PAGE_SIZE)
        physmap_write(&vm->map, at, page, sizeof page);
    return vm;
}

static inline bool stage_open(struct stage *s)
{
    bool ok = true;
    for (unsigned n = 0; n < STAGES; n++)
        ok &= (s->vm[n] = machine(n)) != NULL;
    return ok;
}

static inline void stage_close(struct stage *s)
{
    for (unsigned n = 0; n < STAGES; n++)
        vm_free(s->vm[n]);
}

/* A guest in the making: the world of progen.h with this code, and what the builder changes of it afterwards. */
struct guest {
    struct progen p;
    void (*change)(struct vm *vm, u32 argument);
    u32 argument;
};

static inline struct guest *guest_new(unsigned ring)
{
    static struct guest g;
    memset(&g, 0, sizeof g);
    progen_make(&g.p, 1, 0, 0, 0);
    g.p.len = 0;
    g.p.at = g.p.state.rip = W_CODE;
    g.p.state.cr4 |= CR4_PSE;
    if (ring == 3) {
        g.p.state.seg[CS] = (struct segment){ SEL_CODE3, 0, 0xffffffff, 0xc0fb };
        g.p.state.seg[SS] = g.p.state.seg[DS] = g.p.state.seg[ES] = (struct segment){ SEL_DATA3, 0, 0xffffffff, 0xc0f3 };
    }
    return &g;
}

static inline void put8(struct guest *g, u8 b) { g->p.code[g->p.len++] = b; }
static inline void put32(struct guest *g, u32 v) { memcpy(g->p.code + g->p.len, &v, 4); g->p.len += 4; }
static inline void put(struct guest *g, const void *bytes, size_t n) { memcpy(g->p.code + g->p.len, bytes, n); g->p.len += n; }
#define PUT(g, ...) put(g, (const u8[]){ __VA_ARGS__ }, sizeof((const u8[]){ __VA_ARGS__ }))
static inline u32 here(const struct guest *g) { return g->p.at + g->p.len; }
static inline void land_after(struct guest *g, unsigned n) { PUT(g, 0xc7, 0x05); put32(g, W_LANDING); put32(g, here(g) + 4 + n); }
static inline void end(struct guest *g) { PUT(g, 0xcd, INT_END); }

static inline void prepare(struct vm *vm, const struct guest *g)
{
    progen_load(&g->p, vm);
    physmap_store(&vm->map, W_FAULTS_LEFT, 4, FAULTS);
    physmap_store(&vm->map, W_LANDING, 4, W_CODE_END - 2);
    physmap_store(&vm->map, W_CODE_END - 2, 2, INT_END << 8 | 0xcd);
    if (g->change)
        g->change(vm, g->argument);
}

static inline enum exit_kind run(struct vm *vm)
{
    struct exit e = { .kind = EXIT_DEADLINE };
    cycles_t deadline = vm->clock.now + (vm->engine == &bt_engine ? 50 * LIMIT : LIMIT); /* translation costs */
    while (e.kind == EXIT_KICKED || (e.kind == EXIT_DEADLINE && vm->clock.now < deadline))
        vm->engine->run(vm->vcpu[0], deadline, &e);
    return e.kind;
}

static inline bool same_end(struct stage *s, unsigned n, bool all_memory)
{
    struct cpu_state a, b;
    s->vm[0]->engine->get_state(s->vm[0]->vcpu[0], &a);
    s->vm[n]->engine->get_state(s->vm[n]->vcpu[0], &b);
    const char *what = lockstep_states(&a, &b, s->end[0] == EXIT_SHUTDOWN ? ~(u64)(FLAG_STATUS | FLAG_RF) : ~(u64)0);
    if (s->end[0] != s->end[n])
        FAIL("%s: ends with %s, the interpreter with %s", stage_names[n], exit_rows[s->end[n]].name, exit_rows[s->end[0]].name);
    else if (what)
        FAIL("%s: %s", stage_names[n], what);
    else if (progen_difference(s->vm[0], s->vm[n]) >= 0)
        FAIL("%s: memory differs at 0x%llx", stage_names[n], (unsigned long long)progen_difference(s->vm[0], s->vm[n]));
    else if (all_memory && memcmp(physmap_ptr_ro(&s->vm[0]->map, 1 << 20, RAM - (1 << 20)), physmap_ptr_ro(&s->vm[n]->map, 1 << 20, RAM - (1 << 20)), RAM - (1 << 20)))
        FAIL("%s: memory differs somewhere", stage_names[n]);
    else
        return true;
    return false;
}

/* Run on all three, and compare. False at the first difference. */
static inline bool play(struct stage *s, const struct guest *g, bool all_memory)
{
    bool ok = true;
    for (unsigned n = 0; n < STAGES; n++) {
        prepare(s->vm[n], g);
        s->end[n] = run(s->vm[n]);
    }
    CHECK(s->end[0] == EXIT_HLT || s->end[0] == EXIT_SHUTDOWN);
    for (unsigned n = 1; n < STAGES && ok; n++)
        ok = same_end(s, n, all_memory);
    return ok;
}

static inline void play_once(struct guest *g)
{
    struct stage s;
    if (stage_open(&s))
        play(&s, g, true);
    stage_close(&s);
}

/* --- what the host is asked for --- */

static inline unsigned areas(void)
{
    FILE *f = fopen("/proc/self/maps", "r");
    unsigned n = 0;
    for (int c; f && (c = getc(f)) != EOF;)
        n += c == '\n';
    if (f)
        fclose(f);
    return n;
}

static inline u64 resident(void)
{
    FILE *f = fopen("/proc/self/statm", "r");
    unsigned long long size = 0, pages = 0;
    if (f && fscanf(f, "%llu %llu", &size, &pages) != 2)
        pages = 0;
    if (f)
        fclose(f);
    return pages << PAGE_SHIFT;
}

#endif
