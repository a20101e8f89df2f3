/* operation.c: the list of operations, and what is the same for all of them: looking up words,
 * solving N, making buffers, comparing dot products. */
#include "bench/operation.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- the list ---- */

static const tgb_operation *rows[TGB_MAX_OPERATIONS + 1];
static int nrows;

static void add_row(const tgb_operation *row)
{
    if (nrows < TGB_MAX_OPERATIONS)
        rows[nrows++] = row;
}

const tgb_operation *const *tgb_operations(int *count)
{
    if (nrows == 0) {
        tgb_add_primitives(add_row);
        tgb_add_layers(add_row);
        tgb_add_networks(add_row);
        tgb_add_raw(add_row);
        tgb_add_chains(add_row);
        tgb_add_machine(add_row);
    }
    *count = nrows;
    return rows;
}

const tgb_operation *tgb_find(const char *name)
{
    int count;
    const tgb_operation *const *row = tgb_operations(&count);
    for (int i = 0; i < count; i++)
        if (strcmp(row[i]->name, name) == 0)
            return row[i];
    return NULL;
}

const tgb_direction *tgb_find_direction(const tgb_operation *operation, const char *name)
{
    for (int i = 0; i < operation->ndirections; i++)
        if (strcmp(operation->directions[i].name, name) == 0)
            return &operation->directions[i];
    return NULL;
}

const char *tgb_join(const char *const *names, char *text, size_t size)
{
    size_t length = 0;
    text[0] = '\0';
    for (; *names && length < size; names++)
        length +=
            (size_t)snprintf(text + length, size - length, "%s%s", length > 0 ? ", " : "", *names);
    return text;
}

static const char *const scaling_names[] = {"strong", "weak", "size"}; /* as tgb_scaling counts */

const char *tgb_scaling_name(tgb_scaling scaling)
{
    return scaling_names[scaling];
}

tg_status tgb_scaling_parse(const char *text, tgb_scaling *scaling)
{
    for (int i = 0; i <= TGB_SIZE; i++)
        if (strcmp(scaling_names[i], text) == 0) {
            *scaling = (tgb_scaling)i;
            return tg_success();
        }
    return tg_fail(TG_BAD_INPUT, "scaling '%.40s' is unknown; expected strong, weak or size", text);
}

/* ---- words ---- */

static tg_status find_operation(const tgb_case *words, const tgb_operation **operation)
{
    *operation = tgb_find(words->operation);
    if (*operation)
        return tg_success();
    int count;
    const tgb_operation *const *row = tgb_operations(&count);
    const char *names[TGB_MAX_OPERATIONS + 1] = {NULL};
    char list[TG_STATUS_TEXT];
    for (int i = 0; i < count; i++)
        names[i] = row[i]->name;
    return tg_fail(TG_BAD_INPUT, "operation '%.40s' is unknown; expected one of %s",
                   words->operation, tgb_join(names, list, sizeof list));
}

static const tgb_key *find_key(const tgb_operation *operation, const char *name)
{
    for (const tgb_key *key = operation->keys; key->name; key++)
        if (strcmp(key->name, name) == 0)
            return key;
    return NULL;
}

void tgb_put_kernels(tgb_operation *row)
{
    for (int i = 0; find_key(row, "kernels") && i < TGB_MAX_ALGORITHMS && tgl_kernels_at(i); i++)
        row->kernels[i] = tgl_kernels_at(i);
}

static tg_status unknown_key(const tgb_operation *operation, const char *name, const char *value)
{
    const char *names[TGB_MAX_KEYS + 1] = {NULL};
    char list[TG_STATUS_TEXT];
    for (int i = 0; i < TGB_MAX_KEYS && operation->keys[i].name; i++)
        names[i] = operation->keys[i].name;
    return tg_fail(TG_BAD_INPUT, "%.40s=%.40s: no key of %s; expected %s", name, value,
                   operation->name, tgb_join(names, list, sizeof list));
}

static tg_status check_keys(const tgb_operation *operation, const tgb_case *words)
{
    for (int i = 0; i < words->count; i++)
        if (!find_key(operation, words->word[i].key))
            return unknown_key(operation, words->word[i].key, words->word[i].value);
    for (const tgb_key *key = operation->keys; key->name; key++)
        if (!key->initial && !tgb_case_get(words, key->name))
            return tg_fail(TG_BAD_INPUT, "case '%.40s' has no %s; expected %s=...", operation->name,
                           key->name, key->name);
    return tg_success();
}

static const char *find_word(const char *const *list, const char *word)
{
    while (*list && strcmp(*list, word) != 0)
        list++;
    return *list;
}

/* The value of a key that must be one of a list, or its default; or of a second list, of words that
 * nobody is told to use. */
