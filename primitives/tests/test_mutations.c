/* test_mutations.c: operators that are wrong on purpose, each built around a right one, must be
 * caught by the same checks that test_operators uses and by the library's own tg_count_wrong.
 *
 *     zero          F and F* give zeros: passes every dot product test, so only values can catch it
 *     copies        F* keeps one of the copies' cotangents instead of adding them all
 *     swapped       two blocks of the output stand in each other's place
 *     missing row   the first ghost row of the halo is not written
 *     skipped last  the last element of a result is not written
 *     uncleared     a move between memory regions keeps what it moved
 *     one for another   of many copies one is added twice, one not at all */
#include "primitives/tests/checks.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A right operator and what is needed to damage its results. */
typedef struct {
    tg_op *op;
    const test_case *c;
    MPI_Comm comm;
} mutant;

static size_t bytes_of(const mutant *m, const tg_box *box)
{
    return (size_t)model_count(box) * m->c->problem.dtype->size;
}

static void right_apply(void *self, const void *x, void *y)
{
    tg_apply(((mutant *)self)->op, x, y);
}

static void right_adjoint(void *self, void *y, void *x)
{
    tg_apply_adjoint(((mutant *)self)->op, y, x);
}

/* ---- zero ---- */

static void zero_apply(void *self, const void *x, void *y)
{
    mutant *m = self;
    right_apply(self, x, y);
    if (y != NULL)
        memset(y, 0, bytes_of(m, &m->c->y));
}

static void zero_adjoint(void *self, void *y, void *x)
{
    mutant *m = self;
    right_adjoint(self, y, x);
    if (x != NULL)
        memset(x, 0, bytes_of(m, &m->c->x));
}

/* ---- copies instead of adding ---- */

/* The right adjoint of a y in which every entry is 0 but at its last holder: what overwriting would
 * leave. */
static void copying_adjoint(void *self, void *y, void *x)
{
    mutant *m = self;
    const model_layout *layout = &m->c->m.y;
    const tg_dtype *dtype = m->c->problem.dtype;
    void *last = malloc(bytes_of(m, &m->c->y) + 1);
    if (bytes_of(m, &m->c->y) > 0)
        memcpy(last, y, bytes_of(m, &m->c->y));
    for (long n = 0; n < model_count(&m->c->y); n++) {
        long g[TG_MAX_NDIM];
        model_entry(&m->c->y, n, g);
        for (int place = m->c->place_y + 1; place < layout->places; place++) {
            tg_box box = model_box(layout, place, true);
            if (model_offset(&box, g) >= 0)
                dtype->put(last, n, 0.0);
        }
    }
    right_adjoint(self, last, x);
    free(last);
}

/* ---- swapped blocks ---- */

/* The first two places of y exchange their results (their blocks are equally large). */
static void swapped_apply(void *self, const void *x, void *y)
{
    mutant *m = self;
    right_apply(self, x, y);
    if (m->c->place_y == 0 || m->c->place_y == 1) {
        int other = m->c->m.y.rank[1 - m->c->place_y];
        MPI_Sendrecv_replace(y, (int)bytes_of(m, &m->c->y), MPI_BYTE, other, 0, other, 0, m->comm,
                             MPI_STATUS_IGNORE);
    }
}

/* ---- rows and elements that are not written ---- */

/* The entries of y's first row on this rank that it does not own: the ghost row before its block.
 */
static bool is_first_ghost(const mutant *m, const long g[TG_MAX_NDIM])
{
    tg_box owned = model_box(&m->c->m.x, m->c->place_x, true);
    return g[0] == m->c->y.lo[0] && g[0] < owned.lo[0];
}

static void missing_row_apply(void *self, const void *x, void *y)
{
    mutant *m = self;
    size_t entry = m->c->problem.dtype->size;
    unsigned char *before = malloc(bytes_of(m, &m->c->y) + 1);
    if (y != NULL)
        memcpy(before, y, bytes_of(m, &m->c->y));
    right_apply(self, x, y);
    for (long n = 0; n < model_count(&m->c->y); n++) {
        long g[TG_MAX_NDIM];
        model_entry(&m->c->y, n, g);
        if (is_first_ghost(m, g))
            memcpy((unsigned char *)y + (size_t)n * entry, before + (size_t)n * entry, entry);
    }
    free(before);
}

/* Keeps the last element of a buffer as it was before. */
static void keep_last(void *buffer, size_t bytes, size_t entry, unsigned char kept[16], bool save)
{
    if (bytes > 0) {
        unsigned char *last = (unsigned char *)buffer + bytes - entry;
        memcpy(save ? kept : last, save ? last : kept, entry);
    }
}

static void skipping_apply(void *self, const void *x, void *y)
{
    mutant *m = self;
    unsigned char kept[16];
    size_t bytes = bytes_of(m, &m->c->y), entry = m->c->problem.dtype->size;
    keep_last(y, bytes, entry, kept, true);
    right_apply(self, x, y);
    keep_last(y, bytes, entry, kept, false);
}

