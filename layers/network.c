/* network.c: layers in order, from a text; their buffers, initial values and gradients.
 *
 *   x_0 -> layer 0 -> y_0 -> repartition -> x_1 -> layer 1 -> ... -> loss
 *
 * Where y of a layer lies as x of the next one does, they are one buffer. backward goes the same way
 * with the adjoints. Where the text does not give stores, blocks of channels go from a convolution to
 * the layers behind it as far as these take them. Axes of extent 1 that are not split do not count: 256 x 120 x 1 and 1 x 256 x 120
 * are one tensor. */
#include "layers/layer.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LINE_TEXT = 1024 };

/* A layer and what lies before it. */
typedef struct {
    tgl_problem problem; /* where it is, it stays: the layer points at it */
    tgl_layer *layer;
    tg_op *bring; /* y of the layer before to x; NULL: one buffer. Not of the first layer */
    void *x, *dx; /* owned when bring, or the first layer */
    void *y, *dy; /* owned */
    int line;     /* of the text */
    bool stores;  /* which the text gave */
} stage;

struct tgl_network {
    int count;
    stage *stages;
    MPI_Comm comm; /* the caller's */
    int first;     /* the first layer with parameters: those in front of it have no backward */
    int loss_root; /* the rank that has the loss */
    bool overlap;  /* gradients are summed while the layers in front run backward */
};

/* ---- text ---- */

static tg_status at_line(tg_status status, int line)
{
    if (status.code == TG_OK)
        return status;
    tg_status named = tg_fail(status.code, "line %d: %.200s", line, status.text);
    return named;
}

/* The next line with a case, without its comment; false: there is none. */
static bool next_line(const char **text, int *number, char line[LINE_TEXT])
{
    while (**text) {
        size_t length = strcspn(*text, "\n"), used = strcspn(*text, "#\n");
        snprintf(line, LINE_TEXT, "%.*s", (int)(used < LINE_TEXT ? used : LINE_TEXT), *text);
        *text += length + ((*text)[length] == '\n');
        ++*number;
        if (line[strspn(line, " \t\r")] != '\0')
            return true;
    }
    return false;
}

static int count_lines(const char *text)
{
    char line[LINE_TEXT];
    int number = 0, count = 0;
    while (next_line(&text, &number, line))
        count++;
    return count;
}

/* Cuts the line into words. */
static tg_status read_words(char *line, ptrdiff_t batch, const tgl_kind **kind, tgl_words *words)
{
    char *state, *name = strtok_r(line, " \t\r", &state);
    *kind = tgl_kind_find(name);
    if (!*kind)
        return tg_fail(TG_BAD_INPUT, "'%.40s' is no layer; expected one of tgbench list", name);
    for (char *word; (word = strtok_r(NULL, " \t\r", &state));) {
        char *value = strchr(word, '=');
        if (!value)
            return tg_fail(TG_BAD_INPUT, "'%.40s': expected key=value", word);
        *value++ = '\0';
        if (tgl_words_get(words, word))
            return tg_fail(TG_BAD_INPUT, "%.40s=: given twice; expected each key once", word);
        tg_status status = tgl_words_set_sized(words, word, value, batch);
        if (status.code != TG_OK)
            return status;
    }
    return tg_success();
}

static tg_status resolve_line(char *line, ptrdiff_t batch, const char *kernels, int P, stage *s)
{
    const tgl_kind *kind = NULL;
    tgl_words words = {.count = 0};
    tg_status status = read_words(line, batch, &kind, &words);
    if (status.code == TG_OK && kernels && tgl_find_key(kind, "kernels") &&
        !tgl_words_get(&words, "kernels"))
        status = tgl_words_set(&words, "kernels", kernels);
    if (status.code == TG_OK)
        status = tgl_resolve(kind, &words, P, &s->problem);
    s->stores = tgl_words_get(&words, "store-x") || tgl_words_get(&words, "store-y");
    tgl_words_free(&words);
    return status;
}

/* ---- stores ---- */

/* The same layer with other stores; a key that it does not know is left out. */
static tg_status resolve_again(stage *s, const char *x, const char *y)
{
    const tgl_kind *kind = s->problem.kind;
    const int P = s->problem.ranks;
    tgl_words words = s->problem.words;
    s->problem.words = (tgl_words){.count = 0};
    tgl_problem_free(&s->problem);
    tg_status status = tgl_words_set(&words, "store-x", x);
    if (status.code == TG_OK && tgl_words_get(&words, "store-y"))
        status = tgl_words_set(&words, "store-y", y);
    if (status.code == TG_OK)
        status = tgl_resolve(kind, &words, P, &s->problem);
    tgl_words_free(&words);
    return status;
}

static bool takes_stores(const stage *s)
{
    return tgl_words_get(&s->problem.words, "store-x") != NULL;
}

