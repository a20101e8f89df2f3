/* test_kinds.c: every layer of the list against its formula, entry by entry: y, dx and gradients, on
 * listed and on random cases; a spoiled entry must be counted;
 * runs allocate nothing; the smooth layers pass a Taylor test. */
#include "layers/kernel.h"
#include "layers/tests/allocations.h"
#include "layers/tests/cases.h"

#include <math.h>

enum { RANDOM_CASES = 40, RUNS = 20, TEXT = 512 };

static const char *const kernels[] = {"openblas", "onednn"};
static const char *const stores[] = {"row", "nchw8c", "nchw16c"};
static const char *const overlaps[] = {"auto", "yes", "no"};
enum { STORES = sizeof stores / sizeof *stores };

/* A case and the ranks it needs. */
typedef struct {
    int ranks;
    const char *text;
} listed;

static const listed cases[] = {
    {1, "relu shape=7x5"},
    {2, "relu shape=3x5x7 grid=1x2x1 ranks=1-0:-1 dtype=f64"},
    {3, "sigmoid shape=2x2 grid=3x1"},
    {4, "tanh shape=9x1x4 grid=2x1x2 dtype=f64"},
    {12, "relu shape=5 grid=12"},
    {1, "convolution batch=1 channels=1:1 space=1 kernel=1"},
    {1, "convolution batch=0 channels=2:3 space=4x4 kernel=3x3"},
    {3, "convolution batch=0 channels=2:3 space=7x4 kernel=3x3 padding=1x1 grid=1x1x3x1"},
    {1, "convolution batch=2 channels=6:9 space=5x6x4 kernel=3x2x3 padding=1x0x1 groups=3"},
    {2, "convolution batch=1 channels=4:4 space=6x6 kernel=3x3 padding=1x1 groups=4 grid=1x2x1x1"},
    /* a kernel wider than a rank's block, and more ranks than entries */
    {4, "convolution batch=1 channels=2:3 space=5 kernel=5 padding=4 grid=1x1x4"},
    {6, "convolution batch=2 channels=2:3 space=3x9 kernel=3x3 padding=1x1 grid=1x1x6x1"},
    {12, "convolution batch=1 channels=1:2 space=4x3 kernel=2x3 padding=1x1 grid=1x1x4x3"},
    /* windows that do not fill the last output, and what ceil adds; batch and channels split */
    {1, "max_pool shape=2x3x7 kernel=3 stride=2 ceil=yes dtype=f64"},
    {3, "avg_pool shape=2x3x8 kernel=3 stride=2 ceil=yes padding=1 grid=1x1x3"},
    {3, "avg_pool shape=2x3x8x7 kernel=3x2 ceil=yes padding=1x1 count-padding=no grid=1x3x1x1"},
    {8, "max_pool shape=3x5x9x4 kernel=2x3 padding=0x1 stride=2x1 ceil=yes grid=2x2x2x1"},
    {12, "avg_pool shape=1x2x3x3 kernel=2x2 padding=1x1 stride=1x1 grid=1x1x6x2"},
    {2, "max_pool shape=0x2x4 kernel=2 grid=2x1x1"},
    /* empty and unequal parts, batch 1, nothing but batch and channels */
    {1, "batch_norm shape=5x3x4 dtype=f64"},
    {1, "batch_norm shape=0x3x4"},
    {2, "batch_norm shape=1x2x5 grid=2x1x1 dtype=f64"},
    {3, "batch_norm shape=7x4 grid=3x1 ranks=2-0:-1"},
    {3, "batch_norm shape=7x4x3 grid=3x1x1 mode=inference"},
    {6, "batch_norm shape=5x2x3 grid=2x3x1 dtype=f64 algorithm=reference"},
    {6, "batch_norm shape=3x5x2x4 grid=1x2x3x1 mode=inference eps=0.001"},
    {12, "batch_norm shape=7x3x3x2x5 grid=2x2x1x1x3 dtype=f64"},
    {12, "batch_norm shape=2x2x3 grid=1x1x12"},
    {1, "layer_norm shape=6x5"},
    {2, "layer_norm shape=3x5 grid=1x2 dtype=f64"},
    {3, "layer_norm shape=1x7 grid=1x3"},
    {3, "layer_norm shape=7x3 grid=3x1 scale-shift=no"},
    {4, "layer_norm shape=5x3x7 axes=2 grid=2x1x2 ranks=3-0:-1 dtype=f64"},
    {6, "layer_norm shape=4x2x5 axes=1 grid=1x2x3"},
    {8, "layer_norm shape=3x5 grid=1x8"},
    {8, "layer_norm shape=3x5x2 axes=3 grid=2x2x2 dtype=f64"},
    {12, "layer_norm shape=5x4x7 axes=2 grid=2x3x2 eps=0.001"},
    /* grids of batch, outputs and inputs, and what tensor parallelism deals
     * out */
    {1, "affine batch=5 features=7:3 parts-batch=1"},
    {3, "affine batch=5 features=7:4 parts-batch=3"},
    {4, "affine batch=1 features=7:4 parts-batch=4 ranks=3-0:-1"},
    {6, "affine batch=7 features=5:4 grid=1x3 parts-batch=2 dtype=f64"},
    {8, "affine batch=7 features=5:4 grid=2x2 parts-batch=2 bias=no"},
    {12, "affine batch=7 features=9:5 grid=3x2 parts-batch=2 from-ranks=8-11 to-ranks=5-0:-1"},
    {1, "affine_sharded batch=5 features=7:3"},
    {2, "affine_sharded batch=5 features=7:3 grid=2x1"},
    {3, "affine_sharded batch=5 features=7:4 grid=1x3 dtype=f64"},
    {3, "affine_sharded batch=5 features=7:4 grid=3x1 split=features ranks=2-0:-1"},
    {4, "affine_sharded batch=2 features=7:3 grid=1x4 split=features"},
    {4, "affine_sharded batch=7 features=7:4 grid=2x2 bias=no"},
    {6, "affine_sharded batch=7 features=5:4 grid=2x3 dtype=f64 from-ranks=5-0:-1"},
    {8, "affine_sharded batch=3 features=5:4 grid=8x1 split=batch algorithm=reference"},
    {12, "affine_sharded batch=7 features=13:9 grid=4x3 to-ranks=11-0:-1"},
    /* rows of the weights a multiple of 4 KiB apart: a block, several, the last one not full */
    {1, "affine batch=17 features=1024:5"},
    {1, "affine batch=16 features=512:300 dtype=f64 bias=no"},
    {2, "affine batch=24 features=4096:257 grid=1x2"},
    {3, "affine batch=128 features=1024:600 grid=3x1"},
    {4, "affine_sharded batch=20 features=2048:270 grid=2x2"},
    {1, "flatten shape=3x2x5"},
    {2, "flatten shape=4x2x3x3 from=1x2x1x1 to=1x2"},
    {3, "flatten shape=4x5x3x3 from=1x1x3x1 to=1x3 dtype=f64"},
    {4, "flatten shape=4x16x5x5 from=1x1x2x2 to=1x2"},
    {4, "flatten shape=3x1x2x2 from=1x1x2x2 to=1x4 to-ranks=3-0:-1"},
    {12, "flatten shape=5x3x4x3x2 from=2x1x2x3x1 to=3x4"},
    {1, "repartition shape=4x5"},
    {4, "repartition shape=7x5 from=4x1 to=2x2 to-ranks=3-0:-1"},
    {6, "repartition shape=3x5x2 from=1x3x2 to=6x1x1 dtype=f64"},
    /* channels that fill blocks, and more than one block */
    {2, "convolution batch=2 channels=16:32 space=6x5 kernel=3x3 padding=1x1 grid=1x1x2x1"},
    {4, "convolution batch=1 channels=32:16 space=7x6 kernel=3x3 padding=1x1 grid=1x2x2x1"},
    {4, "convolution batch=2 channels=17:24 space=4x9 kernel=1x3 stride=1x2 grid=2x1x1x2"},
    {2, "convolution batch=1 channels=32:32 space=6x6 kernel=3x3 padding=1x1 groups=2 "
        "grid=1x2x1x1"},
    {2, "max_pool shape=2x20x6x6 kernel=2x2 grid=1x1x2x1"},
    {2, "sigmoid shape=3x17x4 grid=1x2x1"},
    {1, "cross_entropy shape=7x10"},
    {2, "cross_entropy shape=1x10 grid=1x2 dtype=f64"},
    {3, "cross_entropy shape=2x5 grid=3x1 ranks=2-0:-1"},
    {6, "cross_entropy shape=9x10 grid=2x3"},
    {8, "cross_entropy shape=5x3 grid=1x8"},
    {12, "cross_entropy shape=11x7 grid=4x3 dtype=f64"},
    {1, "mse shape=7x10 dtype=f64"},
    {2, "mse shape=1 grid=2"},
    {4, "mse shape=7x17 grid=1x4 ranks=3-0:-1"},
    {8, "mse shape=5x7x11 grid=1x2x4"},
    {12, "mse shape=9x2x7 grid=2x3x2 dtype=f64"},
    {16, "mse shape=9x5x7x11 grid=1x4x2x2"},
};

