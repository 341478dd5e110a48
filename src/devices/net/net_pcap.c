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
};

static void write_frame(void *opaque, cycles_t when, const u8 *frame, u32 len)
{
    struct net_pcap *p = opaque;
    u64 ns = clock_cycles_to_ns(p->clock, when);
    u32 kept = len < p->snaplen ? len : p->snaplen;
    struct frame_header h = { p->epoch_s + ns / 1000000000, ns % 1000000000, kept, len };
    fwrite(&h, sizeof h, 1, p->file);
    fwrite(frame, kept, 1, p->file);
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
    *p = (struct net_pcap){ .watcher = { write_frame, p, NULL }, .clock = w->clock, .epoch_s = epoch_s, .snaplen = snaplen ? snaplen : NET_FRAME_MAX, .file = f };
    struct file_header h = { MAGIC_NANOSECONDS, 2, 4, 0, 0, p->snaplen, LINKTYPE_ETHERNET };
    fwrite(&h, sizeof h, 1, f);
    fflush(f);
    net_watch(w, &p->watcher);
    return p;
}

void net_pcap_close(struct net_pcap *p)
{
    if (!p)
        return;
    fclose(p->file);
    free(p);
}
