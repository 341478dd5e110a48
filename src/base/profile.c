/* SPDX-License-Identifier: MIT */
#include "base/profile.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const struct component_row component_rows[COMP_COUNT] = {
#define COMPONENT(id, name, help) [COMP_##id] = { name, help },
#include "base/components.def"
#undef COMPONENT
};

/* Where profiles are looked for, relative to the executable's folder: beside it, installed, and in
 * the source folder above build/, build/tests/, build/san/tests/. */
static const char *const profile_dirs[] = {
    "profiles", "../share/emu/profiles", "../profiles", "../../profiles", "../../../profiles",
};

/* --- one line ------------------------------------------------------------------------------- */

/* Cut blanks at both ends, in place. */
static char *trim(char *s)
{
    while (isspace((unsigned char)*s))
        s++;
    for (char *end = s + strlen(s); end > s && isspace((unsigned char)end[-1]);)
        *--end = 0;
    return s;
}

static enum component find_component(const char *name)
{
    int k = 0;
    while (k < COMP_COUNT && strcmp(component_rows[k].name, name))
        k++;
    return k;
}

/* A whole string of decimal digits that fits. */
static bool parse_value(const char *s, u64 *value)
{
    char *end;
    if (!isdigit((unsigned char)*s))
        return false;
    errno = 0;
    *value = strtoull(s, &end, 10);
    return !*end && !errno;
}

static int set_component(struct profile *p, const char *key, const char *text, const char *source, struct error *err)
{
    enum component k = find_component(key);
    if (k == COMP_COUNT)
        return error_set(err, "no component is called '%s'; `emu list components` prints them", key);
    if (p->source[k])
        return error_set(err, "'%s' is given twice; keep one of the two lines", key);
    if (!parse_value(text, &p->value[k]))
        return error_set(err, "'%s' is not a whole number of cycles below 2^64", text);
    if (!source || !*source)
        return error_set(err, "'%s' has no source; write who says so behind a '#'", key);
    p->source[k] = strdup(source);
    return 0;
}

/* "key = value # source", "title = ...", a comment, or nothing. */
static int parse_line(struct profile *p, char *line, struct error *err)
{
    char *body = trim(line);
    if (!*body || *body == '#')
        return 0;
    char *source = strchr(body, '#');
    if (source)
        *source++ = 0;
    char *value = strchr(body, '=');
    if (!value)
        return error_set(err, "expected `component = cycles # source`, found \"%.80s\"", trim(body));
    *value++ = 0;
    char *key = trim(body);
    value = trim(value);
    if (strcmp(key, "title") == 0) {
        snprintf(p->title, sizeof p->title, "%s", value);
        return 0;
    }
    if (strcmp(key, "base") == 0) {
        snprintf(p->base, sizeof p->base, "%s", value);
        return 0;
    }
    return set_component(p, key, value, source ? trim(source) : NULL, err);
}

/* --- one file ------------------------------------------------------------------------------- */

static int parse_file(struct profile *p, FILE *f, const char *path, struct error *err)
{
    char line[1024];
    struct error why;
    for (unsigned n = 1; fgets(line, sizeof line, f); n++) {
        if (!strchr(line, '\n') && !feof(f))
            return error_set(err, "%s:%u: line is longer than %zu bytes", path, n, sizeof line - 2);
        if (parse_line(p, line, &why))
            return error_set(err, "%s:%u: %s", path, n, why.text);
    }
    return 0;
}

/* What the file does not give is its base's, which stands beside it and has no base itself. */
static int take_base(struct profile *p, const char *path, struct error *err)
{
    char base[PATH_MAX], source[1024];
    const char *slash = strrchr(path, '/');
    struct profile from = { 0 };
    snprintf(base, sizeof base, "%.*s%s.profile", slash ? (int)(slash - path + 1) : 0, path, p->base);
    FILE *f = fopen(base, "r");
    if (!f)
        return error_set(err, "%s: its base %s: %s", path, base, strerror(errno));
    int r = parse_file(&from, f, base, err);
    fclose(f);
    if (r == 0 && *from.base)
        r = error_set(err, "%s: its base %s has a base itself; name that one", path, base);
    for (int k = 0; r == 0 && k < COMP_COUNT; k++) {
        if (p->source[k] || !from.source[k])
            continue;
        snprintf(source, sizeof source, "%s: %s", p->base, from.source[k]);
        p->value[k] = from.value[k];
        p->source[k] = strdup(source);
    }
    profile_fini(&from);
    return r;
}