/* Is there such a row of kernels in this build? */
static bool has_kernels(const char *name)
{
    return tgl_conv_known(name).code == TG_OK;
}

static bool is_convolution(const char *text)
{
    return strncmp(text, "convolution", strlen("convolution")) == 0;
}

static bool has_key(const tgl_kind *kind, const char *name)
{
    const tgl_key *key = kind->keys;
    while (key->name && strcmp(key->name, name) != 0)
        key++;
    return key->name != NULL;
}

/* Does the layer take blocks? Tensors of one axis have no channels. */
static bool takes_stores(const char *text)
{
    const tgl_kind *kind;
    tgl_words words = {.count = 0};
    read_words(text, &kind, &words);
    const char *shape = tgl_words_get(&words, "shape");
    const bool takes = has_key(kind, "store-x") && (!shape || strchr(shape, 'x'));
    tgl_words_free(&words);
    return takes;
}

/* Does a library do what the layer computes? Then it has a product for this type, too. */
static bool takes_kernels(const char *text, const char *library)
{
    const tgl_kind *kind;
    tgl_words words = {.count = 0};
    read_words(text, &kind, &words);
    const char *dtype = tgl_words_get(&words, "dtype");
    const tgl_conv_kernel *chosen;
    tgl_gemm *gemm;
    const bool takes =
        has_key(kind, "kernels") &&
        tgl_gemm_choose(library, tg_dtype_find(dtype ? dtype : "f32"), &chosen, &gemm).code ==
            TG_OK;
    tgl_words_free(&words);
    return takes;
}

