/* norm_words.c: batch_norm and layer_norm: their words, facts and rows; see norm.h. */
#include "layers/norm.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const tgl_key batch_keys[] = {{"shape", NULL, true},       {"grid", "1x1", false},
                                     {"ranks", "0..n-1", false},  {"eps", "1e-05", false},
                                     {"momentum", "0.1", false},  {"scale-shift", "yes", false},
                                     {"mode", "training", false}, TGL_TYPE};

static const tgl_key layer_keys[] = {{"shape", NULL, true},
                                     {"axes", "1", false},
                                     {"grid", "1x1", false},
                                     {"ranks", "0..n-1", false},
                                     {"eps", "1e-05", false},
                                     {"scale-shift", "yes", false},
                                     TGL_TYPE};

/* ---- what both kinds read ---- */

/* A number in [least, 1]. */
static tg_status read_number(const tgl_words *words, const tgl_key *keys, const char *key,
                             double least, tgl_problem *problem, double *value)
{
    const char *text = tgl_words_get(words, key);
    char *end, canonical[32];
    while (strcmp(keys->name, key) != 0)
        keys++;
    text = text ? text : keys->initial;
    *value = strtod(text, &end);
    if (*text < '0' || *text > '9' || *end != '\0' || !(*value >= least && *value <= 1))
        return tg_fail(TG_BAD_INPUT, "%s=%.40s: expected a number from %g to 1", key, text, least);
    snprintf(canonical, sizeof canonical, "%.15g", *value);
    return tgl_words_set(&problem->words, key, canonical);
}

static void write_facts(const tgl_norm_spec *s, tgl_problem *problem)
{
    const tg_layout *x = &problem->x;
    tgl_facts *facts = &problem->facts;
    ptrdiff_t scales = 2, most = 2;
    for (int d = 0; d < x->ndim; d++) {
        facts->group[0] *= s->reduced[d] ? x->axis[d].parts : 1;
        if (s->reduced[d] == s->along) {
            scales *= x->axis[d].extent;
            most *= tg_split_start(x->axis[d].extent, x->axis[d].parts, 1);
        }
    }
    facts->flops = TGL_NORM_FLOPS * (double)tg_layout_count(x);
    facts->busiest_flops = TGL_NORM_FLOPS * (double)tg_layout_max_held(x);
    facts->entries_most = 2 * (double)tg_layout_max_held(x);
    facts->parameters = s->scales ? scales : 0;
    facts->parameters_most = s->scales ? most : 0;
}

/* shape, grid, ranks, eps and scale-shift; x and y have one layout. */
static tg_status read_common(const tgl_words *words, const tgl_key *keys, tgl_problem *problem,
                             tgl_norm_spec *s)
{
    enum { ROOM = 1 }; /* an axis more is for what is sent of each group */
    const double least_eps = 1e-12;
    const char *shape = tgl_words_get(words, "shape");
    tg_status status = tgl_word_layout(words, shape, NULL, problem, &problem->x);
    if (status.code == TG_OK && problem->x.ndim > TG_MAX_NDIM - ROOM)
        status = tg_fail(TG_BAD_INPUT, "shape=%.40s: expected at most %d axes", shape,
                         TG_MAX_NDIM - ROOM);
    if (status.code == TG_OK)
        status = tg_layout_copy(&problem->x, &problem->y);
    if (status.code == TG_OK)
        status = tgl_word_shape(&problem->x, problem);
    if (status.code == TG_OK)
        status = read_number(words, keys, "eps", least_eps, problem, &s->eps);
    if (status.code == TG_OK)
        status = tgl_word_yes(words, keys, "scale-shift", &s->scales);
    return status.code == TG_OK
               ? tgl_words_set(&problem->words, "scale-shift", s->scales ? "yes" : "no")
               : status;
}

static tg_status make_spec(tgl_problem *problem, tgl_norm_spec **s)
{
    *s = problem->spec = calloc(1, sizeof **s);
    return *s ? tg_success() : tg_fail(TG_NO_MEMORY, "no memory for a layer");
}

/* ---- batch_norm ---- */

