/* SPDX-License-Identifier: MIT */
/*
 * Inside the network adapter Intel 82576, "igb": one port that can be several functions (82576EB Datasheet, 320025; "DS" in these
 * files). The physical function (PF) belongs to the host; the virtual functions (VFs) are given away. What a VF's driver sees is in
 * igb_regs.h.
 *
 * igb.c makes it, igb_sriov.c is the capability by which the host gets the VFs, igb_vf.c a VF's registers, igb_pf.c those of the PF
 * that steer the switch, igb_mailbox.c what the two talk through, igb_tx.c and igb_rx.c the rings, igb_offload.c what is done to a packet on
 * its way out, igb_switch.c where a frame goes, igb_irq.c vectors, and igb_host.c the host's driver, which works the PF by its registers.
 *
 * The PF is the modelled host's: no guest sees it, and its own rings are left out. So is the configuration space behind byte 256, but for
 * the one capability that the host's driver needs.
 */
#ifndef EMU_DEVICES_IGB_H
#define EMU_DEVICES_IGB_H

#include "devices/igb/igb_regs.h"
#include "devices/net/net.h"
#include "devices/pci/pci_msi.h"

/* --- registers of the PF (DS 8), as far as they are about VFs --- */

enum igb_pf_offset {
    PF_CTRL = 0x0000, PF_STATUS = 0x0008,
    PF_P2VMAILBOX = 0x0c00, PF_VMBMEM = 0x0800,         /* arrays by VF: of words, of sixteen words */
    PF_MBVFICR = 0x0c80, PF_MBVFIMR = 0x0c84,           /* a VF has sent (7:0) or has read (23:16) a message */
    PF_VFLRE = 0x0c88, PF_VFRE = 0x0c8c, PF_VFTE = 0x0c90, /* a VF was reset; may receive; may transmit */
    PF_DTXSWC = 0x3500, PF_WVBR = 0x3554,
    PF_MTA = 0x5200, PF_RA = 0x5400, PF_VT_CTL = 0x581c, PF_VMOLR = 0x5ad0, PF_VLVF = 0x5d00,
    PF_SPACE = 0x20000, PF_REGS_END = 0x6000,
};
enum { MBVF_ACK_SHIFT = 16 };
enum { P2V_STS = 1 << 0, P2V_ACK = 1 << 1, P2V_VFU = 1 << 2, P2V_PFU = 1 << 3, P2V_RVFU = 1 << 4 };
enum { DTXSWC_MAC_SPOOF = 1 << 0 /* 7:0, by pool */ };
#define DTXSWC_LOOPBACK (1u << 31)
enum { RAH_POOL_SHIFT = 18, PF_RAR_COUNT = 16, PF_MTA_WORDS = 128, PF_VLVF_COUNT = 32 };
#define IGB_RAH_VALID (1u << 31)
#define VLVF_VALID (1u << 31)
enum { VLVF_POOL_SHIFT = 12 };
enum { VMOLR_RLPML = 0x3fff, VMOLR_LPE = 1 << 16, VMOLR_AUPE = 1 << 24, VMOLR_ROMPE = 1 << 25, VMOLR_ROPE = 1 << 26, VMOLR_BAM = 1 << 27 };

enum { IGB_POOLS = 8, IGB_VFS_MAX = 7 /* the eighth pool is the PF's own */, IGB_CONTEXTS = 2 };
enum { IGB_FIRST_VF = 0x80, IGB_VF_STRIDE = 2 };        /* of routing identifiers: PF 01:00.0 has the VFs 01:10.0, 01:10.2, ... */

struct igb;
struct igb_vf;

struct igb_queue { u32 bal, bah, len, head, tail, dctl, srrctl, dca, psrtype; };

/* What a context descriptor says (DS 7.2.2.2). */
struct igb_context { u32 lengths, command, mss_l4len; };

/* The packet that a ring is putting together. */
struct igb_packet {
    u8 data[NET_FRAME_MAX];
    u32 len, segments;
    bool started, segmented, sum_ip, sum_l4, tagged, too_long;
    struct igb_context how;         /* a copy, taken at the packet's first descriptor */
};

struct igb_tx {
    struct igb_queue q;
    struct igb_context context[IGB_CONTEXTS];
    struct igb_packet packet;
};

struct igb_vector {
    struct igb_vf *vf;
    struct timer timer;             /* waits for the DMA, or for EITR */
    cycles_t next;                  /* not before */
};

struct igb_vf {
    struct pci_function function;   /* on the host's bus */
    struct pci_msix msix;
    struct igb *port;
    unsigned index;                 /* its pool */
    struct igb_tx tx[IGB_VF_QUEUES];
    struct igb_queue rx[IGB_VF_QUEUES];
    u32 eims, eicr, eiac, eiam, eitr[IGB_VF_VECTORS], ivar, ivar_misc;
    u32 mailbox[MAILBOX_WORDS], mailbox_bits;   /* of enum MAILBOX_* */
    u32 stats[32];                  /* F00h to F7Fh */
    u64 spoofed, no_buffer, filtered;   /* frames that were dropped, counted */
    struct timer tx_go_on, mail;    /* the ring is long; the host looks into the mailbox */
    struct igb_vector vector[IGB_VF_VECTORS];
    /* whose hands it is in: */
    struct clock *clock;            /* NULL: nobody's */
    struct net_wire *wire;          /* NULL: no cable */
};

/* One machine's end of the port's cable, shared by those of its VFs that are plugged in there. */
struct igb_uplink {
    struct igb *port;
    struct net_wire *wire;          /* NULL: free */
    u64 bits_per_second;            /* of the cable, when nobody else sends */
    unsigned users;
};

