/* train.c: verb train: a network, from a text of layers, learns the classes of images.
 *
 * Every rank knows the order of the images, which depends on the seed and the epoch alone, so that
 * the losses at any number of ranks are those of one rank but for rounding. training.csv gets a row
 * for each step. After each epoch all test images are classified. */
#include "bench/case.h"
#include "bench/dataset.h"
#include "bench/verbs.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

enum { DATA = TGB_FIRST_OPTION, EPOCHS, BATCH, STEPS, RATE, MOMENTUM, SEED, OUTPUT };

static const struct argp_option options[] = {
    {"data", DATA, "DIR", 0,
     "images and labels in the IDX format (default: /usr/share/datasets/fashion-mnist)", 0},
    {"epochs", EPOCHS, "N", 0, "passes over the training images (default: 10)", 0},
    {"batch", BATCH, "N", 0, "images of a step (default: 256)", 0},
    {"steps", STEPS, "N", 0, "stop after so many steps (default: the end of the epochs)", 0},
    {"rate", RATE, "X", 0, "of learning (default: 0.02)", 0},
    {"momentum", MOMENTUM, "X", 0, "of the steps (default: 0.9)", 0},
    {"seed", SEED, "N", 0, "of the initial values and of the order (default: 1)", 0},
    {"output", OUTPUT, "DIR", 0, "folder for training.csv, made if it is not there", 0},
    TGB_HELP_ROW,
    {NULL, 0, NULL, 0, NULL, 0},
};

typedef struct {
    tgb_words words;
    const char *network, *data, *output;
    long epochs, batch, steps, seed;
    double rate, momentum;
} train_words;

static tg_status parse_real(const char *what, const char *text, double most, double *value)
{
    char *end;
    *value = strtod(text, &end);
    if (end != text && *end == '\0' && *value >= 0 && *value <= most)
        return tg_success();
    return tg_fail(TG_BAD_INPUT, "%s %.40s: expected a number from 0 to %g", what, text, most);
}

static error_t parse(int key, char *text, struct argp_state *state)
{
    train_words *w = state->input;
    switch (key) {
    case DATA:
        w->data = text;
        return 0;
    case OUTPUT:
        w->output = text;
        return 0;
    case EPOCHS:
        return tgb_keep(&w->words, tgb_parse_int("--epochs", text, 1, 1000000, &w->epochs));
    case BATCH:
        return tgb_keep(&w->words, tgb_parse_int("--batch", text, 1, 1 << 24, &w->batch));
    case STEPS:
        return tgb_keep(&w->words, tgb_parse_int("--steps", text, 1, 1L << 40, &w->steps));
    case SEED:
        return tgb_keep(&w->words, tgb_parse_int("--seed", text, 0, 1L << 40, &w->seed));
    case RATE:
        return tgb_keep(&w->words, parse_real("--rate", text, 1000, &w->rate));
    case MOMENTUM:
        return tgb_keep(&w->words, parse_real("--momentum", text, 1, &w->momentum));
    case ARGP_KEY_ARG:
        if (w->network)
            return tgb_keep(&w->words, tg_fail(TG_BAD_INPUT, "%.60s: expected one network", text));
        w->network = text;
        return 0;
    default:
        return tgb_common_option(key, text, state);
    }
}

static const struct argp rows = {
    .options = options,
    .parser = parse,
    .args_doc = "NETWORK",
    .doc = "Trains a network: NETWORK is a file with a layer on each line, as in networks/.",
};

/* ---- one run ---- */

typedef struct {
    const train_words *words;
    const tgb_launch *launch;
    MPI_Comm comm;
    tgl_network *network;
    int last; /* the loss */
    tgb_dataset train, test;
    ptrdiff_t *order; /* of the training images in this epoch; behind it room for a batch of test
                         images */
    FILE *csv;        /* rank 0, with --output */
    double begun_s;
    /* Of each row of a batch: the largest entry and its class. */
    struct {
        double value;
        int class;
    } * best;
} run;

static double now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC_RAW, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Fisher and Yates, by a generator of its own for each epoch. */
static void shuffle(run *r, long epoch)
{
    const ptrdiff_t n = r->train.images.extent[0];
    uint64_t state = (uint64_t)r->words->seed * 1000003u + (uint64_t)epoch + 1;
    for (ptrdiff_t i = 0; i < n; i++)
        r->order[i] = i;
    for (ptrdiff_t i = n - 1; i > 0; i--) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        ptrdiff_t k = (ptrdiff_t)((state >> 33) % (uint64_t)(i + 1)), other = r->order[k];
        r->order[k] = r->order[i];
        r->order[i] = other;
    }
}

