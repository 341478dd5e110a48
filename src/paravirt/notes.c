/* SPDX-License-Identifier: MIT */
#include "paravirt/notes.h"

#include <stdlib.h>
#include <string.h>

#include "paravirt/domain.h"

#define EM_386 3

static const char *const feature_names[] = {
    [XENFEAT_writable_page_tables] = "writable_page_tables",
    [XENFEAT_writable_descriptor_tables] = "writable_descriptor_tables",
    [XENFEAT_auto_translated_physmap] = "auto_translated_physmap",
    [XENFEAT_supervisor_mode_kernel] = "supervisor_mode_kernel",
    [XENFEAT_pae_pgdir_above_4gb] = "pae_pgdir_above_4gb",
    [XENFEAT_mmu_pt_update_preserve_ad] = "mmu_pt_update_preserve_ad",
};

/* --- values --- */

/* The text of a string note, cut to the buffer. */
static const char *note_text(const struct elf_note *n, char *buf, size_t size)
{
    size_t len = n->descsz < size - 1 ? n->descsz : size - 1;
    memcpy(buf, n->desc, len);
    buf[len] = 0;
    return buf;
}

static u64 note_number(const struct elf_note *n)
{
    u64 value = 0;
    memcpy(&value, n->desc, n->descsz < 8 ? n->descsz : 8);
    return value;
}

static bool pae_usable(const char *mode)
{
    return strncmp(mode, "yes", 3) == 0 || strncmp(mode, "bimodal", 7) == 0;
}

static unsigned feature_find(const char *name, size_t len)
{
    for (unsigned i = 0; i < ARRAY_LEN(feature_names); i++)
        if (strlen(feature_names[i]) == len && memcmp(feature_names[i], name, len) == 0)
            return i;
    return 32;
}

/* "a|!b|c": those with an exclamation mark are required. An unknown one that is required cannot be met. */
static int features_parse(const char *list, u32 offered, struct error *err)
{
    while (*list) {
        bool required = *list == '!';
        list += required;
        size_t len = strcspn(list, "|");
        unsigned f = feature_find(list, len);
        if (required && (f == 32 || !(offered >> f & 1)))
            return error_set(err, "the kernel needs the Xen feature '%.*s', which is not offered", (int)len, list);
        list += len + (list[len] == '|');
    }
    return 0;
}

static int no_pae(struct error *err)
{
    return error_set(err, "the kernel is built for a Xen without PAE; a 32-bit PAE kernel is needed");
}

/* --- ELF notes --- */

static const struct elf_note *note_find(const struct elf *e, u32 type)
{
    for (unsigned i = 0; i < e->nnote; i++)
        if (e->note[i].type == type && e->note[i].namesz == 4 && memcmp(e->note[i].name, "Xen", 4) == 0)
            return &e->note[i];
    return NULL;
}

static void number_of(const struct elf *e, u32 type, u64 *value)
{
    const struct elf_note *n = note_find(e, type);
    if (n)
        *value = note_number(n);
}

static int check_hole(const struct elf *e, struct error *err)
{
    u64 hole = XEN_VIRT_START;
    number_of(e, XEN_ELFNOTE_HV_START_LOW, &hole);
    if (hole > XEN_VIRT_START)
        return error_set(err, "the kernel wants memory up to 0x%llx, but the hypervisor begins at 0x%x", (unsigned long long)hole, XEN_VIRT_START);
    return 0;
}

static int parse_notes(struct pv_image *img, const struct elf *e, u32 offered, struct error *err)
{
    char text[512];
    const struct elf_note *pae = note_find(e, XEN_ELFNOTE_PAE_MODE), *features = note_find(e, XEN_ELFNOTE_FEATURES);
    number_of(e, XEN_ELFNOTE_VIRT_BASE, &img->virt_base);
    number_of(e, XEN_ELFNOTE_PADDR_OFFSET, &img->paddr_offset);
    number_of(e, XEN_ELFNOTE_ENTRY, &img->entry);
    number_of(e, XEN_ELFNOTE_HYPERCALL_PAGE, &img->hypercall_page);
    if (!pae || !pae_usable(note_text(pae, text, sizeof text)))
        return no_pae(err);
    if (features && features_parse(note_text(features, text, sizeof text), offered, err) < 0)
        return -1;
    return check_hole(e, err);
}

/* --- the __xen_guest string: "KEY=VALUE,KEY=VALUE" --- */

/* The value of a key, cut to the buffer; NULL if the key is not there. */
static const char *guest_value(const char *s, const char *key, char *buf, size_t size)
{
    size_t klen = strlen(key);
    while (*s) {
        size_t len = strcspn(s, ",");
        if (len > klen && memcmp(s, key, klen) == 0 && s[klen] == '=') {
            size_t vlen = len - klen - 1 < size - 1 ? len - klen - 1 : size - 1;
            memcpy(buf, s + klen + 1, vlen);
            buf[vlen] = 0;
            return buf;
        }
        s += len + (s[len] == ',');
    }
    return NULL;
}

static bool guest_number(const char *s, const char *key, u64 *value)
{
    char buf[32];
    if (!guest_value(s, key, buf, sizeof buf))
        return false;
    *value = strtoull(buf, NULL, 0);
    return true;
}

static int parse_string(struct pv_image *img, const char *s, u32 offered, struct error *err)
{
    char text[512];
    u64 page;
    guest_number(s, "VIRT_BASE", &img->virt_base);
    img->paddr_offset = img->virt_base; /* the default of this older form */
    guest_number(s, "ELF_PADDR_OFFSET", &img->paddr_offset);
    guest_number(s, "VIRT_ENTRY", &img->entry);
    if (guest_number(s, "HYPERCALL_PAGE", &page)) /* here a page number, not an address */
        img->hypercall_page = img->virt_base + (page << PAGE_SHIFT);
    if (!guest_value(s, "PAE", text, sizeof text) || !pae_usable(text))
        return no_pae(err);
    return guest_value(s, "FEATURES", text, sizeof text) ? features_parse(text, offered, err) : 0;
}

static int parse_section(struct pv_image *img, const struct elf *e, u32 offered, struct error *err)
{
    char text[2048];
    u64 size = 0;
    const u8 *section = elf_section(e, "__xen_guest", &size);
    if (!section)
        return error_set(err, "%s is no Xen PV kernel: it has neither Xen's ELF notes nor a __xen_guest section", e->file->path);
    if (size >= sizeof text)
        return error_set(err, "%s: its __xen_guest section is too long", e->file->path);
    memcpy(text, section, size);
    text[size] = 0;
    return parse_string(img, text, offered, err);
}

int pv_image_parse(struct pv_image *img, const struct elf *e, u32 offered, struct error *err)
{
    *img = (struct pv_image){ .entry = e->entry };
    if (e->is64 || e->machine != EM_386)
        return error_set(err, "%s is not a 32-bit x86 kernel; this hypervisor runs 32-bit PAE guests", e->file->path);
    bool notes = note_find(e, XEN_ELFNOTE_VIRT_BASE) || note_find(e, XEN_ELFNOTE_ENTRY) || note_find(e, XEN_ELFNOTE_PAE_MODE);
    return notes ? parse_notes(img, e, offered, err) : parse_section(img, e, offered, err);
}
