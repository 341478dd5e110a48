/* SPDX-License-Identifier: MIT */
/* The PC's serial ports: where the four 16550s stand, and who shares a wire with whom. */
#include "devices/serial/serial.h"

#include <stdlib.h>

#include "devices/serial/uart.h"

#define PORTS 4

static const struct { const char *name; u16 base; u8 irq; } place[PORTS] = {
    { "com1", 0x3f8, 4 }, { "com2", 0x2f8, 3 }, { "com3", 0x3e8, 4 }, { "com4", 0x2e8, 3 },
};

struct serial {
    struct device dev;
    bool exists[PORTS];
    struct uart uart[PORTS];
    struct irq irq[PORTS];
};

/* COM1 and COM3 share a wire, COM2 and COM4 another: it is high if one of them wants it. */
static void follow_lines(void *owner)
{
    struct serial *s = owner;
    irq_set(&s->irq[0], s->uart[0].line || s->uart[2].line);
    if (s->exists[1] || s->exists[3])
        irq_set(&s->irq[1], s->uart[1].line || s->uart[3].line);
}

static void serial_reset(struct device *d)
{
    struct serial *s = (struct serial *)d;
    for (int n = 0; n < PORTS; n++)
        if (s->exists[n])
            uart_reset(&s->uart[n]);
}

static void serial_destroy(struct device *d)
{
    struct serial *s = (struct serial *)d;
    for (int n = 0; n < PORTS; n++)
        if (s->exists[n])
            uart_fini(&s->uart[n]);
    free(s);
}

static int add_port(struct serial *s, int n, const struct platform *to, struct error *err)
{
    s->irq[n] = to->isa_irq[place[n].irq];
    if (n > 0 && !to->serial[n])
        return 0;
    s->exists[n] = true;
    uart_init(&s->uart[n], to->clock, to->serial[n], follow_lines, s);
    return bus_add_ports(to->bus, place[n].name, place[n].base, 8, &uart_ports, &s->uart[n], err);
}

static struct device *serial_create(struct platform *to, struct error *err)
{
    struct serial *s = device_new(&serial_ops, sizeof *s, err);
    if (!s)
        return NULL;
    for (int n = 0; n < PORTS; n++) {
        if (add_port(s, n, to, err)) {
            serial_destroy(&s->dev);
            return NULL;
        }
    }
    return &s->dev;
}

static void serial_info(const struct device *d, FILE *out)
{
    const struct serial *s = (const struct serial *)d;
    for (int n = 0; n < PORTS; n++)
        if (s->exists[n])
            fprintf(out, "%s: port %03x irq %d, %llu sent, %llu received\n", place[n].name, place[n].base, place[n].irq,
                    (unsigned long long)s->uart[n].sent, (unsigned long long)s->uart[n].received);
}

const struct device_ops serial_ops = {
    "serial", "16550A serial ports COM1 to COM4", serial_create, serial_reset, serial_destroy, serial_info,
};
