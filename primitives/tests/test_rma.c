/* test_rma.c: algorithm rma with an MPI library that delivers, and with one that does not.
 *
 * All puts are counted on their way into the library and can be spoilt there, on the last rank
 * alone: dropped, sent to a place further on, or with one byte that is another. A plan must see
 * each of these, use no put afterwards, and give right values all the same; rank 0 says so in one
 * line, once. */
#include "primitives/tests/checks.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *const lines[] = {
    "halo shape=9x4 grid=Px1 kernel=3x3 padding=1x1 algorithm=rma dtype=f64",
    "repartition shape=12x10 from=Px1 to=1xP algorithm=rma dtype=i8",
    "halo shape=12 grid=P kernel=3 padding=1 periodic=yes algorithm=rma dtype=bf16 in-place=yes",
};

/* ---- the library ---- */

typedef enum { RIGHT, DROPPED, DISPLACED, CHANGED, WAYS } way;

static way spoilt;
static bool spoils;    /* this rank */
static long put_calls; /* of this rank */

int MPI_Put(const void *in, int count, MPI_Datatype type, int to, MPI_Aint place, int to_count,
            MPI_Datatype to_type, MPI_Win window)
{
    way how = spoils ? spoilt : RIGHT;
    int size;
    put_calls++;
    if (how == DROPPED)
        return MPI_SUCCESS;
    if (how == DISPLACED) { /* all but the last entry, an entry further on */
        MPI_Type_size(type, &size);
        return PMPI_Put(in, count - 1, type, to, place + size, to_count - 1, to_type, window);
    }
    if (how == CHANGED)
        *(char *)(uintptr_t)in ^= 1;
    return PMPI_Put(in, count, type, to, place, to_count, to_type, window);
}

/* Debian 12's MPICH delivers wrong data by itself. */
static bool is_known(void)
{
    char version[MPI_MAX_LIBRARY_VERSION_STRING];
    int length;
    MPI_Get_library_version(version, &length);
    return strncmp(version, "MPICH", 5) == 0;
}

/* ---- what rank 0 says ---- */

/* Standard error goes into a file until its text is taken back. */
static int hide_errors(FILE *file)
{
    int kept = dup(STDERR_FILENO);
    fflush(stderr);
    dup2(fileno(file), STDERR_FILENO);
    return kept;
}

static void show_errors(int kept, FILE *file, char *text, size_t size)
{
    fflush(stderr);
    dup2(kept, STDERR_FILENO);
    close(kept);
    rewind(file);
    text[fread(text, 1, size - 1, file)] = '\0';
}

/* ---- plans ---- */

static int failures;

static void expect(int rank, bool good, const char *line, way how, const char *what)
{
    if (good)
        return;
    failures++;
    printf("FAILED rank %d, library %d: %s: %s\n", rank, (int)how, line, what);
}

/* Plans in a library that is so; the results must be right in both directions. Returns the puts of
 * the applies on all ranks. */
static long run(const char *line, int rank, int size, way how)
{
    static test_case c;
    char text[256], words[512];
    tg_op *op = NULL;
    model_line(line, size, words, sizeof words);
    bool good = case_make(words, rank, size, &c, text);
    expect(rank, good, line, how, text);
    if (!good)
        return -1;
    spoilt = how;
    good = tg_plan(MPI_COMM_WORLD, &c.problem, &op).code == TG_OK;
    spoilt = RIGHT;
    expect(rank, good, line, how, "no plan");
    long mine = -put_calls, all;
    test_verdict verdict = {.text = ""};
    test_operator whole = case_operator(op);
    if (good)
        check_operator(&c, &whole, MPI_COMM_WORLD, 4, &verdict);
    expect(rank, check_failures(&verdict) == 0, line, how, verdict.text);
    mine += put_calls;
    MPI_Allreduce(&mine, &all, 1, MPI_LONG, MPI_SUM, MPI_COMM_WORLD);
    tg_free(&op);
    case_free(&c);
    return all;
}

int main(int argc, char **argv)
{
    int rank, size, all;
    char said[4096] = "";
    MPI_Init(&argc, &argv);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    spoils = rank == size - 1;
    FILE *file = tmpfile();
    int kept = hide_errors(file);
    for (way how = RIGHT; how < WAYS; how++)
        for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
            if (tg_algorithm_find(tg_primitive_find("halo"), "rma") == NULL)
                continue; /* a library without windows */
            long used = run(lines[i], rank, size, how);
            if (how == RIGHT && is_known())
                continue; /* it may deliver here and there */
            expect(rank, how == RIGHT ? used > 0 : used == 0, lines[i], how,
                   how == RIGHT ? "no put was made" : "puts were made that do not arrive");
        }
    show_errors(kept, file, said, sizeof said);
    fclose(file);
    const char *line = strstr(said, "tensorgauge: algorithm=rma:");
    bool once = line != NULL && strstr(line + 1, "tensorgauge:") == NULL;
    expect(rank, rank == 0 ? once : line == NULL, "all", WAYS, "rank 0 must say it in one line");
    MPI_Allreduce(&failures, &all, 1, MPI_INT, MPI_SUM, MPI_COMM_WORLD);
    if (rank == 0)
        printf("%d ranks: one-sided puts, right and spoilt: %d failures\n%s", size, all, said);
    MPI_Finalize();
    return all == 0 ? 0 : 1;
}
