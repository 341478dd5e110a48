/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "hwassist/vmx/caps.h"

const struct generation generations[] = {
#define GENERATION(name, year, launch, features, help) { name, year, launch, features, help },
#include "hwassist/vmx/generations.def"
#undef GENERATION
};
const unsigned generation_count = ARRAY_LEN(generations);

static bool is_word(const char *name, const char *list, size_t len) { return name && strlen(name) == len && !memcmp(name, list, len); }

const struct generation *generation_find(const char *list)
{
    size_t len = list ? strcspn(list, ",") : 0;
    for (unsigned i = 0; i < generation_count; i++)
        if (is_word(generations[i].name, list, len) || is_word(generations[i].year, list, len))
            return &generations[i];
    return NULL;
}
