/* layer.c: the functions that every layer answers, the list of layers, and a layer from its words.
 *
 * Each call goes to the layer's own function; there is nothing to choose here. */
#include "layers/layer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TGL_LAYER(name) extern const tgl_kind tgl_##name;
#include "layers/table.def"
#undef TGL_LAYER

#define TGL_LAYER(name) &tgl_##name,
const tgl_kind *const tgl_kinds[] = {
#include "layers/table.def"
    NULL};

const tgl_kind *tgl_kind_find(const char *name)
{
    for (const tgl_kind *const *kind = tgl_kinds; *kind; kind++)
        if (strcmp((*kind)->name, name) == 0)
            return *kind;
    return NULL;
}

/* ---- words to problem ---- */

/* The index-th algorithm of a layer's first primitive that the others have, too. A layer that sends
 * nothing knows the word `mpi`, as every operation does. */
const char *tgl_algorithm_at(const tgl_kind *kind, int index)
{
    if (!kind->through[0])
        return index == 0 ? "mpi" : NULL;
    const tg_primitive *first = tg_primitive_find(kind->through[0]);
    for (const tg_algorithm *const *row = first->algorithms; *row; row++) {
        bool common = true;
        for (int i = 1; common && kind->through[i]; i++)
            common = tg_algorithm_find(tg_primitive_find(kind->through[i]), (*row)->name) != NULL;
        if (common && index-- == 0)
            return (*row)->name;
    }
    return NULL;
}

static void append(char *list, size_t size, const char *name)
{
    size_t used = strlen(list);
    snprintf(list + used, size - used, "%s%s", used ? ", " : "", name);
}

const tgl_key *tgl_find_key(const tgl_kind *kind, const char *name)
{
    for (const tgl_key *key = kind->keys; key->name; key++)
        if (strcmp(key->name, name) == 0)
            return key;
    return NULL;
}

static tg_status check_keys(const tgl_kind *kind, const tgl_words *words)
{
    char list[TG_STATUS_TEXT / 2] = "";
    for (const tgl_key *key = kind->keys; key->name; key++)
        append(list, sizeof list, key->name);
    for (int i = 0; i < words->count; i++)
        if (!tgl_find_key(kind, words->word[i].key))
            return tg_fail(TG_BAD_INPUT, "%.40s=%.40s: no key of %s; expected %s",
                           words->word[i].key, words->word[i].value, kind->name, list);
    for (const tgl_key *key = kind->keys; key->name; key++)
        if (!key->initial && !tgl_words_get(words, key->name))
            return tg_fail(TG_BAD_INPUT, "%s has no %s; expected %s=...", kind->name, key->name,
                           key->name);
    return tg_success();
}

static tg_status choose_type(const tgl_kind *kind, const tgl_words *words, const tg_dtype **dtype)
{
    char list[TG_STATUS_TEXT / 2] = "";
    const char *text = tgl_words_get(words, "dtype");
    *dtype = NULL;
    for (int i = 0; kind->dtypes[i]; i++) {
        append(list, sizeof list, kind->dtypes[i]);
        if (strcmp(kind->dtypes[i], text ? text : "f32") == 0)
            *dtype = tg_dtype_find(kind->dtypes[i]);
    }
    return *dtype ? tg_success()
                  : tg_fail(TG_BAD_INPUT, "dtype=%.40s is unknown for %s; expected %s",
                            text ? text : "f32", kind->name, list);
}

static tg_status choose_algorithm(const tgl_kind *kind, const tgl_words *words,
                                  const char **algorithm)
{
    char list[TG_STATUS_TEXT / 2] = "";
    const char *text = tgl_words_get(words, "algorithm"), *name;
    *algorithm = NULL;
    for (int i = 0; (name = tgl_algorithm_at(kind, i)); i++) {
        append(list, sizeof list, name);
        if (strcmp(name, text ? text : "mpi") == 0)
            *algorithm = name;
    }
    return *algorithm ? tg_success()
                      : tg_fail(TG_BAD_INPUT, "algorithm=%.40s is unknown for %s; expected %s",
                                text ? text : "mpi", kind->name, list);
}

/* The layer's file sets words as it reads them; here they get the order of the row. */
static tg_status order_words(tgl_problem *problem)
{
    tgl_words made = problem->words;
    problem->words = (tgl_words){.count = 0};
    tg_status status = tg_success();
    for (const tgl_key *key = problem->kind->keys; key->name && status.code == TG_OK; key++) {
        const char *value = tgl_words_get(&made, key->name);
        if (value)
            status = tgl_words_set(&problem->words, key->name, value);
    }
    tgl_words_free(&made);
    return status;
}