struct igb {
    struct pci_function pf;
    u32 reg[PF_REGS_END / 4];
    u8 sriov[0x40];                 /* the capability at 160h of the PF's configuration space */
    u8 mac[6];                      /* the PF's; those of the VFs follow */
    struct igb_vf vf[IGB_VFS_MAX];
    struct igb_uplink uplink[IGB_VFS_MAX];
    unsigned total_vfs, vfs;        /* that there can be; that are enabled */
};

/* --- igb.c --- */

/* The face. A port whose PF stands at 0.func of the bus; vfs: how many VFs the host's driver enables, up to IGB_VFS_MAX. NULL with *err. */
struct igb *igb_new(struct pci_bus *bus, unsigned func, const u8 mac[6], unsigned vfs, struct error *err);
void igb_free(struct igb *p);
/* The VF is in that clock's machine from now on, and plugged into its wire (NULL: no cable). Until igb_vf_give_back(). */
void igb_vf_hand_over(struct igb_vf *v, struct clock *clock, struct net_wire *wire);
void igb_vf_give_back(struct igb_vf *v);
/* A function-level reset. The PF's driver hears of it when it looks next: at the VF's next message, or when the VF is given back. */
void igb_vf_reset(struct igb_vf *v);
void igb_vf_print(const struct igb_vf *v, FILE *out);

/* --- igb_sriov.c (PCI Express: Single Root I/O Virtualization 1.1, 3.3) --- */

enum { SRIOV_CONTROL = 0x08, SRIOV_TOTAL_VFS = 0x0e, SRIOV_NUM_VFS = 0x10, SRIOV_OFFSET = 0x14, SRIOV_STRIDE = 0x16, SRIOV_VF_DEVICE = 0x1a };
enum { SRIOV_VF_ENABLE = 1 << 0, SRIOV_VF_MSE = 1 << 3 };
void igb_sriov_init(struct igb *p);
u32 igb_sriov_read(const struct igb *p, unsigned offset, unsigned size);
/* 0, or -1 with *err: a VF's place on the bus is taken. */
int igb_sriov_write(struct igb *p, unsigned offset, unsigned size, u32 value, struct error *err);

/* --- igb_vf.c, igb_pf.c --- */

u32 igb_vf_read(struct igb_vf *v, u32 offset);
void igb_vf_write(struct igb_vf *v, u32 offset, u32 value);
const char *igb_vf_reg_name(u64 offset);
extern const struct bus_ops igb_vf_ops, igb_pf_ops;
u32 igb_pf_read(struct igb *p, u32 offset);
void igb_pf_write(struct igb *p, u32 offset, u32 value);
static inline u32 *igb_stat(struct igb_vf *v, u32 offset) { return &v->stats[(offset - 0xf00) / 4]; }
static inline u32 igb_get(const struct igb *p, u32 offset) { return p->reg[offset / 4]; }

/* --- igb_mailbox.c --- */

u32 igb_mailbox_read(struct igb_vf *v);             /* the VF's side */
void igb_mailbox_write(struct igb_vf *v, u32 value);
u32 igb_p2v_read(const struct igb_vf *v);           /* the PF's */
void igb_p2v_write(struct igb_vf *v, u32 value);

/* --- igb_tx.c, igb_rx.c, igb_offload.c --- */

void igb_transmit(struct igb_vf *v);
bool igb_tx_waits(const struct igb_vf *v);          /* are there descriptors that it has not taken? */
/* Put a whole frame into the VF's memory. False: there is no buffer. */
bool igb_receive(struct igb_vf *v, const u8 *frame, u32 len, bool loopback);
bool igb_can_receive(const struct igb_vf *v);
static inline u32 igb_ring_size(const struct igb_queue *q) { return q->len / IGB_DESCRIPTOR; }
static inline u64 igb_descriptor_at(const struct igb_queue *q, u32 n) { return ((u64)q->bah << 32 | q->bal) + (u64)n * IGB_DESCRIPTOR; }
void igb_segment(struct igb_vf *v, struct igb_packet *p, const u8 *data, u32 len);
void igb_finish_packet(struct igb_vf *v, struct igb_packet *p);
static inline u32 igb_context_ip(const struct igb_context *c) { return c->lengths >> 9 & 0x7f; }            /* where the IP header begins, */
static inline u32 igb_context_l4(const struct igb_context *c) { return igb_context_ip(c) + (c->lengths & 0x1ff); } /* TCP's or UDP's, */
static inline u32 igb_context_header(const struct igb_context *c) { return igb_context_l4(c) + (c->mss_l4len >> 8 & 0xff); } /* and the data */

/* --- igb_switch.c --- */

void igb_switch_from_vf(struct igb_vf *from, const u8 *frame, u32 len);
void igb_uplink_take(struct igb_vf *v);             /* plug it into v->wire */
void igb_uplink_leave(struct igb_vf *v);
void igb_uplink_wake(struct igb_vf *v);             /* it has buffers again */

/* --- igb_irq.c --- */

enum igb_cause { CAUSE_RX, CAUSE_TX, CAUSE_MAIL };
void igb_irq_init(struct igb_vf *v);
void igb_irq_reset(struct igb_vf *v);
/* After the DMA that the function has done so far. */
void igb_interrupt(struct igb_vf *v, enum igb_cause c, unsigned queue);
u32 igb_eicr_read(struct igb_vf *v);
void igb_eics_write(struct igb_vf *v, u32 vectors);
void igb_eims_write(struct igb_vf *v, u32 vectors);

/* --- igb_host.c --- */

/* Enable the VFs and the switch. 0 or -1 with *err. */
int igb_host_start(struct igb *p, unsigned vfs, struct error *err);
/* A VF has written into its mailbox, or was reset. */
void igb_host_serve(struct igb *p);

#endif
