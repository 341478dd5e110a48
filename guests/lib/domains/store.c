/* SPDX-License-Identifier: MIT */
/* The store: a message is a header and texts, in a ring of bytes; the answer comes in another. */
#include "domains/domains.h"

/* The header says which errors exist, if their numbers are known. */
#include <xen/io/xs_wire.h>

static struct xenstore_domain_interface *ring;

void store_start(void)
{
    ring = (void *)(VIRT_BASE + (machine_to_phys_mapping[xen_start->store_mfn] << 12));
}

static void put(const void *from, u32 len)
{
    XENSTORE_RING_IDX volatile *consumed = &ring->req_cons;
    for (u32 i = 0; i < len; i++) {
        while (ring->req_prod - *consumed == XENSTORE_RING_SIZE)
            event_notify(xen_start->store_evtchn);
        ring->req[MASK_XENSTORE_IDX(ring->req_prod)] = ((const char *)from)[i];
        xen_wmb();
        ring->req_prod++;
    }
}

static void get(void *to, u32 len)
{
    XENSTORE_RING_IDX volatile *produced = &ring->rsp_prod;
    for (u32 i = 0; i < len; i++) {
        while (ring->rsp_cons == *produced) {
            event_notify(xen_start->store_evtchn);
            if (ring->rsp_cons == *produced)
                event_wait(xen_start->store_evtchn);
        }
        ((char *)to)[i] = ring->rsp[MASK_XENSTORE_IDX(ring->rsp_cons)];
        xen_wmb();
        ring->rsp_cons++;
    }
}

static u32 length(const char *s)
{
    u32 n = 0;
    while (s[n])
        n++;
    return n;
}

/* The path, a NUL, and perhaps a value of so many bytes. The answer's payload into buf, ended; its type. */
static u32 ask_bytes(u32 type, u32 tx, const char *path, const char *value, u32 value_len, char *buf, u32 size)
{
    u32 path_len = length(path) + 1;
    struct xsd_sockmsg h = { type, 1, tx, path_len + value_len };
    char c;
    put(&h, sizeof h);
    put(path, path_len);
    put(value, value_len);
    event_notify(xen_start->store_evtchn);
    get(&h, sizeof h);
    for (u32 i = 0; i < h.len; i++) {
        get(&c, 1);
        if (i < size - 1)
            buf[i] = c;
    }
    buf[h.len < size - 1 ? h.len : size - 1] = 0;
    return h.type;
}

static u32 ask(u32 type, u32 tx, const char *path, const char *value, char *buf, u32 size)
{
    return ask_bytes(type, tx, path, value, value ? length(value) : 0, buf, size);
}

_Bool store_read(const char *path, char *buf, u32 size)
{
    return ask(XS_READ, 0, path, 0, buf, size) == XS_READ;
}

static u32 number(const char *s)
{
    u32 n = 0;
    for (; *s >= '0' && *s <= '9'; s++)
        n = n * 10 + *s - '0';
    return n;
}

u32 store_read_number(const char *path)
{
    char text[32];
    if (!store_read(path, text, sizeof text)) {
        print("store: %s: %s\n", path, text);
        kernel_panic("a number is missing in the store");
    }
    return number(text);
}

void store_write(u32 tx, const char *path, const char *value)
{
    char text[32];
    if (ask(XS_WRITE, tx, path, value, text, sizeof text) != XS_WRITE) {
        print("store: %s: %s\n", path, text);
        kernel_panic("the store refused a value");
    }
}

/* In decimal, at the end of text. */
static char *decimal(char text[16], u32 value)
{
    char *p = text + 16;
    *--p = 0;
    do
        *--p = '0' + value % 10;
    while (value /= 10);
    return p;
}

void store_write_number(u32 tx, const char *path, u32 value)
{
    char text[16];
    store_write(tx, path, decimal(text, value));
}

/* Two texts: "nOWNER", nobody else may anything; "rDOMID". */
void store_show(const char *path, u16 domid)
{
    char perms[32] = "n", answer[32], text[16], *p = perms + 1;
    const char *number = decimal(text, share_self());
    store_write(0, path, "");
    for (u32 n = length(number) + 1; n; n--)
        *p++ = *number++;
    *p++ = 'r';
    number = decimal(text, domid);
    for (u32 n = length(number) + 1; n; n--)
        *p++ = *number++;
    if (ask_bytes(XS_SET_PERMS, 0, path, perms, p - perms, answer, sizeof answer) != XS_SET_PERMS)
        kernel_panic("the store refused permissions");
}

u32 store_begin(void)
{
    char text[32];
    if (ask(XS_TRANSACTION_START, 0, "", 0, text, sizeof text) != XS_TRANSACTION_START)
        kernel_panic("no transaction");
    return number(text);
}

_Bool store_commit(u32 tx)
{
    char text[32];
    return ask(XS_TRANSACTION_END, tx, "T", 0, text, sizeof text) == XS_TRANSACTION_END;
}

const char *store_join(char buf[128], const char *dir, const char *node)
{
    u32 n = length(dir);
    memcpy(buf, dir, n);
    buf[n] = '/';
    memcpy(buf + n + 1, node, length(node) + 1);
    return buf;
}
