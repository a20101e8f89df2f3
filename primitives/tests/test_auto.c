/* test_auto.c: algorithm=auto. All ranks choose the same, of the primitive's own list; a choice is
 * remembered, saved, loaded and obeyed; a file that is none is refused with its line. Values and
 * adjoints are checked by test_operators, as for any other algorithm. */
#include "primitives/tests/checks.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int failed, done, rank, size;

static void expect(bool good, const char *what)
{
    done++;
    failed += !good;
    if (!good)
        printf("FAILED rank %d: %s\n", rank, what);
}

/* The names that a problem's operator runs, joined; NULL: no plan. */
static char *chosen_for(const char *words, bool flipped)
{
    static char text[128];
    char line[512], reason[256];
    test_case *c = malloc(sizeof *c);
    tg_op *op = NULL;
    model_line(words, size, line, sizeof line);
    bool good = case_make(line, rank, size, c, reason) &&
                tg_plan(MPI_COMM_WORLD, &c->problem, &op).code == TG_OK;
    if (good && flipped)
        tg_flip(op);
    if (good) {
        snprintf(text, sizeof text, "%s %s", tg_op_algorithm(op, false), tg_op_algorithm(op, true));
        char first[64];
        sscanf(text, "%63s", first);
        expect(tg_algorithm_find(c->problem.primitive, first) != NULL && strcmp(first, "auto") != 0,
               "the choice is an algorithm of the primitive");
    }
    tg_free(&op);
    case_free(c);
    free(c);
    return good ? text : NULL;
}

static void check_agreement(void)
{
    char *mine = chosen_for("repartition shape=64x64 from=Px1 to=1xP algorithm=auto", false);
    char others[128] = "";
    expect(mine != NULL, "auto plans");
    if (mine)
        snprintf(others, sizeof others, "%s", mine);
    MPI_Bcast(others, sizeof others, MPI_CHAR, 0, MPI_COMM_WORLD);
    expect(mine && strcmp(mine, others) == 0, "all ranks choose the same");
    mine = chosen_for("repartition shape=64x64 from=Px1 to=1xP algorithm=auto", false);
    expect(mine && strcmp(mine, others) == 0, "the same problem gets the same again");
    mine = chosen_for("repartition shape=64x64 from=Px1 to=1xP algorithm=p2p", false);
    expect(mine && strcmp(mine, "p2p p2p") == 0, "an algorithm that is asked for is what runs");
}

/* A file that says other names than were measured: they are obeyed, each in its direction. */
static void check_file(const char *path)
{
    char text[4096] = "", *line;
    expect(tg_auto_save(path).code == TG_OK, "choices are saved");
    FILE *file = fopen(path, "r");
    size_t length = file ? fread(text, 1, sizeof text - 1, file) : 0;
    text[length] = '\0';
    if (file)
        fclose(file);
    line = strchr(text, '\n');
    expect(line && strlen(line) > 20, "a line for each choice");
    file = fopen(path, "w");
    if (!line || !file)
        return;
    line++;
    fprintf(file, "%.*s%.16s reference p2p\n", (int)(line - text), text, line);
    fclose(file);
    expect(tg_auto_load(path).code == TG_OK, "choices are loaded");
}

static void check_obeyed(void)
{
    const char *problem = "repartition shape=64x64 from=Px1 to=1xP algorithm=auto";
    char *mine = chosen_for(problem, false);
    expect(mine && strcmp(mine, "p2p reference") == 0, "a loaded choice is obeyed");
    mine = chosen_for(problem, true);
    expect(mine && strcmp(mine, "reference p2p") == 0, "a flipped operator tells them flipped");
}

/* This library's own file, with a name in line 3 that no primitive knows; and one that is no choice.
 */
static void check_bad_name(const char *path)
{
    static const char *const names[] = {"teleport", "auto"};
    char first[256] = "";
    expect(tg_auto_save(path).code == TG_OK, "choices are saved over a file that is none");
    FILE *file = fopen(path, "r");
    expect(file && fgets(first, sizeof first, file), "a saved file has a first line");
    if (file)
        fclose(file);
    for (int i = 0; i < 2; i++) {
        file = fopen(path, "w");
        if (!file)
            return;
        fprintf(file, "%s00000000000000fe mpi p2p\n00000000000000ff mpi %s\n", first, names[i]);
        fclose(file);
        tg_status status = tg_auto_load(path);
        expect(status.code == TG_BAD_INPUT && strstr(status.text, "line 3") &&
                   strstr(status.text, names[i]),
               "an algorithm that is none is named with its line");
    }
}

/* Choices of another library, whose algorithms may be others, are not used and no error. */
static void check_other_library(const char *path)
{
    FILE *file = fopen(path, "w");
    if (!file)
        return;
    fputs("tensorgauge auto 1, Another MPI 1.0\n00000000000000ff teleport p2p\n", file);
    fclose(file);
    expect(tg_auto_load(path).code == TG_OK, "a file of another MPI library is none of ours");
}

static void check_bad_files(const char *path)
{
    static const struct {
        const char *text, *named;
    } bad[] = {
        {"", "line 1"},
        {"op,size\n", "line 1"},
        {"tensorgauge auto 1, x\nzz mpi mpi\n", "line 2"},
        {"tensorgauge auto 1, x\n00000000000000ff mpi\n", "line 2"},
        {"tensorgauge auto 1, x\n00000000000000ff mpi mpi mpi\n", "line 2"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        FILE *file = fopen(path, "w");
        if (file) {
            fputs(bad[i].text, file);
            fclose(file);
        }
        tg_status status = tg_auto_load(path);
        expect(status.code == TG_BAD_INPUT && strstr(status.text, bad[i].named),
               "a file that is none is refused with its line");
    }
    check_bad_name(path);
    expect(tg_auto_load("/no/such/file").code == TG_BAD_INPUT, "a file that is not there");
    expect(tg_auto_save("/no/such/folder/file").code == TG_BAD_INPUT, "a folder that is not there");
}

int main(int argc, char **argv)
{
    int mine[2], all[2];
    char path[64];
    MPI_Init(&argc, &argv);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    snprintf(path, sizeof path, "/tmp/tg_test_auto.%ld", (long)getpid());
    check_agreement();
    if (rank == 0) { /* the only rank that is asked */
        check_file(path);
        check_bad_files(path);
        check_other_library(path);
        unlink(path);
    }
    MPI_Barrier(MPI_COMM_WORLD);
    check_obeyed();
    mine[0] = done;
    mine[1] = failed;
    MPI_Allreduce(mine, all, 2, MPI_INT, MPI_SUM, MPI_COMM_WORLD);
    if (rank == 0)
        printf("%d ranks: %d checks, %d failed\n", size, all[0], all[1]);
    MPI_Finalize();
    return all[0] > 0 && all[1] == 0 ? 0 : 1;
}
