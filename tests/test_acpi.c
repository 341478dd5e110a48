/* SPDX-License-Identifier: MIT */
/* The ACPI tables as a kernel finds them: by search, by pointer, by sum. */
#include <string.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "check.h"
#include "machine/acpi.h"
#include "machine/bare.h"
#include "machine/mptable.h"

/* A machine around one HLT. */
static struct vm *machine_with(const char *cpu, unsigned processors, unsigned virtios)
{
    struct error err = { "" };
    struct vm_config c;
    char path[] = "/tmp/emu-test-XXXXXX";
    int fd = mkstemp(path);
    vm_config_defaults(&c);
    c.engine = &bare_engine;
    c.kernel = path;
    c.cpu_model = cpu;
    c.smp = processors;
    for (; c.nvirtios < virtios; c.nvirtios++)
        c.virtio[c.nvirtios] = (struct vm_virtio){ .model = VIRTIO_RNG, .flavor.mmio = true };
    CHECK(write(fd, "\xf4", 1) == 1);
    struct vm *vm = vm_new(&c, &err);
    close(fd);
    unlink(path);
    if (!vm)
        FAIL("%s", err.text);
    return vm;
}

static struct vm *machine_of(const char *cpu, unsigned processors) { return machine_with(cpu, processors, 0); }
static struct vm *machine(void) { return machine_of("core2", 1); }

static u64 get(struct vm *vm, gpa_t gpa, unsigned size)
{
    u64 value = 0;
    physmap_read(&vm->map, gpa, &value, size);
    return value;
}

static u8 sum(struct vm *vm, gpa_t gpa, unsigned n)
{
    u8 s = 0;
    for (unsigned i = 0; i < n; i++)
        s += get(vm, gpa + i, 1);
    return s;
}

static void check_table(struct vm *vm, gpa_t gpa, const char *signature)
{
    char found[5] = "";
    physmap_read(&vm->map, gpa, found, 4);
    check_context("table %s at 0x%llx", signature, (unsigned long long)gpa);
    CHECK_STR(found, signature);
    CHECK_EQ(sum(vm, gpa, get(vm, gpa + 4, 4)), 0);
}

/* ACPI 6.5, 5.2.5.1: on a multiple of 16 in E0000h to FFFFFh. */
static gpa_t find_root(struct vm *vm)
{
    for (gpa_t gpa = 0xe0000; gpa < 0x100000; gpa += 16)
        if (get(vm, gpa, 8) == 0x2052545020445352 && !sum(vm, gpa, 20)) /* "RSD PTR " */
            return gpa;
    return 0;
}

static void test_chain(void)
{
    struct vm *vm = machine();
    gpa_t root = find_root(vm), rsdt = get(vm, root + 16, 4), fadt, dsdt;
    CHECK_EQ(root, ACPI_GPA);
    check_table(vm, rsdt, "RSDT");
    CHECK_EQ(get(vm, rsdt + 4, 4), 36 + 2 * 4);
    check_table(vm, get(vm, rsdt + 40, 4), "APIC");
    fadt = get(vm, rsdt + 36, 4);
    check_table(vm, fadt, "FACP");
    CHECK_EQ(get(vm, fadt + 64, 4), 0x604);  /* PM1a_CNT_BLK */
    CHECK_EQ(get(vm, fadt + 76, 4), 0x608);  /* PM_TMR_BLK */
    CHECK_EQ(get(vm, get(vm, fadt + 36, 4), 4), 0x53434146); /* "FACS" */
    CHECK_EQ(get(vm, fadt + 36, 4) % 64, 0);
    dsdt = get(vm, fadt + 40, 4);
    check_table(vm, dsdt, "DSDT");
    vm_free(vm);
}

/* The lengths within the AML lead exactly to its end. */
static void test_aml(void)
{
    struct vm *vm = machine();
    static const u8 s5[] = { 0x08, '_', 'S', '5', '_', 0x12 };
    u8 name[sizeof s5];
    gpa_t fadt = get(vm, get(vm, find_root(vm) + 16, 4) + 36, 4), dsdt = get(vm, fadt + 40, 4), at = dsdt + 36;
    physmap_read(&vm->map, at, name, sizeof name);
    CHECK(!memcmp(name, s5, sizeof s5));
    at += sizeof s5;
    CHECK_EQ(get(vm, at, 1) >> 6, 1);       /* a length of two bytes */
    at += (get(vm, at, 1) & 15) | get(vm, at + 1, 1) << 4;
    CHECK_EQ(get(vm, at, 1), 0x10);         /* Scope */
    at++;
    at += (get(vm, at, 1) & 15) | get(vm, at + 1, 1) << 4;
    CHECK_EQ(at, dsdt + get(vm, dsdt + 4, 4));
    vm_free(vm);
}

static bool is_name(struct vm *vm, gpa_t at, const char *name)
{
    char found[8];
    physmap_read(&vm->map, at, found, strlen(name));
    return memcmp(found, name, strlen(name)) == 0;
}