/* The blocks in which the next layer can take y; 0: rows only. */
static int block_for(const stage *s, const stage *next)
{
    const tgl_problem *p = &s->problem;
    return p->kind->block && takes_stores(next) && p->y.ndim == next->problem.x.ndim
               ? p->kind->block(p)
               : 0;
}

/* Local. Where the text says nothing of stores: a layer that likes blocks gives them to the next one,
 * if that takes them; the others hand on what they get. least: over the ranks, for processors may
 * differ. */
static tg_status choose_stores(tgl_network *n, MPI_Comm comm)
{
    tg_status status = tg_success();
    for (int i = 0; i < n->count; i++) {
        stage *s = &n->stages[i];
        const tg_store *before = i > 0 ? &s[-1].problem.store_y : &(tg_store){.block = 0};
        tg_store y = *before;
        if (s->problem.kind->block) {
            y.block = i + 1 < n->count ? block_for(s, s + 1) : 0;
            MPI_Allreduce(MPI_IN_PLACE, &y.block, 1, MPI_INT, MPI_MIN, comm);
        }
        if (s->stores || !takes_stores(s) || status.code != TG_OK)
            continue;
        char words[2][16];
        tg_store_print(before, s->problem.x.ndim, words[0], sizeof words[0]);
        tg_store_print(&y, s->problem.x.ndim, words[1], sizeof words[1]);
        status = at_line(resolve_again(s, words[0], words[1]), s->line);
    }
    return tg_agree(comm, status);
}

/* ---- between layers ---- */

/* The layout without its axes of extent 1 that are whole. */
static tg_status squeeze(const tg_layout *layout, tg_layout *squeezed)
{
    int kept = 0, place[TG_MAX_NDIM];
    tg_status status = tg_layout_copy(layout, squeezed);
    if (status.code != TG_OK)
        return status;
    for (int d = 0; d < layout->ndim; d++)
        place[d] = layout->axis[d].extent == 1 && layout->axis[d].parts == 1 ? -1 : kept++;
    if (kept == 0) { /* one number */
        place[0] = 0;
        kept = 1;
    }
    for (int d = 0; d < layout->ndim; d++) {
        if (place[d] < 0)
            free(squeezed->axis[d].cuts);
        else
            squeezed->axis[place[d]] = squeezed->axis[d];
        if (place[d] != d)
            squeezed->axis[d].cuts = NULL;
    }
    int at = 0;
    for (int i = 0; i < layout->ndim; i++)
        if (place[layout->order[i]] >= 0)
            squeezed->order[at++] = place[layout->order[i]];
    squeezed->ndim = kept;
    return status;
}

static bool same_shape(const tg_layout *a, const tg_layout *b)
{
    bool same = a->ndim == b->ndim;
    for (int d = 0; same && d < a->ndim; d++)
        same = a->axis[d].extent == b->axis[d].extent;
    return same;
}

/* Layouts for a repartition: squeezed, unless blocks keep the channels where they are. */
static tg_status layouts_between(const tgl_problem *before, const tgl_problem *p, tg_layout *from,
                                 tg_layout *to)
{
    const bool blocks = before->store_y.block > 0 || p->store_x.block > 0;
    tg_status status = blocks ? tg_layout_copy(&before->y, from) : squeeze(&before->y, from);
    if (status.code == TG_OK)
        status = blocks ? tg_layout_copy(&p->x, to) : squeeze(&p->x, to);
    return status;
}

/* Collective. What brings y of one layer to x of the next. */
static tg_status plan_bring(MPI_Comm comm, const stage *before, stage *s)
{
    tg_layout from = {.ndim = 0}, to = {.ndim = 0};
    char gives[64], takes[64];
    tg_status status = layouts_between(&before->problem, &s->problem, &from, &to);
    if (status.code == TG_OK && !same_shape(&from, &to)) {
        tg_layout_print_shape(&before->problem.y, gives, sizeof gives);
        tg_layout_print_shape(&s->problem.x, takes, sizeof takes);
        status = tg_fail(TG_BAD_INPUT, "%s takes %s; expected the %s of line %d",
                         s->problem.kind->name, takes, gives, before->line);
    }
    if (status.code == TG_OK && s->problem.dtype != before->problem.dtype)
        status = tg_fail(TG_BAD_INPUT, "dtype=%s; expected the %s of line %d",
                         s->problem.dtype->name, before->problem.dtype->name, before->line);
    status = tg_agree(comm, status);
    if (status.code == TG_OK)
        status = tgl_compose_stores(comm, "repartition", &s->problem, &from,
                                    &before->problem.store_y, &to, &s->problem.store_x, &s->bring);
    tg_layout_free(&from);
    tg_layout_free(&to);
    return status;
}

/* ---- planning ---- */

