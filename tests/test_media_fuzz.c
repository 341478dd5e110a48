/* SPDX-License-Identifier: MIT */
/*
 * Images with nonsense in them, started by SeaBIOS: boot sectors, partition tables, El Torito catalogues, floppy disks of any size. The
 * machine runs a bounded time; whatever the guest makes of it, nothing crashes, nothing hangs, and the run ends for a reason. EMU_CASES
 * sets how many images.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "check.h"
#include "cli/engines.h"
#include "machine/vm.h"

#define BIOS_PATH "/usr/share/seabios/" VM_BIOS
enum { IMAGE_MAX = 2 << 20, SECTOR = 512, BLOCK = 2048, SECONDS = 60 };

static char path[] = "/tmp/emu-test-media-XXXXXX";
static u8 image[IMAGE_MAX];

static unsigned cases(void)
{
    const char *text = getenv("EMU_CASES");
    return text ? atoi(text) : 8;
}

static void save(u64 size)
{
    FILE *f = fopen(path, "wb");
    if (!f || fwrite(image, 1, size, f) != size || fclose(f))
        abort();
}

static void noise(u64 *seed, u64 from, u64 len)
{
    for (u64 i = from; i < from + len; i++)
        image[i] = check_random(seed) >> 24;
}

/* 0.05 s of virtual time: SeaBIOS needs 0.02 s to get to the boot sector; some nonsense takes the translator a microsecond an instruction. */
static void boot(enum drive_media media, const char *order)
{
    struct error err = { "" };
    struct vm_config c;
    vm_config_defaults(&c);
    c.engine = engine_find("bt", NULL);
    c.bios = VM_BIOS;
    c.boot = order;
    c.max_seconds = SECONDS;
    c.max_cycles = 100000000u;
    c.drive[c.ndrives++] = (struct vm_drive){ .file = path, .media = media, .index = -1, .snapshot = true };
    struct vm *vm = vm_new(&c, &err);
    if (!vm) {
        FAIL("%s", err.text);
        return;
    }
    time_t start = time(NULL);
    vm_run(vm);
    CHECK(vm->reason[0]);
    if (time(NULL) - start >= SECONDS)
        FAIL("took %d s: %s", SECONDS, vm->reason);
    vm_free(vm);
}

/* A boot sector of random code, with a partition table that points anywhere; every other time the BIOS parameters of a file system. */
static void boot_sector(u64 *seed, bool parameters)
{
    static const u8 start[] = { 0xeb, 0x3c, 0x90, 'M', 'S', 'D', 'O', 'S', '5', '.', '0' };
    noise(seed, 0, SECTOR);
    if (parameters)
        memcpy(image, start, sizeof start);
    image[446] = 0x80;
    image[510] = 0x55;
    image[511] = 0xaa;
}

static void test_disk(void)
{
    u64 seed = check_seed();
    if (access(BIOS_PATH, R_OK))
        SKIP("package seabios is not installed");
    for (unsigned i = 0; i < cases(); i++) {
        check_context("case %u", i);
        noise(&seed, 0, IMAGE_MAX);
        boot_sector(&seed, i & 1);
        save(i % 4 == 3 ? SECTOR + check_random(&seed) % 5000 : IMAGE_MAX);
        boot(DRIVE_DISK, "c");
    }
}

static void put32(u8 *at, u32 v)
{
    for (int i = 0; i < 4; i++)
        at[i] = v >> 8 * i;
}

/* El Torito (version 1.0, figures 2 to 5): a boot record in block 17 that names the catalogue, which has a validation entry and one to
 * boot from. Most of it is right, so that the BIOS goes on to what is not. */
static void catalogue(u64 *seed)
{
    u64 v = check_random(seed);
    u8 *record = image + 17 * BLOCK, *entries = image + 20 * BLOCK;
    image[16 * BLOCK] = 1;
    memcpy(image + 16 * BLOCK + 1, "CD001\1", 6);
    record[0] = 0;
    memcpy(record + 1, "CD001\1EL TORITO SPECIFICATION", 30);
    put32(record + 0x47, v & 15 ? 20 : v >> 32);
    memset(entries, 0, 64);
    entries[0] = 1;
    entries[0x1e] = 0x55, entries[0x1f] = 0xaa;
    entries[0x1c] = 0xaa, entries[0x1d] = 0x55;         /* the sum of all words is 0 */
    entries[32] = v & 16 ? 0x88 : v >> 8;
    entries[33] = v >> 16 & 15;                         /* emulated media, of which 0 to 4 exist */
    entries[38] = v >> 24, entries[39] = v & 32 ? v >> 32 : 0;  /* sectors to load */
    put32(entries + 40, v & 64 ? 30 : v >> 20);
}

static void test_cd(void)
{
    u64 seed = check_seed();
    if (access(BIOS_PATH, R_OK))
        SKIP("package seabios is not installed");
    for (unsigned i = 0; i < cases(); i++) {
        check_context("case %u", i);
        noise(&seed, 0, IMAGE_MAX);
        catalogue(&seed);
        save(i % 4 == 3 ? 18 * BLOCK + check_random(&seed) % 5000 : IMAGE_MAX);
        boot(DRIVE_CDROM, "d");
    }
}

static void test_floppy(void)
{
    static const u32 kib[] = { 160, 360, 720, 1200, 1440 };
    u64 seed = check_seed();
    if (access(BIOS_PATH, R_OK))
        SKIP("package seabios is not installed");
    for (unsigned i = 0; i < cases(); i++) {
        u64 v = check_random(&seed);
        check_context("case %u", i);
        noise(&seed, 0, 1 << 20);
        boot_sector(&seed, i & 1);
        save(v & 1 ? SECTOR + (v >> 8) % (1440 << 10) : kib[(v >> 8) % ARRAY_LEN(kib)] << 10);
        boot(DRIVE_FLOPPY, "a");
    }
}

int main(int argc, char **argv)
{
    static const struct check tests[] = { { "disk", test_disk }, { "cd", test_cd }, { "floppy", test_floppy }, { NULL, NULL } };
    close(mkstemp(path));
    int status = check_main(argc, argv, "media_fuzz", tests);
    unlink(path);
    return status;
}
