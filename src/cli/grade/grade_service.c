/* SPDX-License-Identifier: MIT */
#include "cli/grade/grade_service.h"

#include <stdlib.h>
#include <string.h>

#include "machine/vm.h"

enum { CALL_INSNS = 20 /* any request: about what it takes beside one instruction of the guest's */ };

static const struct service_ops *const services[] = { &service_kvm, &service_vmx, &service_e1000, &service_virtio_net, &service_vhost, &service_iommu };

const struct service_ops *service_find(const char *name)
{
    for (unsigned i = 0; i < ARRAY_LEN(services); i++)
        if (strcmp(services[i]->name, name) == 0)
            return services[i];
    return NULL;
}

bool service_read(const struct service *s, u64 at, void *to, u64 len)
{
    const u8 *p = physmap_ptr(s->memory, at, len);
    if (p)
        memcpy(to, p, len);
    return p != NULL;
}

bool service_write(const struct service *s, u64 at, const void *from, u64 len)
{
    if (!physmap_ptr(s->memory, at, len))
        return false;
    physmap_write(s->memory, at, from, len);
    return true;
}

u64 service_insns(const struct service *s) { return s->ledger ? s->ledger->guest_insns : 0; }

bool service_over(struct service *s)
{
    if (s->asker && service_insns(s) + s->work + s->asker->ledger.guest_insns > s->max_insns)
        vm_stop(s->asker, STATUS_LIMIT, "time-out");
    return s->asker && s->asker->status != VM_RUNNING;
}

void service_charge(struct service *s, u64 insns) { s->work += insns; }

static void on_port(void *opaque, u64 offset, unsigned size, u64 at)
{
    struct service *s = opaque;
    struct service_request r;
    if (!service_read(s, at, &r, sizeof r))
        return;
    service_charge(s, CALL_INSNS);
    r.value = 0;
    r.result = 0;
    s->ops->call(s, &r);
    service_write(s, at, &r, sizeof r);
    service_over(s);
}

static u64 from_port(void *opaque, u64 offset, unsigned size) { return ~(u64)0; }

int service_attach(struct service *s, struct vm *asker, struct error *err)
{
    static const struct bus_ops ops = { .read = from_port, .write = on_port, .min_size = 4, .max_size = 4 };
    s->asker = asker;
    s->memory = &asker->map;
    if (s->ops->attach)
        s->ops->attach(s);
    return bus_add_ports(&asker->bus, "lab", SERVICE_PORT, 4, &ops, s, err);
}

struct service *service_new(const struct service_ops *ops, u64 max_insns, struct error *err)
{
    struct service *s = calloc(1, sizeof *s);
    s->ops = ops;
    s->max_insns = max_insns;
    if (ops->start(s, err) == 0)
        return s;
    free(s);
    return NULL;
}

void service_free(struct service *s)
{
    if (s)
        s->ops->end(s);
    free(s);
}
