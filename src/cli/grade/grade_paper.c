/* SPDX-License-Identifier: MIT */
/* What is handed in beside code: sheets of numbers, "KEY = NUMBER" or "KEY,NUMBER" a line, and texts. */
#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cli/grade/grade.h"

bool grade_runs(const struct grade_test *t) { return !t->order && !t->words; }

bool grade_find_answer(const char *text, const char *key, s64 *value)
{
    char name[64];
    for (; *text; text += strcspn(text, "\n"), text += *text == '\n')
        if (sscanf(text, " %63[a-z0-9_.-] %*1[=,] %" SCNd64, name, value) == 2 && strcmp(name, key) == 0)
            return true;
    return false;
}

/* At most so many times larger or smaller; without a factor the same. */
bool grade_is_near(s64 value, s64 truth, u32 factor)
{
    if (!factor)
        return value == truth;
    return value > 0 && value <= INT64_MAX / factor && truth <= INT64_MAX / factor && value <= truth * factor && truth <= value * factor;
}

/* --- two sheets --- */

struct pair { s64 a, b; };

/* The keys are those that the lab asks `order` for. What is in one of the sheets only is as if it were 0. */
static unsigned read_pairs(const struct grade *g, const struct grade_test *t, const char *a, const char *b, struct pair *pair)
{
    unsigned n = 0;
    for (const struct grade_test *o = g->lab->test; o < g->lab->test + g->lab->ntests; o++) {
        if (!o->answer || strcmp(o->sheet, t->order))
            continue;
        pair[n] = (struct pair){ 0, 0 };
        if (!grade_find_answer(a, o->answer, &pair[n].a) || !grade_find_answer(b, o->answer, &pair[n].b))
            pair[n] = (struct pair){ 0, 0 };
        n++;
    }
    return n;
}

static bool is_same_order(const struct pair *x, const struct pair *y)
{
    return x->a && y->a && ((x->a < y->a && x->b < y->b) || (x->a > y->a && x->b > y->b));
}

static void judge_order(const struct grade *g, const struct grade_test *t, const char *a, const char *b, struct grade_result *r)
{
    struct pair pair[GRADE_MAX_TESTS];
    unsigned n = read_pairs(g, t, a, b, pair), all = n * (n - 1) / 2, same = 0;
    for (unsigned i = 0; i < n; i++)
        for (unsigned j = i + 1; j < n; j++)
            same += is_same_order(&pair[i], &pair[j]);
    r->verdict = n > 1 && 100 * same >= t->percent * all ? VERDICT_PASS : VERDICT_WRONG;
    if (r->verdict != VERDICT_PASS)
        snprintf(r->reason, sizeof r->reason, "%u of %u pairs of %s stand in the order of %s; %u %% expected", same, all, t->sheet, t->order, t->percent);
}

/* --- texts --- */

static unsigned count_words(const char *s)
{
    unsigned n = 0;
    for (; *s; s++)
        n += isalpha((unsigned char)*s) && !isalpha((unsigned char)s[1]);
    return n;
}

static void judge_text(const struct grade_test *t, const char *text, struct grade_result *r)
{
    unsigned n = count_words(text);
    r->verdict = n >= t->words ? VERDICT_PASS : VERDICT_WRONG;
    if (n < t->words)
        snprintf(r->reason, sizeof r->reason, "%s has %u words; %u are expected at least (people read them)", t->sheet, n, t->words);
}

void grade_judge_paper(const struct grade *g, const struct grade_test *t, struct grade_result *r)
{
    size_t len;
    struct error err = { "" };
    char *a = grade_take_file(g->submission, t->sheet, &len, &err), *b = t->order ? grade_take_file(g->submission, t->order, &len, &err) : NULL;
    r->verdict = VERDICT_WRONG;
    if (!a || (t->order && !b))
        snprintf(r->reason, sizeof r->reason, "%s", err.text);
    else if (t->order)
        judge_order(g, t, a, b, r);
    else
        judge_text(t, a, r);
    r->score = r->verdict == VERDICT_PASS ? t->points : 0;
    free(a);
    free(b);
}
