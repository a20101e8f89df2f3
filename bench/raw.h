/* raw.h: what the files of raw calls share. A raw call stands beside a primitive, on the same layouts
 * and values, with nothing of ours around it, so that the two can be compared in one run. */
#ifndef TGB_RAW_H
#define TGB_RAW_H

#include "bench/operation.h"

typedef struct {
    const char *name, *summary, *formula;
    const char *beside; /* the primitive whose layouts and values it has */
    const tgb_key *keys;
    tg_status (*resolve)(const tgb_case *words, int P, ptrdiff_t N, tgb_setup *setup);
    tg_status (*plan)(tgb_work *work);
    void (*release)(tgb_work *work);
    tgb_direction forward;
} tgb_raw_row;

/* Rows; one without name ends each list. */
extern const tgb_raw_row tgb_raw_collectives[]; /* raw_collectives.c */
extern const tgb_raw_row tgb_raw_vectors[];     /* raw_vectors.c */
extern const tgb_raw_row tgb_raw_exchanges[];   /* raw_exchanges.c */
extern const tgb_raw_row tgb_raw_copies[];      /* op_raw.c */

extern const tgb_key tgb_raw_one_keys[], tgb_raw_two_keys[];

/* Calls: Local. The layouts of x and y of a piece of work. */
const tg_layout *tgb_raw_x(const tgb_work *work);
const tg_layout *tgb_raw_y(const tgb_work *work);

/* Calls: Local. Errors: TG_BAD_INPUT: a rank holds more entries than an MPI count can say. */
tg_status tgb_raw_check_count(const tgb_setup *setup);
/* tgb_primitive_resolve, and the counts of both sides. */
tg_status tgb_raw_resolve(const tgb_case *words, int P, ptrdiff_t N, tgb_setup *setup);

/* Calls: Collective on work->comm. Bytes of x and y, and work->raw: size bytes of zeros. Errors:
 * TG_NO_MEMORY, the same on all ranks, with nothing kept. */
tg_status tgb_raw_start(tgb_work *work, size_t size);

#endif
