/* test_errors.c: ill-formed problems. Every rank gets the same code and the same one-line text,
 * which names the input; *op is NULL; nobody hangs, also when only one rank is wrong or the ranks
 * do not agree. */
#include "primitives/tests/checks.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static MPI_Comm comm;
static int rank, size;
static long checks, failed;

static void expect(bool good, const char *what, const tg_status *status)
{
    int all, mine = good;
    MPI_Allreduce(&mine, &all, 1, MPI_INT, MPI_MIN, comm);
    checks++;
    if (!all) {
        failed++;
        if (!good) {
            printf("FAILED rank %d, %s: code %d, text '%s'\n", rank, what, (int)status->code,
                   status->text);
        }
    }
}

/* The same status everywhere: compared byte by byte with rank 0's. */
static void expect_agreed(const char *what, const tg_status *status, tg_code code,
                          const char *named, const tg_op *op)
{
    tg_status first = *status;
    MPI_Bcast(&first, sizeof first, MPI_BYTE, 0, comm);
    expect(status->code == code && first.code == status->code &&
               strcmp(first.text, status->text) == 0 && op == NULL && status->text[0] != '\0' &&
               strchr(status->text, '\n') == NULL && strstr(status->text, named) != NULL,
           what, status);
}

/* ---- words that are not the operation's ---- */

typedef struct {
    int ranks; /* needed for the line to be read at all */
    const char *line, *named;
} ill_formed;

static const ill_formed ill[] = {
    {2, "send_recv shape=6 from=2 to=1", "from"},
    {2, "send_recv shape=6 from=1 to=2", "to"},
    {2, "send_recv shape=6 from=2c to=1", "from"},
    {2, "send_recv shape=6 from=1 to=2c", "to"},
    {2, "broadcast shape=6 from=2c to=2c", "from"},
    {2, "broadcast shape=6 from=1 to=2", "to"},
    {4, "broadcast shape=6x4 from=2x1 to=1x2c", ""},
    {4, "broadcast shape=6x4 from=2x1 to=2cx2", ""},
    {4, "broadcast shape=6x4 from=2x1 to=2x2c from-parts=1+5x*", "axis 0"},
    {2, "sum_reduce shape=6 from=2c to=2c", "to"},
    {2, "sum_reduce shape=6 from=2 to=1", "from"},
    {4, "sum_reduce shape=6x4 from=1x2c to=2x1", ""},
    {4, "sum_reduce shape=6x4 from=2x2c to=2x1 to-parts=1+5x*", "axis 0"},
    {2, "scatter shape=6 from=2 to=2", "from"},
    {2, "scatter shape=6 from=1 to=2c", "to"},
    {2, "gather shape=6 from=2 to=2", "to"},
    {2, "gather shape=6 from=2c to=1", "from"},
    {2, "all_gather shape=6 from=2c to=2c", "from"},
    {2, "all_gather shape=6 from=1 to=2", "to"},
    {2, "reduce_scatter shape=6 from=2c to=2c", "to"},
    {2, "reduce_scatter shape=6 from=2 to=1", "from"},
    {1, "halo shape=6 grid=1 kernel=9", "kernel"},
    {1, "halo shape=6 grid=1 kernel=3 stride=0", "stride"},
    {1, "halo shape=6 grid=1 kernel=3 dilation=0", "dilation"},
    {1, "halo shape=6 grid=1 kernel=3 padding=-1", "padding"},
    {1, "halo shape=6 grid=1 kernel=-1", "kernel"},
    {1, "halo shape=6x6 grid=1x1 kernel=0x3 padding=0x1", "kernel"},
    {1, "halo shape=0x6 grid=1x1 kernel=1x3 padding=0x1", "kernel"},
    {2, "halo shape=6 grid=2c kernel=3 padding=1", "grid"},
    {1, "repartition shape=6 from=1 to=1x1", "to"},
    {1, "repartition shape=6x6 from=1 to=1x1", "from"},
    {1, "broadcast shape=6x6 from=1 to=1x1", "from"},
    {1, "sum_reduce shape=6 from=1 to=1x1", "to"},
    {1, "all_sum_reduce shape=6 grid=1x1", "grid"},
    {1, "halo shape=6 grid=1x1", "grid"},
    {1, "send_recv shape=6 to=1x1", "to"},
    {1, "repartition shape=6 from=1 to=13", "to"},
    {1, "repartition shape=6 from=13 to=1", "from"},
    {1, "broadcast shape=6 from=1 to=13c", "to"},
    {1, "sum_reduce shape=6 from=13c to=1", "from"},
    {1, "all_sum_reduce shape=6 grid=13c", "grid"},
    {1, "halo shape=6 grid=13 kernel=1", "grid"},
    {2, "repartition shape=6 from=2 from-ranks=0,0 to=1", "from-ranks"},
    {2, "broadcast shape=6 from=1 to=2c to-ranks=1,1", "to-ranks"},
    {2, "all_sum_reduce shape=6 grid=2c ranks=1,1", "ranks"},
    {1, "send_recv shape=6 to-ranks=12", "to-ranks"},
    {1, "send_recv shape=6 from-ranks=12", "from-ranks"},
    {1, "repartition shape=6 from=1 to=1 to-parts=7", "to-parts"},
    {1, "repartition shape=6x from=1 to=1", "6x"},
};

