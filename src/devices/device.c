/* SPDX-License-Identifier: MIT */
#include "devices/device.h"

#include <stdlib.h>

void *device_new(const struct device_ops *ops, size_t size, struct error *err)
{
    struct device *d = calloc(1, size);
    if (!d) {
        error_set(err, "no memory for device %s", ops->name);
        return NULL;
    }
    d->ops = ops;
    return d;
}
