/* auto.c: the fastest algorithm of a primitive, found by measuring while planning.
 *
 * All algorithms but the reference and this one are planned one after another on the real
 * communicator and run a few times on buffers of zeros, in both directions; the time of a run is the
 * largest over ranks, that of an algorithm the median over its runs. All ranks see the same times,
 * so all choose the same, one algorithm a direction. What was chosen is remembered by what makes the
 * problem, and can be saved and loaded.
 * Source of the idea: FFTW's planner with its wisdom (Frigo and Johnson, Proc. IEEE 93, 2005). */
#include "primitives/auto.h"

#include "primitives/op.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { LEAST_RUNS = 3, MOST_RUNS = 15, NAME_SIZE = 32 };
static const double enough_s = 2e-3; /* of runs of one algorithm in one direction */

/* ---- what was chosen before ---- */

typedef struct {
    uint64_t problem;        /* its fingerprint, with the number of ranks */
    char name[2][NAME_SIZE]; /* by the side that is made; empty: not known */
} choice;

static choice *choices; /* until the process ends */
static int nchoices;

static choice *find(uint64_t problem)
{
    for (int i = 0; i < nchoices; i++)
        if (choices[i].problem == problem)
            return &choices[i];
    return NULL;
}

/* Without memory nothing is remembered, which only costs time later. */
static void remember(const choice *made)
{
    choice *known = find(made->problem);
    if (!known) {
        choice *grown = realloc(choices, ((size_t)nchoices + 1) * sizeof *grown);
        if (!grown)
            return;
        choices = grown;
        known = &choices[nchoices++];
    }
    *known = *made;
}

/* What rank 0 knows, so that all ranks of a communicator know the same. */
static choice recall(const tg_op *op, uint64_t problem)
{
    const choice *known = op->rank == 0 ? find(problem) : NULL;
    choice made = {.problem = problem};
    if (known)
        made = *known;
    MPI_Bcast(&made, (int)sizeof made, MPI_BYTE, 0, op->comm);
    return made;
}

/* ---- the file ---- */

/* Choices of another MPI library say nothing about this one. */
static void library_line(char *text, size_t size)
{
    char version[MPI_MAX_LIBRARY_VERSION_STRING];
    int length;
    MPI_Get_library_version(version, &length);
    version[strcspn(version, "\r\n")] = '\0';
    snprintf(text, size, "tensorgauge auto 1, %.200s\n", version);
}

static bool write_choices(FILE *file)
{
    char line[256];
    library_line(line, sizeof line);
    fputs(line, file);
    for (int i = 0; i < nchoices; i++)
        fprintf(file, "%016" PRIx64 " %s %s\n", choices[i].problem, choices[i].name[TG_X],
                choices[i].name[TG_Y]);
    const bool good = !ferror(file);
    return fclose(file) == 0 && good;
}

/* A reader sees the old file or the new one, never a part. */
tg_status tg_auto_save(const char *path)
{
    const size_t size = strlen(path) + 8;
    char *fresh = malloc(size);
    if (!fresh)
        return tg_check_memory(NULL, (ptrdiff_t)size);
    snprintf(fresh, size, "%s.new", path);
    FILE *file = fopen(fresh, "w");
    const bool good = file && write_choices(file) && rename(fresh, path) == 0;
    const int error = errno;
    if (file && !good)
        remove(fresh);
    free(fresh);
    return good ? tg_success()
                : tg_fail(TG_BAD_INPUT, "%.150s: %s; expected a file that can be written", path,
                          strerror(error));
}

/* An algorithm of some primitive; the file does not say of which. */
static bool is_algorithm(const char *name)
{
    for (int i = 0; tg_primitives[i]; i++)
        if (tg_algorithm_find(tg_primitives[i], name))
            return strcmp(name, tg_engine_auto.name) != 0;
    return false;
}

static tg_status check_names(const choice *made, const char *path, int number)
{
    for (tg_space to = TG_X; to <= TG_Y; to++)
        if (!is_algorithm(made->name[to]))
            return tg_fail(
                TG_BAD_INPUT,
                "%.150s line %d: algorithm '%s' is unknown; expected one of tgbench list", path,
                number, made->name[to]);
    return tg_success();
}

