/* SPDX-License-Identifier: MIT */
/*
 * The reference pages of docs/reference/, expanded from the tables that the emulator itself is expanded from.
 *
 *     build/tools/reference          names the pages
 *     build/tools/reference events   prints docs/reference/events.md
 *
 * `make docs` writes them all; tests/test_docs.c compares them with what is there.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/ledger.h"
#include "cli/options/options.h"
#include "cpu/decode.h"
#include "hwassist/vmx/vmcs.h"
#include "machine/bare.h"
#include "machine/vm.h"
#include "paravirt/abi.h"

#define PROFILES 3
static const char *const profile_name[PROFILES] = { "curriculum", "p4-2006", "modern" };

/* --- pieces --- */

static void page(const char *title, const char *table, const char *words)
{
    printf("# %s\n\n<!-- Expanded from %s by tools/reference.c: change that, then `make docs`. -->\n\n%s\n\n", title, table, words);
}

/* Header and rule of a table; a column whose name begins with '#' holds numbers. */
static void columns(const char *const *name)
{
    for (const char *const *n = name; *n; n++)
        printf("| %s ", *n + (**n == '#'));
    puts("|");
    for (const char *const *n = name; *n; n++)
        fputs(**n == '#' ? "|--:" : "|---", stdout);
    puts("|");
}
#define COLUMNS(...) columns((const char *const[]){ __VA_ARGS__, NULL })

/* Text in a cell: a bar would end it, and angle brackets would be a tag. */
static void cell(const char *text)
{
    fputs("| ", stdout);
    for (; *text; text++) {
        if (*text == '|')
            putchar('\\');
        putchar(*text);
    }
    putchar(' ');
}
static void code(const char *text)
{
    char quoted[256];
    snprintf(quoted, sizeof quoted, *text ? "`%s`" : "%s", text);
    cell(quoted);
}
static void number(u64 n) { printf("| %llu ", (unsigned long long)n); }
static void end(void) { puts("|"); }

static void row2(const char *name, const char *help)
{
    code(name);
    cell(help);
    end();
}

/* By path, from the top of the source tree: where this program stands does not matter. */
static void load_profiles(struct profile *p)
{
    struct error err;
    char path[64];
    for (int i = 0; i < PROFILES; i++) {
        snprintf(path, sizeof path, "profiles/%s.profile", profile_name[i]);
        if (profile_load(&p[i], path, &err) == 0)
            continue;
        fprintf(stderr, "reference: %s\n", err.text);
        exit(1);
    }
}

/* --- events, components --- */

static void events_of(enum family f, const struct profile *p)
{
    printf("\n## %s: %s\n\n", family_rows[f].name, family_rows[f].help);
    COLUMNS("event", "what", "formula", "#curriculum", "#p4-2006", "#modern");
    for (int e = 0; e < EV_COUNT; e++) {
        if (event_rows[e].family != f)
            continue;
        code(event_rows[e].name);
        cell(event_rows[e].help);
        cell(event_rows[e].formula);
        for (int i = 0; i < PROFILES; i++) {
            u64 cycles = 0;
            formula_eval(event_rows[e].formula, &p[i], &cycles, NULL);
            number(cycles);
        }
        end();
    }
}

static void events(void)
{
    struct profile p[PROFILES];
    load_profiles(p);
    page("Events", "src/base/events.def and profiles/",
         "What the ledger counts, by family. The formula is over the [components](components.md); beside it are its cycles under each\n"
         "profile. A formula of 0 is an event that is counted and costs nothing, or (`kvm-host.`) one whose cycles are measured.\n"
         "The [cost model](../cost-model.md) says how the formulas came about.");
    for (int f = 0; f < FAMILY_COUNT; f++)
        events_of(f, p);
    for (int i = 0; i < PROFILES; i++)
        profile_fini(&p[i]);
}

static void sources_of(const struct profile *p)
{
    printf("\n## Sources of `%s`: %s\n\n", p->name, p->title);
    COLUMNS("component", "#value", "source");
    for (int k = 0; k < COMP_COUNT; k++) {
        code(component_rows[k].name);
        number(p->value[k]);
        cell(p->source[k]);
        end();
    }
}

static void components(void)
{
    struct profile p[PROFILES];
    load_profiles(p);
    page("Components of cost", "src/base/components.def and profiles/",
         "One number of a cost profile each: cycles, but for `cpu.hz`. [Events](events.md) are composed of them.");
    COLUMNS("component", "what", "#curriculum", "#p4-2006", "#modern");
    for (int k = 0; k < COMP_COUNT; k++) {
        code(component_rows[k].name);
        cell(component_rows[k].help);
        for (int i = 0; i < PROFILES; i++)
            number(p[i].value[k]);
        end();
    }
    for (int i = 0; i < PROFILES; i++) {
        sources_of(&p[i]);
        profile_fini(&p[i]);
    }
}

