/* bound.h: the lower bound of a cell from a calibration of this machine: what limits it, and how
 * near it comes. No MPI calls. */
#ifndef TGB_BOUND_H
#define TGB_BOUND_H

#include "bench/calibration.h"
#include "bench/cell.h"
#include "bench/record.h"

typedef struct {
    double us;        /* NAN: not known */
    const char *kind; /* latency link memory compute */
} tgb_bound;

/* How a cell was measured, as far as its bound depends on it. */
typedef struct {
    const char *cache;
    int nodes;    /* machines that the ranks are on */
    bool library; /* the MPI library decides how data cross; else the messages are ours */
} tgb_way;

/* Calls: Local. */
tgb_bound tgb_bound_of(const tgb_calibration *c, const tgb_cell *cell, const tgb_way *way);

/* Calls: Local. Fill bound_us, bound_kind and bound_fraction of a row whose other columns are
 * filled, and add its flag above_bound; nothing where there is no calibration or no time. */
void tgb_put_bound(const tgb_calibration *c, const tgb_cell *cell, tgb_record *row);

/* Calls: Local. The least time after which `group` ranks can know what one of them knew, when a
 * message takes alpha_us and a rank starts one every gap_us; backwards: the time to bring their
 * parts to one rank. With gap = alpha it is ceil(log2 group) alpha. Source: Karp, Sahay, Santos and
 * Schauser, "Optimal Broadcast and Summation in the LogP Model", 1993. NAN without memory. */
double tgb_reach_us(int group, double alpha_us, double gap_us);

#endif
