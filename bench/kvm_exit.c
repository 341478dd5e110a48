/* SPDX-License-Identifier: MIT */
/*
 * What an I/O exit costs on the real /dev/kvm: the same ROM, which does nothing but OUT or IN at port 80h from its reset vector on, in
 * `emu --kvm=host` and in QEMU with -accel kvm. A short run is taken from a long one, so that starting and ending do not count. Both take turns, for
 * one sitting sees the same host; medians of RUNS pairs.
 *
 * EMU_BENCH_RUNS=N in the environment sets RUNS. Where QEMU has no KVM or is not installed nothing is compared.
 */
#include <stdint.h>
#include <string.h>

#include "process.h"

enum who { EMU, QEMU, WHO_COUNT };
static const char *const who_names[WHO_COUNT] = { "emu", "QEMU" };
static const struct { const char *name; uint8_t opcode; } rows[] = { { "out", 0xe6 }, { "in", 0xe4 } };
#define ROWS ARRAY_LEN(rows)
enum { SHORT = 1000, ROM_SIZE = 65536, ROM_ENTRY = 0xf000, DEFAULT_EXITS = 40000, DONE = 3 << 1 | 1 };

/* Real mode at F000:FFF0: jmp F000h; mov ecx, n; 1: OUT/IN 80h; dec ecx; jnz 1b; then the exit port. */
static void write_rom(const char *path, uint8_t opcode, uint32_t n)
{
    static uint8_t rom[ROM_SIZE];
    const uint8_t loop[] = { 0x66, 0xb9, n, n >> 8, n >> 16, n >> 24, opcode, 0x80, 0x66, 0x49, 0x75, 0xfa, 0xb0, 0x03, 0xba, 0xf4, 0x00, 0xee, 0xfa, 0xf4 };
    memset(rom, 0xf4, sizeof rom);
    memcpy(rom + ROM_ENTRY, loop, sizeof loop);
    memcpy(rom + 0xfff0, (const uint8_t[]){ 0xe9, 0x0d, 0xf0 }, 3);
    FILE *f = fopen(path, "wb");
    fwrite(rom, 1, sizeof rom, f);
    fclose(f);
}

#define MACHINE "-m", "16", "-display", "none", "-serial", "null", "-monitor", "none", "-device", "isa-debug-exit,iobase=0xf4,iosize=1", "-bios"

static struct instant run(enum who who, const char *rom, bool *ok)
{
    char path[256];
    struct process p;
    struct instant end = { 0, 0 };
    snprintf(path, sizeof path, "./%s", rom);
    char *emu[] = { "./emu", "--engine=kvm", "--kvm=host", MACHINE, path, NULL };
    char *qemu[] = { "qemu-system-x86_64", "-M", "pc,accel=kvm", "-cpu", "kvm64", "-nodefaults", MACHINE, path, NULL };
    if (!start(&p, who == EMU ? emu : qemu))
        return end;
    char line[256];
    while (fgets(line, sizeof line, p.lines))
        ;
    siginfo_t info;
    waitid(P_PID, p.pid, &info, WEXITED | WNOWAIT); /* its clock can still be read */
    end = now(&p);
    *ok = finish(&p) == DONE;
    return (struct instant){ end.wall - p.started.wall, end.cpu };
}

static bool can(enum who who)
{
    bool ok = false;
    write_rom("build/exit-try.bin", rows[0].opcode, 10);
    run(who, "build/exit-try.bin", &ok);
    return ok;
}

static void measure(enum who who, unsigned row, uint32_t exits, struct samples *s)
{
    bool ok[2] = { false, false };
    write_rom("build/exit-short.bin", rows[row].opcode, SHORT);
    write_rom("build/exit-long.bin", rows[row].opcode, SHORT + exits);
    struct instant few = run(who, "build/exit-short.bin", &ok[0]), many = run(who, "build/exit-long.bin", &ok[1]);
    if (ok[0] && ok[1] && s->n < MAX_RUNS)
        s->at[s->n++] = (struct instant){ (many.wall - few.wall) / exits, (many.cpu - few.cpu) / exits };
}

int main(void)
{
    static struct samples s[WHO_COUNT][ROWS];
    const char *text = getenv("EMU_BENCH_RUNS");
    int runs = text && atoi(text) > 0 && atoi(text) <= MAX_RUNS ? atoi(text) : 7, missed = 0;
    if (!can(EMU)) {
        puts("bench kvm_exit: /dev/kvm does not run here (./emu list engines says why): nothing is measured");
        return 0;
    }
    bool qemu = can(QEMU);
    if (!qemu)
        puts("bench kvm_exit: QEMU with -accel kvm does not run here: nothing is compared with it");
    for (int i = 0; i < runs; i++)
        for (unsigned row = 0; row < ROWS; row++)
            for (enum who who = EMU; who < (qemu ? WHO_COUNT : QEMU); who++)
                measure(who, row, DEFAULT_EXITS, &s[who][row]);
    printf("kvm_exit: an exit for a port of the host's KVM, and back\n%-8s%16s%16s\n", "", "wall, ns", "processor, ns");
    for (unsigned row = 0; row < ROWS; row++)
        for (enum who who = EMU; who < (qemu ? WHO_COUNT : QEMU); who++)
            printf("%-4s%-8s%12.0f%16.0f\n", rows[row].name, who_names[who], 1e9 * median(&s[who][row], true), 1e9 * median(&s[who][row], false));
    puts("bars (emu's time over QEMU's):");
    for (unsigned row = 0; row < ROWS && qemu; row++)
        missed += bar("an exit for a port, wall", rows[row].name, median(&s[EMU][row], true) / median(&s[QEMU][row], true), true, 1.05, 0.9);
    return missed != 0;
}
