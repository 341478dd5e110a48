/* SPDX-License-Identifier: MIT */
/* The ends of a unit: its head, where the deadline is noticed, and its ways out. */
#include "bt/maker.h"

/* --- exits to the monitor and to other units --- */

static void store_ctx_imm(struct emitter *e, u32 field, u32 value)
{
    EMIT(e, 0x41, 0xc7);                        /* mov dword [r15 + field], imm32 */
    emit_ctx(e, 0, field);
    emit32(e, value);
}

static void jump_to_leave(struct maker *m)
{
    emit8(&m->e, 0xe9);
    emit32(&m->e, m->bt->leave - (offset_of(m) + 4));
}

void leave_to_monitor(struct maker *m, enum leave why, u32 eip)
{
    store_ctx_imm(&m->e, CTX(leave), why);
    store_ctx_imm(&m->e, CTX(eip), eip);
    jump_to_leave(m);
}

/* The same for a target that only the guest's registers or memory know. In kernel code it is counted: there the published
 * translator's lookup is a cost, while user code ran directly. */
void jump_indirect(struct maker *m)
{
    if (m->counts_indirect) {
        EMIT(&m->e, 0x4d, 0x8d, 0x9b);          /* lea r11, [r11 + step] */
        emit32(&m->e, INDIRECT_STEP);
    }
    jump_by_table(&m->e);
}

/* May that target be chained directly? Within one page both addresses stay or go together; to another page the way leads through
 * the window's table, which follows the guest's page tables. */
static bool same_page(const struct maker *m, u32 eip)
{
    return (eip ^ m->u->eip) < PAGE_SIZE && !m->u->gpa[1];
}

/* The exit for `eip`, whose address goes into the rel32 at `site` (0: emit a jump here). */
void exit_to(struct maker *m, u32 site, u32 eip)
{
    if (!site && same_page(m, eip)) {
        emit8(&m->e, 0xe9);
        site = offset_of(m);
        emit32(&m->e, 0);
    }
    u32 stub = offset_of(m), rel = stub - (site + 4);
    if (site)
        memcpy(m->bt->code + site, &rel, 4);
    if (!same_page(m, eip)) {
        mov_r8d_imm(&m->e, eip);
        jump_by_table(&m->e);
        return;
    }
    struct link *l = &m->u->link[m->nlinks++];
    *l = (struct link){ .from = m->u, .eip = eip, .site = site, .stub = stub };
    EMIT(&m->e, 0x49, 0xb8);                    /* mov r8, link */
    emit64(&m->e, (u64)l);
    EMIT(&m->e, 0x4d, 0x89);                    /* mov [r15 + link], r8 */
    emit_ctx(&m->e, R8, CTX(link));
    leave_to_monitor(m, LEAVE_MISS, eip);
}

/* --- head --- */

void unit_head(struct maker *m)
{
    struct emitter *e = &m->e;
    if (!m->u->ncounted)
        return;
    EMIT(e, 0x4d, 0x8d, 0xb6);                  /* lea r14, [r14 - cycles] */
    emit32(e, -m->u->cycles);
    EMIT(e, 0x4d, 0x8d, 0x5b, m->u->ncounted);  /* lea r11, [r11 + n] */
    leave_if_negative(e, R14);
}