static ptrdiff_t held(const tg_layout *layout, const tg_store *store, int rank)
{
    const tg_box box = tg_layout_held(layout, rank);
    return tg_store_entries(store, &box);
}

static tg_status make_buffers(stage *before, stage *s, int rank)
{
    const tg_dtype *dtype = s->problem.dtype;
    const ptrdiff_t x = held(&s->problem.x, &s->problem.store_x, rank),
                    y = held(&s->problem.y, &s->problem.store_y, rank);
    const bool own_x = !before || s->bring;
    s->x = own_x ? tgl_buffer(x, dtype) : before->y;
    s->dx = own_x ? tgl_buffer(x, dtype) : before->dy;
    s->y = tgl_buffer(y, dtype);
    s->dy = tgl_buffer(y, dtype);
    const bool good = s->x && s->dx && s->y && s->dy;
    return good ? tg_success() : tg_fail(TG_NO_MEMORY, "no memory for the buffers of a layer");
}

/* Nobody wants the derivative by the input of the first layer with parameters. */
static bool skips_dx(const tgl_network *n, int index)
{
    return index == n->first && n->stages[index].problem.kind->skips_dx;
}

static tg_status plan_stage(tgl_network *n, int index, int rank)
{
    stage *s = &n->stages[index], *before = index > 0 ? s - 1 : NULL;
    tg_status status = tgl_plan(n->comm, &s->problem, &s->layer);
    if (status.code == TG_OK && before)
        status = plan_bring(n->comm, before, s);
    if (status.code == TG_OK && index < n->first)
        s->layer->flops_backward = 0;
    if (status.code == TG_OK && skips_dx(n, index))
        tgl_skip_dx(s->layer);
    return status.code == TG_OK ? tg_agree(n->comm, make_buffers(before, s, rank)) : status;
}

/* The last layer gives one number on one rank. */
static tg_status find_loss(tgl_network *n)
{
    const stage *last = &n->stages[n->count - 1];
    if (tg_layout_count(&last->problem.y) != 1 || tg_layout_size(&last->problem.y) != 1)
        return at_line(tg_fail(TG_BAD_INPUT,
                               "%s is the last layer; expected a loss, as "
                               "cross_entropy",
                               last->problem.kind->name),
                       last->line);
    n->loss_root = tg_layout_rank(&last->problem.y, 0);
    return tg_success();
}

static tg_status read_text(const char *text, ptrdiff_t batch, const char *kernels, int P,
                           tgl_network *n)
{
    char line[LINE_TEXT];
    int number = 0, lines = count_lines(text);
    if (lines == 0)
        return tg_fail(TG_BAD_INPUT, "no layer in the text; expected one on each line");
    n->stages = calloc((size_t)lines, sizeof *n->stages);
    if (!n->stages)
        return tg_fail(TG_NO_MEMORY, "no memory for a network of %d layers", lines);
    while (next_line(&text, &number, line)) {
        n->stages[n->count].line = number;
        tg_status status =
            at_line(resolve_line(line, batch, kernels, P, &n->stages[n->count]), number);
        if (status.code != TG_OK)
            return status;
        n->count++;
    }
    while (n->first < n->count && n->stages[n->first].problem.facts.parameters == 0)
        n->first++;
    return find_loss(n);
}

tg_status tgl_network_plan(MPI_Comm comm, const char *text, ptrdiff_t batch, const char *kernels,
                           tgl_network **network)
{
    int P, rank;
    MPI_Comm_size(comm, &P);
    MPI_Comm_rank(comm, &rank);
    tgl_network *n = calloc(1, sizeof *n);
    tg_status status = n ? read_text(text, batch, kernels, P, n)
                         : tg_fail(TG_NO_MEMORY, "no memory for a network");
    status = tg_agree(comm, status);
    if (n) {
        n->comm = comm;
        n->overlap = true;
    }
    if (status.code == TG_OK)
        status = choose_stores(n, comm);
    for (int i = 0; status.code == TG_OK && i < n->count; i++)
        status = at_line(plan_stage(n, i, rank), n->stages[i].line);
    *network = n;
    if (status.code != TG_OK)
        tgl_network_free(network);
    return status;
}

static void free_stage(stage *s, bool first)
{
    if (first || s->bring) {
        free(s->x);
        free(s->dx);
    }
    free(s->y);
    free(s->dy);
    tg_free(&s->bring);
    tgl_free(&s->layer);
    tgl_problem_free(&s->problem);
}

void tgl_network_free(tgl_network **network)
{
    tgl_network *n = *network;
    for (int i = n ? n->count - 1 : -1; i >= 0; i--)
        free_stage(&n->stages[i], i == 0);
    if (n)
        free(n->stages);
    free(n);
    *network = NULL;
}

