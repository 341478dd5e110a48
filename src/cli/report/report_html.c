/* SPDX-License-Identifier: MIT */
/*
 * A comparison as one HTML page that needs nothing else: no script, no font, no picture from elsewhere. It is well-formed XML
 * too, so that tests and other programs can take it apart. Every number of the JSON report stands in it.
 */
#include "cli/report/report_html.h"

#include <inttypes.h>
#include <string.h>

#include "base/text.h"
#include "cli/report/report_curve.h"

/* --- words and cells ------------------------------------------------------------------------------- */

static void td(u64 n, FILE *out)
{
    char buf[32];
    fprintf(out, "<td>%s</td>", report_grouped(n, buf));
}

static void td_text(const char *text, FILE *out)
{
    fputs("<td>", out);
    text_xml(text, out);
    fputs("</td>", out);
}

/* Words stand at the left, numbers and what stands for them at the right. */
static void td_words(const char *text, FILE *out)
{
    fputs("<td class=\"words\">", out);
    text_xml(text, out);
    fputs("</td>", out);
}

static void th(const char *scope, const char *text, FILE *out)
{
    fprintf(out, "<th scope=\"%s\">", scope);
    text_xml(text, out);
    fputs("</th>", out);
}

/* A table in a box of its own that scrolls: by touch, and by keys, for which it must take the focus. */
static void table_open(const char *caption, FILE *out)
{
    fprintf(out, "<div class=\"scroll\" role=\"region\" tabindex=\"0\" aria-label=\"%s\"><table><caption>%s</caption>\n<thead><tr>", caption, caption);
}
static void table_body(FILE *out) { fputs("</tr></thead>\n<tbody>\n", out); }
static void table_close(FILE *out) { fputs("</tbody></table></div>\n", out); }

/* A name with '<' before it heads a column of words. */
static void head_words(const char *const *names, FILE *out)
{
    for (; *names; names++)
        if (**names == '<')
            fprintf(out, "<th scope=\"col\" class=\"words\">%s</th>", *names + 1);
        else
            th("col", *names, out);
    table_body(out);
}
#define HEAD(out, ...) head_words((const char *const[]){ __VA_ARGS__, NULL }, out)

static void head_engines(const struct comparison *c, const char *first, FILE *out)
{
    th("col", first, out);
    for (unsigned i = 0; i < c->ncolumns; i++)
        th("col", c->column[i].label, out);
}

static void row_values(const struct comparison *c, const char *name, value_fn *value, int row, FILE *out)
{
    fputs("<tr>", out);
    th("row", name, out);
    for (unsigned i = 0; i < c->ncolumns; i++)
        if (c->column[i].ran)
            td(value(&c->column[i], row), out);
        else
            td_text("-", out);
    fputs("</tr>\n", out);
}

/* --- in one look ------------------------------------------------------------------------------------ */

static void end_words(const struct column *c, char *buf, size_t size)
{
    if (!c->ran)
        snprintf(buf, size, "did not run");
    else if (c->status == STATUS_POWEROFF)
        snprintf(buf, size, "turned off (%d)", c->status);
    else if (c->status & 1)
        snprintf(buf, size, "code %d (%d)", c->status >> 1, c->status);
    else
        snprintf(buf, size, "%s (%d)", c->status == STATUS_LIMIT ? "limit" : "stopped", c->status);
}

static void row_summary(const struct comparison *k, const struct column *c, FILE *out)
{
    char buf[64], n[32];
    end_words(c, buf, sizeof buf);
    fputs("<tr>", out);
    th("row", c->label, out);
    td_words(buf, out);
    if (c->ran) {
        td(value_events(c, 0), out);
        td(c->ledger.guest_insns, out);
        td(c->ledger.guest_cycles, out);
        td(value_monitor_cycles(c, 0), out);
        td(column_cycles(c), out);
        td_text(report_overhead(c, report_baseline(k), buf), out);
        fprintf(out, "<td title=\"%s cycles\">%s</td>", report_grouped(c->now, n),
                report_duration(c->now, k->profile.value[COMP_CPU_HZ], buf));
    }
    fputs("</tr>\n", out);
}