/* Of the first `count` rows of the batch: how many have their largest entry at their label? */
static ptrdiff_t count_right(run *r, const ptrdiff_t *chosen, ptrdiff_t count)
{
    const tgl_problem *loss = tgl_network_problem(r->network, r->last);
    const tg_box box = tg_layout_held(&loss->x, r->launch->rank);
    const void *x = tgl_network_x(r->network, r->last);
    ptrdiff_t at = 0, right = 0;
    for (ptrdiff_t n = 0; n < count; n++) {
        r->best[n].value = -HUGE_VAL;
        r->best[n].class = 0;
    }
    for (ptrdiff_t n = box.lo[0]; tg_box_count(&box) > 0 && n < box.hi[0]; n++)
        for (ptrdiff_t c = box.lo[1]; c < box.hi[1]; c++, at++) {
            const double value = loss->dtype->get(x, at);
            if (n < count && value > r->best[n].value) {
                r->best[n].value = value;
                r->best[n].class = (int)c;
            }
        }
    MPI_Allreduce(MPI_IN_PLACE, r->best, (int)count, MPI_DOUBLE_INT, MPI_MAXLOC, r->comm);
    for (ptrdiff_t n = 0; n < count; n++)
        right += r->best[n].class == r->test.labels.data[chosen[n]];
    return right;
}

/* The share of all test images that are classified right; the last batch is filled up by its first
 * image, which is not counted again. */
static double test_accuracy(run *r)
{
    const ptrdiff_t all = r->test.images.extent[0], batch = r->words->batch;
    ptrdiff_t *chosen = r->order + r->train.images.extent[0], right = 0;
    for (ptrdiff_t first = 0; first < all; first += batch) {
        const ptrdiff_t count = all - first < batch ? all - first : batch;
        for (ptrdiff_t i = 0; i < batch; i++)
            chosen[i] = first + (i < count ? i : 0);
        tgb_dataset_fill(&r->test, &r->train, chosen, r->network, r->last, r->launch->rank);
        tgl_network_forward(r->network);
        right += count_right(r, chosen, count);
    }
    return (double)right / (double)all;
}

static void write_step(run *r, long epoch, long step, double loss, double step_s)
{
    if (r->csv)
        fprintf(r->csv, "%ld,%ld,%.9g,%.1f,\n", step, epoch, loss,
                (double)r->words->batch / step_s);
}

static void write_epoch(run *r, long epoch, long step, double loss, double accuracy, double left_s)
{
    if (r->csv)
        fprintf(r->csv, "%ld,%ld,,,%.6f\n", step, epoch, accuracy);
    if (r->launch->speaks)
        printf("epoch %ld/%ld  loss %.4f  test accuracy %.2f %%  %.0f images/s  %.0f s left\n",
               epoch, r->words->epochs, loss, 100 * accuracy,
               (double)step * (double)r->words->batch / (now_s() - r->begun_s), left_s);
    fflush(stdout);
}

static void train(run *r)
{
    const long steps = (long)(r->train.images.extent[0] / r->words->batch),
               all = steps * r->words->epochs,
               last = r->words->steps > 0 && r->words->steps < all ? r->words->steps : all;
    long step = 0;
    r->begun_s = now_s();
    for (long epoch = 1; epoch <= r->words->epochs && step < last; epoch++) {
        double sum = 0;
        long first = step;
        shuffle(r, epoch);
        for (long i = 0; i < steps && step < last; i++, step++) {
            const double begun_s = now_s();
            tgb_dataset_fill(&r->train, &r->train, r->order + i * r->words->batch, r->network,
                             r->last, r->launch->rank);
            const double loss = tgl_network_forward(r->network);
            tgl_network_backward(r->network);
            tgl_network_step(r->network, r->words->rate, r->words->momentum);
            sum += loss;
            write_step(r, epoch, step + 1, loss, now_s() - begun_s);
        }
        const double used_s = now_s() - r->begun_s;
        write_epoch(r, epoch, step, sum / (double)(step - first), test_accuracy(r),
                    used_s / (double)step * (double)(last - step));
    }
}

/* ---- what a run needs ---- */

/* Rank 0 reads the text; all get it. malloc'ed. */
static tg_status read_text(MPI_Comm comm, int rank, const char *path, char **text)
{
    enum { LONGEST = 1 << 20 };
    tg_status status = tg_success();
    int length = 0;
    *text = calloc(LONGEST + 1, 1);
    if (!*text)
        status = tg_fail(TG_NO_MEMORY, "no memory for a text");
    FILE *file = rank == 0 && *text ? fopen(path, "r") : NULL;
    if (rank == 0 && *text && !file)
        status = tg_fail(TG_BAD_INPUT, "%.120s: %s; expected a file with a layer on each line",
                         path, strerror(errno));
    if (file) {
        length = (int)fread(*text, 1, LONGEST, file);
        if (ferror(file) || !feof(file))
            status = tg_fail(TG_BAD_INPUT, "%.120s: expected a text file of less than 1 MiB", path);
        fclose(file);
    }
    status = tg_agree(comm, status);
    if (status.code != TG_OK)
        return status;
    MPI_Bcast(&length, 1, MPI_INT, 0, comm);
    MPI_Bcast(*text, length, MPI_CHAR, 0, comm);
    return status;
}

