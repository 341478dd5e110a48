/* SPDX-License-Identifier: MIT */
/* The command line, as a user meets it: the emulator is run as a program, and what it says and returns is judged. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "cli/nearest.h"
#include "cli/options/options.h"
#include "host.h"

static char folder[] = "/tmp/emu-test-XXXXXX";
static char out[65536], err[65536]; /* of the last run */

static void read_file(const char *name, char *to, size_t size)
{
    char path[80];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *f = fopen(path, "r");
    to[f ? fread(to, 1, size - 1, f) : 0] = 0;
    if (f)
        fclose(f);
}

static void write_file(const char *name, const void *data, size_t size)
{
    char path[80];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *f = fopen(path, "wb");
    if (!f || fwrite(data, 1, size, f) != size || fclose(f))
        abort();
}

/* Run `emu ARGS` by the shell; %s in args is the folder of test files. Returns the exit status, 128 + n for signal n. */
static int run(const char *args)
{
    char filled[1024], command[1400];
    snprintf(filled, sizeof filled, args, folder, folder);
    snprintf(command, sizeof command, "timeout 20 %s %s >%s/out 2>%s/err </dev/null", emu(), filled, folder, folder);
    int status = system(command);
    read_file("out", out, sizeof out);
    read_file("err", err, sizeof err);
    check_context("emu %s", filled);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static unsigned lines_of(const char *text)
{
    unsigned n = 0;
    for (; *text; text++)
        n += *text == '\n';
    return n;
}

/* --- mistakes: one line, status 64, and it says what to do --- */

static const struct { const char *args, *says; } mistakes[] = {
    { "", "no guest is named" },
    { "%s/nowhere", "No such file" },
    { "%s/empty", "is empty" },
    { "%s", "is a directory" },
    { "%s/cut.elf", "truncated ELF" },
    { "%s/large -m 2", "larger -m" },
    { "%s/loop %s/loop", "only one" },
    { "-hda %s/nowhere", "No such file" },
    { "-hda %s/empty", "is empty" },
    { "-cdrom %s", "is a directory" },
    { "-fda %s/loop -fda %s/loop", "two drives" },
    { "-drive media=disk", "names no file" },
    { "-drive file=%s/loop,format=qcow2", "only raw images" },
    { "-drive file=%s/loop,if=scsi", "give ide, virtio, floppy or none" },
    { "%s/loop -device virtio-blk-pci,drive=d", "if=none,id=d" },
    { "%s/loop -device virtio-blk-pci", "-drive file=F,if=virtio" },
    { "%s/loop -device virtio-rng-pci,colour=red", "colour=red" },
    { "%s/loop -device virtio-rng-device,addr=4", "its -pci form" },
    { "%s/loop -device virtserialport,colour=red", "colour=red" },
    { "%s/loop -device virtio-net-device,addr=4", "virtio-net-pci" },
    { "%s/loop -device virtio-rng-pci,packed=maybe", "packed=maybe" },
    { "%s/loop -device virtio-rng-pci,disable-legacy=on,disable-modern=on", "leave no interface" },
    { "%s/loop -drive file=disk.img,served=well", "give off, user or kernel" },
    { "%s/loop -netdev wire,id=n,speed=0 -device e1000,netdev=n", "give bits a second" },
    { "%s/loop -netdev wire,id=n -device virtio-net-pci,netdev=n,tx_queue_size=100", "give a power of two" },
    { "%s/loop -device virtio-net-pci,netdev=n0", "-netdev user,id=n0" },
    { "-drive file=%s/loop,colour=red", "no key is called" },
    { "-boot x -hda %s/loop", "-boot x" },
    { "-bios nowhere.bin", "package seabios" },
    { "%s/loop -initrd %s/hello", "only Linux takes one" },
    { "guests/hello -initrd %s/hello", "give -module" },
    { "%s/loop -m 0", "-m 0" },
    { "%s/loop -m -5", "-m -5" },
    { "%s/loop -m 12Q", "12Q" },
    { "%s/loop -m 99999999999999999999", "-m" },
    { "%s/loop -m 5000000G", "-m 3072" },
    { "%s/loop -m 100G", "-m 3072" },
    { "%s/loop -m", "needs an argument" },
    { "%s/loop -gdb tcp::99999", "-gdb tcp::1234" },
    { "%s/loop -gdb unix:x", "-gdb unix:x" },
    { "%s/loop -gdb tcp::1,arch=mips", "arch=" },
    { "%s/loop -S", "nobody could start" },
    { "%s/loop --engine=brae", "did you mean bare" },
    { "%s/loop --engine=zzzzzz", "emu list engines" },
    { "%s/loop --profile=nothing", "nothing" },
    { "%s/loop -cpu z80", "emu list cpus" },
    { "%s/loop -smp 9", "1 to 8" },
    { "%s/loop -M q35", "give pc" },
    { "%s/loop -kernl x", "did you mean -kernel" },
    { "%s/loop --stats=yes", "takes no argument" },
    { "%s/loop -serial telnet:1", "-serial telnet:1" },
    { "%s/loop -serial file:/no/such/folder/file", "/no/such/folder/file" },
    { "%s/loop -display vnc", "none, sdl, text or auto" },
    { "%s/loop -device ne2k_pci", "isa-debug-exit" },
    { "%s/loop -device e1000,netdev=n0", "-netdev user,id=n0" },
    { "%s/loop -device e1000,colour=red", "colour=red" },
    { "%s/loop -netdev user,id=n -device e1000,netdev=n -device e1000,netdev=n", "another adapter" },
    { "%s/loop -netdev user", "has no id" },
    { "%s/loop -netdev bridge,id=n", "no back-end" },
    { "%s/loop -netdev user,id=n -netdev none,id=n", "two are called so" },
    { "%s/loop -netdev user,id=n,colour=red", "no option of it" },
    { "%s/loop -nic user,model=ne2k_pci", "there are e1000" },
    { "%s/loop -nic user,mac=52:54", "mac=52:54" },
    { "%s/loop -nic user,mac=01:00:00:00:00:00", "multicast" },
    { "%s/loop -nic user,hostfwd=tcp::80", "tcp::8080-:80" },
    { "%s/loop -nic user,hostfwd=sctp::80-:80", "tcp::8080-:80" },
    { "%s/loop -nic user,net=10.0.0.0/40", "8 to 28 bits" },
    { "%s/loop -nic user,host=1.2.3.4", "not in the network" },
    { "%s/loop -nic user,restrict=maybe", "give on or off" },
    { "%s/loop -nic user,tftp=/no/such/folder", "no folder" },
    { "%s/loop -nic user --pcap /no/such/folder/file", "No such file" },
    { "%s/loop --pcap %s/capture", "no network" },
    { "%s/loop -object rng,id=r", "filter-dump" },
    { "%s/loop -nic user,id=n -object filter-dump,netdev=m,file=%s/capture", "no -netdev" },
    { "%s/loop -net user -net user", "only one" },
    { "%s/loop -device vfio-pci,host=fffe:ff:1f.7", "this computer has no such device" },
    { "%s/loop -device vfio-pci,sysfsdev=/sys/bus/pci/devices/fffe:ff:1f.7", "this computer has no such device" },
    { "%s/loop -device vfio-pci,sysfsdev=/sys/bus/pci", "sysfsdev=/sys/bus/pci" },
    { "%s/loop -device vfio-pci,host=01:1f.7", "give four parts: host=0000:01:1f.7" },
    { "%s/loop -device vfio-pci,host=01:10.0,sysfsdev=/x", "two devices" },
    { "%s/loop -netdev user,id=n -device vfio-pci,host=fffe:ff:1f.7,netdev=n", "its own cable" },
    { "%s/loop -device virtio-balloon-pci -device vfio-pci,host=fffe:ff:1f.7", "leave out virtio-balloon-pci" },
    { "%s/loop -device isa-debug-exit,iobase=0x10000", "iobase" },
    { "%s/loop -device isa-debug-exit,iosize=9", "iosize" },
    { "%s/loop -device isa-debug-exit,bogus", "bogus" },
    { "%s/loop --trace=nothing", "emu list traces" },
    { "%s/loop -d nothing", "emu list traces" },
    { "%s/loop -D /no/such/folder/file", "No such file" },
    { "%s/loop --trace-json=/no/such/folder/file", "/no/such/folder/file" },
    { "%s/loop --trace-json-limit=0", "-trace-json-limit 0" },
    { "%s/loop --max-seconds=0", "-max-seconds 0" },
    { "%s/loop --max-cycles=some", "-max-cycles some" },
    { "%s/loop --timing=fast", "events or model" },
    { "%s/loop --timing=model,no-tlb", "model,no-ntlb" },
    { "%s/loop --clock=mine", "host or virtual" },
    { "%s/loop --kvm=maybe", "host or model" },
    { "%s/loop --engine=bt --hw=fast", "emu list hw" },
    { "list enginse", "did you mean engines" },
    { "comapre %s/loop", "did you mean emu compare" },
    { "compare %s/nowhere", "emu list guests" },
    { "bench net --engine=brae", "did you mean bare" },
    { "bench blk --path=vfoi", "ide, virtio, vhost" },
    { "bench", "emu: bench: give" },
    { "bench vpid --svg=/no/such/folder/file", "No such file" },
    { "nosuch", "emu --help" },
    { "hello", "did you mean guests/hello?" },
    { "guests/nanoo", "did you mean guests/nano?" },
    { "compare guests/nanoo", "did you mean guests/nano?" },
    { "guests/nano/nowhere", "is the path right?" },
    { "guests/lib", "is a directory" },
    { "compare %s", "is a directory" },
    { "compare guests/hello %s/empty", "is empty" },
    { "lint ''", "is the path right?" },
    { "list engines devices", "one list at a time" },
    { "help nosuch", "emu --help" },
    { "-vm %s", "Is a directory" },
    { "grade labs/lab1 %s/nowhere", "/nowhere: No such file or directory" },
    { "grade labs/lab1 %s/empty", "/empty: is no directory" },
    { "grade %s/empty %s", "/empty: is no lab" },
    { "grade %s %s", "is no lab" },
    { "grade --all %s/empty labs/lab1", "Not a directory" },
    { "grade --all %s -j 2x labs/lab1", "1 to 64" },
};

static void test_mistakes(void)
{
    for (unsigned i = 0; i < ARRAY_LEN(mistakes); i++) {
        CHECK_EQ(run(mistakes[i].args), STATUS_USER);
        CHECK_CONTAINS(err, mistakes[i].says);
        CHECK_EQ(lines_of(err), 1);
        CHECK(strncmp(err, "emu: ", 5) == 0);
        CHECK_STR(out, "");
    }
}

/* What may not be read is named, with the reason. For root there is no such file: then as nobody. */
static void test_unreadable(void)
{
    static const char *const args[] = { "%s/locked", "compare %s/locked", "lint %s/locked", "translate %s/locked", "-kernel %s/locked", "-hda %s/locked", "-cdrom %s/locked",
                                        "-bios %s/locked", "-vm %s/locked", "grade labs/lab1 %s/locked.d" };
    char command[1000];
    const char *as = geteuid() ? "" : "setpriv --reuid=65534 --clear-groups ";
    snprintf(command, sizeof command, "cd %s && chmod 755 . && echo x >locked && mkdir -p locked.d && chmod 000 locked locked.d", folder);
    CHECK_EQ(system(command), 0);
    snprintf(command, sizeof command, "%s%s --version >/dev/null 2>&1", as, emu());
    if (system(command))
        SKIP("emu is where only root can run it");
    for (unsigned i = 0; i < ARRAY_LEN(args); i++) {
        char filled[300];
        snprintf(filled, sizeof filled, args[i], folder);
        snprintf(command, sizeof command, "%s%s %s >%s/out 2>%s/err </dev/null", as, emu(), filled, folder, folder);
        check_context("emu %s", filled);
        int status = system(command);
        read_file("out", out, sizeof out);
        read_file("err", err, sizeof err);
        CHECK_EQ(WEXITSTATUS(status), STATUS_USER);
        CHECK_CONTAINS(err, "/locked");
        CHECK_CONTAINS(err, "Permission denied");
        CHECK_EQ(lines_of(err), 1);
        CHECK_STR(out, "");
    }
}

/* --- how runs end --- */

static const struct { const char *args; int status; const char *says; } ends[] = {
    { "%s/exit", 0x21 << 1 | 1, "" },
    { "%s/exit -device isa-debug-exit,iobase=0x500 --max-cycles 100000", STATUS_LIMIT, "--max-cycles" },
    { "%s/off", STATUS_POWEROFF, "" },
    { "%s/loop --max-cycles=1000000", STATUS_LIMIT, "ring 0" },
    { "%s/loop --max-seconds 0.05", STATUS_LIMIT, "--max-seconds=0.05" },
    { "%s/triple", STATUS_STOPPED, "triple fault" },
    { "-no-reboot -kernel %s/triple", STATUS_STOPPED, "triple fault" },
    { "%s/halt", STATUS_STOPPED, "interrupts disabled" },
    { "%s/exit --engine=auto", 0x21 << 1 | 1, "--engine=auto: " },
    { "%s/exit --stats", 0x21 << 1 | 1, "guest instructions" },
    { "%s/exit -gdb tcp::0", 0x21 << 1 | 1, "" },
};

static void test_ends(void)
{
    for (unsigned i = 0; i < ARRAY_LEN(ends); i++) {
        CHECK_EQ(run(ends[i].args), ends[i].status);
        if (*ends[i].says)
            CHECK_CONTAINS(err, ends[i].says);
        else
            CHECK_STR(err, "");
    }
}

static void test_serial_output(void)
{
    CHECK_EQ(run("%s/hello"), 1);
    CHECK_STR(out, "hi\n");
    CHECK_EQ(run("%s/hello -serial file:%s/serial"), 1);
    CHECK_STR(out, "");
    read_file("serial", out, sizeof out);
    CHECK_STR(out, "hi\n");
    CHECK_EQ(run("%s/hello -serial none"), 1);
    CHECK_STR(out, "");
}

static void test_screen_text(void)
{
    CHECK_EQ(run("%s/screen --screen-text"), 1);
    CHECK_CONTAINS(out, "\n A\n"); /* third row, second column */
    CHECK_EQ(lines_of(out), 25);
}

static void test_trace_file(void)
{
    CHECK_EQ(run("%s/exit --trace=exit,bus -D %s/trace"), 0x21 << 1 | 1);
    CHECK_STR(err, "");
    read_file("trace", out, sizeof out);
    CHECK_CONTAINS(out, "exit kind=kicked");
    CHECK_CONTAINS(out, "bus ");
}

/* The same run, the same words: nothing of the host's time gets in. */
static void test_repeats_exactly(void)
{
    static char first[sizeof err];
    run("%s/loop --max-cycles=300000 --trace=exit");
    memcpy(first, err, sizeof first);
    run("%s/loop --max-cycles=300000 --trace=exit");
    CHECK_STR(err, first);
}

/* --- help and lists --- */

static void check_screen(const char *text)
{
    unsigned lines = 0;
    for (const char *line = text; *line; lines++) {
        size_t len = strcspn(line, "\n");
        if (len > 80)
            FAIL("%zu columns: %.*s", len, (int)len, line);
        line += len + (line[len] == '\n');
    }
    if (lines > 24)
        FAIL("%u lines do not fit on a screen of 24", lines);
}

static void test_help(void)
{
    CHECK_EQ(run("--help"), 0);
    check_screen(out);
    CHECK_CONTAINS(out, "\n-gdb tcp::"); /* what course scripts look for */
    CHECK_CONTAINS(out, "\n-D FILE");
    CHECK_CONTAINS(out, "emu compare");
    CHECK_EQ(run("-nographic -help"), 0);
    CHECK_CONTAINS(out, "\n-D FILE");
    CHECK_EQ(run("--help-all"), 0);
    for (unsigned i = 0; i < option_count; i++)
        CHECK_CONTAINS(out, option_rows[i].help);
    static const char *const subcommands[] = { "compare -h", "lint -h", "translate -h", "bench -h", "list -h", "grade -h", "compare --help", "grade --help",
                                               "help", "help compare", "help grade", "help list", "version" };
    for (unsigned i = 0; i < ARRAY_LEN(subcommands); i++) {
        CHECK_EQ(run(subcommands[i]), 0);
        CHECK_CONTAINS(out, "emu ");
    }
    CHECK_EQ(run("-version"), 0);
    CHECK(strncmp(out, "emu ", 4) == 0);
}

static void test_lost_picture(void)
{
    CHECK_EQ(run("%s/loop --max-cycles=1000 -screenshot-at /no/such/folder/shot.png"), STATUS_LIMIT);
    CHECK_CONTAINS(err, "/no/such/folder/shot.png");
    CHECK_EQ(run("guests/hello -screenshot-at /no/such/folder/shot.png"), STATUS_USER);
}

/* guests/NAME is found beside the executable, wherever one is. */
static void test_elsewhere(void)
{
    char command[600];
    if (strstr(emu(), "build/"))
        SKIP("the guests do not stand beside this executable");
    snprintf(command, sizeof command, "e=$(realpath %s) && cd / && $e guests/hello >%s/out && $e compare guests/hello >>%s/out", emu(), folder, folder);
    CHECK_EQ(system(command), 0);
    read_file("out", out, sizeof out);
    CHECK_CONTAINS(out, "Hello");
    CHECK_CONTAINS(out, "guest instructions");
}

/* On a terminal no line of the help is wider than it; an option's help goes on below. */
static void test_help_fits(void)
{
    char command[600];
    snprintf(command, sizeof command, "script -qc 'stty cols 60; %s --help-all' /dev/null >%s/out </dev/null", emu(), folder);
    CHECK_EQ(system(command), 0);
    read_file("out", out, sizeof out);
    CHECK_CONTAINS(out, "\n-cdrom FILE            CD image; without a kernel, SeaBIOS\r\n                       boots from");
    unsigned column = 0, widest = 0;
    for (const char *c = out; *c; c++) {
        column = *c == '\n' ? 0 : column + (*c != '\r');
        widest = column > widest ? column : widest;
    }
    CHECK(widest <= 60);
}

static void test_lists(void)
{
    static const struct { const char *args, *has; } lists[] = {
        { "list", "emu list engines" }, { "list --help", "emu list options" }, { "list engines", "bare" }, { "list devices", "pic" },  { "list profiles", "curriculum" }, { "list traces", "exit" },
        { "list cpus", "core2" },       { "list exits", "deadline" }, { "list loaders", "multiboot" }, { "list options", "-kernel FILE" }, { "list events", "" }, { "list guests", "" },
    };
    for (unsigned i = 0; i < ARRAY_LEN(lists); i++) {
        CHECK_EQ(run(lists[i].args), 0);
        CHECK_CONTAINS(out, lists[i].has);
        CHECK_STR(err, "");
    }
}

/* --- every row of options.def is accepted, in each spelling --- */

static const struct { const char *name, *arg; } samples[] = {
    { "kernel", "x" },      { "initrd", "x" },       { "append", "-x y" },     { "module", "x y" },    { "m", "64" },         { "engine", "bare" },
    { "profile", "modern" }, { "serial", "none" },   { "display", "none" },    { "nographic", NULL },  { "device", "isa-debug-exit,iobase=0x501,iosize=2" },
    { "no-reboot", NULL },  { "max-seconds", "1.5" }, { "max-cycles", "0x10" }, { "gdb", "tcp::1234" }, { "D", "/dev/null" },  { "trace", "irq,e*" }, { "trace-json", "x" }, { "trace-json-limit", "9" },
    { "stats", NULL },      { "dump-bt", "/dev/null" },     { "screen-text", NULL }, { "d", "int,in_asm,guest_errors" }, { "S", NULL }, { "s", NULL },        { "cpu", "core2" },
    { "smp", "2" },         { "machine", "pc" },     { "kvm", "model" },       { "hw", "ept,no-vpid" }, { "switch-engine-at", "2.5s:bt" }, { "vm", "a.conf" }, { "timing", "model" }, { "exec", "interpret" }, { "bt-cache", "32M" }, { "shadow-spaces", "1" }, { "clock", "virtual" },
    { "bios", "b" }, { "L", "." }, { "hda", "x" }, { "hdb", "x" }, { "hdc", "x" }, { "hdd", "x" }, { "cdrom", "x" }, { "fda", "x" }, { "fdb", "x" },
    { "drive", "file=x,index=1,media=disk,format=raw" }, { "snapshot", NULL }, { "boot", "order=dc,menu=off" }, { "debugcon", "none" }, { "chardev", "socket,id=c,path=/tmp/x" },
    { "expect", "x" }, { "then", "y" }, { "type", "z" }, { "screenshot-at", "x.png:2.5s" }, { "vga", "std" },
    { "nic", "user,mac=52:54:00:00:00:01" }, { "netdev", "user,id=n" }, { "net", "user" }, { "pcap", "x" }, { "host-nic", "82576,vfs=2" }, { "object", "filter-dump,netdev=n,file=x" },
    { "parallel", "file:x" }, { "echr", "20" }, { "curses", NULL }, { "p", "1234" }, { "enable-kvm", NULL }, { "pidfile", "x" }, { "daemonize", NULL },
    { "rtc", "base=2006-06-17T16:01:21,clock=vm" },
    { "strict-io", NULL },  { "monitor", "none" },   { "help", NULL },         { "help-all", NULL },   { "version", NULL },
};

static int sample_of(const char *name)
{
    for (unsigned i = 0; i < ARRAY_LEN(samples); i++)
        if (strcmp(samples[i].name, name) == 0)
            return i;
    return -1;
}

static void check_accepts(char *first, char *second)
{
    char *argv[] = { "emu", "--expect=x", first, second, NULL };  /* --then stands behind one */
    struct options o;
    struct error e = { "" };
    check_context("%s %s", first, second ? second : "");
    if (options_parse(&o, second ? 4 : 3, argv, &e))
        FAIL("%s", e.text);
    options_fini(&o);
}

static void test_every_option(void)
{
    for (unsigned i = 0; i < option_count; i++) {
        char text[80];
        int s = sample_of(option_rows[i].name);
        if (s < 0) {
            FAIL("option -%s has no sample in this test", option_rows[i].name);
            continue;
        }
        CHECK_EQ(!option_rows[i].arg, !samples[s].arg);
        snprintf(text, sizeof text, "-%s", samples[s].name);
        check_accepts(text, (char *)samples[s].arg);
        snprintf(text, sizeof text, "--%s", samples[s].name);
        check_accepts(text, (char *)samples[s].arg);
        if (samples[s].arg) {
            snprintf(text, sizeof text, "--%s=%s", samples[s].name, samples[s].arg);
            check_accepts(text, NULL);
        }
    }
}

static void test_values(void)
{
    char *argv[] = { "emu", "-m", "1G", "--engine=bare", "-append", "a=b -c", "-device", "isa-debug-exit,iobase=0x501,iosize=0x02", "k", NULL };
    struct options o;
    struct error e = { "" };
    CHECK(options_parse(&o, 9, argv, &e) == 0);
    CHECK_EQ(o.vm.ram_size, 1u << 30);
    CHECK_STR(o.vm.append, "a=b -c");
    CHECK_EQ(o.vm.debug_exit_port, 0x501);
    CHECK_EQ(o.vm.debug_exit_size, 2);
    CHECK_STR(o.guest, "k");
    options_fini(&o);
}

static void test_sizes(void)
{
    static const struct { const char *text; s64 bytes; } sizes[] = {
        { "1", 1 << 20 }, { "256M", 256 << 20 }, { "2g", (s64)2 << 30 }, { "512K", 512 << 10 }, { "0", 0 },
        { "", -1 }, { "M", -1 }, { "-1", -1 }, { "1 M", -1 }, { "1MB", -1 }, { "0x10", -1 }, { "18446744073709551615", -1 }, { "17592186044416M", -1 },
    };
    for (unsigned i = 0; i < ARRAY_LEN(sizes); i++) {
        u64 bytes = 0;
        check_context("'%s'", sizes[i].text);
        CHECK_EQ(parse_size(sizes[i].text, &bytes), sizes[i].bytes < 0 ? -1 : 0);
        if (sizes[i].bytes >= 0)
            CHECK_EQ(bytes, sizes[i].bytes);
    }
}

static void test_nearest(void)
{
    struct nearest n;
    nearest_init(&n, "max-cycels");
    nearest_offer(&n, "max-seconds");
    nearest_offer(&n, "max-cycles");
    nearest_offer(&n, "m");
    CHECK_STR(n.best, "max-cycles");
    nearest_init(&n, "frobnicate");
    nearest_offer(&n, "kernel");
    CHECK(n.best == NULL);
}

/* --- signals --- */

static int run_and_signal(const char *guest, int signal)
{
    char path[80], errors[80];
    snprintf(path, sizeof path, "%s/%s", folder, guest);
    snprintf(errors, sizeof errors, "%s/err", folder);
    pid_t pid = fork();
    if (pid == 0) {
        int fd = open(errors, O_WRONLY | O_CREAT | O_TRUNC, 0600);
        dup2(fd, 2);
        dup2(open("/dev/null", O_RDWR), 0);
        execl(emu(), "emu", path, "--max-seconds=10", (char *)NULL);
        _exit(99);
    }
    usleep(300000);
    kill(pid, signal);
    int status;
    waitpid(pid, &status, 0);
    read_file("err", err, sizeof err);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static void test_signals(void)
{
    CHECK_EQ(run_and_signal("loop", SIGTERM), STATUS_STOPPED);
    CHECK_CONTAINS(err, "signal 15");
    CHECK_EQ(run_and_signal("loop", SIGINT), STATUS_STOPPED);
    CHECK_EQ(run_and_signal("loop", SIGABRT), STATUS_BUG);
    CHECK_CONTAINS(err, "a bug in emu itself");
    CHECK_CONTAINS(err, "engine ");
    CHECK_CONTAINS(err, "Please report");
}

/* --- the guests: flat 32-bit code, entered at 1 MiB --- */

static void write_guests(void)
{
    static u8 zeros[4 << 20];
    write_file("empty", "", 0);
    write_file("cut.elf", "\177ELF\1\1\1", 7);
    write_file("large", zeros, sizeof zeros);
    write_file("loop", "\xeb\xfe", 2);
    write_file("exit", "\xb0\x21\xe6\xf4\xeb\xfe", 6);                                /* mov al, 21h; out 0f4h, al; jmp $ */
    write_file("off", "\x66\xba\x04\x06\x66\xb8\x00\x20\x66\xef\xeb\xfe", 12);          /* mov dx, 604h; mov ax, 2000h; out dx, ax; jmp $ */
    write_file("triple", "\x0f\x01\x1d\x00\x00\x18\x00\xcc", 8);                      /* lidt [180000h]; int3 */
    write_file("halt", "\xfa\xf4", 2);                                                /* cli; hlt */
    write_file("screen", "\x66\xc7\x05\x42\x81\x0b\x00\x41\x07\xb0\x00\xe6\xf4\xeb\xfe", 15);   /* mov word [0b8142h], 0741h; exit(0) */
    write_file("hello", "\x66\xba\xf8\x03\xb0\x68\xee\xb0\x69\xee\xb0\x0a\xee\xb0\x00\xe6\xf4\xeb\xfe", 19); /* "hi\n" to 3f8h; exit(0) */
}

int main(int argc, char **argv)
{
    static const struct check tests[] = {
        { "mistakes", test_mistakes },
        { "unreadable", test_unreadable },
        { "ends", test_ends },
        { "serial_output", test_serial_output },
        { "screen_text", test_screen_text },
        { "trace_file", test_trace_file },
        { "repeats_exactly", test_repeats_exactly },
        { "help", test_help },
        { "help_fits", test_help_fits },
        { "lost_picture", test_lost_picture },
        { "elsewhere", test_elsewhere },
        { "lists", test_lists },
        { "every_option", test_every_option },
        { "values", test_values },
        { "sizes", test_sizes },
        { "nearest", test_nearest },
        { "signals", test_signals },
        { NULL, NULL },
    };
    if (!mkdtemp(folder))
        return 1;
    write_guests();
    int status = check_main(argc, argv, "cli", tests);
    char command[64];
    snprintf(command, sizeof command, "rm -rf %s", folder);
    return system(command) | status;
}
