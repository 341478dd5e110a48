/* SPDX-License-Identifier: MIT */
/* The ISA DMA controllers, for the devices that ask them for transfers. */
#ifndef EMU_DEVICES_DMA_H
#define EMU_DEVICES_DMA_H

#include "devices/device.h"

struct dma;

/* The device on an 8-bit channel (0 to 3) has, or wants, `len` bytes. Moves what the guest has programmed: returns how many bytes
 * went; fewer when the channel is masked, set up for the other direction, or has counted to its end, which *ended says. */
u32 dma_transfer(struct dma *p, unsigned channel, u8 *buf, u32 len, bool to_memory, bool *ended);

#endif