/* In stores that change from case to case: a convolution in any two, another layer in one. */
static void check_stores(const char *text, size_t number, int P, int rank)
{
    char with[TEXT];
    if (!takes_stores(text))
        return;
    if (is_convolution(text))
        snprintf(with, sizeof with, "%s store-x=%s store-y=%s", text, stores[number % STORES],
                 stores[number / STORES % STORES]);
    else
        snprintf(with, sizeof with, "%s store-x=%s", text, stores[1 + number % (STORES - 1)]);
    check_case(with, P, rank);
}

/* By every library that the layer may ask, and in other stores. */
static void check_listed(const char *text, size_t number, int P, int rank)
{
    char with[TEXT];
    bool by_library = false;
    for (size_t i = 0; i < sizeof kernels / sizeof *kernels; i++)
        if (takes_kernels(text, kernels[i])) {
            snprintf(with, sizeof with, "%s kernels=%s", text, kernels[i]);
            check_case(with, P, rank);
            check_stores(with, 4 * number + i, P, rank);
            by_library = true;
        }
    if (!by_library) {
        check_case(text, P, rank);
        check_stores(text, number, P, rank);
    }
}

/* ---- more checks ---- */

/* With %d parts of an axis. */
static const char *const busy[] = {
    "convolution batch=2 channels=3:4 space=24x5 kernel=3x3 padding=1x1 grid=1x1x%dx1",
    "convolution batch=2 channels=3:4 space=24 kernel=3 grid=1x1x%d kernels=openblas",
    "convolution batch=2 channels=3:4 space=24 kernel=3 grid=1x1x%d overlap=yes",
    "convolution batch=2 channels=3:4 space=24 kernel=3 grid=1x1x%d store-x=nchw8c store-y=nchw16c",
    "max_pool shape=2x3x24 kernel=3 stride=1 padding=1 grid=1x1x%d",
    "batch_norm shape=24x3x5 grid=%dx1x1",
    "layer_norm shape=3x24 grid=1x%d",
    "affine batch=24 features=5:4 parts-batch=%d",
    "affine_sharded batch=24 features=5:4 grid=%dx1",
    "cross_entropy shape=5x24 grid=1x%d",
    "mse shape=24x5 grid=%dx1"};

static void check_allocations(const char *text, int P, int rank)
{
    setup s;
    if (begin(&s, text, P, rank)) {
        tgl_fill(s.layer, SEED, s.x, s.dy);
        long before = allocations;
        for (int i = 0; i < RUNS; i++) {
            tgl_forward(s.layer, s.x, s.y);
            tgl_backward(s.layer, s.x, s.dy, s.dx);
        }
        long made = allocations - before;
        CHECK(made == 0, "%ld allocations in %d runs: %s", made, RUNS, text);
    }
    end(&s);
}

