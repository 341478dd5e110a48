/* SPDX-License-Identifier: MIT */
/*
 * `--trace-json FILE`: a run as a picture over virtual time, in the trace-event format that chrome://tracing and Perfetto open.
 * Each machine is a "process". Its tracks ("threads"): the guest's own work, one for each family of the ledger's events with the
 * cycles charged as durations, and one for each trace point with what happened there. Counter samples give events a slice.
 *
 * It observes the ledger and records trace points: nothing is counted twice, and a run without it pays nothing.
 */
#ifndef EMU_BASE_TRACE_JSON_H
#define EMU_BASE_TRACE_JSON_H

#include "base/error.h"
#include "base/ledger.h"
#include "base/trace.h"

#define TRACE_JSON_LIMIT 300000 /* elements a machine, some 40 MB: what a browser still takes */

struct trace_json;

/* path is borrowed. NULL with *err. Pair with trace_json_close(). */
struct trace_json *trace_json_open(const char *path, u64 limit, struct error *err);
/* The next machine: `name` is its heading. Puts itself first into the chain of observers at *chain, and into *tracer; both go into
 * a vm's configuration. Pair with trace_json_end() when that vm has run; it may be gone by then. */
void trace_json_begin(struct trace_json *t, const char *name, struct ledger_observer **chain, struct tracer *tracer);
void trace_json_end(struct trace_json *t);
/* The document is complete. 0, or -1 with *err: something could not be written. NULL is allowed. */
int trace_json_close(struct trace_json *t, struct error *err);

#endif
