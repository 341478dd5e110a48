/* SPDX-License-Identifier: MIT */
#include "cli/options/chardevs.h"

#include <stdlib.h>
#include <string.h>

#include "cli/options/options.h"

static int set_id(struct vm_chardev *c, const char *value, struct error *err) { return c->id = value, 0; }
static int set_path(struct vm_chardev *c, const char *value, struct error *err) { return c->path = value, 0; }
static int set_nothing(struct vm_chardev *c, const char *value, struct error *err) { return 0; }

static int set_server(struct vm_chardev *c, const char *value, struct error *err)
{
    bool off = strcmp(value, "off") == 0 || strcmp(value, "no") == 0;
    return off ? 0 : error_set(err, "-chardev socket,server=%s: the back-end listens, and is there first; leave server= out", value);
}

static int set_patience(struct vm_chardev *c, const char *value, struct error *err)
{
    char *end;
    double seconds = strtod(value, &end);
    if (end == value || *end || !(seconds >= 0.001 && seconds <= 1e6))
        return error_set(err, "-chardev socket,patience=%s: give the seconds that the back-end may be gone, or silent", value);
    c->patience_ms = seconds * 1000;
    return 0;
}

/* A back-end that has gone is looked for again whatever reconnect= says. */
static const struct { const char *key; int (*set)(struct vm_chardev *c, const char *value, struct error *err); } keys[] = {
    { "id", set_id }, { "path", set_path }, { "patience", set_patience }, { "reconnect", set_nothing }, { "server", set_server }, { "wait", set_nothing },
};

static int take_word(struct vm_chardev *c, const char *word, struct error *err)
{
    size_t len = strcspn(word, "=");
    for (unsigned i = 0; word[len] && i < ARRAY_LEN(keys); i++)
        if (strlen(keys[i].key) == len && strncmp(word, keys[i].key, len) == 0)
            return keys[i].set(c, word + len + 1, err);
    return error_set(err, "-chardev socket: '%s' is not id=, path=, reconnect= or patience=", word);
}

int chardevs_take(struct chardev_options *o, struct vm_config *c, const char *arg, struct error *err)
{
    char *save;
    if (o->ntexts == VM_MAX_CHARDEVS || !(o->text[o->ntexts] = strdup(arg)))
        return error_set(err, "-chardev %s: at most %d", arg, VM_MAX_CHARDEVS);
    const char *kind = strtok_r(o->text[o->ntexts++], ",", &save);
    if (!kind || strcmp(kind, "socket"))
        return error_set(err, "-chardev %s: give socket,id=C,path=SOCKET; terminals and files are named by -serial itself", arg);
    struct vm_chardev *x = &c->chardev[c->nchardevs++];
    *x = (struct vm_chardev){ 0 };
    for (char *word = strtok_r(NULL, ",", &save); word; word = strtok_r(NULL, ",", &save))
        if (take_word(x, word, err))
            return -1;
    return x->id && x->path ? 0 : error_set(err, "-chardev %s: give id= and path=, as socket,id=c,path=/tmp/disk.sock", arg);
}

void chardevs_fini(struct chardev_options *o)
{
    while (o->ntexts)
        free(o->text[--o->ntexts]);
}
