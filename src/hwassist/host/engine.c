/* SPDX-License-Identifier: MIT */
/* The host backend: VMs and vcpus of /dev/kvm. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "hwassist/host/host.h"

static int host_probe(char *detail, size_t size, struct error *why)
{
    struct host_findings f;
    char text[120];
    if (host_try(&f, why) < 0)
        return -1;
    host_describe(&f, text, sizeof text);
    snprintf(detail, size, "/dev/kvm works, %s", text);
    return 0;
}

/* It must run a guest at all. And a kernel whose paging it refuses would only see an exception that no real processor gives: say it before. */
static int check_works(const struct vm *vm, struct error *err)
{
    struct host_findings f;
    const struct cpu_model *model = cpu_model_find(vm->config.cpu_model);
    if (host_try(&f, err) < 0)
        return -1;
    if (!vm->config.kernel || f.paging32 || (f.long_mode && model && model->ext_features_edx & CPUID_LM))
        return 0;
    return error_set(err, "this host's /dev/kvm is software and refuses 32-bit paging (its MOV CR0 faults)%s; use --kvm=model",
                     f.long_mode ? ", though it runs 64-bit kernels" : "");
}

static void on_map_changed(void *opaque) { ((struct host_vm *)opaque)->slots_stale = true; }

static void on_sync(void *opaque) { host_sync_dirty(opaque); }

static void on_marked(void *opaque, gpa_t page, u8 marks)
{
    if (marks & MARK_DIRTY_LOG)
        on_map_changed(opaque);
}

static void vm_close(struct host_vm *h)
{
    if (h->vm_fd >= 0)
        close(h->vm_fd);
    if (h->kvm_fd >= 0)
        close(h->kvm_fd);
    free(h);
}

static int vm_open(struct host_vm *h, struct error *err)
{
    h->kvm_fd = host_open(host_device(), err);
    if (h->kvm_fd < 0)
        return -1;
    h->vm_fd = host_create_vm(h->kvm_fd, err);
    if (h->vm_fd < 0)
        return -1;
    host_find_caps(h);
    h->run_size = ioctl(h->kvm_fd, KVM_GET_VCPU_MMAP_SIZE, 0);
    ioctl(h->vm_fd, KVM_SET_TSS_ADDR, 0xfffbd000); /* three pages that Intel's VMX without unrestricted guest needs for real mode */
    return 0;
}

static int host_vm_init(struct vm *vm, struct error *err)
{
    struct host_vm *h = calloc(1, sizeof *h);
    *h = (struct host_vm){ .backend = &kvm_host_backend, .vm = vm, .kvm_fd = -1, .vm_fd = -1 };
    if (check_works(vm, err) < 0 || vm_open(h, err) < 0 || host_irqchip_create(h, err) < 0 || host_set_slots(h, &vm->map, err) < 0) {
        vm_close(h);
        return -1;
    }
    host_set_zones(h);
    h->observer = (struct phys_observer){ .map_changed = on_map_changed, .marked = on_marked, .sync = on_sync, .opaque = h };
    physmap_observe(&vm->map, &h->observer);
    vm->engine_data = h;
    host_shortcuts_attach(h);
    return 0;
}

static void host_vm_fini(struct vm *vm)
{
    struct host_vm *h = vm->engine_data;
    host_sync_dirty(h);
    host_shortcuts_detach(h);
    host_irqchip_detach(h);
    physmap_unobserve(&vm->map, &h->observer);
    vm_close(h);
    vm->engine_data = NULL;
}

static void vcpu_close(struct host_vcpu *h)
{
    if (h->has_timer)
        timer_delete(h->timer);
    if (h->run != MAP_FAILED)
        munmap(h->run, h->vm->run_size);
    if (h->fd >= 0)
        close(h->fd);
    free(h);
}

