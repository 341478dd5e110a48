/* SPDX-License-Identifier: MIT */
#include "cpu/decode.h"

#include <capstone/capstone.h>
#include <stdio.h>

static cs_mode mode_of(unsigned bits) { return bits == 64 ? CS_MODE_64 : bits == 32 ? CS_MODE_32 : CS_MODE_16; }

/* What is shown where Capstone sees no instruction: the first byte as data. */
static void format_byte(const u8 *bytes, size_t avail, char *buf, size_t size)
{
    if (avail)
        snprintf(buf, size, "db 0x%02x", bytes[0]);
    else
        snprintf(buf, size, "(no bytes)");
}

/* A handle for each call: opening one takes about as long as formatting an instruction, and nothing is kept. */
const char *disassemble(const u8 *bytes, size_t avail, unsigned bits, gva_t at, char *buf, size_t size)
{
    csh handle;
    cs_insn *insn = NULL;
    format_byte(bytes, avail, buf, size);
    if (!avail || cs_open(CS_ARCH_X86, mode_of(bits), &handle) != CS_ERR_OK)
        return buf;
    if (cs_disasm(handle, bytes, avail, at, 1, &insn) == 1)
        snprintf(buf, size, *insn->op_str ? "%s %s" : "%s", insn->mnemonic, insn->op_str);
    cs_free(insn, insn ? 1 : 0);
    cs_close(&handle);
    return buf;
}
