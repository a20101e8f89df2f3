/* planned.h: what one run of an operation does on this rank, as its plan says: bytes, messages,
 * floating-point operations. */
#ifndef TGB_PLANNED_H
#define TGB_PLANNED_H

#include "bench/operation.h"

enum { TGB_PLANNED = 3 };

typedef struct {
    const char *name, *meaning;
    /* Local, after planning. Of one run on this rank; negative: not known. */
    double (*count)(const tgb_work *work);
} tgb_planned;

extern const tgb_planned tgb_planned_rows[TGB_PLANNED];

#endif