static tg_status read_choices(FILE *file, const char *path)
{
    char line[256], mine[256];
    library_line(mine, sizeof mine);
    if (!fgets(line, sizeof line, file) || strncmp(line, "tensorgauge auto 1, ", 20) != 0)
        return tg_fail(TG_BAD_INPUT, "%.150s line 1: expected a file of tg_auto_save", path);
    const bool same_library = strcmp(line, mine) == 0;
    for (int number = 2; fgets(line, sizeof line, file); number++) {
        char *rest;
        int end = 0;
        choice made = {.problem = strtoull(line, &rest, 16)};
        if (rest != line + 16 ||
            sscanf(rest, " %31s %31s%n", made.name[TG_X], made.name[TG_Y], &end) != 2 ||
            rest[end] != '\n')
            return tg_fail(TG_BAD_INPUT, "%.150s line %d: expected a number and two algorithms",
                           path, number);
        if (!same_library)
            continue;
        const tg_status status = check_names(&made, path, number);
        if (status.code != TG_OK)
            return status;
        remember(&made);
    }
    return tg_success();
}

tg_status tg_auto_load(const char *path)
{
    FILE *file = fopen(path, "r");
    if (!file)
        return tg_fail(TG_BAD_INPUT, "%.150s: %s; expected a file of tg_auto_save", path,
                       strerror(errno));
    const tg_status status = read_choices(file, path);
    fclose(file);
    return status;
}

/* ---- candidates ---- */

typedef struct {
    tg_op *made[2]; /* by the side that is made; may be one */
} chosen;

static void free_inside(tg_op **made)
{
    if (*made && (*made)->release)
        (*made)->release(*made);
    free(*made);
    *made = NULL;
}

/* An operator of the same problem by another algorithm, on the same communicator. Errors: agreed,
 * with nothing kept. */
static tg_status plan_inside(const tg_problem *problem, const tg_op *op,
                             const tg_algorithm *algorithm, tg_op **made)
{
    tg_problem inside = *problem;
    inside.algorithm = algorithm;
    *made = calloc(1, sizeof **made);
    tg_status status = tg_agree(op->comm, tg_check_memory(*made, (ptrdiff_t)sizeof **made));
    if (status.code != TG_OK) {
        free(*made);
        *made = NULL;
        return status;
    }
    **made = (tg_op){.shared = op->shared,
                     .comm = op->comm,
                     .rank = op->rank,
                     .size = op->size,
                     .tag = op->tag,
                     .dtype = op->dtype,
                     .in_place = op->in_place,
                     .view = {op->view[TG_X], op->view[TG_Y]},
                     .messages = {-1, -1},
                     .held_bytes = (ptrdiff_t)sizeof **made,
                     .algorithm = {algorithm->name, algorithm->name}};
    status = algorithm->plan(&inside, *made);
    if (status.code != TG_OK)
        free_inside(made);
    return status;
}

/* ---- measuring ---- */

static double now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC_RAW, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* One run, from a common start; on this rank. */
static double time_once(tg_op *op, tg_space to, void *const buffer[2])
{
    MPI_Barrier(op->comm);
    const double start = now_s();
    op->run(op, to, buffer[to == TG_Y ? TG_X : TG_Y], buffer[to]);
    return now_s() - start;
}

