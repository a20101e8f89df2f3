/* layout.h: which rank holds which box of a tensor; plain values, no MPI.
 *
 * A tensor of global shape n_0 x ... x n_(d-1) is dealt out over a grid of parts. Each axis is
 * either split into parts (balanced, or with explicit sizes) or held in copies; a window on an
 * axis makes every part need more (or fewer) entries than it owns. A rank list says who sits
 * where on the grid.
 *
 *   owned(rank)  the entries of which the rank is the one owner: its split parts, first copy only
 *   held(rank)   the entries that its buffer stores: those parts of any copy, widened by windows
 *
 * Source: Hewett and Grady, arXiv 2006.03108, section 3; the window rule is in README.md. */
#ifndef TG_LAYOUT_H
#define TG_LAYOUT_H

#include <stdbool.h>
#include <stddef.h>

enum { TG_MAX_NDIM = 8, TG_STATUS_TEXT = 240 };

/* What a function that can fail returns. The text is one line that names the input and what was
 * expected. */
typedef enum { TG_OK = 0, TG_BAD_INPUT, TG_NO_MEMORY, TG_DISAGREE } tg_code;
typedef struct {
    tg_code code;
    char text[TG_STATUS_TEXT]; /* empty when code is TG_OK */
} tg_status;

/* Calls: Local. The status with a printf-formatted text. */
tg_status tg_fail(tg_code code, const char *format, ...) __attribute__((format(printf, 2, 3)));
tg_status tg_success(void);

/* ---- boxes ---- */

/* Entries lo <= g < hi in global indices; empty when some hi <= lo. */
typedef struct {
    int ndim;
    ptrdiff_t lo[TG_MAX_NDIM], hi[TG_MAX_NDIM];
} tg_box;

/* Calls: Local, all four. Shapes: a and b have the same number of axes. Empty boxes: a count of 0,
 * no share in a hull, equal to each other. */
ptrdiff_t tg_box_count(const tg_box *box);
tg_box tg_box_intersect(const tg_box *a, const tg_box *b);
tg_box tg_box_hull(const tg_box *a, const tg_box *b); /* the smallest box around both */
bool tg_box_equal(const tg_box *a, const tg_box *b);

/* ---- axes ---- */

/* Which inputs the outputs of a window need; one row each, in window.c. */
typedef struct tg_window_rule tg_window_rule;

/* A window on one axis. kernel = 0 means: no window. */
typedef struct {
    ptrdiff_t kernel, stride, padding, dilation;
    bool ceil;                  /* output length rounded up, as pooling may */
    bool periodic;              /* inputs wrap around the ends instead of being cut there */
    const tg_window_rule *rule; /* NULL: tg_window_convolution */
} tg_window;

struct tg_window_rule {
    const char *name;
    /* Outputs over n inputs; less than 1 when none fits. */
    ptrdiff_t (*outputs)(const tg_window *window, ptrdiff_t n);
    /* Inputs [*lo, *hi), lo <= hi, that outputs [y0, y1) need, y0 < y1, not cut to [0, n). lo never
     * falls when y0 grows, nor hi when y1 grows. */
    void (*inputs)(const tg_window *window, ptrdiff_t y0, ptrdiff_t y1, ptrdiff_t *lo,
                   ptrdiff_t *hi);
    /* What the rule asks of a window beyond the ranges of its numbers. Errors: TG_BAD_INPUT. */
    tg_status (*check)(const tg_window *window, ptrdiff_t n, int axis);
};

extern const tg_window_rule tg_window_convolution, tg_window_transposed, tg_window_upsample;

typedef struct {
    ptrdiff_t extent; /* entries of the whole axis */
    int parts;        /* pieces it is split into, or copies of it that are held */
    bool copied;      /* parts are copies */
    ptrdiff_t *cuts;  /* parts + 1 ascending starts, or NULL: balanced. Owned by the layout */
    tg_window window; /* what a part needs beyond what it owns */
} tg_axis;

/* Calls: Local. First entry of part i when n entries are split over p parts as evenly as can be;
 * of part p: n. */
ptrdiff_t tg_split_start(ptrdiff_t n, int p, int i);

/* Calls: Local. Output length m of a window over n inputs (kernel > 0). m < 1 is the caller's
 * error. */
ptrdiff_t tg_window_outputs(const tg_window *window, ptrdiff_t n);

/* Inputs [*lo, *hi) that outputs [y0, y1) need, not cut to [0, n); *lo = *hi = 0 when y0 >= y1. */
void tg_window_inputs(const tg_window *window, ptrdiff_t y0, ptrdiff_t y1, ptrdiff_t *lo,
                      ptrdiff_t *hi);

/* Calls: Local. The window's rule, never NULL. Do two windows say the same? Is this a window over
 * `extent` inputs? Errors of check: TG_BAD_INPUT names the number and the axis. */
const tg_window_rule *tg_window_rule_of(const tg_window *window);
bool tg_window_equal(const tg_window *v, const tg_window *w);
tg_status tg_window_check(const tg_window *window, ptrdiff_t extent, int axis);

/* Interval [*lo, *hi) of part i of one axis that the part owns, and that it holds (needs). Held
 * intervals are cut to [0, extent) unless the window is periodic. */
void tg_axis_owned(const tg_axis *axis, int part, ptrdiff_t *lo, ptrdiff_t *hi);
void tg_axis_held(const tg_axis *axis, int part, ptrdiff_t *lo, ptrdiff_t *hi);

/* Calls: Local. Do the parts of two axes own the same intervals, as splits or as copies? */
bool tg_axis_same_split(const tg_axis *a, const tg_axis *b);

/* ---- layouts ---- */

/* Ranks first, first + step, ... (count of them); step may be negative or 0 when count is 1. */
typedef struct {
    int first, count, step;
} tg_run;

