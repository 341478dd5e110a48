/* SPDX-License-Identifier: MIT */
#include "cli/guests.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/types.h"

static void find_folder(char *path, size_t size)
{
    ssize_t n = readlink("/proc/self/exe", path, size - 16);
    path[n > 0 ? n : 0] = 0;
    char *slash = strrchr(path, '/');
    if (slash)
        strcpy(slash, "/guests");
    if (!slash || access(path, R_OK))
        strcpy(path, "guests");
}

static int is_guest(const struct dirent *d)
{
    static const char *const no_guests[] = { "lib", "linux", "tests", "real" };
    for (unsigned i = 0; i < ARRAY_LEN(no_guests); i++)
        if (strcmp(d->d_name, no_guests[i]) == 0)
            return false;
    return d->d_name[0] != '.' && d->d_type == DT_DIR;
}

void guests_read(struct guests *g)
{
    find_folder(g->folder, sizeof g->folder);
    g->n = scandir(g->folder, &g->entry, is_guest, alphasort);
}

void guests_free(struct guests *g)
{
    for (int i = 0; i < g->n; i++)
        free(g->entry[i]);
    if (g->n >= 0)
        free(g->entry);
}

void guests_offer(const struct guests *g, struct nearest *n)
{
    if (strncmp(n->word, "guests/", strlen("guests/")) == 0)
        n->word += strlen("guests/");
    for (int i = 0; i < g->n; i++)
        nearest_offer(n, g->entry[i]->d_name);
}