tg_status tgl_network_resolve(const char *text, ptrdiff_t batch, const char *kernels, int P,
                              tgl_network_facts *f)
{
    tgl_network network = {.count = 0}, *n = &network;
    tg_status status = read_text(text, batch, kernels, P, n);
    *f = (tgl_network_facts){.group = 1};
    for (int i = 0; i < n->count; i++) {
        const tgl_problem *p = &n->stages[i].problem;
        f->flops += p->facts.flops;
        if (i >= n->first)
            f->flops_backward += p->facts.flops * (p->kind->backward_factor - skips_dx(n, i));
        f->busiest_flops += p->facts.busiest_flops;
        for (int k = 0; k < 2; k++)
            f->group = p->facts.group[k] > f->group ? p->facts.group[k] : f->group;
        f->parameters += p->facts.parameters;
        f->entries_most += p->facts.parameters_most + tg_layout_max_held(&p->y);
    }
    if (status.code == TG_OK)
        status = tg_layout_copy(&n->stages[0].problem.x, &f->x);
    if (status.code == TG_OK)
        status = tg_layout_copy(&n->stages[n->count - 1].problem.y, &f->y);
    if (status.code != TG_OK)
        tg_layout_free(&f->x);
    for (int i = 0; i < n->count; i++)
        tgl_problem_free(&n->stages[i].problem);
    free(n->stages);
    return status;
}

/* ---- runs ---- */

tgl_layer *tgl_network_layer(const tgl_network *network, int index)
{
    return index >= 0 && index < network->count ? network->stages[index].layer : NULL;
}

const tgl_problem *tgl_network_problem(const tgl_network *network, int index)
{
    return index >= 0 && index < network->count ? &network->stages[index].problem : NULL;
}

void *tgl_network_x(const tgl_network *network, int index)
{
    return index >= 0 && index < network->count ? network->stages[index].x : NULL;
}

static double run_forward(tgl_network *n, void run(tgl_layer *, const void *, void *))
{
    for (int i = 0; i < n->count; i++) {
        stage *s = &n->stages[i];
        if (s->bring)
            tg_apply(s->bring, n->stages[i - 1].y, s->x);
        run(s->layer, s->x, s->y);
    }
    const stage *last = &n->stages[n->count - 1];
    int rank;
    MPI_Comm_rank(n->comm, &rank);
    double loss = rank == n->loss_root ? last->problem.dtype->get(last->y, 0) : 0;
    tg_begin(TG_COMMUNICATES, n->comm);
    MPI_Bcast(&loss, 1, MPI_DOUBLE, n->loss_root, n->comm);
    tg_end(TG_COMMUNICATES);
    return loss;
}

double tgl_network_forward(tgl_network *n)
{
    return run_forward(n, tgl_forward);
}

double tgl_network_infer(tgl_network *n)
{
    return run_forward(n, tgl_infer);
}

void tgl_network_overlap(tgl_network *n, bool overlap)
{
    n->overlap = overlap;
}

void tgl_network_backward(tgl_network *n)
{
    const stage *last = &n->stages[n->count - 1];
    int rank;
    MPI_Comm_rank(n->comm, &rank);
    if (rank == n->loss_root)
        last->problem.dtype->put(last->dy, 0, 1);
    for (int i = n->count - 1; i >= n->first; i--) {
        stage *s = &n->stages[i];
        tgl_backward_start(s->layer, s->x, s->dy, s->dx);
        if (!n->overlap)
            tgl_backward_finish(s->layer);
        if (s->bring && i > n->first)
            tg_apply_adjoint(s->bring, s->dx, n->stages[i - 1].dy);
    }
    for (int i = n->count - 1; n->overlap && i >= n->first; i--)
        tgl_backward_finish(n->stages[i].layer);
}

/* ---- parameters ---- */

void tgl_network_init(tgl_network *n, uint64_t seed)
{
    const tgl_parameter *p;
    for (int i = 0; i < n->count; i++)
        for (int k = 0; (p = tgl_parameter_at(n->stages[i].layer, k)); k++)
            if (p->fan_in > 0)
                tgl_draw(&p->box, seed * 1024 + (uint64_t)i, TGL_PARAMETER + p->number,
                         1 / sqrt((double)p->fan_in), n->stages[i].problem.dtype, p->value);
            else
                tgl_start(p, n->stages[i].problem.dtype);
    for (int i = 0; i < n->count; i++)
        tgl_changed(n->stages[i].layer);
}

ptrdiff_t tgl_network_parameters(const tgl_network *n)
{
    const tgl_parameter *p;
    ptrdiff_t count = 0;
    for (int i = 0; i < n->count; i++)
        for (int k = 0; (p = tgl_parameter_at(n->stages[i].layer, k)); k++)
            count += p->gradient ? tg_box_count(&p->box) : 0;
    return count;
}