static tg_status open_csv(run *r)
{
    char path[4096];
    const char *folder = r->words->output;
    if (!folder || r->launch->rank != 0)
        return tg_success();
    if (mkdir(folder, 0777) != 0 && errno != EEXIST)
        return tg_fail(TG_BAD_INPUT, "--output %.120s: %s; expected a folder that can be made",
                       folder, strerror(errno));
    if (snprintf(path, sizeof path, "%s/training.csv", folder) >= (int)sizeof path)
        return tg_fail(TG_BAD_INPUT, "--output %.40s...: expected a shorter path", folder);
    r->csv = fopen(path, "wx"); /* never over an older one */
    if (!r->csv)
        return tg_fail(TG_BAD_INPUT, "%.120s: %s; expected a new file", path, strerror(errno));
    fputs("step,epoch,loss,images_per_s,test_accuracy\n", r->csv);
    return tg_success();
}

static tg_status close_csv(run *r)
{
    if (!r->csv || fclose(r->csv) == 0)
        return tg_success();
    return tg_fail(TG_BAD_INPUT, "training.csv: %s; expected it to be written", strerror(errno));
}

static tg_status prepare(run *r)
{
    char *text = NULL;
    const train_words *w = r->words;
    tg_status status = read_text(r->comm, r->launch->rank, w->network, &text);
    if (status.code == TG_OK) {
        status = tgl_network_plan(r->comm, text, w->batch, &r->network);
        if (status.code == TG_BAD_INPUT) {
            tg_status named = tg_fail(TG_BAD_INPUT, "%.60s: %.170s", w->network, status.text);
            status = named;
        }
    }
    free(text);
    if (status.code == TG_OK)
        status = tgb_dataset_read(r->comm, w->data, "train", &r->train);
    if (status.code == TG_OK)
        status = tgb_dataset_read(r->comm, w->data, "t10k", &r->test);
    if (status.code != TG_OK)
        return status;
    while (tgl_network_layer(r->network, r->last + 1))
        r->last++;
    status = tgb_dataset_check(&r->train, r->network, r->last);
    if (status.code == TG_OK)
        status = tgb_dataset_check(&r->test, r->network, r->last);
    if (status.code == TG_OK && r->train.images.extent[0] < w->batch)
        status = tg_fail(TG_BAD_INPUT, "--batch %ld: expected at most the %td training images",
                         w->batch, r->train.images.extent[0]);
    if (status.code != TG_OK)
        return status;
    r->order = malloc((size_t)(r->train.images.extent[0] + w->batch) * sizeof *r->order);
    r->best = malloc((size_t)w->batch * sizeof *r->best);
    if (!r->order || !r->best)
        status = tg_fail(TG_NO_MEMORY, "no memory for the order of the images");
    return tg_agree(r->comm, status.code == TG_OK ? open_csv(r) : status);
}

static void say_parameters(const run *r)
{
    long long mine = tgl_network_parameters(r->network), sum = 0, most = 0;
    MPI_Reduce(&mine, &sum, 1, MPI_LONG_LONG, MPI_SUM, 0, r->comm);
    MPI_Reduce(&mine, &most, 1, MPI_LONG_LONG, MPI_MAX, 0, r->comm);
    if (r->launch->speaks)
        printf(
            "%lld parameters, %lld on the rank with most; %td training and %td test images of %td "
            "x %td\n",
            sum, most, r->train.images.extent[0], r->test.images.extent[0],
            r->train.images.extent[1], r->train.images.extent[2]);
}

int tgb_train(tgb_launch *launch, int argc, char **argv)
{
    train_words w = {.data = "/usr/share/datasets/fashion-mnist",
                     .epochs = 10,
                     .batch = 256,
                     .seed = 1,
                     .rate = 0.02,
                     .momentum = 0.9};
    tg_status status = tgb_parse_options(&rows, argc, argv, &w.words);
    if (w.words.help)
        return tgb_show_help(launch, &rows, "train");
    if (status.code == TG_OK && !w.network)
        status = tg_fail(TG_BAD_INPUT, "no network; expected a file, as in networks/lenet5.txt");
    if (status.code == TG_OK)
        status = tgb_launch_start(launch);
    if (status.code != TG_OK)
        return tgb_complain(launch, status);
    run r = {.words = &w, .launch = launch, .comm = MPI_COMM_WORLD};
    status = prepare(&r);
    if (status.code == TG_OK) {
        tgl_network_init(r.network, (uint64_t)w.seed);
        say_parameters(&r);
        train(&r);
        status = tg_agree(r.comm, close_csv(&r));
    }
    tgl_network_free(&r.network);
    tgb_dataset_free(&r.train);
    tgb_dataset_free(&r.test);
    free(r.order);
    free(r.best);
    return status.code == TG_OK ? TGB_GOOD : tgb_complain(launch, status);
}
