/* SPDX-License-Identifier: MIT */
/*
 * Whole guests with a device of "this computer": a stand-in for the host's kernel gives them an adapter that works in a thread of its own
 * (vfio_cards.h). A small driver on every engine, and Linux's own e1000 (by the pin) and igbvf (by MSI-X).
 */
#include <stdio.h>

#include "bt/bt.h"
#include "devices/serial/chardev.h"
#include "hwassist/host/host.h"
#include "machine/bare.h"
#include "machine/vm.h"
#include "net_server.h"
#include "vfio_cards.h"

struct setting { const char *name; const struct engine_ops *engine; const char *kvm; };
static const struct setting settings[] = { { "bt", &bt_engine }, { "bare", &bare_engine }, { "kvm model", &kvm_engine, "model" }, { "kvm host", &kvm_engine, "host" } };

struct step { const char *expect, *send; };

/* Somebody at the serial line, who waits for words and types others. */
struct session { struct chardev *console; const struct step *step; size_t seen; bool done; };

static void follow(struct vm *vm, void *opaque)
{
    struct session *s = opaque;
    const char *text = chardev_buffer_text(s->console, NULL), *found = s->step->expect ? strstr(text + s->seen, s->step->expect) : NULL;
    if (!found)
        return;
    s->seen = found - text + strlen(s->step->expect);
    if (s->step->send)
        chardev_buffer_feed(s->console, s->step->send, strlen(s->step->send));
    s->step++;
    s->done = !s->step->expect;
    if (s->done)
        vm_stop(vm, STATUS_POWEROFF, "seen");
}

/* True: all was said. */
static bool session(const struct setting *on, struct vm_config *config, const struct step *script)
{
    struct error err = { "" };
    struct session s = { chardev_buffer_new(), script, 0, false };
    config->engine = on->engine;
    config->kvm = on->kvm;
    config->serial[0] = s.console;
    config->pump = follow;
    config->pump_opaque = &s;
    config->no_reboot = true;
    struct vm *vm = vm_new(config, &err);
    if (vm) {
        vm_run(vm);
        follow(vm, &s);
        if (!s.done)
            fprintf(stderr, "    %s: it ended so: %s; waited for: %s; last words: %s\n", on->name, vm->reason, s.step->expect, chardev_buffer_text(s.console, NULL));
        vm_free(vm);
    } else {
        FAIL("%s", err.text);
    }
    chardev_close(s.console);
    return CHECK(s.done);
}

static bool run(struct card *c, const struct setting *on, struct vm_config *config, const struct step *script)
{
    config->vfio_calls = &c->k.calls;
    config->vfio[config->nvfios++].host = "0000:06:0d.0";
    card_start(c);
    return session(on, config, script);
}

/* --- a small driver --- */

static const char *netload(void)
{
    static char path[300];
    const char *build = getenv("EMU_BUILD");
    snprintf(path, sizeof path, "%s/guests/netload.native.elf", build ? build : "build");
    return path;
}

static void load(const struct setting *on, void (*put)(struct card *c), const char *words)
{
    static const char *const echo[] = { "peer=echo" };
    static const struct step script[] = { { "@netload", NULL }, { NULL, NULL } };
    static struct card c;
    struct vm_config config;
    vm_config_defaults(&config);
    config.kernel = netload();
    config.append = words;
    config.max_seconds = 60;
    check_context("%s, %s", on->name, words);
    card_init(&c, "wire", echo, 1);
    put(&c);
    if (run(&c, on, &config, script)) {
        CHECK(c.dma_bytes > 20 * 60);
        CHECK_EQ(c.refused, 0);
        CHECK(c.d->resets >= 1);
    }
    card_fini(&c);
    check_context(NULL);
}

/* A KVM that is only software does not run its kernel; test_vfio_real has a guest for that one. */
static bool here(const struct setting *on)
{
    struct host_findings f;
    return !on->kvm || strcmp(on->kvm, "host") || (!host_try(&f, NULL) && f.paging32);
}

static void test_e1000(void)
{
    for (unsigned i = 0; i < ARRAY_LEN(settings); i++)
        if (here(&settings[i]))
            load(&settings[i], card_put_e1000, "path=e1000 mode=pingpong frame=60 batch=1 count=20");
}

