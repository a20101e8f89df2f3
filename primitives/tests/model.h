/* model.h: the tests' own idea of layouts and operators, as index formulas, read from the words of
 * a case.
 *
 * It borrows struct tg_box as a plain value and nothing else: splits, windows, coordinates and rank
 * lists are computed here a second time, place by place and entry by entry, so that an error in the
 * library and an error in its test would have to be made twice.
 *
 *     F[(r, g), (s, h)] = 1 where h = g (modulo the extent on periodic axes) and
 *                         s is any holder of h in x (operators that sum) or its first holder in the
 * rank list.
 *
 * Memory operators: F[(r, g), (r, h)] is the entry of the operator's small matrix at the regions g_0
 * and h_0 where all other indices agree, and 0 between ranks. */
#ifndef TG_TESTS_MODEL_H
#define TG_TESTS_MODEL_H

#include "primitives/layout.h"

#include <stdint.h>

enum { MODEL_PLACES = 4096, MODEL_PARTS = 32, MODEL_WORD = 256 };

typedef struct model_axis model_axis;

/* The definition of a window, one output and one input at a time. */
typedef struct {
    const char *operation;                                    /* whose windows these are */
    bool (*is_output)(const model_axis *axis, long position); /* is there such an output? */
    bool (*reads)(const model_axis *axis, long output, long input);
    bool clamps; /* the first and the last entry stand for what lies beyond the ends */
} model_rule;

struct model_axis {
    long extent, parts;
    bool copied, explicit_parts;
    long start[MODEL_PARTS + 1];            /* with explicit_parts: the first entry of each part */
    long kernel, stride, padding, dilation; /* kernel 0: no window */
    bool ceil, periodic;
    const model_rule *rule; /* NULL: of a convolution */
};

typedef struct {
    int ndim, places;
    model_axis axis[TG_MAX_NDIM];
    int order[TG_MAX_NDIM];
    int rank[MODEL_PLACES]; /* by place */
} model_layout;

typedef struct {
    model_layout x, y;
    bool sums;
    const struct model_memory *memory; /* NULL: axis 0 is an axis as the others */
} model;

/* Copies the value of `key` in `line` into word; the fallback when the key is not there. The
 * operation is the first word of the line. Returns whether the key is there. */
bool model_word(const char *line, const char *key, const char *fallback, char word[MODEL_WORD]);
void model_operation(const char *line, char word[MODEL_WORD]);

/* Writes line with numbers for P (the number of ranks) and P1 (the last rank). */
void model_line(const char *format, int ranks, char *line, size_t size);

/* Reads the layouts out of a line of words; false when the words make no sense. */
bool model_read(const char *line, bool two_layouts, bool window, bool sums, model *m);
bool model_layout_read(const char *shape, const char *grid, const char *ranks, const char *order,
                       const char *parts, model_layout *layout);
void model_windows(const char *line, model_layout *layout); /* of the layout's axes */
void model_tuple(const char *word, int ndim, long filler, long *numbers);

int model_place(const model_layout *layout, int rank);
int model_highest_rank(const model *m);
void model_coords(const model_layout *layout, int place, long coords[TG_MAX_NDIM]);
long model_outputs(const model_axis *axis);
tg_box model_box(const model_layout *layout, int place, bool widened);
tg_box model_rank_box(const model_layout *layout, int rank, bool widened);
bool model_is_first(const model_layout *layout, int place); /* first copy on all copied axes */

/* Row-major walks over a box: entries, the n-th entry's global index, the place of a global index
 * in it. */
long model_count(const tg_box *box);
void model_entry(const tg_box *box, long n, long g[TG_MAX_NDIM]);
long model_offset(const tg_box *box, const long g[TG_MAX_NDIM]); /* -1: not in the box */
tg_box model_hull(const tg_box *a, const tg_box *b);

/* How a box lies in a buffer, from a word such as nchw8c:1x0:2: the places of a row-major array with
 * room in front of and behind the box on each axis; in blocks of channels the array has one axis
 * more, the last one, and axis 1 counts blocks. */
typedef struct {
    long block; /* 1: none */
    long before[TG_MAX_NDIM], after[TG_MAX_NDIM];
} model_store;
model_store model_store_read(const char *line, const char *key, int ndim);
long model_room(const model_store *store, const tg_box *box); /* places; 0 for an empty box */
long model_stored(const model_store *store, const tg_box *box, const long g[TG_MAX_NDIM]);

/* A small whole number (never 0) of the entry g at a place of a layout. */
double model_value(uint64_t seed, int place, const long g[TG_MAX_NDIM], int ndim);

/* A vector of a space: values[n] of the n-th entry of the box of the given place. Place -1 is an
 * empty box. */
typedef double (*model_vector)(const void *context, int place, const long g[TG_MAX_NDIM]);

/* The entry g of (F x) on a place of y, and of (F* y) on a place of x. */
double model_forward(const model *m, int place_y, const long g[TG_MAX_NDIM], model_vector x,
                     const void *context);
/* All entries of (F* y) on a place of x, into values. */
void model_adjoint(const model *m, int place_x, model_vector y, const void *context,
                   double *values);
/* Is F[(place_y, g), (place_x, h)] 1? */
bool model_coefficient(const model *m, int place_y, const long g[TG_MAX_NDIM], int place_x,
                       const long h[TG_MAX_NDIM]);

#endif