/* Reads the words as tgbench would: parse, layouts, plan. The first of them that says no ends it,
 * the same on all ranks, since all read the same words. */
static void check_ill_formed(const ill_formed *bad)
{
    tg_status status = {TG_OK, ""};
    test_case *c = malloc(sizeof *c);
    char text[256];
    tg_op *op = NULL;
    if (case_words(bad->line, rank, size, c, text))
        status = tg_plan(comm, &c->problem, &op);
    else
        status = tg_fail(TG_BAD_INPUT, "%s", text);
    expect_agreed(bad->line, &status, TG_BAD_INPUT, bad->named, op);
    tg_free(&op);
    case_free(c);
    free(c);
}

/* ---- problems made by hand ---- */

typedef void spoil(test_case *c);

static void spoil_extent(test_case *c)
{
    c->problem.y.axis[0].extent++;
}
static void spoil_negative(test_case *c)
{
    c->problem.x.axis[0].extent = -4;
}
static void spoil_axes(test_case *c)
{
    c->problem.x.ndim = 0;
}
static void spoil_many_axes(test_case *c)
{
    c->problem.y.ndim = TG_MAX_NDIM + 1;
}
static void spoil_parts(test_case *c)
{
    c->problem.x.axis[0].parts++;
}
static void spoil_rank(test_case *c)
{
    c->problem.y.runs[0].first = 10000;
}
static void spoil_order(test_case *c)
{
    c->problem.y.order[0] = 3;
}
static void spoil_primitive(test_case *c)
{
    c->problem.primitive = NULL;
}
static void spoil_dtype(test_case *c)
{
    c->problem.dtype = NULL;
}
static void spoil_algorithm(test_case *c)
{
    c->problem.algorithm = NULL;
}
static void spoil_foreign_algorithm(test_case *c)
{
    static const tg_algorithm foreign = {.name = "telepathy"};
    c->problem.algorithm = &foreign;
}
static void spoil_place_and_mode(test_case *c)
{
    c->problem.place = TG_IN_PLACE;
    c->problem.mode = TG_ACCUMULATE;
}
static void spoil_store(test_case *c)
{
    c->problem.store_y = (tg_store)7;
}
static void spoil_copies(test_case *c)
{
    c->problem.x.axis[0].copied = !c->problem.x.axis[0].copied;
}

typedef struct {
    const char *name, *named;
    spoil *spoil;
} spoiling;

