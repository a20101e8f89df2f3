/* dataset.c: images and their classes for a network. Each rank has all images, as bytes, and fills
 * its own part of the network's first x. */
#include "bench/dataset.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { PATH_TEXT = 4096 };

/* The plain file, or the compressed one. */
static tg_status read_file(const char *folder, const char *prefix, const char *what, int ndim,
                           tgb_idx *idx)
{
    char path[PATH_TEXT];
    int length = snprintf(path, sizeof path, "%s/%s-%s-idx%d-ubyte", folder, prefix, what, ndim);
    if (length + 4 >= PATH_TEXT)
        return tg_fail(TG_BAD_INPUT, "--data %.60s...: expected a shorter path", folder);
    if (access(path, F_OK) != 0)
        strcat(path, ".gz");
    return tgb_idx_read(path, ndim, idx);
}

static tg_status read_both(const char *folder, const char *prefix, tgb_dataset *d)
{
    tg_status status = read_file(folder, prefix, "images", 3, &d->images);
    if (status.code == TG_OK)
        status = read_file(folder, prefix, "labels", 1, &d->labels);
    if (status.code == TG_OK &&
        (d->labels.extent[0] != d->images.extent[0] || d->images.extent[0] < 1))
        status = tg_fail(TG_BAD_INPUT,
                         "%.100s: %td %s images and %td labels; expected one label for "
                         "each image, and one image at least",
                         folder, d->images.extent[0], prefix, d->labels.extent[0]);
    return status;
}

static void look(tgb_dataset *d)
{
    const ptrdiff_t n = d->images.extent[0], size = n * d->images.extent[1] * d->images.extent[2];
    double sum = 0, squares = 0;
    for (ptrdiff_t i = 0; i < size; i++) {
        sum += d->images.data[i];
        squares += (double)d->images.data[i] * d->images.data[i];
    }
    d->mean = size > 0 ? sum / (double)size : 0;
    d->deviation = size > 0 ? sqrt(squares / (double)size - d->mean * d->mean) : 1;
    d->deviation = d->deviation > 0 ? d->deviation : 1;
    for (ptrdiff_t i = 0; i < n; i++)
        if (d->labels.data[i] >= d->classes)
            d->classes = (unsigned char)(d->labels.data[i] + (d->labels.data[i] < 255));
}

tg_status tgb_dataset_read(MPI_Comm comm, const char *folder, const char *prefix, tgb_dataset *d)
{
    int rank;
    MPI_Comm_rank(comm, &rank);
    *d = (tgb_dataset){.classes = 0};
    tg_status read = rank == 0 ? read_both(folder, prefix, d) : tg_success();
    tg_status status = tgb_idx_share(comm, read, &d->images);
    if (status.code == TG_OK)
        status = tgb_idx_share(comm, tg_success(), &d->labels);
    if (status.code == TG_OK)
        look(d);
    else
        tgb_dataset_free(d);
    return status;
}

void tgb_dataset_free(tgb_dataset *dataset)
{
    tgb_idx_free(&dataset->images);
    tgb_idx_free(&dataset->labels);
}

/* The class of each image; or, where each class has a target, 1 for that one and 0 for the others. */
static void put_targets(const tgb_dataset *d, const ptrdiff_t *chosen, const tg_dtype *dtype,
                        const tgl_parameter *p)
{
    const bool each = p->box.ndim > 1;
    const ptrdiff_t lo = each ? p->box.lo[1] : 0, hi = each ? p->box.hi[1] : 1;
    ptrdiff_t at = 0;
    for (ptrdiff_t n = p->box.lo[0]; n < p->box.hi[0]; n++)
        for (ptrdiff_t c = lo; c < hi; c++) {
            const int label = d->labels.data[chosen[n]];
            dtype->put(p->value, at++, each ? label == c : label);
        }
}

void tgb_dataset_fill(const tgb_dataset *d, const tgb_dataset *scale, const ptrdiff_t *chosen,
                      tgl_network *network, int last, int rank)
{
    const tgl_problem *first = tgl_network_problem(network, 0);
    const tg_box x = tg_layout_held(&first->x, rank);
    const ptrdiff_t rows = d->images.extent[1], columns = d->images.extent[2];
    void *buffer = tgl_network_x(network, 0);
    ptrdiff_t at = 0;
    for (ptrdiff_t n = x.lo[0]; tg_box_count(&x) > 0 && n < x.hi[0]; n++)
        for (ptrdiff_t r = x.lo[2]; r < x.hi[2]; r++)
            for (ptrdiff_t c = x.lo[3]; c < x.hi[3]; c++) {
                const double byte = d->images.data[(chosen[n] * rows + r) * columns + c];
                first->dtype->put(buffer, at++, (byte - scale->mean) / scale->deviation);
            }
    const tgl_parameter *p;
    for (int i = 0; (p = tgl_parameter_at(tgl_network_layer(network, last), i)); i++)
        if (strcmp(p->name, "target") == 0)
            put_targets(d, chosen, first->dtype, p);
    tgl_changed(tgl_network_layer(network, last));
}

tg_status tgb_dataset_check(const tgb_dataset *d, const tgl_network *network, int last)
{
    const tg_layout *x = &tgl_network_problem(network, 0)->x,
                    *logits = &tgl_network_problem(network, last)->x;
    if (x->ndim != 4 || x->axis[1].extent != 1 || x->axis[2].extent != d->images.extent[1] ||
        x->axis[3].extent != d->images.extent[2]) {
        char shape[64];
        tg_layout_print_shape(x, shape, sizeof shape);
        return tg_fail(TG_BAD_INPUT,
                       "the first layer takes %s; expected batch x 1 x %td x %td, the "
                       "images of --data",
                       shape, d->images.extent[1], d->images.extent[2]);
    }
    if (logits->ndim != 2 || logits->axis[1].extent < d->classes)
        return tg_fail(TG_BAD_INPUT, "the loss has %td classes; expected at least the %d of --data",
                       logits->axis[logits->ndim - 1].extent, d->classes);
    return tg_success();
}
