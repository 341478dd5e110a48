/* SPDX-License-Identifier: MIT */
/* `emu bench net -html`: one page with curves over the batch's size, what was published, and every number of the tables. */
#include <string.h>

#include "base/text.h"
#include "cli/bench/bench_load.h"
#include "cli/report/report_curve.h"

static double each(const struct load_result *r, u64 n) { return r->operations ? (double)n / r->operations : 0; }
static double get_gbits(const struct load_results *all, const struct load_result *r) { return load_gbits(all, r); }
static double get_exits(const struct load_results *all, const struct load_result *r) { return each(r, load_exits(r)); }
static double get_cpu(const struct load_results *all, const struct load_result *r) { return load_cpu(r); }
static double get_rate(const struct load_results *all, const struct load_result *r) { return load_rate(r); }

static const struct { const char *title, *y; bool log_y; double least; double (*get)(const struct load_results *all, const struct load_result *r); unsigned kind; } charts[] = {
    { "Throughput over the batch", "Gb/s", false, 0, get_gbits },
    { "Exits of each operation over the batch (both axes logarithmic)", "exits each", true, 0.001, get_exits },
    { "Processor time over the batch: guest, monitor and the host's threads", "% of a processor", false, 0, get_cpu },
    { "Operations a second over the batch, the smallest ones (both axes logarithmic)", "a second", true, 10000, get_rate, 1 },
};

/* --- curves --- */

static void add_point(struct curve_chart *c, const struct load_result *r, double y)
{
    struct curve *k = c->n ? &c->curve[c->n - 1] : NULL;
    if (!k || strcmp(k->name, r->path->name)) {
        if (c->n == CURVES_MAX)
            return;
        k = &c->curve[c->n++];
        *k = (struct curve){ .name = r->path->name };
    }
    if (k->n == CURVE_POINTS)
        return;
    k->x[k->n] = r->batch;
    k->y[k->n++] = y;
}

static void chart(const struct load_results *all, unsigned n, FILE *out)
{
    const struct load_kind *kind = &all->bench->kinds[charts[n].kind];
    struct curve_chart c = { charts[n].title, "batch", charts[n].y, charts[n].log_y, charts[n].least };
    for (unsigned i = 0; i < all->count; i++)
        if (all->result[i].kind == kind && all->result[i].ran && !all->result[i].path->ends)
            add_point(&c, &all->result[i], charts[n].get(all, &all->result[i]));
    if (c.n)
        svg_curves(&c, out);
}

/* --- tables --- */

static void cell(const char *tag, const char *text, FILE *out)
{
    fprintf(out, "<%s>", tag);
    text_xml(text, out);
    fprintf(out, "</%.*s>", (int)strcspn(tag, " "), tag);
}

static void table(const char *caption, const char *const *heads, FILE *out)
{
    fputs("<div class=\"scroll\" role=\"region\" tabindex=\"0\" aria-label=\"", out);
    text_xml(caption, out);
    fputs("\"><table><caption>", out);
    text_xml(caption, out);
    fputs("</caption>\n<thead><tr>", out);
    for (; *heads; heads++)
        cell("th scope=\"col\"", *heads, out);
    fputs("</tr></thead>\n<tbody>\n", out);
}

static void end_table(FILE *out) { fputs("</tbody></table></div>\n", out); }

static void result_row(const struct load_results *all, const struct load_result *r, FILE *out)
{
    fputs("<tr>", out);
    cell("th scope=\"row\"", r->path->name, out);
    cell("td", r->engine, out);
    fprintf(out, "<td>%u</td>", r->batch);
    if (!r->ran) {
        cell("td class=\"words\" colspan=\"6\"", r->why, out);
        fputs("</tr>\n", out);
        return;
    }
    fprintf(out, "<td>%.4f</td><td>%.4f</td><td>%.0f</td><td>%.3f</td><td>%.2f</td><td>%.1f</td></tr>\n", each(r, load_exits(r)), each(r, load_user(r)),
            load_rate(r), load_gbits(all, r), load_us(r), load_cpu(r));
}

static void kind_table(const struct load_results *all, const struct load_kind *k, FILE *out)
{
    table(k->help, (const char *const[]){ "path", "engine", "batch", "exits each", "to user space each", "a second", "Gb/s", "us each", "cpu %", NULL }, out);
    for (unsigned i = 0; i < all->count; i++)
        if (all->result[i].kind == k)
            result_row(all, &all->result[i], out);
    end_table(out);
}

static void claim_row(const struct load_results *all, const struct load_claim *c, const struct load_result *r, FILE *out)
{
    char band[32];
    double value = load_claim_value(all, c, r);
    fputs("<tr>", out);
    cell("th scope=\"row\"", c->path, out);
    cell("td", c->source, out);
    cell("td class=\"words\"", c->text, out);
    cell("td", load_band(c, band), out);
    fprintf(out, "<td>%.3f</td>", value);
    cell("td class=\"words\"", !load_claim_has_bar(c) ? "no bar" : load_claim_met(c, value) ? "met" : "not met", out);
    fputs("</tr>\n", out);
}

static void claims(const struct load_results *all, FILE *out)
{
    if (!all->bench->claims->source)
        return;
    table("Published, and what came out", (const char *const[]){ "path", "table", "what", "published", "here", "within 15 %", NULL }, out);
    for (const struct load_claim *c = all->bench->claims; c->source; c++) {
        const struct load_result *r = load_find(all, c->path, c->kind, c->batch);
        if (r && r->ran)
            claim_row(all, c, r, out);
    }
    end_table(out);
}

static void paths(const struct load_results *all, FILE *out)
{
    fputs("<ul>", out);
    for (unsigned i = 0; i < all->bench->npaths; i++) {
        fputs("<li><b>", out);
        text_xml(all->bench->paths[i].name, out);
        fputs("</b>: ", out);
        text_xml(all->bench->paths[i].help, out);
        fputs("</li>\n", out);
    }
    fputs("</ul>\n", out);
}

void bench_load_page(const struct load_results *all, FILE *out)
{
    fputs("<!DOCTYPE html>\n<html xmlns=\"http://www.w3.org/1999/xhtml\" lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n"
          "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n"
          "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\"/>\n<title>", out);
    text_xml(all->bench->title, out);
    fputs("</title>\n", out);
    report_style(out);
    fputs("</head>\n<body>\n<header><h1>", out);
    text_xml(all->bench->title, out);
    fputs("</h1>\n<p>Counts are exact. Time is virtual: what was counted, priced by the profile curriculum; the same run gives this same page.</p>\n", out);
    paths(all, out);
    fputs("</header>\n<main>\n", out);
    for (unsigned n = 0; n < ARRAY_LEN(charts); n++)
        chart(all, n, out);
    claims(all, out);
    for (const struct load_kind *k = all->bench->kinds; k->name; k++)
        kind_table(all, k, out);
    fputs("</main>\n</body>\n</html>\n", out);
}
