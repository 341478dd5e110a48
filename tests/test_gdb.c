/* SPDX-License-Identifier: MIT */
/*
 * The gdb stub: its protocol byte by byte over a socket pair, with a small guest on each engine; peers that misbehave; and the real
 * gdb on guests/nano.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "cli/engines.h"
#include "hwassist/hwassist.h"
#include "console/gdbstub.h"

#define MIB (1u << 20)
#define CODE 0x100000

/* A flat 32-bit guest at 1 MiB:
 *     100000  mov ecx, 3              b9 03 00 00 00
 *     100005  inc dword [0x200000]    ff 05 00 00 20 00
 *     10000b  loop 100005             e2 f8
 *     10000d  mov edi, 0x200100       bf 00 01 20 00
 *     100012  mov ecx, 64             b9 40 00 00 00
 *     100017  rep stosb               f3 aa
 *     100019  sti                     fb
 *     10001a  nop                     90
 *     10001b  cli                     fa
 *     10001c  mov al, 1               b0 01
 *     10001e  out 0xf4, al            e6 f4
 *     100020  jmp $                   eb fe
 */
static const u8 guest[] = {
    0xb9, 3, 0, 0, 0, 0xff, 5, 0, 0, 0x20, 0, 0xe2, 0xf8, 0xbf, 0, 1, 0x20, 0, 0xb9, 0x40, 0, 0, 0, 0xf3, 0xaa, 0xfb, 0x90, 0xfa, 0xb0, 1, 0xe6, 0xf4, 0xeb, 0xfe,
};
static const u8 endless[] = { 0xeb, 0xfe };

static char kernel[] = "/tmp/emu-test-XXXXXX";

static const struct { const char *engine, *kvm, *hw; } engine_row[] = {
    { "bare", NULL, NULL }, { "bt", NULL, NULL }, { "kvm", "model", NULL }, { "kvm", "model", "no-ept" }, { "kvm", "model", "no-ug" },
    { "kvm", "host", NULL }, /* the last: a test of its own takes it */
};
static unsigned first_row, behind_row = ARRAY_LEN(engine_row) - 1;

/* --- one session: the machine on a thread of its own, the peer here --- */

struct session {
    struct vm_config config;
    pthread_barrier_t ready;
    struct error err;
    struct console console;
    struct gdb *gdb;
    struct vm *vm;
    int peer, status;
    const u8 *code; size_t size;    /* NULL: the loader does it */
    pthread_t thread;
};

/* What the loader would do, for a host that says no to every kernel, which might page. */
static void put_code(struct session *s)
{
    struct cpu_state state;
    state_flat32(&state, CODE, 0x7c00);
    state.apic_base = s->vm->vcpu[0]->cpu.state.apic_base;
    physmap_write(&s->vm->map, CODE, s->code, s->size);
    s->vm->engine->set_state(s->vm->vcpu[0], &state);
}

/* An engine's signals are those of the thread that it was made on. */
static void *run_console(void *session)
{
    struct session *s = session;
    s->vm = vm_new(&s->config, &s->err);
    if (s->vm && s->code)
        put_code(s);
    pthread_barrier_wait(&s->ready);
    if (!s->vm)
        return NULL;
    console_attach(&s->console, s->vm);
    s->status = console_run(&s->console, true);
    gdb_close(s->gdb);
    console_attach(&s->console, NULL);
    struct vm *vm = s->vm;
    s->vm = NULL;       /* a signal that comes late finds none */
    vm_free(vm);
    return NULL;
}

static void write_kernel(const u8 *code, size_t size)
{
    FILE *f = fopen(kernel, "wb");
    if (!f || fwrite(code, 1, size, f) != size || fclose(f))
        abort();
}

static unsigned processors = 1;

