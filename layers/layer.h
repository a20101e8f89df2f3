/* layer.h: what stands behind a tgl_layer; for the files of this room only.
 *
 * A layer's own struct begins with a tgl_layer, so that a pointer to the one is a pointer to the
 * other. */
#ifndef TGL_LAYER_H
#define TGL_LAYER_H

#include "layers/layers.h"

/* What every layer can do: the functions of layers.h with the same names. fill and count_wrong are
 * NULL where the row's `expect` says what is right. */
typedef struct {
    void (*forward)(tgl_layer *layer, const void *x, void *y);
    void (*infer)(tgl_layer *layer, const void *x, void *y); /* NULL: as forward */
    /* Sums of the parameters' gradients that it leaves under way are ended by finish; NULL: none. */
    void (*backward)(tgl_layer *layer, const void *x, const void *dy, void *dx);
    void (*finish)(tgl_layer *layer);
    void (*release)(tgl_layer *layer); /* of everything, the struct included */
    void (*fill)(tgl_layer *layer, uint64_t seed, void *x, void *dy);
    ptrdiff_t (*count_wrong_forward)(const tgl_layer *layer, uint64_t seed, const void *y);
    ptrdiff_t (*count_wrong_backward)(const tgl_layer *layer, uint64_t seed, const void *dx);
} tgl_methods;

struct tgl_layer {
    const tgl_methods *methods;
    const tgl_problem *problem;      /* what it was planned for */
    int rank;                        /* this one, in the plan's communicator */
    const tgl_parameter *parameters; /* of this rank; parameter_count of them */
    int parameter_count;
    double flops_forward, flops_backward; /* of this rank, in one call */
    double flops_dx;                      /* what of backward is for dx alone */
    bool skips_dx;                        /* backward leaves dx out */
    const char *kernels;                  /* the row chosen from several; NULL: there is one */
    long version; /* of the parameters' values: from 1, counted by tgl_changed */
};

/* ---- expect.c: the entries that a layer's formula asks for ---- */

/* The inputs of a check: made from the seed, stored nowhere. */
struct tgl_inputs {
    const tgl_problem *problem;
    uint64_t seed;
};

/* Calls: Local. The entry at a global index of TGL_X, TGL_DY or TGL_PARAMETER + i. */
double tgl_input(const tgl_inputs *in, int tensor, int ndim, const ptrdiff_t *index);

/* Calls: Local. Real numbers in [-most, most) for the entries of a box. */
void tgl_draw(const tg_box *box, uint64_t seed, int tensor, double most, const tg_dtype *dtype,
              void *buffer);

/* Calls: Local. `start` in every entry. */
void tgl_start(const tgl_parameter *parameter, const tg_dtype *dtype);

void tgl_expect_fill(tgl_layer *layer, uint64_t seed, void *x, void *dy);
ptrdiff_t tgl_expect_wrong_forward(const tgl_layer *layer, uint64_t seed, const void *y);
ptrdiff_t tgl_expect_wrong_backward(const tgl_layer *layer, uint64_t seed, const void *dx);

/* The last keys of every row. */
/* clang-format off */
#define TGL_STORES {"store-x", "row", false}, {"store-y", "that of x", false}
#define TGL_TYPE {"dtype", "f32", false}, {"algorithm", "mpi", false}, {NULL, NULL, false}
/* clang-format on */

/* layer.c. Calls: Local. NULL: no key of the kind. */
const tgl_key *tgl_find_key(const tgl_kind *kind, const char *name);

/* ---- words.c: what the layers' words have in common; Calls: Local ---- */

/* Errors: TG_BAD_INPUT names the key. The text is the word's, or the default when there is none. */
tg_status tgl_word_extent(const tgl_words *words, const tgl_key *keys, const char *key,
                          ptrdiff_t *value);
tg_status tgl_word_yes(const tgl_words *words, const tgl_key *keys, const char *key, bool *yes);

/* IN:OUT */
tg_status tgl_word_pair(const tgl_words *words, const char *key, ptrdiff_t *in, ptrdiff_t *out);

/* Words of a layer alone on one rank: those of the problem, but for grids and ranks. */
tg_status tgl_word_alone(const tgl_problem *problem, tgl_words *words);

/* One number, or two as A:B (b < 0: one). */
tg_status tgl_word_set_number(tgl_words *words, const char *key, ptrdiff_t a, ptrdiff_t b);

/* The shape of a layout into problem->words. */
tg_status tgl_word_shape(const tg_layout *layout, tgl_problem *problem);

/* The rank list of a layout into problem->words. */
tg_status tgl_word_ranks(const char *key, const tg_layout *layout, tgl_problem *problem);

/* A layout of the words shape, grid, ranks (or from, from-ranks; to, to-ranks by side), which are
 * written canonically into problem->words. Errors: copies are none of a layer's. */
tg_status tgl_word_layout(const tgl_words *words, const char *shape, const char *side,
                          tgl_problem *problem, tg_layout *layout);

/* A tuple as in a case, for `axes` axes: fewer numbers are the last axes', the others get `rest`. */
tg_status tgl_word_tuple(const tgl_words *words, const tgl_key *keys, const char *key, int axes,
                         ptrdiff_t rest, ptrdiff_t *tuple, tgl_problem *problem);

/* A store without padding, of a tensor of so many axes, from a key and into problem->words; `otherwise`
 * stands for a missing word. Errors: TG_BAD_INPUT. */
tg_status tgl_word_store(const tgl_words *words, const char *key, const char *otherwise, int ndim,
                         tgl_problem *problem, tg_store *store);

/* The words store-x and store-y of a layer that takes one store for both, from problem->x. */
tg_status tgl_word_one_store(const tgl_words *words, tgl_problem *problem);

/* ---- compose.c: operators of a layer ---- */

/* Calls: Collective. A primitive of the problem's dtype and algorithm between two layouts; *op is
 * NULL when every rank would only copy its part to itself, so that the buffer can be used where it
 * lies. Errors: as tg_plan. */
tg_status tgl_compose(MPI_Comm comm, const char *primitive, const tgl_problem *problem,
                      const tg_layout *from, const tg_layout *to, tg_op **op);

/* Calls: Collective. As those of primitives.h, out of place; NULL: nothing to do. y is only read. */
void tgl_op_apply(tg_op *op, const void *x, void *y);
void tgl_op_apply_adjoint(tg_op *op, const void *y, void *x);
void tgl_op_start(tg_op *op, const void *x, void *y);
void tgl_op_start_adjoint(tg_op *op, const void *y, void *x);
void tgl_op_finish(tg_op *op);

/* Calls: Local. Of a layout only the places with part 0 on every axis that is not kept; these axes
 * then have one part. Errors: TG_NO_MEMORY; the caller frees the layout. */
tg_status tgl_keep_first(tg_layout *layout, const bool kept[TG_MAX_NDIM]);

/* As tgl_compose, between buffers that lie in these stores. */
tg_status tgl_compose_stores(MPI_Comm comm, const char *primitive, const tgl_problem *problem,
                             const tg_layout *from, const tg_store *store_from, const tg_layout *to,
                             const tg_store *store_to, tg_op **op);

/* Calls: Local. One number, in copies on `count` ranks of x: those at places 0, stride, 2 stride, ...
 * of its grid. */
tg_status tgl_loss_layout(const tg_layout *x, int P, int count, int stride, tg_layout *layout);

/* Calls: Local. Zeros for `count` entries, at least one, aligned for vectors; NULL without memory. */
void *tgl_buffer(ptrdiff_t count, const tg_dtype *dtype);

#endif