static const spoiling spoilings[] = {
    {"another extent", "", spoil_extent},
    {"a negative extent", "", spoil_negative},
    {"no axes", "", spoil_axes},
    {"too many axes", "", spoil_many_axes},
    {"more parts than ranks", "", spoil_parts},
    {"a rank that is not there", "rank", spoil_rank},
    {"an order of axes that are not there", "order", spoil_order},
    {"no primitive", "primitive", spoil_primitive},
    {"no dtype", "dtype", spoil_dtype},
    {"no algorithm", "algorithm", spoil_algorithm},
    {"a foreign algorithm", "telepathy", spoil_foreign_algorithm},
    {"accumulate in place", "in-place", spoil_place_and_mode},
    {"an unknown store", "store", spoil_store},
};

static const char *const valid_lines[] = {
    "send_recv shape=6 from-ranks=0 to-ranks=0", "broadcast shape=6 from=1 to=Pc",
    "sum_reduce shape=6 from=Pc to=1",           "all_sum_reduce shape=6 grid=Pc",
    "repartition shape=6 from=P to=1",           "halo shape=6 grid=P kernel=3 padding=1",
};

/* One spoiling of one valid problem on one rank (who >= 0) or on all (who < 0). */
static void check_spoilt(const char *format, const spoiling *s, int who)
{
    char line[1024], what[1200], text[256];
    test_case *c = malloc(sizeof *c);
    tg_op *op = NULL;
    model_line(format, size, line, sizeof line);
    snprintf(what, sizeof what, "%s with %s on rank %d", line, s->name, who);
    if (!case_make(line, rank, size, c, text)) {
        tg_status no = tg_fail(TG_BAD_INPUT, "%s", text);
        expect(false, what, &no);
        free(c);
        return;
    }
    test_case spoilt = *c; /* the layouts' memory stays with c */
    tg_run *runs_x = malloc(sizeof *runs_x * (size_t)c->problem.x.nruns);
    tg_run *runs_y = malloc(sizeof *runs_y * (size_t)c->problem.y.nruns);
    memcpy(runs_x, c->problem.x.runs, sizeof *runs_x * (size_t)c->problem.x.nruns);
    memcpy(runs_y, c->problem.y.runs, sizeof *runs_y * (size_t)c->problem.y.nruns);
    spoilt.problem.x.runs = runs_x;
    spoilt.problem.y.runs = runs_y;
    if (who < 0 || who == rank)
        s->spoil(&spoilt);
    tg_status status = tg_plan(comm, &spoilt.problem, &op);
    expect_agreed(what, &status, TG_BAD_INPUT, s->named, op);
    tg_free(&op);
    free(runs_x);
    free(runs_y);
    case_free(c);
    free(c);
}

/* Ranks that pass valid, but different problems. */
static void check_disagreement(const char *mine, const char *others)
{
    char line[1024], what[2100], text[256];
    test_case *c = malloc(sizeof *c);
    tg_op *op = NULL;
    tg_status status;
    snprintf(what, sizeof what, "%s | %s", mine, others);
    model_line(rank == size - 1 ? mine : others, size, line, sizeof line);
    if (case_make(line, rank, size, c, text))
        status = tg_plan(comm, &c->problem, &op);
    else
        status = tg_fail(TG_BAD_INPUT, "%s", text);
    expect_agreed(what, &status, TG_DISAGREE, "different", op);
    tg_free(&op);
    case_free(c);
    free(c);
}

/* After all these failures the communicator works, and a good problem can be planned. */
static void check_still_working(void)
{
    char line[1024], text[256];
    test_case *c = malloc(sizeof *c);
    test_verdict mine = {.text = ""};
    tg_op *op = NULL;
    tg_status status = {TG_BAD_INPUT, "no case"};
    model_line("broadcast shape=6 from=1 to=Pc", size, line, sizeof line);
    if (case_make(line, rank, size, c, text)) {
        status = tg_plan(comm, &c->problem, &op);
        if (status.code == TG_OK) {
            test_operator tested = case_operator(op);
            check_operator(c, &tested, comm, 30, &mine);
        }
    }
    expect(status.code == TG_OK && check_failures(&mine) == 0 && check_count(&mine) > 0, line,
           &status);
    tg_free(&op);
    case_free(c);
    free(c);
}