static bool begin(struct session *s, unsigned row, const u8 *code, size_t size)
{
    int pair[2];
    memset(s, 0, sizeof *s);
    vm_config_defaults(&s->config);
    s->config.engine = engine_find(engine_row[row].engine, &s->err);
    s->config.kvm = engine_row[row].kvm;
    s->config.hw = engine_row[row].hw;
    s->config.ram_size = 4 * MIB;
    s->config.smp = processors;
    bool host = s->config.kvm && !strcmp(s->config.kvm, "host");
    s->config.kernel = host ? NULL : kernel;
    s->code = host ? code : NULL;
    s->size = size;
    s->config.max_seconds = 20;
    write_kernel(code, size);
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair))
        abort();
    s->peer = pair[0];
    struct timeval patience = { .tv_sec = 10 };
    setsockopt(s->peer, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    s->gdb = gdb_open_fd(&s->console, pair[1]);
    console_configure(&s->console, &s->config);
    pthread_barrier_init(&s->ready, NULL, 2);
    pthread_create(&s->thread, NULL, run_console, s);
    pthread_barrier_wait(&s->ready);
    if (!s->vm)
        FAIL("no machine: %s", s->err.text);
    return s->vm;
}

/* A machine is interrupted on its own thread, by a signal. */
static struct session *to_be_stopped;
static enum vm_status status_when_stopped;

static void stop_it(int signal)
{
    if (!to_be_stopped->vm)
        return;
    status_when_stopped = to_be_stopped->vm->status;
    vm_interrupt(to_be_stopped->vm, 15);
}

static void stop_guest(struct session *s)
{
    to_be_stopped = s;
    sigaction(SIGUSR2, &(struct sigaction){ .sa_handler = stop_it, .sa_flags = SA_ONSTACK | SA_RESTART }, NULL);
    pthread_kill(s->thread, SIGUSR2);
}

/* Hang up, wait for the guest's end, and return its status. */
static int end(struct session *s)
{
    if (s->peer >= 0)
        close(s->peer);
    pthread_join(s->thread, NULL);
    pthread_barrier_destroy(&s->ready);
    return s->status;
}

static void raw(struct session *s, const void *bytes, size_t len)
{
    if (send(s->peer, bytes, len, MSG_NOSIGNAL) != (ssize_t)len)
        FAIL("the stub hung up");
}

static void say(struct session *s, const char *body)
{
    char packet[GDB_PACKET + 8];
    u8 sum = 0;
    for (const char *p = body; *p; p++)
        sum += *p;
    raw(s, packet, snprintf(packet, sizeof packet, "$%s#%02x", body, sum));
}

/* The body of the next packet, without acknowledgements before it; "" when nothing came in time. */
static const char *hear(struct session *s)
{
    static char body[GDB_PACKET + 8];
    unsigned n = 0;
    char c = 0;
    while (recv(s->peer, &c, 1, 0) == 1 && c != '$')
        ;
    while (c == '$' || (n && n < sizeof body)) {
        if (recv(s->peer, &c, 1, 0) != 1 || c == '#')
            break;
        body[n++] = c;
    }
    body[n] = 0;
    recv(s->peer, (char[2]){ 0 }, 2, MSG_WAITALL);
    return body;
}

static const char *ask(struct session *s, const char *body)
{
    say(s, body);
    return hear(s);
}

static u32 ask_register(struct session *s, const char *packet)
{
    u32 value = 0;
    gdb_from_hex(ask(s, packet), &value, 4);
    return value;
}

#define GET_EIP "p8"
#define GET_ECX "p1"

/* --- the protocol, on each engine --- */

#define FOR_EACH_ROW(i) for (unsigned i = first_row; i < behind_row && (check_context("engine row %u", i), true); i++)