static void skipping_adjoint(void *self, void *y, void *x)
{
    mutant *m = self;
    unsigned char kept[16];
    size_t bytes = bytes_of(m, &m->c->x), entry = m->c->problem.dtype->size;
    keep_last(x, bytes, entry, kept, true);
    right_adjoint(self, y, x);
    keep_last(x, bytes, entry, kept, false);
}

/* A move, out of place, that leaves what it moved: region a of y is region a of x. */
static void uncleared_apply(void *self, const void *x, void *y)
{
    mutant *m = self;
    right_apply(self, x, y);
    if (x != NULL)
        memcpy(y, x, bytes_of(m, &m->c->x) / 2);
}

/* An operator that also writes one entry of its input. */
static void spoiling_apply(void *self, const void *x, void *y)
{
    mutant *m = self;
    right_apply(self, x, y);
    if (model_count(&m->c->x) > 0)
        m->c->problem.dtype->put((void *)(uintptr_t)x, 0, 12.0);
}

/* An operator that writes one entry past the end of its output. */
static void overrunning_apply(void *self, const void *x, void *y)
{
    mutant *m = self;
    right_apply(self, x, y);
    if (m->c->place_y >= 0)
        m->c->problem.dtype->put(y, model_count(&m->c->y), 3.0);
}

/* ---- which mutation must be seen by which check ---- */

typedef struct {
    const char *name, *line;
    void (*apply)(void *self, const void *x, void *y);
    void (*adjoint)(void *self, void *y, void *x);
    const char *caught_by; /* names of checks that must fail, and no others than these and "values
                              oracle" */
    const char *passes;    /* names of checks that must not fail */
} mutation;

static const mutation mutations[] = {
    {"right", "broadcast shape=7x5 from=1x1 to=Pcx1", right_apply, right_adjoint, "",
     "values dot kept guards matrix oracle"},
    {"right", "halo shape=12x5 grid=Px1 kernel=3x3 padding=1x1", right_apply, right_adjoint, "",
     "values dot kept guards matrix oracle"},
    {"zero", "broadcast shape=7x5 from=1x1 to=Pcx1", zero_apply, zero_adjoint, "values oracle",
     "dot kept guards"},
    {"zero", "halo shape=12x5 grid=Px1 kernel=3x3 padding=1x1", zero_apply, zero_adjoint,
     "values oracle", "dot kept guards"},
    {"zero", "repartition shape=3x2 from=Px1 to=1xP", zero_apply, zero_adjoint,
     "values matrix oracle", "dot kept guards"},
    {"copies", "broadcast shape=7 from=1 to=Pc", right_apply, copying_adjoint, "values dot oracle",
     "kept guards"},
    {"copies", "halo shape=12x5 grid=Px1 kernel=3x3 padding=1x1", right_apply, copying_adjoint,
     "values dot oracle", "kept guards"},
    {"copies", "repartition shape=2x2 from=Px1 to=1xPc", right_apply, copying_adjoint,
     "values dot matrix oracle", "kept guards"},
    {"zero", "move shape=2x5 grid=1xP", zero_apply, zero_adjoint, "values matrix oracle",
     "dot kept guards"},
    {"uncleared", "move shape=2x5 grid=1xP", uncleared_apply, right_adjoint,
     "values dot matrix oracle", "kept guards"},
    {"missing row", "halo_upsample shape=8x2 grid=Px1 kernel=2x1 stride=2x1", missing_row_apply,
     right_adjoint, "values dot oracle", "kept guards"},
    {"copies", "halo_transposed shape=12x5 grid=Px1 kernel=3x3 padding=1x1", right_apply,
     copying_adjoint, "values dot oracle", "kept guards"},
    {"swapped", "repartition shape=8x1 from=1x1 to=2x1", swapped_apply, right_adjoint,
     "values dot matrix oracle", "kept guards"},
    {"swapped", "halo shape=6x4 grid=2x1 kernel=3x1 padding=1x0", swapped_apply, right_adjoint,
     "values dot matrix oracle", "kept guards"},
    {"missing row", "halo shape=12x5 grid=Px1 kernel=3x3 padding=1x1", missing_row_apply,
     right_adjoint, "values dot oracle", "kept guards"},
    {"missing row", "halo shape=4x2 grid=2x1 kernel=3x1 padding=1x0", missing_row_apply,
     right_adjoint, "values dot matrix oracle", "kept guards"},
    {"skipped last", "broadcast shape=7 from=1 to=Pc", skipping_apply, right_adjoint,
     "values dot oracle", "kept guards"},
    {"skipped last", "sum_reduce shape=7 from=Pc to=1", right_apply, skipping_adjoint,
     "values dot oracle", "kept guards"},
    {"skipped last", "all_sum_reduce shape=3 grid=Pc", skipping_apply, skipping_adjoint,
     "values matrix oracle", "kept guards"},
    {"skipped last", "repartition shape=6x5 from=Px1 to=1xP", skipping_apply, right_adjoint,
     "values dot oracle", "kept guards"},
    {"skipped last", "send_recv shape=5 from-ranks=0 to-ranks=1", skipping_apply, skipping_adjoint,
     "values matrix oracle", "kept guards"},
    {"spoilt input", "broadcast shape=7 from=1 to=Pc", spoiling_apply, right_adjoint, "kept",
     "values dot"},
    {"overrun", "broadcast shape=7 from=1 to=Pc", overrunning_apply, right_adjoint, "guards",
     "values dot kept"},
};

