/* SPDX-License-Identifier: MIT */
/*
 * `emu lint`: what in a kernel would betray that it does not run in ring 0? Popek and Goldberg's question (1974), put
 * to one image: the instructions that are sensitive and yet do not trap, by the class of opcodes.def, in a linear
 * sweep over its code. Symbols keep the sweep in step and say where data lies within code; without them a few bytes
 * of data may be taken for instructions.
 */
#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/engines.h"
#include "cli/guest_path.h"
#include "cli/words.h"
#include "cpu/decode.h"
#include "machine/loader.h"

enum { STATUS_CLEAN = 0, STATUS_FOUND = 1, STATUS_USAGE = 64, MAX_CODE = 64 };

static const char usage[] =
    "Usage: emu lint [-all] [-json] KERNEL...\n"
    "Instructions of a kernel that are sensitive and do not trap: below ring 0 they give another result\n"
    "than in it, and nobody is told. A port to Xen must have replaced those that are listed.\n"
    "\n"
    "  KERNEL   an ELF image, or guests/NAME, whose builds are taken one by one\n"
    "  -all     also those that work in ring 1, but show it (segment registers, far returns, INT)\n"
    "  -json    the same as JSON: an array with an object for each image\n"
    "\n"
    "Exit status 0: nothing goes wrong in ring 1; 1: something does; 64: the command line or the image is bad.\n";

/* --- what each of them gives away --- */

enum verdict { VERDICT_NONE, VERDICT_WRONG /* another result, silently */, VERDICT_SHOWS /* it works, but can tell */ };
static const char *const verdict_names[] = { "none", "wrong", "shows" };

struct reason { u8 verdict; const char *why; };

static const struct reason reasons[MN_COUNT] = {
    [MN_PUSHF] = { VERDICT_WRONG, "pushes the real IF and IOPL: IF is set, whatever the guest kernel wanted" },
    [MN_POPF] = { VERDICT_WRONG, "leaves IF and IOPL alone without a fault: interrupts stay as they were" },
    [MN_SGDT] = { VERDICT_WRONG, "stores the hypervisor's GDT register" },
    [MN_SIDT] = { VERDICT_WRONG, "stores the hypervisor's IDT register" },
    [MN_SLDT] = { VERDICT_WRONG, "stores the hypervisor's LDT selector" },
    [MN_STR] = { VERDICT_WRONG, "stores the hypervisor's task register" },
    [MN_SMSW] = { VERDICT_WRONG, "stores the real CR0, with TS as the hypervisor keeps it" },
    [MN_LAR] = { VERDICT_SHOWS, "reads the real descriptor, and as ring 1" },
    [MN_LSL] = { VERDICT_SHOWS, "reads the real limit, cut below the hypervisor, and as ring 1" },
    [MN_VERR] = { VERDICT_SHOWS, "asks as ring 1" },
    [MN_VERW] = { VERDICT_SHOWS, "asks as ring 1" },
    [MN_MOV_SREG] = { VERDICT_SHOWS, "reads a selector with RPL 1, or loads one, which must not be ring 0's" },
    [MN_PUSH_SREG] = { VERDICT_SHOWS, "pushes a selector with RPL 1" },
    [MN_POP_SREG] = { VERDICT_SHOWS, "loads a selector, which must not be ring 0's" },
    [MN_LES] = { VERDICT_SHOWS, "loads a selector, which must not be ring 0's" },
    [MN_LDS] = { VERDICT_SHOWS, "loads a selector, which must not be ring 0's" },
    [MN_LSS] = { VERDICT_SHOWS, "loads a selector, which must be ring 1's" },
    [MN_LFS] = { VERDICT_SHOWS, "loads a selector, which must not be ring 0's" },
    [MN_LGS] = { VERDICT_SHOWS, "loads a selector, which must not be ring 0's" },
    [MN_CALLF] = { VERDICT_SHOWS, "pushes and loads selectors of ring 1; a gate would be the hypervisor's" },
    [MN_JMPF] = { VERDICT_SHOWS, "loads a code selector, which must be ring 1's" },
    [MN_RETF] = { VERDICT_SHOWS, "returns to ring 1 or out of it; never to ring 0" },
    [MN_IRET] = { VERDICT_SHOWS, "leaves IF and IOPL alone: a port restores its event mask by hypercall" },
    [MN_INT] = { VERDICT_SHOWS, "goes through the hypervisor's IDT" },
};