/* --- options, exits, traces --- */

static void option_head(const struct option_row *r)
{
    char head[80];
    snprintf(head, sizeof head, "-%s%s%s", r->name, r->arg ? " " : "", r->arg ? r->arg : "");
    code(head);
    snprintf(head, sizeof head, r->alias ? "-%s" : "%s", r->alias ? r->alias : "");
    code(head);
}

static void options(void)
{
    page("Options", "src/cli/options/options.def",
         "Of `emu [OPTION]... GUEST`, and, as far as they describe the machine, of `emu compare`. With one dash or two, as `-name ARG` or\n"
         "`-name=ARG`. Where QEMU has the same thing the name is QEMU's. `emu compare --help` has the options of `compare` alone.");
    COLUMNS("option", "also", "what");
    for (unsigned i = 0; i < option_count; i++) {
        option_head(&option_rows[i]);
        cell(option_rows[i].help);
        end();
    }
}

static void exits(void)
{
    page("Exits of the run loop", "src/machine/exits.def",
         "Why an engine's `run()` came back to the one run loop, `vm_run()` in `src/machine/run.c`. What an engine settles by itself is an\n"
         "[event](events.md) and no exit. `-trace exit` prints each; `-stats` counts them. A new one: [adding an exit reason](../adding-an-exit-reason.md).");
    COLUMNS("exit", "what");
    for (int k = 0; k < EXIT_KIND_COUNT; k++)
        row2(exit_rows[k].name, exit_rows[k].help);
}

static void traces(void)
{
    page("Trace points", "src/base/traces.def",
         "`-trace LIST` prints a line for each of these events, as `-trace exc,mode` or `-trace 'b*'`; `-D FILE` sends them to a file.");
    COLUMNS("trace", "what");
    for (int t = 0; t < TRACE_COUNT; t++)
        row2(trace_rows[t].name, trace_rows[t].help);
}

/* --- devices: those of a machine that is really built --- */

static struct vm *machine(void)
{
    struct vm_config c;
    struct error err;
    vm_config_defaults(&c);
    c.engine = &bare_engine;
    c.profile = "profiles/curriculum.profile";
    struct vm *vm = vm_new(&c, &err);
    if (vm)
        return vm;
    fprintf(stderr, "reference: %s\n", err.text);
    exit(1);
}

static int by_base(const void *a, const void *b)
{
    const struct bus_range *x = *(struct bus_range *const *)a, *y = *(struct bus_range *const *)b;
    return x->base < y->base ? -1 : x->base > y->base;
}

static void ranges(const char *title, struct bus_range **r, unsigned n, int digits)
{
    if (!n)
        return;
    printf("\n## %s\n\n", title);
    COLUMNS("from", "to", "range");
    qsort(r, n, sizeof *r, by_base);
    for (unsigned i = 0; i < n; i++) {
        printf("| `%0*llx` | `%0*llx` ", digits, (unsigned long long)r[i]->base, digits, (unsigned long long)(r[i]->base + r[i]->len - 1));
        code(r[i]->name);
        end();
    }
}

static void devices(void)
{
    struct vm *vm = machine();
    page("Devices", "pc_devices[] in src/devices/pc.c, and the bus of a machine built for this page",
         "In start-up order, and where they answer after power-on (hexadecimal). Reads of what nobody claims give all ones. A device of your\n"
         "own: [adding a device](../adding-a-device.md).");
    COLUMNS("device", "what");
    for (const struct device_ops *const *d = pc_devices; *d; d++)
        row2((*d)->name, (*d)->help);
    ranges("Ports", vm->bus.port, vm->bus.nport, 4);
    ranges("Memory-mapped", vm->bus.mmio, vm->bus.nmmio, 8);
    vm_free(vm);
}

/* --- opcodes --- */

static const char *const class_names[] = {
    [CLASS_PLAIN] = "plain", [CLASS_CONTROL] = "control", [CLASS_STRING] = "string", [CLASS_PRIVILEGED] = "privileged",
    [CLASS_SENSITIVE] = "sensitive", [CLASS_SYSTEM] = "system",
};
static const char *const class_help[] = {
    [CLASS_PLAIN] = "behaves alike at every privilege level: a translator may copy it",
    [CLASS_CONTROL] = "is near control flow",
    [CLASS_STRING] = "may repeat",
    [CLASS_PRIVILEGED] = "faults below ring 0, or by IOPL: trap-and-emulate would do",
    [CLASS_SENSITIVE] = "depends on privileged state and does not fault: why x86 needed more than trap-and-emulate",
    [CLASS_SYSTEM] = "enters or leaves the kernel, or traps by design",
};
static const char *const isa_names[] = {
    "386", "486", "586", "CMOV", "FPU", "MMX", "FXSR", "SSE", "SSE2", "SSE3", "SSSE3", "SYSENTER", "SYSCALL", "RDTSCP", "64", "VMX",
};

