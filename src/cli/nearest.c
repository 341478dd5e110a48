/* SPDX-License-Identifier: MIT */
#include "cli/nearest.h"

#include <string.h>

#define LONGEST 40

static unsigned least(unsigned a, unsigned b, unsigned c)
{
    unsigned m = a < b ? a : b;
    return m < c ? m : c;
}

/* Levenshtein's edit distance, one row at a time. */
static unsigned edit_distance(const char *a, const char *b)
{
    unsigned row[LONGEST + 1], len = strlen(b);
    for (unsigned j = 0; j <= len; j++)
        row[j] = j;
    for (unsigned i = 1; a[i - 1]; i++) {
        unsigned diagonal = row[0];
        row[0] = i;
        for (unsigned j = 1; j <= len; j++) {
            unsigned above = row[j];
            row[j] = least(above + 1, row[j - 1] + 1, diagonal + (a[i - 1] != b[j - 1]));
            diagonal = above;
        }
    }
    return row[len];
}

void nearest_init(struct nearest *n, const char *word)
{
    n->word = word;
    n->best = NULL;
    n->distance = strlen(word) / 3 + 2; /* farther is not meant */
}

void nearest_offer(struct nearest *n, const char *candidate)
{
    if (strlen(candidate) > LONGEST)
        return;
    unsigned d = edit_distance(n->word, candidate);
    if (d < n->distance && d < strlen(candidate)) {
        n->distance = d;
        n->best = candidate;
    }
}