static void test_vf(void)
{
    for (unsigned i = 0; i < ARRAY_LEN(settings); i++)
        if (here(&settings[i]))
            load(&settings[i], card_put_vf, "path=vf mode=pingpong frame=60 batch=1 count=20");
}

/* --- Linux --- */

#define INITRD "build/tests/initrd-vfio"
#define NEED_LINUX(module) do { \
    if (system("tools/fetch-guests linux32 busybox32 " module ".ko")) \
        SKIP("the guest cannot be had (tools/fetch-guests linux32 busybox32 " module ".ko)"); \
    if (system("tools/make-initramfs " INITRD "-" module " lib/" module ".ko=guests/real/" module ".ko")) \
        SKIP("tools/make-initramfs cannot make the initial RAM disk"); \
} while (0)

static void linux_config(struct vm_config *config, const char *initrd)
{
    vm_config_defaults(config);
    config->kernel = "guests/real/linux32";
    config->initrd = initrd;
    config->append = "console=ttyS0 quiet";
    config->max_seconds = 300;
}

static void linux_session(void (*put)(struct card *c), const char *initrd, const char *load_module)
{
    static struct card c;
    struct vm_config config;
    struct net_server server = { 0 };
    char get[200];
    if (!net_server_start(&server))
        SKIP("no port of the loopback interface can be had");
    snprintf(get, sizeof get, "wget -q -O /tmp/f http://10.0.2.2:%u/f && nc 10.0.2.2 %u </tmp/f; echo GAVE $((6 * 7))\n", server.download_port, server.upload_port);
    const struct step script[] = {
        { "guest# ", load_module }, { "eth0 has 10.0.2.15", "ping -c 3 10.0.2.2\n" }, { "3 packets received", get }, { "GAVE 42", NULL }, { NULL, NULL },
    };
    linux_config(&config, initrd);
    card_init(&c, "user", NULL, 0);
    put(&c);
    if (run(&c, &settings[0], &config, script)) {
        CHECK_EQ(net_server_report(&server), net_server_size());
        CHECK(c.dma_bytes > 2u * net_server_size());
        CHECK_EQ(c.refused, 0);
    }
    net_server_stop(&server);
    card_fini(&c);
}

static void test_linux_e1000(void)
{
    NEED_LINUX("e1000");
    linux_session(card_put_e1000, INITRD "-e1000", "insmod /lib/e1000.ko; ifconfig eth0 up; udhcpc -i eth0 -n\n");
}

static void test_linux_igbvf(void)
{
    NEED_LINUX("igbvf");
    linux_session(card_put_vf, INITRD "-igbvf", "insmod /lib/igbvf.ko; ifconfig eth0 up; udhcpc -i eth0 -n\n");
}

/* --- a device that this computer really has --- */

static void test_here(void)
{
    const char *address = getenv("EMU_VFIO");
    char vendor[20] = "", path[100], expect[60];
    if (!address)
        SKIP("no device of this machine is given to the test; bind one to vfio-pci and set EMU_VFIO=0000:01:10.0");
    NEED_LINUX("e1000");
    snprintf(path, sizeof path, "/sys/bus/pci/devices/%.40s/vendor", address);
    FILE *f = fopen(path, "r");
    CHECK(f && fscanf(f, "%19s", vendor) == 1);
    if (f)
        fclose(f);
    snprintf(expect, sizeof expect, "VENDOR %s", vendor);
    const struct step script[] = { { "guest# ", "echo VENDOR $(cat /sys/bus/pci/devices/0000:00:10.0/vendor)\n" }, { expect, NULL }, { NULL, NULL } };
    for (unsigned i = 0; i < ARRAY_LEN(settings); i++) {
        struct vm_config config;
        if (!here(&settings[i]))
            continue;
        check_context("%s", settings[i].name);
        linux_config(&config, INITRD "-e1000");
        config.vfio[config.nvfios++].host = address;
        session(&settings[i], &config, script);
    }
    check_context(NULL);
}

int main(int argc, char **argv)
{
    static const struct check tests[] = {
        { "e1000", test_e1000 }, { "vf", test_vf }, { "linux_e1000", test_linux_e1000 }, { "linux_igbvf", test_linux_igbvf },
        { "here", test_here }, { NULL, NULL },
    };
    return check_main(argc, argv, "vfio_guest", tests);
}