/* The agreement itself: the worst code wins, with the text of the lowest rank that has it. */
static void check_agreement(void)
{
    tg_status good = tg_agree(comm, tg_success());
    expect(good.code == TG_OK && good.text[0] == '\0', "all well", &good);
    tg_status one = rank == size - 1 ? tg_fail(TG_BAD_INPUT, "shape=%d: no", 17) : tg_success();
    tg_status status = tg_agree(comm, one);
    expect(status.code == TG_BAD_INPUT && strcmp(status.text, "shape=17: no") == 0,
           "one rank says no", &status);
    status = tg_agree(comm, tg_fail(TG_BAD_INPUT, "rank %d", rank));
    expect(status.code == TG_BAD_INPUT && strcmp(status.text, "rank 0") == 0, "all say no",
           &status);
    status =
        tg_agree(comm, tg_fail(rank == size - 1 ? TG_NO_MEMORY : TG_BAD_INPUT, "rank %d", rank));
    expect(status.code == (size > 0 ? TG_NO_MEMORY : TG_BAD_INPUT), "the worst code", &status);
    char expected[32];
    snprintf(expected, sizeof expected, "rank %d", size - 1);
    expect(strcmp(status.text, expected) == 0, "the worst code's text", &status);
}

int main(int argc, char **argv)
{
    MPI_Init(&argc, &argv);
    comm = MPI_COMM_WORLD;
    MPI_Comm_rank(comm, &rank);
    MPI_Comm_size(comm, &size);
    check_agreement();
    for (size_t i = 0; i < sizeof ill / sizeof *ill; i++)
        if (ill[i].ranks <= size)
            check_ill_formed(&ill[i]);
    const spoiling copies = {"copies on the wrong side", "", spoil_copies};
    for (size_t i = 0; i < sizeof valid_lines / sizeof *valid_lines; i++) {
        for (size_t s = 0; s < sizeof spoilings / sizeof *spoilings; s++) {
            check_spoilt(valid_lines[i], &spoilings[s], -1);
            check_spoilt(valid_lines[i], &spoilings[s], size - 1);
            check_spoilt(valid_lines[i], &spoilings[s], 0);
        }
    }
    if (size > 1) {
        check_spoilt("sum_reduce shape=6 from=Pc to=1", &copies, -1);
        check_spoilt("sum_reduce shape=6 from=Pc to=1", &copies, size - 1);
        check_spoilt("halo shape=6 grid=P kernel=3 padding=1", &copies, -1);
        check_disagreement("broadcast shape=6 from=1 to=Pc", "broadcast shape=7 from=1 to=Pc");
        check_disagreement("broadcast shape=6 from=1 to=Pc", "sum_reduce shape=6 from=Pc to=1");
        check_disagreement("broadcast shape=6 from=1 to=Pc",
                           "broadcast shape=6 from=1 to=Pc dtype=f64");
        check_disagreement("broadcast shape=6 from=1 to=Pc",
                           "broadcast shape=6 from=1 to=Pc accumulate=yes");
        check_disagreement("broadcast shape=6 from=1 to=Pc",
                           "broadcast shape=6 from=1 to=Pc in-place=yes");
        check_disagreement("broadcast shape=6 from=1 to=Pc",
                           "broadcast shape=6 from=1 to=Pc algorithm=mpi");
        check_disagreement("repartition shape=6 from=P to=1",
                           "repartition shape=6 from=P to=1 to-ranks=1");
        check_disagreement("halo shape=9 grid=P kernel=3",
                           "halo shape=9 grid=P kernel=3 padding=1");
    }
    check_still_working();
    if (rank == 0)
        printf("%d ranks: %ld checks, %ld failed\n", size, checks, failed);
    MPI_Finalize();
    return checks > 0 && failed == 0 ? 0 : 1;
}
