/* SPDX-License-Identifier: MIT */
/*
 * Lab 9: a host with an IOMMU, four functions that can be given away, and the memory of two guests. The IOMMU is the model's own
 * (src/devices/iommu), its tables are in its memory, and who writes them is the student. DMA goes where they lead to; what is reached beside
 * the guest that has the device is counted as escaped, and does nothing.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/grade/grade_service.h"
#include "devices/iommu/iommu.h"

enum { GUESTS = 2, GUEST_BYTES = 256 << 10, FUNCTIONS = 4, DMA_MAX = 2 * PAGE_SIZE };

/* 01:10.0, 01:10.2; 03:01.0 and 03:02.0 behind a bridge, which gives both its own identifier. */
static const u16 sources[FUNCTIONS] = { 0x0180, 0x0182, 0x0300, 0x0300 };

/* What a DMA that was refused had in mind. */
enum aim { AIM_HOST, AIM_NEIGHBOUR, AIM_TABLES, AIM_ROM, AIM_WIDTH, AIM_BORDER, AIMS };

struct labiommu {
    struct host_memory memory;
    struct iommu iommu;
    u8 guest[GUESTS][GUEST_BYTES];      /* guest g is at (g + 1) * 4 GiB of the host's memory */
    s8 owner[FUNCTIONS];                /* which guest may be reached, as the world says; -1: none */
    bool aimed[AIMS];
    u32 escaped;
};

static u8 *guest_at(struct labiommu *v, hpa_t hpa, unsigned *who)
{
    u64 g = hpa / HOST_GUEST_SPAN - 1, offset = hpa % HOST_GUEST_SPAN;
    *who = g;
    return hpa >= HOST_GUEST_SPAN && g < GUESTS && offset < GUEST_BYTES ? &v->guest[g][offset] : NULL;
}

/* 8 bytes of host memory: a table's, or a guest's. */
static u8 *word_at(struct labiommu *v, hpa_t hpa)
{
    unsigned who;
    u64 *table = host_memory_table(&v->memory, hpa);
    return hpa % 8 ? NULL : table ? (u8 *)&table[(hpa & ~PAGE_MASK) / 8] : guest_at(v, hpa, &who);
}

static void do_frame(struct service *s, struct labiommu *v, struct service_request *r)
{
    r->value = host_memory_frame(&v->memory);
    r->result = r->value ? 0 : -1;
}

static void do_load(struct service *s, struct labiommu *v, struct service_request *r)
{
    const u8 *p = word_at(v, r->number);
    r->result = p ? 0 : -1;
    if (p)
        memcpy(&r->value, p, 8);
}

static void do_store(struct service *s, struct labiommu *v, struct service_request *r)
{
    u8 *p = word_at(v, r->number);
    r->result = p ? 0 : -1;
    if (p)
        memcpy(p, &r->arg, 8);
}

static void do_reg_read(struct service *s, struct labiommu *v, struct service_request *r) { r->value = iommu_read(&v->iommu, r->number, r->fd); }
static void do_reg_write(struct service *s, struct labiommu *v, struct service_request *r) { iommu_write(&v->iommu, r->number, r->fd, r->arg); }

static void do_owner(struct service *s, struct labiommu *v, struct service_request *r) { v->owner[r->number % FUNCTIONS] = r->fd; }

/* --- DMA, page by page --- */

static void note_aim(struct labiommu *v, u64 address, enum iommu_reason why, bool behind_border)
{
    enum aim aim = why == IOMMU_BEYOND_WIDTH || address >> 48 ? AIM_WIDTH : host_memory_table(&v->memory, address) ? AIM_TABLES :
                   address >= 2 * HOST_GUEST_SPAN && address < 2 * HOST_GUEST_SPAN + GUEST_BYTES ? AIM_NEIGHBOUR :
                   address < GUEST_BYTES ? AIM_ROM : behind_border ? AIM_BORDER : address < HOST_FRAMES_HPA ? AIM_HOST : AIMS;
    if (aim != AIMS)
        v->aimed[aim] = true;
}

static enum iommu_reason dma_page(struct labiommu *v, unsigned f, u64 address, u8 *data, u32 len, bool write, bool behind_border)
{
    hpa_t hpa;
    bool walked;
    unsigned who;
    enum iommu_reason why = iommu_translate(&v->iommu, sources[f], address, write, &hpa, &walked);
    if (why != IOMMU_OK) {
        note_aim(v, address, why, behind_border);
        return why;
    }
    u8 *p = guest_at(v, hpa, &who);
    if (!p || (int)who != v->owner[f]) {
        v->escaped++;
        return IOMMU_OK;
    }
    memcpy(write ? p : data, write ? data : p, len);
    return IOMMU_OK;
}

/* number: address, arg: the asker's buffer, fd: bytes | function << 16 | write << 20. result: 0, or why not. */
static void do_dma(struct service *s, struct labiommu *v, struct service_request *r)
{
    u8 data[DMA_MAX] = { 0 };
    u32 len = r->fd & 0xffff, done = 0;
    bool write = r->fd >> 20 & 1;
    if (len > DMA_MAX || (write && !service_read(s, r->arg, data, len))) {
        r->result = -1;
        return;
    }
    for (u32 n; done < len && !r->result; done += n) {
        u64 address = r->number + done, left = PAGE_SIZE - (address & (PAGE_SIZE - 1));
        n = left < len - done ? left : len - done;
        r->result = dma_page(v, r->fd >> 16 & 3, address, data + done, n, write, done > 0);
    }
    if (!write && !r->result && !service_write(s, r->arg, data, len))
        r->result = -1;
}

static void call(struct service *s, struct service_request *r)
{
    static void (*const calls[])(struct service *s, struct labiommu *v, struct service_request *r) = {
        do_frame, do_load, do_store, do_reg_read, do_reg_write, do_owner, do_dma,
    };
    if (r->op < ARRAY_LEN(calls))
        calls[r->op](s, s->self, r);
    else
        r->result = -1;
}

static void say(struct service *s, char *to, size_t size)
{
    static const char *const names[AIMS] = { "host", "neighbour", "tables", "rom", "width", "border" };
    const struct labiommu *v = s->self;
    int n = 0;
    for (unsigned i = 0; i < AIMS; i++)
        n += snprintf(to + n, size - n, "@count %s %u\n", names[i], v->aimed[i]);
    snprintf(to + n, size - n, "@dma escaped: %u\n", v->escaped);
}

static int start(struct service *s, struct error *err)
{
    struct labiommu *v = s->self = calloc(1, sizeof *v);
    if (!v || host_memory_init(&v->memory, err)) {
        free(v);
        return error_set(err, "grade: no memory for the modelled host");
    }
    iommu_init(&v->iommu, &v->memory);
    memset(v->owner, -1, sizeof v->owner);
    return 0;
}

static void end(struct service *s)
{
    struct labiommu *v = s->self;
    host_memory_fini(&v->memory);
    free(v);
}

const struct service_ops service_iommu = { .name = "iommu", .start = start, .call = call, .end = end, .say = say };
