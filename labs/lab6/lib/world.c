/* SPDX-License-Identifier: MIT */
#include "world.h"

#define GUEST_HPA 0x100000000ull    /* where the frames for guests begin */
enum { FRAMES = 256, SPARE = 128 };

static u8 moved[PAGES];             /* which spare frame a page has, from 1; 0: its first */

/* 37 and 128 have no divisor in common. */
u64 guest_frame(u32 n)
{
    if (n >= PAGES) {
        print("guest_frame(%u): there is no such page\n", n);
        kernel_panic("a bad page");
    }
    return GUEST_HPA + (moved[n] ? (u32)SPARE + moved[n] : (n * 37 + 11) % 128) * 4096ull;
}

static u64 word_of(u32 gpa) { return guest_frame(gpa >> 12) + (gpa & 0xff8); }

u32 guest_read(u32 gpa) { return host_read(word_of(gpa)) >> (gpa & 4 ? 32 : 0); }

void guest_write(u32 gpa, u32 value)
{
    u64 old = host_read(word_of(gpa));
    host_write(word_of(gpa), gpa & 4 ? (u32)old | (u64)value << 32 : (old & ~0xffffffffull) | value);
}

static void load_tables(void)
{
    for (u32 level = 0; level < 3; level++)
        guest_write(TABLES + level * 4096, (TABLES + (level + 1) * 4096) | 0x67);
    for (u32 i = 0; i < 512; i++)
        guest_write(TABLES + 3 * 4096 + i * 8, (i * 4096) | 0x67);
}

void world_load(const char *begin, const char *end, _Bool is_long)
{
    for (u32 i = 0; begin + i * 4 < end; i++)
        guest_write(CODE + i * 4, ((const u32 *)begin)[i]);
    if (is_long)
        load_tables();
}

void world_move(u32 page)
{
    static u8 spare;
    u64 from = guest_frame(page);
    moved[page] = ++spare;
    for (u32 i = 0; i < 4096; i += 8) {
        host_write(guest_frame(page) + i, host_read(from + i));
        host_write(from + i, 0xbadbadbadbadbadull);
    }
    monitor_move(page);
}

void guest_cpuid(u32 leaf, u32 out[4])
{
    for (u32 i = 0; i < 4; i++)
        out[i] = leaf * 16 + i + 1;
}

void page_dirty(u32 n) { print("@dirty %u\n", n); }
void stray(u64 gpa) { print("@stray %x\n", (u32)gpa); }

void say_end(const char *name, int end)
{
    print(end < 0 ? "@lab6 %s: ends with -%u" : "@lab6 %s: ends with %u", name, (u32)(end < 0 ? -end : end));
    print(", %x %x %x %x\n", (u32)register_read(0), (u32)register_read(3), (u32)register_read(1), (u32)register_read(2));
}
