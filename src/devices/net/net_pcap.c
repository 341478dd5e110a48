/* SPDX-License-Identifier: MIT */
#include "devices/net/net_pcap.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAGIC_NANOSECONDS = 0xa1b23c4d, LINKTYPE_ETHERNET = 1 };

struct file_header { u32 magic; u16 major, minor; u32 zone, accuracy, snaplen, linktype; };
struct frame_header { u32 seconds, nanoseconds, kept, len; };
_Static_assert(sizeof(struct file_header) == 24 && sizeof(struct frame_header) == 16, "as the format has them");

struct net_pcap {
    struct net_watcher watcher;
    const struct clock *clock;
    s64 epoch_s;
    u32 snaplen;
    FILE *file;
    const char *path;           /* borrowed */
    int error;                  /* errno of the first frame that could not be written; 0: none was lost */
};

static void write_frame(void *opaque, cycles_t when, const u8 *frame, u32 len)
{
    struct net_pcap *p = opaque;
    u64 ns = clock_cycles_to_ns(p->clock, when);
    u32 kept = len < p->snaplen ? len : p->snaplen;
    struct frame_header h = { p->epoch_s + ns / 1000000000, ns % 1000000000, kept, len };
    if ((fwrite(&h, sizeof h, 1, p->file) != 1 || fwrite(frame, 1, kept, p->file) != kept) && !p->error)
        p->error = errno;
}

struct net_pcap *net_pcap_open(struct net_wire *w, const char *path, s64 epoch_s, u32 snaplen, struct error *err)
{
    struct net_pcap *p = calloc(1, sizeof *p);
    FILE *f = p ? fopen(path, "wb") : NULL;
    if (!f) {
        error_set(err, "%s: packets cannot be captured there: %s", path, strerror(errno));
        free(p);
        return NULL;
    }
    struct file_header h = { MAGIC_NANOSECONDS, 2, 4, 0, 0, snaplen ? snaplen : NET_FRAME_MAX, LINKTYPE_ETHERNET };
    if (fwrite(&h, sizeof h, 1, f) != 1 || fflush(f)) {
        error_set(err, "%s: packets cannot be captured there: %s", path, strerror(errno));
        fclose(f);
        free(p);
        return NULL;
    }
    *p = (struct net_pcap){ .watcher = { write_frame, p, NULL }, .clock = w->clock, .epoch_s = epoch_s, .snaplen = h.snaplen, .file = f, .path = path };
    net_watch(w, &p->watcher);
    return p;
}

int net_pcap_check(struct net_pcap *p, struct error *err)
{
    if (fflush(p->file) && !p->error)
        p->error = errno;
    return p->error ? error_set(err, "%s: not all packets could be captured: %s", p->path, strerror(p->error)) : 0;
}

void net_pcap_close(struct net_pcap *p)
{
    if (!p)
        return;
    fclose(p->file);
    free(p);
}
