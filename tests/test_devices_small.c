/* SPDX-License-Identifier: MIT */
/* Display, PCI, and the devices of a port or two. */
#include <stdlib.h>

#include "check.h"
#include "devices/chipset/small.h"
#include "devices/display/vga.h"
#include "devices/pci/pci.h"
#include "devices_rig.h"

static void test_port92(void)
{
    struct rig r;
    rig_init(&r, 1000);
    rig_add(&r, &port92_ops);
    CHECK_EQ(in8(&r, 0x92), 0x02);
    out8(&r, 0x92, 0x00);
    CHECK_EQ(r.map.a20_mask, ~BIT(20));
    CHECK_EQ(in8(&r, 0x92), 0x00);
    out8(&r, 0x92, 0x02);
    CHECK_EQ(r.map.a20_mask, ~(u64)0);
    CHECK_EQ(r.requests[REQUEST_RESET], 0);
    out8(&r, 0x92, 0x03);
    CHECK_EQ(r.requests[REQUEST_RESET], 1);
    out8(&r, 0x92, 0x03);               /* no edge */
    CHECK_EQ(r.requests[REQUEST_RESET], 1);
    rig_fini(&r);
}

static void test_debugexit(void)
{
    static const struct { u16 port; u8 port_size; unsigned size; u32 value; unsigned asked; int status; } row[] = {
        { 0xf4, 1, 1, 0x10, 1, 33 }, { 0xf4, 4, 4, 0x10, 1, 33 }, { 0x501, 2, 2, 0x00, 1, 1 }, { 0xf4, 1, 1, 0xff, 1, 0xff },
        { 0xf4, 0, 1, 0x10, 0, 0 },
    };
    for (unsigned i = 0; i < ARRAY_LEN(row); i++) {
        struct rig r;
        rig_init(&r, 1000);
        r.platform.debug_exit_port = row[i].port;
        r.platform.debug_exit_size = row[i].port_size;
        rig_add(&r, &debugexit_ops);
        check_context("row %u", i);
        bus_io_write(&r.bus, row[i].port, row[i].size, row[i].value);
        CHECK_EQ(r.requests[REQUEST_EXIT], row[i].asked);
        CHECK_EQ(r.request_value, row[i].status);
        rig_fini(&r);
    }
}

static void test_debugcon(void)
{
    struct rig r;
    struct chardev *c = chardev_buffer_new();
    rig_init(&r, 1000);
    r.platform.serial[0] = c;
    rig_add(&r, &debugcon_ops);
    CHECK_EQ(in8(&r, 0xe9), 0xe9);
    out8(&r, 0xe9, 'o');
    out8(&r, 0xe9, 'k');
    CHECK_STR(chardev_buffer_text(c, NULL), "ok");
    rig_fini(&r);
    chardev_close(c);
}

static void test_power(void)
{
    static const struct { u16 port; unsigned size; u32 value; unsigned off; } row[] = {
        { 0x604, 2, 0x2000, 1 }, { 0x604, 2, 0x3400, 1 }, { 0x604, 2, 0x1400, 0 }, { 0x604, 2, 0x2400, 0 }, { 0x604, 4, 0x2000, 1 },
        { 0xb004, 2, 0x2000, 1 }, { 0x605, 1, 0x20, 1 }, { 0x600, 2, 0x2000, 0 },
    };
    for (unsigned i = 0; i < ARRAY_LEN(row); i++) {
        struct rig r;
        rig_init(&r, 1000);
        rig_add(&r, &power_ops);
        check_context("row %u", i);
        bus_io_write(&r.bus, row[i].port, row[i].size, row[i].value);
        CHECK_EQ(r.requests[REQUEST_POWEROFF], row[i].off);
        rig_fini(&r);
    }
}

static void test_bochs_shutdown(void)
{
    static const struct { const char *word; unsigned off; } row[] = {
        { "Shutdown", 1 }, { "Shutdow", 0 }, { "ShutdShutdown", 1 }, { "SShutdown", 1 }, { "shutdown", 0 }, { "ShutdownShutdown", 2 },
    };
    for (unsigned i = 0; i < ARRAY_LEN(row); i++) {
        struct rig r;
        rig_init(&r, 1000);
        rig_add(&r, &power_ops);
        for (const char *p = row[i].word; *p; p++)
            out8(&r, 0x8900, *p);
        check_context("%s", row[i].word);
        CHECK_EQ(r.requests[REQUEST_POWEROFF], row[i].off);
        rig_fini(&r);
    }
}