static void table_summary(const struct comparison *c, FILE *out)
{
    table_open("Each engine in one look", out);
    HEAD(out, "engine", "<end (status)", "events", "guest instructions", "guest cycles", "monitor cycles", "together",
         "against bare", "virtual time");
    for (unsigned i = 0; i < c->ncolumns; i++)
        row_summary(c, &c->column[i], out);
    table_close(out);
}

static void notes(const struct comparison *c, FILE *out)
{
    for (unsigned i = 0; i < c->ncolumns; i++) {
        const struct column *k = &c->column[i];
        if (!*k->note && !k->measured)
            continue;
        fputs("<p class=\"note\"><span class=\"engine\">", out);
        text_xml(k->label, out);
        fputs("</span>: ", out);
        text_xml(k->note, out);
        fputs(k->measured ? " On the host's /dev/kvm; its cycles are measured and differ from run to run.</p>\n" : "</p>\n", out);
    }
}

/* --- what the guest measured ------------------------------------------------------------------------- */

static void row_operation(const struct comparison *c, const struct operation *o, const char *program, bool published,
                          FILE *out)
{
    const struct published_row *p = published_find(c->profile.name, program, o->name);
    fputs("<tr>", out);
    th("row", o->name, out);
    for (unsigned i = 0; i < c->ncolumns; i++) {
        const struct operation *mine = column_operation(&c->column[i], o->name);
        if (mine)
            td(operation_each(mine), out);
        else
            td_text("-", out);
    }
    if (published && p)
        td(p->native, out), td(p->bt, out), td(p->vt, out);
    else if (published)
        td_text("-", out), td_text("-", out), td_text("-", out);
    fputs("</tr>\n", out);
}

static void table_operations(const struct comparison *c, FILE *out)
{
    const struct column *lead = report_leading(c);
    bool published = published_first(c->profile.name, lead->program);
    fputs("<h3>What the guest measured by its own clock</h3>\n", out);
    table_open("Cycles of one operation", out);
    head_engines(c, "operation", out);
    if (published)
        fputs("<th scope=\"col\">published: native</th><th scope=\"col\">published: BT</th><th scope=\"col\">published: VT</th>", out);
    table_body(out);
    for (unsigned i = 0; i < lead->noperations; i++)
        row_operation(c, &lead->operation[i], lead->program, published, out);
    table_close(out);
    if (published)
        fputs("<p class=\"soft\">As published: Adams &amp; Agesen, ASPLOS 2006; docs/cost-model.md says where these differ, and why.</p>\n", out);
}

static void table_printed(const struct comparison *c, FILE *out)
{
    fputs("<details class=\"data\"><summary>As the guest printed it: all together</summary>\n", out);
    table_open("Operations, counted and timed by the guest", out);
    HEAD(out, "engine", "<program", "<operation", "count", "cycles");
    for (unsigned i = 0; i < c->ncolumns; i++) {
        const struct column *k = &c->column[i];
        for (unsigned o = 0; o < k->noperations; o++) {
            fputs("<tr>", out);
            th("row", k->label, out);
            td_words(k->program, out);
            td_words(k->operation[o].name, out);
            td(k->operation[o].count, out);
            td(k->operation[o].cycles, out);
            fputs("</tr>\n", out);
        }
    }
    table_close(out);
    fputs("</details>\n", out);
}

/* --- what was counted, and what it came to ------------------------------------------------------------ */

static bool family_shown(const struct comparison *c, int f)
{
    return report_any(c, value_family_count, f) || report_any(c, value_family_cycles, f);
}

static void legend_item(const char *look, const char *name, const char *help, FILE *out)
{
    fprintf(out, "<li><svg aria-hidden=\"true\" width=\"14\" height=\"14\"><rect class=\"f-%s\" width=\"100%%\" height=\"100%%\"/></svg><b>%s</b> ", look, name);
    text_xml(help, out);
    fputs("</li>\n", out);
}

static void legend(const struct comparison *c, FILE *out)
{
    fputs("<ul class=\"legend\">\n", out);
    legend_item("guest", "guest", "its own instructions", out);
    for (int f = 0; f < FAMILY_COUNT; f++)
        if (family_shown(c, f))
            legend_item(family_rows[f].name, family_rows[f].name, family_rows[f].help, out);
    fputs("</ul>\n", out);
}

