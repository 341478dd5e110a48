/* SPDX-License-Identifier: MIT */
/*
 * What a driver of a virtual function of Intel's 82576 sees (82576EB Datasheet, order number 320025; chapters 7.8, 8 and 8.26): offsets
 * behind base address register 0, their bits, and the descriptors in memory. This header knows nothing of the model, so that a
 * guest's driver may include it too.
 *
 * The data path of a VF, from power-on, in a driver of a page: write CTRL.RST; poll MAILBOX until RSTD; send VF_RESET through the
 * mailbox and read the answer, which has the MAC address; give the rings their places; set QUEUE_ENABLE; put descriptors in memory and
 * the tail register behind them. Whoever polls the descriptors' DD bits needs no interrupt at all.
 */
#ifndef EMU_DEVICES_IGB_REGS_H
#define EMU_DEVICES_IGB_REGS_H

/* --- identity --- */

enum { IGB_VENDOR = 0x8086, IGB_PF_DEVICE = 0x10c9, IGB_VF_DEVICE = 0x10ca };
enum { IGB_VF_BAR = 0, IGB_VF_MSIX_BAR = 3, IGB_VF_VECTORS = 3 };
enum { IGB_VF_SPACE = 0x4000 };     /* bytes behind base address register 0 of a VF */
enum { IGB_VF_QUEUES = 2 };         /* a receive and a transmit ring each */

/* --- registers of a VF --- */

enum igb_vf_offset {
    VF_CTRL = 0x0000,               /* bit 26: reset of this function's queues and interrupts */
    VF_STATUS = 0x0008,             /* link and speed of the port, read only */
    VF_FRTIMER = 0x1048,            /* free running timer, microseconds */
    VF_EICS = 0x1520, VF_EIMS = 0x1524, VF_EIMC = 0x1528, VF_EIAC = 0x152c, VF_EIAM = 0x1530, VF_EICR = 0x1580, /* a bit for each vector */
    VF_EITR = 0x1680,               /* least time between two interrupts of a vector, microseconds in bits 14:2; an array of three */
    VF_IVAR = 0x1700,               /* which vector: byte 0 receive 0, 1 transmit 0, 2 receive 1, 3 transmit 1; bit 7 of each: valid */
    VF_IVAR_MISC = 0x1740,          /* ... of the mailbox, byte 0 */
    VF_MBMEM = 0x0800,              /* the mailbox's sixteen words */
    VF_MAILBOX = 0x0c40,
    /* statistics count on and wrap (8.26.5) */
    VF_GPRC = 0x0f10, VF_GPTC = 0x0f14, VF_GORC = 0x0f18, VF_GOTC = 0x0f34, VF_MPRC = 0x0f3c,
    VF_GPRLBC = 0x0f40, VF_GPTLBC = 0x0f44, VF_GORLBC = 0x0f48, VF_GOTLBC = 0x0f50,
    VF_RX_QUEUE = 0x2800, VF_TX_QUEUE = 0x3800, VF_QUEUE_STRIDE = 0x100,    /* ring n of a kind is n strides further */
};

/* Within a ring's registers. */
enum igb_queue_offset {
    Q_BAL = 0x00, Q_BAH = 0x04,     /* where the descriptors are: a multiple of 128 */
    Q_LEN = 0x08,                   /* bytes of them: a multiple of 128 */
    Q_SRRCTL = 0x0c,                /* receive only */
    Q_HEAD = 0x10,                  /* the adapter's: the next descriptor that it takes */
    Q_DCA = 0x14,
    Q_TAIL = 0x18,                  /* the driver's: the first that it has not given */
    Q_DCTL = 0x28,
    Q_PSRTYPE = 0x54,               /* receive only: at 5480h in the physical function */
};

