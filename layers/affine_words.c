/* affine_words.c: affine and affine_sharded: their words, facts and rows; the grid is that of affine.h. */
#include "layers/affine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const tgl_key keys[] = {{"batch", NULL, true},
                               {"features", NULL, true},
                               {"grid", "1x1", false},
                               {"parts-batch", "1", false},
                               {"ranks", "0..n-1", false},
                               {"from-ranks", "the grid's first row", false},
                               {"to-ranks", "the grid's first column", false},
                               {"bias", "yes", false},
                               {"kernels", "auto", false},
                               TGL_TYPE};

static const tgl_key sharded_keys[] = {
    {"batch", NULL, true},           {"features", NULL, true},
    {"grid", "1x1", false},          {"split", "batch", false},
    {"ranks", "0..n-1", false},      {"from-ranks", "the grid", false},
    {"to-ranks", "the grid", false}, {"bias", "yes", false},
    {"kernels", "auto", false},      TGL_TYPE};

static void write_facts(const tgl_affine_spec *s, tgl_facts *facts)
{
    const double batch = (double)tg_split_start(s->batch, s->parts_batch, 1),
                 in = (double)tg_split_start(s->features_in, s->parts_in, 1),
                 out = (double)tg_split_start(s->features_out, s->parts_out, 1);
    facts->flops = 2 * (double)s->batch * (double)s->features_in * (double)s->features_out;
    facts->busiest_flops = 2 * batch * in * out;
    facts->parameters = s->features_in * s->features_out + (s->bias ? s->features_out : 0);
    facts->parameters_most = (ptrdiff_t)(in * out + (s->bias ? out : 0));
    facts->entries_most = in * out + batch * in + batch * out;
    facts->group[0] = s->parts_out > s->parts_batch ? s->parts_out : s->parts_batch;
    facts->group[1] = s->parts_in;
}

/* parts-batch is a number or P, as parts of a grid are. */
static tg_status read_parts_batch(const tgl_words *words, tgl_problem *problem, tgl_affine_spec *s)
{
    const char *text = tgl_words_get(words, "parts-batch");
    ptrdiff_t parts = problem->ranks;
    tg_status status = tg_success();
    if (!text || strcmp(text, "P") != 0)
        status = tgl_word_extent(words, keys, "parts-batch", &parts);
    s->parts_batch = (int)parts;
    return status.code == TG_OK ? tgl_word_set_number(&problem->words, "parts-batch", parts, -1)
                                : status;
}

static tg_status read_split(const tgl_words *words, tgl_problem *problem)
{
    const char *split = tgl_words_get(words, "split");
    return tgl_words_set(&problem->words, "split", split ? split : "batch");
}

/* grid=OUTxIN as the words of a layout; ranks are those of all parts of the batch. */
static tg_status read_grid(const tgl_words *words, tgl_problem *problem, tgl_affine_spec *s)
{
    const char *text = tgl_words_get(words, "grid"), *ranks = tgl_words_get(words, "ranks");
    char printed[32], work[64];
    tg_layout grid = {.ndim = 0}, all = {.ndim = 0};
    tg_status status = tg_layout_parse(
        &(tg_layout_words){.shape = "0x0", .grid = text ? text : "1x1"}, problem->ranks, 0, &grid);
    if (status.code != TG_OK)
        return status;
    const bool copied = grid.axis[0].copied || grid.axis[1].copied;
    s->parts_out = grid.axis[0].parts;
    s->parts_in = grid.axis[1].parts;
    tg_layout_print_grid(&grid, printed, sizeof printed);
    tg_layout_free(&grid);
    if (copied)
        return tg_fail(TG_BAD_INPUT, "grid=%s: expected parts without copies, as in 2x2", printed);
    if (s->parts_batch < 1 ||
        (long long)s->parts_batch * s->parts_out * s->parts_in > problem->ranks)
        return tg_fail(TG_BAD_INPUT,
                       "parts-batch=%d: with grid=%s needs %lld ranks; expected 1 or more, and at "
                       "most %d ranks",
                       s->parts_batch, printed,
                       (long long)s->parts_batch * s->parts_out * s->parts_in, problem->ranks);
    snprintf(work, sizeof work, "%dx%s", s->parts_batch, printed);
    status = tg_layout_parse(&(tg_layout_words){.shape = "0x0x0", .grid = work, .ranks = ranks},
                             problem->ranks, 0, &all);
    if (status.code == TG_OK)
        status = tgl_words_set(&problem->words, "grid", printed);
    if (status.code == TG_OK)
        status = tgl_word_ranks("ranks", &all, problem);
    tg_layout_free(&all);
    return status;
}

