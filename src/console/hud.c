/* SPDX-License-Identifier: MIT */
#include "console/hud.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "devices/display/vga.h"

#define BACKGROUND 0xc0101018u
#define TEXT 0xffe0e0e0u
#define DIM 0xff909098u
enum { CELL_WIDTH = 8, CELL_HEIGHT = 16, BAR_LEFT = 15 * CELL_WIDTH, BAR_MAX = HUD_WIDTH - BAR_LEFT - CELL_WIDTH, BAR_STEP = 9 };

static const u32 family_colour[FAMILY_COUNT] = {
    [FAMILY_CPU] = 0xffe07050, [FAMILY_MEM] = 0xff60a0f0, [FAMILY_IO] = 0xfff0c040, [FAMILY_IRQ] = 0xffc070e0,
    [FAMILY_CALL] = 0xff50c8a0, [FAMILY_IDLE] = 0xff808080, [FAMILY_XLATE] = 0xff90d050, [FAMILY_HOST] = 0xffa09080, [FAMILY_DEVICE] = 0xffb0b0d0,
};

/* Half of what is new, half of what was: bars move, but do not flicker. */
static double smooth(double was, u64 events, double seconds) { return was / 2 + events / seconds / 2; }

void hud_sample(struct hud *h, const struct vm *vm, u64 now_ns)
{
    double seconds = (now_ns - h->last_ns) / 1e9;
    bool first = !h->last_ns;
    if (!first && seconds <= 0)
        return;
    for (int f = 0; f < FAMILY_COUNT; f++) {
        u64 count = ledger_family_count(&vm->ledger, f);
        h->rate[f] = first ? 0 : smooth(h->rate[f], count - h->last_count[f], seconds);
        h->last_count[f] = count;
    }
    h->mips = first ? 0 : smooth(h->mips, vm->ledger.guest_insns - h->last_insns, seconds * 1e6);
    h->last_insns = vm->ledger.guest_insns;
    h->last_ns = now_ns;
}

unsigned hud_bar(double rate)
{
    double length = rate < 1 ? 0 : BAR_STEP * (log2(rate) + 1);
    return length > BAR_MAX ? BAR_MAX : length;
}

static void fill(u32 *pixels, unsigned x, unsigned y, unsigned width, unsigned height, u32 colour)
{
    for (unsigned i = y; i < y + height; i++)
        for (unsigned k = x; k < x + width; k++)
            pixels[i * HUD_WIDTH + k] = colour;
}

static void put_char(u32 *pixels, unsigned x, unsigned y, u8 c, u32 colour)
{
    u8 rows[CELL_HEIGHT];
    vga_font_glyph(c, rows);
    for (unsigned i = 0; i < CELL_HEIGHT; i++)
        for (unsigned k = 0; k < CELL_WIDTH; k++)
            if (rows[i] >> (7 - k) & 1)
                pixels[(y + i) * HUD_WIDTH + x + k] = colour;
}

static void put_text(u32 *pixels, unsigned line, u32 colour, const char *text)
{
    for (unsigned x = CELL_WIDTH; *text && x + CELL_WIDTH <= HUD_WIDTH; x += CELL_WIDTH)
        put_char(pixels, x, line * CELL_HEIGHT, *text++, colour);
}

static void draw_family(const struct hud *h, u32 *pixels, int f)
{
    char text[32];
    unsigned y = (f + 2) * CELL_HEIGHT;
    snprintf(text, sizeof text, "%-5s%8.0f", family_rows[f].name, h->rate[f]);
    put_text(pixels, f + 2, h->rate[f] >= 1 ? TEXT : DIM, text);
    fill(pixels, BAR_LEFT, y + 3, hud_bar(h->rate[f]), CELL_HEIGHT - 6, family_colour[f]);
}

/* The last exits of the run loop, the newest first. */
static void draw_exits(const struct vm *vm, u32 *pixels)
{
    char text[128] = "";
    size_t used = 0;
    for (u64 i = 0; i < VM_RECENT_EXITS && i < vm->exits_total && used < sizeof text; i++)
        used += snprintf(text + used, sizeof text - used, "%s ", exit_rows[vm->recent_exit[(vm->exits_total - 1 - i) % VM_RECENT_EXITS].kind].name);
    put_text(pixels, FAMILY_COUNT + 2, DIM, "last exits");
    put_text(pixels, FAMILY_COUNT + 3, TEXT, text);
}

void hud_draw(const struct hud *h, const struct vm *vm, u32 *pixels)
{
    char text[64];
    fill(pixels, 0, 0, HUD_WIDTH, HUD_HEIGHT, BACKGROUND);
    snprintf(text, sizeof text, "%s  %.1f MIPS  %.2f s guest time", vm->engine->name, h->mips, (double)vm->clock.now / vm->clock.hz);
    put_text(pixels, 0, TEXT, text);
    put_text(pixels, 1, DIM, "exits a second, by family");
    for (int f = 0; f < FAMILY_COUNT; f++)
        draw_family(h, pixels, f);
    draw_exits(vm, pixels);
}
