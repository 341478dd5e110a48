/* SPDX-License-Identifier: MIT */
/*
 * What a lab's guest may ask of the grader (grade_service.h), asked by programs that talk nonsense: whatever it is, it is the submission that
 * loses points, and never the grader that fails.
 */
#include <unistd.h>

#include "grading.h"

static char folder[] = "/tmp/emu-service-XXXXXX";

static const char numbers[] =
    "static unsigned seed = SEED;\n"
    "static unsigned next(void) { return (seed = seed * 1664525 + 1013904223) >> 4; }\n"
    "static unsigned long long any(void)\n"
    "{\n"
    "    static const unsigned long long some[] = { 0, 1, 2, 7, 0x1000, 0x20000, 0x100000, 0x100000000ull, 0xfffff000, ~0ull, 1ull << 63, 0xfffffffffffff000ull };\n"
    "    return next() % 3 ? some[next() % 12] : ((unsigned long long)next() << 32 | next()) >> next() % 64;\n"
    "}\n";

/* Ioctls of all numbers on all descriptors, with arguments that are now and then a page of this program's; the machine runs in between. */
static const char monitor[] =
    "#include <fcntl.h>\n#include <linux/kvm.h>\n#include <sys/ioctl.h>\n#include <sys/mman.h>\n#include \"lab5.h\"\n"
    "static unsigned char page[65536] __attribute__((aligned(4096)));\n"
    "static void scribble(void) { for (unsigned i = 0; i < 400; i++) page[next() % 600] = next() % 4 ? any() : 0; }\n"
    "int vmm_run(const struct guest *g)\n"
    "{\n"
    "    static const unsigned calls[] = { KVM_CREATE_VM, KVM_CREATE_VCPU, KVM_SET_USER_MEMORY_REGION, KVM_RUN, KVM_GET_REGS, KVM_SET_REGS, KVM_GET_SREGS,\n"
    "                                      KVM_SET_SREGS, KVM_INTERRUPT, KVM_SET_TSS_ADDR, KVM_RUN, KVM_RUN };\n"
    "    struct kvm_userspace_memory_region r = { .memory_size = 65536, .userspace_addr = (unsigned)page };\n"
    "    int kvm = open(\"/dev/kvm\", O_RDWR), vm = next() % 8 ? ioctl(kvm, KVM_CREATE_VM, 0) : 4, cpu = ioctl(vm, KVM_CREATE_VCPU, 0);\n"
    "    unsigned char *run = mmap(0, 12288, 3, MAP_SHARED, cpu, 0);\n"
    "    if (next() % 4) ioctl(vm, KVM_SET_USER_MEMORY_REGION, &r);\n"
    "    for (unsigned i = 0; i < 3000; i++) {\n"
    "        unsigned number = next() % 8 ? calls[next() % 12] : next();\n"
    "        if (next() % 4 == 0) scribble();\n"
    "        if (run != MAP_FAILED && next() % 4 == 0) run[next() % 64] = any();\n"
    "        if (number == KVM_SET_USER_MEMORY_REGION && next() % 2) {\n"
    "            r = (struct kvm_userspace_memory_region){ next() % 10, 0, any() & ~0xfffull, any() & 0x1f000, (unsigned)page + (any() & 0xf000) };\n"
    "            ioctl(vm, number, &r);\n"
    "        } else {\n"
    "            ioctl(next() % 7, number, next() % 4 ? (void *)page : (void *)(unsigned)any());\n"
    "        }\n"
    "    }\n"
    "    return 0;\n"
    "}\n";

