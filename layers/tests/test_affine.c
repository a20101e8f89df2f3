/* test_affine.c: forward and backward of the affine layer against plain loops over the whole
 * problem.
 *
 * Each rank computes its own part of y, dx, dW and db from the entries of the whole x, W, b and dy,
 * which are small integers by formula, so that every result is exact. Nothing here uses the layer's
 * own oracle or layouts. */
#include "layers/layers.h"
#include "layers/tests/allocations.h"
#include "layers/tests/harness.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_RANKS = 12, VARIANTS = 24 };

/* Entry (r, c) of tensor x, w, b or y. */
static double entry(char tensor, ptrdiff_t r, ptrdiff_t c)
{
    return (double)((tensor * 3 + r * 7 + c * 5 + r * c % 11 + c * c % 3) % 9) - 4;
}

typedef struct {
    ptrdiff_t lo, hi;
} interval;

/* Part `part` of n entries that are dealt out in order, the first n mod parts of them one longer.
 */
static interval part_of(ptrdiff_t n, int parts, int part)
{
    interval result = {0, 0};
    for (int i = 0; i <= part; i++) {
        result.lo = result.hi;
        result.hi += n / parts + (i < n % parts ? 1 : 0);
    }
    return part < 0 ? (interval){0, 0} : result;
}

static ptrdiff_t length(interval i)
{
    return i.hi - i.lo;
}

/* ---- rank lists ---- */

/* Fills list with `count` different ranks below P: in order, from the last rank down, or mixed. */
static void choose_ranks(int choice, int P, int count, int *list)
{
    static const int steps[] = {5, 7, 11, 13};
    int step = 1;
    for (int i = 0; choice == 2 && i < 4; i++)
        if (P % steps[i] != 0) {
            step = steps[i];
            break;
        }
    for (int i = 0; i < count; i++)
        list[i] = choice == 1 ? P - 1 - i : (i * step + (choice == 2)) % P;
}

static void print_ranks(const int *list, int count, char *text)
{
    for (int i = 0; i < count; i++)
        text += sprintf(text, "%s%d", i ? "," : "", list[i]);
}

static int place_of(const int *list, int count, int rank)
{
    for (int i = 0; i < count; i++)
        if (list[i] == rank)
            return i;
    return -1;
}

/* ---- one problem ---- */

typedef struct {
    tgl_affine_spec spec;
    char weights; /* the tensor that W is now */
    char ranks_text[64], from_text[64], to_text[64], name[160];
    int ranks[MAX_RANKS], from[MAX_RANKS], to[MAX_RANKS];
} problem;

/* Choices depend on the number of the problem only, so that all ranks make the same. */
static void make_problem(problem *p, int P, int parts_out, int parts_in, int variant)
{
    static const ptrdiff_t sizes[][3] = {{4, 7, 5},  {1, 16, 3}, {0, 5, 4}, {3, 2, 9},
                                         {5, 13, 2}, {2, 0, 3},  {2, 3, 0}, {6, 24, 36}};
    int salt = variant + 3 * parts_out + 5 * parts_in;
    int ranks = salt % 3, from = salt / 3 % 3, to = (salt + variant / 5) % 3;
    const ptrdiff_t *size = sizes[(variant + parts_out + parts_in) % 8];
    p->spec = (tgl_affine_spec){.batch = size[0],
                                .parts_batch = 1,
                                .features_in = size[1],
                                .features_out = size[2],
                                .parts_out = parts_out,
                                .parts_in = parts_in,
                                .bias = variant / 4 % 3 != 0,
                                .dtype = tg_dtype_find(variant & 1 ? "f64" : "f32"),
                                .algorithm = variant & 2 ? "mpi" : "reference"};
    p->weights = 'w';
    choose_ranks(ranks, P, parts_out * parts_in, p->ranks);
    print_ranks(p->ranks, parts_out * parts_in, p->ranks_text);
    p->spec.ranks = ranks ? p->ranks_text : NULL;
    choose_ranks(from, P, parts_in, p->from);
    print_ranks(p->from, parts_in, p->from_text);
    p->spec.from_ranks = from ? p->from_text : NULL;
    for (int i = 0; !from && i < parts_in; i++)
        p->from[i] = p->ranks[i];
    choose_ranks(to, P, parts_out, p->to);
    print_ranks(p->to, parts_out, p->to_text);
    p->spec.to_ranks = to ? p->to_text : NULL;
    for (int i = 0; !to && i < parts_out; i++)
        p->to[i] = p->ranks[i * parts_in];
    snprintf(p->name, sizeof p->name,
             "batch=%td features=%td:%td grid=%dx%d ranks=%s %s %s bias=%d variant %d", size[0],
             size[1], size[2], parts_out, parts_in, p->ranks_text, p->spec.dtype->name,
             p->spec.algorithm, p->spec.bias, variant);
}