static void test_breakpoint(void)
{
    struct session s;
    FOR_EACH_ROW(i) {
        if (!begin(&s, i, guest, sizeof guest))
            return;
        CHECK_CONTAINS(ask(&s, "qSupported:swbreak+;hwbreak+"), "PacketSize=");
        CHECK_EQ(ask_register(&s, GET_EIP), CODE);
        CHECK_STR(ask(&s, "Z0,10000b,1"), "OK");
        for (u32 ecx = 3; ecx; ecx--) {
            CHECK_STR(ask(&s, "c"), "T05thread:01;swbreak:;");
            CHECK_EQ(ask_register(&s, GET_EIP), 0x10000b);
            CHECK_EQ(ask_register(&s, GET_ECX), ecx);
        }
        CHECK_STR(ask(&s, "m100000,4"), "b9030000"); /* nothing was written over the code */
        CHECK_STR(ask(&s, "m10000b,2"), "e2f8");
        CHECK_STR(ask(&s, "z0,10000b,1"), "OK");
        CHECK_STR(ask(&s, "Z1,10001a,1"), "OK");     /* behind STI */
        CHECK_STR(ask(&s, "c"), "T05thread:01;hwbreak:;");
        CHECK_EQ(ask_register(&s, GET_EIP), 0x10001a);
        CHECK_STR(ask(&s, "c"), "W03");
        CHECK_EQ(end(&s), 3);
    }
}

/* Threads are processors; registers are the chosen one's, and a step is its own. */
static void test_threads(void)
{
    struct session s;
    processors = 3;
    bool begun = begin(&s, 1, endless, sizeof endless);
    processors = 1;
    if (!begun)
        return;
    CHECK_STR(ask(&s, "?"), "T05thread:01;");
    CHECK_STR(ask(&s, "qfThreadInfo"), "m01,02,03");
    CHECK_STR(ask(&s, "qsThreadInfo"), "l");
    CHECK_STR(ask(&s, "T3"), "OK");
    CHECK_STR(ask(&s, "T4"), "E16");
    CHECK_STR(ask(&s, "Hg2"), "OK");
    CHECK_STR(ask(&s, "qC"), "QC02");
    CHECK_EQ(ask_register(&s, GET_EIP), 0xfff0);
    CHECK_STR(ask(&s, "Hg4"), "E16");
    CHECK_STR(ask(&s, "Hg0"), "OK");    /* any: it stays */
    CHECK_STR(ask(&s, "qC"), "QC02");
    CHECK_STR(ask(&s, "vCont;s:9"), "E16");
    CHECK_STR(ask(&s, "vCont;s:1;c"), "T05thread:01;");
    CHECK_EQ(ask_register(&s, GET_EIP), CODE);
    say(&s, "k");
    end(&s);
}

/* As the graders of courses do it: no acknowledgements, no questions. */
static void test_grader(void)
{
    struct session s;
    FOR_EACH_ROW(i) {
        if (!begin(&s, i, guest, sizeof guest))
            return;
        say(&s, "Z1,100017,1");
        say(&s, "c");
        CHECK_STR(hear(&s), "OK");
        CHECK_STR(hear(&s), "T05thread:01;");
        char plain[32];
        snprintf(plain, sizeof plain, "%s", ask(&s, "m100000,8"));
        CHECK_EQ(strlen(plain), 16);
        CHECK_STR(ask(&s, "m 100000,8"), plain); /* a blank, as they write it */
        CHECK_EQ(end(&s), 3); /* hanging up lets the guest go on */
    }
}

static void test_step(void)
{
    static const u32 way[] = { 0x100005, 0x10000b, 0x100005, 0x10000b, 0x100005, 0x10000b, 0x10000d, 0x100012, 0x100017, 0x100019, 0x10001a, 0x10001b };
    struct session s;
    FOR_EACH_ROW(i) {
        if (!begin(&s, i, guest, sizeof guest))
            return;
        CHECK_STR(ask(&s, "vCont?"), "vCont;c;C;s;S");
        for (unsigned n = 0; n < ARRAY_LEN(way); n++) {
            CHECK_STR(ask(&s, n % 2 ? "s" : "vCont;s:1"), "T05thread:01;");
            CHECK_EQ(ask_register(&s, GET_EIP), way[n]);
        }
        CHECK_STR(ask(&s, "D"), "OK");
        CHECK_EQ(end(&s), 3);
    }
}