static int ascending(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The median over runs of the largest time over ranks: the same number on all ranks. */
static double measure(tg_op *op, tg_space to, void *const buffer[2])
{
    double times[MOST_RUNS], once;
    time_once(op, to, buffer); /* connections are made */
    once = time_once(op, to, buffer);
    MPI_Allreduce(MPI_IN_PLACE, &once, 1, MPI_DOUBLE, MPI_MAX, op->comm);
    int runs = once * MOST_RUNS < enough_s ? MOST_RUNS : (int)(enough_s / once);
    runs = runs < LEAST_RUNS ? LEAST_RUNS : runs;
    for (int i = 0; i < runs; i++)
        times[i] = time_once(op, to, buffer);
    MPI_Allreduce(MPI_IN_PLACE, times, runs, MPI_DOUBLE, MPI_MAX, op->comm);
    qsort(times, (size_t)runs, sizeof *times, ascending);
    return times[runs / 2];
}

static bool is_candidate(const tg_algorithm *const *row, const tg_primitive *primitive)
{
    return row != primitive->algorithms && *row != &tg_engine_auto;
}

/* The names of the fastest; the reference where it is the only one. */
static tg_status choose(const tg_problem *problem, const tg_op *op, void *const buffer[2],
                        choice *made)
{
    const tg_primitive *primitive = problem->primitive;
    double best[2] = {INFINITY, INFINITY};
    for (tg_space to = TG_X; to <= TG_Y; to++)
        snprintf(made->name[to], NAME_SIZE, "%s", primitive->algorithms[0]->name);
    for (const tg_algorithm *const *row = primitive->algorithms; *row; row++) {
        tg_op *candidate;
        if (!is_candidate(row, primitive))
            continue;
        const tg_status status = plan_inside(problem, op, *row, &candidate);
        if (status.code == TG_NO_MEMORY)
            return status;
        if (status.code != TG_OK) /* not in place, say */
            continue;
        for (tg_space to = TG_X; to <= TG_Y; to++) {
            const double time_s = measure(candidate, to, buffer);
            if (time_s < best[to]) {
                best[to] = time_s;
                snprintf(made->name[to], NAME_SIZE, "%s", (*row)->name);
            }
        }
        free_inside(&candidate);
    }
    return tg_success();
}

static void *zeros(tg_memory memory, ptrdiff_t bytes)
{
    if (memory == TG_ANY_MEMORY)
        return calloc(1, (size_t)bytes + 1);
    void *made = tg_memory_alloc(bytes);
    return made ? memset(made, 0, (size_t)bytes) : NULL;
}

/* choose, with buffers of zeros as the user will pass them. */
static tg_status choose_by_running(const tg_problem *problem, const tg_op *op, choice *made)
{
    void *buffer[2];
    bool good = true;
    for (tg_space space = TG_X; space <= TG_Y; space++) {
        buffer[space] = op->in_place && space == TG_Y
                            ? buffer[TG_X]
                            : zeros(problem->memory, tg_view_bytes(&op->view[space]));
        good = good && buffer[space];
    }
    tg_status status =
        tg_agree(op->comm, good ? tg_success()
                                : tg_fail(TG_NO_MEMORY, "no memory for algorithm=auto to measure"));
    if (status.code == TG_OK)
        status = choose(problem, op, buffer, made);
    tg_memory_free(buffer[TG_X]);
    if (!op->in_place)
        tg_memory_free(buffer[TG_Y]);
    return status;
}

/* ---- the plan ---- */

static void run(tg_op *op, tg_space to, const void *in, void *out)
{
    tg_op *made = ((const chosen *)op->state)->made[to];
    made->run(made, to, in, out);
}

static void start(tg_op *op, tg_space to, const void *in, void *out)
{
    tg_start_run(((const chosen *)op->state)->made[to], to, in, out);
}

static void finish(tg_op *op, tg_space to, const void *in, void *out)
{
    tg_finish_run(((const chosen *)op->state)->made[to], to, in, out);
}

static void release(tg_op *op)
{
    chosen *c = op->state;
    if (c->made[TG_Y] != c->made[TG_X])
        free_inside(&c->made[TG_Y]);
    free_inside(&c->made[TG_X]);
    free(c);
}

/* A remembered name may be of a file that another version wrote. */
static const tg_algorithm *named(const tg_primitive *primitive, const char *name)
{
    const tg_algorithm *found = tg_algorithm_find(primitive, name);
    return found && found != &tg_engine_auto ? found : primitive->algorithms[0];
}

static tg_status plan_chosen(const tg_problem *problem, tg_op *op, const choice *made)
{
    chosen *c = op->state;
    tg_status status = tg_success();
    for (tg_space to = TG_X; to <= TG_Y && status.code == TG_OK; to++) {
        if (to == TG_Y && strcmp(made->name[TG_X], made->name[TG_Y]) == 0)
            c->made[TG_Y] = c->made[TG_X];
        else
            status =
                plan_inside(problem, op, named(problem->primitive, made->name[to]), &c->made[to]);
        if (status.code == TG_OK)
            op->algorithm[to] = c->made[to]->algorithm[to];
    }
    return status;
}

static tg_status plan(const tg_problem *problem, tg_op *op)
{
    chosen *c = tg_keep(op, (ptrdiff_t)sizeof *c);
    tg_status status = tg_agree(op->comm, tg_check_memory(c, (ptrdiff_t)sizeof *c));
    op->state = c;
    op->release = c ? release : NULL;
    op->run = run;
    op->start = start;
    op->finish = finish;
    if (status.code != TG_OK)
        return status;
    choice made = recall(op, tg_fingerprint(problem) + (uint64_t)op->size);
    if (made.name[TG_X][0] == '\0') {
        status = choose_by_running(problem, op, &made);
        if (status.code == TG_OK)
            remember(&made);
    }
    if (status.code == TG_OK)
        status = plan_chosen(problem, op, &made);
    if (status.code == TG_OK) {
        const tg_op *x = c->made[TG_X], *y = c->made[TG_Y];
        op->held_bytes += x->held_bytes + (y != x ? y->held_bytes : 0);
        op->messages[TG_X] = x->messages[TG_X];
        op->messages[TG_Y] = y->messages[TG_Y];
    }
    return status;
}

const tg_algorithm tg_engine_auto = {"auto", "the fastest of the others, measured while planning",
                                     plan, NULL};
