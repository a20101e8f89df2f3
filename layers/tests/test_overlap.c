/* test_overlap.c: what is done while something travels, and what is kept between runs.
 *
 *     inside    outputs of a convolution are right before its halo is awaited, and all are at the end
 *     gradients sums of several layers are under way at once, and have the bits they have one by one
 *     weights   what a kernel has made of them stands until they change, and no longer
 *
 * The linker puts the functions below in the place of the libraries' (--wrap): they watch and call
 * those. */
#include "layers/tests/cases.h"

#ifdef TENSORGAUGE_ONEDNN
#include <dnnl.h>
#endif

enum { TEXT = 512, IMAGES_NDIM = 4, MOST = 4096 };

void __real_tg_finish(tg_op *op);
void __wrap_tg_finish(tg_op *op);
void __real_tg_start_adjoint(tg_op *op, void *y, void *x);
void __wrap_tg_start_adjoint(tg_op *op, void *y, void *x);

static struct {
    const setup *s; /* NULL: nobody looks */
    void *y;        /* as it was when the halo was awaited */
    int halos;
} seen;

static int pending, most_pending; /* operators under way */

void __wrap_tg_finish(tg_op *op)
{
    if (seen.s && tg_op_y(op).ndim == IMAGES_NDIM) {
        memcpy(seen.y, seen.s->y, (size_t)seen.s->y_count * seen.s->problem.dtype->size);
        seen.halos++;
    }
    pending--;
    __real_tg_finish(op);
}

void __wrap_tg_start_adjoint(tg_op *op, void *y, void *x)
{
    pending++;
    most_pending = pending > most_pending ? pending : most_pending;
    __real_tg_start_adjoint(op, y, x);
}

/* ---- inside ---- */

/* How many entries of y have their value before the halo is awaited; -1: nobody waits for one. */
static ptrdiff_t count_early(const char *text, int P, int rank)
{
    setup s;
    ptrdiff_t early = -1;
    if (!begin(&s, text, P, rank))
        return early;
    const tg_dtype *dtype = s.problem.dtype;
    tgl_fill(s.layer, SEED, s.x, s.dy);
    for (ptrdiff_t i = 0; i < s.y_count; i++)
        dtype->put(s.y, i, 0.5); /* no value of whole numbers */
    seen.s = &s;
    seen.y = make(&s, s.y_count);
    seen.halos = 0;
    tgl_forward(s.layer, s.x, s.y);
    seen.s = NULL;
    CHECK(tgl_count_wrong_forward(s.layer, SEED, s.y) == 0, "%s", text);
    if (seen.halos > 0)
        early = 0;
    for (ptrdiff_t i = 0; seen.halos > 0 && i < s.y_count; i++)
        early += dtype->get(seen.y, i) == dtype->get(s.y, i);
    free(seen.y);
    end(&s);
    return early;
}

/* Entries of an axis: of 24 outputs on P ranks, the first and the last of a part need a neighbour's x. */
static void check_early(const char *kernels, const char *stores, int P, int rank)
{
    char text[TEXT];
    const ptrdiff_t rows = 24 / P - (rank > 0) - (rank < P - 1), plane = 2L * 8 * 5;
    static const char *const words[] = {"yes", "no", "auto"};
    for (int i = 0; i < 3; i++) {
        snprintf(text, sizeof text,
                 "convolution batch=2 channels=8:8 space=24x5 kernel=3x3 padding=1x1 "
                 "grid=1x1x%dx1 kernels=%s %s overlap=%s",
                 P, kernels, stores, words[i]);
        const ptrdiff_t early = count_early(text, P, rank);
        if (P == 1)
            CHECK(early == -1, "one rank waits for nobody: %s", text);
        else if (i == 0)
            CHECK(early >= rows * plane, "%td early, of %td inside: %s", early, rows * plane, text);
        else
            CHECK(early == 0, "%td early: %s", early,
                  text); /* auto: on one node nothing is gained */
    }
}

