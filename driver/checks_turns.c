/* checks_turns.c: cells that take turns, and what their medians say launch by launch. A bound by a copy
 * is the time in which a rank reads and writes once as many bytes as its part of y has, by memcpy, in
 * the same turns. */
#include "driver/checks_turns.h"

#include "driver/onesample.h"
#include "driver/twosample.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- cells ---- */

static const char header[] = "launch\tcell\tranks\tscaling\tdirection\tsize_bytes\tcase\tturn\n";

typedef struct {
    char *text;
    int launch, ranks;
} writer;

/* size < 0: no N in the case; turn < 0: by itself. */
static void put_cell(writer *w, int cell, long size, const char *words, const char *more, int turn)
{
    char bytes[32] = "", number[32] = "";
    if (size >= 0)
        snprintf(bytes, sizeof bytes, "%ld", size);
    if (turn >= 0)
        snprintf(number, sizeof number, "%d", turn);
    char *longer = tgd_format("%s%d\t%d\t%d\tsize\tforward\t%s\t%s%s\t%s\n", w->text, w->launch,
                              cell, w->ranks, bytes, words, more, number);
    free(w->text);
    w->text = longer;
}

/* Operators that are one collective, and the call. */
static const struct {
    const char *ours, *raw;
} couples[TGD_COUPLES] = {
    {"broadcast shape=N from=1 to=Pc in-place=yes", "raw:MPI_Bcast shape=N from=1 to=Pc"},
    {"sum_reduce shape=N from=Pc to=1", "raw:MPI_Reduce shape=N from=Pc to=1"},
    {"all_sum_reduce shape=N grid=Pc", "raw:MPI_Allreduce shape=N grid=Pc"},
    {"scatter shape=N from=1 to=P", "raw:MPI_Scatterv shape=N from=1 to=P"},
    {"gather shape=N from=P to=1", "raw:MPI_Gatherv shape=N from=P to=1"},
    {"all_gather shape=N from=P to=Pc", "raw:MPI_Allgatherv shape=N from=P to=Pc"},
    {"reduce_scatter shape=N from=Pc to=P", "raw:MPI_Reduce_scatter shape=N from=Pc to=P"}};
static const char small_halo[] = "shape=1x8x32x32 grid=1x1xPx1 kernel=5x5 padding=2x2";
static const long couple_sizes[] = {8, 65536, 1048576};
static const char *const couple_names[] = {"8 B", "64 KiB", "1 MiB"};
enum {
    SIZES = 3,
    MESSAGES = 1 + 2 * TGD_COUPLES * SIZES /* the halo's cell; its raw call is next */
};

static int couple_cell(int couple, int size)
{
    return 1 + 2 * (couple * SIZES + size);
}

char *tgd_beside_cells(int launch, int ranks, const char *noop)
{
    writer w = {tgd_copy(header), launch, ranks};
    put_cell(&w, 0, -1, noop, "", -1);
    for (int c = 0; c < TGD_COUPLES; c++)
        for (int s = 0; s < SIZES; s++) {
            const int cell = couple_cell(c, s);
            put_cell(&w, cell, couple_sizes[s], couples[c].ours, "", cell);
            put_cell(&w, cell + 1, couple_sizes[s], couples[c].raw, "", cell);
        }
    put_cell(&w, MESSAGES, -1, "halo algorithm=auto ", small_halo, MESSAGES);
    put_cell(&w, MESSAGES + 1, -1, "raw:halo_messages ", small_halo, MESSAGES);
    return w.text;
}

/* Each is measured with a copy: of so many times its size, on so many ranks at once. The first
 * TGD_RACES are beside the library's own ways too. least: of the copy's speed. */
