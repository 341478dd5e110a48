/* SPDX-License-Identifier: MIT */
#include "cli/report/report_curve.h"

#include <math.h>

#include "base/text.h"
#include "base/types.h"

enum { WIDTH = 640, HEIGHT = 300, LEFT = 64, RIGHT = 24, TOP = 10, BOTTOM = 44 };

struct axes { double x0, x1, y0, y1; };     /* in the charts' own terms: logarithms where they are */

static double y_of(const struct curve_chart *c, double y) { return c->log_y ? log10(y > c->least ? y : c->least) : y; }

static struct axes measure(const struct curve_chart *c)
{
    struct axes a = { INFINITY, -INFINITY, c->log_y ? log10(c->least) : 0, -INFINITY };
    for (unsigned i = 0; i < c->n; i++)
        for (unsigned k = 0; k < c->curve[i].n; k++) {
            a.x0 = fmin(a.x0, log2(c->curve[i].x[k]));
            a.x1 = fmax(a.x1, log2(c->curve[i].x[k]));
            a.y1 = fmax(a.y1, y_of(c, c->curve[i].y[k]));
        }
    a.y1 = c->log_y ? ceil(a.y1) : a.y1 * 1.05;
    a.x1 = a.x1 > a.x0 ? a.x1 : a.x0 + 1;
    a.y1 = a.y1 > a.y0 ? a.y1 : a.y0 + 1;
    return a;
}

static double px(const struct axes *a, double x) { return LEFT + (log2(x) - a->x0) / (a->x1 - a->x0) * (WIDTH - LEFT - RIGHT); }
static double py(const struct axes *a, double y) { return HEIGHT - BOTTOM - (y - a->y0) / (a->y1 - a->y0) * (HEIGHT - TOP - BOTTOM); }

static void text_at(double x, double y, const char *anchor, const char *text, FILE *out)
{
    fprintf(out, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\">", x, y, anchor);
    text_xml(text, out);
    fputs("</text>", out);
}

static void grid_line(const struct axes *a, double y, double value, FILE *out)
{
    char label[24];
    snprintf(label, sizeof label, "%.3g", value);
    fprintf(out, "<line x1=\"%d\" x2=\"%d\" y1=\"%.1f\" y2=\"%.1f\"/>", LEFT, WIDTH - RIGHT, py(a, y), py(a, y));
    text_at(LEFT - 6, py(a, y) + 4, "end", label, out);
}

/* A line a decade; or the first of 1, 2, 5 times a power of ten that gives no more than six. */
static void grid_y(const struct curve_chart *c, const struct axes *a, FILE *out)
{
    if (c->log_y) {
        for (double y = a->y0; y <= a->y1; y++)
            grid_line(a, y, pow(10, y), out);
        return;
    }
    double step = pow(10, floor(log10(a->y1 / 6)));
    while (a->y1 / step > 6)
        step *= a->y1 / step > 15 ? 5 : 2;
    for (double y = 0; y <= a->y1; y += step)
        grid_line(a, y, y, out);
}

static void grid_x(const struct axes *a, FILE *out)
{
    char label[24];
    for (double x = a->x0; x <= a->x1; x += 2) {
        snprintf(label, sizeof label, "%.0f", exp2(x));
        text_at(px(a, exp2(x)), HEIGHT - BOTTOM + 18, "middle", label, out);
    }
}

static void draw(const struct curve_chart *c, const struct axes *a, const struct curve *k, unsigned colour, FILE *out)
{
    fprintf(out, "<g class=\"k%u\"><polyline points=\"", colour);
    for (unsigned i = 0; i < k->n; i++)
        fprintf(out, "%.1f,%.1f ", px(a, k->x[i]), py(a, y_of(c, k->y[i])));
    fputs("\"/>", out);
    for (unsigned i = 0; i < k->n; i++) {
        fprintf(out, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"4\"><title>", px(a, k->x[i]), py(a, y_of(c, k->y[i])));
        text_xml(k->name, out);
        fprintf(out, ", %g: %.4g</title></circle>", k->x[i], k->y[i]);
    }
    fputs("</g>\n", out);
}

static void legend(const struct curve_chart *c, FILE *out)
{
    fputs("<ul class=\"legend\">", out);
    for (unsigned i = 0; i < c->n; i++) {
        fprintf(out, "<li><svg viewBox=\"0 0 14 14\" aria-hidden=\"true\"><g class=\"k%u\"><circle cx=\"7\" cy=\"7\" r=\"6\"/></g></svg>", i);
        text_xml(c->curve[i].name, out);
        fputs("</li>", out);
    }
    fputs("</ul>\n", out);
}

void svg_curves(const struct curve_chart *c, FILE *out)
{
    struct axes a = measure(c);
    fputs("<figure><figcaption>", out);
    text_xml(c->title, out);
    fprintf(out, "</figcaption>\n<svg class=\"curves\" role=\"img\" viewBox=\"0 0 %d %d\" aria-label=\"", WIDTH, HEIGHT);
    text_xml(c->title, out);
    fputs("\">\n<g class=\"axes\">", out);
    grid_y(c, &a, out);
    grid_x(&a, out);
    text_at(WIDTH - RIGHT, HEIGHT - 6, "end", c->x_label, out);
    text_at(LEFT, HEIGHT - 6, "start", c->y_label, out);
    fputs("</g>\n", out);
    for (unsigned i = 0; i < c->n; i++)
        draw(c, &a, &c->curve[i], i, out);
    fputs("</svg>\n", out);
    legend(c, out);
    fputs("</figure>\n", out);
}
