/* plot_figures.h: which figures the points of a run can carry, and what each draws.
 *
 * A kind of figure asks one question: which points it takes, what it draws of each, what stands
 * along x, and by which parts it is split into files. The kinds are rows of one table in
 * plot_kinds.c. */
#ifndef TGD_PLOT_FIGURES_H
#define TGD_PLOT_FIGURES_H

#include "driver/plot_points.h"

enum { TGD_LOOKS = 6, TGD_MOST_LOOKS = 12 }; /* colours (and marks) that can be told apart */

/* What is drawn of a point; NAN: not known. */
typedef struct {
    double value, lo, hi; /* lo, hi: the error bar */
    double bound_us;      /* lower bound */
    double ideal_us;      /* weak scaling: the time of the base */
    bool superlinear;     /* above the ideal by more than 5 % */
} tgd_value;

/* One place along x of a series. */
typedef struct {
    const tgd_point *point; /* NULL: a gap, other series were measured at this x */
    double x;
    tgd_value y;
} tgd_mark;

typedef struct {
    char *label;
    int look,
        shape; /* colour and mark, 1 .. TGD_LOOKS; a raw call has the colour of its primitive */
    bool raw;
    bool shares_bound;     /* its lower bounds are those of a series before */
    const tgd_point *base; /* of scaling; NULL: none that is not oversubscribed */
    tgd_mark *mark;        /* ascending x */
    int count;
} tgd_series;

typedef struct {
    const char *stem;    /* the name of the figure begins with it */
    const char *script;  /* plots/SCRIPT.gp draws it */
    const char *scaling; /* of the points it takes */
    const char *column;  /* name of the value in the data file */
    const char *what;    /* for the caption */
    const char *bars;    /* for the caption: value and error bar; NULL: those of a time */
    const char *x_label; /* NULL: ranks, or the size of the tensor */
    const char *y_label; /* "time" gets its unit when it is drawn */
    bool along_size;     /* x is size_bytes, else ranks */
    bool divided;        /* a bar of phases at each place, on a linear axis from 0 */
    bool needs_base;     /* its values are relative to the base case */
    int looks;           /* most series that are told apart; 0: TGD_LOOKS */
    bool needs_rivals;   /* only with two algorithms at least, raw calls apart */
    bool needs_beside;   /* only when something stands beside the primitive: two series at least */
    double y_ideal;      /* a constant line that must be in view; NAN: none */
    unsigned split;      /* one file for each text of these parts (bits) */
    bool (*takes)(const tgd_point *point);
    tgd_value (*value)(const tgd_points *all, const tgd_point *point, const tgd_point *base);
} tgd_kind;

/* Of one run, and of two runs that are compared, whose points hold ratios in the place of times. Each
 * list ends with a row without stem. */
extern const tgd_kind tgd_kinds[], tgd_compare_kinds[];

typedef struct {
    const tgd_kind *kind;
    char *name; /* letters, digits, '_' and '-' only */
    tgd_series *series;
    int count;
} tgd_figure;

typedef struct {
    tgd_figure *at;
    int count;
} tgd_figures;

/* Calls: Local. kinds ends with a row without stem. The figures point into the points, which must
 * outlive them. */
tgd_figures tgd_figures_make(const tgd_points *points, const tgd_kind *kinds);
void tgd_figures_free(tgd_figures *figures);

/* Calls: Local, all. Is this column the value of the kind? Is a lower bound drawn for this mark? (A raw
 * call stands beside its primitive and that one's.) Makes a range hold a value, unless that is no
 * number above 0; an empty range is NAN to NAN. */
bool tgd_draws(const tgd_kind *kind, const char *column);
bool tgd_has_bound(const tgd_kind *kind, const tgd_series *series, const tgd_mark *mark);
void tgd_widen(double *min, double *max, double value);

#endif