/* --- the sweep --- */

struct finding {
    u64 at;
    struct insn insn;
    const struct elf_symbol *symbol;    /* the last before it; NULL: none */
};

struct sweep {
    const char *path;
    bool all, json;
    struct file file;
    struct elf elf;
    struct elf_symbol *symbol; unsigned nsymbols, next; /* next: the first symbol behind where the sweep is */
    u64 insns, bytes, junk;             /* junk: bytes that are no instructions */
    u64 count[3];                       /* by verdict */
    json_t *found;
};

static void print_finding(const struct sweep *s, const struct finding *f, const struct reason *why)
{
    char place[80] = "", text[96];
    if (f->symbol)
        snprintf(place, sizeof place, "%s+0x%llx", f->symbol->name, (unsigned long long)(f->at - f->symbol->addr));
    disassemble(f->insn.bytes, f->insn.len, f->insn.bits, f->at, text, sizeof text);
    printf("%08llx  %-28s  %-28s  %s\n", (unsigned long long)f->at, place, text, why->why);
}

static void json_finding(struct sweep *s, const struct finding *f, const struct reason *why)
{
    char text[96];
    disassemble(f->insn.bytes, f->insn.len, f->insn.bits, f->at, text, sizeof text);
    json_t *o = json_pack("{s:I, s:s, s:s, s:s, s:s}", "address", (json_int_t)f->at,
                          "mnemonic", mnemonic_names[f->insn.mnemonic], "instruction", text, "verdict", verdict_names[why->verdict], "why", why->why);
    if (f->symbol) {
        json_object_set_new(o, "symbol", json_string(f->symbol->name));
        json_object_set_new(o, "offset", json_integer(f->at - f->symbol->addr));
    }
    json_array_append_new(s->found, o);
}

static void look_at(struct sweep *s, const struct finding *f)
{
    static const struct reason unknown = { VERDICT_SHOWS, "is sensitive" };
    if (f->insn.row->class != CLASS_SENSITIVE)
        return;
    const struct reason *why = reasons[f->insn.mnemonic].verdict ? &reasons[f->insn.mnemonic] : &unknown;
    s->count[why->verdict]++;
    if (why->verdict != VERDICT_WRONG && !s->all)
        return;
    if (s->json)
        json_finding(s, f, why);
    else
        print_finding(s, f, why);
}

/* The symbol that `at` belongs to; moves on as the sweep does. */
static const struct elf_symbol *symbol_at(struct sweep *s, u64 at)
{
    while (s->next < s->nsymbols && s->symbol[s->next].addr <= at)
        s->next++;
    return s->next ? &s->symbol[s->next - 1] : NULL;
}

/* How far an instruction may reach: what begins with a symbol is not the end of another one. */
static u64 reach(const struct sweep *s, u64 end)
{
    return s->next < s->nsymbols && s->symbol[s->next].addr < end ? s->symbol[s->next].addr : end;
}

static void sweep_code(struct sweep *s, const struct elf_code *c)
{
    u64 at = c->addr, end = c->addr + c->size;
    s->next = 0;
    s->bytes += c->size;
    while (at < end) {
        struct finding f = { .at = at, .symbol = symbol_at(s, at) };
        if (f.symbol && f.symbol->is_data && at - f.symbol->addr < f.symbol->size) {
            at = f.symbol->addr + f.symbol->size;
            continue;
        }
        if (decode_insn(c->bytes + (at - c->addr), reach(s, end) - at, s->elf.is64 ? 64 : 32, &f.insn) != DECODE_OK) {
            s->junk++;
            at++;
            continue;
        }
        s->insns++;
        look_at(s, &f);
        at += f.insn.len;
    }
}

static int sweep_image(struct sweep *s, struct error *err)
{
    struct elf_code code[MAX_CODE];
    if (file_load(&s->file, s->path, err) < 0)
        return -1;
    if (elf_parse(&s->elf, &s->file, err) < 0)
        return error_set(err, "lint: %s: give an ELF image: of Linux its vmlinux, not the bzImage", s->path);
    if (s->elf.machine != 3 && s->elf.machine != 62) /* EM_386, EM_X86_64 */
        return error_set(err, "lint: %s: is an image for another processor", s->path);
    unsigned n = elf_find_code(&s->elf, code, MAX_CODE);
    s->symbol = elf_read_symbols(&s->elf, &s->nsymbols);
    for (unsigned i = 0; i < n; i++)
        sweep_code(s, &code[i]);
    return n ? 0 : error_set(err, "lint: %s: has no code", s->path);
}