/* Windows, parts and stores of all kinds. Ranks, case. */
static const struct {
    int ranks;
    const char *text;
} cases[] = {
    {2, "convolution batch=2 channels=3:4 space=17 kernel=3 padding=1 grid=1x1x2"},
    {2, "convolution batch=2 channels=3:4 space=17 kernel=5 stride=2 padding=2 grid=1x1x2"},
    {3, "convolution batch=1 channels=4:6 space=19x7 kernel=3x3 stride=3x2 grid=1x1x3x1 groups=2"},
    {3, "convolution batch=3 channels=2:3 space=21 kernel=3 dilation=3 padding=4 grid=1x1x3"},
    {4, "convolution batch=2 channels=3:5 space=13x14 kernel=3x5 padding=2x1 grid=1x1x2x2"},
    {4, "convolution batch=2 channels=20:24 space=9x12 kernel=3x3 padding=1x1 grid=1x1x1x4"},
    {4, "convolution batch=2 channels=17:9 space=12x8 kernel=3x3 dilation=2x1 grid=1x2x2x1"},
    {4, "convolution batch=1 channels=4:6 space=16 kernel=3 padding=1 grid=1x1x2 parts-out=2"},
    {4, "convolution batch=1 channels=2:3 space=6x5x4 kernel=2x3x2 padding=1x1x0 grid=1x1x2x1x2"},
    /* kernels wider than a block, parts that are empty, windows that see only padding */
    {4, "convolution batch=1 channels=2:3 space=5 kernel=5 padding=4 grid=1x1x4"},
    {4, "convolution batch=2 channels=2:3 space=3x9 kernel=3x3 padding=1x1 grid=1x1x4x1"},
    {3, "convolution batch=1 channels=1:2 space=2 kernel=1 padding=6 stride=2 grid=1x1x3"},
    {2, "convolution batch=2 channels=2:2 space=16 kernel=2 stride=4 grid=1x1x2"},
};

static void check_cases(const char *kernels, int P, int rank)
{
    static const char *const stores[] = {"", "store-x=nchw8c", "store-x=nchw16c store-y=nchw8c"};
    char text[TEXT];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (size_t k = 0; cases[i].ranks == P && k < sizeof stores / sizeof *stores; k++) {
            setup s;
            snprintf(text, sizeof text, "%s kernels=%s %s overlap=yes", cases[i].text, kernels,
                     stores[k]);
            if (begin(&s, text, P, rank)) {
                check_values(&s);
                check_adjoint(&s);
            }
            end(&s);
        }
}

/* ---- gradients ---- */

static const char network_text[] =
    "convolution batch=N channels=1:3 space=6x6 kernel=3x3 grid=Px1x1x1 algorithm=%s\n"
    "relu shape=Nx3x4x4 grid=Px1x1x1 algorithm=mpi\n"
    "convolution batch=N channels=3:4 space=4x4 kernel=3x3 grid=Px1x1x1 algorithm=%s\n"
    "flatten shape=Nx4x2x2 from=Px1x1x1 to=Px1 algorithm=mpi\n"
    "affine batch=N features=16:7 parts-batch=P algorithm=%s\n"
    "layer_norm shape=Nx7 grid=Px1 algorithm=%s\n"
    "affine batch=N features=7:5 parts-batch=P algorithm=%s\n"
    "mse shape=Nx5 grid=Px1 algorithm=mpi\n";
enum { LAYERS = 8 };

/* All gradients of this rank, one behind the other; returns how many bytes. */
static size_t gradients_of(const tgl_network *n, char *into)
{
    const tgl_parameter *p;
    size_t used = 0;
    for (int l = 0; l < LAYERS - 1; l++)
        for (int i = 0; (p = tgl_parameter_at(tgl_network_layer(n, l), i)); i++) {
            const size_t size = (size_t)tg_box_count(&p->box) * sizeof(float);
            memcpy(into + used, p->gradient, size);
            memset(p->gradient, 0x55, size);
            used += size;
        }
    return used;
}

static void check_gradients(const char *algorithm, int P, int rank)
{
    static char bits[2][MOST];
    char text[2 * TEXT];
    tgl_network *n;
    int most[2];
    size_t size[2];
    snprintf(text, sizeof text, network_text, algorithm, algorithm, algorithm, algorithm,
             algorithm);
    const tg_status status = tgl_network_plan(MPI_COMM_WORLD, text, 3 * P, NULL, &n);
    CHECK(status.code == TG_OK, "%s: %s", algorithm, status.text);
    if (!n)
        return;
    tgl_network_init(n, SEED);
    float *x = tgl_network_x(n, 0);
    for (int i = 0; i < 3 * 36; i++)
        x[i] = (float)cos(3 * i + 7 * rank);
    tgl_network_forward(n);
    for (int overlap = 0; overlap < 2; overlap++) {
        tgl_network_overlap(n, overlap == 1);
        pending = most_pending = 0;
        tgl_network_backward(n);
        most[overlap] = most_pending;
        size[overlap] = gradients_of(n, bits[overlap]);
    }
    CHECK(size[0] == size[1] && memcmp(bits[0], bits[1], size[0]) == 0,
          "gradients differ with %s on %d ranks", algorithm, P);
    CHECK(rank > 0 || size[0] > 0, "rank 0 has parameters");
    CHECK(P == 1 ? most[1] == 0 : most[0] == 2 && most[1] == 9,
          "%d and %d sums under way at once, on %d ranks", most[0], most[1], P);
    tgl_network_free(&n);
}

