/* SPDX-License-Identifier: MIT */
/*
 * `emu translate`: guest code and what the binary translator makes of it, side by side. The code is given as bytes, which stand at
 * 00100000h of a flat 32-bit machine; or it is a guest's: where the image begins, at an address, or where the guest spent its time.
 */
#include <ctype.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bt/bt.h"
#include "cli/commands.h"
#include "cli/engines.h"
#include "cli/guest_path.h"
#include "cli/options/options.h"
#include "cli/terminal.h"
#include "cli/words.h"

#define CODE_AT 0x100000u
enum { MAX_BYTES = 512, MAX_UNITS = 1000 };

struct translate {
    struct options options;
    u8 code[MAX_BYTES]; unsigned ncode;     /* given on the command line */
    const char *at, *units, *columns;       /* as given, or NULL */
    u64 address, nunits, width;
    bool user, help;
    char kernel[PATH_MAX];
};

static const char usage[] =
    "Usage: emu translate [OPTION]... BYTES         as emu translate 8b 45 08 fa\n"
    "       emu translate [OPTION]... GUEST         as emu translate --at=0x100000 guests/nano\n"
    "Guest code, and what the binary translator makes of it, side by side, with the reason.\n"
    "\n"
    "  BYTES              32-bit code in hexadecimal; it stands at 00100000 of a flat address space\n"
    "                     (a file with such a name is ./NAME)\n"
    "  GUEST              an image or guests/NAME: its first unit\n"
    "  -at ADDRESS        the unit at that linear address\n"
    "  -max-cycles N      run the guest so long first; without -at: the units entered most often\n"
    "  -units N           how many units; default 1, behind a run 3, of BYTES all\n"
    "  -user              BYTES is code of ring 3; default: of ring 0\n"
    "  -columns N         width; default the terminal's, else 100; from 150 on with the bytes of the code\n"
    "and what describes the machine, as -m, -engine, -append: see emu --help-all\n"
    "\n"
    "IDENT: copied. rewritten: other instructions do it. in cache: sensitive, emulated on virtual state\n"
    "without leaving. callout: the monitor emulates it.\n";

/* --- command line --- */

static bool is_hex_word(const char *word)
{
    if (strncmp(word, "0x", 2) == 0)
        word += 2;
    return *word && word[strspn(word, "0123456789abcdefABCDEF")] == 0;
}

static int add_bytes(struct translate *t, const char *word, struct error *err)
{
    const char *digits = word + (strncmp(word, "0x", 2) == 0 ? 2 : 0);
    if (!is_hex_word(word))
        return error_set(err, "translate: %s: is not a byte in hexadecimal; give two digits a byte, as 8b 45 08", word);
    if (strlen(digits) % 2)
        return error_set(err, "translate: %s: half a byte; give two digits a byte, as 8b 45 08", word);
    for (; *digits; digits += 2) {
        char byte[3] = { digits[0], digits[1], 0 };
        if (t->ncode == MAX_BYTES)
            return error_set(err, "translate: more than %d bytes", MAX_BYTES);
        t->code[t->ncode++] = strtoul(byte, NULL, 16);
    }
    return 0;
}

/* Options of translate alone. True if argv[*i] was one; *i then stands on its last word. */
static bool parse_own(struct translate *t, int argc, char **argv, int *i)
{
    const char *value;
    const struct { const char *name; bool *flag; } flags[] = { { "user", &t->user }, { "help", &t->help }, { "h", &t->help } };
    const struct { const char *name; const char **value; } values[] = { { "at", &t->at }, { "units", &t->units }, { "columns", &t->columns } };
    for (unsigned f = 0; f < ARRAY_LEN(flags); f++)
        if (word_is_option(argv[*i], flags[f].name, &value) && !value)
            return *flags[f].flag = true;
    for (unsigned f = 0; f < ARRAY_LEN(values); f++) {
        if (word_is_option(argv[*i], values[f].name, &value)) {
            *values[f].value = value ? value : *i + 1 < argc ? argv[++*i] : "";
            return true;
        }
    }
    return false;
}

/* An address is hexadecimal with or without 0x, as disassemblers print it. */
static int parse_address(struct translate *t, struct error *err)
{
    char *end;
    t->address = t->at ? strtoull(t->at, &end, 16) : 0;
    if (t->at && (!isxdigit((unsigned char)*t->at) || *end || t->address > 0xffffffff))
        return error_set(err, "translate: -at %s: is no address; give a linear address of 32 bits, as -at 0x100000", t->at);
    return 0;
}

static int parse_counts(struct translate *t, struct error *err)
{
    t->nunits = t->options.vm.max_cycles && !t->at ? 3 : 1;
    if (t->units && (parse_number(t->units, &t->nunits) || !t->nunits || t->nunits > MAX_UNITS))
        return error_set(err, "translate: -units %s: give a number from 1 to %d", t->units, MAX_UNITS);
    t->width = terminal_columns(BT_COLUMNS);
    if (t->columns && (parse_number(t->columns, &t->width) || t->width < 80 || t->width > 400))
        return error_set(err, "translate: -columns %s: give a width from 80 to 400", t->columns);
    return 0;
}

