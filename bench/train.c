/* train.c: verb train: a network, from a text of layers, learns the classes of images.
 *
 * Every rank knows the order of the images, which depends on the seed and the epoch alone, so that
 * the losses at any number of ranks are those of one rank but for rounding. training.csv gets a row
 * for each step. After each epoch all test images are classified. */
#include "bench/checkpoint.h"
#include "bench/dataset.h"
#include "bench/networks.h"
#include "bench/stop.h"
#include "bench/train_words.h"
#include "bench/training_csv.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const double say_every_s = 2;

/* ---- one run ---- */

typedef struct {
    const tgb_train_words *words;
    const tgb_launch *launch;
    MPI_Comm comm;
    tgl_network *network;
    tgl_optimiser *optimiser;
    tgb_checkpoint state; /* step, batch, seed, rule and rates */
    int last;             /* the loss */
    tgb_dataset train, test;
    ptrdiff_t *order; /* of the training images in this epoch; behind it room for a batch of test
                         images */
    FILE *csv;        /* rank 0, with --output */
    long first;       /* steps made before this launch */
    double begun_s, said_s;
    /* Of each row of a batch: the largest entry and its class. */
    struct {
        double value;
        int class;
    } *best;
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
    uint64_t state = (uint64_t)r->state.seed * 1000003u + (uint64_t)epoch + 1;
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

/* The share of all test images that are classified right, by the statistics that training has kept; the
 * last batch is filled up by its first image, which is not counted again. */
static double test_accuracy(run *r)
{
    const ptrdiff_t all = r->test.images.extent[0], batch = r->state.batch;
    ptrdiff_t *chosen = r->order + r->train.images.extent[0], right = 0;
    for (ptrdiff_t first = 0; first < all; first += batch) {
        const ptrdiff_t count = all - first < batch ? all - first : batch;
        for (ptrdiff_t i = 0; i < batch; i++)
            chosen[i] = first + (i < count ? i : 0);
        tgb_dataset_fill(&r->test, &r->train, chosen, r->network, r->last, r->launch->rank);
        tgl_network_infer(r->network);
        right += count_right(r, chosen, count);
    }
    return (double)right / (double)all;
}

/* Images a second of this launch so far, the test images apart, and the time that is left. */
typedef struct {
    double images_per_s, left_s;
} pace;

static pace pace_of(const run *r, long last)
{
    const double step_s = (now_s() - r->begun_s) / (double)(r->state.step - r->first);
    return (pace){(double)r->state.batch / step_s, step_s * (double)(last - r->state.step)};
}

static void say_step(run *r, long epoch, long last, double loss)
{
    if (!r->launch->speaks || now_s() - r->said_s < say_every_s)
        return;
    const pace p = pace_of(r, last);
    printf("step %ld/%ld  epoch %ld  loss %.4f  %.0f images/s  %.0f s left\n", r->state.step, last,
           epoch, loss, p.images_per_s, p.left_s);
    fflush(stdout);
    r->said_s = now_s();
}

static void say_epoch(run *r, long epoch, long last, double loss, double accuracy)
{
    const pace p = pace_of(r, last);
    if (r->launch->speaks)
        printf("epoch %ld/%ld  loss %.4f  test accuracy %.2f %%  %.0f images/s  %.0f s left\n",
               epoch, r->words->epochs, loss, 100 * accuracy, p.images_per_s, p.left_s);
    fflush(stdout);
}

static double train_step(run *r, const ptrdiff_t *chosen)
{
    tgb_dataset_fill(&r->train, &r->train, chosen, r->network, r->last, r->launch->rank);
    const double loss = tgl_network_forward(r->network);
    tgl_network_backward(r->network);
    tgl_optimiser_step(r->optimiser, &r->state.rates);
    return loss;
}

/* Rows come before the checkpoint that says that their steps are done. */
static tg_status keep(run *r)
{
    tg_status status = tg_agree(r->comm, tgb_training_csv_flush(r->csv));
    if (status.code == TG_OK && r->words->checkpoint)
        status = tgb_checkpoint_write(r->comm, r->words->checkpoint, &r->state, r->optimiser);
    return status;
}

/* The steps of an epoch that are not made yet, up to step `last`, or until a signal asks for the
 * end. Returns the mean of their losses. */
static double train_epoch(run *r, long epoch, long steps, long last, bool *stopped)
{
    const long begin = r->state.step;
    double sum = 0;
    shuffle(r, epoch);
    while (r->state.step < epoch * steps && r->state.step < last && !*stopped) {
        const double begun_s = now_s();
        const long i = r->state.step % steps;
        const double loss = train_step(r, r->order + i * r->state.batch);
        sum += loss;
        r->state.step++;
        tgb_training_csv_step(r->csv, r->state.step, epoch, loss,
                              (double)r->state.batch / (now_s() - begun_s));
        say_step(r, epoch, last, loss);
        *stopped = tgb_stop_asked();
    }
    return sum / (double)(r->state.step - begin);
}

static tg_status train(run *r, bool *stopped)
{
    const long steps = (long)(r->train.images.extent[0] / r->state.batch),
               all = steps * r->words->epochs,
               last = r->words->steps > 0 && r->words->steps < all ? r->words->steps : all;
    tg_status status = tg_success();
    r->begun_s = r->said_s = now_s();
    r->first = r->state.step;
    if (r->state.step >= last && r->launch->speaks)
        printf("nothing to do: %ld of %ld steps are done\n", r->state.step, last);
    while (status.code == TG_OK && r->state.step < last && !*stopped) {
        const long epoch = r->state.step / steps + 1;
        const double loss = train_epoch(r, epoch, steps, last, stopped);
        if (!*stopped) {
            const double begun_s = now_s(), accuracy = test_accuracy(r);
            r->begun_s += now_s() - begun_s;
            tgb_training_csv_epoch(r->csv, r->state.step, epoch, accuracy);
            say_epoch(r, epoch, last, loss, accuracy);
        }
        status = keep(r);
    }
    if (*stopped && r->launch->rank == 0)
        fprintf(stderr, "tgbench: ended by a signal after step %ld of %ld\n", r->state.step, last);
    return status;
}

/* ---- what a run needs ---- */

/* The text of a network of this program; or rank 0 reads a file, and all get it. malloc'ed. */
static tg_status read_text(MPI_Comm comm, int rank, const char *path, char **text)
{
    enum { LONGEST = 1 << 20 };
    tg_status status = tg_success();
    int length = 0;
    for (const tgb_network *n = tgb_networks; n->name; n++)
        if (strcmp(n->name, path) == 0)
            return tg_agree(comm, (*text = strdup(n->text)) ? status
                                                            : tg_fail(TG_NO_MEMORY, "no memory"));
    *text = calloc(LONGEST + 1, 1);
    if (!*text)
        status = tg_fail(TG_NO_MEMORY, "no memory for a text");
    FILE *file = rank == 0 && *text ? fopen(path, "r") : NULL;
    if (rank == 0 && *text && !file)
        status = tg_fail(TG_BAD_INPUT,
                         "%.120s: %s; expected a name in networks/, or a file with a layer on "
                         "each line",
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

/* What the words leave open is the checkpoint's; what they say must not be against it. */
static tg_status read_state(run *r)
{
    const tgb_train_words *w = r->words;
    tgb_checkpoint *s = &r->state, before = {.batch = 256, .seed = 1, .rule = &tgl_rules[0]};
    tg_status status = tg_success();
    if (w->resume)
        status = tgb_checkpoint_look(r->comm, w->resume, &before);
    if (status.code != TG_OK)
        return status;
    *s = before;
    if (w->rule && w->resume && w->rule != before.rule)
        return tg_fail(TG_BAD_INPUT, "--optimizer %s: expected the %s of %.120s", w->rule->name,
                       before.rule->name, w->resume);
    s->rule = w->rule ? w->rule : before.rule;
    s->batch = w->batch > 0 ? w->batch : before.batch;
    s->seed = w->seed >= 0 ? w->seed : before.seed;
    if (w->resume && (s->batch != before.batch || s->seed != before.seed))
        return tg_fail(TG_BAD_INPUT, "--batch %ld --seed %ld: expected %ld and %ld, as %.120s has",
                       s->batch, s->seed, before.batch, before.seed, w->resume);
    const tgl_rates given = w->rates, left = w->resume ? before.rates : s->rule->initial;
    s->rates = s->rule->initial;
    s->rates.rate = given.rate >= 0 ? given.rate : left.rate;
    s->rates.momentum = given.momentum >= 0 ? given.momentum : left.momentum;
    return status;
}

/* Everything else repeats: orders and initial values come from the seed, sums go by the plan, and a
 * rank has one thread. */
static tg_status check_deterministic(const run *r)
{
    const tgl_problem *p;
    for (int i = 0; r->words->deterministic && (p = tgl_network_problem(r->network, i)); i++)
        if (strcmp(p->algorithm, "auto") == 0)
            return tg_fail(TG_BAD_INPUT,
                           "--deterministic: algorithm=auto in layer %d (%s) is chosen by time; "
                           "expected another algorithm",
                           i + 1, p->kind->name);
    return tg_success();
}

static tg_status plan_network(run *r)
{
    char *text = NULL;
    const char *name = r->words->network;
    tg_status status = read_text(r->comm, r->launch->rank, name, &text);
    if (status.code == TG_OK) {
        status = tgl_network_plan(r->comm, text, r->state.batch, r->words->kernels, &r->network);
        if (status.code == TG_BAD_INPUT) {
            tg_status named = tg_fail(TG_BAD_INPUT, "%.60s: %.170s", name, status.text);
            status = named;
        }
    }
    free(text);
    if (status.code == TG_OK)
        status = check_deterministic(r);
    if (status.code == TG_OK)
        status = tgl_optimiser_make(r->comm, r->network, r->state.rule, &r->optimiser);
    return status;
}

static tg_status read_images(run *r)
{
    tg_status status = tgb_dataset_read(r->comm, r->words->data, "train", &r->train);
    if (status.code == TG_OK)
        status = tgb_dataset_read(r->comm, r->words->data, "t10k", &r->test);
    if (status.code == TG_OK)
        status = tgb_dataset_check(&r->train, r->network, r->last);
    if (status.code == TG_OK)
        status = tgb_dataset_check(&r->test, r->network, r->last);
    if (status.code == TG_OK && r->train.images.extent[0] < r->state.batch)
        status = tg_fail(TG_BAD_INPUT, "--batch %ld: expected at most the %td training images",
                         r->state.batch, r->train.images.extent[0]);
    return status;
}

static tg_status make_room(run *r)
{
    r->order = malloc((size_t)(r->train.images.extent[0] + r->state.batch) * sizeof *r->order);
    r->best = malloc((size_t)r->state.batch * sizeof *r->best);
    return r->order && r->best ? tg_success()
                               : tg_fail(TG_NO_MEMORY, "no memory for the order of the images");
}

/* Nothing is written before all else is known to be right. */
static tg_status prepare(run *r)
{
    tg_status status = read_state(r);
    if (status.code == TG_OK)
        status = plan_network(r);
    while (r->network && tgl_network_layer(r->network, r->last + 1))
        r->last++;
    if (status.code == TG_OK)
        status = read_images(r);
    if (status.code == TG_OK)
        status = tg_agree(r->comm, make_room(r));
    if (status.code != TG_OK)
        return status;
    tgl_network_init(r->network, (uint64_t)r->state.seed);
    if (r->words->resume)
        status = tgb_checkpoint_read(r->comm, r->words->resume, r->optimiser);
    tgl_optimiser_resume(r->optimiser, r->state.step);
    if (status.code == TG_OK && r->words->output && r->launch->rank == 0)
        status =
            tgb_training_csv_open(r->words->output, r->words->resume ? r->state.step : -1, &r->csv);
    return tg_agree(r->comm, status);
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
    tgb_train_words w;
    tg_status status = tgb_train_words_read(argc, argv, &w);
    if (w.words.help)
        return tgb_train_help(launch);
    if (status.code == TG_OK)
        status = tgb_launch_start(launch);
    if (status.code != TG_OK)
        return tgb_complain(launch, status);
    run r = {.words = &w, .launch = launch, .comm = MPI_COMM_WORLD};
    bool stopped = false;
    tgb_stop_watch();
    status = prepare(&r);
    if (status.code == TG_OK) {
        say_parameters(&r);
        status = train(&r, &stopped);
    }
    const tg_status closed = tg_agree(r.comm, tgb_training_csv_close(r.csv));
    if (status.code == TG_OK)
        status = closed;
    tgl_optimiser_free(&r.optimiser);
    tgl_network_free(&r.network);
    tgb_dataset_free(&r.train);
    tgb_dataset_free(&r.test);
    free(r.order);
    free(r.best);
    if (status.code != TG_OK)
        return tgb_complain(launch, status);
    return stopped ? TGB_PARTLY : TGB_GOOD;
}