/* Counts the kinds of checks that did not behave as the mutation says. */
static int judge(const mutation *mutated, const char *line, const test_verdict *all, int rank)
{
    int wrong = 0;
    for (int kind = 0; kind < CHECK_KINDS; kind++) {
        bool must_fail = strstr(mutated->caught_by, check_names[kind]) != NULL;
        bool must_pass = strstr(mutated->passes, check_names[kind]) != NULL;
        if ((must_fail && all->failed[kind] == 0) || (must_pass && all->failed[kind] > 0)) {
            wrong++;
            if (rank == 0) {
                printf("FAILED %s, %s: %s failed %ld of %ld times; expected %s (%s)\n",
                       mutated->name, line, check_names[kind], all->failed[kind], all->done[kind],
                       must_fail ? "some" : "none", all->text);
            }
        }
    }
    return wrong;
}

static int run_mutation(const mutation *mutated, MPI_Comm comm, int rank, int size)
{
    test_case *c = malloc(sizeof *c);
    test_verdict mine = {.text = ""};
    char text[256], line[1024];
    int wrong = 1;
    tg_op *op = NULL;
    model_line(mutated->line, size, line, sizeof line);
    if (case_make(line, rank, size, c, text) && tg_plan(comm, &c->problem, &op).code == TG_OK) {
        mutant m = {op, c, comm};
        test_operator tested = {mutated->apply, mutated->adjoint, &m};
        check_operator(c, &tested, comm, 60, &mine);
        test_verdict all = check_agree(&mine, comm);
        wrong = judge(mutated, line, &all, rank);
        tg_free(&op);
    } else if (rank == 0) {
        printf("FAILED %s: no plan: %s\n", line, text);
    }
    case_free(c);
    free(c);
    return wrong;
}

/* ---- sums over many copies, whose entries share numbers ---- */

/* What is wrong with a sum of 40 copies, of which one counts `times` times and one that shares its
 * numbers 2 - times. No MPI. */
static ptrdiff_t wrong_in_sum(const tg_problem *p, int times)
{
    enum { COPIES = 40, ENTRIES = 30000, ONE = 3, OTHER = 19 };
    float *copy = malloc(ENTRIES * sizeof *copy), *sum = calloc(ENTRIES, sizeof *sum);
    for (int rank = 0; rank < COPIES; rank++) {
        tg_fill(p, TG_X, rank, 5, copy);
        for (int i = 0; i < ENTRIES; i++)
            sum[i] += (float)(rank == ONE ? times : rank == OTHER ? 2 - times : 1) * copy[i];
    }
    const ptrdiff_t wrong = tg_count_wrong(p, TG_Y, 0, 5, sum);
    free(copy);
    free(sum);
    return wrong;
}

static int check_many_copies(void)
{
    const tg_layout_words words = {.shape = "30000", .grid = "40c"};
    tg_problem p = {.primitive = tg_primitive_find("all_sum_reduce"),
                    .dtype = tg_dtype_find("f32")};
    if (tg_layout_parse(&words, 40, 0, &p.x).code != TG_OK ||
        tg_layout_parse(&words, 40, 0, &p.y).code != TG_OK)
        return 1;
    const ptrdiff_t right = wrong_in_sum(&p, 1), twice = wrong_in_sum(&p, 2);
    tg_layout_free(&p.x);
    tg_layout_free(&p.y);
    if (right == 0 && twice > 0)
        return 0;
    printf("40 copies: %td entries wrong, %td with one copy for another\n", right, twice);
    return 1;
}

int main(int argc, char **argv)
{
    int rank, size, wrong = check_many_copies(), run = 0;
    MPI_Init(&argc, &argv);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    for (size_t i = 0; i < sizeof mutations / sizeof *mutations && size >= 2; i++) {
        wrong += run_mutation(&mutations[i], MPI_COMM_WORLD, rank, size);
        run++;
    }
    if (rank == 0)
        printf("%d ranks: %d mutations, %d misjudged\n", size, run, wrong);
    MPI_Finalize();
    return run > 0 && wrong == 0 ? 0 : 1;
}
