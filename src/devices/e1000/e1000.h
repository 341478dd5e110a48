/* SPDX-License-Identifier: MIT */
/*
 * Inside the network adapter Intel 82540EM, "e1000" (PCI/PCI-X Family of Gigabit Ethernet Controllers Software Developer's Manual,
 * order number 317453; "SDM" in these files is that one). e1000.c is the PCI function, e1000_regs.c the table of registers,
 * e1000_tx.c and e1000_rx.c the two rings, e1000_offload.c what is done to a packet on its way out, e1000_filter.c which ones come
 * in, e1000_irq.c interrupts and their throttling, e1000_eeprom.c, e1000_phy.c and e1000_stats.c what their names say.
 */
#ifndef EMU_DEVICES_E1000_H
#define EMU_DEVICES_E1000_H

#include "devices/net/net.h"
#include "devices/pci/pci.h"

extern const struct device_ops e1000_ops;

/* Offsets of registers (SDM table 13-2). */
enum e1000_offset {
    E1000_CTRL = 0x0000, E1000_STATUS = 0x0008, E1000_EECD = 0x0010, E1000_EERD = 0x0014, E1000_CTRL_EXT = 0x0018, E1000_FLA = 0x001c,
    E1000_MDIC = 0x0020, E1000_FCAL = 0x0028, E1000_FCAH = 0x002c, E1000_FCT = 0x0030, E1000_VET = 0x0038,
    E1000_ICR = 0x00c0, E1000_ITR = 0x00c4, E1000_ICS = 0x00c8, E1000_IMS = 0x00d0, E1000_IMC = 0x00d8,
    E1000_RCTL = 0x0100, E1000_FCTTV = 0x0170, E1000_TXCW = 0x0178, E1000_RXCW = 0x0180, E1000_TCTL = 0x0400, E1000_TIPG = 0x0410,
    E1000_AIT = 0x0458, E1000_LEDCTL = 0x0e00, E1000_PBA = 0x1000, E1000_FCRTL = 0x2160, E1000_FCRTH = 0x2168,
    E1000_RDBAL = 0x2800, E1000_RDBAH = 0x2804, E1000_RDLEN = 0x2808, E1000_RDH = 0x2810, E1000_RDT = 0x2818,
    E1000_RDTR = 0x2820, E1000_RXDCTL = 0x2828, E1000_RADV = 0x282c, E1000_RSRPD = 0x2c00, E1000_TXDMAC = 0x3000,
    E1000_TDBAL = 0x3800, E1000_TDBAH = 0x3804, E1000_TDLEN = 0x3808, E1000_TDH = 0x3810, E1000_TDT = 0x3818,
    E1000_TIDV = 0x3820, E1000_TXDCTL = 0x3828, E1000_TADV = 0x382c, E1000_TSPMT = 0x3830,
    E1000_MPC = 0x4010, E1000_PRC64 = 0x405c, E1000_GPRC = 0x4074, E1000_BPRC = 0x4078, E1000_MPRC = 0x407c, E1000_GPTC = 0x4080,
    E1000_GORCL = 0x4088, E1000_GOTCL = 0x4090, E1000_RNBC = 0x40a0, E1000_ROC = 0x40ac, E1000_TORL = 0x40c0, E1000_TOTL = 0x40c8,
    E1000_TPR = 0x40d0, E1000_TPT = 0x40d4, E1000_PTC64 = 0x40d8, E1000_MPTC = 0x40f0, E1000_BPTC = 0x40f4, E1000_TSCTC = 0x40f8,
    E1000_RXCSUM = 0x5000, E1000_MTA = 0x5200, E1000_RA = 0x5400, E1000_VFTA = 0x5600,
    E1000_WUC = 0x5800, E1000_WUFC = 0x5808, E1000_WUS = 0x5810, E1000_MANC = 0x5820, E1000_IPAV = 0x5838, E1000_IP4AT = 0x5840,
    E1000_IP6AT = 0x5880, E1000_WUPL = 0x5900,
    E1000_SPACE = 0x20000,      /* bytes behind base address register 0 */
    E1000_REGS_END = 0x6000,    /* there is nothing behind */
};

