/* test_affine_oracle.c: the layer's oracle finds nothing wrong in right results, and counts each
 * wrong entry of spoiled ones: bias added on every column, a missing summand, swapped blocks, a
 * single flipped entry.
 *
 * The right count is the number of entries that differ from the unspoiled result. */
#include "layers/layers.h"
#include "layers/tests/harness.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { SEED = 7 };

static long caught[8]; /* wrong entries found, by kind of mutation */
enum { FLIP, BIAS, SUMMAND, SWAP, FLIP_DX, FLIP_DW, FLIP_DB, SUMMAND_DX };

typedef struct {
    tgl_affine_spec spec;
    tgl_layer *layer;
    const tgl_parameter *weight, *bias; /* of this rank, or NULL */
    ptrdiff_t x_count, y_count;         /* entries of this rank */
    void *x, *y, *dy, *dx, *right_y, *right_dx;
    int P, rank, place;
} setup;

static size_t bytes(const setup *s, ptrdiff_t count)
{
    return (size_t)count * s->spec.dtype->size;
}

static void *make(const setup *s, ptrdiff_t count)
{
    return calloc((size_t)count + 1, s->spec.dtype->size);
}

static ptrdiff_t differing(const setup *s, const void *a, const void *b, ptrdiff_t count)
{
    ptrdiff_t different = 0;
    for (ptrdiff_t i = 0; i < count; i++)
        different += s->spec.dtype->get(a, i) != s->spec.dtype->get(b, i);
    return different;
}

static void add_at(const setup *s, void *array, ptrdiff_t i, double value)
{
    s->spec.dtype->put(array, i, s->spec.dtype->get(array, i) + value);
}

/* y against the right one: the oracle must count exactly the entries that differ. */
static void check_y(setup *s, int kind)
{
    ptrdiff_t expected = differing(s, s->y, s->right_y, s->y_count);
    ptrdiff_t wrong = tgl_count_wrong_forward(s->layer, SEED, s->y);
    CHECK(wrong == expected, "kind %d: %td wrong, expected %td", kind, wrong, expected);
    caught[kind] += wrong;
    if (s->y_count)
        memcpy(s->y, s->right_y, bytes(s, s->y_count));
}

static void check_dx(setup *s, int kind)
{
    ptrdiff_t expected = differing(s, s->dx, s->right_dx, s->x_count);
    ptrdiff_t wrong = tgl_count_wrong_backward(s->layer, SEED, s->dx);
    CHECK(wrong == expected, "kind %d: %td wrong, expected %td", kind, wrong, expected);
    caught[kind] += wrong;
    memcpy(s->dx, s->right_dx, bytes(s, s->x_count));
}

static void test_right_results(setup *s)
{
    tgl_fill(s->layer, SEED, s->x, s->dy);
    tgl_forward(s->layer, s->x, s->y);
    tgl_backward(s->layer, s->x, s->dy, s->dx);
    CHECK(tgl_count_wrong_forward(s->layer, SEED, s->y) == 0, "forward");
    CHECK(tgl_count_wrong_backward(s->layer, SEED, s->dx) == 0, "backward");
    memcpy(s->right_y, s->y, bytes(s, s->y_count));
    memcpy(s->right_dx, s->dx, bytes(s, s->x_count));
    if (s->y_count > 8)
        CHECK(tgl_count_wrong_forward(s->layer, SEED + 1, s->y) > 0, "another seed");
}

static void test_flips(setup *s)
{
    const double changes[] = {1, -0.5, NAN, HUGE_VAL};
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        if (s->y_count)
            add_at(s, s->y, (s->y_count - 1) * (ptrdiff_t)i / 3, changes[i]);
        check_y(s, FLIP);
        if (s->x_count)
            add_at(s, s->dx, (s->x_count - 1) * (ptrdiff_t)i / 3, changes[i]);
        check_dx(s, FLIP_DX);
    }
}

/* A flipped entry of a gradient, its first or its last: one more wrong entry. */
static void test_flipped_gradients(setup *s)
{
    const tgl_parameter *parameters[] = {s->weight, s->bias};
    for (int i = 0; i < 2; i++) {
        ptrdiff_t count = parameters[i] ? tg_box_count(&parameters[i]->box) : 0;
        for (int last = 0; last < 2 && count > 0; last++) {
            ptrdiff_t at = last ? count - 1 : 0;
            add_at(s, parameters[i]->gradient, at, 1);
            ptrdiff_t wrong = tgl_count_wrong_backward(s->layer, SEED, s->dx);
            CHECK(wrong == 1, "%s: %td wrong", parameters[i]->name, wrong);
            caught[FLIP_DW + i] += wrong;
            add_at(s, parameters[i]->gradient, at, -1);
        }
    }
}

