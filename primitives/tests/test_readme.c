/* test_readme.c README.md: the numbers of the worked examples in the README of this room.
 *
 * A worked example is a case in backquotes, `broadcast ...`, and under it a table with the columns
 * rank, x, F x, y, F* y: the numbers that a rank holds. Every table with such a head is run, with
 * each algorithm, and compared; its rows are as many as the ranks of its case. */
#include "primitives/tests/checks.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS = 8, ENTRIES = 16, COLUMNS = 4, EXAMPLES = 8 };

typedef struct {
    char line[1024]; /* the case */
    int rows;
    int count[ROWS][COLUMNS]; /* numbers in a column, -1: the column is not there */
    double number[ROWS][COLUMNS][ENTRIES];
} example;

static int rank, size;

/* The last text in backquotes that is a case of a primitive; kept until the next. */
static void find_case(const char *text, char line[1024])
{
    for (const char *at = strchr(text, '`'); at != NULL; at = strchr(at + 1, '`')) {
        char words[1024], name[MODEL_WORD];
        snprintf(words, sizeof words, "%.*s", (int)strcspn(at + 1, "`"), at + 1);
        model_operation(words, name);
        if (tg_primitive_find(name) != NULL && strstr(words, " shape=") != NULL)
            memcpy(line, words, sizeof words);
    }
}

/* | 0 | 1 2 | 1 2 3 | ... */
static void read_row(const char *text, example *e)
{
    int row = e->rows++;
    const char *at = strchr(text + 1, '|');
    if (row >= ROWS || strtol(text + 1, NULL, 10) != row)
        return;
    for (int column = 0; column < COLUMNS; column++) {
        const char *end = at != NULL ? strchr(at + 1, '|') : NULL;
        e->count[row][column] = end != NULL ? 0 : -1;
        while (end != NULL && e->count[row][column] < ENTRIES) {
            char *after;
            double number = strtod(at + 1, &after);
            if (after == at + 1 || after > end)
                break;
            e->number[row][column][e->count[row][column]++] = number;
            at = after - 1;
        }
        at = end;
    }
}

static int read_examples(const char *path, example examples[EXAMPLES])
{
    static const char head[] = "| rank | x | F x | y | F* y |";
    char text[4096], line[1024] = "";
    FILE *file = fopen(path, "r");
    int count = 0;
    bool inside = false;
    while (file != NULL && fgets(text, sizeof text, file) != NULL) {
        find_case(text, line);
        if (strncmp(text, head, sizeof head - 1) == 0 && count < EXAMPLES) {
            memcpy(examples[count++].line, line, sizeof line);
            inside = true;
        } else if (inside && text[0] == '|' && text[1] == ' ') {
            read_row(text, &examples[count - 1]);
        } else if (text[0] != '|') {
            inside = false;
        }
    }
    if (file != NULL)
        fclose(file);
    return count;
}

/* One direction: what a rank holds before, and what it must hold afterwards. */
static void check_columns(const example *e, const test_case *c, tg_op *op, bool forward,
                          test_verdict *verdict)
{
    const tg_dtype *dtype = c->problem.dtype;
    const int from = forward ? 0 : 2, to = from + 1;
    const tg_box *in_box = forward ? &c->x : &c->y, *out_box = forward ? &c->y : &c->x;
    char in[8 * ENTRIES] = {0}, out[8 * ENTRIES] = {0};
    bool good =
        e->count[rank][from] == model_count(in_box) && e->count[rank][to] == model_count(out_box);
    check_one(verdict, CHECK_VALUES, good, "rank %d holds %ld and %ld entries, not %d and %d", rank,
              model_count(in_box), model_count(out_box), e->count[rank][from], e->count[rank][to]);
    for (int n = 0; n < e->count[rank][from]; n++)
        dtype->put(in, n, e->number[rank][from][n]);
    if (forward)
        tg_apply(op, in, out);
    else
        tg_apply_adjoint(op, in, out);
    for (int n = 0; good && n < e->count[rank][to]; n++)
        check_one(verdict, CHECK_VALUES, dtype->get(out, n) == e->number[rank][to][n],
                  "rank %d, %s, entry %d is %g, the table says %g", rank, forward ? "F x" : "F* y",
                  n, dtype->get(out, n), e->number[rank][to][n]);
}

static void check_example(const example *e, test_verdict *verdict)
{
    char name[MODEL_WORD], line[2048], text[256];
    model_operation(e->line, name);
    const tg_primitive *primitive = tg_primitive_find(name);
    check_one(verdict, CHECK_VALUES, primitive != NULL, "no case above a table");
    for (int a = 0; primitive != NULL && primitive->algorithms[a] != NULL; a++) {
        test_case *c = malloc(sizeof *c);
        tg_op *op = NULL;
        snprintf(line, sizeof line, "%s algorithm=%s", e->line, primitive->algorithms[a]->name);
        bool made = case_make(line, rank, size, c, text) &&
                    tg_plan(MPI_COMM_WORLD, &c->problem, &op).code == TG_OK;
        check_one(verdict, CHECK_VALUES, made, "no plan for %s", line);
        for (int forward = 0; made && forward < 2; forward++)
            check_columns(e, c, op, forward != 0, verdict);
        tg_free(&op);
        if (made)
            case_free(c);
        free(c);
    }
}

int main(int argc, char **argv)
{
    static example examples[EXAMPLES];
    test_verdict mine = {.text = ""};
    int done = 0;
    MPI_Init(&argc, &argv);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    int count = argc == 2 ? read_examples(argv[1], examples) : 0;
    for (int i = 0; i < count; i++) {
        if (examples[i].rows != size || size > ROWS)
            continue;
        check_example(&examples[i], &mine);
        done++;
    }
    test_verdict all = check_agree(&mine, MPI_COMM_WORLD);
    bool good = done > 0 && check_count(&all) > 0 && check_failures(&all) == 0;
    if (rank == 0)
        printf("%s%d ranks: %d of %d tables, %ld checks, %ld failed %s\n", good ? "" : "FAILED ",
               size, done, count, check_count(&all), check_failures(&all), all.text);
    MPI_Finalize();
    return good ? 0 : 1;
}