static const char *const smooth[] = {
    "sigmoid shape=7x5 grid=%dx1 dtype=f64",        "tanh shape=7x5 grid=1x%d dtype=f64",
    "cross_entropy shape=7x5 grid=1x%d dtype=f64",  "mse shape=7x5 grid=%dx1 dtype=f64",
    "batch_norm shape=7x5x3 grid=%dx1x1 dtype=f64", "layer_norm shape=7x5 grid=1x%d dtype=f64"};

/* <dy, F(x + h v)> - <dy, F(x)> - h <dx, v> must shrink as h^2: by 4 when h is halved. */
static void check_taylor(const char *text, int P, int rank)
{
    setup s;
    if (!begin(&s, text, P, rank)) {
        end(&s);
        return;
    }
    double *x = s.x, *y = s.y, *dx = s.dx, *dy = s.dy, rest[2] = {0, 0}, first = 0, slope = 0;
    tgl_fill(s.layer, SEED, x, dy);
    tgl_forward(s.layer, x, y);
    tgl_backward(s.layer, x, dy, dx);
    for (ptrdiff_t i = 0; i < s.y_count; i++)
        first += dy[i] * y[i];
    for (ptrdiff_t i = 0; i < s.x_count; i++)
        slope += dx[i] * cos((double)(i + 3 * rank));
    for (int half = 0; half < 2; half++) {
        double h = half ? 0.5e-3 : 1e-3, value = 0;
        for (ptrdiff_t i = 0; i < s.x_count; i++)
            x[i] += h * cos((double)(i + 3 * rank));
        tgl_forward(s.layer, x, y);
        for (ptrdiff_t i = 0; i < s.y_count; i++)
            value += dy[i] * y[i];
        rest[half] = value - first - h * slope;
        tgl_fill(s.layer, SEED, x, dy);
    }
    MPI_Allreduce(MPI_IN_PLACE, rest, 2, MPI_DOUBLE, MPI_SUM, MPI_COMM_WORLD);
    CHECK(rest[0] != 0 && rest[0] / rest[1] > 3.5 && rest[0] / rest[1] < 4.5, "rests %g and %g: %s",
          rest[0], rest[1], text);
    end(&s);
}

/* ---- random cases ---- */

static unsigned state;

static int draw(int lo, int hi)
{
    state = state * 1664525u + 1013904223u;
    return lo + (int)((state >> 8) % (unsigned)(hi - lo + 1));
}

/* A part of what is left of the ranks. */
static int draw_parts(int *left)
{
    int parts = draw(1, *left);
    parts = draw(0, 1) ? 1 : parts;
    *left /= parts;
    return parts;
}

static void draw_convolution(int P, char *text, size_t size)
{
    const int space = draw(1, 3), kind = draw(0, 3);
    int left = P, groups = kind == 0 ? draw(2, 3) : 1;
    const int parts_in = kind == 0 ? 1 : draw_parts(&left),
              parts_out = kind == 1 ? draw_parts(&left) : 1, parts_batch = draw_parts(&left);
    size_t used = (size_t)snprintf(text, size, "convolution batch=%d channels=%d:%d groups=%d",
                                   draw(1, 3), groups * draw(1, 4), groups * draw(1, 4), groups);
    char words[5][64] = {"space=", "kernel=", "stride=", "padding=", "dilation="};
    char grid[64];
    int g = snprintf(grid, sizeof grid, "grid=%dx%d", parts_batch, parts_in);
    for (int d = 0; d < space; d++) {
        int kernel = draw(1, 4), dilation = draw(1, 2), padding = draw(0, kernel - 1),
            extent = draw(dilation * (kernel - 1) + 1, 11);
        int values[5] = {extent, kernel, draw(1, 3), padding, dilation};
        for (int w = 0; w < 5; w++)
            snprintf(words[w] + strlen(words[w]), sizeof words[w] - strlen(words[w]), "%s%d",
                     d ? "x" : "", values[w]);
        g += snprintf(grid + g, sizeof grid - (size_t)g, "x%d", draw_parts(&left));
    }
    for (int w = 0; w < 5; w++)
        used += (size_t)snprintf(text + used, size - used, " %s", words[w]);
    const bool onednn = draw(0, 1) && has_kernels("onednn");
    used += (size_t)snprintf(text + used, size - used, " kernels=%s dtype=%s",
                             onednn       ? "onednn"
                             : draw(0, 1) ? "openblas"
                                          : "auto",
                             onednn || draw(0, 1) ? "f32" : "f64");
    used += (size_t)snprintf(text + used, size - used, " store-x=%s", stores[draw(0, STORES - 1)]);
    used += (size_t)snprintf(text + used, size - used, " store-y=%s", stores[draw(0, STORES - 1)]);
    used += (size_t)snprintf(text + used, size - used, " overlap=%s", overlaps[draw(0, 2)]);
    snprintf(text + used, size - used, " %s parts-out=%d bias=%s algorithm=%s", grid, parts_out,
             draw(0, 1) ? "yes" : "no", draw(0, 1) ? "mpi" : "p2p");
}