static tg_status choose(const tgb_operation *operation, const tgb_case *words, const char *key,
                        const char *const *list, const char *const *more, const char **value)
{
    char text[TG_STATUS_TEXT];
    const char *given = tgb_case_get(words, key);
    if (!given)
        given = find_key(operation, key)->initial;
    *value = find_word(list, given);
    if (!*value)
        *value = find_word(more, given);
    if (*value)
        return tg_success();
    return tg_fail(TG_BAD_INPUT, "%s=%.40s is unknown for %s; expected %s", key, given,
                   operation->name, tgb_join(list, text, sizeof text));
}

tg_status tgb_needs_size(const tgb_case *words, bool *needs)
{
    const tgb_operation *operation;
    tg_status status = find_operation(words, &operation);
    *needs = false;
    if (status.code != TG_OK)
        return status;
    for (const tgb_key *key = operation->keys; key->name; key++) {
        const char *value = tgb_case_get(words, key->name);
        *needs = *needs || (key->sized && value && strchr(value, 'N'));
    }
    return status;
}

/* ---- resolve ---- */

static tg_status resolve_with(const tgb_operation *operation, const tgb_case *words, int P,
                              ptrdiff_t N, tgb_setup *setup)
{
    static const char *const none[] = {NULL};
    const char *dtype;
    *setup = (tgb_setup){.operation = operation,
                         .ranks = P,
                         .moved_bytes = -1,
                         .max_rank_bytes = -1,
                         .weak_goal = -1,
                         .trips = 1};
    tg_status status = check_keys(operation, words);
    if (status.code == TG_OK)
        status = choose(operation, words, "dtype", operation->dtypes, none, &dtype);
    if (status.code == TG_OK)
        status = choose(operation, words, "algorithm", operation->algorithms, operation->lacking,
                        &setup->algorithm);
    if (status.code == TG_OK) {
        setup->problem.dtype = tg_dtype_find(dtype);
        setup->words.operation = strdup(operation->name);
        status = setup->words.operation ? operation->resolve(words, P, N, setup)
                                        : tg_fail(TG_NO_MEMORY, "no memory for a case");
    }
    if (status.code == TG_OK && !(setup->text = tgb_case_print(&setup->words)))
        status = tg_fail(TG_NO_MEMORY, "no memory for a case");
    if (status.code != TG_OK)
        tgb_setup_free(setup);
    return status;
}

/* Is what N makes not above the goal? A case that is not possible with a small N is no reason to
 * stop. */
static bool fits(const tgb_operation *operation, const tgb_case *words, int P, ptrdiff_t N,
                 bool weak, double goal)
{
    tgb_setup setup;
    if (resolve_with(operation, words, P, N, &setup).code != TG_OK)
        return true;
    double have = weak ? setup.weak_part : (double)setup.size_bytes;
    tgb_setup_free(&setup);
    return have <= goal;
}

/* The largest N in [0, limit] that fits, by doubling and then halving. */
static ptrdiff_t largest_n(const tgb_operation *operation, const tgb_case *words, int P, bool weak,
                           double goal, ptrdiff_t limit)
{
    ptrdiff_t lo = 0, hi = 1;
    while (hi <= limit && fits(operation, words, P, hi, weak, goal)) {
        lo = hi;
        hi = hi > limit / 2 ? limit + 1 : 2 * hi;
    }
    while (hi - lo > 1) {
        ptrdiff_t middle = lo + (hi - lo) / 2;
        if (fits(operation, words, P, middle, weak, goal))
            lo = middle;
        else
            hi = middle;
    }
    return lo;
}

/* With the N that was found; a case whose other words alone are above the size has none. */
static tg_status resolve_sized(const tgb_operation *operation, const tgb_case *words, int P,
                               ptrdiff_t N, tgb_scaling scaling, ptrdiff_t size, tgb_setup *setup)
{
    tg_status status = resolve_with(operation, words, P, N, setup);
    if (status.code != TG_OK || scaling == TGB_WEAK || setup->size_bytes <= size)
        return status;
    status =
        tg_fail(TG_BAD_INPUT, "%s: %td B without N; expected a size of at least as much, not %td B",
                operation->name, setup->size_bytes, size);
    tgb_setup_free(setup);
    return status;
}

