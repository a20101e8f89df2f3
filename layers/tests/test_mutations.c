/* test_mutations.c: layers that are wrong on purpose must be counted as wrong by the checks that every
 * layer passes. The linker puts the functions below in the place of the library's (--wrap); while no
 * mutation is chosen they do what those do.
 *
 *     no halo sum      backward drops what neighbours give back for their ghosts
 *     bias everywhere  every column of the grid adds the bias, not only the first
 *     mean of means    moments of parts are merged as if these were of one size */
#include "layers/affine.h"
#include "layers/moments.h"
#include "layers/tests/cases.h"

typedef enum { NONE, NO_HALO_SUM, BIAS_EVERYWHERE, MEAN_OF_MEANS } mistake;
static mistake mutation;

void __real_tg_apply_adjoint(tg_op *op, void *y, void *x);
void __wrap_tg_apply_adjoint(tg_op *op, void *y, void *x);
void __real_tg_start_adjoint(tg_op *op, void *y, void *x);
void __wrap_tg_start_adjoint(tg_op *op, void *y, void *x);
void __real_tgl_moments_merge(tgl_moments *all, const tgl_moments *more);
void __wrap_tgl_moments_merge(tgl_moments *all, const tgl_moments *more);

enum { IMAGES_NDIM = 4 }; /* of the halos below; copies of parameters have more axes */

/* Clears the cotangents outside the box that this rank owns. */
static void clear_ghosts(const tg_box *own, const tg_box *held, float *dy)
{
    const ptrdiff_t count = tg_box_count(held);
    for (ptrdiff_t i = 0; i < count; i++) {
        bool inside = true;
        for (ptrdiff_t d = held->ndim - 1, rest = i; d >= 0; d--) {
            const ptrdiff_t length = held->hi[d] - held->lo[d], at = held->lo[d] + rest % length;
            inside = inside && at >= own->lo[d] && at < own->hi[d];
            rest /= length;
        }
        dy[i] = inside ? dy[i] : 0;
    }
}

static void clear_ghosts_of_halo(tg_op *op, void *y)
{
    const tg_box own = tg_op_x(op), held = tg_op_y(op);
    if (mutation == NO_HALO_SUM && own.ndim == IMAGES_NDIM)
        clear_ghosts(&own, &held, y);
}

void __wrap_tg_apply_adjoint(tg_op *op, void *y, void *x)
{
    clear_ghosts_of_halo(op, y);
    __real_tg_apply_adjoint(op, y, x);
}

void __wrap_tg_start_adjoint(tg_op *op, void *y, void *x)
{
    clear_ghosts_of_halo(op, y);
    __real_tg_start_adjoint(op, y, x);
}

void __wrap_tgl_moments_merge(tgl_moments *all, const tgl_moments *more)
{
    const double mean = (all->mean + more->mean) / 2;
    const bool both = all->count > 0 && more->count > 0;
    __real_tgl_moments_merge(all, more);
    if (mutation == MEAN_OF_MEANS && both)
        all->mean = mean;
}

/* A bias on ranks that had none. The layer frees what it finds. */
static void add_bias_everywhere(setup *s)
{
    tgl_affine_layer *a = (tgl_affine_layer *)s->layer;
    tgl_parameter *bias = &a->parameter[1];
    if (a->adds_bias)
        return;
    free(bias->value);
    free(bias->gradient);
    bias->value = make(s, a->out);
    bias->gradient = make(s, a->out);
    for (ptrdiff_t i = 0; i < a->out; i++)
        s->problem.dtype->put(bias->value, i, 1);
    a->adds_bias = true;
}

/* Entries that are counted as wrong on all ranks, forward and backward. */
static void count_wrong(const char *text, mistake chosen, int P, int rank, long wrong[2])
{
    setup s;
    wrong[0] = wrong[1] = -1;
    if (begin(&s, text, P, rank)) {
        tgl_fill(s.layer, SEED, s.x, s.dy);
        if (chosen == BIAS_EVERYWHERE)
            add_bias_everywhere(&s);
        mutation = chosen;
        tgl_forward(s.layer, s.x, s.y);
        tgl_backward(s.layer, s.x, s.dy, s.dx);
        mutation = NONE;
        wrong[0] = tgl_count_wrong_forward(s.layer, SEED, s.y);
        wrong[1] = tgl_count_wrong_backward(s.layer, SEED, s.dx);
    }
    MPI_Allreduce(MPI_IN_PLACE, wrong, 2, MPI_LONG, MPI_SUM, MPI_COMM_WORLD);
    end(&s);
}

static const struct {
    mistake mutation;
    const char *text; /* %d is P */
    bool wrong[2];    /* must forward, must backward be found wrong */
} rows[] = {
    {NO_HALO_SUM,
     "convolution batch=1 channels=2:3 space=24x4 kernel=3x3 padding=1x1 grid=1x1x%dx1",
     {false, true}},
    {NO_HALO_SUM,
     "max_pool shape=1x2x24x4 kernel=3x1 stride=1x1 padding=1x0 grid=1x1x%dx1",
     {false, true}},
    {NO_HALO_SUM,
     "avg_pool shape=1x2x24x4 kernel=3x1 stride=1x1 padding=1x0 grid=1x1x%dx1",
     {false, true}},
    {BIAS_EVERYWHERE, "affine batch=3 features=13:5 grid=1x%d", {true, false}},
    {BIAS_EVERYWHERE, "affine_sharded batch=13 features=13:5 grid=1x%d", {true, false}},
    {MEAN_OF_MEANS, "layer_norm shape=3x13 grid=1x%d", {true, true}},
    {MEAN_OF_MEANS, "batch_norm shape=13x2x3 grid=%dx1x1", {true, true}},
};

int main(int argc, char **argv)
{
    int P, rank;
    harness_begin(&argc, &argv, &P, &rank);
    for (size_t i = 0; i < sizeof rows / sizeof *rows && P > 1; i++) {
        char text[256];
        long wrong[2];
        snprintf(text, sizeof text, rows[i].text, P);
        count_wrong(text, NONE, P, rank, wrong);
        CHECK(wrong[0] == 0 && wrong[1] == 0, "%ld and %ld wrong: %s", wrong[0], wrong[1], text);
        count_wrong(text, rows[i].mutation, P, rank, wrong);
        for (int back = 0; back < 2; back++)
            CHECK((wrong[back] > 0) == rows[i].wrong[back], "%s: %ld wrong %s", text, wrong[back],
                  back ? "backward" : "forward");
    }
    return harness_end();
}
