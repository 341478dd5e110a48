/* SPDX-License-Identifier: MIT */
/*
 * The PHY, a Marvell 88E1011 inside the adapter, reached through MDIC (SDM 8.4 and 13.4.6; registers 0 to 15 are those of IEEE 802.3,
 * clause 22 and 40). At power-on it has negotiated already; later a negotiation takes its time, and LSC tells of its end.
 */
#include <string.h>

#include "devices/e1000/e1000.h"

enum { PHY_CONTROL = 0, PHY_STATUS = 1, PHY_ID1 = 2, PHY_ID2 = 3, PHY_ADVERTISE = 4, PHY_PARTNER = 5, PHY_EXPANSION = 6, PHY_1000_CONTROL = 9,
       PHY_1000_STATUS = 10, PHY_EXTENDED_STATUS = 15, M88_CONTROL = 16, M88_STATUS = 17, M88_IRQ_ENABLE = 18, M88_EXTENDED_CONTROL = 20 };
enum { CONTROL_RESET = 0x8000, CONTROL_LOOPBACK = 0x4000, CONTROL_NEGOTIATE = 0x1000, CONTROL_DOWN = 0x0800, CONTROL_ISOLATE = 0x0400,
       CONTROL_RESTART = 0x0200 };
enum { STATUS_NEGOTIATED = 0x0020, STATUS_LINK = 0x0004 };
enum { M88_LINK = 0x0c00 /* resolved, and real-time link */ };
enum { PHY_ADDRESS = 1 };
#define NEGOTIATION_NS 2000000u     /* of two ends that agree at once; a real pair may take seconds */

static const struct { u8 reg; u16 initial, writable; } registers[] = {
    { PHY_CONTROL, 0x1140, 0x7dc0 },            /* negotiate, 1000 Mb/s, full duplex */
    { PHY_STATUS, 0x7949, 0 },                  /* 10 and 100, both duplexes, extended status and capabilities */
    { PHY_ID1, 0x0141, 0 }, { PHY_ID2, 0x0c20, 0 },
    { PHY_ADVERTISE, 0x0de1, 0xffff }, { PHY_PARTNER, 0x45e1, 0 }, { PHY_EXPANSION, 0x0001, 0 },
    { PHY_1000_CONTROL, 0x0e00, 0xff00 }, { PHY_1000_STATUS, 0x3c00, 0 },
    { PHY_EXTENDED_STATUS, 0x3000, 0 },
    { M88_CONTROL, 0x0360, 0xffff }, { M88_STATUS, 0xa000, 0 },     /* 1000 Mb/s, full duplex */
    { M88_IRQ_ENABLE, 0, 0xffff }, { M88_EXTENDED_CONTROL, 0x0d60, 0xffff },
};

static u16 writable(unsigned reg)
{
    for (unsigned i = 0; i < ARRAY_LEN(registers); i++)
        if (registers[i].reg == reg)
            return registers[i].writable;
    return 0;
}

static void set_bits(u16 *reg, u16 bits, bool on) { *reg = on ? *reg | bits : *reg & ~bits; }

void e1000_phy_look(struct e1000 *e)
{
    bool up = e->wire && e->wire->link && !timer_armed(&e->negotiation) && !(e->phy[PHY_CONTROL] & (CONTROL_DOWN | CONTROL_ISOLATE));
    bool changed = up != e->link;
    e->link = up;
    set_bits(&e->phy[PHY_STATUS], STATUS_LINK | STATUS_NEGOTIATED, up);
    set_bits(&e->phy[M88_STATUS], M88_LINK, up);
    *e1000_reg(e, E1000_STATUS) = STATUS_FD | STATUS_SPEED_1000 | (up ? STATUS_LU : 0);
    if (changed)
        e1000_cause(e, CAUSE_LSC);
    if (changed && up)
        net_wake(e->wire, NET_NIC);
}

bool e1000_phy_loops(const struct e1000 *e) { return e->phy[PHY_CONTROL] & CONTROL_LOOPBACK; }

static void negotiated(void *opaque, cycles_t when) { e1000_phy_look(opaque); }

static void negotiate(struct e1000 *e)
{
    timer_set(e->clock, &e->negotiation, e->clock->now + clock_ns_to_cycles(e->clock, NEGOTIATION_NS));
    e1000_phy_look(e);
}

static void load_initial(struct e1000 *e)
{
    memset(e->phy, 0, sizeof e->phy);
    for (unsigned i = 0; i < ARRAY_LEN(registers); i++)
        e->phy[registers[i].reg] = registers[i].initial;
}

static void write_control(struct e1000 *e, u16 value)
{
    if (value & CONTROL_RESET)
        load_initial(e);
    else
        e->phy[PHY_CONTROL] = value & writable(PHY_CONTROL);
    if (value & (CONTROL_RESET | CONTROL_RESTART) && !(value & CONTROL_LOOPBACK))
        negotiate(e);
    else
        e1000_phy_look(e);
}

/* --- MDIC --- */

enum { MDIC_WRITE = 1, MDIC_READ = 2, MDIC_READY = 1 << 28, MDIC_INTERRUPT = 1 << 29, MDIC_ERROR = 1 << 30 };

static u32 run_frame(struct e1000 *e, u32 value)
{
    unsigned op = value >> 26 & 3, address = value >> 21 & 31, reg = value >> 16 & 31;
    if (address != PHY_ADDRESS || (op != MDIC_READ && op != MDIC_WRITE))
        return value | MDIC_ERROR;
    if (op == MDIC_READ)
        return (value & ~0xffffu) | e->phy[reg];
    if (reg == PHY_CONTROL)
        write_control(e, value);
    else
        e->phy[reg] = (e->phy[reg] & ~writable(reg)) | (value & writable(reg));
    return value;
}

void e1000_mdic_write(struct e1000 *e, u32 offset, u32 value)
{
    value &= 0x2fffffff;
    *e1000_reg(e, offset) = run_frame(e, value) | MDIC_READY;
    if (value & MDIC_INTERRUPT)
        e1000_cause(e, CAUSE_MDAC);
}

void e1000_phy_init(struct e1000 *e) { e->negotiation = (struct timer){ .fire = negotiated, .opaque = e }; }

void e1000_phy_reset(struct e1000 *e)
{
    load_initial(e);
    timer_cancel(e->clock, &e->negotiation);
    e->link = false;
    e1000_phy_look(e);
}