static void test_pm_timer(void)
{
    struct rig r;
    rig_init(&r, 3579545 * 10);
    rig_add(&r, &power_ops);
    rig_run(&r, 10 * 0x1234567);
    CHECK_EQ(in32(&r, 0x608), 0x234567);        /* 24 bits */
    CHECK_EQ(in16(&r, 0x604), 0x0001);
    rig_fini(&r);
}

static void test_post_and_dma(void)
{
    struct rig r;
    rig_init(&r, 1000);
    rig_add(&r, &dma_ops);
    rig_add(&r, &post_ops);
    out8(&r, 0x80, 0x42);
    CHECK_EQ(in8(&r, 0x80), 0x42);
    out8(&r, 0x81, 0x11);
    CHECK_EQ(in8(&r, 0x81), 0x11);
    out8(&r, 0x0c, 0);                          /* the flip-flop: low byte first */
    out8(&r, 0x04, 0x34);
    out8(&r, 0x04, 0x12);
    CHECK_EQ(in8(&r, 0x04), 0x34);
    CHECK_EQ(in8(&r, 0x04), 0x12);
    out8(&r, 0x0a, 0x00);                       /* unmask channel 0 */
    CHECK_EQ(in8(&r, 0x0f), 0xfe);
    out8(&r, 0x0d, 0);
    CHECK_EQ(in8(&r, 0x0f), 0xff);
    out8(&r, 0xc4, 0x78);                       /* the second controller, two ports apart */
    out8(&r, 0xc4, 0x56);
    CHECK_EQ(in8(&r, 0xc4), 0x78);
    CHECK_EQ(in8(&r, 0xc4), 0x56);
    CHECK_EQ(r.bus.unclaimed_reads + r.bus.unclaimed_writes, 0);
    rig_fini(&r);
}

/* PCI */

static u32 config_address(unsigned bus, unsigned slot, unsigned func, unsigned reg)
{
    return 1u << 31 | bus << 16 | slot << 11 | func << 8 | reg;
}

static void test_pci_probe(void)
{
    struct rig r;
    unsigned found = 0;
    rig_init(&r, 1000);
    rig_add(&r, &pci_host_ops);
    out32(&r, 0xcf8, 0x80000000);
    CHECK_EQ(in32(&r, 0xcf8), 0x80000000);
    for (unsigned bus = 0; bus < 3; bus++) {
        for (unsigned devfn = 0; devfn < 256; devfn++) {
            out32(&r, 0xcf8, config_address(bus, devfn >> 3, devfn & 7, 0));
            u32 id = in32(&r, 0xcfc);
            found += id != 0xffffffff;
            CHECK_EQ(id, bus == 0 && devfn == 0 ? 0x12378086 : 0xffffffff);
        }
    }
    CHECK_EQ(found, 1);
    out32(&r, 0xcf8, config_address(0, 0, 0, 8));
    CHECK_EQ(in32(&r, 0xcfc), 0x06000002);
    CHECK_EQ(in16(&r, 0xcfe), 0x0600);
    CHECK_EQ(in8(&r, 0xcfc), 0x02);
    out32(&r, 0xcfc, 0);                        /* read-only */
    CHECK_EQ(in32(&r, 0xcfc), 0x06000002);
    out32(&r, 0xcf8, 0x00000000);
    CHECK_EQ(in32(&r, 0xcfc), 0xffffffff);      /* not enabled */
    rig_fini(&r);
}

struct bar { struct pci_function f; unsigned writes; u8 offset; };
static void bar_written(struct pci_function *f, u8 offset, unsigned size)
{
    struct bar *b = f->dev;
    b->writes++;
    b->offset = offset;
}

static void test_pci_function(void)
{
    struct rig r;
    struct bar b = { .f = { .written = bar_written, .dev = &b } };
    rig_init(&r, 1000);
    struct pci_bus *bus = pci_host_bus(rig_add(&r, &pci_host_ops));
    pci_identify(&b.f, 0x8086, 0x100e, 0x020000, 3);
    pci_put(b.f.writable, PCI_BAR0, 4, 0xfffe0000);
    CHECK_EQ(pci_add(bus, 3, 0, &b.f, &r.err), 0);
    CHECK_EQ(pci_add(bus, 3, 0, &b.f, &r.err), -1);
    out32(&r, 0xcf8, config_address(0, 3, 0, PCI_BAR0));
    out32(&r, 0xcfc, 0xffffffff);               /* how a BAR is sized */
    CHECK_EQ(in32(&r, 0xcfc), 0xfffe0000);
    out16(&r, 0xcfe, 0xe000);
    CHECK_EQ(in32(&r, 0xcfc), 0xe0000000);
    CHECK_EQ(b.writes, 2);
    CHECK_EQ(b.offset, PCI_BAR0 + 2);
    rig_fini(&r);
}

