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
    void (*run)(tgb_work *work);
    void (*fill)(tgb_work *work);                              /* NULL: as the primitive's */
    ptrdiff_t (*count_wrong)(tgb_work *work);                  /* NULL: as the primitive's */
    tg_status (*load)(const tgb_setup *setup, tgb_load *load); /* NULL: of the layouts */
    /* Collective. Makes work->request of the call's persistent form, on each rank that calls; NULL: it
     * has no such form. With it there is a second row, NAME_init, that differs in what is timed. */
    void (*init)(tgb_work *work);
    void (*run_init)(tgb_work *work); /* NULL: tgb_raw_start_and_wait alone */
    const char
        *init_fault; /* why this library's persistent form is not offered; NULL: it is right */
} tgb_raw_row;

/* A call of MPI 4 that makes a persistent collective; nothing where the library lacks it, and then its row
 * cannot be planned. */
#ifdef TG_HAVE_PERSISTENT_COLLECTIVES
#define TGB_PERSISTENT(call) call
#else
#define TGB_PERSISTENT(call) ((void)0)
#endif

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
/* The same for a call whose blocks are all of one size: N is rounded down to a multiple of the parts of
 * each axis that it is the extent of. Errors: also when blocks differ. */
tg_status tgb_raw_resolve_equal(const tgb_case *words, int P, ptrdiff_t N, tgb_setup *setup);

/* Calls: Collective on work->comm. Bytes of x and y, and work->raw: size bytes of zeros. Errors:
 * TG_NO_MEMORY, the same on all ranks, with nothing kept. */
tg_status tgb_raw_start(tgb_work *work, size_t size);

/* Calls: Collective. MPI_Start and MPI_Wait of work->request, on the ranks that have one. */
void tgb_raw_start_and_wait(tgb_work *work);

#endif