enum { CTRL_FD = 1 << 0, CTRL_SLU = 1 << 6, CTRL_RST = 1 << 26, CTRL_VME = 1 << 30 };
#define CTRL_PHY_RST (1u << 31)
enum { STATUS_FD = 1 << 0, STATUS_LU = 1 << 1, STATUS_SPEED_1000 = 1 << 7 };
enum { CTRL_EXT_EE_RST = 1 << 13 };
/* Interrupt causes (SDM 13.4.17). */
enum { CAUSE_TXDW = 1 << 0, CAUSE_TXQE = 1 << 1, CAUSE_LSC = 1 << 2, CAUSE_RXDMT0 = 1 << 4, CAUSE_RXO = 1 << 6, CAUSE_RXT0 = 1 << 7,
       CAUSE_MDAC = 1 << 9, CAUSE_TXD_LOW = 1 << 15 };
enum { RCTL_EN = 1 << 1, RCTL_UPE = 1 << 3, RCTL_MPE = 1 << 4, RCTL_LPE = 1 << 5, RCTL_LBM_SHIFT = 6, RCTL_RDMTS_SHIFT = 8, RCTL_MO_SHIFT = 12,
       RCTL_BAM = 1 << 15, RCTL_BSIZE_SHIFT = 16, RCTL_VFE = 1 << 18, RCTL_BSEX = 1 << 25, RCTL_SECRC = 1 << 26 };
enum { TCTL_EN = 1 << 1, TCTL_PSP = 1 << 3 };
enum { RXCSUM_IPOFL = 1 << 8, RXCSUM_TUOFL = 1 << 9 };
#define RAH_AV (1u << 31)

enum { DESCRIPTOR = 16, EEPROM_WORDS = 64, PHY_REGISTERS = 32, VLAN_TAG = 4, ETHERNET_HEADER = 14 };

/* A checksum to be put in: the sum over bytes from..to (0: the end), `to` included, goes to byte `at`. */
struct e1000_sum { u8 from, at; u16 to; };

/* What a context descriptor says (SDM 3.3.6); one is kept for segmentation, one for the rest. */
struct e1000_context {
    struct e1000_sum ip, l4;
    u8 command, header;             /* TUCMD; bytes of the headers that each segment repeats */
    u16 mss;
};

/* The packet that is being put together from descriptors. */
struct e1000_packet {
    u8 data[NET_FRAME_MAX];
    u32 len;
    bool started;                   /* by its first descriptor, which said: */
    bool segmented, sum_ip, sum_l4, tagged;
    struct e1000_context how;       /* a copy: a context that comes in the middle of a packet is for the next one */
    u16 tag;
    u32 segments;                   /* sent so far */
    bool too_long;                  /* dropped at its end */
};

struct e1000 {
    struct pci_function function;
    struct net_wire *wire;          /* NULL: no cable */
    struct clock *clock;
    u8 mac[6];                      /* as the EEPROM has it */
    u32 reg[E1000_REGS_END / 4];
    u8 row[E1000_REGS_END / 4];     /* of the table of registers, 0: none */
    u32 io_address;                 /* of the pair of ports that leads to the registers too */

    struct e1000_packet packet;
    struct e1000_context plain, segmenting;
    struct timer tx_go_on;          /* the ring is long: the guest's turn first */
    struct timer tx_delay, tx_limit;    /* interrupt delays of SDM 3.4.4 */
    struct timer rx_delay, rx_limit;    /* ... and 3.2.7 */
    bool tx_stalled;                /* the wire has no room */

    struct timer throttle;          /* when the next interrupt may come */
    cycles_t next_interrupt;

    u16 eeprom[EEPROM_WORDS];
    struct { u8 phase, count; u16 shift; } microwire;   /* the serial line to the EEPROM */

    u16 phy[PHY_REGISTERS];
    struct timer negotiation;
    bool link;                      /* up, as the PHY sees it */
};

