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

/* In the place of #include "reference.h", which nobody would find. */
static void insert_reference(const char *lab, const char *path, const char *file)
{
    CHECK_EQ(shell("tools/lab-starter %s %s/reference %s && sed -i -e '/reference.h/{r %s/reference/%s' -e 'd}' %s", lab, folder, emu(), folder, file, path), 0);
}

static void check_nonsense(const char *lab, const char *file, const char *text, unsigned rounds)
{
    size_t i;
    json_t *t;
    for (unsigned seed = 1; seed <= rounds; seed++) {
        char path[200];
        check_context("%s, seed %u", lab, seed);
        snprintf(path, sizeof path, "%s/%s", folder, file);
        FILE *f = fopen(path, "w");
        if (!CHECK(f != NULL))
            return;
        fprintf(f, "#define SEED %uu\n%s%s", seed * 7919, numbers, text);
        fclose(f);
        insert_reference(lab, path, file);
        json_t *marks = grade(folder, lab, folder);
        CHECK_EQ(number(marks, "score"), 0);
        json_array_foreach(json_object_get(marks, "tests"), i, t) {
            if (strcmp(word(t, "verdict"), "wrong answer") && strcmp(word(t, "verdict"), "time-out") && strcmp(word(t, "verdict"), "crash"))
                FAIL("%s: %s: %s", word(t, "name"), word(t, "verdict"), word(t, "reason"));
        }
        json_decref(marks);
    }
    check_context(NULL);
}

static void test_kvm(void) { NEED_SANDBOX(); check_nonsense("labs/lab5", "lab5.c", monitor, 3); }
static void test_vhost(void) { NEED_SANDBOX(); check_nonsense("labs/lab8", "lab8.c", worker, 3); }
static void test_vmx(void) { NEED_SANDBOX(); check_nonsense("labs/lab6", "lab6.c", processor, 3); }

int main(int argc, char **argv)
{
    static const struct check tests[] = { { "kvm", test_kvm }, { "vmx", test_vmx }, { "vhost", test_vhost }, { NULL, NULL } };
    if (!mkdtemp(folder))
        return 1;
    int status = check_main(argc, argv, "labs' services", tests);
    return shell("rm -rf %s", folder) | status;
}
