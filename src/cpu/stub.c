/* SPDX-License-Identifier: MIT */
/* The memory that holds stubs of host code, and how their bytes are put together. */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cpu/fpu.h"

int fpu_unit_new(struct cpu *c, struct error *err)
{
    struct fpu_unit *u = aligned_alloc(64, sizeof *u);
    int fd = memfd_create("fpu-stubs", MFD_CLOEXEC);
    bool ok = u && fd >= 0 && ftruncate(fd, STUB_AREA) == 0;
    c->fpu = u;
    if (u)
        memset(u, 0, sizeof *u);
    if (ok) {
        u->write = mmap(NULL, STUB_AREA, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        u->exec = mmap(NULL, STUB_AREA, PROT_READ | PROT_EXEC, MAP_SHARED, fd, 0);
        ok = u->write != MAP_FAILED && u->exec != MAP_FAILED;
    }
    if (fd >= 0)
        close(fd);
    return ok ? 0 : error_set(err, "no executable memory for the FPU: is /dev/shm or memfd mounted noexec?");
}

void fpu_unit_free(struct cpu *c)
{
    struct fpu_unit *u = c->fpu;
    if (!u)
        return;
    if (u->write && u->write != MAP_FAILED)
        munmap(u->write, STUB_AREA);
    if (u->exec && u->exec != MAP_FAILED)
        munmap(u->exec, STUB_AREA);
    free(u);
    c->fpu = NULL;
}

void emit(struct code *k, const void *bytes, unsigned n)
{
    memcpy(k->bytes + k->len, bytes, n);
    k->len += n;
}

/* ModRM for [rdi + disp32]. */
void emit_mem(struct code *k, const u8 *opcode, unsigned n, u8 reg, unsigned offset)
{
    u8 modrm = 0x87 | reg << 3;
    emit(k, opcode, n);
    emit(k, &modrm, 1);
    emit(k, &offset, 4);
}

struct stub *stub_search(struct fpu_unit *u, u64 key)
{
    for (unsigned s = stub_slot(key);; s = (s + 1) % STUB_COUNT) {
        if (u->stubs[s].key == key)
            return &u->stubs[s];
        if (!u->stubs[s].key)
            return NULL;
    }
}

static void forget_all(struct fpu_unit *u)
{
    memset(u->stubs, 0, sizeof u->stubs);
    u->nstubs = 0;
    u->used = 0;
}

struct stub *stub_add(struct fpu_unit *u, u64 key, const struct code *k)
{
    unsigned s;
    if (u->nstubs > STUB_COUNT / 2 || u->used + k->len > STUB_AREA)
        forget_all(u);
    for (s = stub_slot(key); u->stubs[s].key; s = (s + 1) % STUB_COUNT)
        continue;
    memcpy(u->write + u->used, k->bytes, k->len);
    u->stubs[s] = (struct stub){ .key = key, .run = (stub_fn *)(u->exec + u->used) };
    u->used += (k->len + 15) & ~15u;
    u->nstubs++;
    return &u->stubs[s];
}