static void test_watch(void)
{
    struct session s;
    FOR_EACH_ROW(i) {
        if (!begin(&s, i, guest, sizeof guest))
            return;
        CHECK_STR(ask(&s, "Z2,200000,4"), "OK");
        CHECK_STR(ask(&s, "c"), "T05thread:01;watch:200000;");
        CHECK_EQ(ask_register(&s, GET_EIP), 0x10000b); /* behind the write */
        CHECK_STR(ask(&s, "m200000,4"), "01000000");
        CHECK_STR(ask(&s, "z2,200000,4"), "OK");
        CHECK_STR(ask(&s, "Z4,200110,1"), "OK");       /* in the middle of the string instruction */
        CHECK_STR(ask(&s, "c"), "T05thread:01;awatch:200110;");
        CHECK_EQ(ask_register(&s, GET_ECX), 64 - 0x11);
        CHECK_STR(ask(&s, "D"), "OK");
        CHECK_EQ(end(&s), 3);
    }
}

static void test_writes(void)
{
    struct session s;
    FOR_EACH_ROW(i) {
        if (!begin(&s, i, endless, sizeof endless))
            return;
        CHECK_STR(ask(&s, "Z0,100000,1"), "OK");
        CHECK_STR(ask(&s, "c"), "T05thread:01;");               /* translated, or at least decoded */
        CHECK_STR(ask(&s, "z0,100000,1"), "OK");
        CHECK_STR(ask(&s, "M100000,4:b015e6f4"), "OK");         /* mov al,15h; out F4h,al over it */
        CHECK_STR(ask(&s, "m100000,4"), "b015e6f4");
        CHECK_STR(ask(&s, "P2=78563412"), "OK");
        CHECK_STR(ask(&s, "p2"), "78563412");
        CHECK_STR(ask(&s, "X200000,4:ab}\x03" "c"), "OK");      /* } escapes # */
        CHECK_STR(ask(&s, "m200000,4"), "61622363");
        CHECK_STR(ask(&s, "c"), "W2b");
        CHECK_EQ(end(&s), 0x15 << 1 | 1);
    }
}

static void test_interrupt(void)
{
    struct session s;
    FOR_EACH_ROW(i) {
        if (!begin(&s, i, endless, sizeof endless))
            return;
        say(&s, "c");
        usleep(20000);
        raw(&s, "\003", 1);
        CHECK_STR(hear(&s), "T02thread:01;");
        CHECK_EQ(ask_register(&s, GET_EIP), CODE);
        raw(&s, "$c#63\003", 6); /* both at once, as they come to a machine that was busy */
        CHECK_STR(hear(&s), "T02thread:01;");
        say(&s, "k");
        CHECK_EQ(end(&s), STATUS_POWEROFF);
    }
}

/* The same on the host's processor: breakpoints by its debug registers, the rest by the interpreter. */
static void test_on_host(void)
{
    struct error err;
    char why[160];
    if (kvm_host_backend.probe(why, sizeof why, &err) < 0)
        SKIP("%s", err.text);
    first_row = ARRAY_LEN(engine_row) - 1;
    behind_row = ARRAY_LEN(engine_row);
    test_breakpoint();
    test_grader();
    test_step();
    test_watch();
    test_writes();
    test_interrupt();
    first_row = 0;
    behind_row = ARRAY_LEN(engine_row) - 1;
}

/* A guest that has crashed can be looked at: 32-bit code at 1 MiB without an IDT, UD2. */
static void test_post_mortem(void)
{
    static const u8 crash[] = { 0x0f, 0x0b };
    struct session s;
    if (!begin(&s, 0, crash, sizeof crash))
        return;
    CHECK_CONTAINS(ask(&s, "c"), "O"); /* the reason, in hexadecimal */
    CHECK_STR(hear(&s), "T0bthread:01;");
    CHECK_EQ(ask_register(&s, GET_EIP), CODE);
    CHECK_STR(ask(&s, "c"), "W02");
    CHECK_EQ(end(&s), STATUS_STOPPED);
}