static void test_reset_control(void)
{
    struct rig r;
    rig_init(&r, 1000);
    rig_add(&r, &pci_host_ops);
    out32(&r, 0xcf8, 0x80000604);               /* an address whose bytes look like resets */
    CHECK_EQ(r.requests[REQUEST_RESET], 0);
    out8(&r, 0xcf9, 0x02);
    CHECK_EQ(r.requests[REQUEST_RESET], 0);
    out8(&r, 0xcf9, 0x06);
    CHECK_EQ(r.requests[REQUEST_RESET], 1);
    CHECK_EQ(in8(&r, 0xcf9), 0x06);
    CHECK_EQ(in32(&r, 0xcf8), 0x80000604);
    rig_fini(&r);
}

/* Display */

static void put_text(struct rig *r, unsigned at, const char *text)
{
    for (; *text; text++, at++)
        physmap_store(&r->map, 0xb8000 + 2 * at, 2, 0x1f00 | (u8)*text);
}
static void crtc(struct rig *r, u8 i, u8 v) { out16(r, 0x3d4, v << 8 | i); }

static void test_vga_text(void)
{
    struct rig r;
    char text[8192], small[4];
    rig_init(&r, 1000);
    struct device *d = rig_add(&r, &vga_ops);
    put_text(&r, 0, "first");
    put_text(&r, 80, "  \xda\xc4\xfb");
    put_text(&r, 24 * 80, "last");
    size_t len = vga_text(d, text, sizeof text);
    CHECK_EQ(len, strlen(text));
    CHECK(strncmp(text, "first\n  ┌─√\n\n", strlen("first\n  ┌─√\n\n")) == 0);
    CHECK_CONTAINS(text, "\n\nlast\n");
    unsigned lines = 0;
    for (const char *p = text; *p; p++)
        lines += *p == '\n';
    CHECK_EQ(lines, 25);
    crtc(&r, 0x0d, 80);                         /* scrolled by a line through the start address */
    vga_text(d, text, sizeof text);
    CHECK(strncmp(text, "  ┌─√\n", strlen("  ┌─√\n")) == 0);
    crtc(&r, 0x0c, 0xff);                       /* beyond the memory: wraps */
    crtc(&r, 0x0d, 0xff);
    CHECK(vga_text(d, text, sizeof text) >= 25);
    vga_text(d, small, sizeof small);
    CHECK(strlen(small) < sizeof small);
    rig_fini(&r);
}

static void test_vga_look(void)
{
    struct rig r;
    struct vga_look s;
    rig_init(&r, 1000);
    struct device *d = rig_add(&r, &vga_ops);
    vga_look(d, &s);
    CHECK(s.kind == VGA_TEXT && s.blink);
    CHECK_EQ(s.cursor_row, 0);
    CHECK_EQ(s.cursor_column, 0);
    static const u32 colours[16] = {
        0x000000, 0x0000aa, 0x00aa00, 0x00aaaa, 0xaa0000, 0xaa00aa, 0xaa5500, 0xaaaaaa,
        0x555555, 0x5555ff, 0x55ff55, 0x55ffff, 0xff5555, 0xff55ff, 0xffff55, 0xffffff,
    };
    for (int i = 0; i < 16; i++)
        CHECK_EQ(s.palette[i], colours[i]);
    CHECK_EQ(s.columns, 80);
    CHECK_EQ(s.rows, 25);
    crtc(&r, 0x0e, (5 * 80 + 7) >> 8);
    crtc(&r, 0x0f, (5 * 80 + 7) & 255);
    vga_look(d, &s);
    CHECK_EQ(s.cursor_row, 5);
    CHECK_EQ(s.cursor_column, 7);
    crtc(&r, 0x0a, 0x20);
    vga_look(d, &s);
    CHECK_EQ(s.cursor_row, -1);
    out8(&r, 0x3c8, 1);                         /* another blue */
    out8(&r, 0x3c9, 0x3f);
    out8(&r, 0x3c9, 0x00);
    out8(&r, 0x3c9, 0x15);
    vga_look(d, &s);
    CHECK_EQ(s.palette[1], 0xff0055);
    in8(&r, 0x3da);
    out8(&r, 0x3c0, 0x00);                      /* palette source off */
    vga_look(d, &s);
    CHECK(s.kind == VGA_BLANK);
    rig_fini(&r);
}

