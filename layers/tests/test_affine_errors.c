/* test_affine_errors.c: a bad specification gives the same status and text on every rank and keeps
 * nothing, also when only one rank has it or when the ranks' specifications differ. */
#include "layers/layers.h"
#include "layers/tests/harness.h"

#include <string.h>

static tgl_affine_spec good_spec(void)
{
    return (tgl_affine_spec){.batch = 4,
                             .parts_batch = 1,
                             .features_in = 6,
                             .features_out = 5,
                             .parts_out = 1,
                             .parts_in = 1,
                             .bias = true,
                             .dtype = tg_dtype_find("f32"),
                             .algorithm = "mpi"};
}

/* Plan must fail with a text that begins with one of two words, the same everywhere. */
static void check_fails(const tgl_affine_spec *spec, tg_code code, const char *word)
{
    tgl_layer *layer = (tgl_layer *)-1;
    tg_status status = tgl_affine_plan(MPI_COMM_WORLD, spec, &layer);
    CHECK(!layer, "%s", word);
    CHECK(status.code == code, "code %d, expected %d (%s): %s", (int)status.code, (int)code, word,
          status.text);
    CHECK(strncmp(status.text, word, strlen(word)) == 0, "%s; expected %s", status.text, word);
    CHECK(!strchr(status.text, '\n'), "%s", status.text);
    char first[TG_STATUS_TEXT];
    memcpy(first, status.text, sizeof first);
    MPI_Bcast(first, sizeof first, MPI_CHAR, 0, MPI_COMM_WORLD);
    CHECK(strcmp(first, status.text) == 0, "%s, but on rank 0 %s", status.text, first);
}

typedef struct {
    const char *word; /* how the text begins */
    void (*spoil)(tgl_affine_spec *, int P);
} mistake;

static char text[32];

static void negative_batch(tgl_affine_spec *s, int P)
{
    s->batch = -P;
}

static void negative_features(tgl_affine_spec *s, int P)
{
    s->features_out = -P;
}

static void no_parts(tgl_affine_spec *s, int P)
{
    (void)P;
    s->parts_in = 0;
}

static void too_many_parts(tgl_affine_spec *s, int P)
{
    s->parts_out = P + 1;
}

static void very_many_parts(tgl_affine_spec *s, int P)
{
    s->parts_out = s->parts_in = 1000000 + P;
}

static void rank_outside(tgl_affine_spec *s, int P)
{
    snprintf(text, sizeof text, "%d", P);
    s->ranks = text;
}

static void from_outside(tgl_affine_spec *s, int P)
{
    snprintf(text, sizeof text, "%d", P);
    s->from_ranks = text;
}

static void bad_to_words(tgl_affine_spec *s, int P)
{
    snprintf(text, sizeof text, "%d-", P);
    s->to_ranks = text;
}

static void too_many_to(tgl_affine_spec *s, int P)
{
    snprintf(text, sizeof text, "0,0,%d", P - 1);
    s->to_ranks = text;
}

static void integers(tgl_affine_spec *s, int P)
{
    (void)P;
    s->dtype = tg_dtype_find("i32");
}

static void no_type(tgl_affine_spec *s, int P)
{
    (void)P;
    s->dtype = NULL;
}

static void unknown_algorithm(tgl_affine_spec *s, int P)
{
    (void)P;
    s->algorithm = "telepathy";
}

static void no_algorithm(tgl_affine_spec *s, int P)
{
    (void)P;
    s->algorithm = NULL;
}

static void unknown_kernels(tgl_affine_spec *s, int P)
{
    (void)P;
    s->kernels = "mkl";
}

static void beyond_the_blas(tgl_affine_spec *s, int P)
{
    s->features_in = (ptrdiff_t)P << 40;
}

static void no_batch_parts(tgl_affine_spec *s, int P)
{
    (void)P;
    s->parts_batch = 0;
}

static void too_many_batch_parts(tgl_affine_spec *s, int P)
{
    s->parts_batch = P + 1;
}

static void unknown_split(tgl_affine_spec *s, int P)
{
    (void)P;
    s->split = "rows";
}

