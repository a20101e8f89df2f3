/* test_optimiser.c: steps against plain loops; the tensors that are kept cover each parameter once;
 * 1,000 steps of a network with every kind of step between its layers allocate nothing. */
#include "layers/layers.h"
#include "layers/tests/allocations.h"
#include "layers/tests/harness.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { STEPS = 5, MANY = 1000, LEAST_TENSORS = 4 };

static const char text[] =
    "convolution batch=N channels=1:2 space=8x8 kernel=3x3 padding=1x1 grid=Px1x1x1 dtype=%s\n"
    "relu shape=Nx2x8x8 grid=Px1x1x1 dtype=%s\n"
    "max_pool shape=Nx2x8x8 kernel=2x2 grid=Px1x1x1 dtype=%s\n"
    "flatten shape=Nx2x4x4 from=Px1x1x1 to=1xP dtype=%s\n"
    "affine batch=N features=32:5 grid=1xP dtype=%s\n"
    "cross_entropy shape=Nx5 dtype=%s\n";

static tgl_network *plan(const char *dtype, int batch, int rank)
{
    char words[1024];
    tgl_network *n = NULL;
    snprintf(words, sizeof words, text, dtype, dtype, dtype, dtype, dtype, dtype);
    const tg_status status = tgl_network_plan(MPI_COMM_WORLD, words, batch, NULL, &n);
    CHECK(status.code == TG_OK, "rank %d: %s", rank, status.text);
    if (!n)
        MPI_Abort(MPI_COMM_WORLD, 1);
    tgl_network_init(n, 3);
    const tgl_problem *first = tgl_network_problem(n, 0);
    const tg_box x = tg_layout_held(&first->x, rank);
    for (ptrdiff_t i = 0; i < tg_box_count(&x); i++)
        first->dtype->put(tgl_network_x(n, 0), i, (double)((i * 7 + rank) % 11) / 5 - 1);
    const tgl_parameter *target = tgl_parameter_at(tgl_network_layer(n, 5), 0);
    for (ptrdiff_t i = 0; target && i < tg_box_count(&target->box); i++)
        first->dtype->put(target->value, i, (double)(i % 5));
    return n;
}

/* One entry by the formula, in f64. */
typedef struct {
    double p, a, b; /* the parameter, the states */
} entry;

static void plain_sgd(const tgl_rates *r, int t, double g, entry *e)
{
    (void)t;
    e->a = r->momentum * e->a + g;
    e->p -= r->rate * e->a;
}

static void plain_adam(const tgl_rates *r, int t, double g, entry *e)
{
    e->a = r->momentum * e->a + (1 - r->momentum) * g;
    e->b = r->second * e->b + (1 - r->second) * g * g;
    const double m = e->a / (1 - pow(r->momentum, t)), v = e->b / (1 - pow(r->second, t));
    e->p -= r->rate * m / (sqrt(v) + r->epsilon);
}

static const struct {
    const char *name;
    void (*step)(const tgl_rates *r, int t, double g, entry *e);
} plain[] = {{"sgd", plain_sgd}, {"adam", plain_adam}};

/* Entries of this rank's learning parameters, up to `room`, in order; copies them where into is not NULL. */
static int each_entry(const tgl_network *n, bool gradient, double *into, int room)
{
    const tgl_parameter *p;
    int count = 0;
    for (int l = 0; l < 5; l++)
        for (int k = 0; (p = tgl_parameter_at(tgl_network_layer(n, l), k)); k++)
            for (ptrdiff_t i = 0; i < tg_box_count(&p->box) && count < room; i++, count++)
                into[count] =
                    tgl_network_problem(n, l)->dtype->get(gradient ? p->gradient : p->value, i);
    return count;
}

