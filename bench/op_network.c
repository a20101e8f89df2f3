/* op_network.c: every network of networks/ as an operation: forward, backward, and a whole step with
 * SGD. The tensor that --sizes counts is x, the parameters and the loss. What is right is said by the
 * same layers on one rank, with the same input and initial values: each rank compares the loss, its
 * gradients, or its parameters behind the step. */
#include "bench/network_words.h"
#include "bench/networks.h"
#include "bench/operation.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Losses and gradients may differ by this much of the largest one of a tensor: sums in another order, and
 * a largest entry of a pooling that is another one for it. */
static const double tolerance = 1e-3;

/* Small, so that many steps with one batch go nowhere. */
static const tgl_rates rates = {.rate = 1e-4, .momentum = 0.9};

/* A network, its input and what it was told. */
typedef struct {
    tgl_network *network;
    tgl_optimiser *optimiser;
    double loss;
    int last; /* the loss */
} trainee;

typedef struct {
    trainee together, alone;
} networks;

/* ---- resolve ---- */

static const char *text_of(const tgb_operation *operation)
{
    const char *name = strchr(operation->name, ':') + 1;
    const tgb_network *n = tgb_networks;
    while (strcmp(n->name, name) != 0)
        n++;
    return n->text;
}

static tg_status put_words(const tgb_case *words, ptrdiff_t batch, tgb_setup *setup)
{
    char text[32];
    const char *given = tgb_case_get(words, "overlap"), *overlap = given ? given : "yes";
    const char *kernels = tgb_case_get(words, "kernels");
    snprintf(text, sizeof text, "%td", batch);
    tg_status status = tgb_case_set(&setup->words, "batch", text);
    if (status.code == TG_OK)
        status = tgb_case_set(&setup->words, "kernels", kernels ? kernels : "auto");
    if (strcmp(overlap, "yes") != 0 && strcmp(overlap, "no") != 0)
        status = tg_fail(TG_BAD_INPUT, "overlap=%.40s: expected yes or no", overlap);
    if (status.code == TG_OK)
        status = tgb_case_set(&setup->words, "overlap", overlap);
    if (status.code == TG_OK)
        status = tgb_case_set(&setup->words, "dtype", "f32");
    return status.code == TG_OK ? tgb_case_set(&setup->words, "algorithm", "mpi") : status;
}

static tg_status resolve(const tgb_case *words, int P, ptrdiff_t N, tgb_setup *setup)
{
    const char *given = tgb_case_get(words, "batch");
    long batch = (long)N;
    tgl_network_facts f;
    tg_status status = tg_success();
    if (!given || strcmp(given, "N") != 0)
        status = tgb_parse_int("batch=", given ? given : "256", 1, 1 << 24, &batch);
    if (status.code == TG_OK)
        status = tgl_network_resolve(text_of(setup->operation), batch,
                                     tgb_case_get(words, "kernels"), P, &f);
    if (status.code != TG_OK)
        return status;
    const ptrdiff_t size = (ptrdiff_t)setup->problem.dtype->size;
    setup->problem.x = f.x;
    setup->problem.y = f.y;
    setup->size_bytes = (tg_layout_count(&f.x) + tg_layout_count(&f.y) + f.parameters) * size;
    setup->held_x_bytes = tg_layout_max_held(&f.x) * size;
    setup->held_y_bytes = tg_layout_max_held(&f.y) * size;
    setup->flops = f.flops;
    setup->weak_goal = f.flops;
    setup->weak_part = f.busiest_flops;
    setup->layer.facts.parameters_most = f.entries_most;
    setup->layer.facts.group[0] = f.group;
    setup->layer.facts.busiest_flops = f.flops / P;
    setup->local = P == 1;
    return put_words(words, batch, setup);
}

/* Layers may be busiest on different ranks, and one layer may wait for its data while another computes:
 * what holds for any network is that some rank computes an equal share, and that no layer is faster than
 * the data of its largest group. */
static tg_status load(const tgb_setup *setup, tgb_load *l)
{
    l->group[0] = setup->layer.facts.group[0];
    l->flops = setup->layer.facts.busiest_flops;
    return tg_success();
}

/* ---- work ---- */

static tg_status make_trainee(MPI_Comm comm, const char *text, long batch, const char *kernels,
                              trainee *t)
{
    tg_status status = tgl_network_plan(comm, text, batch, kernels, &t->network);
    if (status.code == TG_OK)
        status = tgl_optimiser_make(comm, t->network, &tgl_rules[0], &t->optimiser);
    while (t->network && tgl_network_layer(t->network, t->last + 1))
        t->last++;
    return status;
}

static void free_work(tgb_work *work)
{
    networks *n = work->raw;
    if (!n)
        return;
    tgl_optimiser_free(&n->together.optimiser);
    tgl_network_free(&n->together.network);
    tgl_optimiser_free(&n->alone.optimiser);
    tgl_network_free(&n->alone.network);
    free(n);
    work->raw = NULL;
}

