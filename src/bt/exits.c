/* SPDX-License-Identifier: MIT */
/* The ends of a unit: its head, where the deadline is noticed, and its ways out. */
#include "bt/census.h"
#include "bt/maker.h"

/* --- counting --- */

/* One more, without touching a flag. For a census only: a store to memory in each unit would be a price for all. */
static void count_at(struct emitter *e, const u64 *counter)
{
    EMIT(e, 0x49, 0xb9);                        /* mov r9, counter */
    emit64(e, (u64)counter);
    EMIT(e, 0x4d, 0x8b, 0x29);                  /* mov r13, [r9] */
    EMIT(e, 0x4d, 0x8d, 0x6d, 0x01);            /* lea r13, [r13 + 1] */
    EMIT(e, 0x4d, 0x89, 0x29);                  /* mov [r9], r13 */
}

static void count_table_jump(struct maker *m)
{
    if (m->bt->census)
        count_at(&m->e, &m->bt->census->table_jumps);
}

/* --- the jump table (codepage.c) --- */

/* r13d = r8 >> 12. Without SHRX no shift leaves the flags alone: by LEA to the left, through memory to the right. */
static void page_number(struct maker *m)
{
    struct emitter *e = &m->e;
    if (m->bt->bmi2) {
        EMIT(e, 0xc4, 0x42, 0x2b, 0xf7, 0xe8);  /* shrx r13d, r8d, r10d: by DIRECTORY_BIAS bits, the lowest five of r10 */
        return;
    }
    EMIT(e, 0x4e, 0x8d, 0x2c, 0xc5);            /* lea r13, [r8 * 8] */
    emit32(e, 0);
    EMIT(e, 0x4f, 0x8d, 0x6c, 0x2d, 0x00);      /* lea r13, [r13 + r13] */
    store_ctx(e, R13, CTX(scratch));
    EMIT(e, 0x45, 0x8b);                        /* mov r13d, [r15 + scratch + 2] */
    emit_ctx(e, R13, CTX(scratch) + 2);
}

static void jump_by_entry(struct emitter *e)
{
    EMIT(e, 0x47, 0x8b, 0x6c, 0x85, 0x00);      /* mov r13d, [r13 + r8*4] */
    EMIT(e, 0x41, 0xff, 0xe5);                  /* jmp r13 */
}

/* To the code for the guest address in r8, or to the miss stub. */
static void jump_by_table(struct maker *m)
{
    count_table_jump(m);
    page_number(m);
    EMIT(&m->e, 0x4f, 0x8b, 0x6c, 0xea, (u8)-DIRECTORY_BIAS);   /* mov r13, [r10 + r13*8 - bias] */
    jump_by_entry(&m->e);
}

/* The same for a target that is known, but stands in another page. */
void jump_by_table_to(struct maker *m, u32 eip)
{
    count_table_jump(m);
    mov_r8d_imm(&m->e, eip);
    EMIT(&m->e, 0x4d, 0x8b, 0xaa);              /* mov r13, [r10 + page*8 - bias] */
    emit32(&m->e, (eip >> PAGE_SHIFT) * 8 - DIRECTORY_BIAS);
    jump_by_entry(&m->e);
}

/* --- exits to the monitor and to other units --- */

/* Leave by that stub, with a number that says where from. */
static void leave_from(struct maker *m, u32 stub, u32 number)
{
    EMIT(&m->e, 0x41, 0xc7);                    /* mov dword [r15 + from], number */
    emit_ctx(&m->e, 0, CTX(from));
    emit32(&m->e, number);
    emit8(&m->e, 0xe9);
    emit32(&m->e, stub - (offset_of(m) + 4));
}

/* The unit's last instruction is the monitor's. */
void leave_for_callout(struct maker *m) { leave_from(m, m->bt->callout, m->u - m->bt->units); }

/* The same for a target that only the guest's registers or memory know. In kernel code it is counted: there the published
 * translator's lookup is a cost, while user code ran directly. */
void jump_indirect(struct maker *m)
{
    if (m->counts_indirect) {
        EMIT(&m->e, 0x4d, 0x8d, 0x9b);          /* lea r11, [r11 + step] */
        emit32(&m->e, INDIRECT_STEP);
    }
    jump_by_table(m);
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
        jump_by_table_to(m, eip);
        return;
    }
    struct link *l = &m->u->link[m->nlinks++];
    *l = (struct link){ .from = m->u, .eip = eip, .site = site, .stub = stub };
    leave_from(m, m->bt->link, link_number(m->bt, l));
}

/* --- head --- */

void unit_head(struct maker *m)
{
    struct emitter *e = &m->e;
    if (m->u->ncounted) {
        EMIT(e, 0x4d, 0x8d, 0xb6);                  /* lea r14, [r14 - cycles] */
        emit32(e, -m->u->cycles);
        EMIT(e, 0x4d, 0x8d, 0x5b, m->u->ncounted);  /* lea r11, [r11 + n] */
        leave_if_negative(m, R14);
    }
    if (m->bt->census) /* behind the deadline's test: who left there has not entered */
        count_at(e, &census_heat(m->bt, m->u->eip, m->u->gpa[0], m->u->key)->entered);
}

void uncharge(struct maker *m, u32 cycles, unsigned insns)
{
    EMIT(&m->e, 0x4d, 0x8d, 0xb6);              /* lea r14, [r14 + cycles] */
    emit32(&m->e, cycles);
    EMIT(&m->e, 0x4d, 0x8d, 0x5b, -insns);      /* lea r11, [r11 - insns] */
}

/* A unit with x87 or SSE instructions: their state may not be in the host's registers yet. */
void unit_fpu_gate(struct maker *m)
{
    struct emitter *e = &m->e;
    EMIT(e, 0x4c, 0x8d, 0x2d);                  /* lea r13, [rip + 7]: behind the jump */
    emit32(e, 7);
    EMIT(e, 0x41, 0xff);                        /* jmp [r15 + fpu_gate] */
    emit_ctx(e, 4, CTX(fpu_gate));
}