static void check_rule(int which, const char *dtype, int P, int rank)
{
    enum { ROOM = 1024 };
    static double now[ROOM], gradient[ROOM];
    static entry expected[ROOM];
    const tgl_rule *rule = tgl_rule_find(plain[which].name);
    tgl_network *n = plan(dtype, 2 * P + 1, rank);
    tgl_optimiser *o = NULL;
    const double eps = strcmp(dtype, "f32") == 0 ? FLT_EPSILON : DBL_EPSILON;
    tgl_rates rates = rule->initial;
    rates.rate = 0.05;
    CHECK(tgl_optimiser_make(MPI_COMM_WORLD, n, rule, &o).code == TG_OK, "%s", rule->name);
    const int count = each_entry(n, false, now, ROOM);
    for (int i = 0; i < count; i++)
        expected[i] = (entry){now[i], 0, 0};
    for (int t = 1; t <= STEPS; t++) {
        tgl_network_forward(n);
        tgl_network_backward(n);
        each_entry(n, true, gradient, ROOM);
        tgl_optimiser_step(o, &rates);
        each_entry(n, false, now, ROOM);
        for (int i = 0; i < count; i++) {
            plain[which].step(&rates, t, gradient[i], &expected[i]);
            CHECK(fabs(now[i] - expected[i].p) <= 64 * t * eps * (fabs(expected[i].p) + rates.rate),
                  "%s %s on %d ranks: entry %d after %d steps is %.9g; expected %.9g", rule->name,
                  dtype, P, i, t, now[i], expected[i].p);
        }
    }
    tgl_optimiser_free(&o);
    tgl_network_free(&n);
}

/* Every entry of each tensor is on one rank; values come before states, in the order of the layers. */
static void check_kept(int P, int rank)
{
    tgl_network *n = plan("f32", P, rank);
    tgl_optimiser *o = NULL;
    tgl_kept t;
    int index = 0, before = 0;
    CHECK(tgl_optimiser_make(MPI_COMM_WORLD, n, tgl_rule_find("adam"), &o).code == TG_OK, "adam");
    for (; tgl_optimiser_kept(o, index, &t); index++) {
        long long mine = tg_box_count(&t.box), all = 0;
        MPI_Allreduce(&mine, &all, 1, MPI_LONG_LONG, MPI_SUM, MPI_COMM_WORLD);
        CHECK(all == tg_box_count(&t.whole), "tensor %d has %lld entries on %d ranks", index, all,
              P);
        CHECK(mine == 0 || t.data, "tensor %d has no data", index);
        CHECK(t.state == index % 3 - 1 && t.layer >= before, "tensor %d is out of order", index);
        before = t.layer;
    }
    CHECK(index == 3 * LEAST_TENSORS,
          "%d tensors; expected weight and bias, two layers, three each", index);
    tgl_optimiser_free(&o);
    tgl_network_free(&n);
}

static void check_allocations(int which, int P, int rank)
{
    const tgl_rule *rule = tgl_rule_find(plain[which].name);
    tgl_network *n = plan("f32", P + 1, rank);
    tgl_optimiser *o = NULL;
    CHECK(tgl_optimiser_make(MPI_COMM_WORLD, n, rule, &o).code == TG_OK, "%s", rule->name);
    const long before = allocations;
    CHECK(before > 0, "the allocator is not counted");
    for (int i = 0; i < MANY; i++) {
        tgl_network_forward(n);
        tgl_network_backward(n);
        tgl_optimiser_step(o, &rule->initial);
    }
    CHECK(allocations == before, "%ld allocations in %d steps of %s", allocations - before, MANY,
          rule->name);
    tgl_optimiser_free(&o);
    tgl_network_free(&n);
}

int main(int argc, char **argv)
{
    int P, rank;
    harness_begin(&argc, &argv, &P, &rank);
    for (int which = 0; which < 2; which++) {
        check_rule(which, "f32", P, rank);
        check_rule(which, "f64", P, rank);
        check_allocations(which, P, rank);
    }
    check_kept(P, rank);
    return harness_end();
}
