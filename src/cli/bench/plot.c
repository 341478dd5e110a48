/* SPDX-License-Identifier: MIT */
#include "cli/bench/plot.h"

#include "base/text.h"
#include "base/types.h"

enum { WIDTH = 720, HEIGHT = 400, LEFT = 60, RIGHT = 20, TOP = 50, BOTTOM = 90, TICKS = 4 };

/* Told apart without colour too: by dashes. */
static const struct { const char *colour, *dashes; } looks[PLOT_LINES] = {
    { "#0b5fa5", "" }, { "#b3541e", "8 4" }, { "#3d7a34", "2 4" }, { "#6a4c93", "12 3 2 3" },
};

static double x_of(const struct plot *p, unsigned i) { return LEFT + (double)(WIDTH - LEFT - RIGHT) * i / (p->nx > 1 ? p->nx - 1 : 1); }
static double y_of(const struct plot *p, double percent)
{
    double share = percent / p->top;
    return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * (share > 1 ? 1 : share < 0 ? 0 : share);
}

static void text(double x, double y, const char *anchor, const char *words, FILE *out)
{
    fprintf(out, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\">", x, y, anchor);
    text_xml(words, out);
    fputs("</text>\n", out);
}

static void axes(const struct plot *p, FILE *out)
{
    char number[16];
    for (unsigned i = 0; i <= TICKS; i++) {
        double percent = p->top * i / TICKS, y = y_of(p, percent);
        fprintf(out, "<path d=\"M%d %.1fH%d\" stroke=\"#ccc\"/>\n", LEFT, y, WIDTH - RIGHT);
        snprintf(number, sizeof number, "%.0f %%", percent);
        text(LEFT - 6, y + 4, "end", number, out);
    }
    for (unsigned i = 0; i < p->nx; i++) {
        snprintf(number, sizeof number, "%u", p->x[i]);
        text(x_of(p, i), HEIGHT - BOTTOM + 18, "middle", number, out);
    }
    text((LEFT + WIDTH - RIGHT) / 2.0, HEIGHT - BOTTOM + 38, "middle", p->across, out);
    text(LEFT - 50, TOP - 10, "start", p->up, out);
}

static void band(const struct plot *p, FILE *out)
{
    if (p->band_high <= p->band_low)
        return;
    double top = y_of(p, p->band_high);
    fprintf(out, "<rect x=\"%d\" y=\"%.1f\" width=\"%d\" height=\"%.1f\" fill=\"#f3e3b3\"/>\n", LEFT, top, WIDTH - LEFT - RIGHT, y_of(p, p->band_low) - top);
    text(WIDTH - RIGHT - 6, top - 4, "end", p->band, out);
}

static void line(const struct plot *p, unsigned n, FILE *out)
{
    const struct plot_line *l = &p->line[n];
    double x = LEFT + (double)(WIDTH - LEFT - RIGHT) * n / p->nlines, y = HEIGHT - 20;
    fprintf(out, "<g stroke=\"%s\" stroke-width=\"2.5\" stroke-dasharray=\"%s\" fill=\"none\"><path d=\"", looks[n].colour, looks[n].dashes);
    for (unsigned i = 0; i < p->nx; i++)
        fprintf(out, "%c%.1f %.1f", i ? 'L' : 'M', x_of(p, i), y_of(p, l->percent[i]));
    fprintf(out, "\"/><path d=\"M%.1f %.1fh30\"/></g>\n", x, y - 4);
    text(x + 36, y, "start", l->name, out);
}

void plot_svg(const struct plot *p, FILE *out)
{
    fprintf(out, "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" font-family=\"sans-serif\" font-size=\"13\" role=\"img\">\n<title>", WIDTH,
            HEIGHT);
    text_xml(p->title, out);
    fprintf(out, "</title>\n<rect width=\"%d\" height=\"%d\" fill=\"#fff\"/>\n", WIDTH, HEIGHT);
    text(WIDTH / 2.0, 20, "middle", p->title, out);
    band(p, out);
    axes(p, out);
    for (unsigned n = 0; n < p->nlines; n++)
        line(p, n, out);
    fputs("</svg>\n", out);
}