static void table_families(const struct comparison *c, const char *caption, value_fn *family, value_fn *sum, FILE *out)
{
    table_open(caption, out);
    head_engines(c, "family", out);
    table_body(out);
    if (family == value_family_cycles)
        row_values(c, "guest", value_guest_cycles, 0, out);
    for (int f = 0; f < FAMILY_COUNT; f++)
        if (family_shown(c, f))
            row_values(c, family_rows[f].name, family, f, out);
    row_values(c, "together", sum, 0, out);
    table_close(out);
}

static void charts(const struct comparison *c, FILE *out)
{
    fputs("<h3>Where the cycles went</h3>\n", out);
    legend(c, out);
    fputs("<figure><figcaption>Cycles, modelled: each bar is one engine, all on one scale. The table below has the numbers.</figcaption>\n", out);
    svg_cycles(c, out);
    fputs("</figure>\n", out);
    table_families(c, "Cycles by event family", value_family_cycles, value_cycles, out);
    fputs("<h3>What was counted</h3>\n", out);
    if (report_any(c, value_events, 0)) {
        fputs("<figure><figcaption>Events, exact: each bar is one engine, all on one scale.</figcaption>\n", out);
        svg_counts(c, out);
        fputs("</figure>\n", out);
    }
    table_families(c, "Events by family", value_family_count, value_events, out);
}

static void breakdowns(const struct comparison *c, FILE *out)
{
    fputs("<h3>From engine to event</h3>\n<figure><figcaption>Each engine's cycles as a whole: above the engine, then families and the guest, then single "
          "events. A cell is as wide as its share.</figcaption>\n", out);
    for (unsigned i = 0; i < c->ncolumns; i++) {
        const struct column *k = &c->column[i];
        char n[32];
        if (!k->ran || !column_cycles(k))
            continue;
        fputs("<div class=\"bar\"><span class=\"name\">", out);
        text_xml(k->label, out);
        fprintf(out, "</span> <span class=\"sum\">%s cycles</span>\n", report_grouped(column_cycles(k), n));
        svg_breakdown(k, out);
        fputs("</div>\n", out);
    }
    fputs("</figure>\n", out);
}

static void row_event(const struct ledger *l, int e, const char *engine, FILE *out)
{
    fputs("<tr>", out);
    th("row", engine, out);
    td_words(event_rows[e].name, out);
    td_words(family_rows[event_rows[e].family].name, out);
    td(l->count[e], out);
    td(l->cost[e], out);
    td(l->cycles[e], out);
    fprintf(out, "<td class=\"words wide\">%s</td><td class=\"words wide\">", event_rows[e].formula);
    text_xml(event_rows[e].help, out);
    fputs("</td></tr>\n", out);
}

static void table_events(const struct comparison *c, FILE *out)
{
    fputs("<details><summary>Every event: count, cost of one, and what it is</summary>\n", out);
    table_open("Events of each engine", out);
    HEAD(out, "engine", "<event", "<family", "count", "cycles of one", "cycles", "<composed of", "<what it is");
    for (unsigned i = 0; i < c->ncolumns; i++)
        for (int e = 0; e < EV_COUNT; e++)
            if (c->column[i].ran && c->column[i].ledger.count[e])
                row_event(&c->column[i].ledger, e, c->column[i].label, out);
    table_close(out);
    fputs("</details>\n", out);
}

/* --- over time ----------------------------------------------------------------------------------------- */

static cycles_t longest(const struct comparison *c)
{
    cycles_t max = 0;
    for (unsigned i = 0; i < c->ncolumns; i++) {
        const struct timeline *t = &c->column[i].timeline;
        cycles_t end = t->used * timeline_slice(t);
        end = end > c->column[i].now ? end : c->column[i].now;
        max = c->column[i].ran && end > max ? end : max;
    }
    return max;
}

static void table_slices(const struct column *c, u64 hz, FILE *out)
{
    const struct timeline *t = &c->timeline;
    char n[32];
    fputs("<details class=\"data\"><summary>", out);
    text_xml(c->label, out);
    fprintf(out, " as a table; a slice is %s cycles</summary>\n", report_grouped(timeline_slice(t), n));
    table_open("Events in each slice of virtual time", out);
    th("col", "from", out);
    for (int f = 0; f < FAMILY_COUNT; f++)
        if (timeline_sum(t, f))
            th("col", family_rows[f].name, out);
    table_body(out);
    for (unsigned i = 0; i < t->used; i++) {
        fprintf(out, "<tr><th scope=\"row\">%s</th>", report_duration(i * timeline_slice(t), hz, n));
        for (int f = 0; f < FAMILY_COUNT; f++)
            if (timeline_sum(t, f))
                td(t->count[i][f], out);
        fputs("</tr>\n", out);
    }
    table_close(out);
    fputs("</details>\n", out);
}

