/* SPDX-License-Identifier: MIT */
/*
 * A console (virtio 1.2, 5.3): virtio_console.c moves characters, two queues for each port; virtio_console_control.c, of a device with more
 * than one port, tells the driver which there are. Only the first is a console; the others are lines that have a name.
 */
#ifndef EMU_DEVICES_VIRTIO_CONSOLE_H
#define EMU_DEVICES_VIRTIO_CONSOLE_H

#include "devices/virtio/virtio.h"

#define CONSOLE_F_MULTIPORT BIT(1)
enum console_queue { CONSOLE_IN, CONSOLE_OUT, CONSOLE_CONTROL_IN, CONSOLE_CONTROL_OUT, CONSOLE_QUEUES };

struct virtio_console;

struct console_port {
    struct virtio_console *console;
    struct chardev *line;           /* NULL: nobody is there */
    const char *name;               /* NULL: none */
    bool open;                      /* somebody in the guest has it open */
    u8 owed;                        /* messages that the driver has not had yet, by bits of virtio_console_control.c */
};

struct virtio_console {
    struct virtio v;
    struct console_port port[1 + VIRTIO_PORTS_MAX]; unsigned ports;
};

/* The port that a queue is of; NULL: it is the control queues'. */
struct console_port *console_port_of(struct virtio_console *c, const struct virtqueue *q);
/* What has been typed goes to the guest, as far as it has places for it. */
void console_give(struct console_port *p);

/* The driver has places for messages, or has sent some. */
void console_tell(struct virtio_console *c);
void console_listen(struct virtio_console *c, struct virtqueue *q);

#endif