typedef struct {
    int ndim;
    tg_axis axis[TG_MAX_NDIM];
    int order[TG_MAX_NDIM]; /* axes, slowest first, as ranks count parts */
    int nruns;
    tg_run *runs; /* the rank list; owned by the layout */
} tg_layout;

/* The words of a layout, as in a case. NULL stands for the default.
 *   shape  77x55; an extent may be N              grid   3x2c; parts may be P, as in Pc
 *   ranks  0-3,8-4:-2                             parts  20+19+19+19x*
 *   order  10; or reshaped: the grid reversed, ranks kept in order
 * side is "from" or "to" when errors are to name from, from-ranks, ...; NULL: grid, ranks, ... */
typedef struct {
    const char *shape, *grid, *ranks, *order, *parts;
    const char *side;
} tg_layout_words;

/* Calls: Local. P stands in for P in the grid (and every rank of the list is below P); N for N in
 * the shape. Errors: TG_BAD_INPUT names the word; TG_NO_MEMORY. *layout is then empty and needs no
 * free. */
tg_status tg_layout_parse(const tg_layout_words *words, int P, ptrdiff_t N, tg_layout *layout);

/* Calls: Local. Write a layout's words into text of size bytes, cut off there; returns the length
 * needed, as snprintf. parse(print(layout)) equals layout. */
int tg_layout_print_shape(const tg_layout *layout, char *text, size_t size);
int tg_layout_print_grid(const tg_layout *layout, char *text, size_t size);
int tg_layout_print_ranks(const tg_layout *layout, char *text, size_t size);
int tg_layout_print_order(const tg_layout *layout, char *text, size_t size);
int tg_layout_print_parts(const tg_layout *layout, char *text, size_t size);

/* Calls: Local. A new rank list, in the order of the places on the grid; one list is always kept in
 * one way. Errors: TG_NO_MEMORY. */
tg_status tg_layout_set_ranks(tg_layout *layout, const int *ranks, int count);

/* Calls: Local. Errors of copy: TG_NO_MEMORY, *to is then empty. An empty layout may be freed
 * again. Layouts are equal when every rank owns and holds the same boxes by the same words. */
tg_status tg_layout_copy(const tg_layout *from, tg_layout *to);
void tg_layout_free(tg_layout *layout);
bool tg_layout_equal(const tg_layout *a, const tg_layout *b);

/* Calls: Local. Is this a layout that functions below may be given? Extents, parts, cuts, order,
 * rank list (no rank twice, none negative or >= P when P > 0) are looked at. Errors: TG_BAD_INPUT
 * says what is wrong. */
tg_status tg_layout_check(const tg_layout *layout, int P);

int tg_layout_size(const tg_layout *layout);            /* places on the grid = ranks in the list */
int tg_layout_rank(const tg_layout *layout, int place); /* rank at a place of the list */
int tg_layout_place(const tg_layout *layout, int rank); /* its place, or -1: not in this layout */
void tg_layout_coords(const tg_layout *layout, int place, int coords[TG_MAX_NDIM]);
int tg_layout_place_at(const tg_layout *layout, const int coords[TG_MAX_NDIM]);
/* Calls: Local. The ranks of all places whose coordinates are those of `coords` on the fixed axes, in
 * the order of the places on the grid; returns how many. Cost: their number. */
int tg_layout_ranks_at(const tg_layout *layout, const int coords[TG_MAX_NDIM],
                       const bool fixed[TG_MAX_NDIM], int *ranks);
ptrdiff_t
tg_layout_count(const tg_layout *layout); /* entries of the whole tensor, copies not counted */

/* The box that a rank owns / holds; an empty box for a rank outside the layout, and (owned) for a
 * later copy. */
tg_box tg_layout_owned(const tg_layout *layout, int rank);
tg_box tg_layout_held(const tg_layout *layout, int rank);

/* Largest held box over the ranks, in entries. Cost: the sum of the parts over the axes. */
ptrdiff_t tg_layout_max_held(const tg_layout *layout);

/* A piece of a tensor that one rank owns and another holds. box is in the holder's coordinates,
 * which reach beyond [0, extent) on periodic axes; box + shift is the same entries in the owner's
 * coordinates. */
typedef struct {
    int rank; /* the other side */
    tg_box box;
    ptrdiff_t shift[TG_MAX_NDIM];
} tg_overlap;

/* Calls: Local. All non-empty overlaps of `box` with what the ranks of `layout` own (tg_owners_of:
 * box is a held box) or hold (tg_holders_of: box is an owned box), in a malloc'ed array that the
 * caller frees (NULL when there are none). Found by arithmetic on the grid: cost by overlaps, not
 * by ranks. Errors: TG_NO_MEMORY. */
tg_status tg_owners_of(const tg_layout *layout, const tg_box *box, tg_overlap **overlaps,
                       int *count);
tg_status tg_holders_of(const tg_layout *layout, const tg_box *box, tg_overlap **overlaps,
                        int *count);

/* All overlaps of a box but those with one rank: the other ranks, their entries, and messages when one
 * has at most so many entries of one rank. */
typedef struct {
    ptrdiff_t ranks, messages, entries;
} tg_exchanged;

/* Calls: Local. The sums of what tg_owners_of or tg_holders_of lists, without rank `but`. Cost: by the
 * parts that meet the box on each axis, not by their product; by that where a message must be split.
 * Errors: TG_NO_MEMORY. */
tg_status tg_count_owners(const tg_layout *layout, const tg_box *box, int but, ptrdiff_t most,
                          tg_exchanged *sum);
tg_status tg_count_holders(const tg_layout *layout, const tg_box *box, int but, ptrdiff_t most,
                           tg_exchanged *sum);

#endif