/* --- the description of the registers --- */

static void read_description(struct session *s, char *xml, size_t size)
{
    char packet[64];
    const char *reply;
    size_t n = 0;
    do {
        snprintf(packet, sizeof packet, "qXfer:features:read:target.xml:%zx,300", n);
        reply = ask(s, packet);
        n += snprintf(xml + n, size - n, "%s", *reply ? reply + 1 : "");
    } while (*reply == 'm' && n < size - 1024);
}

static void test_description(void)
{
    char xml[16384];
    struct session s;
    if (!begin(&s, 0, guest, sizeof guest))
        return;
    read_description(&s, xml, sizeof xml);
    CHECK_CONTAINS(xml, "<architecture>i386</architecture>");
    CHECK_CONTAINS(xml, "org.gnu.gdb.i386.core");
    CHECK_CONTAINS(xml, "</target>");
    size_t length = strlen(ask(&s, "g"));
    unsigned bits = 0;
    for (const char *p = xml; (p = strstr(p, "bitsize=\"")); p += 9)
        bits += atoi(p + 9);
    CHECK_EQ(length, bits / 4);
    CHECK_STR(ask(&s, "Z0,10001e,1"), "OK");
    ask(&s, "c");
    CHECK_EQ(strlen(ask(&s, "g")), length);
    CHECK_STR(ask(&s, "D"), "OK");
    end(&s);
    struct cpu_state state = { .rip = 0x1122334455667788, .efer = EFER_LMA };
    u8 buf[16];
    CHECK_EQ(gdb_register_get(gdb_layout_wide, &state, 16, buf), 8);
    CHECK_EQ(buf[7], 0x11);
}

/* --- peers that misbehave --- */

static const char *const nonsense[] = {
    "$#00", "$$$$", "$m#", "$g#zz", "$m,#99", "$mffffffffffffffffffffff,1#00", "}}}}", "$}", "\003\003\003", "----++++", "$Z#5a", "$vCont#00", "$qXfer:features:read:#00",
};
static const char *const wrong[] = {
    "m", "m1", "m1,", "m,1", "mzz,4", "M0,4:12", "M0,ffffffffffffffff:00", "X0,1000:a", "G", "G0", "P", "P999=00", "P0", "P0=0", "p", "pffffffff", "Z", "Z9,0,1", "Z0", "Z2,0,0",
    "Z2,0,ffffffffffffffff", "z5,1,1", "qXfer:features:read:other.xml:0,100", "qXfer:features:read:target.xml:ffffffffffffffff,ffffffffffffffff", "qRcmd,zz", "qRcmd,6", "vCont;",
    "vCont;x", "H", "T", "Qqemu.sstep=", "!", "~", "\x80", "_m",
};

static void test_nonsense(void)
{
    struct session s;
    char packet[2 * GDB_PACKET];
    FOR_EACH_ROW(i) {
        if (!begin(&s, i, endless, sizeof endless))
            return;
        for (unsigned n = 0; n < ARRAY_LEN(nonsense); n++)
            raw(&s, nonsense[n], strlen(nonsense[n]));
        memset(packet, 'A', sizeof packet);
        packet[0] = '$';
        for (int n = 0; n < 20; n++)
            raw(&s, packet, sizeof packet);
        raw(&s, "#00$#00", 7);
        say(&s, "QStartNoAckMode");
        while (strcmp(hear(&s), "OK"))
            ;
        for (unsigned n = 0; n < ARRAY_LEN(wrong); n++) {
            const char *reply = ask(&s, wrong[n]);
            if (*reply && *reply != 'E' && strcmp(reply, "OK") && *reply != 'l')
                FAIL("%s is answered by %s", wrong[n], reply);
        }
        CHECK_EQ(strlen(ask(&s, "m100000,fffff")), GDB_PACKET / 2 * 2);
        CHECK_STR(ask(&s, "mfffffff0,10"), "E0e");
        for (int n = 0; n < 200; n++) {
            snprintf(packet, sizeof packet, "Z0,%x,1", 0x300000 + n);
            CHECK_STR(ask(&s, packet), n < 64 ? "OK" : "E1c");
        }
        raw(&s, "$m1000", 6); /* and gone, in the middle of a packet */
        close(s.peer);
        s.peer = -1;
        usleep(50000);
        stop_guest(&s);
        CHECK_EQ(end(&s), STATUS_STOPPED);
        CHECK_EQ(status_when_stopped, VM_RUNNING);  /* the guest had gone on */
    }
}