/* Bytes of the largest x, or y, of the first and the last layer: a fill writes both of each. */
static ptrdiff_t larger_part(const trainee *t, int rank, bool of_y)
{
    ptrdiff_t most = 0;
    for (int i = 0; i <= t->last; i += t->last > 0 ? t->last : 1) {
        const tgl_problem *p = tgl_network_problem(t->network, i);
        const tg_box box = tg_layout_held(of_y ? &p->y : &p->x, rank);
        const ptrdiff_t bytes =
            tg_store_entries(of_y ? &p->store_y : &p->store_x, &box) * (ptrdiff_t)p->dtype->size;
        most = bytes > most ? bytes : most;
    }
    return most;
}

static ptrdiff_t most_of(const networks *n, int rank, bool of_y)
{
    const ptrdiff_t a = larger_part(&n->together, rank, of_y), b = larger_part(&n->alone, 0, of_y);
    return a > b ? a : b;
}

static tg_status plan(tgb_work *work)
{
    const char *text = text_of(work->setup->operation),
               *kernels = tgb_case_get(&work->setup->words, "kernels");
    const long batch = strtol(tgb_case_get(&work->setup->words, "batch"), NULL, 10);
    char *alone = tgb_network_alone(text);
    networks *n = work->raw = calloc(1, sizeof *n);
    tg_status status = alone && n ? tg_success() : tg_fail(TG_NO_MEMORY, "no memory for a network");
    status = tg_agree(work->comm, status);
    if (status.code == TG_OK)
        status = make_trainee(work->comm, text, batch, kernels, &n->together);
    if (status.code == TG_OK)
        status =
            tg_agree(work->comm, make_trainee(MPI_COMM_SELF, alone, batch, kernels, &n->alone));
    free(alone);
    if (status.code != TG_OK) {
        free_work(work);
        return status;
    }
    tgl_network_overlap(n->together.network,
                        strcmp(tgb_case_get(&work->setup->words, "overlap"), "yes") == 0);
    work->x_bytes = most_of(n, work->rank, false);
    work->y_bytes = most_of(n, work->rank, true);
    return status;
}

static void fill_one(tgb_work *work, trainee *t)
{
    tgl_kept kept;
    tgl_fill(tgl_network_layer(t->network, 0), work->seed, tgl_network_x(t->network, 0), work->y);
    tgl_fill(tgl_network_layer(t->network, t->last), work->seed, work->x, work->y);
    tgl_network_init(t->network, work->seed);
    for (int i = 0; tgl_optimiser_kept(t->optimiser, i, &kept); i++)
        if (kept.state >= 0 && kept.data)
            memset(kept.data, 0, (size_t)tg_box_count(&kept.box) * kept.dtype->size);
    tgl_optimiser_resume(t->optimiser, 0);
}

static void step(trainee *t)
{
    t->loss = tgl_network_forward(t->network);
    tgl_network_backward(t->network);
    tgl_optimiser_step(t->optimiser, &rates);
}

/* The network alone has made its step whenever the others begin. */
static void fill(tgb_work *work)
{
    networks *n = work->raw;
    fill_one(work, &n->alone);
    step(&n->alone);
    fill_one(work, &n->together);
}

/* backward follows a forward. */
static void fill_backward(tgb_work *work)
{
    networks *n = work->raw;
    fill(work);
    n->together.loss = tgl_network_forward(n->together.network);
}

static void run_forward(tgb_work *work)
{
    networks *n = work->raw;
    n->together.loss = tgl_network_forward(n->together.network);
}

static void run_backward(tgb_work *work)
{
    tgl_network_backward(((networks *)work->raw)->together.network);
}

static void run_step(tgb_work *work)
{
    step(&((networks *)work->raw)->together);
}

/* ---- what is right ---- */

static ptrdiff_t wrong_loss(tgb_work *work)
{
    const networks *n = work->raw;
    return !(fabs(n->together.loss - n->alone.loss) <= tolerance * fabs(n->alone.loss));
}

static double largest(const tg_dtype *dtype, ptrdiff_t count, const void *values)
{
    double most = 0;
    for (ptrdiff_t i = 0; i < count; i++)
        most = fmax(most, fabs(dtype->get(values, i)));
    return most;
}

/* Of the entries of a rank's part: those that are not the entries of the whole, but for `most`. */
static ptrdiff_t count_wrong(const tg_dtype *dtype, const tg_box *part, const void *values,
                             const tg_box *whole, const void *right, double most)
{
    ptrdiff_t index[TG_MAX_NDIM], wrong = 0;
    memcpy(index, part->lo, sizeof index);
    for (ptrdiff_t i = 0; i < tg_box_count(part); i++) {
        ptrdiff_t at = 0;
        for (int d = 0; d < part->ndim; d++)
            at = at * whole->hi[d] + index[d];
        wrong += !(fabs(dtype->get(values, i) - dtype->get(right, at)) <= most);
        for (int d = part->ndim - 1; d >= 0 && ++index[d] == part->hi[d]; d--)
            index[d] = part->lo[d];
    }
    return wrong;
}

