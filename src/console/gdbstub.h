/* SPDX-License-Identifier: MIT */
/* Inside the gdb stub: connection, framing, registers, commands. */
#ifndef EMU_CONSOLE_GDBSTUB_H
#define EMU_CONSOLE_GDBSTUB_H

#include "console/gdb.h"

#define GDB_PACKET 4096         /* the longest packet either way, bytes: PacketSize */

/* Bytes to packets. A peer may send anything. */
struct gdb_framer {
    enum { FRAME_IDLE, FRAME_BODY, FRAME_ESCAPED, FRAME_SUM1, FRAME_SUM2 } at;
    u8 sum, given;              /* computed; as the packet's end says */
    bool overlong;
    unsigned len;
    char body[GDB_PACKET + 1];  /* unescaped; NUL-ended when complete */
};
enum gdb_frame_event { FRAME_NOTHING, FRAME_PACKET, FRAME_BAD, FRAME_INTERRUPT, FRAME_RESEND };
enum gdb_frame_event gdb_framer_feed(struct gdb_framer *f, u8 byte);

/* A reply that grows up to a packet. */
struct gdb_text {
    unsigned len;
    char text[GDB_PACKET + 1];
};
void gdb_put(struct gdb_text *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void gdb_put_hex(struct gdb_text *t, const void *bytes, u64 len);
/* Bytes as they are, escaped where the protocol wants it; how many of them fitted. */
u64 gdb_put_binary(struct gdb_text *t, const void *bytes, u64 len);
/* Hexadecimal digits to bytes: how many, at most max. */
u64 gdb_from_hex(const char *hex, void *bytes, u64 max);

struct gdb_register;
struct gdb_layout {
    const char *name, *architecture;
    const struct gdb_register *reg;
    unsigned count;
};
extern const struct gdb_layout gdb_layouts[], *const gdb_layout_wide, *const gdb_layout_narrow;

struct gdb {
    struct console *console;
    int listener, in, out;      /* -1: none. in and out are one descriptor but for the terminal */
    const struct gdb_layout *layout, *wanted; /* in use; as asked for, NULL: by the processor */
    bool is_stdio;
    bool no_ack;
    bool spoke, found_stopped;  /* this peer has sent a packet; the guest stood still when it came */
    bool told_break;            /* gdb understands swbreak and hwbreak in stop replies */
    bool physical;              /* addresses of m and M are physical */
    bool waiting;               /* it waits for a stop reply */
    bool dead;                  /* the guest has ended; it looks at the remains */
    bool silent;                /* the current command needs no answer now */
    struct gdb_framer framer;
    struct gdb_text reply;
    char last[GDB_PACKET + 8]; unsigned last_len; /* the last packet sent, for gdb to ask for again */
    void (*monitor)(void *opaque, const char *line, FILE *out);
    void *monitor_opaque;
};

/* --- gdbregs.c: one numbering for the whole session --- */
/* Bytes of register n, little-endian, into buf, which holds 16; 0: no such register. */
unsigned gdb_register_get(const struct gdb_layout *l, const struct cpu_state *s, unsigned n, u8 *buf);
/* Set it from bytes; what a debugger cannot change is left alone. Its size, 0: no such register. */
unsigned gdb_register_set(const struct gdb_layout *l, struct cpu_state *s, unsigned n, const u8 *buf);
/* A register of any layout by its name, up to 64 bits of it. False: no such register. */
bool gdb_register_named(const struct cpu_state *s, const char *name, u64 *value);
/* The description that gdb reads as target.xml; heap, to be freed. NULL: no memory. */
char *gdb_target_xml(const struct gdb_layout *l);

/* --- gdbcmd.c --- */
/* Carry out g->framer.body; answers through gdb_send() unless a stop reply will. */
void gdb_command(struct gdb *g);
/* The stop reply for the debugger's last stop, into g->reply. */
void gdb_describe_stop(struct gdb *g);

/* --- gdb.c --- */
void gdb_send(struct gdb *g);   /* g->reply as a packet */
void gdb_drop(struct gdb *g);   /* the peer is gone, or goes: forget its points, and let the guest run */

#endif