static const char *flags_text(u16 flags, char *buf)
{
    static const struct { u16 mask; const char *name; } names[] = {
        { FLAG_OF, "O" }, { FLAG_SF, "S" }, { FLAG_ZF, "Z" }, { FLAG_AF, "A" }, { FLAG_PF, "P" }, { FLAG_CF, "C" },
        { FLAG_DF, "D" }, { FLAG_IF, "I" }, { FLAG_TF, "T" }, { FLAG_NT, "N" }, { FLAG_IOPL, "L" },
    };
    *buf = 0;
    for (unsigned i = 0; i < ARRAY_LEN(names); i++)
        if (flags & names[i].mask)
            strcat(buf, names[i].name);
    return buf;
}

static const char *attr_text(u8 attr, char *buf)
{
    static const char *const names[] = { "LOCK", "not in 64-bit mode", "64-bit mode only", "64 bits always", "64 bits by default" };
    *buf = 0;
    for (unsigned i = 0; i < ARRAY_LEN(names); i++)
        if (attr & 1 << i)
            strcat(strcat(buf, *buf ? ", " : ""), names[i]);
    return buf;
}

static void opcode(const struct opcode *o)
{
    char buf[160];
    code(o->encoding);
    snprintf(buf, sizeof buf, "%s %s", mnemonic_names[o->mnemonic], o->operands);
    cell(buf);
    cell(component_rows[COMP_INSN_PLAIN + o->cost].name + strlen("insn."));
    cell(isa_names[o->isa]);
    cell(flags_text(o->flags_read, buf));
    cell(flags_text(o->flags_written, buf));
    cell(flags_text(o->flags_undefined, buf));
    cell(attr_text(o->attr, buf));
    end();
}

static void opcodes_of(enum insn_class k)
{
    printf("\n## %s\n\nAn instruction of this class %s.\n\n", class_names[k], class_help[k]);
    COLUMNS("encoding", "instruction", "cost", "since", "reads", "writes", "undefined", "");
    for (unsigned i = 0; i < opcode_count; i++)
        if (opcode_rows[i].class == k)
            opcode(&opcode_rows[i]);
}

static void opcodes(void)
{
    /* what monitors are about comes first */
    static const enum insn_class order[] = { CLASS_SENSITIVE, CLASS_PRIVILEGED, CLASS_SYSTEM, CLASS_CONTROL, CLASS_STRING, CLASS_PLAIN };
    page("Instructions", "src/cpu/opcodes.def",
         "Every form that the decoder knows, by class: by what virtualization makes of it. Encoding and operands are in the SDM's notation,\n"
         "which the head of `src/cpu/opcodes.def` explains; `cost` names an `insn.` [component](components.md); flags are O S Z A P C, D, I, T, N\n"
         "for NT and L for IOPL. A new one: [adding an opcode](../adding-an-opcode.md).");
    COLUMNS("class", "#rows", "what");
    for (unsigned i = 0; i < ARRAY_LEN(order); i++) {
        unsigned n = 0;
        for (unsigned r = 0; r < opcode_count; r++)
            n += opcode_rows[r].class == order[i];
        printf("| [%s](#%s) | %u | %s |\n", class_names[order[i]], class_names[order[i]], n, class_help[order[i]]);
    }
    for (unsigned i = 0; i < ARRAY_LEN(order); i++)
        opcodes_of(order[i]);
}

/* --- what the engines are spoken to in --- */

static void hypercalls(void)
{
    static const struct { unsigned number; const char *name; unsigned args; enum event event; const char *help; } rows[] = {
#define HYPERCALL(number, name, args, event, help) { number, #name, args, EV_##event, help },
#include "paravirt/hypercalls.def"
#undef HYPERCALL
    };
    page("Hypercalls", "src/paravirt/hypercalls.def",
         "What a guest of `pv` may ask of its hypervisor, by Xen's numbers (the call's slot in the hypercall page; the number is in EAX) and\n"
         "with Xen's arguments (EBX, ECX, EDX, ESI, EDI). Any other number is answered with -ENOSYS. The event is what the ledger charges.");
    COLUMNS("#number", "hypercall", "#arguments", "event", "what");
    for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
        number(rows[i].number);
        code(rows[i].name);
        number(rows[i].args);
        code(event_rows[rows[i].event].name);
        cell(rows[i].help);
        end();
    }
}