static int vcpu_open(struct host_vcpu *h, struct error *err)
{
    h->fd = ioctl(h->vm->vm_fd, KVM_CREATE_VCPU, (unsigned long)h->v->index);
    if (h->fd < 0)
        return error_set(err, "/dev/kvm creates no virtual processor: %s; use --kvm=model", strerror(errno));
    h->run = mmap(NULL, h->vm->run_size, PROT_READ | PROT_WRITE, MAP_SHARED, h->fd, 0);
    if (h->run == MAP_FAILED)
        return error_set(err, "/dev/kvm does not show its virtual processor: %s; use --kvm=model", strerror(errno));
    if (host_timer_create(h, err) < 0)
        return -1;
    host_find_msrs(h);
    return host_set_cpuid(h, err);
}

static int host_vcpu_init(struct vcpu *v, struct error *err)
{
    struct host_vcpu *h = calloc(1, sizeof *h);
    *h = (struct host_vcpu){ .v = v, .vm = v->vm->engine_data, .fd = -1, .run = MAP_FAILED };
    if (vcpu_open(h, err) < 0) {
        vcpu_close(h);
        return -1;
    }
    v->engine_data = h;
    if (v->index == 0)
        host_irqchip_attach(h->vm);
    return 0;
}

/* What was rung last is not lost with the thread that listened. */
static void host_vcpu_fini(struct vcpu *v)
{
    struct host_vm *h = v->vm->engine_data;
    host_bells_serve(h);
    host_bells_stop(h);
    vcpu_close(v->engine_data);
    v->engine_data = NULL;
}

static void host_kick(struct vcpu *v)
{
    struct host_vcpu *h = v->engine_data;
    cpu_kick(&v->cpu);
    __atomic_store_n(&h->run->immediate_exit, 1, __ATOMIC_RELAXED);
    if (!pthread_equal(h->thread, pthread_self()))
        pthread_kill(h->thread, host_signal());
}

static void host_get_state(struct vcpu *v, struct cpu_state *s)
{
    host_pull(v->engine_data);
    *s = v->cpu.state;
}

static void host_set_state(struct vcpu *v, const struct cpu_state *s)
{
    host_pull(v->engine_data);
    cpu_set_state(&v->cpu, s);
}

static void host_info(const struct vm *vm, void *file)
{
    static const char *const irqchip[] = { [IRQCHIP_OFF] = "off", [IRQCHIP_SPLIT] = "split", [IRQCHIP_ON] = "on" };
    const struct host_vm *h = vm->engine_data;
    char params[256];
    unsigned slots = 0;
    u64 interpreted = 0;
    for (unsigned i = 0; i < HOST_MAX_SLOTS; i++)
        slots += h->slot[i].size != 0;
    for (unsigned i = 0; i < vm->nvcpus; i++)
        interpreted += ((const struct host_vcpu *)vm->vcpu[i]->engine_data)->interpreted;
    host_params(HOST_MODULES, params, sizeof params);
    fprintf(file, "/dev/kvm: kernel_irqchip=%s; %s\n", irqchip[h->irqchip], params);
    fprintf(file, "/dev/kvm: %u memory slots, %" PRIu64 " instructions by the interpreter that KVM did not emulate, %" PRIu64 " coalesced writes, %" PRIu64
            " pages of the dirty log, %u doorbells and %u interrupts in the kernel\n", slots, interpreted, h->coalesced, h->dirty_pages, h->taken.ndoorbells, h->taken.nirqs);
    host_print_stats(vm, file);
}

static void host_reset(struct vm *vm) { host_irqchip_reset(vm->engine_data); }

/* Interrupt controllers in the kernel would stay behind. */
static int host_may_leave(const struct vm *vm, struct error *err)
{
    const struct host_vm *h = vm->engine_data;
    return h->irqchip == IRQCHIP_OFF ? 0 : error_set(err, "the interrupt controllers are in the host's kernel and stay there; start with -machine kernel_irqchip=off");
}

const struct engine_ops kvm_host_backend = {
    .name = "kvm",
    .help = "the host's /dev/kvm",
    .image = "native",
    .probe = host_probe,
    .vm_init = host_vm_init,
    .vm_fini = host_vm_fini,
    .vcpu_init = host_vcpu_init,
    .vcpu_fini = host_vcpu_fini,
    .run = host_run,
    .step = host_step,
    .kick = host_kick,
    .get_state = host_get_state,
    .set_state = host_set_state,
    .reset = host_reset,
    .may_leave = host_may_leave,
    .info = host_info,
};
