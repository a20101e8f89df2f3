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
    {1, "halo shape=6x6 grid=1x1 kernel=0x3 padding=0x1", "kernel=0 on axis 0"},
    {1, "halo shape=0x6 grid=1x1 kernel=2x3 padding=0x1", "kernel=2 "},
    {2, "halo shape=6 grid=2c kernel=3 padding=1", "grid"},
    {1, "halo_transposed shape=6 grid=1 kernel=3 stride=0", "stride=0"},
    {1, "halo_transposed shape=6 grid=1 kernel=3 ceil=1", "ceil=yes"},
    {1, "halo_transposed shape=2 grid=1 kernel=1 padding=3", "padding=3"},
    {1, "halo_transposed shape=0x3 grid=1x1 kernel=3x3", "extent 0"},
    {1, "halo_transposed shape=9000000000000 grid=1 stride=1000000000", "stride=1000000000"},
    {2, "halo_transposed shape=6 grid=2c kernel=3", "grid=2c"},
    {1, "halo_upsample shape=6 grid=1 kernel=3", "kernel=3"},
    {1, "halo_upsample shape=6 grid=1 kernel=2 stride=2 padding=1", "padding=1"},
    {1, "halo_upsample shape=6 grid=1 kernel=2 stride=2 dilation=2", "dilation=2"},
    {1, "halo_upsample shape=6 grid=1 kernel=2 stride=2 ceil=1", "ceil=yes"},
    {1, "halo_upsample shape=0 grid=1 stride=2", "extent 0"},
    {2, "halo_upsample shape=6 grid=2c stride=2", "grid=2c"},
    {1, "allocate shape=2x4 grid=1x1", "shape=2x4"},
    {1, "deallocate shape=1x4 grid=1x1", "shape=1x4"},
    {1, "clear shape=3x4 grid=1x1", "shape=3x4"},
    {1, "add shape=1x4 grid=1x1", "shape=1x4"},
    {1, "copy shape=0x4 grid=1x1", "shape=0x4"},
    {1, "move shape=4 grid=1", "shape=4"},
    {2, "move shape=2x4 grid=2x1", "grid=2x1"},
    {2, "allocate shape=1x4 grid=2x1 parts=0+1x*", "grid=2x1"},
    {2, "move shape=2x4 grid=2cx1", "grid=2cx1"},
    {2, "add shape=2x4 grid=1x2c", "grid=1x2c"},
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
    {1, "send_recv shape=6 partitions=-1", "partitions"},
    {1, "halo shape=6 kernel=1 partitions=65537", "partitions"},
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
    char text[256], word[MODEL_WORD], named[2 * MODEL_WORD];
    tg_op *op = NULL;
    bool is_key = model_word(bad->line, bad->named, "", word); /* then with its value */
    snprintf(named, sizeof named, "%s%s%.60s", bad->named, is_key ? "=" : "", word);
    if (case_words(bad->line, rank, size, c, text))
        status = tg_plan(comm, &c->problem, &op);
    else
        status = tg_fail(TG_BAD_INPUT, "%s", text);
    expect_agreed(bad->line, &status, TG_BAD_INPUT, named, op);
    tg_free(&op);
    case_free(c);
    free(c);
}

/* ---- every layout key of every primitive ---- */

/* Values that no layout of two axes has. */
typedef struct {
    const char *key, *values[20];
} bad_words;

static const bad_words bad[] = {
    {"shape",
     {"", "x", "6x", "6xx5", "-6x5", "6x-5", "6x5.5", "6,5", "+6x5", "6x5c", "sixxfive",
      "6x99999999999999999999", "4611686018427387904x4", "1x1x1x1x1x1x1x1x1"}},
    {"grid",
     {"", "x", "1x", "1xx1", "1", "1x1x1", "0x1", "1x0", "-1x1", "1x-1", "1xq", "99x1", "1x1cc",
      "1x1c1", "99999999999x1", "65536x65536", "1*1"}},
    {"ranks",
     {"", "x", "0,", ",0", "0,,1", "-1", "0-", "0-0:0", "3-0", "0-3:-1", "0:2", "0;1", "999",
      "0-999", "99999999999", "0,0", "0,1,0", "0-9:x", "1.5"}},
    {"order", {"", "0", "7", "00", "11", "02", "012", "1x0", "reshape", "reshapedd", "-1"}},
    {"parts",
     {"", "*", "*x*x*", "**", "*x", "x*", "999x*", "*x999", "+x*", "6+x*", "*x-5", "a+bx*",
      "1+1+1+1+1+1+1+1+1x*", "*x99999999999999999999"}},
};