/* Every field with any value, entries, tables that lead anywhere; beginning with a VMCS in which all is well. */
static const char processor[] =
    "#define monitor_start good_start\n#include \"reference.h\"\n#undef monitor_start\n"
    "int monitor_start(const struct guest *g)\n"
    "{\n"
    "    static const unsigned short bases[] = { 0x0, 0x800, 0xc00, 0x2000, 0x2800, 0x2c00, 0x4000, 0x4800, 0x4c00, 0x6000, 0x6800, 0x6c00 };\n"
    "    unsigned long long frame = frame_alloc(), value;\n"
    "    for (unsigned i = 0; i < 6000; i++) {\n"
    "        unsigned field = bases[next() % 12] + next() % 40 * (1 + next() % 2);\n"
    "        if (i % 400 == 0) { vmclear(); good_start(g); }\n"
    "        switch (next() % (i % 400 < 200 ? 6 : 8)) {\n"
    "        case 0: next() % 2 ? vmlaunch() : vmresume(); break;\n"
    "        case 1: vmread(field, &value); break;\n"
    "        case 2: host_write(frame + next() % 512 * 8, next() % 2 ? frame | 7 : any()); break;\n"
    "        case 3: invept(any(), any()); invvpid(next() % 5, any(), any()); break;\n"
    "        case 4: register_write(any(), any()); break;\n"
    "        case 5: vmwrite(VMCS_EPT_POINTER, frame | 6 | 3 << 3); vmwrite(VMCS_GUEST_RFLAGS, 2); break;\n"
    "        default: vmwrite(next() % 16 ? field : (unsigned)any(), any());\n"
    "        }\n"
    "    }\n"
    "    return 0;\n"
    "}\n";

/* Requests of all kinds, and beyond; rings full of nonsense, which the guest's half must live with. */
static const char worker[] =
    "#include \"lab8.h\"\n"
    "struct request { unsigned op; int word; unsigned long long number, argument, value; int result; unsigned unused; };\n"
    "static unsigned char page[8192];\n"
    "void vhost_start(const struct setup *s) { int fd = eventfd(); kvm_irqfd(fd, s->gsi); kvm_ioeventfd(eventfd(), &(struct ioeventfd){ s->doorbell, 2, 1, s->queue }); }\n"
    "void vhost_worker(void)\n"
    "{\n"
    "    for (unsigned i = 0; i < 20000; i++) {\n"
    "        struct request r = { next() % 12, next() % 8 ? next() % 20 : (int)any(), next() % 4 ? 0x1000 + next() % 0x7000 : any(), next() % 4 ? (unsigned)page : any() };\n"
    "        if (r.op == 9) continue;\n"
    "        page[next() % 64] = next();\n"
    "        __asm__ volatile(\"outl %0, %w1\" : : \"a\"(&r), \"Nd\"(0xe0f0) : \"memory\");\n"
    "    }\n"
    "}\n";

