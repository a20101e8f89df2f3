/* test_planning.c: what a plan costs a rank, counted, between 3-D grids of 64, 512 and 4,096 ranks
 * that are never started.
 *
 * The library is compiled a second time with a call at the head of each basic block: steps. malloc
 * and its like are wrapped: bytes. MPI_Comm_rank and MPI_Comm_size tell the library that it is one
 * rank of many; the communicator has this process alone, and no message is sent while planning. So
 * every rank's share of tg_plan runs here, one after the other, words and all. With as many
 * partners a rank, steps and bytes may at most double from 64 to 4,096 ranks; a table of P entries
 * or a loop over P would make them 64 times as many. A list of ranks without order has P runs and
 * costs its own length, and no more: the counters must see that. */
#include "primitives/primitives.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static long steps, bytes; /* of what is being counted */
static int fake_rank, fake_size;

void __sanitizer_cov_trace_pc(void);
void __sanitizer_cov_trace_pc(void)
{
    steps++;
}

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *memory, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *memory, size_t size);

void *__wrap_malloc(size_t size)
{
    bytes += (long)size;
    return __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    bytes += (long)(count * size);
    return __real_calloc(count, size);
}

void *__wrap_realloc(void *memory, size_t size)
{
    bytes += (long)size;
    return __real_realloc(memory, size);
}

int MPI_Comm_rank(MPI_Comm comm, int *rank)
{
    int status = PMPI_Comm_rank(comm, rank);
    *rank = fake_size > 0 ? fake_rank : *rank;
    return status;
}

int MPI_Comm_size(MPI_Comm comm, int *size)
{
    int status = PMPI_Comm_size(comm, size);
    *size = fake_size > 0 ? fake_size : *size;
    return status;
}

/* Partners are ranks that were never started: what names them is not made. */
int MPI_Send_init(const void *buffer, int count, MPI_Datatype type, int to, int tag, MPI_Comm comm,
                  MPI_Request *request)
{
    (void)buffer, (void)count, (void)type, (void)to, (void)tag, (void)comm;
    *request = MPI_REQUEST_NULL;
    return MPI_SUCCESS;
}

int MPI_Recv_init(void *buffer, int count, MPI_Datatype type, int from, int tag, MPI_Comm comm,
                  MPI_Request *request)
{
    (void)buffer, (void)count, (void)type, (void)from, (void)tag, (void)comm;
    *request = MPI_REQUEST_NULL;
    return MPI_SUCCESS;
}

static int most_sinks; /* partners that the plan's graphs name */

int MPI_Dist_graph_create_adjacent(MPI_Comm comm, int sources, const int *from, const int *weights,
                                   int sinks, const int *to, const int *more_weights, MPI_Info info,
                                   int reorder, MPI_Comm *graph)
{
    (void)sources, (void)from, (void)weights, (void)to, (void)more_weights, (void)info;
    (void)reorder;
    most_sinks = sinks > most_sinks ? sinks : most_sinks;
    return PMPI_Comm_dup(comm, graph);
}

/* ---- one plan ---- */

typedef struct {
    const char *primitive, *shape, *from, *to; /* A, B, C, D stand for g, 2 g, g / 2, 6 g */
    bool shuffled;                             /* a rank list without order */
    bool flat;                                 /* what is expected of steps and bytes */
    bool apart;                                /* no rank is in both layouts */
} problem_words;

static const problem_words problems[] = {
    {"halo", "DxDxD", "AxAxA", NULL, false, true, false},
    {"repartition", "DxDxD", "AxAxA", "CxBxA", false, true, false},
    {"repartition", "6xDxD", "1xAxA", "4cxAxC", false, true, true},
    {"broadcast", "6xDxD", "1xAxA", "4cxAxA", false, true, false},
    {"repartition", "DxDxD", "AxAxA", "CxBxA", true, false, false},
};

/* The words with numbers for letters. */
static void write_words(const char *words, int g, char text[64])
{
    size_t used = 0;
    for (; *words != '\0'; words++) {
        const int number[] = {g, 2 * g, g / 2, 6 * g};
        if (*words >= 'A' && *words <= 'D')
            used += (size_t)snprintf(text + used, 64 - used, "%d", number[*words - 'A']);
        else
            used += (size_t)snprintf(text + used, 64 - used, "%c", *words);
    }
}

/* 1,0,3,2,...: each rank once, and no run longer than two. */
static char *write_shuffled(int P)
{
    char *text = malloc(8 * (size_t)P), *at = text;
    for (int r = 0; r < P; r++)
        at += sprintf(at, "%s%d", r > 0 ? "," : "", r ^ 1);
    return text;
}

typedef struct {
    long steps, bytes, partners;
    bool good;
} cost;