static void check_bad_word(const char *line, const char *key, const char *value)
{
    char named[128];
    tg_status status = {TG_OK, ""};
    test_case *c = malloc(sizeof *c);
    char text[256];
    tg_op *op = NULL;
    if (case_words(line, rank, size, c, text))
        status = tg_plan(comm, &c->problem, &op);
    else
        status = tg_fail(TG_BAD_INPUT, "%s", text);
    snprintf(named, sizeof named, "%s=%.*s", key, (int)strcspn(value, " "), value);
    expect_agreed(line, &status, TG_BAD_INPUT, named, op);
    tg_free(&op);
    case_free(c);
    free(c);
}

/* A word of one side in a line that is good otherwise: two axes, the primitive's own grids. */
static void check_side(const tg_primitive *primitive, const char *side, const bad_words *words)
{
    const ptrdiff_t extent[2] = {primitive->regions != NULL ? primitive->regions->of_x : 6, 5};
    char grid[2][64], key[32];
    bool is_shape = strcmp(words->key, "shape") == 0, is_grid = strcmp(words->key, "grid") == 0;
    for (int to = 0; to < 2; to++)
        primitive->auto_grid(extent, 2, size, to != 0, grid[to], sizeof grid[to]);
    snprintf(key, sizeof key, "%s%s%s", is_shape ? "" : side,
             *side && !is_grid && !is_shape ? "-" : "", *side && is_grid ? "" : words->key);
    for (int i = 0; i < 20 && words->values[i] != NULL; i++) {
        char line[1024];
        int used = snprintf(line, sizeof line, "%s %s=%s", primitive->name, key, words->values[i]);
        const char *const others[3] = {"shape", *side ? "from" : "grid", "to"};
        char shape[32];
        snprintf(shape, sizeof shape, "%tdx%td", extent[0], extent[1]);
        for (int k = 0; k < (primitive->two_layouts ? 3 : 2); k++)
            if (strcmp(others[k], key) != 0)
                used += snprintf(line + used, sizeof line - (size_t)used, " %s=%s", others[k],
                                 k == 0 ? shape : grid[k - 1]);
        check_bad_word(line, key, words->values[i]);
    }
}

static void check_every_word(const tg_primitive *primitive)
{
    for (size_t w = 0; w < sizeof bad / sizeof *bad; w++) {
        check_side(primitive, primitive->two_layouts ? "from" : "", &bad[w]);
        if (primitive->two_layouts)
            check_side(primitive, "to", &bad[w]);
    }
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
    c->problem.store_y.block = 7;
}
static void spoil_store_padding(test_case *c)
{
    c->problem.store_x.before[0] = -1;
}
static void spoil_store_in_place(test_case *c)
{
    c->problem.place = TG_IN_PLACE;
    c->problem.store_x.after[0] = 1;
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
    {"an unknown store", "store-y", spoil_store},
    {"a negative padding", "store-x", spoil_store_padding},
    {"two stores in place", "store-x", spoil_store_in_place},
};

/* What only windows, or only memory regions, can be. */
static void spoil_rule(test_case *c)
{
    c->problem.y.axis[0].window.rule = &tg_window_upsample;
}
static void spoil_window(test_case *c)
{
    c->problem.y.axis[0].window = (tg_window){.kernel = 1, .stride = 1, .dilation = 1};
}
static void spoil_regions(test_case *c)
{
    c->problem.x.axis[0].extent = c->problem.y.axis[0].extent = 1;
}
static void spoil_last_axis(test_case *c)
{
    c->problem.y.axis[1].extent = 7;
}

static const struct {
    const char *line;
    spoiling spoiling;
} special[] = {
    {"halo shape=6 grid=P kernel=1", {"the rule of another window", "upsample", spoil_rule}},
    {"halo_transposed shape=6 grid=P", {"the rule of another window", "upsample", spoil_rule}},
    {"move shape=2x6 grid=1xP", {"a window", "kernel", spoil_window}},
    {"move shape=2x6 grid=1xP", {"one region", "move", spoil_regions}},
    {"move shape=2x6 grid=1xP", {"another last axis", "grid", spoil_last_axis}},
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
    for (int i = 0; tg_primitives[i] != NULL; i++)
        check_every_word(tg_primitives[i]);
    const spoiling copies = {"copies on the wrong side", "", spoil_copies};
    for (size_t i = 0; i < sizeof valid_lines / sizeof *valid_lines; i++) {
        for (size_t s = 0; s < sizeof spoilings / sizeof *spoilings; s++) {
            check_spoilt(valid_lines[i], &spoilings[s], -1);
            check_spoilt(valid_lines[i], &spoilings[s], size - 1);
            check_spoilt(valid_lines[i], &spoilings[s], 0);
        }
    }
    for (size_t i = 0; i < sizeof special / sizeof *special; i++) {
        check_spoilt(special[i].line, &special[i].spoiling, -1);
        check_spoilt(special[i].line, &special[i].spoiling, size - 1);
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
