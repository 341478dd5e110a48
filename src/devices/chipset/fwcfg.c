/* SPDX-License-Identifier: MIT */
/*
 * Port 510h selects an item, port 511h reads it byte by byte; or the address of a request in guest memory goes to port 514h,
 * and the device copies by itself. The request's numbers are big-endian.
 */
#include "devices/chipset/fwcfg.h"

#include <endian.h>
#include <stdlib.h>
#include <string.h>

#include "devices/chipset/small.h"

#define MAX_FILES 32
#define NAME_SIZE 56
#define LONGEST_COPY (16u << 20)    /* bytes of one request: more than any item */
enum { HAS_DMA = 2, HAS_TRADITIONAL = 1 };
enum { DMA_ERROR = 1, DMA_READ = 2, DMA_SKIP = 4, DMA_SELECT = 8, DMA_WRITE = 16 };
enum { SELECT_PORT = 0x510, DMA_PORT = 0x514 };

struct item { u8 *data; u32 size; };

/* An entry of the directory, as the guest reads it. */
struct entry { u32 size; u16 select, reserved; char name[NAME_SIZE]; };

struct fwcfg {
    struct device dev;
    struct item item[FWCFG_FILE_FIRST + MAX_FILES];
    struct { u32 count; struct entry entry[MAX_FILES]; } directory; /* big-endian */
    unsigned files;
    u16 selected;
    u32 offset;             /* of the next byte in the selected item */
    u32 dma_high;
    struct physmap *map;
};

static int set_item(struct item *i, const void *data, u32 size, struct error *err)
{
    u8 *copy = malloc(size ? size : 1);
    if (!copy)
        return error_set(err, "fw_cfg: no memory for %u bytes", size);
    memcpy(copy, data, size);
    free(i->data);
    *i = (struct item){ copy, size };
    return 0;
}

int fwcfg_set(struct fwcfg *f, enum fwcfg_key key, const void *data, u32 size, struct error *err)
{
    return set_item(&f->item[key], data, size, err);
}

int fwcfg_set_number(struct fwcfg *f, enum fwcfg_key key, u64 value, unsigned size, struct error *err)
{
    u64 little = htole64(value);
    return fwcfg_set(f, key, &little, size, err);
}

static unsigned find_file(const struct fwcfg *f, const char *name)
{
    unsigned n = 0;
    while (n < f->files && strcmp(f->directory.entry[n].name, name))
        n++;
    return n;
}

int fwcfg_set_file(struct fwcfg *f, const char *name, const void *data, u32 size, struct error *err)
{
    unsigned n = find_file(f, name);
    if (n == MAX_FILES || strlen(name) >= NAME_SIZE)
        return error_set(err, "fw_cfg: no room for %s", name);
    if (set_item(&f->item[FWCFG_FILE_FIRST + n], data, size, err))
        return -1;
    struct entry *e = &f->directory.entry[n];
    *e = (struct entry){ htobe32(size), htobe16(FWCFG_FILE_FIRST + n), 0, "" };
    strcpy(e->name, name);
    if (n == f->files)
        f->directory.count = htobe32(++f->files);
    return fwcfg_set(f, FWCFG_FILE_DIR, &f->directory, sizeof f->directory.count + f->files * sizeof *e, err);
}

/* --- what the guest does --- */

static const struct item *selected(const struct fwcfg *f)
{
    static const struct item none;
    return f->selected < ARRAY_LEN(f->item) ? &f->item[f->selected] : &none;
}

static void select_item(struct fwcfg *f, u16 key)
{
    f->selected = key;
    f->offset = 0;
}

/* Bytes of the item that are left, at most len; the reader moves over them. Behind the end there are zeros. */
static u32 take(struct fwcfg *f, u32 len, const u8 **from)
{
    const struct item *i = selected(f);
    u32 left = f->offset < i->size ? i->size - f->offset : 0;
    u32 n = len < left ? len : left;
    *from = i->data + (n ? f->offset : 0);
    f->offset += n;
    return n;
}

static u8 next_byte(struct fwcfg *f)
{
    const u8 *from;
    return take(f, 1, &from) ? *from : 0;
}

static void copy_to_guest(struct fwcfg *f, gpa_t gpa, u32 len)
{
    static const u8 zeros[512];
    const u8 *from;
    u32 n = take(f, len, &from);
    physmap_write(f->map, gpa, from, n);
    for (u32 done = n; done < len; done += n) {
        n = len - done < sizeof zeros ? len - done : sizeof zeros;
        physmap_write(f->map, gpa + done, zeros, n);
    }
}