/* Devices that no bus shows: each has a name, where it is, and its interrupt, and the lengths lead to the end of all. */
static void test_virtio(void)
{
    struct vm *vm = machine_with("core2", 1, 8);
    gpa_t fadt = get(vm, get(vm, find_root(vm) + 16, 4) + 36, 4), dsdt = get(vm, fadt + 40, 4), end = dsdt + get(vm, dsdt + 4, 4), at = dsdt + 36;
    static const u8 irq[] = { 5, 7, 3 };
    unsigned names = 0, places = 0;
    check_table(vm, dsdt, "DSDT");
    for (; at + 8 < end; at++) {
        names += is_name(vm, at, "LNRO0005");
        if (get(vm, at, 4) == 0x01000986 && get(vm, at + 4, 4) == 0xd0000000 + places * PAGE_SIZE) {
            CHECK_EQ(get(vm, at + 8, 4), 0x200);
            CHECK_EQ(get(vm, at + 12, 5), 0x0109000689);            /* level, high, shared, one of them */
            CHECK_EQ(get(vm, at + 17, 4), irq[places % 3]);
            places++;
        }
    }
    CHECK_EQ(names, 8);
    CHECK_EQ(places, 8);
    for (at = dsdt + 36 + 5; at < end; at += 1 + ((get(vm, at + 1, 1) & 15) | get(vm, at + 2, 1) << 4))
        CHECK(get(vm, at, 1) == 0x12 || get(vm, at, 1) == 0x10);
    CHECK_EQ(at, end);
    vm_free(vm);
}

/* A processor without a local APIC has neither MADT nor MP table. */
static void test_no_apic(void)
{
    struct vm *vm = machine_of("486", 1);
    CHECK_EQ(get(vm, get(vm, find_root(vm) + 16, 4) + 4, 4), 36 + 4);
    CHECK_EQ(get(vm, MPTABLE_GPA, 4), 0);
    vm_free(vm);
}

/* The entries of the MADT by type: their lengths lead to its end. */
static void test_madt(void)
{
    struct vm *vm = machine_of("core2", 4);
    gpa_t madt = get(vm, get(vm, find_root(vm) + 16, 4) + 40, 4), at = madt + 44, end = madt + get(vm, madt + 4, 4);
    unsigned count[8] = { 0 };
    CHECK_EQ(get(vm, madt + 36, 4), 0xfee00000);
    for (; at < end && get(vm, at + 1, 1); at += get(vm, at + 1, 1)) {
        unsigned type = get(vm, at, 1);
        if (type == 0)
            CHECK_EQ(get(vm, at + 3, 1), count[0]);
        if (type == 2 && get(vm, at + 3, 1) == 0)
            CHECK_EQ(get(vm, at + 4, 4), 2); /* IRQ 0 is at pin 2 */
        count[type & 7]++;
    }
    CHECK_EQ(at, end);
    CHECK_EQ(count[0], 4);
    CHECK_EQ(count[1], 1);
    CHECK_EQ(count[2], 4);
    CHECK_EQ(count[4], 1);
    vm_free(vm);
}

/* MultiProcessor Specification 1.4, 4: pointer and table by their sums; entries of the kinds and lengths that it has. */
static void test_mp(void)
{
    static const u8 length[5] = { 20, 8, 8, 8, 8 };
    struct vm *vm = machine_of("core2", 3);
    gpa_t table = get(vm, MPTABLE_GPA + 4, 4), at = table + 44;
    unsigned count[5] = { 0 }, entries = get(vm, table + 34, 2);
    CHECK_EQ(get(vm, MPTABLE_GPA, 4), 0x5f504d5f); /* "_MP_" */
    CHECK_EQ(sum(vm, MPTABLE_GPA, 16), 0);
    CHECK_EQ(get(vm, table, 4), 0x504d4350); /* "PCMP" */
    CHECK_EQ(sum(vm, table, get(vm, table + 4, 2)), 0);
    for (unsigned i = 0; i < entries; i++) {
        unsigned type = get(vm, at, 1);
        if (type > 4) {
            FAIL("entry %u has type %u", i, type);
            break;
        }
        count[type]++;
        at += length[type];
    }
    CHECK_EQ(at, table + get(vm, table + 4, 2));
    CHECK_EQ(count[0], 3);
    CHECK_EQ(count[1], 2);
    CHECK_EQ(count[2], 1);
    CHECK_EQ(count[3], 31 * 4 + 13);
    CHECK_EQ(count[4], 2);
    vm_free(vm);
}

int main(int argc, char **argv)
{
    static const struct check tests[] = { { "chain", test_chain }, { "aml", test_aml }, { "virtio", test_virtio }, { "no_apic", test_no_apic }, { "madt", test_madt }, { "mp", test_mp }, { NULL, NULL } };
    return check_main(argc, argv, "acpi", tests);
}
