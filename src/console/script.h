/* SPDX-License-Identifier: MIT */
/*
 * A run without hands: text is waited for on the consoles (serial lines, text screen) and typed, in virtual time, so that it goes
 * the same way every time. For tests and graders.
 */
#ifndef EMU_CONSOLE_SCRIPT_H
#define EMU_CONSOLE_SCRIPT_H

#include "machine/vm.h"

#define SCRIPT_MAX 64

enum script_kind {
    SCRIPT_EXPECT,  /* wait until a console shows it */
    SCRIPT_THEN,    /* type it on the console that showed what was expected */
    SCRIPT_TYPE,    /* type it on the keyboard; as the first step: a second after power-on */
};
/* What the user asked for; texts are borrowed. \n \t \e and \\ in them mean what they mean in C. */
struct script_plan {
    unsigned count;
    struct { enum script_kind kind; const char *text; } step[SCRIPT_MAX];
};

struct script;
/* NULL: no memory. */
struct script *script_new(const struct script_plan *plan);
void script_free(struct script *s);
/* Put the script between serial port `port` and its back-end, which must outlive it. Returns what the machine gets as back-end; it is
 * the script's. */
struct chardev *script_tap(struct script *s, unsigned port, struct chardev *inner);
/* Begin, with this machine; NULL: leave it (before vm_free()). The machine is stopped with STATUS_POWEROFF when an expectation that is
 * the last step is met. */
void script_attach(struct script *s, struct vm *vm);
/* What was expected and has not been seen, or NULL. */
const char *script_missing(const struct script *s);

#endif