/* An adapter's registers, all of its bars, and requests to the grader; what it says to the load is nonsense too. Both drivers of the lab. */
static const char driver[] =
    "#include \"lab7.h\"\n#include \"pci.h\"\n"
    "#ifdef FIRST\n#define DRIVER driver_e1000\n#define VENDOR 0x8086\n#define DEVICE 0x100e\n#else\n#define DRIVER driver_virtio\n#define VENDOR 0x1af4\n#define DEVICE 0x1000\n#endif\n"
    "static u32 function, bar[6];\n"
    "static u8 page[65536] __attribute__((aligned(4096)));\n"
    "struct request { u32 op; int word; u64 number, argument, value; int result; u32 unused; };\n"
    "static void ask(void)\n"
    "{\n"
    "    struct request r = { next() % 4, any(), any(), any(), any() };\n"
    "    u32 at = next() % 4 ? (u32)&r : any();\n"
    "    if (at == (u32)&r || at > 0x8000000) __asm__ volatile(\"outl %0, %w1\" : : \"a\"(at), \"Nd\"(0xe0f0) : \"memory\");\n"
    "}\n"
    "static void touch(void)\n"
    "{\n"
    "    u32 n = next() % 6, value = next() % 2 ? (u32)page + next() % 4096 * 16 : any(), at = (next() % 2 ? next() % 64 : next() % 0x1000) * 4;\n"
    "    page[next() % 65536] = any();\n"
    "    if (!bar[n]) return;\n"
    "    if (bar[n] & 1) { if (next() % 2) io_out32((bar[n] & ~3u) + at % 64, value); else io_out8((bar[n] & ~3u) + at % 64, value); }\n"
    "    else if (next() % 8) *(u32 volatile *)((u32)device_map(bar[n] & ~15u) + at) = value;\n"
    "    else if (*(u32 volatile *)((u32)device_map(bar[n] & ~15u) + at) == value) page[0]++;\n"
    "}\n"
    "static _Bool open(void)\n"
    "{\n"
    "    function = pci_find(VENDOR, DEVICE);\n"
    "    if (function == PCI_NONE) function = pci_find(VENDOR, 0x1041);\n"
    "    for (u32 i = 0; i < 6; i++) bar[i] = pci_read(function, PCI_BAR0 + 4 * i);\n"
    "    for (u32 i = 0; i < 5; i++) if (bar[i] && !(bar[i] & 1) && (bar[i] & 6) == 4) bar[i + 1] = 0;\n"
    "    return function != PCI_NONE;\n"
    "}\n"
    "static void queue(u8 *frame, u32 len) { for (u32 i = 0; i < 60; i++) { touch(); if (i % 16 == 0) ask(); } frame[next() % len] = any(); }\n"
    "static void flush(void) { for (u32 i = 0; i < 200; i++) touch(); ask(); }\n"
    "static u32 done(void) { static u32 n; return n += next() % 8; }\n"
    "static void wait(u32 count) { for (u32 i = 0; i < 100; i++) touch(); ask(); }\n"
    "const struct driver DRIVER = { open, queue, flush, done, wait };\n";

/* An IOMMU's registers and tables, and DMA, with all kinds of numbers; the one half of the lab, and the other. */
static const char giver[] =
    "#include \"lab9.h\"\n"
    "struct request { u32 op; int word; u64 number, argument, value; int result; u32 unused; };\n"
    "static unsigned char data[16384];\n"
    "static u64 frame;\n"
    "static void nonsense(unsigned n)\n"
    "{\n"
    "    static const unsigned short offsets[] = { GCMD, RTADDR, CCMD, IVA, IOTLB, FRCD, 0x34, 0x38, 0x80, 0x88, 0x90 };\n"
    "    static const unsigned char widths[] = { 1, 2, 4, 8, 0, 255 };\n"
    "    while (n--) {\n"
    "        struct request r = { next() % 9, next() % 2 ? widths[next() % 6] : (int)any(), next() % 2 ? offsets[next() % 11] : any(), next() % 2 ? frame | next() % 16 : any() };\n"
    "        if (next() % 64 == 0) frame = frame_alloc();\n"
    "        if (r.op == 2 && next() % 2) r.number = frame + next() % 512 * 8;\n"
    "        if (r.op == 6) { r.word = (next() % 8200) | next() << 16; r.argument = next() % 4 ? (unsigned)data : any() | 0x8000000; }\n"
    "        __asm__ volatile(\"outl %0, %w1\" : : \"a\"(&r), \"Nd\"(0xe0f0) : \"memory\");\n"
    "    }\n"
    "}\n"
    "#ifdef FIRST\n"
    "void iommu_start(void) { frame = frame_alloc(); nonsense(2000); }\n"
    "int vm_assign(u32 vm, const u32 *device, u32 n) { nonsense(2000); return next() % 3 - 2; }\n"
    "void vm_protect(u32 vm, u32 page, _Bool read) { nonsense(500); }\n"
    "void vm_release(u32 vm) { nonsense(500); }\n"
    "#else\n"
    "void attack(void) { nonsense(3000); }\n"
    "#endif\n";

