/* SPDX-License-Identifier: MIT */
/*
 * Which pages of the framebuffer were written, where an engine keeps a log of that anyway (physmap_logs()): then rows on other pages need
 * not even be compared. Time is counted in looks at the log; a page remembers the last in which it was found written.
 */
#include <stdlib.h>

#include "devices/display/vga_regs.h"

enum { PAGES = VGA_VRAM_SIZE / PAGE_SIZE };

struct vga_log {
    struct vga *v;
    struct phys_observer observer;
    bool on;
    u64 now;
    u64 written[PAGES];
};

/* Through the framebuffer, a bank's window, or by the display itself. */
static void on_written(void *opaque, gpa_t gpa, u64 len)
{
    struct vga_log *log = opaque;
    const u8 *at = physmap_ptr(log->v->map, gpa, 1);
    if (at && at >= log->v->vram && at < log->v->vram + VGA_VRAM_SIZE)
        log->written[(at - log->v->vram) >> PAGE_SHIFT] = log->now;
}

/* What was written before, nobody knows: everything may have been. */
static void turn_on(struct vga_log *log)
{
    log->on = true;
    log->observer = (struct phys_observer){ .marks = MARK_DIRTY_LOG, .written = on_written, .opaque = log };
    physmap_observe(log->v->map, &log->observer);
    for (unsigned i = 0; i < PAGES; i++) {
        physmap_mark(log->v->map, log->v->lfb + i * PAGE_SIZE, MARK_DIRTY_LOG);
        log->written[i] = log->now;
    }
}

static void turn_off(struct vga_log *log)
{
    if (!log->on)
        return;
    log->on = false;
    physmap_unobserve(log->v->map, &log->observer);
    for (unsigned i = 0; i < PAGES && log->v->lfb; i++)
        physmap_unmark(log->v->map, log->v->lfb + i * PAGE_SIZE, MARK_DIRTY_LOG);
}

u64 vga_log_look(const struct vga *v)
{
    struct vga_log *log = v->log;
    if (!v->lfb || !physmap_logs(v->map)) {
        turn_off(log);
        return 0;
    }
    if (!log->on)
        turn_on(log);
    physmap_sync(v->map);
    return log->now++;
}

bool vga_log_written(const struct vga *v, u64 since, u32 from, u32 len)
{
    for (u32 page = from >> PAGE_SHIFT; page <= (from + len - 1) >> PAGE_SHIFT; page++)
        if (v->log->written[page % PAGES] > since)
            return true;
    return false;
}

int vga_log_init(struct vga *v, struct error *err)
{
    v->log = calloc(1, sizeof *v->log);
    if (!v->log)
        return error_set(err, "no memory for the display");
    v->log->v = v;
    v->log->now = 1;
    return 0;
}

void vga_log_fini(struct vga *v)
{
    if (v->log)
        turn_off(v->log);
    free(v->log);
}