static const struct {
    const char *ours, *rival[2];
    long size[2]; /* 0: none */
    int copied;
    const char *busy;
    double least;
} races[] = {
    {"broadcast shape=N from=1 to=Pc in-place=yes",
     {"raw:MPI_Bcast shape=N from=1 to=Pc", NULL},
     {1048576, 16777216},
     2,
     "1",
     0.85},
    {"all_sum_reduce shape=N grid=Pc",
     {"raw:MPI_Allreduce shape=N grid=Pc", NULL},
     {1048576, 16777216},
     2,
     "all",
     0.85},
    {"all_gather shape=N from=P to=Pc",
     {"raw:MPI_Allgatherv shape=N from=P to=Pc", NULL},
     {1048576, 16777216},
     2,
     "all",
     0.85},
    {"repartition shape=NxN from=Px1 to=1xP",
     {"raw:MPI_Alltoallw shape=NxN from=Px1 to=1xP", "raw:MPI_Alltoallv shape=NxN from=Px1 to=1xP"},
     {1048576, 16777216},
     1,
     "all",
     0.85},
    {"repartition shape=Nx1024 from=Px1 to=Px1 to-ranks=1,0", {NULL}, {16777216, 0}, 1, "all", 0.8},
    {"halo shape=1x8xNxN grid=1x1xPx1 kernel=5x5 padding=2x2",
     {NULL},
     {16777216, 0},
     1,
     "all",
     0.8},
    {"halo shape=1x8xNxN grid=1x1x1xP kernel=5x5 padding=2x2",
     {NULL},
     {16777216, 0},
     1,
     "all",
     0.5}};
enum { RACES = sizeof races / sizeof *races, OURS = 0, COPY, RIVAL, CELLS = RIVAL + 2 };
static const char *const race_names[] = {"1 MiB", "16 MiB"};
static const double faster = 1.3, strided = 0.5;

static int race_cell(int race, int size, int which)
{
    return (2 * race + size) * CELLS + which;
}

char *tgd_fastest_cells(int launch, int ranks)
{
    writer w = {tgd_copy(header), launch, ranks};
    for (int r = 0; r < RACES; r++)
        for (int s = 0; s < 2 && races[r].size[s] > 0; s++) {
            const int turn = race_cell(r, s, OURS);
            put_cell(&w, turn, races[r].size[s], races[r].ours, " algorithm=auto", turn);
            put_cell(&w, race_cell(r, s, COPY), races[r].copied * races[r].size[s],
                     "machine:copy shape=N busy=", races[r].busy, turn);
            for (int k = 0; k < 2 && races[r].rival[k]; k++)
                put_cell(&w, race_cell(r, s, RIVAL + k), races[r].size[s], races[r].rival[k], "",
                         turn);
        }
    return w.text;
}

/* ---- medians, launch by launch ---- */

static double median_us(const tgd_table *t, int launch, int cell)
{
    for (int i = 0; i < t->rows; i++)
        if (tgd_row_number(t, i, "launch") == launch && tgd_row_number(t, i, "cell") == cell &&
            tgd_row_is_ok(t, i))
            return tgd_row_number(t, i, "t_median_us");
    return (double)NAN;
}

static double difference(double a, double b)
{
    return a - b;
}

static double log_ratio(double a, double b)
{
    return log(a / b);
}

static tgd_centre compare(const tgd_evidence *e, tgd_kind kind, int cell, int other,
                          double (*with)(double a, double b))
{
    double values[TGD_MOST_VALUES];
    int count = 0;
    for (int i = 0; i < e->launches && count < TGD_MOST_VALUES; i++) {
        const double value =
            with(median_us(&e->kind[kind], i, cell), median_us(&e->kind[kind], i, other));
        if (isfinite(value))
            values[count++] = value;
    }
    return tgd_centre_of(values, count);
}

/* The quotient of the times of two cells. */
static tgd_centre ratio_of(const tgd_evidence *e, tgd_kind kind, int cell, int other)
{
    const tgd_centre c = compare(e, kind, cell, other, log_ratio);
    return (tgd_centre){exp(c.estimate), exp(c.lo), exp(c.hi)};
}

static void append(char figure[TGD_FIGURE], const char *before, const char *what,
                   const tgd_centre *c, const char *unit)
{
    const size_t length = strlen(figure);
    snprintf(figure + length, TGD_FIGURE - length, "%s%s%.2f [%.2f, %.2f]%s",
             length > 0 ? before : "", what, c->estimate, c->lo, c->hi, unit);
}

