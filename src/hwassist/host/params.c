/* SPDX-License-Identifier: MIT */
/* Which of the hardware's features the host's KVM uses for its guests: its modules' parameters say so. */
#include <stdio.h>
#include <string.h>

#include "hwassist/host/host.h"

static const struct { const char *module, *parameter, *means; } rows[] = {
    { "kvm_intel", "ept", "EPT" }, { "kvm_intel", "vpid", "VPID" }, { "kvm_intel", "enable_apicv", "PI" }, { "kvm_intel", "unrestricted_guest", "UG" },
    { "kvm_intel", "flexpriority", "TPR" }, { "kvm_intel", "nested", "nesting" },
    { "kvm_amd", "npt", "NPT" }, { "kvm_amd", "avic", "AVIC" }, { "kvm_amd", "nested", "nesting" },
};

/* 'Y', 'N', '1', '0'; 0 when there is no such file. */
static int read_parameter(const char *root, const char *module, const char *parameter)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s/parameters/%s", root, module, parameter);
    FILE *f = fopen(path, "r");
    int c = f ? fgetc(f) : 0;
    if (f)
        fclose(f);
    return c > 0 ? c : 0;
}

static void add(char *text, size_t size, const char *fmt, const char *a, const char *b)
{
    size_t len = strlen(text);
    snprintf(text + len, size - len, fmt, a, b);
}

void host_params(const char *root, char *text, size_t size)
{
    const char *module = NULL;
    *text = 0;
    for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
        int c = read_parameter(root, rows[i].module, rows[i].parameter);
        if (!c)
            continue;
        if (module != rows[i].module)
            add(text, size, "%s%s:", module ? "; " : "", rows[i].module);
        module = rows[i].module;
        add(text, size, " %s%s", c == 'N' || c == '0' ? "no " : "", rows[i].means);
    }
    if (!module)
        add(text, size, "%s%s", "neither kvm_intel nor kvm_amd: no EPT, VPID or posted interrupts are reported", "");
}
