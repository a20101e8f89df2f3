/* halo_stencil.c: a stencil code on the halo exchange of Tensorgauge.
 *
 * One step of the heat equation on a grid of cells: new = u + (sum of the 4 neighbours - 4 u) / 8,
 * with zeros outside. Every rank owns a box of the grid and needs one more row or column of its
 * neighbours: a halo with kernel 3 and padding 1. The operator works in place on one padded buffer.
 * While the messages are under way the ranks compute what needs no neighbour.
 *
 *     mpirun -np 4 halo_stencil [ROWS COLUMNS STEPS]
 *
 * At the end every rank compares its box with the same steps on one rank: no bit may differ. */
#include "primitives/primitives.h"

#include <stdio.h>
#include <stdlib.h>

/* A box of cells and their values, row by row. */
typedef struct {
    tg_box box;
    double *u;
} field;

static void stop_on(tg_status status)
{
    if (status.code == TG_OK)
        return;
    int rank;
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    if (rank == 0)
        fprintf(stderr, "halo_stencil: %s\n", status.text);
    MPI_Finalize();
    exit(2);
}

/* The cell (i, j) of the grid; zero outside the box that is held. */
static double cell(const field *f, ptrdiff_t i, ptrdiff_t j)
{
    const ptrdiff_t *lo = f->box.lo, *hi = f->box.hi;
    return i < lo[0] || i >= hi[0] || j < lo[1] || j >= hi[1]
               ? 0
               : f->u[(i - lo[0]) * (hi[1] - lo[1]) + j - lo[1]];
}

/* The cells of `part` that lie within `inner` (or only those that do not) from old to new. */
static void compute(const field *old, const field *new, const tg_box *part, const tg_box *inner,
                    bool within)
{
    for (ptrdiff_t i = part->lo[0]; i < part->hi[0]; i++)
        for (ptrdiff_t j = part->lo[1]; j < part->hi[1]; j++) {
            const bool is_within =
                i >= inner->lo[0] && i < inner->hi[0] && j >= inner->lo[1] && j < inner->hi[1];
            if (is_within != within)
                continue;
            const double u = cell(old, i, j);
            const double sum = cell(old, i - 1, j) + cell(old, i + 1, j) + cell(old, i, j - 1) +
                               cell(old, i, j + 1);
            new->u[(i - new->box.lo[0]) * (new->box.hi[1] - new->box.lo[1]) + j - new->box.lo[1]] =
                u + (sum - 4 * u) / 8;
        }
}

static field make_field(tg_box box)
{
    const ptrdiff_t count = tg_box_count(&box);
    return (field){box, calloc(count > 0 ? (size_t)count : 1, sizeof(double))};
}

static void begin(const field *f, const tg_box *part)
{
    for (ptrdiff_t i = part->lo[0]; i < part->hi[0]; i++)
        for (ptrdiff_t j = part->lo[1]; j < part->hi[1]; j++)
            f->u[(i - f->box.lo[0]) * (f->box.hi[1] - f->box.lo[1]) + j - f->box.lo[1]] =
                (double)((i * 31 + j * 17) % 101);
}

/* Steps on one buffer; halo NULL: it holds the whole grid. Returns the buffer of the last step. */
static field run(tg_op *halo, tg_box held, tg_box owned, long steps)
{
    field old = make_field(held), new = make_field(held);
    tg_box inner = owned; /* needs no neighbour */
    for (int a = 0; halo && a < 2; a++) {
        inner.lo[a]++;
        inner.hi[a]--;
    }
    begin(&old, &owned);
    for (long step = 0; step < steps; step++) {
        if (halo)
            tg_start(halo, old.u, old.u);
        compute(&old, &new, &owned, &inner, true);
        if (halo)
            tg_finish(halo);
        compute(&old, &new, &owned, &inner, false);
        const field swap = old;
        old = new;
        new = swap;
    }
    free(new.u);
    return old;
}

int main(int argc, char **argv)
{
    int P, rank;
    MPI_Init(&argc, &argv);
    MPI_Comm_size(MPI_COMM_WORLD, &P);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    const ptrdiff_t extent[2] = {argc > 1 ? strtol(argv[1], NULL, 10) : 60,
                                 argc > 2 ? strtol(argv[2], NULL, 10) : 40};
    const long steps = argc > 3 ? strtol(argv[3], NULL, 10) : 20;

    /* The layout: the grid of ranks that the primitive prefers, and a window on both axes. */
    const tg_primitive *primitive = tg_primitive_find("halo");
    char shape[64], grid[64];
    snprintf(shape, sizeof shape, "%tdx%td", extent[0], extent[1]);
    primitive->auto_grid(extent, 2, P, false, grid, sizeof grid);
    tg_layout cells;
    stop_on(tg_layout_parse(&(tg_layout_words){.shape = shape, .grid = grid}, P, 0, &cells));
    for (int a = 0; a < 2; a++)
        cells.axis[a].window = (tg_window){.kernel = 3, .stride = 1, .padding = 1, .dilation = 1};

    tg_problem problem = {.primitive = primitive,
                          .dtype = tg_dtype_find("f64"),
                          .algorithm = tg_algorithm_find(primitive, "mpi"),
                          .place = TG_IN_PLACE};
    tg_op *halo;
    stop_on(tg_primitive_layouts(primitive, &cells, NULL, &problem.x, &problem.y));
    stop_on(tg_plan(MPI_COMM_WORLD, &problem, &halo));

    const tg_box owned = tg_layout_owned(&problem.x, rank);
    const tg_box whole = {2, {0, 0}, {extent[0], extent[1]}};
    const field mine = run(halo, tg_op_x(halo), owned, steps),
                alone = run(NULL, whole, whole, steps);
    long wrong = 0, all;
    for (ptrdiff_t i = owned.lo[0]; i < owned.hi[0]; i++)
        for (ptrdiff_t j = owned.lo[1]; j < owned.hi[1]; j++)
            wrong += cell(&mine, i, j) != cell(&alone, i, j);
    MPI_Allreduce(&wrong, &all, 1, MPI_LONG, MPI_SUM, MPI_COMM_WORLD);
    if (rank == 0)
        printf("%s cells on a grid of %s ranks, %ld steps: %ld wrong\n", shape, grid, steps, all);
    tg_free(&halo);
    tg_layout_free(&problem.x);
    tg_layout_free(&problem.y);
    tg_layout_free(&cells);
    free(mine.u);
    free(alone.u);
    MPI_Finalize();
    return all > 0;
}