static const tgl_parameter *same_parameter(const tgl_network *n, int layer, int number)
{
    const tgl_parameter *p;
    for (int i = 0; (p = tgl_parameter_at(tgl_network_layer(n, layer), i)); i++)
        if (p->number == number)
            return p;
    return NULL;
}

/* Gradients, or parameters: a step moves these by its rate times the gradient. */
static ptrdiff_t wrong_parameters(const networks *n, bool gradients)
{
    const tgl_parameter *p;
    ptrdiff_t wrong = 0;
    for (int layer = 0; layer < n->together.last; layer++) {
        const tg_dtype *dtype = tgl_network_problem(n->together.network, layer)->dtype;
        for (int i = 0; (p = tgl_parameter_at(tgl_network_layer(n->together.network, layer), i));
             i++) {
            const tgl_parameter *all = same_parameter(n->alone.network, layer, p->number);
            if (!p->gradient)
                continue;
            const ptrdiff_t count = tg_box_count(&all->box);
            const double most = tolerance * largest(dtype, count, all->gradient),
                         rounding = 1e-7 * largest(dtype, count, all->value);
            wrong += gradients
                         ? count_wrong(dtype, &p->box, p->gradient, &all->box, all->gradient, most)
                         : count_wrong(dtype, &p->box, p->value, &all->box, all->value,
                                       rates.rate * most + rounding);
        }
    }
    return wrong;
}

static ptrdiff_t wrong_gradients(tgb_work *work)
{
    return wrong_parameters(work->raw, true);
}

static ptrdiff_t wrong_step(tgb_work *work)
{
    return wrong_loss(work) + wrong_parameters(work->raw, false);
}

static double flops(const tgb_work *work)
{
    const networks *n = work->raw;
    const bool forward = work->direction->run != run_backward,
               backward = work->direction->run != run_forward;
    double sum = 0;
    for (int i = 0; i <= n->together.last; i++) {
        const tgl_layer *layer = tgl_network_layer(n->together.network, i);
        sum +=
            (forward ? tgl_flops_forward(layer) : 0) + (backward ? tgl_flops_backward(layer) : 0);
    }
    return sum;
}

/* ---- rows ---- */

enum { MAX_NETWORKS = 8, MOST_RANKS = 64, DIRECTIONS = 3 };

static const tgb_key keys[] = {{"batch", "256", true},
                               {"kernels", "auto", false},
                               {"overlap", "yes", false},
                               TGB_TYPE,
                               TGB_END};

/* What an operation's row needs. */
typedef struct {
    char name[64], summary[128];
    tgb_direction direction[DIRECTIONS];
    tgb_operation row;
} parts;

/* Flops of backward over those of forward, at the first rank count that the network can have. */
static double backward_factor(const char *text)
{
    tgl_network_facts f;
    for (int P = 1; P <= MOST_RANKS; P++)
        if (tgl_network_resolve(text, MOST_RANKS, NULL, P, &f).code == TG_OK) {
            tg_layout_free(&f.x);
            tg_layout_free(&f.y);
            return f.flops > 0 ? f.flops_backward / f.flops : 1;
        }
    return 1;
}

static void add_network(const tgb_network *n, parts *p, void (*add)(const tgb_operation *row))
{
    const double factor = backward_factor(n->text);
    snprintf(p->name, sizeof p->name, "network:%s", n->name);
    snprintf(p->summary, sizeof p->summary, "the layers of networks/%s.txt, one behind the other",
             n->name);
    p->direction[0] = (tgb_direction){"forward", run_forward, fill, wrong_loss, 1, NULL, NULL};
    p->direction[1] = (tgb_direction){"backward", run_backward, fill_backward, wrong_gradients,
                                      factor,     NULL,         NULL};
    p->direction[2] = (tgb_direction){"step", run_step, fill, wrong_step, 1 + factor, NULL, NULL};
    p->row =
        (tgb_operation){.kind = "network",
                        .name = p->name,
                        .summary = p->summary,
                        .formula = "loss = the layers on x, in order",
                        .adjoint = "the layers' backward, in reverse; step: forward, backward, SGD",
                        .source = "networks/README.md",
                        .directions = p->direction,
                        .ndirections = DIRECTIONS,
                        .keys = keys,
                        .algorithms = {"mpi"},
                        .dtypes = {"f32"},
                        .resolve = resolve,
                        .plan = plan,
                        .flops = flops,
                        .load = load,
                        .release = free_work};
    tgb_put_kernels(&p->row);
    add(&p->row);
}

void tgb_add_networks(void (*add)(const tgb_operation *row))
{
    static parts made[MAX_NETWORKS];
    for (int i = 0; tgb_networks[i].name && i < MAX_NETWORKS; i++)
        add_network(&tgb_networks[i], &made[i], add);
}
