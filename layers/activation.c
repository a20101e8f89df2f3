/* activation.c: layers that change every entry by itself: relu, sigmoid and tanh.
 *
 *   forward   y = f(x)
 *   backward  dx = f'(x) dy
 *
 * x and y have one layout and one store, so nothing is sent, whatever axes are split. f' is worked out from x, so
 * that nothing is kept between forward and backward. */
#include "layers/kernel.h"
#include "layers/layer.h"

#include <math.h>
#include <stdlib.h>

typedef struct activation activation;

/* One function, for each element type. */
typedef struct {
    double (*value)(double x);
    double (*slope)(double x);
    void (*forward_f32)(ptrdiff_t n, const float *x, float *y);
    void (*forward_f64)(ptrdiff_t n, const double *x, double *y);
    void (*backward_f32)(ptrdiff_t n, const float *x, const float *dy, float *dx);
    void (*backward_f64)(ptrdiff_t n, const double *x, const double *dy, double *dx);
} function;

struct activation {
    tgl_layer base;
    const function *f;
    ptrdiff_t count;   /* entries of this rank, with the tails of blocks */
    bool single;       /* f32 */
    tgl_images images; /* in blocks */
    int block;         /* with tails that f changes; 0: none */
};

/* ---- the functions ---- */

static double relu(double x)
{
    return x > 0 ? x : 0;
}

static double relu_slope(double x)
{
    return x > 0 ? 1 : 0;
}

static double sigmoid(double x)
{
    return 1 / (1 + exp(-x));
}

static double sigmoid_slope(double x)
{
    return sigmoid(x) * (1 - sigmoid(x));
}

static double tanh_slope(double x)
{
    return 1 - tanh(x) * tanh(x);
}

/* The loops of one type; `value` and `slope` are written in that type's own functions. */
#define LOOPS(name, type, value, slope)                                                            \
    static void forward_##name(ptrdiff_t n, const type *restrict x, type *restrict y)              \
    {                                                                                              \
        for (ptrdiff_t i = 0; i < n; i++)                                                          \
            y[i] = value(x[i]);                                                                    \
    }                                                                                              \
    static void backward_##name(ptrdiff_t n, const type *restrict x, const type *restrict dy,      \
                                type *restrict dx)                                                 \
    {                                                                                              \
        for (ptrdiff_t i = 0; i < n; i++)                                                          \
            dx[i] = slope(x[i]) * dy[i];                                                           \
    }

#define RELU(x)           ((x) > 0 ? (x) : 0)
#define RELU_SLOPE(x)     ((x) > 0 ? 1 : 0)
#define SIGMOIDF(x)       (1 / (1 + expf(-(x))))
#define SIGMOIDF_SLOPE(x) (SIGMOIDF(x) * (1 - SIGMOIDF(x)))
#define TANHF_SLOPE(x)    (1 - tanhf(x) * tanhf(x))

LOOPS(relu_f32, float, RELU, RELU_SLOPE)
LOOPS(relu_f64, double, RELU, RELU_SLOPE)
LOOPS(sigmoid_f32, float, SIGMOIDF, SIGMOIDF_SLOPE)
LOOPS(sigmoid_f64, double, sigmoid, sigmoid_slope)
LOOPS(tanh_f32, float, tanhf, TANHF_SLOPE)
LOOPS(tanh_f64, double, tanh, tanh_slope)

#define FUNCTION(name, value_of, slope_of)                                                         \
    static const function name##_function = {value_of,                                             \
                                             slope_of,                                             \
                                             forward_##name##_f32,                                 \
                                             forward_##name##_f64,                                 \
                                             backward_##name##_f32,                                \
                                             backward_##name##_f64}

FUNCTION(relu, relu, relu_slope);
FUNCTION(sigmoid, sigmoid, sigmoid_slope);
FUNCTION(tanh, tanh, tanh_slope);

/* ---- forward and backward ---- */

static void forward(tgl_layer *layer, const void *x, void *y)
{
    activation *a = (activation *)layer;
    if (a->single)
        a->f->forward_f32(a->count, x, y);
    else
        a->f->forward_f64(a->count, x, y);
    if (a->block > 0)
        tgl_clear_tails(&a->images, a->block, a->base.problem->dtype->size, y);
}