static const mistake mistakes[] = {{"parts-batch", no_batch_parts},
                                   {"parts-batch", too_many_batch_parts},
                                   {"split", unknown_split},
                                   {"batch", negative_batch},
                                   {"features", negative_features},
                                   {"grid", no_parts},
                                   {"grid", too_many_parts},
                                   {"grid", very_many_parts},
                                   {"ranks", rank_outside},
                                   {"from-ranks", from_outside},
                                   {"to-ranks", bad_to_words},
                                   {"to-ranks", too_many_to},
                                   {"dtype", integers},
                                   {"dtype", no_type},
                                   {"algorithm", unknown_algorithm},
                                   {"algorithm", no_algorithm},
                                   {"kernels", unknown_kernels},
                                   {"features", beyond_the_blas}};

static void test_mistakes(int P, int rank)
{
    for (size_t i = 0; i < sizeof mistakes / sizeof *mistakes; i++) {
        tgl_affine_spec spec = good_spec();
        mistakes[i].spoil(&spec, P);
        check_fails(&spec, TG_BAD_INPUT, mistakes[i].word);
        tg_layout x, y;
        tg_status status = tgl_affine_layouts(&spec, P, &x, &y);
        CHECK(status.code == TG_BAD_INPUT &&
                  strncmp(status.text, mistakes[i].word, strlen(mistakes[i].word)) == 0,
              "%s; expected %s", status.text, mistakes[i].word);
        CHECK(x.ndim == 0 && !x.runs && y.ndim == 0 && !y.runs, "%s", mistakes[i].word);
        for (int culprit = 0; culprit < P; culprit += P > 1 ? P - 1 : 1) {
            tgl_affine_spec mine = rank == culprit ? spec : good_spec();
            check_fails(&mine, TG_BAD_INPUT, mistakes[i].word);
        }
    }
}

static void one_more_row(tgl_affine_spec *s, int P)
{
    s->batch += P;
}

static void other_type(tgl_affine_spec *s, int P)
{
    (void)P;
    s->dtype = tg_dtype_find("f64");
}

static void other_algorithm(tgl_affine_spec *s, int P)
{
    (void)P;
    s->algorithm = "reference";
}

static void other_grid(tgl_affine_spec *s, int P)
{
    s->parts_out = P;
}

static void other_place(tgl_affine_spec *s, int P)
{
    snprintf(text, sizeof text, "%d", P - 1);
    s->to_ranks = text;
}

static void other_batch_parts(tgl_affine_spec *s, int P)
{
    s->parts_batch = P;
}

static void other_split(tgl_affine_spec *s, int P)
{
    (void)P;
    s->split = "batch";
}

static void no_bias(tgl_affine_spec *s, int P)
{
    (void)P;
    s->bias = false;
}

static void test_differences(int P, int rank)
{
    void (*const spoil[])(tgl_affine_spec *,
                          int) = {one_more_row, other_type, other_algorithm,   other_grid,
                                  other_place,  no_bias,    other_batch_parts, other_split};
    for (size_t i = 0; P > 1 && i < sizeof spoil / sizeof *spoil; i++)
        for (int culprit = 0; culprit < P; culprit += P - 1) {
            tgl_affine_spec spec = good_spec();
            if (rank == culprit)
                spoil[i](&spec, P);
            check_fails(&spec, TG_DISAGREE, "");
        }
}

/* After all those failures the communicator still works. */
static void test_good_after_bad(int P)
{
    tgl_affine_spec spec = good_spec();
    spec.parts_in = P;
    tgl_layer *layer;
    tg_status status = tgl_affine_plan(MPI_COMM_WORLD, &spec, &layer);
    CHECK(status.code == TG_OK && layer && !*status.text, "%s", status.text);
    tgl_free(&layer);
}

int main(int argc, char **argv)
{
    int P, rank;
    harness_begin(&argc, &argv, &P, &rank);
    test_mistakes(P, rank);
    test_differences(P, rank);
    test_good_after_bad(P);
    return harness_end();
}