/* As if every column of the grid added b: y has it parts_in - 1 times too often. */
static void test_bias_on_every_column(setup *s)
{
    ptrdiff_t out = s->bias ? tg_box_count(&s->bias->box) : 0;
    for (ptrdiff_t i = 0; out > 0 && i < s->y_count; i++)
        add_at(s, s->y, i, (s->spec.parts_in - 1) * s->spec.dtype->get(s->bias->value, i % out));
    check_y(s, BIAS);
}

/* As if one rank took no part in the sums: with weights of zero it adds nothing. */
static void test_missing_summand(setup *s, int place)
{
    if (s->place == place)
        memset(s->weight->value, 0, bytes(s, tg_box_count(&s->weight->box)));
    tgl_changed(s->layer);
    tgl_forward(s->layer, s->x, s->y);
    check_y(s, SUMMAND);
    tgl_backward(s->layer, s->x, s->dy, s->dx);
    check_dx(s, SUMMAND_DX); /* the gradients do not depend on the weights */
    tgl_fill(s->layer, SEED, s->x, s->dy);
}

/* The first two ranks of the first column exchange their parts of y, when these are of one size. */
static void test_swapped_blocks(setup *s)
{
    ptrdiff_t first = tg_split_start(s->spec.features_out, s->spec.parts_out, 1);
    ptrdiff_t second = tg_split_start(s->spec.features_out, s->spec.parts_out, 2) - first;
    if (s->spec.parts_out < 2 || first != second)
        return;
    int partner = s->place == 0 ? s->spec.parts_in : 0;
    if (s->place == 0 || s->place == s->spec.parts_in)
        MPI_Sendrecv(s->right_y, (int)s->y_count, s->spec.dtype->mpi(), partner, 0, s->y,
                     (int)s->y_count, s->spec.dtype->mpi(), partner, 0, MPI_COMM_WORLD,
                     MPI_STATUS_IGNORE);
    check_y(s, SWAP);
}

static ptrdiff_t held_count(const tg_layout *layout, int rank)
{
    tg_box box = tg_layout_held(layout, rank);
    return tg_box_count(&box);
}

static void check_grid(int P, int rank, int parts_out, int parts_in, const char *dtype)
{
    setup s = {.spec = {.batch = 5,
                        .parts_batch = 1,
                        .features_in = 23,
                        .features_out = 18,
                        .parts_out = parts_out,
                        .parts_in = parts_in,
                        .bias = true,
                        .dtype = tg_dtype_find(dtype),
                        .algorithm = "mpi"},
               .P = P,
               .rank = rank,
               .place = rank < parts_out * parts_in ? rank : -1};
    tg_layout x, y;
    tg_status status = tgl_affine_layouts(&s.spec, P, &x, &y);
    CHECK(status.code == TG_OK, "%s", status.text);
    s.x_count = held_count(&x, rank);
    s.y_count = held_count(&y, rank);
    tg_layout_free(&x);
    tg_layout_free(&y);
    void **buffers[] = {&s.x, &s.dx, &s.right_dx, &s.y, &s.dy, &s.right_y};
    for (int i = 0; i < 6; i++)
        *buffers[i] = make(&s, i < 3 ? s.x_count : s.y_count);
    status = tgl_affine_plan(MPI_COMM_WORLD, &s.spec, &s.layer);
    CHECK(status.code == TG_OK, "%s", status.text);
    s.weight = tgl_parameter_at(s.layer, 0);
    s.bias = tgl_parameter_at(s.layer, 1);
    test_right_results(&s);
    test_flips(&s);
    test_flipped_gradients(&s);
    test_bias_on_every_column(&s);
    test_missing_summand(&s, parts_in - 1);
    test_missing_summand(&s, (parts_out - 1) * parts_in);
    test_swapped_blocks(&s);
    tgl_free(&s.layer);
    for (int i = 0; i < 6; i++)
        free(*buffers[i]);
}

/* Each kind of mutation that this number of ranks allows must have been made and seen. */
static void check_caught(int P)
{
    MPI_Allreduce(MPI_IN_PLACE, caught, 8, MPI_LONG, MPI_SUM, MPI_COMM_WORLD);
    for (int kind = 0; kind < 8; kind++)
        CHECK(caught[kind] > 0 || (P == 1 && (kind == BIAS || kind == SWAP)),
              "kind %d was never wrong", kind);
}

int main(int argc, char **argv)
{
    int P, rank;
    harness_begin(&argc, &argv, &P, &rank);
    for (int parts_out = 1; parts_out <= P; parts_out++)
        for (int parts_in = 1; parts_out * parts_in <= P; parts_in++)
            check_grid(P, rank, parts_out, parts_in, (parts_out + parts_in) % 2 ? "f64" : "f32");
    check_caught(P);
    return harness_end();
}
