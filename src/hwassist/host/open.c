/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "hwassist/host/host.h"

const char *host_device(void)
{
    const char *other = getenv(HOST_DEVICE_VARIABLE);
    return other ? other : HOST_DEVICE;
}

int host_explain(int errnum, struct error *err)
{
    switch (errnum) {
    case ENOENT: case ENXIO: case ENODEV:
        return error_set(err, "/dev/kvm is not there: no KVM in this kernel, or virtualization is off in the firmware; --kvm=model needs none of it");
    case EACCES: case EPERM:
        return error_set(err, "no permission to open /dev/kvm; join the group kvm (usermod -aG kvm USER, then log in again), or use --kvm=model");
    case EBUSY:
        return error_set(err, "/dev/kvm is busy: another hypervisor has the processor's virtualization; stop it, or use --kvm=model");
    default:
        return error_set(err, "/dev/kvm does not work: %s; use --kvm=model", strerror(errnum));
    }
}

int host_open(const char *path, struct error *err)
{
    int fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0)
        return host_explain(errno, err);
    int version = ioctl(fd, KVM_GET_API_VERSION, 0);
    if (version == KVM_API_VERSION)
        return fd;
    close(fd);
    return error_set(err, "%s does not answer as KVM does (API version %d, expected %d); use --kvm=model", path, version, KVM_API_VERSION);
}

int host_create_vm(int kvm_fd, struct error *err)
{
    int fd, tries = 0;
    do
        fd = ioctl(kvm_fd, KVM_CREATE_VM, 0);
    while (fd < 0 && errno == EINTR && ++tries < 100);
    return fd >= 0 ? fd : host_explain(errno, err);
}