/* What is left must make sense together. */
static int check(const struct translate *t, struct error *err)
{
    if (!t->ncode && !t->options.guest)
        return error_set(err, "translate: what? try `emu translate 8b 45 08 fa`, or `emu translate guests/nano`");
    if (t->ncode && (t->options.guest || t->at || t->options.vm.max_cycles))
        return error_set(err, "translate: give bytes, or a guest with -at or -max-cycles, not both");
    if (t->user && !t->ncode)
        return error_set(err, "translate: -user is for bytes; a guest's code has the ring that the guest gives it");
    return 0;
}

/* Sort the words: ours, bytes, and the rest, which options_parse() reads. */
static int parse(struct translate *t, int argc, char **argv, struct error *err)
{
    char *rest[argc + 1];
    int nrest = 0;
    rest[nrest++] = argv[0];
    for (int i = 1; i < argc; i++) {
        if (argv[i][0] != '-' && (t->ncode || is_hex_word(argv[i]))) {
            if (add_bytes(t, argv[i], err))
                return -1;
        } else if (!parse_own(t, argc, argv, &i)) {
            rest[nrest++] = argv[i];
            if (word_takes_next(argv[i]) && i + 1 < argc)
                rest[nrest++] = argv[++i];
        }
    }
    rest[nrest] = NULL;
    if (options_parse(&t->options, nrest, rest, err) || t->help)
        return t->help ? 0 : -1;
    return parse_address(t, err) || parse_counts(t, err) || check(t, err) ? -1 : 0;
}

/* --- bytes --- */

/* Each must be an instruction: the translator would stop before one that is not, and go on behind the last byte. */
static int check_code(const struct translate *t, struct error *err)
{
    struct insn i;
    for (unsigned at = 0; at < t->ncode; at += i.len) {
        enum decode_status s = decode_insn(t->code + at, t->ncode - at, 32, &i);
        if (s == DECODE_SHORT)
            return error_set(err, "translate: the last instruction, at byte %u (%02x), is not complete", at, t->code[at]);
        if (s != DECODE_OK)
            return error_set(err, "translate: byte %u (%02x) begins no 32-bit instruction", at, t->code[at]);
    }
    return 0;
}

/* The bytes, and behind them what no unit takes in: FF FF is no instruction. */
static void place_code(const struct translate *t, struct vm *vm)
{
    u8 behind[INSN_MAX];
    struct cpu *c = &vm->vcpu[0]->cpu;
    struct cpu_state s = c->state;
    memset(behind, 0xff, sizeof behind);
    physmap_write(&vm->map, CODE_AT, t->code, t->ncode);
    physmap_write(&vm->map, CODE_AT + t->ncode, behind, sizeof behind);
    state_flat32(&s, CODE_AT, CODE_AT);
    for (int i = 0; t->user && i < 6; i++)
        segment_from_descriptor(&s.seg[i], i == CS ? 0x1b : 0x23, i == CS ? 0x00cffb000000ffff : 0x00cff3000000ffff);
    s.cr4 |= CR4_OSFXSR;
    cpu_set_state(c, &s);
}

static int show_bytes(struct translate *t, struct vm *vm, struct error *err)
{
    u32 eip = CODE_AT;
    bt_only_to_show(vm);
    place_code(t, vm);
    for (u64 n = 0; eip < CODE_AT + t->ncode && (!t->units || n < t->nunits); n++) {
        if (n)
            putchar('\n');
        if (bt_show(vm, &eip, t->width, stdout, err))
            return -1;
    }
    return 0;
}

/* --- a guest --- */

static int show_guest(struct translate *t, struct vm *vm, struct error *err)
{
    u32 eip = t->at ? t->address : cpu_linear_rip(&vm->vcpu[0]->cpu);
    for (u64 n = 0; n < t->nunits; n++) {
        if (n)
            putchar('\n');
        if (bt_show(vm, &eip, t->width, stdout, err))
            return -1;
    }
    return 0;
}

static int run_and_show(struct translate *t, struct vm *vm, struct error *err)
{
    if (bt_census_start(vm, err))
        return -1;
    if (vm_run(vm) == STATUS_BUG)
        return error_set(err, "%s", vm->reason);
    if (t->at)
        return show_guest(t, vm, err);
    bt_dump_hottest(vm, t->nunits, t->width, stdout);
    return 0;
}

/* --- the command --- */

static int with_machine(struct translate *t, struct error *err)
{
    struct vm_config c = t->options.vm;
    c.engine = t->options.engine ? engine_find(t->options.engine, err) : &bt_engine;
    if (!c.engine || (t->ncode ? check_code(t, err) : guest_path(t->options.guest, c.engine, t->kernel, sizeof t->kernel, err)))
        return -1;
    c.bios = NULL;
    c.kernel = t->ncode ? NULL : t->kernel;
    c.snapshot = true;
    struct vm *vm = vm_new(&c, err);
    if (!vm)
        return -1;
    int status = t->ncode ? show_bytes(t, vm, err) : c.max_cycles ? run_and_show(t, vm, err) : show_guest(t, vm, err);
    vm_free(vm);
    return status;
}

int cli_translate(int argc, char **argv)
{
    struct translate t = { 0 };
    struct error err = { "" };
    int status = parse(&t, argc, argv, &err);
    if (status == 0)
        status = t.help ? (fputs(usage, stdout), 0) : with_machine(&t, &err);
    options_fini(&t.options);
    fflush(stdout);
    if (status < 0)
        fprintf(stderr, "emu: %s\n", err.text);
    return status < 0 ? STATUS_USER : status;
}
