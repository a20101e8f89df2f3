/* test_stores.c: words of stores, places of entries, and that blocked buffers travel as they lie:
 * the plan of a problem in blocks keeps no more memory than that of the same problem in rows, so
 * that no copy of a tensor is hidden in it. Values and adjoints in every store: test_operators. */
#include "primitives/tests/checks.h"
#include "primitives/tests/random_words.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int failed, done;

static void expect(bool good, const char *what, const char *word)
{
    done++;
    failed += !good;
    if (!good)
        printf("FAILED %s: %s\n", what, word);
}

/* ---- words ---- */

static void check_words(void)
{
    static const struct {
        const char *word, *printed;
        int ndim;
    } good[] = {
        {"row", "row", 1},
        {"nchw8c", "nchw8c", 2},
        {"nchw16c", "nchw16c", 8},
        {"row:0", "row", 3},
        {"row:1:0x0", "row:1", 3},
        {"row::2", "row::2", 3},
        {"row:0x1:0x2x3", "row:1:2x3", 3},
        {"nchw8c:1x0x0:4", "nchw8c:1x0x0:4", 4},
        {"row:1048576", "row:1048576", 1},
    };
    static const struct {
        const char *word;
        int ndim;
    } bad[] = {{"", 4},
               {"Row", 4},
               {"nchw", 4},
               {"nchw8", 4},
               {"nchw8c ", 4},
               {"nchw4c", 4},
               {"row:", 4},
               {"row::", 4},
               {"row:1:", 4},
               {"row:x", 4},
               {"row:1x", 4},
               {"row:-1", 4},
               {"row:1:2:3", 4},
               {"row:1x1x1", 2},
               {"nchw8c", 1},
               {"row:1048577", 1},
               {"row:99999999999999999999", 1}};
    char text[128];
    tg_store store, again;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        bool read = tg_store_parse("store-x", good[i].word, good[i].ndim, &store).code == TG_OK;
        tg_store_print(&store, good[i].ndim, text, sizeof text);
        expect(read && strcmp(text, good[i].printed) == 0, "a store", good[i].word);
        read = tg_store_parse("store-x", text, good[i].ndim, &again).code == TG_OK;
        expect(read && tg_store_equal(&store, &again), "a printed store", text);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        tg_status status = tg_store_parse("store-y", bad[i].word, bad[i].ndim, &store);
        expect(status.code == TG_BAD_INPUT && strstr(status.text, "store-y") != NULL,
               "no store, named with its key", bad[i].word);
    }
}

/* ---- places ---- */

/* nChw8c as oneDNN's manual has it: offset(n, c, h, w) = n CHW + (c / 8) HW 8 + h W 8 + w 8 + c % 8
 * for C a multiple of 8. */
static void check_nchw8c(void)
{
    const tg_store store = {.block = 8};
    const tg_box box = {4, {0}, {2, 16, 3, 5}};
    bool good = tg_store_entries(&store, &box) == 2 * 16 * 3 * 5;
    for (ptrdiff_t n = 0; n < 2; n++)
        for (ptrdiff_t c = 0; c < 16; c++)
            for (ptrdiff_t h = 0; h < 3; h++)
                for (ptrdiff_t w = 0; w < 5; w++) {
                    const ptrdiff_t at[TG_MAX_NDIM] = {n, c, h, w};
                    good = good && tg_store_index(&store, &box, at) ==
                                       n * 240 + c / 8 * 120 + h * 40 + w * 8 + c % 8;
                }
    expect(good, "places of", "nchw8c");
}

/* Random stores and boxes: the library's places and room are the model's. */
static void check_places(void)
{
    random_source source = {2026};
    for (int i = 0; i < 2000; i++) {
        char line[LINE_SIZE] = "halo shape=1x1x1x1", word[MODEL_WORD];
        random_stores(&source, true, line);
        tg_box box = {.ndim = 4};
        for (int d = 0; d < 4; d++) {
            box.lo[d] = random_below(&source, 9) - 4;
            box.hi[d] = box.lo[d] + random_below(&source, d == 1 ? 20 : 4);
        }
        model_word(line, "store-x", "row", word);
        tg_store store;
        const bool read = tg_store_parse("store-x", word, 4, &store).code == TG_OK;
        const model_store expected = model_store_read(line, "store-x", 4);
        bool good = read && tg_store_entries(&store, &box) == model_room(&expected, &box);
        for (long n = 0; good && n < model_count(&box); n++) {
            long g[TG_MAX_NDIM];
            ptrdiff_t at[TG_MAX_NDIM];
            model_entry(&box, n, g);
            for (int d = 0; d < 4; d++)
                at[d] = g[d];
            good = tg_store_index(&store, &box, at) == model_stored(&expected, &box, g);
        }
        expect(good, "places of", line);
    }
}

/* ---- what plans keep ---- */

static ptrdiff_t held_bytes(const char *line, int rank, int size)
{
    test_case *c = malloc(sizeof *c);
    char text[256];
    tg_op *op = NULL;
    ptrdiff_t bytes = -1;
    if (case_make(line, rank, size, c, text)) {
        if (tg_plan(MPI_COMM_WORLD, &c->problem, &op).code == TG_OK)
            bytes = tg_op_held_bytes(op);
        tg_free(&op);
        case_free(c);
    }
    free(c);
    return bytes;
}

/* Parts of 64 KiB and more; tables of blocks are below 16 KiB. */
static void check_plans(int rank, int size)
{
    static const char *const lines[] = {
        "send_recv shape=2x64x16x16 from=1x1x1x1 to=1x1x1x1 from-ranks=0 to-ranks=0 algorithm=mpi",
        "broadcast shape=2x64x16x16 from=1x1x1x1 to=Pcx1x1x1 algorithm=mpi",
        "sum_reduce shape=2x64x16x16 from=Pcx1x1x1 to=1x1x1x1 algorithm=mpi",
        "all_sum_reduce shape=2x64x16x16 grid=Pcx1x1x1 algorithm=mpi",
        "scatter shape=1x96x16x16 from=1x1x1x1 to=1xPx1x1 to-parts=*x*x*x* algorithm=mpi",
        "repartition shape=2x96x16x16 from=1xPx1x1 to=Px1x1x1 algorithm=mpi",
        "halo shape=2x64x32x32 grid=1x1xPx1 kernel=3x3 padding=1x1 algorithm=p2p",
        "halo shape=2x64x32x32 grid=1x1xPx1 kernel=3x3 padding=1x1 algorithm=mpi",
        "copy shape=2x64x32x32 grid=1x1xPx1",
    };
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        char line[LINE_SIZE], blocked[LINE_SIZE + 64];
        model_line(lines[i], size, line, sizeof line);
        snprintf(blocked, sizeof blocked, "%s store-x=nchw16c store-y=nchw16c", line);
        const ptrdiff_t row = held_bytes(line, rank, size), block = held_bytes(blocked, rank, size);
        expect(row >= 0 && block >= 0 && block < row + 16384, "memory of", blocked);
    }
}

int main(int argc, char **argv)
{
    int rank, size, mine[2], all[2];
    MPI_Init(&argc, &argv);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    check_words();
    check_nchw8c();
    check_places();
    check_plans(rank, size);
    mine[0] = done;
    mine[1] = failed;
    MPI_Allreduce(mine, all, 2, MPI_INT, MPI_SUM, MPI_COMM_WORLD);
    if (rank == 0)
        printf("%d ranks: %d checks, %d failed\n", size, all[0], all[1]);
    MPI_Finalize();
    return all[0] > 0 && all[1] == 0 ? 0 : 1;
}