static tgd_verdict too_few(const tgd_evidence *e, const tgd_centre *c, char figure[TGD_FIGURE])
{
    if (isnan(c->estimate))
        snprintf(figure, TGD_FIGURE, "not measured");
    else
        snprintf(figure, TGD_FIGURE, "%.2f; %d launch%s are too few for an interval", c->estimate,
                 e->launches, e->launches == 1 ? "" : "es");
    return TGD_NONE;
}

/* ---- looks ---- */

tgd_verdict tgd_look_beside(const tgd_evidence *e, int couple, char figure[TGD_FIGURE])
{
    tgd_verdict verdict = TGD_OK;
    figure[0] = '\0';
    for (int s = 0; s < SIZES; s++) {
        const int cell = couple_cell(couple, s);
        char what[32];
        const tgd_centre more = compare(e, TGD_BESIDE, cell, cell + 1, difference),
                         ratio = ratio_of(e, TGD_BESIDE, cell, cell + 1);
        snprintf(what, sizeof what, "%s: ", couple_names[s]);
        if (isnan(ratio.lo))
            return too_few(e, &ratio, figure);
        append(figure, ", ", what, s == 0 ? &more : &ratio, s == 0 ? " us more" : "");
        if (s == 0 ? more.lo > 0.15 : ratio.lo > 1.05)
            verdict = TGD_LOOK;
    }
    return verdict;
}

tgd_verdict tgd_look_messages(const tgd_evidence *e, int argument, char figure[TGD_FIGURE])
{
    const tgd_centre more = compare(e, TGD_BESIDE, MESSAGES, MESSAGES + 1, difference);
    (void)argument;
    figure[0] = '\0';
    if (isnan(more.lo))
        return too_few(e, &more, figure);
    append(figure, "", "", &more, " us more");
    return more.lo > 2 ? TGD_LOOK : TGD_OK;
}

/* The better of the library's own ways: whose cell. */
static int best_rival(const tgd_evidence *e, int race, int size)
{
    const int first = race_cell(race, size, RIVAL);
    const tgd_centre c = ratio_of(e, TGD_FASTEST, first, first + 1);
    return races[race].rival[1] && c.estimate > 1 ? first + 1 : first;
}

tgd_verdict tgd_look_race(const tgd_evidence *e, int race, char figure[TGD_FIGURE])
{
    tgd_verdict verdict = TGD_OK;
    figure[0] = '\0';
    for (int s = 0; s < 2; s++) {
        const int ours = race_cell(race, s, OURS);
        char what[32];
        const tgd_centre ratio = ratio_of(e, TGD_FASTEST, ours, best_rival(e, race, s)),
                         copy = ratio_of(e, TGD_FASTEST, race_cell(race, s, COPY), ours);
        snprintf(what, sizeof what, "%s: ", race_names[s]);
        if (isnan(ratio.lo) || isnan(copy.lo))
            return too_few(e, &ratio, figure);
        append(figure, "; ", what, &ratio, "");
        append(figure, ", copy / it ", "", &copy, "");
        if (ratio.lo > 1 || (ratio.lo > 1 / faster && copy.hi < races[race].least))
            verdict = TGD_LOOK;
    }
    return verdict;
}

/* The race of rows to columns is one of the first, at its larger size; the others have one size. */
tgd_verdict tgd_look_copy(const tgd_evidence *e, int copy, char figure[TGD_FIGURE])
{
    const int race = copy + TGD_RACES - 1, size = copy == 0;
    const double least = copy == 0 ? strided : races[race].least;
    const tgd_centre c =
        ratio_of(e, TGD_FASTEST, race_cell(race, size, COPY), race_cell(race, size, OURS));
    figure[0] = '\0';
    if (isnan(c.lo))
        return too_few(e, &c, figure);
    append(figure, "", "", &c, "");
    return c.hi < least ? TGD_LOOK : TGD_OK;
}