/* Random bytes, with the characters of the protocol much more often. */
static void test_random(void)
{
    static const char likely_bytes[] = "$#+-:;,=?gGpPmMcsZzHTqQvXk0123456789abcdef}\003";
    u64 seed = check_seed();
    struct session s;
    for (unsigned round = 0; round < 20; round++) {
        char bytes[4000];
        if (!begin(&s, 0, endless, sizeof endless))
            return;
        for (unsigned i = 0; i < sizeof bytes; i++) {
            u64 r = check_random(&seed);
            bytes[i] = r & 0xf00 ? likely_bytes[(r & 0xff) % (sizeof likely_bytes - 1)] : (char)r;
        }
        send(s.peer, bytes, sizeof bytes, MSG_NOSIGNAL);
        usleep(5000);
        stop_guest(&s);
        end(&s);
    }
}

/* A port that is taken is the user's mistake. */
static void test_port_in_use(void)
{
    static struct console c;
    struct error err = { "" };
    char where[32];
    struct gdb *first = gdb_open(&c, "tcp::0", &err);
    CHECK(first);
    snprintf(where, sizeof where, "tcp::%u", first ? gdb_port(first) : 0);
    CHECK(!gdb_open(&c, where, &err));
    CHECK_CONTAINS(err.text, "Address already in use; give another port");
    CHECK(!strchr(err.text, '\n'));
    gdb_close(first);
}

/* --- the real gdb --- */

static const char script[] =
    "set pagination off\nset confirm off\nset width 0\n"
    "target remote :%u\n"
    "info registers eip\n"
    "break do_in\ncontinue\n"
    "printf \"at %%x esp %%x\\n\", $eip, $esp\n"
    "x/2i $pc\nbt\n"
    "stepi\nstepi\nprintf \"behind %%d\\n\", $eip - (unsigned)&do_in\n"
    "watch *(unsigned*)&trap_resume\n"
    "x/4xb 0x100000\n"
    "delete 1\ncontinue\nprintf \"resume %%x\\n\", *(unsigned*)&trap_resume\n"
    "set $eax = 0x1234\nprintf \"eax %%x\\n\", $eax\n"
    /* a page table entry, stored as it was: shadow paging emulates the store */
    "delete\nbreak do_pte_unchanged\ncontinue\ndelete\n"
    "set $pte = (unsigned)&page_table + ((unsigned)&pages >> 12) * 4\nawatch *(unsigned*)$pte\ncontinue\n"
    "printf \"pte in place %%d\\n\", $eip > (unsigned)&do_pte_unchanged && $eip < (unsigned)&do_pte_unchanged + 64\n"
    "monitor info status\n"
    "delete\ndetach\n";

static void write_text(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");
    if (!f || fputs(text, f) < 0 || fclose(f))
        abort();
}

/* The same guest ported: its kernel is in ring 1, its pages are the hypervisor's. */
static const char script_pv[] =
    "set pagination off\nset confirm off\nset width 0\n"
    "target remote :%u\n"
    "info registers eip\n"
    "break do_in\ncontinue\n"
    "x/2i $pc\nbt\n"
    "printf \"before %%x\\n\", $eip\nstepi\nstepi\nprintf \"behind %%d\\n\", $eip - (unsigned)&do_in\n"
    "watch *(unsigned*)&trap_resume\n"
    "delete 1\ncontinue\n"
    "set $eax = 0x1234\nprintf \"eax %%x\\n\", $eax\n"
    "monitor info status\n"
    "delete\ndetach\n";