/* ---- weights ---- */

#ifdef TENSORGAUGE_ONEDNN
static int executed;

dnnl_status_t __real_dnnl_primitive_execute(const_dnnl_primitive_t primitive, dnnl_stream_t stream,
                                            int count, const dnnl_exec_arg_t *arguments);
dnnl_status_t __wrap_dnnl_primitive_execute(const_dnnl_primitive_t primitive, dnnl_stream_t stream,
                                            int count, const dnnl_exec_arg_t *arguments);

dnnl_status_t __wrap_dnnl_primitive_execute(const_dnnl_primitive_t primitive, dnnl_stream_t stream,
                                            int count, const dnnl_exec_arg_t *arguments)
{
    executed++;
    return __real_dnnl_primitive_execute(primitive, stream, count, arguments);
}

static int executed_by_run(setup *s)
{
    executed = 0;
    tgl_forward(s->layer, s->x, s->y);
    tgl_backward(s->layer, s->x, s->dy, s->dx);
    return executed;
}

/* Reorders and kernels of a run: fewer while the weights stay, as many as at first when they changed. */
static void check_kept(const char *text, int P, int rank)
{
    setup s;
    if (begin(&s, text, P, rank)) {
        check_values(&s);
        tgl_fill(s.layer, SEED, s.x, s.dy);
        const int first = executed_by_run(&s), again = executed_by_run(&s);
        tgl_changed(s.layer);
        const int changed = executed_by_run(&s);
        CHECK(again < first && changed == first, "%d, %d and %d executed: %s", first, again,
              changed, text);
    }
    end(&s);
}
#endif

/* Other weights in every run. */
static void check_changed(const char *text, int P, int rank)
{
    setup s;
    if (begin(&s, text, P, rank))
        for (uint64_t seed = 1; seed <= 3; seed++) {
            tgl_fill(s.layer, seed, s.x, s.dy);
            for (int run = 0; run < 2; run++) {
                tgl_forward(s.layer, s.x, s.y);
                ptrdiff_t wrong = tgl_count_wrong_forward(s.layer, seed, s.y);
                CHECK(wrong == 0, "%td wrong in y: %s", wrong, text);
                tgl_backward(s.layer, s.x, s.dy, s.dx);
                wrong = tgl_count_wrong_backward(s.layer, seed, s.dx);
                CHECK(wrong == 0, "%td wrong in dx and gradients: %s", wrong, text);
            }
        }
    end(&s);
}

static void check_weights(int P, int rank)
{
    static const char *const grids[] = {"grid=%dx1x1x1", "grid=1x1x%dx1 overlap=yes"};
    char text[TEXT];
    for (int i = 0; i < 2; i++) {
        int used = snprintf(text, sizeof text, "%s",
                            "convolution batch=4 channels=16:32 space=12x6 kernel=3x3 padding=1x1 "
                            "store-x=nchw16c store-y=nchw16c ");
        snprintf(text + used, sizeof text - (size_t)used, grids[i], P);
        check_changed(text, P, rank);
#ifdef TENSORGAUGE_ONEDNN
        check_kept(text, P, rank);
#endif
    }
}

int main(int argc, char **argv)
{
    int P, rank;
    harness_begin(&argc, &argv, &P, &rank);
    check_early("openblas", "", P, rank);
    check_early("openblas", "store-x=nchw8c store-y=nchw8c", P, rank);
    check_cases("openblas", P, rank);
#ifdef TENSORGAUGE_ONEDNN
    check_early("onednn", "store-x=nchw8c store-y=nchw8c", P, rank);
#endif
    check_cases("auto", P, rank);
    static const char *const algorithms[] = {"mpi", "reference", "node"};
    for (size_t i = 0; i < sizeof algorithms / sizeof *algorithms; i++)
        check_gradients(algorithms[i], P, rank);
    check_weights(P, rank);
    return harness_end();
}