/* key=AxBxC with numbers in [lo, hi]. */
static void draw_tuple(char *text, const char *key, int axes, int lo, int hi)
{
    for (int d = 0; d < axes; d++)
        snprintf(text + strlen(text), TEXT - strlen(text), "%s%s%d", d ? "x" : " ", d ? "" : key,
                 draw(lo, hi));
}

static void draw_grid(char *text, const char *key, int axes, int P)
{
    int left = P;
    for (int d = 0; d < axes; d++)
        snprintf(text + strlen(text), TEXT - strlen(text), "%s%s%d", d ? "x" : " ", d ? "" : key,
                 draw_parts(&left));
}

/* A layer with shape and grid, on from fewest to most axes; what stands behind belongs to it. */
static const struct {
    const char *name;
    int fewest, most;
    const char *more;
} shaped[] = {{"relu", 1, 5, ""},
              {"sigmoid", 1, 5, ""},
              {"tanh", 1, 5, ""},
              {"max_pool", 3, 5, " kernel=2 stride=1 padding=1"},
              {"avg_pool", 3, 5, " kernel=2 stride=1 padding=1 count-padding=no"},
              {"batch_norm", 2, 5, ""},
              {"batch_norm", 2, 5, " mode=inference"},
              {"layer_norm", 1, 4, ""},
              {"layer_norm", 2, 4, " axes=2"},
              {"mse", 1, 5, ""},
              {"cross_entropy", 2, 2, ""}};

static void draw_shaped(int number, int P, char *text)
{
    const int axes = draw(shaped[number].fewest, shaped[number].most);
    snprintf(text, TEXT, "%s", shaped[number].name);
    draw_tuple(text, "shape=", axes, 1, 6);
    draw_grid(text, "grid=", axes, P);
    snprintf(text + strlen(text), TEXT - strlen(text), "%s", shaped[number].more);
}

static void draw_moved(bool flattens, int P, char *text)
{
    const int axes = draw(2, 4);
    snprintf(text, TEXT, "%s", flattens ? "flatten" : "repartition");
    draw_tuple(text, "shape=", axes, 0, 6);
    draw_grid(text, "from=", axes, P);
    draw_grid(text, "to=", flattens ? 2 : axes, P);
}

static void draw_affine(bool sharded, int P, char *text)
{
    int left = P;
    const int out = draw_parts(&left), in = draw_parts(&left);
    snprintf(text, TEXT, "%s batch=%d features=%d:%d grid=%dx%d",
             sharded ? "affine_sharded" : "affine", draw(0, 9), draw(1, 9), draw(1, 9), out, in);
    if (sharded)
        strcat(text, out == 1 || in == 1 ? " split=features" : " split=batch");
    else
        snprintf(text + strlen(text), TEXT - strlen(text), " parts-batch=%d", draw_parts(&left));
}

static void draw_case(int number, int P, char *text)
{
    const int kinds = (int)(sizeof shaped / sizeof *shaped), kind = number % (kinds + 4);
    if (kind < kinds)
        draw_shaped(kind, P, text);
    else if (kind < kinds + 2)
        draw_moved(kind == kinds, P, text);
    else
        draw_affine(kind == kinds + 2, P, text);
    strcat(text, draw(0, 1) ? " dtype=f32" : " dtype=f64");
}

int main(int argc, char **argv)
{
    int P, rank;
    char text[TEXT];
    harness_begin(&argc, &argv, &P, &rank);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (cases[i].ranks <= P)
            check_listed(cases[i].text, i, P, rank);
    state = (unsigned)P;
    for (int i = 0; i < RANDOM_CASES; i++) {
        draw_convolution(P, text, sizeof text);
        check_case(text, P, rank);
    }
    for (int i = 0; i < RANDOM_CASES; i++) {
        draw_case(i, P, text);
        check_case(text, P, rank);
    }
    for (size_t i = 0; i < sizeof smooth / sizeof *smooth; i++) {
        snprintf(text, sizeof text, smooth[i], P);
        check_taylor(text, P, rank);
    }
    for (size_t i = 0; i < sizeof busy / sizeof *busy; i++) {
        snprintf(text, sizeof text, busy[i], P);
        check_allocations(text, P, rank);
    }
    return harness_end();
}
