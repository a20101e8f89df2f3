/* calibration.h: what this machine can do, as rows of machine operations tell it: the smallest
 * one-way time, the time between two messages, the best rate of a rank's link, of its memory at a
 * working set, and of its matrix product. No MPI calls. */
#ifndef TGB_CALIBRATION_H
#define TGB_CALIBRATION_H

#include "primitives/layout.h"

typedef struct tgb_point tgb_point; /* a row */

typedef struct {
    tgb_point *point;
    int count;
} tgb_calibration;

/* Calls: Local. Read a file of rows as in cells.csv; only rows of machine operations with status ok
 * count. Errors: TG_BAD_INPUT names the file, and the line and what was expected there;
 * TG_NO_MEMORY; *c is then empty. */
tg_status tgb_calibration_read(const char *path, tgb_calibration *c);
void tgb_calibration_free(tgb_calibration *c); /* an empty one may be freed again */

/* Whose machine: rows of the same number of ranks, or the next smaller one of which there are such
 * rows; memory in this cache state where there are rows in it, else in any; products of this element
 * type. */
typedef struct {
    int ranks;
    const char *cache, *dtype;
} tgb_whose;

/* Calls: Local. Units in the names; a rate is that of one rank. NAN: no row says it.
 *   alpha_us      smallest one-way time
 *   gap_us        of a stream of the smallest messages: between one and the next; 0 .. alpha_us
 *   link_GBps     largest over sizes and kinds of messages
 *   memory_GBps   read and written, at a working set: the largest of those measured there or with
 *                 more; between two of them by the logarithm of the size; beyond the last as there.
 *                 together: all ranks at once; else a rank alone
 *   gemm_GFLOPs   largest over sizes */
double tgb_alpha_us(const tgb_calibration *c, const tgb_whose *whose);
double tgb_gap_us(const tgb_calibration *c, const tgb_whose *whose);
double tgb_link_GBps(const tgb_calibration *c, const tgb_whose *whose);
double tgb_memory_GBps(const tgb_calibration *c, const tgb_whose *whose, bool together,
                       double working_set_bytes);
double tgb_gemm_GFLOPs(const tgb_calibration *c, const tgb_whose *whose);

#endif
