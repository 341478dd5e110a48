/* SPDX-License-Identifier: MIT */
/* Which processor a kernel was built for, from its first bytes: the machine is made before any loader sees the file. */
#include <elf.h>
#include <string.h>
#include <zlib.h>

#include "machine/loader.h"

/* The Linux boot protocol's header (Documentation/arch/x86/boot.rst): offsets in the file. */
enum { LINUX_MAGIC = 0x202, LINUX_VERSION = 0x206, LINUX_XLOADFLAGS = 0x236, XLF_KERNEL_64 = 1 << 0, HEAD = 0x240 };

static bool is_elf64(const u8 *head)
{
    Elf64_Ehdr e;
    memcpy(&e, head, sizeof e);
    return !memcmp(head, ELFMAG, SELFMAG) && e.e_ident[EI_CLASS] == ELFCLASS64 && e.e_machine == EM_X86_64;
}

static bool is_linux64(const u8 *head)
{
    bool told = head[LINUX_VERSION + 1] > 2 || (head[LINUX_VERSION + 1] == 2 && head[LINUX_VERSION] >= 0xc); /* from 2.12 on */
    return !memcmp(head + LINUX_MAGIC, "HdrS", 4) && told && head[LINUX_XLOADFLAGS] & XLF_KERNEL_64;
}

bool kernel_is_64bit(const char *path)
{
    u8 head[HEAD] = { 0 };
    gzFile in = gzopen(path, "rb"); /* a file that is not compressed it reads as it is */
    bool whole = in && gzread(in, head, sizeof head) == (int)sizeof head;
    if (in)
        gzclose(in);
    return whole && (is_elf64(head) || is_linux64(head));
}