/* All that one rank does for a plan, from the words on. */
static cost plan_once(const problem_words *words, const char *algorithm, int g, const char *ranks)
{
    char shape[64], from[64], to[64] = "", behind[64];
    snprintf(behind, sizeof behind, "%d-%d", g * g, 3 * g * g - 1); /* the ranks of 1xAxA */
    write_words(words->shape, g, shape);
    write_words(words->from, g, from);
    write_words(words->to != NULL ? words->to : "", g, to);
    const tg_layout_words from_words = {.shape = shape, .grid = from, .ranks = ranks};
    const tg_layout_words to_words = {
        .shape = shape, .grid = to, .ranks = words->apart ? behind : NULL};
    tg_layout a, b = {.ndim = 0};
    tg_problem p = {.primitive = tg_primitive_find(words->primitive), .dtype = tg_dtypes[0]};
    tg_op *op = NULL;
    steps = bytes = most_sinks = 0;
    tg_status status = tg_layout_parse(&from_words, fake_size, 0, &a);
    if (status.code == TG_OK && words->to != NULL)
        status = tg_layout_parse(&to_words, fake_size, 0, &b);
    for (int axis = 0; p.primitive->window != NULL && axis < a.ndim; axis++)
        a.axis[axis].window = (tg_window){
            .kernel = 3, .stride = 1, .padding = 1, .dilation = 1, .rule = p.primitive->window};
    if (status.code == TG_OK)
        status = tg_primitive_layouts(p.primitive, &a, words->to != NULL ? &b : NULL, &p.x, &p.y);
    p.algorithm = tg_algorithm_find(p.primitive, algorithm);
    if (status.code == TG_OK)
        status = tg_plan(MPI_COMM_SELF, &p, &op);
    cost mine = {steps, bytes, op != NULL ? (long)tg_op_messages(op, false) : -1, op != NULL};
    if (mine.partners < 0)
        mine.partners = most_sinks;
    if (op == NULL)
        printf("FAILED %s %s on %d ranks: %s\n", words->primitive, algorithm, fake_size,
               status.text);
    tg_free(&op);
    tg_layout_free(&p.x);
    tg_layout_free(&p.y);
    tg_layout_free(&a);
    tg_layout_free(&b);
    return mine;
}

/* ---- all ranks of a grid ---- */

static long largest(long a, long b)
{
    return a > b ? a : b;
}

/* The dearest rank of a grid. A list without order is planned on a few ranks only. */
static cost dearest(const problem_words *words, const char *algorithm, int g)
{
    cost most = {0, 0, 0, true};
    const int P = g * g * g;
    char *ranks = words->shuffled ? write_shuffled(P) : NULL;
    fake_size = P;
    for (fake_rank = 0; fake_rank < P; fake_rank += words->shuffled ? P / 4 : 1) {
        cost mine = plan_once(words, algorithm, g, ranks);
        most.steps = largest(most.steps, mine.steps);
        most.bytes = largest(most.bytes, mine.bytes);
        most.partners = largest(most.partners, mine.partners);
        most.good = most.good && mine.good;
    }
    fake_size = 0;
    free(ranks);
    return most;
}

static bool check_growth(const problem_words *words, const char *algorithm)
{
    static const int sides[3] = {4, 8, 16};
    cost most[3];
    bool good = true;
    for (int i = 0; i < 3; i++) {
        most[i] = dearest(words, algorithm, sides[i]);
        good =
            good && most[i].good && most[i].steps > 0 && most[i].bytes > 0 && most[i].partners > 0;
        printf("%-11s %-10s %-9s %5d ranks: %3ld partners, %8ld steps, %8ld bytes\n",
               words->primitive, algorithm, words->shuffled ? "unordered" : "ordered",
               sides[i] * sides[i] * sides[i], most[i].partners, most[i].steps, most[i].bytes);
    }
    if (words->flat)
        good = good && most[2].partners == most[0].partners && most[2].steps <= 2 * most[0].steps &&
               most[2].bytes <= 2 * most[0].bytes;
    else
        good = good && most[2].steps >= 16 * most[0].steps &&
               most[2].steps <= 128 * most[0].steps && most[2].bytes >= 8 * most[0].bytes &&
               most[2].bytes <= 128 * most[0].bytes;
    if (!good)
        printf("FAILED: expected %s\n", words->flat ? "at most twice as much, as many partners"
                                                    : "a cost by the length of the list");
    return good;
}

int main(int argc, char **argv)
{
    static const char *const algorithms[] = {"reference",         "p2p",  "persistent",
                                             "neighbor",          "tree", "chain",
                                             "scatter_allgather", "axes", "resharding"};
    int checks = 0, failed = 0;
    MPI_Init(&argc, &argv);
    for (size_t p = 0; p < sizeof problems / sizeof *problems; p++)
        for (size_t a = 0; a < sizeof algorithms / sizeof *algorithms; a++) {
            if (tg_algorithm_find(tg_primitive_find(problems[p].primitive), algorithms[a]) == NULL)
                continue;
            checks++;
            failed += !check_growth(&problems[p], algorithms[a]);
        }
    printf("%d checks, %d failed\n", checks, failed);
    MPI_Finalize();
    return checks > 0 && failed == 0 ? 0 : 1;
}