static void backward(tgl_layer *layer, const void *x, const void *dy, void *dx)
{
    activation *a = (activation *)layer;
    if (a->single)
        a->f->backward_f32(a->count, x, dy, dx);
    else
        a->f->backward_f64(a->count, x, dy, dx);
}

static void free_activation(tgl_layer *layer)
{
    free(layer);
}

static const tgl_methods methods = {
    .forward = forward, .backward = backward, .release = free_activation};

/* ---- from words to a plan ---- */

static const tgl_key keys[] = {{"shape", NULL, true},
                               {"grid", "1x1", false},
                               {"ranks", "0..n-1", false},
                               TGL_STORES,
                               TGL_TYPE};

static tg_status resolve(const tgl_words *words, tgl_problem *problem)
{
    tg_status status =
        tgl_word_layout(words, tgl_words_get(words, "shape"), NULL, problem, &problem->x);
    if (status.code == TG_OK)
        status = tg_layout_copy(&problem->x, &problem->y);
    if (status.code == TG_OK)
        status = tgl_word_shape(&problem->x, problem);
    if (status.code == TG_OK)
        status = tgl_word_one_store(words, problem);
    problem->facts.flops = (double)tg_layout_count(&problem->x);
    problem->facts.busiest_flops = (double)tg_layout_max_held(&problem->x);
    problem->facts.entries_most = 2 * problem->facts.busiest_flops;
    return status;
}

static tg_status plan_function(MPI_Comm comm, const tgl_problem *problem, const function *f,
                               tgl_layer **layer)
{
    int rank;
    MPI_Comm_rank(comm, &rank);
    activation *a = calloc(1, sizeof *a);
    tg_status status =
        tg_agree(comm, a ? tg_success() : tg_fail(TG_NO_MEMORY, "no memory for an activation"));
    if (status.code != TG_OK) {
        free(a);
        return status;
    }
    const tg_box box = tg_layout_held(&problem->x, rank);
    a->base.methods = &methods;
    a->f = f;
    a->count = tg_store_entries(&problem->store_x, &box);
    a->single = problem->dtype->size == sizeof(float);
    a->block = f->value(0) != 0 ? problem->store_x.block : 0;
    if (a->block > 0)
        a->images = tgl_images_of(&box);
    a->base.flops_forward = a->base.flops_backward = (double)tg_box_count(&box);
    *layer = &a->base;
    return status;
}

static void expect_function(const tgl_inputs *in, const function *f, int output,
                            const ptrdiff_t *index, tgl_expected *e)
{
    const int ndim = in->problem->x.ndim;
    const double x = tgl_input(in, TGL_X, ndim, index);
    if (output == TGL_Y) {
        e->value = f->value(x);
    } else {
        const double dy = tgl_input(in, TGL_DY, ndim, index);
        e->value = f->slope(x) * dy;
    }
    e->scale = 1; /* of the terms inside: values and slopes are at most that on [-1, 1) */
}

#define ACTIVATION(id, text, form, back)                                                           \
    static tg_status plan_##id(MPI_Comm comm, const tgl_problem *problem, tgl_layer **layer)       \
    {                                                                                              \
        return plan_function(comm, problem, &id##_function, layer);                                \
    }                                                                                              \
    static void expect_##id(const tgl_inputs *in, int output, const ptrdiff_t *index,              \
                            tgl_expected *e)                                                       \
    {                                                                                              \
        expect_function(in, &id##_function, output, index, e);                                     \
    }                                                                                              \
    const tgl_kind tgl_##id = {.name = #id,                                                        \
                               .summary = text,                                                    \
                               .formula = form,                                                    \
                               .backward = back,                                                   \
                               .source = "pointwise: no communication",                            \
                               .weak = "entries of x on each rank",                                \
                               .keys = keys,                                                       \
                               .dtypes = {"f32", "f64"},                                           \
                               .through = through,                                                 \
                               .backward_factor = 1,                                               \
                               .resolve = resolve,                                                 \
                               .plan = plan_##id,                                                  \
                               .expect = expect_##id}

static const char *const through[] = {NULL};

ACTIVATION(relu, "rectified linear unit", "y = max(x, 0)", "dx = dy where x > 0, else 0");
ACTIVATION(sigmoid, "logistic function", "y = 1 / (1 + exp(-x))", "dx = y (1 - y) dy");
ACTIVATION(tanh, "hyperbolic tangent", "y = tanh(x)", "dx = (1 - y^2) dy");
