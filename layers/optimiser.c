/* optimiser.c: what becomes of a network's parameters in a step, by the row of a rule.
 *
 * A rule works entry by entry, so that each rank steps what it owns, and nothing is sent. The tensors
 * that must be kept to go on, parameters and what the rule keeps of them, are listed in the order of
 * the layers, the same on every rank, whoever owns them. */
#include "layers/layer.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- rules ---- */

/* Both element types, from one text. */
#define RULES(T, root)                                                                             \
    static void sgd_##T(const tgl_rates *r, long t, ptrdiff_t n, const void *gradient,             \
                        void *const *state, void *value)                                           \
    {                                                                                              \
        const T *restrict g = gradient;                                                            \
        T *restrict v = state[0], *restrict p = value;                                             \
        const T rate = (T)r->rate, momentum = (T)r->momentum;                                      \
        (void)t;                                                                                   \
        for (ptrdiff_t i = 0; i < n; i++) {                                                        \
            v[i] = momentum * v[i] + g[i];                                                         \
            p[i] -= rate * v[i];                                                                   \
        }                                                                                          \
    }                                                                                              \
    static void adam_##T(const tgl_rates *r, long t, ptrdiff_t n, const void *gradient,            \
                         void *const *state, void *value)                                          \
    {                                                                                              \
        const T *restrict g = gradient;                                                            \
        T *restrict m = state[0], *restrict v = state[1], *restrict p = value;                     \
        const T b1 = (T)r->momentum, b2 = (T)r->second, epsilon = (T)r->epsilon,                   \
                rate = (T)(r->rate / (1 - pow(r->momentum, (double)t))),                           \
                unbias = (T)(1 / (1 - pow(r->second, (double)t)));                                 \
        for (ptrdiff_t i = 0; i < n; i++) {                                                        \
            m[i] = b1 * m[i] + (1 - b1) * g[i];                                                    \
            v[i] = b2 * v[i] + (1 - b2) * g[i] * g[i];                                             \
            p[i] -= rate * m[i] / (root(unbias * v[i]) + epsilon);                                 \
        }                                                                                          \
    }
RULES(float, sqrtf)
RULES(double, sqrt)

const tgl_rule tgl_rules[] = {
    {.name = "sgd",
     .formula = "v = momentum v + g; p = p - rate v",
     .source = "Polyak, Some methods of speeding up the convergence of iteration methods, 1964",
     .states = 1,
     .initial = {.rate = 0.02, .momentum = 0.9},
     .step_f32 = sgd_float,
     .step_f64 = sgd_double},
    {.name = "adam",
     .formula = "m = b1 m + (1 - b1) g; v = b2 v + (1 - b2) g^2; "
                "p = p - rate (m / (1 - b1^t)) / (sqrt(v / (1 - b2^t)) + eps)",
     .source = "Kingma and Ba, Adam: a method for stochastic optimization, arXiv 1412.6980",
     .states = 2,
     .initial = {.rate = 0.001, .momentum = 0.9, .second = 0.999, .epsilon = 1e-8},
     .step_f32 = adam_float,
     .step_f64 = adam_double},
    {.name = NULL},
};

const tgl_rule *tgl_rule_find(const char *name)
{
    for (const tgl_rule *rule = tgl_rules; rule->name; rule++)
        if (strcmp(rule->name, name) == 0)
            return rule;
    return NULL;
}

/* ---- the tensors of a network ---- */

/* A parameter of a layer, as all ranks see it. */
typedef struct {
    int layer, number;
    const tg_dtype *dtype;
    int ndim; /* of the whole tensor */
    ptrdiff_t extent[TG_MAX_NDIM];
    bool learns;                    /* it has a gradient, on the ranks that have some of it */
    const tgl_parameter *parameter; /* this rank's part; NULL: none */
    void *state[TGL_MOST_STATES];   /* of this rank's part */
} slot;

struct tgl_optimiser {
    const tgl_rule *rule;
    const tgl_network *network;
    long steps; /* made so far */
    slot *slots;
    int count;
};

static const tgl_parameter *find_parameter(const tgl_network *n, int layer, int number)
{
    const tgl_parameter *p;
    for (int i = 0; (p = tgl_parameter_at(tgl_network_layer(n, layer), i)); i++)
        if (p->number == number)
            return p;
    return NULL;
}

/* The loss, which is the last layer, has targets, and nothing to be learnt or kept. */
static int count_layers(const tgl_network *n)
{
    int count = 0;
    while (tgl_network_layer(n, count + 1))
        count++;
    return count;
}

/* Collective. How many parameters a layer has, on whatever ranks. */
static int count_parameters(MPI_Comm comm, const tgl_network *n, int layer)
{
    const tgl_parameter *p;
    int count = 0;
    for (int i = 0; (p = tgl_parameter_at(tgl_network_layer(n, layer), i)); i++)
        count = p->number >= count ? p->number + 1 : count;
    MPI_Allreduce(MPI_IN_PLACE, &count, 1, MPI_INT, MPI_MAX, comm);
    return count;
}