static inline u32 *e1000_reg(struct e1000 *e, u32 offset) { return &e->reg[offset / 4]; }
static inline u32 e1000_get(const struct e1000 *e, u32 offset) { return e->reg[offset / 4]; }

/* --- e1000.c --- */

/* As after CTRL.RST: all but the PCI configuration. */
void e1000_reset(struct e1000 *e);

/* --- e1000_regs.c --- */

void e1000_regs_init(struct e1000 *e);      /* once */
void e1000_regs_reset(struct e1000 *e);     /* to their initial values; timers and rings are the caller's */
u32 e1000_read(struct e1000 *e, u32 offset);
void e1000_write(struct e1000 *e, u32 offset, u32 value);
const char *e1000_reg_name(u64 offset);

/* --- e1000_tx.c --- */

/* Go on with the transmit ring, as far as a burst and the wire's room allow. */
void e1000_transmit(struct e1000 *e);
void e1000_tx_init(struct e1000 *e);
void e1000_tx_reset(struct e1000 *e);
void e1000_tx_flush_delay(struct e1000 *e);
/* Put a whole frame on the wire, or back into the receiver when a loopback is on. */
void e1000_emit(struct e1000 *e, const u8 *frame, u32 len);

/* --- e1000_offload.c --- */

/* `len` more bytes of a packet that is to be segmented: each time there is a segment, it goes. */
void e1000_segment(struct e1000 *e, const u8 *data, u32 len);
/* The packet is whole: checksums, tag, and out. */
void e1000_finish_packet(struct e1000 *e);

/* --- e1000_rx.c --- */

bool e1000_can_receive(struct e1000 *e);
void e1000_receive(struct e1000 *e, const u8 *frame, u32 len);
void e1000_rx_init(struct e1000 *e);
void e1000_rx_reset(struct e1000 *e);
void e1000_rx_flush_delay(struct e1000 *e);

/* --- e1000_filter.c --- */

bool e1000_wants(const struct e1000 *e, const u8 *frame, u32 len);
static inline bool e1000_is_multicast(const u8 *frame) { return frame[0] & 1; }
bool e1000_is_broadcast(const u8 *frame);
bool e1000_is_tagged(const struct e1000 *e, const u8 *frame, u32 len);

/* --- e1000_irq.c --- */

void e1000_irq_init(struct e1000 *e);
void e1000_irq_reset(struct e1000 *e);
void e1000_cause(struct e1000 *e, u32 causes);      /* something happened */
u32 e1000_icr_read(struct e1000 *e, u32 offset);
void e1000_icr_write(struct e1000 *e, u32 offset, u32 value);
void e1000_ics_write(struct e1000 *e, u32 offset, u32 value);
void e1000_ims_write(struct e1000 *e, u32 offset, u32 value);
void e1000_imc_write(struct e1000 *e, u32 offset, u32 value);

/* --- e1000_eeprom.c --- */

void e1000_eeprom_init(struct e1000 *e);
void e1000_eeprom_reset(struct e1000 *e);
u32 e1000_eecd_read(struct e1000 *e, u32 offset);
void e1000_eecd_write(struct e1000 *e, u32 offset, u32 value);
void e1000_eerd_write(struct e1000 *e, u32 offset, u32 value);

/* --- e1000_phy.c --- */

void e1000_phy_init(struct e1000 *e);
void e1000_phy_reset(struct e1000 *e);
void e1000_phy_look(struct e1000 *e);       /* the wire's link may have changed */
bool e1000_phy_loops(const struct e1000 *e);
void e1000_mdic_write(struct e1000 *e, u32 offset, u32 value);

/* --- e1000_stats.c --- */

void e1000_count(struct e1000 *e, u32 offset, u32 n);       /* a counter stops at its largest value */
void e1000_count_octets(struct e1000 *e, u32 offset, u32 n);    /* of 64 bits: low and high */
void e1000_count_sent(struct e1000 *e, const u8 *frame, u32 len);
void e1000_count_received(struct e1000 *e, const u8 *frame, u32 len);

#endif
