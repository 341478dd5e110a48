/* SPDX-License-Identifier: MIT */
/*
 * The face of src/bt: the engine of VMware's kind, 1998 to 2010; and the same translator as an accelerator of the processor, for
 * the engines whose guests run on it as they are.
 */
#ifndef EMU_BT_BT_H
#define EMU_BT_BT_H

#include "cpu/accel.h"
#include "machine/engine.h"

extern const struct engine_ops bt_engine;
extern const struct cpu_accel_ops bt_accel;

#endif
