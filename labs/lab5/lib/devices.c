/* SPDX-License-Identifier: MIT */
/*
 * The devices of lab 5. Each access is a line of the output, so that one that came in a wrong size, twice or not at all is seen.
 *
 *     port E9H         console: bytes
 *     port 10H, 4 B    adds what is written; reads give the sum, in any size
 *     port 20H         raises the interrupt with the vector that is written
 *     port 30H         numbers, another one for each read
 *     MMIO             registers of 8 bytes each by address, 16 of them, then again from the first; at 1000H of each 64 KiB: raises a vector
 */
#include <stdio.h>

#include "lab5.h"

enum { CONSOLE = 0xe9, ADDER = 0x10, RAISE = 0x20, NUMBERS = 0x30, WAITING = 16 };

static char line[80];
static unsigned length;
static uint32_t sum, number = 7;
static unsigned char registers[128];
static unsigned char waiting[WAITING];
static unsigned first, count;

static void console(char c)
{
    if (c != '\n' && length < sizeof line - 1) {
        line[length++] = c;
        return;
    }
    line[length] = 0;
    length = 0;
    printf("@text %s\n", line);
}

static void raise_interrupt(unsigned char vector)
{
    if (count < WAITING)
        waiting[(first + count++) % WAITING] = vector;
}

int interrupt_pending(void) { return count ? waiting[first] : -1; }

void interrupt_taken(void)
{
    if (!count) {
        printf("@interrupt: none was waiting\n");
        return;
    }
    printf("@interrupt %x\n", waiting[first]);
    first = (first + 1) % WAITING;
    count--;
}

static uint32_t cut(uint32_t value, unsigned size) { return size >= 4 ? value : value & ((1u << size * 8) - 1); }

void port_write(uint16_t port, unsigned size, uint32_t value)
{
    value = cut(value, size);
    if (port == CONSOLE && size == 1) {
        console(value);
        return;
    }
    printf("@out port %x, size %u: %x\n", port, size, value);
    if (port == ADDER)
        sum += value;
    else if (port == RAISE)
        raise_interrupt(value);
}

uint32_t port_read(uint16_t port, unsigned size)
{
    uint32_t value = cut(port == ADDER ? sum : port == NUMBERS ? number = number * 1664525 + 1013904223 : 0xffffffff, size);
    printf("@in port %x, size %u: %x\n", port, size, value);
    return value;
}

void mmio_write(uint64_t gpa, unsigned size, uint64_t value)
{
    printf("@write %x, size %u: %x", (unsigned)gpa, size, (unsigned)cut(value, size));
    if (size == 8)
        printf(" %x", (unsigned)(value >> 32));
    printf("\n");
    for (unsigned i = 0; i < size; i++)
        registers[(gpa + i) % sizeof registers] = value >> i * 8;
    if ((gpa & 0xffff) == 0x1000)
        raise_interrupt(value);
}

uint64_t mmio_read(uint64_t gpa, unsigned size)
{
    uint64_t value = 0;
    for (unsigned i = 0; i < size; i++)
        value |= (uint64_t)registers[(gpa + i) % sizeof registers] << i * 8;
    printf("@read %x, size %u: %x\n", (unsigned)gpa, size, (unsigned)value);
    return value;
}