/* --- one image after another --- */

static void print_summary(const struct sweep *s)
{
    unsigned long long wrong = s->count[VERDICT_WRONG], shows = s->count[VERDICT_SHOWS];
    printf("%s: %llu instructions in %llu bytes of code%s: ", s->path, (unsigned long long)s->insns,
           (unsigned long long)s->bytes, s->nsymbols ? "" : " (no symbols: data in it is read as code)");
    printf("%llu go wrong in ring 1, %llu only show it%s\n", wrong, shows, s->all || !s->count[VERDICT_SHOWS] ? "" : " (-all lists them)");
}

static json_t *json_summary(struct sweep *s)
{
    return json_pack("{s:s, s:b, s:I, s:I, s:I, s:I, s:I, s:O}", "image", s->path, "symbols", s->nsymbols > 0,
                     "instructions", (json_int_t)s->insns, "bytes", (json_int_t)s->bytes,
                     "not_code", (json_int_t)s->junk, "wrong", (json_int_t)s->count[VERDICT_WRONG], "shows", (json_int_t)s->count[VERDICT_SHOWS], "findings", s->found);
}

static int lint_one(const char *path, bool all, json_t *json)
{
    struct sweep s = { .path = path, .all = all, .json = json, .found = json_array() };
    struct error err;
    int rc = sweep_image(&s, &err);
    int status = rc < 0 ? STATUS_USAGE : s.count[VERDICT_WRONG] ? STATUS_FOUND : STATUS_CLEAN;
    if (rc < 0)
        fprintf(stderr, "emu: %s\n", err.text);
    else if (json)
        json_array_append_new(json, json_summary(&s));
    else
        print_summary(&s);
    json_decref(s.found);
    free(s.symbol);
    file_free(&s.file);
    return status;
}

/* A file is itself; of a directory guests/NAME each build there is. */
static int lint_guest(const char *guest, bool all, json_t *json)
{
    static const char *const names[] = { "bare", "pv" }; /* one of each kind of image */
    char path[PATH_MAX], last[PATH_MAX] = "";
    struct error err = { "" };
    int status = STATUS_CLEAN, found = 0;
    for (unsigned i = 0; i < ARRAY_LEN(names); i++) {
        const struct engine_ops *e = engine_find(names[i], &err);
        if (!e || guest_path(guest, e, path, sizeof path, &err) < 0 || strcmp(path, last) == 0)
            continue;
        strcpy(last, path);
        found++;
        int one = lint_one(path, all, json);
        status = one > status ? one : status;
    }
    if (!found)
        fprintf(stderr, "emu: %s\n", err.text);
    return found ? status : STATUS_USAGE;
}

static int lint_all(int argc, char **argv, bool all, bool as_json)
{
    json_t *json = as_json ? json_array() : NULL;
    int status = STATUS_CLEAN;
    for (int i = 1; i < argc; i++)
        if (argv[i][0] != '-') {
            int one = lint_guest(argv[i], all, json);
            status = one > status ? one : status;
        }
    if (json) {
        json_dumpf(json, stdout, JSON_INDENT(2));
        puts("");
        json_decref(json);
    }
    return status;
}

int cli_lint(int argc, char **argv)
{
    const char *value;
    bool all = false, json = false, help = false, any = false;
    const struct { const char *name; bool *flag; } flags[] = { { "all", &all }, { "json", &json }, { "help", &help }, { "h", &help } };
    for (int i = 1; i < argc; i++) {
        bool known = argv[i][0] != '-';
        any |= known;
        for (unsigned f = 0; !known && f < ARRAY_LEN(flags); f++)
            if (word_is_option(argv[i], flags[f].name, &value) && !value)
                known = *flags[f].flag = true;
        if (!known) {
            fprintf(stderr, "emu: lint: %s: is no option of it; see `emu lint --help`\n", argv[i]);
            return STATUS_USAGE;
        }
    }
    if (help) {
        fputs(usage, stdout);
        return STATUS_CLEAN;
    }
    if (!any) {
        fprintf(stderr, "emu: lint: which kernel? try `emu lint guests/nano`\n");
        return STATUS_USAGE;
    }
    return lint_all(argc, argv, all, json);
}