/* Collective. Ranks that have none of a parameter learn its shape from those that do. */
static void describe(MPI_Comm comm, const tgl_network *n, slot *s)
{
    long long facts[TG_MAX_NDIM + 2] = {0};
    s->parameter = find_parameter(n, s->layer, s->number);
    s->dtype = tgl_network_problem(n, s->layer)->dtype;
    if (s->parameter) {
        facts[0] = s->parameter->box.ndim;
        facts[1] = s->parameter->gradient != NULL;
        for (int d = 0; d < s->parameter->box.ndim; d++)
            facts[2 + d] = s->parameter->box.hi[d];
    }
    MPI_Allreduce(MPI_IN_PLACE, facts, TG_MAX_NDIM + 2, MPI_LONG_LONG, MPI_MAX, comm);
    s->ndim = (int)facts[0];
    s->learns = facts[1] != 0;
    for (int d = 0; d < s->ndim; d++)
        s->extent[d] = (ptrdiff_t)facts[2 + d];
}

static tg_status make_states(const tgl_rule *rule, slot *s)
{
    for (int i = 0; s->parameter && s->parameter->gradient && i < rule->states; i++)
        if (!(s->state[i] = tgl_buffer(tg_box_count(&s->parameter->box), s->dtype)))
            return tg_fail(TG_NO_MEMORY, "no memory for the state of an optimiser");
    return tg_success();
}

/* Collective. The parameters of one layer, behind those of the layers before. */
static tg_status add_layer(MPI_Comm comm, int layer, tgl_optimiser *o)
{
    const int count = count_parameters(comm, o->network, layer);
    slot *slots = realloc(o->slots, (size_t)(o->count + count + 1) * sizeof *slots);
    tg_status status = tg_success();
    if (slots)
        o->slots = slots;
    else
        status = tg_fail(TG_NO_MEMORY, "no memory for the parameters of a layer");
    status = tg_agree(comm, status);
    for (int k = 0; status.code == TG_OK && k < count; k++) {
        slot *s = &o->slots[o->count++];
        *s = (slot){.layer = layer, .number = k};
        describe(comm, o->network, s);
        status = tg_agree(comm, make_states(o->rule, s));
    }
    return status;
}

tg_status tgl_optimiser_make(MPI_Comm comm, const tgl_network *network, const tgl_rule *rule,
                             tgl_optimiser **optimiser)
{
    tgl_optimiser *o = calloc(1, sizeof *o);
    tg_status status =
        tg_agree(comm, o ? tg_success() : tg_fail(TG_NO_MEMORY, "no memory for an optimiser"));
    if (o) {
        o->rule = rule;
        o->network = network;
    }
    for (int i = 0; status.code == TG_OK && i < count_layers(network); i++)
        status = add_layer(comm, i, o);
    *optimiser = o;
    if (status.code != TG_OK)
        tgl_optimiser_free(optimiser);
    return status;
}

void tgl_optimiser_free(tgl_optimiser **optimiser)
{
    tgl_optimiser *o = *optimiser;
    for (int i = 0; o && i < o->count; i++)
        for (int k = 0; k < TGL_MOST_STATES; k++)
            free(o->slots[i].state[k]);
    if (o)
        free(o->slots);
    free(o);
    *optimiser = NULL;
}

/* Ranks that own none of a layer's parameters have copies of them. */
static void tell_layers(const tgl_optimiser *o)
{
    for (int i = 0; i < count_layers(o->network); i++)
        tgl_changed(tgl_network_layer(o->network, i));
}

void tgl_optimiser_step(tgl_optimiser *o, const tgl_rates *rates)
{
    o->steps++;
    for (int i = 0; i < o->count; i++) {
        const slot *s = &o->slots[i];
        const tgl_parameter *p = s->parameter;
        if (p && p->gradient)
            (s->dtype->size == sizeof(float) ? o->rule->step_f32 : o->rule->step_f64)(
                rates, o->steps, tg_box_count(&p->box), p->gradient, s->state, p->value);
    }
    tell_layers(o);
}

void tgl_optimiser_resume(tgl_optimiser *o, long steps)
{
    o->steps = steps;
    tell_layers(o);
}

bool tgl_optimiser_kept(const tgl_optimiser *o, int index, tgl_kept *kept)
{
    for (int i = 0; i < o->count; i++) {
        const slot *s = &o->slots[i];
        const int tensors = 1 + (s->learns ? o->rule->states : 0);
        if (index >= tensors) {
            index -= tensors;
            continue;
        }
        *kept = (tgl_kept){.layer = s->layer,
                           .kind = tgl_network_problem(o->network, s->layer)->kind->name,
                           .number = s->number,
                           .state = index - 1,
                           .dtype = s->dtype,
                           .whole = {.ndim = s->ndim},
                           .box = {.ndim = s->ndim}};
        memcpy(kept->whole.hi, s->extent, sizeof s->extent);
        if (s->parameter) {
            kept->box = s->parameter->box;
            kept->data = index == 0 ? s->parameter->value : s->state[index - 1];
        }
        return true;
    }
    return false;
}