enum { IGB_CTRL_RST = 1 << 26 };
enum { IGB_STATUS_FD = 1 << 0, IGB_STATUS_LU = 1 << 1, IGB_STATUS_SPEED_1000 = 2 << 6 };
enum { IGB_DCTL_ENABLE = 1 << 25, IGB_DCTL_FLUSH = 1 << 26 };
enum { IGB_IVAR_VALID = 0x80 };
/* SRRCTL: BSIZEPACKET in units of 1024 bytes, BSIZEHEADER (bits 13:8) in units of 64. */
enum { IGB_SRRCTL_ONE_BUFFER = 1 << 25, IGB_SRRCTL_SPLIT = 2 << 25, IGB_SRRCTL_SPLIT_ALWAYS = 5 << 25, IGB_SRRCTL_TYPE = 7 << 25 };
#define IGB_SRRCTL_DROP (1u << 31)

/* --- the mailbox (7.8.2.9.1) --- */

enum {
    MAILBOX_REQ = 1 << 0,           /* written: the VF has put a message there */
    MAILBOX_ACK = 1 << 1,           /* written: it has read the PF's */
    MAILBOX_VFU = 1 << 2,           /* the VF holds the memory; not granted while the PF does */
    MAILBOX_PFU = 1 << 3,
    MAILBOX_PFSTS = 1 << 4,         /* the PF has put a message there. This and the next, and RSTD, are cleared by reading */
    MAILBOX_PFACK = 1 << 5,         /* the PF has read the VF's */
    MAILBOX_RSTI = 1 << 6,          /* the PF is in reset */
    MAILBOX_RSTD = 1 << 7,          /* and is out of it */
    MAILBOX_WORDS = 16,
};

/* The first word of a message: what the drivers of both sides have agreed on. Bits 23:16 are the message's own. */
enum { MSG_VF_RESET = 1, MSG_VF_SET_MAC = 2, MSG_VF_SET_MULTICAST = 3, MSG_VF_SET_VLAN = 4, MSG_VF_SET_LPE = 5, MSG_PF_CONTROL = 0x100 };
enum { MSG_INFO_SHIFT = 16, MSG_CTS = 1 << 29, MSG_NACK = 1 << 30 };
#define MSG_ACK (1u << 31)

/* --- descriptors: sixteen bytes, "advanced" (7.1.5, 7.2.2) --- */

enum { IGB_DESCRIPTOR = 16 };

/* Transmit: u64 buffer, u32 command, u32 offload. */
enum {
    TXD_LENGTH = 0xffff,            /* of command: bytes of the buffer */
    TXD_CONTEXT = 2 << 20, TXD_DATA = 3 << 20, TXD_TYPE = 15 << 20,
    TXD_EOP = 1 << 24,              /* the packet's last */
    TXD_IFCS = 1 << 25,             /* append the Ethernet checksum; it is always */
    TXD_RS = 1 << 27,               /* set DD in the last word when it is done */
    TXD_DEXT = 1 << 29,             /* it is an advanced one */
    TXD_VLE = 1 << 30,              /* put in the context's VLAN tag */
};
#define TXD_TSE (1u << 31)          /* TCP segmentation, as the context says */
enum { TXD_DD = 1 << 0 };           /* of the last word, when written back */
enum { TXD_IXSM = 1 << 8, TXD_TXSM = 1 << 9, TXD_IDX_SHIFT = 4, TXD_PAYLEN_SHIFT = 14 };    /* of offload */
/* Context: u32 lengths (IP header 8:0, Ethernet header 15:9, VLAN tag 31:16), u32 0, u32 command, u32 (index 6:4, L4 header 15:8, MSS 31:16). */
enum { TXC_IPV4 = 1 << 10, TXC_TCP = 1 << 11, TXC_SCTP = 2 << 11 };

/* Receive: u64 buffer, u64 header buffer (0 with one buffer). Written back: u32 type and header length, u32 RSS hash (or u16 IP
 * identification, u16 checksum), u32 status and errors, u16 length, u16 VLAN tag. */
enum { RXD_DD = 1 << 0, RXD_EOP = 1 << 1, RXD_VP = 1 << 3, RXD_UDPCS = 1 << 4, RXD_L4CS = 1 << 5, RXD_IPCS = 1 << 6, RXD_PIF = 1 << 7,
       RXD_LOOPBACK = 1 << 18, RXD_L4E = 1 << 29, RXD_IPE = 1 << 30 };
enum { RXD_HEADER_SHIFT = 5 };
#define RXD_SPLIT (1u << 15)

#endif
