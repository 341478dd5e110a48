/* SPDX-License-Identifier: MIT */
/*
 * The registers (SDM chapter 13): one row each. A row without a function is a register of which the guest can change the bits of
 * its mask; COUNTER rows are cleared by reading. What is in no row reads zero.
 */
#include <string.h>

#include "devices/e1000/e1000.h"

static void ctrl_write(struct e1000 *e, u32 offset, u32 value)
{
    if (value & CTRL_RST) {
        e1000_reset(e);
        return;
    }
    *e1000_reg(e, offset) = value & ~CTRL_PHY_RST;
    if (value & CTRL_PHY_RST)
        e1000_phy_reset(e);
}

/* The EEPROM's words are loaded anew: the address is one of them. */
static void ctrl_ext_write(struct e1000 *e, u32 offset, u32 value) { *e1000_reg(e, offset) = value & ~CTRL_EXT_EE_RST; }

static void rctl_write(struct e1000 *e, u32 offset, u32 value)
{
    *e1000_reg(e, offset) = value;
    if (e->wire)
        net_wake(e->wire, NET_NIC);
}

static void rdt_write(struct e1000 *e, u32 offset, u32 value)
{
    *e1000_reg(e, offset) = value & 0xffff;
    if (e->wire)
        net_wake(e->wire, NET_NIC);
}

static void rdtr_write(struct e1000 *e, u32 offset, u32 value)
{
    *e1000_reg(e, offset) = value & 0xffff;
    if (value >> 31)            /* FPD: do not wait any longer */
        e1000_rx_flush_delay(e);
}

static void tidv_write(struct e1000 *e, u32 offset, u32 value)
{
    *e1000_reg(e, offset) = value & 0xffff;
    if (value >> 31)
        e1000_tx_flush_delay(e);
}

static void tctl_write(struct e1000 *e, u32 offset, u32 value)
{
    *e1000_reg(e, offset) = value;
    e1000_transmit(e);
}

static void tdt_write(struct e1000 *e, u32 offset, u32 value)
{
    *e1000_reg(e, offset) = value & 0xffff;
    e1000_transmit(e);
}

static u32 write_only(struct e1000 *e, u32 offset) { return 0; }

enum { COUNTER = 1 };

static const struct row {
    u32 offset, count;
    const char *name;
    u32 mask;
    u8 flags;
    u32 (*read)(struct e1000 *e, u32 offset);
    void (*write)(struct e1000 *e, u32 offset, u32 value);
} rows[] = {
    { 0, 0, NULL, 0, 0, NULL, NULL },           /* row 0: no register */
    { E1000_CTRL, 2, "CTRL", 0, 0, NULL, ctrl_write },
    { E1000_STATUS, 1, "STATUS", 0, 0, NULL, NULL },
    { E1000_EECD, 1, "EECD", 0, 0, e1000_eecd_read, e1000_eecd_write },
    { E1000_EERD, 1, "EERD", 0, 0, NULL, e1000_eerd_write },
    { E1000_CTRL_EXT, 1, "CTRL_EXT", 0, 0, NULL, ctrl_ext_write },
    { E1000_FLA, 1, "FLA", 0, 0, NULL, NULL },
    { E1000_MDIC, 1, "MDIC", 0, 0, NULL, e1000_mdic_write },
    { E1000_FCAL, 1, "FCAL", ~0u, 0, NULL, NULL },
    { E1000_FCAH, 1, "FCAH", 0xffff, 0, NULL, NULL },
    { E1000_FCT, 1, "FCT", 0xffff, 0, NULL, NULL },
    { E1000_VET, 1, "VET", 0xffff, 0, NULL, NULL },
    { E1000_ICR, 1, "ICR", 0, 0, e1000_icr_read, e1000_icr_write },
    { E1000_ITR, 1, "ITR", 0xffff, 0, NULL, NULL },
    { E1000_ICS, 1, "ICS", 0, 0, write_only, e1000_ics_write },
    { E1000_IMS, 1, "IMS", 0, 0, NULL, e1000_ims_write },
    { E1000_IMC, 1, "IMC", 0, 0, write_only, e1000_imc_write },
    { E1000_RCTL, 1, "RCTL", 0, 0, NULL, rctl_write },
    { E1000_FCTTV, 1, "FCTTV", 0xffff, 0, NULL, NULL },
    { E1000_TXCW, 1, "TXCW", ~0u, 0, NULL, NULL },
    { E1000_RXCW, 1, "RXCW", 0, 0, NULL, NULL },
    { E1000_TCTL, 1, "TCTL", 0, 0, NULL, tctl_write },
    { E1000_TIPG, 1, "TIPG", 0x3fffffff, 0, NULL, NULL },
    { E1000_AIT, 1, "AIT", 0xffff, 0, NULL, NULL },
    { E1000_LEDCTL, 1, "LEDCTL", ~0u, 0, NULL, NULL },
    { E1000_PBA, 1, "PBA", 0xffff, 0, NULL, NULL },
    { E1000_FCRTL, 1, "FCRTL", 0x8000fff8, 0, NULL, NULL },
    { E1000_FCRTH, 1, "FCRTH", 0xfff8, 0, NULL, NULL },
    { E1000_RDBAL, 1, "RDBAL", 0xfffffff0, 0, NULL, NULL },
    { E1000_RDBAH, 1, "RDBAH", ~0u, 0, NULL, NULL },
    { E1000_RDLEN, 1, "RDLEN", 0xfff80, 0, NULL, NULL },
    { E1000_RDH, 1, "RDH", 0xffff, 0, NULL, NULL },
    { E1000_RDT, 1, "RDT", 0, 0, NULL, rdt_write },
    { E1000_RDTR, 1, "RDTR", 0, 0, NULL, rdtr_write },
    { E1000_RXDCTL, 1, "RXDCTL", 0x013f3f3f, 0, NULL, NULL },
    { E1000_RADV, 1, "RADV", 0xffff, 0, NULL, NULL },
    { E1000_RSRPD, 1, "RSRPD", 0xfff, 0, NULL, NULL },
    { E1000_TXDMAC, 1, "TXDMAC", 1, 0, NULL, NULL },
    { E1000_TDBAL, 1, "TDBAL", 0xfffffff0, 0, NULL, NULL },
    { E1000_TDBAH, 1, "TDBAH", ~0u, 0, NULL, NULL },
    { E1000_TDLEN, 1, "TDLEN", 0xfff80, 0, NULL, NULL },
    { E1000_TDH, 1, "TDH", 0xffff, 0, NULL, NULL },
    { E1000_TDT, 1, "TDT", 0, 0, NULL, tdt_write },
    { E1000_TIDV, 1, "TIDV", 0, 0, NULL, tidv_write },
    { E1000_TXDCTL, 1, "TXDCTL", 0xff3f3f3f, 0, NULL, NULL },
    { E1000_TADV, 1, "TADV", 0xffff, 0, NULL, NULL },
    { E1000_TSPMT, 1, "TSPMT", ~0u, 0, NULL, NULL },
    { 0x4000, 74, "counter", 0, COUNTER, NULL, NULL },
    { E1000_RXCSUM, 1, "RXCSUM", 0x3ff, 0, NULL, NULL },
    { E1000_MTA, 128, "MTA", ~0u, 0, NULL, NULL },
    { E1000_RA, 32, "RA", ~0u, 0, NULL, NULL },
    { E1000_VFTA, 128, "VFTA", ~0u, 0, NULL, NULL },
    { E1000_WUC, 1, "WUC", ~0u, 0, NULL, NULL },
    { E1000_WUFC, 1, "WUFC", ~0u, 0, NULL, NULL },
    { E1000_WUS, 1, "WUS", 0, 0, NULL, NULL },
    { E1000_MANC, 1, "MANC", ~0u, 0, NULL, NULL },
    { E1000_IPAV, 1, "IPAV", ~0u, 0, NULL, NULL },
    { E1000_IP4AT, 8, "IP4AT", ~0u, 0, NULL, NULL },
    { E1000_IP6AT, 4, "IP6AT", ~0u, 0, NULL, NULL },
    { E1000_WUPL, 1, "WUPL", 0, 0, NULL, NULL },
};
_Static_assert(ARRAY_LEN(rows) < 256, "a row's number is a byte");

