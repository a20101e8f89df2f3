/* test_norm.c: what batch_norm and layer_norm keep beside y and the gradients: values at the start,
 * running statistics against sums over the whole tensor, inference with them; a mean far from 0;
 * initial values of a network. */
#include "layers/tests/cases.h"

#include <math.h>

static const tgl_parameter *find(const tgl_layer *layer, const char *name)
{
    const tgl_parameter *p = NULL;
    for (int i = 0; (p = tgl_parameter_at(layer, i)) && strcmp(p->name, name) != 0; i++)
        ;
    return p;
}

static void check_value(const tgl_layer *layer, const tg_dtype *dtype, const char *name,
                        double value)
{
    const tgl_parameter *p = find(layer, name);
    for (ptrdiff_t i = 0; p && i < tg_box_count(&p->box); i++)
        CHECK(dtype->get(p->value, i) == value, "%s starts at %g", name, dtype->get(p->value, i));
}

enum { CHANNELS = 3, SPACE = 5 };

/* count, sum of x and sum of squares of each channel, over all ranks. x is in f64. */
static void sum_channels(const setup *s, int rank, double sums[CHANNELS][3])
{
    const tg_box box = tg_layout_held(&s->problem.x, rank);
    const double *x = s->x;
    memset(sums, 0, CHANNELS * sizeof *sums);
    for (ptrdiff_t i = 0; i < s->x_count; i++) {
        const ptrdiff_t c = box.lo[1] + i / SPACE % (box.hi[1] - box.lo[1]);
        sums[c][0] += 1;
        sums[c][1] += x[i];
        sums[c][2] += x[i] * x[i];
    }
    MPI_Allreduce(MPI_IN_PLACE, sums, CHANNELS * 3, MPI_DOUBLE, MPI_SUM, MPI_COMM_WORLD);
}

/* Two steps of training: running = 0.75 running + 0.25 new, from mean 0 and variance 1. */
static void check_running(int P, int rank)
{
    setup s;
    char text[256];
    double sums[CHANNELS][3];
    snprintf(text, sizeof text, "batch_norm shape=7x%dx%d grid=%dx1x1 momentum=0.25 dtype=f64",
             CHANNELS, SPACE, P);
    if (begin(&s, text, P, rank)) {
        check_value(s.layer, s.problem.dtype, "scale", 1);
        check_value(s.layer, s.problem.dtype, "shift", 0);
        check_value(s.layer, s.problem.dtype, "running_mean", 0);
        check_value(s.layer, s.problem.dtype, "running_var", 1);
        for (ptrdiff_t i = 0; i < s.x_count; i++)
            ((double *)s.x)[i] = cos((double)(3 * i + 7 * rank));
        sum_channels(&s, rank, sums);
        tgl_forward(s.layer, s.x, s.y);
        tgl_forward(s.layer, s.x, s.y);
        const tgl_parameter *mean = find(s.layer, "running_mean"),
                            *var = find(s.layer, "running_var");
        CHECK((mean != NULL) == (rank == 0) && (var != NULL) == (rank == 0), "who keeps them");
        for (ptrdiff_t c = 0; mean && var && c < CHANNELS; c++) {
            const double n = sums[c][0], m = sums[c][1] / n, v = (sums[c][2] - n * m * m) / (n - 1),
                         old = 0.75 * 0.75, taken = 1 - old;
            CHECK(fabs(((double *)mean->value)[c] - taken * m) < 1e-13, "mean of channel %td", c);
            CHECK(fabs(((double *)var->value)[c] - (old + taken * v)) < 1e-13,
                  "variance of channel %td", c);
        }
    }
    end(&s);
}

/* A layer that was trained infers as one that was made for it does with the same parameters, and keeps
 * what it had. */