tg_status tgb_resolve(const tgb_case *words, int P, tgb_scaling scaling, ptrdiff_t size,
                      tgb_setup *setup)
{
    const tgb_operation *operation;
    bool needs;
    tg_status status = find_operation(words, &operation);
    *setup = (tgb_setup){.ranks = 0};
    if (status.code == TG_OK)
        status = tgb_needs_size(words, &needs);
    if (status.code != TG_OK)
        return status;
    if (needs && size < 0)
        return tg_fail(TG_BAD_INPUT, "case '%.40s' holds N; expected --sizes, as in --sizes 64KiB",
                       operation->name);
    if (!needs)
        return resolve_with(operation, words, P, 1, setup);
    ptrdiff_t limit = size, N = largest_n(operation, words, P, false, (double)size, limit);
    if (scaling == TGB_WEAK) {
        status = resolve_sized(operation, words, P, N, TGB_SIZE, size, setup);
        if (status.code != TG_OK)
            return status;
        double goal = setup->weak_goal >= 0 ? setup->weak_goal : (double)size;
        tgb_setup_free(setup);
        limit = limit > PTRDIFF_MAX / 4 / P ? PTRDIFF_MAX / 4 : limit * P;
        N = largest_n(operation, words, P, true, goal, limit);
    }
    return resolve_sized(operation, words, P, N, scaling, size, setup);
}

void tgb_setup_free(tgb_setup *setup)
{
    free(setup->text);
    tg_layout_free(&setup->problem.x);
    tg_layout_free(&setup->problem.y);
    tgb_case_free(&setup->words);
    tgl_problem_free(&setup->layer);
    *setup = (tgb_setup){.ranks = 0};
}

ptrdiff_t tgb_held_bytes(const tgb_setup *setup)
{
    return setup->held_x_bytes > setup->held_y_bytes ? setup->held_x_bytes : setup->held_y_bytes;
}

/* ---- plan ---- */

static bool make_buffers(tgb_work *work)
{
    ptrdiff_t larger = work->x_bytes > work->y_bytes ? work->x_bytes : work->y_bytes;
    work->x = tg_memory_alloc(work->one_buffer ? larger : work->x_bytes);
    work->y = work->one_buffer ? work->x : tg_memory_alloc(work->y_bytes);
    if (work->layer) {
        work->dx = tg_memory_alloc(work->x_bytes);
        work->dy = tg_memory_alloc(work->y_bytes);
    }
    return work->x && work->y && (!work->layer || (work->dx && work->dy));
}

tg_status tgb_plan(MPI_Comm comm, const tgb_setup *setup, const tgb_direction *direction,
                   uint64_t seed, tgb_work *work)
{
    *work = (tgb_work){.setup = setup,
                       .direction = direction,
                       .comm = comm,
                       .seed = seed,
                       .request = MPI_REQUEST_NULL};
    MPI_Comm_rank(comm, &work->rank);
    tg_status status = setup->operation->plan(work);
    if (status.code != TG_OK)
        return status;
    status = tg_success();
    if (!make_buffers(work))
        status = tg_fail(TG_NO_MEMORY, "rank %d has no memory for buffers of %td B", work->rank,
                         work->x_bytes + work->y_bytes);
    status = tg_agree(comm, status);
    if (status.code != TG_OK)
        tgb_work_free(work);
    else if (setup->operation->bind)
        setup->operation->bind(work);
    return status;
}

bool tgb_restores(const tgb_work *work)
{
    return work->setup->restores[work->direction == work->setup->operation->directions ? 0 : 1];
}

void tgb_work_free(tgb_work *work)
{
    if (work->request != MPI_REQUEST_NULL)
        MPI_Request_free(&work->request);
    work->setup->operation->release(work);
    if (!work->one_buffer)
        tg_memory_free(work->y);
    tg_memory_free(work->x);
    tg_memory_free(work->dx);
    tg_memory_free(work->dy);
    *work = (tgb_work){.setup = NULL};
}

/* What is bound to its buffers keeps a state from one run to the next, so that a second run, with other
 * values, may be wrong where the first is right. */
long long tgb_validate(tgb_work *work)
{
    const int times = work->setup->operation->bind ? 2 : 1;
    const uint64_t seed = work->seed;
    long long count[2] = {0, 0}; /* wrong entries; comparisons without memory */
    for (int i = 0; i < times; i++) {
        work->seed = seed + (uint64_t)i;
        work->direction->fill(work);
        work->direction->run(work);
        const long long mine = work->direction->count_wrong(work);
        count[0] += mine < 0 ? 0 : mine;
        count[1] += mine < 0;
    }
    work->seed = seed;
    MPI_Allreduce(MPI_IN_PLACE, count, 2, MPI_LONG_LONG, MPI_SUM, work->comm);
    return count[1] > 0 ? -1 : count[0];
}

double tgb_gap(MPI_Comm comm, const tgb_products *mine)
{
    double sum[6] = {mine->left, mine->right, mine->out2, mine->y2, mine->x2, mine->back2};
    MPI_Allreduce(MPI_IN_PLACE, sum, 6, MPI_DOUBLE, MPI_SUM, comm);
    double scale = fmax(sqrt(sum[2]) * sqrt(sum[3]), sqrt(sum[4]) * sqrt(sum[5]));
    double gap = fabs(sum[0] - sum[1]);
    return scale > 0 ? gap / scale : gap;
}