tg_status tgl_resolve(const tgl_kind *kind, const tgl_words *words, int P, tgl_problem *problem)
{
    *problem = (tgl_problem){.kind = kind, .ranks = P, .facts = {.group = {1, 1}}};
    tg_status status = check_keys(kind, words);
    if (status.code == TG_OK)
        status = choose_type(kind, words, &problem->dtype);
    if (status.code == TG_OK)
        status = choose_algorithm(kind, words, &problem->algorithm);
    if (status.code == TG_OK)
        status = kind->resolve(words, problem);
    if (status.code == TG_OK)
        status = tgl_words_set(&problem->words, "dtype", problem->dtype->name);
    if (status.code == TG_OK)
        status = tgl_words_set(&problem->words, "algorithm", problem->algorithm);
    if (status.code == TG_OK)
        status = order_words(problem);
    if (status.code != TG_OK)
        tgl_problem_free(problem);
    return status;
}

void tgl_problem_free(tgl_problem *problem)
{
    tg_layout_free(&problem->x);
    tg_layout_free(&problem->y);
    tgl_words_free(&problem->words);
    free(problem->spec);
    *problem = (tgl_problem){.kind = NULL};
}

tg_status tgl_plan(MPI_Comm comm, const tgl_problem *problem, tgl_layer **layer)
{
    *layer = NULL;
    tg_status status = problem->kind->plan(comm, problem, layer);
    if (status.code == TG_OK) {
        (*layer)->problem = problem;
        (*layer)->version = 1;
        MPI_Comm_rank(comm, &(*layer)->rank);
    }
    return status;
}

/* ---- any layer ---- */

void tgl_forward(tgl_layer *layer, const void *x, void *y)
{
    layer->methods->forward(layer, x, y);
}

void tgl_infer(tgl_layer *layer, const void *x, void *y)
{
    (layer->methods->infer ? layer->methods->infer : layer->methods->forward)(layer, x, y);
}

void tgl_backward_start(tgl_layer *layer, const void *x, const void *dy, void *dx)
{
    layer->methods->backward(layer, x, dy, dx);
}

void tgl_backward_finish(tgl_layer *layer)
{
    if (layer->methods->finish)
        layer->methods->finish(layer);
}

void tgl_backward(tgl_layer *layer, const void *x, const void *dy, void *dx)
{
    tgl_backward_start(layer, x, dy, dx);
    tgl_backward_finish(layer);
}

void tgl_changed(tgl_layer *layer)
{
    layer->version++;
}

void tgl_skip_dx(tgl_layer *layer)
{
    layer->skips_dx = true;
    layer->flops_backward -= layer->flops_dx;
    layer->flops_dx = 0;
}

void tgl_free(tgl_layer **layer)
{
    if (*layer)
        (*layer)->methods->release(*layer);
    *layer = NULL;
}

double tgl_flops_forward(const tgl_layer *layer)
{
    return layer->flops_forward;
}

double tgl_flops_backward(const tgl_layer *layer)
{
    return layer->flops_backward;
}

const char *tgl_kernels(const tgl_layer *layer)
{
    return layer->kernels;
}

const tgl_parameter *tgl_parameter_at(const tgl_layer *layer, int index)
{
    return index >= 0 && index < layer->parameter_count ? &layer->parameters[index] : NULL;
}

void tgl_fill(tgl_layer *layer, uint64_t seed, void *x, void *dy)
{
    if (layer->methods->fill)
        layer->methods->fill(layer, seed, x, dy);
    else
        tgl_expect_fill(layer, seed, x, dy);
    tgl_changed(layer);
}

ptrdiff_t tgl_count_wrong_forward(const tgl_layer *layer, uint64_t seed, const void *y)
{
    if (layer->methods->count_wrong_forward)
        return layer->methods->count_wrong_forward(layer, seed, y);
    return tgl_expect_wrong_forward(layer, seed, y);
}

ptrdiff_t tgl_count_wrong_backward(const tgl_layer *layer, uint64_t seed, const void *dx)
{
    if (layer->methods->count_wrong_backward)
        return layer->methods->count_wrong_backward(layer, seed, dx);
    return tgl_expect_wrong_backward(layer, seed, dx);
}
