/* distributed_layer.c: a distributed layer, written by hand with the operators of Tensorgauge.
 *
 *     y = x W^T       x: BATCH x IN, W: OUT x IN, x and y on rank 0
 *
 * The input features are dealt out over P ranks, and the columns of W with them:
 *
 *     x --scatter S--> x_p -> x_p W_p^T --sum_reduce R--> y
 *
 * The backward pass is the same chain with adjoints in reverse: R* copies dy to all ranks, each
 * makes dW_p = dy^T x_p and dx_p = dy W_p, S* gathers dx. No communication is written twice. Source:
 * Hewett and Grady, arXiv 2006.03108, section 4.
 *
 *     mpirun -np 4 distributed_layer
 *
 * At the end every rank compares with the layer `affine` of library tgl on one rank: no bit may
 * differ, as all values are whole numbers. */
#include "layers/layers.h"

#include <stdio.h>

enum { BATCH = 5, IN = 12, OUT = 4 };

typedef struct {
    tg_op *deal_x, *sum_y;
    ptrdiff_t first, in;              /* of this rank */
    double w[OUT * IN], dw[OUT * IN]; /* this rank's part: OUT x in */
    double x[BATCH * IN];             /* its part of the last x */
} layer;

static void check(tg_status status) /* the words here are ours */
{
    if (status.code == TG_OK)
        return;
    fprintf(stderr, "distributed_layer: %s\n", status.text);
    MPI_Abort(MPI_COMM_WORLD, 2);
}

static tg_op *plan(const char *name, const char *shape, const char *from, const char *to, int P)
{
    const tg_primitive *primitive = tg_primitive_find(name);
    tg_problem problem = {.primitive = primitive,
                          .dtype = tg_dtype_find("f64"),
                          .algorithm = tg_algorithm_find(primitive, "mpi")};
    tg_layout a, b;
    tg_op *op;
    check(tg_layout_parse(&(tg_layout_words){.shape = shape, .grid = from}, P, 0, &a));
    check(tg_layout_parse(&(tg_layout_words){.shape = shape, .grid = to}, P, 0, &b));
    check(tg_primitive_layouts(primitive, &a, &b, &problem.x, &problem.y));
    check(tg_plan(MPI_COMM_WORLD, &problem, &op));
    tg_layout_free(&a);
    tg_layout_free(&b);
    tg_layout_free(&problem.x);
    tg_layout_free(&problem.y);
    return op;
}

/* c = a b, m x k times k x n; element (i, j) of a lies at i ai + j aj, of b at i bi + j bj. */
static void multiply(ptrdiff_t m, ptrdiff_t n, ptrdiff_t k, const double *a, ptrdiff_t ai,
                     ptrdiff_t aj, const double *b, ptrdiff_t bi, ptrdiff_t bj, double *c)
{
    for (ptrdiff_t i = 0; i < m; i++)
        for (ptrdiff_t j = 0; j < n; j++) {
            double sum = 0;
            for (ptrdiff_t l = 0; l < k; l++)
                sum += a[i * ai + l * aj] * b[l * bi + j * bj];
            c[i * n + j] = sum;
        }
}

static void forward(layer *l, const double *x, double *y)
{
    double part[BATCH * OUT];
    tg_apply(l->deal_x, x, l->x);
    multiply(BATCH, OUT, l->in, l->x, l->in, 1, l->w, 1, l->in, part);
    tg_apply(l->sum_y, part, y);
}

static void backward(layer *l, double *dy, double *dx)
{
    double dy_copy[BATCH * OUT], dx_part[BATCH * IN];
    tg_apply_adjoint(l->sum_y, dy, dy_copy);
    multiply(OUT, l->in, BATCH, dy_copy, 1, OUT, l->x, l->in, 1, l->dw);
    multiply(BATCH, l->in, OUT, dy_copy, OUT, 1, l->w, l->in, 1, dx_part);
    tg_apply_adjoint(l->deal_x, dx_part, dx);
}

/* ---- the check: one rank, with the layer of tgl ---- */

/* A whole number from -3 to 3. */
static double value(ptrdiff_t i, ptrdiff_t j, int seed)
{
    return (double)((i * 5 + j * 11 + (i + seed) * (j + 2) * 13) % 7 - 3);
}

static void fill(double *a, ptrdiff_t rows, ptrdiff_t columns, ptrdiff_t first, int seed)
{
    for (ptrdiff_t i = 0; i < rows * columns; i++)
        a[i] = value(i / columns, first + i % columns, seed);
}

static long count_wrong(const layer *l, int rank, const double *x, double *dy, const double *y,
                        const double *dx)
{
    const tgl_affine_spec spec = {
        BATCH, IN, OUT, 1, 1, 1, .dtype = tg_dtype_find("f64"), .algorithm = "mpi"};
    double y1[BATCH * OUT], dx1[BATCH * IN];
    tgl_layer *one = NULL;
    check(tgl_affine_plan(MPI_COMM_SELF, &spec, &one));
    const tgl_parameter w = *tgl_parameter_at(one, 0);
    fill(w.value, OUT, IN, 0, 2);
    tgl_forward(one, x, y1);
    tgl_backward(one, x, dy, dx1);
    long wrong = 0;
    for (int i = 0; rank == 0 && i < BATCH * OUT; i++)
        wrong += y[i] != y1[i];
    for (int i = 0; rank == 0 && i < BATCH * IN; i++)
        wrong += dx[i] != dx1[i];
    for (ptrdiff_t i = 0; i < OUT * l->in; i++)
        wrong += l->dw[i] != ((double *)w.gradient)[i / l->in * IN + l->first + i % l->in];
    tgl_free(&one);
    return wrong;
}

int main(int argc, char **argv)
{
    int P, rank;
    MPI_Init(&argc, &argv);
    MPI_Comm_size(MPI_COMM_WORLD, &P);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    layer l = {.deal_x = plan("scatter", "5x12", "1x1", "1xP", P),
               .sum_y = plan("sum_reduce", "5x4", "Pcx1", "1x1", P),
               .first = tg_split_start(IN, P, rank)};
    double x[BATCH * IN], y[BATCH * OUT], dy[BATCH * OUT], dx[BATCH * IN];
    l.in = tg_split_start(IN, P, rank + 1) - l.first;
    fill(l.w, OUT, l.in, l.first, 2);
    fill(x, BATCH, IN, 0, 0);
    fill(dy, BATCH, OUT, 0, 1);
    forward(&l, x, y);
    backward(&l, dy, dx);
    long wrong = count_wrong(&l, rank, x, dy, y, dx), all;
    MPI_Allreduce(&wrong, &all, 1, MPI_LONG, MPI_SUM, MPI_COMM_WORLD);
    if (rank == 0)
        printf("%d features on %d ranks: %ld wrong\n", IN, P, all);
    tg_free(&l.deal_x);
    tg_free(&l.sum_y);
    MPI_Finalize();
    return all > 0;
}