/* A rank's dense block of a tensor, rows x columns; NULL when it has none. */
static void *make_block(const problem *p, interval rows, interval columns)
{
    size_t count = (size_t)(length(rows) * length(columns));
    return count ? malloc(count * p->spec.dtype->size) : NULL;
}

static void put_block(const problem *p, char tensor, interval rows, interval columns, void *block)
{
    for (ptrdiff_t r = rows.lo; r < rows.hi; r++)
        for (ptrdiff_t c = columns.lo; c < columns.hi; c++)
            p->spec.dtype->put(block, (r - rows.lo) * length(columns) + c - columns.lo,
                               tensor ? entry(tensor, r, c) : NAN);
}

/* Compare a block with a function of the global entry. */
static void check_block(const problem *p, const char *what, interval rows, interval columns,
                        const void *block,
                        double (*expected)(const problem *, ptrdiff_t, ptrdiff_t))
{
    for (ptrdiff_t r = rows.lo; r < rows.hi; r++)
        for (ptrdiff_t c = columns.lo; c < columns.hi; c++) {
            double got =
                p->spec.dtype->get(block, (r - rows.lo) * length(columns) + c - columns.lo);
            double want = expected(p, r, c);
            CHECK(got == want, "%s(%td, %td) is %g, expected %g: %s", what, r, c, got, want,
                  p->name);
        }
}

static double x_of(const problem *p, ptrdiff_t n, ptrdiff_t i)
{
    (void)p;
    return entry('x', n, i);
}

static double w_of(const problem *p, ptrdiff_t o, ptrdiff_t i)
{
    return entry(p->weights, o, i);
}

static double dy_of(const problem *p, ptrdiff_t n, ptrdiff_t o)
{
    (void)p;
    return entry('y', n, o);
}

static double y_of(const problem *p, ptrdiff_t n, ptrdiff_t o)
{
    double sum = p->spec.bias ? entry('b', 0, o) : 0;
    for (ptrdiff_t i = 0; i < p->spec.features_in; i++)
        sum += entry('x', n, i) * w_of(p, o, i);
    return sum;
}

static double dx_of(const problem *p, ptrdiff_t n, ptrdiff_t i)
{
    double sum = 0;
    for (ptrdiff_t o = 0; o < p->spec.features_out; o++)
        sum += entry('y', n, o) * w_of(p, o, i);
    return sum;
}

static double dw_of(const problem *p, ptrdiff_t o, ptrdiff_t i)
{
    double sum = 0;
    for (ptrdiff_t n = 0; n < p->spec.batch; n++)
        sum += entry('y', n, o) * entry('x', n, i);
    return sum;
}

static double db_of(const problem *p, ptrdiff_t zero, ptrdiff_t o)
{
    double sum = 0;
    for (ptrdiff_t n = 0; n < p->spec.batch; n++)
        sum += entry('y', n, o);
    return sum + (double)zero;
}

