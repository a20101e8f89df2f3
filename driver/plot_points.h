/* plot_points.h: the cells of a run as points that a figure can draw.
 *
 * A point is one cell, its launches put together: the median over launches of t_median_us. Its
 * interval is the cell's own (95 %, within the launch) for one launch, smallest to largest for two
 * to five, and the exact binomial interval of the median from six launches on. Rows whose status is
 * not ok do not count. */
#ifndef TGD_PLOT_POINTS_H
#define TGD_PLOT_POINTS_H

#include "driver/table.h"

/* What tells one series from another. A figure groups points that agree in some of these texts. */
typedef enum {
    TGD_PART_BESIDE,    /* the primitive; for a raw call the primitive that it stands beside */
    TGD_PART_OP,        /* the operation, raw: included */
    TGD_PART_ALGORITHM, /* empty for raw calls */
    TGD_PART_DIRECTION,
    TGD_PART_SIZE, /* bytes of the tensor; sizes within 10 % count as one, as N is rounded to whole
                      elements */
    TGD_PART_WORK, /* of one rank: bytes held, flops for layers; within 25 % */
    TGD_PART_RANKS,
    TGD_PART_DTYPE,
    TGD_PART_BUILD,
    TGD_PART_RUN,    /* of several runs in one figure: the name of the run; else empty */
    TGD_PART_WORDS,  /* the words of the case that do not change along a sweep */
    TGD_PART_LAYOUT, /* tells cases apart that differ in their grids only */
    TGD_PARTS
} tgd_part;

/* What a run divides into (bench/breakdown.h), by the words of phases.csv. */
typedef enum {
    TGD_KERNEL, /* in the order in which they are stacked */
    TGD_PACK,
    TGD_COMMUNICATION,
    TGD_WAIT,
    TGD_TOTAL,
    TGD_PHASES
} tgd_phase;
extern const char *const tgd_phase_names[TGD_PHASES];

typedef struct {
    char *part[TGD_PARTS];
    const char *cell_case, *scaling, *direction, *op; /* texts of the table */
    bool layer, raw, machine, adjoint; /* machine: what it can do; adjoint: adjoint or backward */
    bool oversubscribed, simulated;
    int ranks;
    double nodes;
    int launches; /* rows with status ok; 0: the cell has no value and is not drawn */
    double size_bytes;
    double work;                    /* bytes held or flops of a rank */
    double time_us, lo_us, hi_us;   /* lo, hi: NAN below 6 repetitions */
    double bus_bytes, tensor_bytes; /* rate = bytes / time; NAN when the row has no such rate */
    double bound_us;
    int forward; /* index of the forward cell of its case; -1: none */
    /* Of the launches that have them in phases.csv: how many, and the mean of the medians over ranks. */
    int divided;
    double phase_us[TGD_PHASES];
} tgd_point;

typedef struct {
    tgd_point *at;
    int count;
    int *of_row;        /* of one table: index of the point of each row */
    int rejected;       /* rows whose status is not ok */
    char *run_id, *mpi; /* of the first row */
    char *machine;      /* for the caption; may be NULL; free with the points */
    char
        *about; /* of several runs, for the caption: which they are, how they differ; may be NULL */
    double threads; /* of the first row */
    double band;    /* ratios from 1 / (1 + band) to 1 + band are the same; 0: none */
} tgd_points;

/* Calls: Local. Errors: TG_BAD_INPUT: a column that is not there, a number that is not one. The
 * points refer to texts of the table, which must outlive them. */
tg_status tgd_points_make(const tgd_table *table, tgd_points *points);
void tgd_points_free(tgd_points *points); /* empty points may be freed again */

/* Calls: Local. Moves all points of one run behind the others, with the name of their run; *one is then empty. */
void tgd_points_join(tgd_points *points, tgd_points *one, const char *run);

/* Calls: Local. The primitive that a raw call is set beside; other operations stand for themselves.
 */
const char *tgd_beside(const char *op);

/* Calls: Local. Malloc'ed text for people: "64 KiB", "1.5 MiB", "12 B"; "2.1 MFLOP". */
char *tgd_bytes_text(double bytes);
char *tgd_flops_text(double flops);

#endif
