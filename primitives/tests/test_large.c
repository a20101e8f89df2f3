/* test_large.c LINE: more entries, and messages of more bytes, than an int counts.
 *
 * Values are a formula of the place in the tensor, so that every entry is compared while it is read
 * once: y = F x forward, and x = F* y, the sum of what the copies of an entry hold. Where the
 * memory is not there the test says so and is skipped (exit status 77). */
#include "bench/free_memory.h"
#include "primitives/tests/checks.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

enum { SKIPPED = 77 };
static const double GiB = 1024.0 * 1024.0 * 1024.0;

/* A value from 0 to 31, so that sums of four fit into i8, from an entry's place (Fibonacci hashing,
 * Knuth, The Art of Computer Programming 3, 6.4). */
static int8_t value_at(ptrdiff_t index, int salt)
{
    return (int8_t)(((uint64_t)index + (uint64_t)salt) * UINT64_C(0x9e3779b97f4a7c15) >> 59);
}

/* Go through the entries of a box of a tensor of one or two axes in the order of its buffer. Writes
 * them, or returns how many are not `copies` values of salts 1, 2, ... added (salt only when it is
 * not 0). */
static ptrdiff_t visit(const tg_layout *layout, const tg_box *box, int8_t *buffer, bool write,
                       int salt, int copies)
{
    ptrdiff_t wrong = 0, rows = box->ndim == 1 ? 1 : box->hi[0] - box->lo[0];
    int last = box->ndim - 1;
    for (ptrdiff_t row = 0; row < rows; row++) {
        ptrdiff_t start =
            box->lo[last] + (last == 0 ? 0 : (box->lo[0] + row) * layout->axis[last].extent);
        ptrdiff_t length = box->hi[last] - box->lo[last];
        for (ptrdiff_t i = 0; i < length; i++, buffer++) {
            int expected = salt > 0 ? value_at(start + i, salt) : 0;
            for (int copy = 1; salt == 0 && copy <= copies; copy++)
                expected += value_at(start + i, copy);
            if (write)
                *buffer = (int8_t)expected;
            else
                wrong += *buffer != expected;
        }
    }
    return wrong;
}

static ptrdiff_t sum(ptrdiff_t mine)
{
    long long all = mine;
    MPI_Allreduce(MPI_IN_PLACE, &all, 1, MPI_LONG_LONG, MPI_SUM, MPI_COMM_WORLD);
    return all;
}

/* Copies of every entry of y, and which of them this rank's place is, from 1. */
static int copies_of(const tg_layout *y, int rank, int *which)
{
    int copies = 1, coords[TG_MAX_NDIM] = {0}, place = tg_layout_place(y, rank);
    *which = 1;
    if (place >= 0)
        tg_layout_coords(y, place, coords);
    for (int a = 0; a < y->ndim; a++) {
        if (y->axis[a].copied) {
            *which += coords[a] * copies;
            copies *= y->axis[a].parts;
        }
    }
    return copies;
}

/* Forward and adjoint; returns the wrong entries of both, of all ranks. */
static ptrdiff_t run(const test_case *c, tg_op *op, int8_t *x, int8_t *y)
{
    const tg_problem *p = &c->problem;
    tg_box owned = tg_layout_owned(&p->x, c->rank), held = tg_layout_held(&p->y, c->rank);
    int which, copies = copies_of(&p->y, c->rank, &which);
    visit(&p->x, &owned, x, true, 1, 0);
    memset(y, -1, (size_t)tg_op_y_bytes(op));
    double start = MPI_Wtime();
    tg_apply(op, x, y);
    double forward_s = MPI_Wtime() - start;
    ptrdiff_t wrong_y = sum(visit(&p->y, &held, y, false, 1, 0));
    visit(&p->y, &held, y, true, which, 0);
    memset(x, -1, (size_t)tg_op_x_bytes(op));
    start = MPI_Wtime();
    tg_apply_adjoint(op, y, x);
    double adjoint_s = MPI_Wtime() - start;
    ptrdiff_t wrong_x = sum(visit(&p->x, &owned, x, false, 0, copies));
    ptrdiff_t checked = sum(tg_box_count(&owned)) + sum(tg_box_count(&held));
    if (c->rank == 0)
        printf("%s: forward %.1f s, adjoint %.1f s, %td entries compared, %td and %td wrong\n",
               c->line, forward_s, adjoint_s, checked, wrong_y, wrong_x);
    return wrong_x + wrong_y;
}

/* Exit status of one line: 0, 1 or SKIPPED. Collective. */
static int run_line(const char *line, int rank, int size)
{
    static test_case c;
    char text[256] = "";
    tg_op *op = NULL;
    if (!case_words(line, rank, size, &c, text) || c.problem.dtype->size != 1) {
        printf("%s: %s\n", line, text);
        return 1;
    }
    snprintf(c.line, sizeof c.line, "%s", line);
    tg_status status = tg_plan(MPI_COMM_WORLD, &c.problem, &op);
    if (status.code == TG_NO_MEMORY && rank == 0)
        printf("skipped: %s\n", status.text);
    if (status.code != TG_OK) {
        if (status.code != TG_NO_MEMORY && rank == 0)
            printf("%s: no plan: %s\n", line, status.text);
        return status.code == TG_NO_MEMORY ? SKIPPED : 1;
    }
    double need =
        (double)sum(tg_op_x_bytes(op) + tg_op_y_bytes(op) + tg_op_held_bytes(op)) / GiB + 1;
    double have =
        tgb_free_memory_read("").free_bytes / GiB; /* the ranks of this test share a node */
    MPI_Bcast(&have, 1, MPI_DOUBLE, 0, MPI_COMM_WORLD);
    int result = SKIPPED;
    if (need <= have) {
        int8_t *x = malloc((size_t)tg_op_x_bytes(op) + 1),
               *y = malloc((size_t)tg_op_y_bytes(op) + 1);
        ptrdiff_t missing = sum(x == NULL || y == NULL);
        if (missing == 0)
            result = run(&c, op, x, y) == 0 ? 0 : 1;
        free(x);
        free(y);
    }
    if (rank == 0 && result == SKIPPED)
        printf("skipped: needs %.1f GiB, %.1f GiB available\n", need, have);
    tg_free(&op);
    case_free(&c);
    return result;
}

int main(int argc, char **argv)
{
    int rank, size, result = 1;
    struct rusage usage;
    MPI_Init(&argc, &argv);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    if (argc == 2)
        result = run_line(argv[1], rank, size);
    else if (rank == 0)
        printf("usage: test_large LINE, a case of dtype=i8\n");
    getrusage(RUSAGE_SELF, &usage);
    ptrdiff_t kB = sum(usage.ru_maxrss);
    if (rank == 0)
        printf("memory used at most: %.1f GiB\n", (double)kB / (1024 * 1024));
    MPI_Finalize();
    return result;
}
