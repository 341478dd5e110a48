/* SPDX-License-Identifier: MIT */
/*
 * What the register files of both transports have alike (virtio 1.2, 4.1.4.3 and 4.2.2): 64 features behind a window of 32 bits, and one
 * set of registers for all queues. What is written to a queue that is in use is dropped.
 */
#ifndef EMU_DEVICES_VIRTIO_SELECT_H
#define EMU_DEVICES_VIRTIO_SELECT_H

#include "devices/virtio/virtio.h"

struct virtio_select { struct virtio *v; u32 device_features, driver_features, queue; };

/* As after a reset. */
void virtio_select_reset(struct virtio_select *s);

/* 32 features that the device offers, that the driver has taken; and the driver takes some. */
u32 virtio_select_offered(const struct virtio_select *s);
u32 virtio_select_taken(const struct virtio_select *s);
void virtio_select_take(const struct virtio_select *s, u32 features);

/* NULL: there is no such queue, or, of the second, it is in use. */
struct virtqueue *virtio_selected(const struct virtio_select *s);
struct virtqueue *virtio_selected_unused(const struct virtio_select *s);
/* 0 where there is no such queue. */
u16 virtio_select_size(const struct virtio_select *s);
bool virtio_select_enabled(const struct virtio_select *s);
void virtio_select_set_size(const struct virtio_select *s, u32 size);
void virtio_select_enable(const struct virtio_select *s);

/* The three parts of a queue, by halves of their addresses. */
enum virtio_part { VIRTIO_DESC, VIRTIO_DRIVER_AREA, VIRTIO_DEVICE_AREA };
u32 virtio_select_half(const struct virtio_select *s, enum virtio_part p, bool high);
void virtio_select_set_half(const struct virtio_select *s, enum virtio_part p, bool high, u32 value);

#endif