static const char *feature_name(u32 needs)
{
    static const struct { u32 bit; const char *name; } rows[] = {
#define FEATURE(id, name, needs, help) { FEATURE_##id, name },
#include "hwassist/vmx/features.def"
#undef FEATURE
    };
    for (unsigned i = 0; i < ARRAY_LEN(rows); i++)
        if (needs == rows[i].bit)
            return rows[i].name;
    return "";
}

static void features(void)
{
    static const struct { const char *name; u32 needs; const char *help; } rows[] = {
#define FEATURE(id, name, needs, help) { name, needs, help },
#include "hwassist/vmx/features.def"
#undef FEATURE
    };
    puts("\n## Features\n\n`-hw LIST` switches them, as `-hw no-ept` or `-hw ept,ept-2m`; the rest is the VT-x of 2005.\n");
    COLUMNS("feature", "needs", "what");
    for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
        code(rows[i].name);
        code(feature_name(rows[i].needs));
        cell(rows[i].help);
        end();
    }
}

static void vmcs(void)
{
    static const char *const widths[] = { [W16] = "16", [W64] = "64", [W32] = "32", [NATURAL] = "natural" };
    static const char *const types[] = { [CONTROL] = "control", [READ_ONLY] = "read-only", [GUEST] = "guest", [HOST] = "host" };
    page("VMCS fields", "src/hwassist/vmx/vmcs.def and features.def",
         "The virtual-machine control structure of the VT-x model, as far as the modelled processor has it, by the encodings of the SDM\n"
         "(vol. 3, appendix B). A field whose feature is switched off is an unsupported component: VMREAD and VMWRITE of it fail.");
    COLUMNS("encoding", "field", "width", "kind", "needs");
    for (int i = 0; i < VMCS_FIELDS; i++) {
        const struct vmcs_field *f = &vmcs_fields[i];
        printf("| `%04x` ", f->encoding);
        cell(f->help);
        cell(widths[f->width]);
        cell(types[f->type]);
        code(feature_name(f->needs));
        end();
    }
    features();
}

enum { EV_NONE = -1 };

static void kvm_exits(void)
{
    static const struct { int number; const char *name; } reasons[] = {
#define REASON(id, number, name) { number, name },
#include "hwassist/vmx/reasons.def"
#undef REASON
    };
    enum {
#define REASON(id, number, name) REASON_##id = number,
#include "hwassist/vmx/reasons.def"
#undef REASON
    };
    static const struct { int number, event; const char *handler; } handlers[] = {
#define HANDLER(reason, event, function) { REASON_##reason, EV_##event, #function },
#include "hwassist/kvm/exits.def"
#undef HANDLER
    };
    page("VM exits", "src/hwassist/vmx/reasons.def and src/hwassist/kvm/exits.def",
         "The basic exit reasons of the VT-x model (SDM vol. 3, appendix C), and what the small KVM on it does with each. \"depends\": the handler\n"
         "charges by what it finds. An exit without a handler, and a failed VM entry, stop the machine with a reason.");
    COLUMNS("#reason", "exit", "handler", "event");
    for (unsigned i = 0; i < ARRAY_LEN(reasons); i++) {
        number(reasons[i].number);
        cell(reasons[i].name);
        const char *handler = "", *event = "";
        for (unsigned h = 0; h < ARRAY_LEN(handlers); h++) {
            if (handlers[h].number != reasons[i].number)
                continue;
            handler = handlers[h].handler;
            event = handlers[h].event == EV_NONE ? "depends" : event_rows[handlers[h].event].name;
        }
        code(handler);
        cell(event);
        end();
    }
}

/* --- --- */

static const struct { const char *name; void (*print)(void); } pages[] = {
    { "events", events },   { "components", components }, { "options", options },       { "devices", devices }, { "exits", exits },
    { "traces", traces },   { "opcodes", opcodes },       { "hypercalls", hypercalls }, { "vmcs", vmcs },       { "kvm-exits", kvm_exits },
};

int main(int argc, char **argv)
{
    for (unsigned i = 0; i < ARRAY_LEN(pages); i++) {
        if (argc < 2)
            puts(pages[i].name);
        else if (strcmp(argv[1], pages[i].name) == 0)
            return pages[i].print(), 0;
    }
    if (argc > 1)
        fprintf(stderr, "reference: no page is called '%s'; without an argument the pages are named\n", argv[1]);
    return argc > 1;
}
