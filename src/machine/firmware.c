/* SPDX-License-Identifier: MIT */
#include "machine/firmware.h"


#define MIB ((u64)1 << 20)
#define BIOS_DATA 0x400 /* gpa of segment 0040h */

unsigned firmware_memory_map(const struct vm *vm, struct e820_entry map[FIRMWARE_MAP_MAX])
{
    u64 ram = vm->config.ram_size;
    map[0] = (struct e820_entry){ 0, FIRMWARE_LOW_END, E820_RAM };
    map[1] = (struct e820_entry){ FIRMWARE_LOW_END, 0xa0000 - FIRMWARE_LOW_END, E820_RESERVED };
    map[2] = (struct e820_entry){ 0xf0000, 0x10000, E820_RESERVED };
    map[3] = (struct e820_entry){ MIB, ram - MIB, E820_RAM };
    return ram > MIB ? 4 : 3;
}

/* The words of the BIOS data area that kernels look at: offset, bytes, value. */
static const struct { u16 offset; u8 size; u16 value; } bios_data[] = {
    { 0x00, 2, 0x3f8 },                     /* COM1 */
    { 0x02, 2, 0x2f8 },                     /* COM2 */
    { 0x0e, 2, FIRMWARE_LOW_END >> 4 },     /* segment of the extended area */
    { 0x10, 2, 0x0426 },                    /* equipment: FPU, PS/2 pointer, 80x25 colour, two serial ports */
    { 0x13, 2, FIRMWARE_LOW_END >> 10 },    /* KiB of low memory */
    { 0x49, 1, 3 },                         /* video mode 3 */
    { 0x4a, 2, 80 },                        /* columns */
    { 0x4c, 2, 0x1000 },                    /* bytes of a page of video memory */
    { 0x60, 2, 0x0607 },                    /* cursor shape */
    { 0x63, 2, 0x3d4 },                     /* CRT controller */
    { 0x84, 1, 24 },                        /* rows - 1 */
    { 0x85, 2, 16 },                        /* scan lines of a character */
};

void firmware_leave_data(struct vm *vm)
{
    u16 extended_kib = 1;
    for (unsigned i = 0; i < ARRAY_LEN(bios_data); i++)
        physmap_write(&vm->map, BIOS_DATA + bios_data[i].offset, &bios_data[i].value, bios_data[i].size);
    physmap_write(&vm->map, FIRMWARE_LOW_END, &extended_kib, sizeof extended_kib);
}