/* What a single line cannot show: that all components are there, and that the clock runs. */
static int check_complete(const struct profile *p, const char *path, struct error *err)
{
    for (int k = 0; k < COMP_COUNT; k++)
        if (!p->source[k])
            return error_set(err, "%s: component '%s' is missing (%s); add `%s = CYCLES # SOURCE`", path,
                             component_rows[k].name, component_rows[k].help, component_rows[k].name);
    if (!p->value[COMP_CPU_HZ])
        return error_set(err, "%s: cpu.hz must not be 0", path);
    return 0;
}

/* "dir/modern.profile" -> "modern" */
static void name_from_path(struct profile *p, const char *path)
{
    const char *base = strrchr(path, '/');
    snprintf(p->name, sizeof p->name, "%s", base ? base + 1 : path);
    char *dot = strrchr(p->name, '.');
    if (dot && strcmp(dot, ".profile") == 0)
        *dot = 0;
}

static int load_path(struct profile *p, const char *path, struct error *err)
{
    FILE *f = fopen(path, "r");
    if (!f)
        return error_set(err, "cannot open profile %s: %s; `emu list profiles` prints those that are there", path,
                         strerror(errno));
    int r = parse_file(p, f, path, err);
    fclose(f);
    if (r == 0 && *p->base)
        r = take_base(p, path, err);
    if (r == 0)
        r = check_complete(p, path, err);
    if (r == 0)
        name_from_path(p, path);
    else
        profile_fini(p);
    return r;
}

/* --- finding -------------------------------------------------------------------------------- */

/* The folder of the running executable. */
static bool executable_dir(char out[PATH_MAX])
{
    char exe[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", exe, sizeof exe - 1);
    if (n <= 0)
        return false;
    exe[n] = 0;
    snprintf(out, PATH_MAX, "%s", dirname(exe));
    return true;
}

/* Path of the i-th folder where profiles may be. */
static bool profile_dir(char out[PATH_MAX], unsigned i)
{
    char dir[PATH_MAX];
    return executable_dir(dir) && snprintf(out, PATH_MAX, "%s/%s", dir, profile_dirs[i]) < PATH_MAX;
}

int profile_load(struct profile *p, const char *name, struct error *err)
{
    char dir[PATH_MAX], path[PATH_MAX];
    memset(p, 0, sizeof *p);
    if (strchr(name, '/'))
        return load_path(p, name, err);
    for (unsigned i = 0; i < ARRAY_LEN(profile_dirs); i++)
        if (profile_dir(dir, i) && snprintf(path, sizeof path, "%s/%s.profile", dir, name) < (int)sizeof path &&
            access(path, R_OK) == 0)
            return load_path(p, path, err);
    return error_set(err, "no cost profile is called '%s'; `emu list profiles` prints those that are there", name);
}

void profile_fini(struct profile *p)
{
    for (int k = 0; k < COMP_COUNT; k++)
        free(p->source[k]);
    memset(p, 0, sizeof *p);
}

/* --- listing -------------------------------------------------------------------------------- */

struct names { char **v; size_t len; };

static bool names_has(const struct names *n, const char *name)
{
    for (size_t i = 0; i < n->len; i++)
        if (strcmp(n->v[i], name) == 0)
            return true;
    return false;
}

static void names_add(struct names *n, char *name)
{
    n->v = realloc(n->v, (n->len + 2) * sizeof *n->v);
    n->v[n->len++] = name;
    n->v[n->len] = NULL;
}

static void names_add_dir(struct names *n, const char *path)
{
    DIR *d = opendir(path);
    if (!d)
        return;
    for (struct dirent *e; (e = readdir(d));) {
        char *dot = strrchr(e->d_name, '.');
        if (!dot || dot == e->d_name || strcmp(dot, ".profile"))
            continue;
        *dot = 0;
        if (!names_has(n, e->d_name))
            names_add(n, strdup(e->d_name));
    }
    closedir(d);
}

static int by_name(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

char **profile_names(void)
{
    char dir[PATH_MAX];
    struct names n = { calloc(1, sizeof *n.v), 0 };
    for (unsigned i = 0; i < ARRAY_LEN(profile_dirs); i++)
        if (profile_dir(dir, i))
            names_add_dir(&n, dir);
    qsort(n.v, n.len, sizeof *n.v, by_name);
    return n.v;
}