static int gdb_on_nano(const char *options, const char *script, const char *image, char *out, size_t size)
{
    const char *build = getenv("EMU_BUILD");
    char text[4096], path[] = "/tmp/emu-test-XXXXXX", command[600];
    unsigned port = 20000 + getpid() % 20000;
    close(mkstemp(path));
    snprintf(text, sizeof text, script, port);
    write_text(path, text);
    snprintf(command, sizeof command,
             "timeout 60 %s %s -S -gdb tcp::%u -serial none build/guests/nano.%s.elf </dev/null & for i in 1 2 3 4 5 6 7 8 9; do sleep 0.2; "
             "timeout 60 gdb -q -nx -batch -x %s build/guests/nano.%s.elf 2>&1 | tee %s.out | grep -q 'timed out' || break; done; wait $!; echo status $? >>%s.out",
             build && strcmp(build, "build/san") == 0 ? "build/san/emu" : "./emu", options, port, image, path, image, path, path);
    int status = system(command);
    strcat(strcpy(command, path), ".out");
    FILE *f = fopen(command, "r");
    out[f ? fread(out, 1, size - 1, f) : 0] = 0;
    if (f)
        fclose(f);
    remove(command);
    remove(path);
    return status;
}

static void test_real_gdb(void)
{
    static const char *const options[] = { "-engine bare", "-engine bt", "-engine kvm -kvm model", "-engine kvm -kvm model -hw no-ept" };
    static const char *const says[] = {
        "<_start>", "Breakpoint 1, 0x", " in do_in ()", "<do_in>:\tmov    0x4(%esp),%edx", "in cycles_of ()", "behind 6",
        "0x02\t0xb0\t0xad\t0x1b", "Old value = 0", "eax 1234", "pte in place 1", "stopped, engine", "detached", "status 0",
    };
    static const char *const says_pv[] = {
        "<_start>", "Breakpoint 1, 0x", " in do_in ()", "<do_in>:\tmov    0x4(%esp),%edx", "in cycles_of ()", "behind 6", "Old value = 0", "eax 1234", "stopped, engine pv", "detached", "status 0",
    };
    char out[8192];
    if (system("gdb --version >/dev/null 2>&1"))
        SKIP("gdb is not installed");
    for (unsigned i = 0; i < ARRAY_LEN(options); i++) {
        gdb_on_nano(options[i], script, "native", out, sizeof out);
        check_context("%s: %s", options[i], out);
        for (unsigned n = 0; n < ARRAY_LEN(says); n++)
            CHECK_CONTAINS(out, says[n]);
        CHECK(!strstr(out, "arning"));
    }
    gdb_on_nano("-engine pv", script_pv, "xen", out, sizeof out);
    check_context("pv: %s", out);
    for (unsigned n = 0; n < ARRAY_LEN(says_pv); n++)
        CHECK_CONTAINS(out, says_pv[n]);
    check_context(NULL);
}

int main(int argc, char **argv)
{
    static const struct check tests[] = {
        { "breakpoint", test_breakpoint }, { "grader", test_grader }, { "threads", test_threads }, { "step", test_step }, { "watch", test_watch }, { "writes", test_writes }, { "interrupt", test_interrupt }, { "on_host", test_on_host },
        { "post_mortem", test_post_mortem }, { "description", test_description }, { "nonsense", test_nonsense }, { "random", test_random }, { "port_in_use", test_port_in_use }, { "real_gdb", test_real_gdb }, { NULL, NULL },
    };
    close(mkstemp(kernel));
    int status = check_main(argc, argv, "gdb", tests);
    unlink(kernel);
    return status;
}