/* Initial values that are not zero. */
static const struct { u32 offset, value; } initial[] = {
    { E1000_CTRL, CTRL_FD | CTRL_SLU }, { E1000_VET, 0x8100 }, { E1000_PBA, 0x00100030 }, { E1000_LEDCTL, 0x07068302 },
    { E1000_FCAL, 0x00c28001 }, { E1000_FCAH, 0x0100 }, { E1000_FCT, 0x8808 }, { E1000_RXCW, 0 }, { E1000_TIPG, 0x00602008 },
};

void e1000_regs_init(struct e1000 *e)
{
    for (unsigned r = 1; r < ARRAY_LEN(rows); r++)
        for (u32 i = 0; i < rows[r].count; i++)
            e->row[rows[r].offset / 4 + i] = r;
}

/* The receive address comes from the EEPROM (SDM 13.5.2). */
static void load_address(struct e1000 *e)
{
    *e1000_reg(e, E1000_RA) = e->eeprom[0] | (u32)e->eeprom[1] << 16;
    *e1000_reg(e, E1000_RA + 4) = e->eeprom[2] | RAH_AV;
}

void e1000_regs_reset(struct e1000 *e)
{
    memset(e->reg, 0, sizeof e->reg);
    for (unsigned i = 0; i < ARRAY_LEN(initial); i++)
        *e1000_reg(e, initial[i].offset) = initial[i].value;
    load_address(e);
}

/* CTRL has a second address, where nothing else is. */
static u32 canonical(u32 offset) { return offset == E1000_CTRL + 4 ? E1000_CTRL : offset; }

u32 e1000_read(struct e1000 *e, u32 offset)
{
    offset = canonical(offset & ~3u);
    const struct row *r = &rows[offset < E1000_REGS_END ? e->row[offset / 4] : 0];
    if (!r->name)
        return 0;
    u32 value = r->read ? r->read(e, offset) : e1000_get(e, offset);
    if (r->flags & COUNTER)
        *e1000_reg(e, offset) = 0;
    return value;
}

void e1000_write(struct e1000 *e, u32 offset, u32 value)
{
    offset = canonical(offset & ~3u);
    const struct row *r = &rows[offset < E1000_REGS_END ? e->row[offset / 4] : 0];
    if (r->write)
        r->write(e, offset, value);
    else if (r->mask)
        *e1000_reg(e, offset) = value & r->mask;
}

const char *e1000_reg_name(u64 offset)
{
    for (unsigned r = 1; r < ARRAY_LEN(rows); r++)
        if (offset >= rows[r].offset && offset < rows[r].offset + 4 * rows[r].count)
            return rows[r].name;
    return NULL;
}