/* What one rank has of a problem. */
typedef struct {
    interval batch, x, y, in, out; /* features of its x and y, and of its block of the weights */
    bool on_grid, has_bias;
    void *x_data, *y_data, *dy_data, *dx_data;
} share;

static share make_share(const problem *p, int rank)
{
    const tgl_affine_spec *s = &p->spec;
    int place = place_of(p->ranks, s->parts_out * s->parts_in, rank);
    share h = {.batch = {0, s->batch},
               .x = part_of(s->features_in, s->parts_in, place_of(p->from, s->parts_in, rank)),
               .y = part_of(s->features_out, s->parts_out, place_of(p->to, s->parts_out, rank)),
               .in = part_of(s->features_in, s->parts_in, place < 0 ? -1 : place % s->parts_in),
               .out = part_of(s->features_out, s->parts_out, place < 0 ? -1 : place / s->parts_in),
               .on_grid = place >= 0,
               .has_bias = s->bias && place >= 0 && place % s->parts_in == 0};
    h.x_data = make_block(p, h.batch, h.x);
    h.dx_data = make_block(p, h.batch, h.x);
    h.y_data = make_block(p, h.batch, h.y);
    h.dy_data = make_block(p, h.batch, h.y);
    put_block(p, 'x', h.batch, h.x, h.x_data);
    put_block(p, 'y', h.batch, h.y, h.dy_data);
    return h;
}

static void free_share(share *h)
{
    free(h->x_data);
    free(h->dx_data);
    free(h->y_data);
    free(h->dy_data);
}

static const interval one_row = {0, 1};

static void check_parameters(const problem *p, const share *h, tgl_layer *layer)
{
    const tgl_parameter *w = tgl_parameter_at(layer, 0), *b = tgl_parameter_at(layer, 1);
    CHECK((w != NULL) == h->on_grid, "weight: %s", p->name);
    CHECK((b != NULL) == h->has_bias, "bias: %s", p->name);
    CHECK(!tgl_parameter_at(layer, 2) && !tgl_parameter_at(layer, -1), "%s", p->name);
    tg_box weight = {.ndim = 2, .lo = {h->out.lo, h->in.lo}, .hi = {h->out.hi, h->in.hi}};
    tg_box bias = {.ndim = 1, .lo = {h->out.lo}, .hi = {h->out.hi}};
    CHECK(!w || (strcmp(w->name, "weight") == 0 && tg_box_equal(&w->box, &weight)), "%s", p->name);
    CHECK(!b || (strcmp(b->name, "bias") == 0 && tg_box_equal(&b->box, &bias)), "%s", p->name);
    double product = 2.0 * (double)p->spec.batch * (double)length(h->in) * (double)length(h->out);
    double added = h->has_bias ? (double)p->spec.batch * (double)length(h->out) : 0;
    CHECK(tgl_flops_forward(layer) == product + added, "%s", p->name);
    CHECK(tgl_flops_backward(layer) == 2 * product + added, "%s", p->name);
    if (w)
        put_block(p, 'w', h->out, h->in, w->value);
    if (b)
        put_block(p, 'b', one_row, h->out, b->value);
}

/* Forward may keep what it has made of weights that did not change. */
static void change_weights(problem *p, const share *h, tgl_layer *layer)
{
    const tgl_parameter *w = tgl_parameter_at(layer, 0);
    p->weights++;
    if (w)
        put_block(p, p->weights, h->out, h->in, w->value);
    tgl_changed(layer);
}

static void check_forward(const problem *p, const share *h, tgl_layer *layer)
{
    put_block(p, 0, h->batch, h->y, h->y_data);
    long before = allocations;
    tgl_forward(layer, h->x_data, h->y_data);
    CHECK(allocations == before, "forward allocates: %s", p->name);
    check_block(p, "y", h->batch, h->y, h->y_data, y_of);
    check_block(p, "x after forward", h->batch, h->x, h->x_data, x_of);
}