static tg_status read_spec(const tgl_words *words, tgl_problem *problem, tgl_affine_spec *s)
{
    const char *kernels = tgl_words_get(words, "kernels");
    tg_status status = tgl_word_extent(words, keys, "batch", &s->batch);
    if (status.code == TG_OK)
        status = tgl_word_pair(words, "features", &s->features_in, &s->features_out);
    if (status.code == TG_OK)
        status = tgl_word_yes(words, keys, "bias", &s->bias);
    if (status.code == TG_OK)
        status = tgl_word_set_number(&problem->words, "batch", s->batch, -1);
    if (status.code == TG_OK)
        status = tgl_word_set_number(&problem->words, "features", s->features_in, s->features_out);
    if (status.code == TG_OK)
        status = tgl_words_set(&problem->words, "bias", s->bias ? "yes" : "no");
    if (status.code == TG_OK)
        status = tgl_words_set(&problem->words, "kernels", kernels ? kernels : "auto");
    if (status.code == TG_OK)
        status = read_grid(words, problem, s);
    s->from_ranks = tgl_words_get(words, "from-ranks");
    s->to_ranks = tgl_words_get(words, "to-ranks");
    s->kernels = kernels;
    s->dtype = problem->dtype;
    s->algorithm = problem->algorithm;
    return status;
}

/* The texts of the spec are those of the problem's words, which stay where they are. */
static void point_at_words(const tgl_problem *problem, tgl_affine_spec *s)
{
    s->ranks = tgl_words_get(&problem->words, "ranks");
    s->from_ranks = tgl_words_get(&problem->words, "from-ranks");
    s->to_ranks = tgl_words_get(&problem->words, "to-ranks");
    s->split = tgl_words_get(&problem->words, "split");
    s->kernels = tgl_words_get(&problem->words, "kernels");
}

static tg_status resolve_with(const tgl_words *words, bool sharded, tgl_problem *problem)
{
    tgl_affine_spec *s = problem->spec = calloc(1, sizeof *s);
    if (!s)
        return tg_fail(TG_NO_MEMORY, "no memory for an affine layer");
    s->parts_batch = 1;
    tg_status status = sharded ? read_split(words, problem) : read_parts_batch(words, problem, s);
    if (status.code == TG_OK)
        status = read_spec(words, problem, s);
    if (status.code != TG_OK)
        return status;
    s->ranks = tgl_words_get(&problem->words, "ranks");
    s->split = tgl_words_get(&problem->words, "split");
    status = tgl_affine_layouts(s, problem->ranks, &problem->x, &problem->y);
    if (status.code == TG_OK)
        status = tgl_word_ranks("from-ranks", &problem->x, problem);
    if (status.code == TG_OK)
        status = tgl_word_ranks("to-ranks", &problem->y, problem);
    if (status.code == TG_OK)
        write_facts(s, &problem->facts);
    return status;
}

static tg_status resolve(const tgl_words *words, tgl_problem *problem)
{
    return resolve_with(words, false, problem);
}

static tg_status resolve_sharded(const tgl_words *words, tgl_problem *problem)
{
    return resolve_with(words, true, problem);
}

static tg_status plan(MPI_Comm comm, const tgl_problem *problem, tgl_layer **layer)
{
    tgl_affine_spec spec = *(const tgl_affine_spec *)problem->spec;
    point_at_words(problem, &spec);
    return tgl_affine_plan(comm, &spec, layer);
}

/* ---- rows ---- */

static const char *const through[] = {"broadcast", "sum_reduce", NULL};
static const char *const sharded_through[] = {"all_gather", "reduce_scatter", NULL};

static tg_status alone(const tgl_problem *problem, tgl_words *words)
{
    const tgl_affine_spec *s = problem->spec;
    tg_status status = tgl_word_alone(problem, words);
    if (status.code == TG_OK)
        status =
            tgl_word_set_number(words, "batch", tg_split_start(s->batch, s->parts_batch, 1), -1);
    return status.code == TG_OK
               ? tgl_word_set_number(words, "features",
                                     tg_split_start(s->features_in, s->parts_in, 1),
                                     tg_split_start(s->features_out, s->parts_out, 1))
               : status;
}

const tgl_kind tgl_affine = {
    .name = "affine",
    .summary = "linear layer with bias on a grid of weights; batch split, too",
    .formula = "y = x W^T + b",
    .backward = "dx = dy W, dW = dy^T x, db = sum of dy over the batch",
    .source = "Hewett and Grady, arXiv 2006.03108, section 4",
    .weak = "flops of each rank: its block of the weights and the batch",
    .keys = keys,
    .dtypes = {"f32", "f64"},
    .through = through,
    .backward_factor = 2,
    .skips_dx = true,
    .linear = true,
    .resolve = resolve,
    .plan = plan,
    .alone = alone,
};

const tgl_kind tgl_affine_sharded = {
    .name = "affine_sharded",
    .summary = "affine with x and y dealt out over all ranks of the grid of weights",
    .formula = "y = reduce_scatter(all_gather(x) W^T + b)",
    .backward = "dx = reduce_scatter(all_gather(dy) W), dW = dy^T x, db = sum of dy over the batch",
    .source = "Shoeybi and others, arXiv 1909.08053; Korthikanti and others, arXiv 2205.05198",
    .weak = "flops of each rank: its block of the weights and the batch",
    .keys = sharded_keys,
    .dtypes = {"f32", "f64"},
    .through = sharded_through,
    .backward_factor = 2,
    .skips_dx = true,
    .linear = true,
    .resolve = resolve_sharded,
    .plan = plan,
};
