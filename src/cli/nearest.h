/* SPDX-License-Identifier: MIT */
/* "Did you mean ...?": the known word that is nearest to a mistyped one. */
#ifndef EMU_CLI_NEAREST_H
#define EMU_CLI_NEAREST_H

struct nearest {
    const char *word;   /* what was typed */
    const char *best;   /* nearest so far, NULL: nothing is near */
    unsigned distance;
};
void nearest_init(struct nearest *n, const char *word);
void nearest_offer(struct nearest *n, const char *candidate);

#endif