/* The items are the machine's: the guest cannot write them. */
static bool run_request(struct fwcfg *f, u32 control, u32 len, gpa_t gpa)
{
    const u8 *skipped;
    if (control & DMA_SELECT)
        select_item(f, control >> 16);
    if (control & DMA_WRITE || len > LONGEST_COPY)
        return false;
    if (control & DMA_READ && !physmap_ptr(f->map, gpa, len))
        return false;
    if (control & DMA_READ)
        copy_to_guest(f, gpa, len);
    else if (control & DMA_SKIP)
        take(f, len, &skipped);
    return true;
}

static void start_request(struct fwcfg *f, gpa_t gpa)
{
    struct { u32 control, length; u64 address; } r;
    if (!physmap_ptr(f->map, gpa, sizeof r))
        return;
    physmap_read(f->map, gpa, &r, sizeof r);
    bool ok = run_request(f, be32toh(r.control), be32toh(r.length), be64toh(r.address));
    r.control = ok ? 0 : htobe32(DMA_ERROR);
    physmap_write(f->map, gpa, &r.control, sizeof r.control);
}

/* --- registers --- */

static u64 fwcfg_read(void *dev, u64 offset, unsigned size)
{
    return offset == 1 ? next_byte(dev) : 0;
}

static void fwcfg_write(void *dev, u64 offset, unsigned size, u64 value)
{
    if (offset == 0 && size == 2)
        select_item(dev, value);
}

/* Reads say "QEMU CFG", so that a guest knows the port. */
static u64 dma_read(void *dev, u64 offset, unsigned size)
{
    return offset ? 0x47464320 : 0x554d4551;
}

static void dma_write(void *dev, u64 offset, unsigned size, u64 value)
{
    struct fwcfg *f = dev;
    if (offset == 0) {
        f->dma_high = be32toh(value);
        return;
    }
    gpa_t gpa = (u64)f->dma_high << 32 | be32toh(value);
    f->dma_high = 0;
    start_request(f, gpa);
}

static const char *fwcfg_reg(u64 offset) { return offset ? "data" : "select"; }
static const char *dma_reg(u64 offset) { return offset ? "dma-low" : "dma-high"; }
static const struct bus_ops fwcfg_ports = { fwcfg_read, fwcfg_write, 1, 2, fwcfg_reg };
static const struct bus_ops dma_ports = { dma_read, dma_write, 4, 4, dma_reg };

static void fwcfg_reset(struct device *d)
{
    struct fwcfg *f = (struct fwcfg *)d;
    select_item(f, 0);
    f->dma_high = 0;
}

static void fwcfg_destroy(struct device *d)
{
    struct fwcfg *f = (struct fwcfg *)d;
    for (unsigned i = 0; i < ARRAY_LEN(f->item); i++)
        free(f->item[i].data);
    free(f);
}

static struct device *fwcfg_create(struct platform *to, struct error *err)
{
    struct fwcfg *f = device_new(&fwcfg_ops, sizeof *f, err);
    if (!f)
        return NULL;
    f->map = to->map;
    if (bus_add_ports(to->bus, "fw-cfg", SELECT_PORT, 2, &fwcfg_ports, f, err) ||
        bus_add_ports(to->bus, "fw-cfg-dma", DMA_PORT, 8, &dma_ports, f, err) ||
        fwcfg_set(f, FWCFG_SIGNATURE, "QEMU", 4, err) ||
        fwcfg_set_number(f, FWCFG_ID, HAS_TRADITIONAL | HAS_DMA, 4, err)) {
        fwcfg_destroy(&f->dev);
        return NULL;
    }
    to->fwcfg = f;
    return &f->dev;
}

static void fwcfg_info(const struct device *d, FILE *out)
{
    const struct fwcfg *f = (const struct fwcfg *)d;
    for (unsigned i = 0; i < f->files; i++)
        fprintf(out, "%04x %8u %s\n", FWCFG_FILE_FIRST + i, be32toh(f->directory.entry[i].size), f->directory.entry[i].name);
}

const struct device_ops fwcfg_ops = {
    "fw-cfg", "what firmware asks the machine: memory, boot order, ROMs", fwcfg_create, fwcfg_reset, fwcfg_destroy, fwcfg_info,
};