/* Index and data registers read back; the attribute controller's flip-flop; what does not exist stays zero. */
static void test_vga_registers(void)
{
    static const struct { u16 index; u8 reg, write, read; } row[] = {
        { 0x3d4, 0x0c, 0x12, 0x12 }, { 0x3d4, 0x0f, 0xab, 0xab }, { 0x3d4, 0x00, 0x11, 0x5f }, { 0x3d4, 0x07, 0x00, 0x0f },
        { 0x3d4, 0x30, 0x55, 0xff }, { 0x3c4, 0x02, 0xff, 0x0f }, { 0x3c4, 0x07, 0x01, 0xff }, { 0x3ce, 0x08, 0x5a, 0x5a },
        { 0x3ce, 0x05, 0xff, 0x7b },
    };
    struct rig r;
    rig_init(&r, 1000);
    rig_add(&r, &vga_ops);
    for (unsigned i = 0; i < ARRAY_LEN(row); i++) {
        check_context("row %u", i);
        out8(&r, row[i].index, row[i].reg);
        CHECK_EQ(in8(&r, row[i].index), row[i].reg);
        out8(&r, row[i].index + 1, row[i].write);
        CHECK_EQ(in8(&r, row[i].index + 1), row[i].read);
    }
    check_context(NULL);
    in8(&r, 0x3da);
    out8(&r, 0x3c0, 0x30);                      /* attribute mode, screen on */
    out8(&r, 0x3c0, 0x04);
    CHECK_EQ(in8(&r, 0x3c1), 0x04);
    out8(&r, 0x3c0, 0x02);
    in8(&r, 0x3da);                             /* the next write is an index again */
    out8(&r, 0x3c0, 0x30);
    CHECK_EQ(in8(&r, 0x3c1), 0x04);
    CHECK_EQ(in8(&r, 0x3cc), 0x67);
    CHECK_EQ(in8(&r, 0x3b5), 0xff);             /* in colour nobody is at the monochrome ports */
    out8(&r, 0x3c2, 0x66);
    out8(&r, 0x3b4, 0x0c);
    CHECK_EQ(in8(&r, 0x3b5), 0x12);
    CHECK_EQ(in8(&r, 0x3d5), 0xff);
    out8(&r, 0x3c7, 63);                        /* DAC entry 63 is white */
    for (int i = 0; i < 3; i++)
        CHECK_EQ(in8(&r, 0x3c9), 0x3f);
    CHECK_EQ(in8(&r, 0x3c7), 3);
    rig_fini(&r);
}

/* In a second the vertical retrace comes 70 times, and lasts two lines of 449. */
static void test_vga_retrace(void)
{
    struct rig r;
    unsigned frames = 0, last = 0, high = 0, n = 0;
    rig_init(&r, 10000000);
    rig_add(&r, &vga_ops);
    for (; r.clock.now < 10000000; rig_run(&r, 100), n++) {
        unsigned now = in8(&r, 0x3da) & 8;
        frames += now && !last;
        high += now != 0;
        last = now;
    }
    CHECK_EQ(frames, 70);
    CHECK(high * 449 > n * 1.9 && high * 449 < n * 2.1);
    rig_fini(&r);
}

int main(int argc, char **argv)
{
    static const struct check tests[] = {
        { "port92", test_port92 }, { "debugexit", test_debugexit }, { "debugcon", test_debugcon }, { "power", test_power },
        { "bochs_shutdown", test_bochs_shutdown }, { "pm_timer", test_pm_timer }, { "post_and_dma", test_post_and_dma },
        { "pci_probe", test_pci_probe }, { "pci_function", test_pci_function }, { "reset_control", test_reset_control },
        { "vga_text", test_vga_text }, { "vga_look", test_vga_look }, { "vga_registers", test_vga_registers },
        { "vga_retrace", test_vga_retrace }, { NULL, NULL },
    };
    return check_main(argc, argv, "devices_small", tests);
}