static void check_infer(const char *format, int P, int rank)
{
    setup trained, made;
    char text[256], inference[300];
    snprintf(text, sizeof text, format, P);
    snprintf(inference, sizeof inference, "%s mode=inference", text);
    const bool good = begin(&trained, text, P, rank);
    if (begin(&made, inference, P, rank) && good) {
        tgl_fill(trained.layer, SEED, trained.x, trained.dy);
        tgl_forward(trained.layer, trained.x, trained.y);
        for (int i = 0; tgl_parameter_at(made.layer, i); i++) {
            const tgl_parameter *to = tgl_parameter_at(made.layer, i),
                                *from = find(trained.layer, to->name);
            CHECK(from, "%s is kept", to->name);
            if (from)
                memcpy(to->value, from->value, (size_t)tg_box_count(&to->box) * sizeof(double));
        }
        tgl_changed(made.layer);
        double *other = make(&trained, trained.x_count);
        for (ptrdiff_t i = 0; i < trained.x_count; i++)
            other[i] = 3 + sin((double)(5 * i + rank));
        for (int run = 0; run < 2; run++) { /* the second finds what the first has left */
            tgl_infer(trained.layer, other, trained.y);
            tgl_forward(made.layer, other, made.y);
            for (ptrdiff_t i = 0; i < trained.y_count; i++)
                CHECK(((double *)trained.y)[i] == ((double *)made.y)[i], "y of run %d: %s", run,
                      text);
        }
        tgl_forward(trained.layer, other, trained.y);
        for (ptrdiff_t i = 0; i < trained.y_count; i++)
            CHECK(((double *)trained.y)[i] != ((double *)made.y)[i], "training: %s", text);
        free(other);
    }
    end(&made);
    end(&trained);
}

/* Entries 4095 and 4097 by turns have mean 4096 and variance 1: y is -1 and 1. In f32 a sum of squares
 * minus the square of the sum has no digit left. */
static void check_far_mean(const char *format, int P, int rank)
{
    setup s;
    char text[256];
    snprintf(text, sizeof text, format, P);
    if (begin(&s, text, P, rank)) {
        float *x = s.x, *y = s.y;
        for (ptrdiff_t i = 0; i < s.x_count; i++)
            x[i] = i % 2 ? 4097 : 4095;
        tgl_forward(s.layer, x, y);
        for (ptrdiff_t i = 0; i < s.y_count; i++)
            CHECK(fabs(y[i] - (i % 2 ? 1 : -1)) < 1e-4, "y is %g: %s", (double)y[i], text);
    }
    end(&s);
}

/* A network's initial values leave a scale at 1 and a shift at 0; weights are drawn. */
static void check_network(int P)
{
    char text[512];
    tgl_network *network;
    snprintf(text, sizeof text,
             "batch_norm shape=Nx4 grid=%dx1\nlayer_norm shape=Nx4 grid=%dx1\n"
             "repartition shape=Nx4 from=%dx1 to=1x1\naffine batch=N features=4:3\n"
             "affine_sharded batch=N features=3:8 grid=%dx1\nmse shape=Nx8 grid=1x%d\n",
             P, P, P, P, P);
    tg_status status = tgl_network_plan(MPI_COMM_WORLD, text, 6, NULL, &network);
    CHECK(status.code == TG_OK, "%s", status.text);
    if (!network)
        return;
    tgl_network_init(network, SEED);
    for (int i = 0; i < 2; i++) {
        check_value(tgl_network_layer(network, i), tg_dtype_find("f32"), "scale", 1);
        check_value(tgl_network_layer(network, i), tg_dtype_find("f32"), "shift", 0);
    }
    const tgl_parameter *weight = find(tgl_network_layer(network, 3), "weight");
    CHECK(!weight || ((float *)weight->value)[0] != 0, "weights are drawn");
    CHECK(tgl_network_forward(network) > 0, "a loss");
    tgl_network_backward(network);
    tgl_network_free(&network);
}

int main(int argc, char **argv)
{
    int P, rank;
    harness_begin(&argc, &argv, &P, &rank);
    check_running(P, rank);
    check_infer("batch_norm shape=12x3x5 grid=%dx1x1 dtype=f64", P, rank);
    check_infer("batch_norm shape=4x3x24 grid=1x1x%d dtype=f64 scale-shift=no", P, rank);
    check_far_mean("batch_norm shape=8x1x6 grid=1x1x%d", P == 1 || P == 3 ? P : 1, rank);
    check_far_mean("layer_norm shape=3x24 grid=1x%d", 12 % P == 0 ? P : 1, rank);
    check_network(P);
    return harness_end();
}