static tg_status read_mode(const tgl_words *words, tgl_problem *problem, tgl_norm_spec *s)
{
    const char *mode = tgl_words_get(words, "mode");
    mode = mode ? mode : "training";
    s->keeps = strcmp(mode, "training") == 0;
    s->applies = strcmp(mode, "inference") == 0;
    if (!s->keeps && !s->applies)
        return tg_fail(TG_BAD_INPUT, "mode=%.40s: expected training or inference", mode);
    return tgl_words_set(&problem->words, "mode", mode);
}

static tg_status resolve_batch(const tgl_words *words, tgl_problem *problem)
{
    tgl_norm_spec *s;
    tg_status status = make_spec(problem, &s);
    if (status.code == TG_OK)
        status = read_common(words, batch_keys, problem, s);
    if (status.code == TG_OK && problem->x.ndim < 2)
        status = tg_fail(TG_BAD_INPUT,
                         "shape=%.40s: expected batch, channels and any axes of space, as in "
                         "8x16x28x28",
                         tgl_words_get(words, "shape"));
    if (status.code == TG_OK)
        status = read_number(words, batch_keys, "momentum", 0, problem, &s->momentum);
    if (status.code == TG_OK)
        status = read_mode(words, problem, s);
    if (status.code != TG_OK)
        return status;
    for (int d = 0; d < problem->x.ndim; d++)
        s->reduced[d] = d != 1;
    write_facts(s, problem);
    return status;
}

/* ---- layer_norm ---- */

static tg_status resolve_layer(const tgl_words *words, tgl_problem *problem)
{
    tgl_norm_spec *s;
    char text[32];
    ptrdiff_t axes = 0;
    tg_status status = make_spec(problem, &s);
    if (status.code == TG_OK)
        status = read_common(words, layer_keys, problem, s);
    if (status.code == TG_OK)
        status = tgl_word_extent(words, layer_keys, "axes", &axes);
    if (status.code == TG_OK && (axes < 1 || axes > problem->x.ndim))
        status = tg_fail(TG_BAD_INPUT, "axes=%td: expected from 1 to the %d axes of the shape",
                         axes, problem->x.ndim);
    if (status.code != TG_OK)
        return status;
    s->along = true;
    for (int d = 0; d < problem->x.ndim; d++)
        s->reduced[d] = d >= problem->x.ndim - (int)axes;
    write_facts(s, problem);
    snprintf(text, sizeof text, "%td", axes);
    return tgl_words_set(&problem->words, "axes", text);
}

/* ---- rows ---- */

static const char *const through[] = {"all_gather", "all_sum_reduce", "broadcast", NULL};

const tgl_kind tgl_batch_norm = {
    .name = "batch_norm",
    .summary = "each channel to mean 0 and variance 1; batch, channels and space split",
    .formula = "y = (x - mean) / sqrt(M2 / count + eps) scale + shift, by channel",
    .backward = "dx = scale / sqrt(M2 / count + eps) (dy - mean of dy - xhat mean of dy xhat), "
                "dscale = sum of dy xhat, dshift = sum of dy",
    .source = "Ioffe and Szegedy, arXiv 1502.03167; merged as in Chan, Golub, LeVeque, 1979",
    .weak = "flops of each rank: its entries of x",
    .keys = batch_keys,
    .dtypes = {"f32", "f64"},
    .through = through,
    .backward_factor = TGL_NORM_FLOPS_BACKWARD / TGL_NORM_FLOPS,
    .resolve = resolve_batch,
    .plan = tgl_norm_plan,
    .expect = tgl_norm_expect,
};

const tgl_kind tgl_layer_norm = {
    .name = "layer_norm",
    .summary = "the last axes of each sample to mean 0 and variance 1; any axis split",
    .formula = "y = (x - mean) / sqrt(M2 / count + eps) scale + shift, over the last axes",
    .backward = "dx = (dy scale - mean of dy scale - xhat mean of dy scale xhat) / sqrt(M2 / count "
                "+ eps), dscale = sum of dy xhat, dshift = sum of dy",
    .source = "Ba, Kiros and Hinton, arXiv 1607.06450; merged as in Chan, Golub, LeVeque, 1979",
    .weak = "flops of each rank: its entries of x",
    .keys = layer_keys,
    .dtypes = {"f32", "f64"},
    .through = through,
    .backward_factor = TGL_NORM_FLOPS_BACKWARD / TGL_NORM_FLOPS,
    .resolve = resolve_layer,
    .plan = tgl_norm_plan,
    .expect = tgl_norm_expect,
};