static void check_backward(const problem *p, const share *h, tgl_layer *layer)
{
    const tgl_parameter *w = tgl_parameter_at(layer, 0), *b = tgl_parameter_at(layer, 1);
    put_block(p, 0, h->batch, h->x, h->dx_data);
    if (w)
        put_block(p, 0, h->out, h->in, w->gradient);
    if (b)
        put_block(p, 0, one_row, h->out, b->gradient);
    long before = allocations;
    tgl_backward(layer, h->x_data, h->dy_data, h->dx_data);
    CHECK(allocations == before, "backward allocates: %s", p->name);
    check_block(p, "dx", h->batch, h->x, h->dx_data, dx_of);
    check_block(p, "x after backward", h->batch, h->x, h->x_data, x_of);
    check_block(p, "dy after backward", h->batch, h->y, h->dy_data, dy_of);
    if (w) {
        check_block(p, "dW", h->out, h->in, w->gradient, dw_of);
        check_block(p, "W", h->out, h->in, w->value, w_of);
    }
    if (b)
        check_block(p, "db", one_row, h->out, b->gradient, db_of);
}

/* The layouts that the layer tells its callers. */
static void check_layouts(const problem *p, const share *h, int P, int rank)
{
    tg_layout x, y;
    tg_status status = tgl_affine_layouts(&p->spec, P, &x, &y);
    CHECK(status.code == TG_OK, "%s: %s", status.text, p->name);
    tg_box held_x = tg_layout_held(&x, rank), held_y = tg_layout_held(&y, rank);
    tg_box box_x = {.ndim = 3, .lo = {0, 0, h->x.lo}, .hi = {1, p->spec.batch, h->x.hi}};
    tg_box box_y = {.ndim = 3, .lo = {0, h->y.lo, 0}, .hi = {p->spec.batch, h->y.hi, 1}};
    CHECK(tg_box_equal(&held_x, &box_x), "x: %s", p->name);
    CHECK(tg_box_equal(&held_y, &box_y), "y: %s", p->name);
    tg_layout_free(&x);
    tg_layout_free(&y);
}

static void check_problem(MPI_Comm comm, int P, int parts_out, int parts_in, int variant)
{
    int rank;
    MPI_Comm_rank(comm, &rank);
    problem p;
    make_problem(&p, P, parts_out, parts_in, variant);
    share h = make_share(&p, rank);
    check_layouts(&p, &h, P, rank);
    tgl_layer *layer;
    tg_status status = tgl_affine_plan(comm, &p.spec, &layer);
    CHECK(status.code == TG_OK && layer, "%s: %s", status.text, p.name);
    CHECK(allocations > 0, "the counter counts");
    if (layer) {
        check_parameters(&p, &h, layer);
        check_forward(&p, &h, layer);
        check_backward(&p, &h, layer);
        check_backward(&p, &h, layer);
        check_forward(&p, &h, layer);
        change_weights(&p, &h, layer);
        for (int i = 0; i < 3; i++)
            check_forward(&p, &h, layer);
        change_weights(&p, &h, layer);
        check_forward(&p, &h, layer);
        check_backward(&p, &h, layer);
    }
    tgl_free(&layer);
    CHECK(!layer, "%s", p.name);
    tgl_free(&layer);
    free_share(&h);
}

int main(int argc, char **argv)
{
    int P, rank;
    harness_begin(&argc, &argv, &P, &rank);
    MPI_Comm backwards; /* a communicator whose ranks are not the world's */
    MPI_Comm_split(MPI_COMM_WORLD, 0, P - rank, &backwards);
    for (int parts_out = 1; parts_out <= P; parts_out++)
        for (int parts_in = 1; parts_out * parts_in <= P; parts_in++)
            for (int variant = 0; variant < VARIANTS; variant++)
                check_problem(variant % 5 ? MPI_COMM_WORLD : backwards, P, parts_out, parts_in,
                              variant);
    MPI_Comm_free(&backwards);
    return harness_end();
}