/* Slots as large as may be, and a run that ends at once: it is the copying of memory that would take for ever. */
static const char spinner[] =
    "#include <fcntl.h>\n#include <linux/kvm.h>\n#include <sys/ioctl.h>\n#include <sys/mman.h>\n#include \"lab5.h\"\n"
    "int vmm_run(const struct guest *g)\n"
    "{\n"
    "    struct kvm_userspace_memory_region r = { .memory_size = 8 << 20, .userspace_addr = (32 << 20) + SEED * 0 };\n"
    "    int kvm = open(\"/dev/kvm\", O_RDWR), vm = ioctl(kvm, KVM_CREATE_VM, 0), cpu = ioctl(vm, KVM_CREATE_VCPU, 0);\n"
    "    struct kvm_run *run = mmap(0, 12288, 3, MAP_SHARED, cpu, 0);\n"
    "    if (ioctl(vm, KVM_SET_USER_MEMORY_REGION, &r)) return any();\n"
    "    run->immediate_exit = 1;\n"
    "    for (;;) ioctl(cpu, KVM_RUN, 0);\n"
    "}\n";

/* In the place of #include "reference.h", which nobody would find. */
static void insert_reference(const char *lab, const char *path, const char *file)
{
    CHECK_EQ(shell("tools/lab-starter %s %s/reference %s && sed -i -e '/reference.h/{r %s/reference/%s' -e 'd}' %s", lab, folder, emu(), folder, file, path), 0);
}

static bool put_nonsense(const char *lab, const char *file, const char *text, unsigned seed, bool first)
{
    char path[200];
    snprintf(path, sizeof path, "%s/%s", folder, file);
    FILE *f = fopen(path, "w");
    if (!CHECK(f != NULL))
        return false;
    fprintf(f, "#define SEED %uu\n%s%s%s", seed * 7919, first ? "#define FIRST\n" : "", numbers, text);
    fclose(f);
    insert_reference(lab, path, file);
    return true;
}

/* `second` may be NULL: the lab asks for one file. */
static void check_nonsense(const char *lab, const char *file, const char *second, const char *text, unsigned rounds)
{
    size_t i;
    json_t *t;
    for (unsigned seed = 1; seed <= rounds; seed++) {
        check_context("%s, seed %u", lab, seed);
        if (!put_nonsense(lab, file, text, seed, true) || (second && !put_nonsense(lab, second, text, seed + 1000, false)))
            return;
        json_t *marks = grade(folder, lab, folder);
        CHECK_EQ(number(marks, "score"), 0);
        json_array_foreach(json_object_get(marks, "tests"), i, t) {
            if (strcmp(word(t, "verdict"), "wrong answer") && strcmp(word(t, "verdict"), "time-out") && strcmp(word(t, "verdict"), "crash") && strcmp(word(t, "verdict"), "counts"))
                FAIL("%s: %s: %s", word(t, "name"), word(t, "verdict"), word(t, "reason"));
        }
        json_decref(marks);
    }
    check_context(NULL);
}

static void test_kvm(void) { NEED_SANDBOX(); check_nonsense("labs/lab5", "lab5.c", NULL, monitor, 3); }
static void test_vhost(void) { NEED_SANDBOX(); check_nonsense("labs/lab8", "lab8.c", NULL, worker, 3); }
static void test_vmx(void) { NEED_SANDBOX(); check_nonsense("labs/lab6", "lab6.c", NULL, processor, 3); }

static void test_spin(void) { NEED_SANDBOX(); check_nonsense("labs/lab5", "lab5.c", NULL, spinner, 1); }
static void test_nic(void) { NEED_SANDBOX(); check_nonsense("labs/lab7", "e1000.c", "virtio.c", driver, 3); }
static void test_iommu(void) { NEED_SANDBOX(); check_nonsense("labs/lab9", "lab9.c", "attack.c", giver, 3); }

int main(int argc, char **argv)
{
    static const struct check tests[] = { { "kvm", test_kvm }, { "vmx", test_vmx }, { "vhost", test_vhost }, { "spin", test_spin }, { "nic", test_nic }, { "iommu", test_iommu }, { NULL, NULL } };
    if (!mkdtemp(folder))
        return 1;
    int status = check_main(argc, argv, "labs' services", tests);
    return shell("rm -rf %s", folder) | status;
}