static void timeline_of(const struct column *c, cycles_t whole, u64 hz, FILE *out)
{
    char n[32], slice[32];
    fputs("<figure class=\"close\"><figcaption><span class=\"engine\">", out);
    text_xml(c->label, out);
    fprintf(out, "</span>, highest: %s events in %s</figcaption>\n", report_grouped(timeline_highest(&c->timeline), n),
            report_duration(timeline_slice(&c->timeline), hz, slice));
    svg_timeline(c, whole, hz, out);
    fprintf(out, "<div class=\"range\"><span>0</span><span>%s</span></div>\n</figure>\n",
            report_duration(whole, hz, n));
    table_slices(c, hz, out);
}

static void timelines(const struct comparison *c, FILE *out)
{
    if (!report_any(c, value_events, 0))
        return;
    fputs("<h3>Over virtual time</h3>\n<p class=\"soft\">Events a slice of time. All engines share the scale of time; each has its own of height.</p>\n", out);
    for (unsigned i = 0; i < c->ncolumns; i++)
        if (c->column[i].ran && c->column[i].timeline.used)
            timeline_of(&c->column[i], longest(c), c->profile.value[COMP_CPU_HZ], out);
}

/* --- the page -------------------------------------------------------------------------------------------- */

static void guest(const struct comparison *c, unsigned number, FILE *out)
{
    char n[32];
    fprintf(out, "<section id=\"guest-%u\">\n<h2>", number);
    text_xml(c->guest, out);
    fputs("</h2>\n<p>Cost profile <b>", out);
    text_xml(c->profile.name, out);
    fputs("</b>: ", out);
    text_xml(c->profile.title, out);
    fprintf(out, ", at %s cycles a second.</p>\n", report_grouped(c->profile.value[COMP_CPU_HZ], n));
    notes(c, out);
    table_summary(c, out);
    if (report_leading(c)->noperations) {
        table_operations(c, out);
        table_printed(c, out);
    }
    if (report_any(c, value_cycles, 0)) {
        charts(c, out);
        breakdowns(c, out);
        table_events(c, out);
        timelines(c, out);
    }
    fputs("</section>\n", out);
}

void report_style(FILE *out)
{
    static const char *const lines[] = {
#define STYLE(text) text,
#include "cli/report/report_style.def"
#undef STYLE
    };
    fputs("<style>\n", out);
    for (unsigned i = 0; i < ARRAY_LEN(lines); i++)
        fprintf(out, "%s\n", lines[i]);
    fputs("</style>\n", out);
}

static void head(const struct comparison *c, unsigned n, FILE *out)
{
    fputs("<!DOCTYPE html>\n<html xmlns=\"http://www.w3.org/1999/xhtml\" lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n"
          "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n"
          "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\"/>\n<title>emu compare:", out);
    for (unsigned i = 0; i < n; i++) {
        fputs(" ", out);
        text_xml(c[i].guest, out);
    }
    fputs("</title>\n", out);
    report_style(out);
    fputs("</head>\n<body>\n<header><h1>The same guest on every engine</h1>\n<p>Counts are exact; cycles are a model, priced by the profile. "
          "Time is the guest's own, virtual time: the same input gives this same page.</p></header>\n", out);
}

static void contents(const struct comparison *c, unsigned n, FILE *out)
{
    if (n < 2)
        return;
    fputs("<nav aria-label=\"Guests\"><ul>\n", out);
    for (unsigned i = 0; i < n; i++) {
        fprintf(out, "<li><a href=\"#guest-%u\">", i + 1);
        text_xml(c[i].guest, out);
        fputs("</a></li>\n", out);
    }
    fputs("</ul></nav>\n", out);
}

void report_html(const struct comparison *c, unsigned n, FILE *out)
{
    head(c, n, out);
    contents(c, n, out);
    fputs("<main>\n", out);
    for (unsigned i = 0; i < n; i++)
        guest(&c[i], i + 1, out);
    fputs("</main>\n</body>\n</html>\n", out);
}
