/* im2col.c: convolution as matrix products of the BLAS, over tiles of columns.
 *
 *   columns[k, q] = x[c, q stride - before + k dilation]     k counts (c, kernel), q a tile of outputs
 *   forward   y = w columns      by data  columns = w^T dy, added back into dx
 *   by weights  dw += dy columns^T
 *
 * The matrix of columns is never whole in memory: a tile of whole output rows is made, used while it
 * is in the cache, and made again. A 1x1 kernel without stride and padding needs none: x is its own
 * columns. Blocks of channels are brought to rows first, and results back. Source: Chellapilla, Puri, Simard, High Performance Convolutional Neural Networks for
 * Document Processing, 2006. */
#include "layers/blas.h"
#include "layers/kernel.h"

#include <stdlib.h>
#include <string.h>

enum { TILE_BYTES = 1 << 19, FEWEST_COLUMNS = 256 };

/* Copies and sums along a row; one each for the element types. */
typedef struct {
    size_t size;
    void (*copy)(ptrdiff_t n, const void *from, ptrdiff_t stride, void *to); /* to is dense */
    void (*add)(ptrdiff_t n, const void *from, void *to, ptrdiff_t stride);  /* from is dense */
    void (*set)(ptrdiff_t n, const void *value, void *to);
} row_kernels;

typedef struct {
    tgl_gemm *gemm;
    const row_kernels *rows;
    ptrdiff_t tile_rows; /* output rows of a tile */
    bool direct;         /* x is its own columns */
    void *columns;       /* terms x tile */
    void *x, *y;         /* in rows, where the caller's lie in blocks */
} own;

static void copy_f32(ptrdiff_t n, const void *from, ptrdiff_t stride, void *to)
{
    for (ptrdiff_t i = 0; i < n; i++)
        ((float *)to)[i] = ((const float *)from)[i * stride];
}

static void copy_f64(ptrdiff_t n, const void *from, ptrdiff_t stride, void *to)
{
    for (ptrdiff_t i = 0; i < n; i++)
        ((double *)to)[i] = ((const double *)from)[i * stride];
}

static void add_f32(ptrdiff_t n, const void *from, void *to, ptrdiff_t stride)
{
    for (ptrdiff_t i = 0; i < n; i++)
        ((float *)to)[i * stride] += ((const float *)from)[i];
}

static void add_f64(ptrdiff_t n, const void *from, void *to, ptrdiff_t stride)
{
    for (ptrdiff_t i = 0; i < n; i++)
        ((double *)to)[i * stride] += ((const double *)from)[i];
}

static void set_f32(ptrdiff_t n, const void *value, void *to)
{
    for (ptrdiff_t i = 0; i < n; i++)
        ((float *)to)[i] = *(const float *)value;
}

static void set_f64(ptrdiff_t n, const void *value, void *to)
{
    for (ptrdiff_t i = 0; i < n; i++)
        ((double *)to)[i] = *(const double *)value;
}

static const row_kernels rows_f32 = {sizeof(float), copy_f32, add_f32, set_f32};
static const row_kernels rows_f64 = {sizeof(double), copy_f64, add_f64, set_f64};

/* ---- columns ---- */

/* One tile: output rows [first, first + count) of one image and one group. */
typedef struct {
    ptrdiff_t first, count;
} tile;

static ptrdiff_t input_size(const tgl_conv_shape *s)
{
    return s->input[0] * s->input[1] * s->input[2];
}

/* Outputs [*lo, *hi) of n whose input q stride - before + offset lies in [0, input). */
static void inside(ptrdiff_t n, ptrdiff_t stride, ptrdiff_t start, ptrdiff_t input, ptrdiff_t *lo,
                   ptrdiff_t *hi)
{
    *lo = start >= 0 ? 0 : (-start + stride - 1) / stride;
    *hi = input - 1 - start < 0 ? 0 : (input - 1 - start) / stride + 1;
    *lo = *lo < n ? *lo : n;
    *hi = *hi < n ? *hi : n;
    *hi = *hi > *lo ? *hi : *lo;
}

/* Where term `k` finds the input of output row r of a group: its place in the channels of the group,
 * or -1: outside. start is the input column of the row's first output. */
static ptrdiff_t input_row(const tgl_conv_shape *s, ptrdiff_t k, ptrdiff_t r, ptrdiff_t *start)
{
    const ptrdiff_t kw = k % s->kernel[2], kh = k / s->kernel[2] % s->kernel[1],
                    kd = k / s->kernel[2] / s->kernel[1] % s->kernel[0],
                    c = k / s->kernel[2] / s->kernel[1] / s->kernel[0];
    const ptrdiff_t d = r / s->output[1] * s->stride[0] - s->before[0] + kd * s->dilation[0],
                    h = r % s->output[1] * s->stride[1] - s->before[1] + kh * s->dilation[1];
    *start = kw * s->dilation[2] - s->before[2];
    if (d < 0 || d >= s->input[0] || h < 0 || h >= s->input[1])
        return -1;
    return ((c * s->input[0] + d) * s->input[1] + h) * s->input[2];
}

static void fill_columns(const tgl_conv *conv, tile t, const char *x)
{
    const tgl_conv_shape *s = &conv->shape;
    const own *o = conv->own;
    const ptrdiff_t width = s->output[2], terms = tgl_conv_terms(s);
    char *to = o->columns;
    for (ptrdiff_t k = 0; k < terms; k++)
        for (ptrdiff_t r = t.first; r < t.first + t.count;
             r++, to += (size_t)width * o->rows->size) {
            ptrdiff_t start, lo, hi, row = input_row(s, k, r, &start);
            inside(row < 0 ? 0 : width, s->stride[2], start, s->input[2], &lo, &hi);
            memset(to, 0, (size_t)lo * o->rows->size);
            memset(to + (size_t)hi * o->rows->size, 0, (size_t)(width - hi) * o->rows->size);
            const char *from = x + (row + start + lo * s->stride[2]) * (ptrdiff_t)o->rows->size;
            if (hi > lo && s->stride[2] == 1)
                memcpy(to + (size_t)lo * o->rows->size, from, (size_t)(hi - lo) * o->rows->size);
            else if (hi > lo)
                o->rows->copy(hi - lo, from, s->stride[2], to + (size_t)lo * o->rows->size);
        }
}

/* The transpose: columns are added to the entries that they were copies of. */
static void add_columns(const tgl_conv *conv, tile t, char *dx)
{
    const tgl_conv_shape *s = &conv->shape;
    const own *o = conv->own;
    const ptrdiff_t width = s->output[2], terms = tgl_conv_terms(s);
    const char *from = o->columns;
    for (ptrdiff_t k = 0; k < terms; k++)
        for (ptrdiff_t r = t.first; r < t.first + t.count;
             r++, from += (size_t)width * o->rows->size) {
            ptrdiff_t start, lo, hi, row = input_row(s, k, r, &start);
            inside(row < 0 ? 0 : width, s->stride[2], start, s->input[2], &lo, &hi);
            if (hi > lo)
                o->rows->add(hi - lo, from + (size_t)lo * o->rows->size,
                             dx + (row + start + lo * s->stride[2]) * (ptrdiff_t)o->rows->size,
                             s->stride[2]);
        }
}

/* ---- runs ---- */

/* Calls `run` for every image, group and tile. */
typedef struct {
    const void *x, *dy, *w;
    const void *bias;
    void *y, *dx, *dw;
} tensors;

typedef void run_tile(tgl_conv *conv, const tensors *all, ptrdiff_t n, ptrdiff_t group, tile t);

static void for_tiles(tgl_conv *conv, const tensors *all, run_tile *run)
{
    const tgl_conv_shape *s = &conv->shape;
    const own *o = conv->own;
    const ptrdiff_t out_rows = s->output[2] > 0 ? s->output[0] * s->output[1] : 0;
    for (ptrdiff_t n = 0; n < s->batch; n++)
        for (ptrdiff_t group = 0; group < s->groups; group++)
            for (ptrdiff_t first = 0; first < out_rows; first += o->tile_rows) {
                const ptrdiff_t left = out_rows - first;
                run(conv, all, n, group, (tile){first, left < o->tile_rows ? left : o->tile_rows});
            }
}

/* Places of one image and group in x, w and y, in entries. */
static ptrdiff_t place_x(const tgl_conv_shape *s, ptrdiff_t n, ptrdiff_t group)
{
    return (n * s->in + group * (s->in / s->groups)) * input_size(s);
}

static ptrdiff_t place_y(const tgl_conv_shape *s, ptrdiff_t n, ptrdiff_t group, tile t)
{
    return (n * s->out + group * (s->out / s->groups)) * tgl_conv_positions(s) +
           t.first * s->output[2];
}

static ptrdiff_t place_w(const tgl_conv_shape *s, ptrdiff_t group)
{
    return group * (s->out / s->groups) * tgl_conv_terms(s);
}

static const char *at(const void *data, ptrdiff_t place, const own *o)
{
    return (const char *)data + place * (ptrdiff_t)o->rows->size;
}

/* The columns of a tile, as a factor: made, or x as it lies. */
static tgl_factor columns_of(const tgl_conv *conv, const void *x, ptrdiff_t n, ptrdiff_t group,
                             tile t)
{
    const tgl_conv_shape *s = &conv->shape;
    const own *o = conv->own;
    const char *image = at(x, place_x(s, n, group), o);
    if (o->direct)
        return (tgl_factor){at(image, t.first * s->output[2], o), false, tgl_conv_positions(s)};
    fill_columns(conv, t, image);
    return (tgl_factor){.data = o->columns};
}

static void put_bias(const tgl_conv *conv, const tensors *all, ptrdiff_t group, tile t, char *y)
{
    const tgl_conv_shape *s = &conv->shape;
    const own *o = conv->own;
    const ptrdiff_t out = s->out / s->groups;
    for (ptrdiff_t i = 0; i < out; i++)
        o->rows->set(t.count * s->output[2], at(all->bias, group * out + i, o),
                     y + i * tgl_conv_positions(s) * (ptrdiff_t)o->rows->size);
}

static void forward_tile(tgl_conv *conv, const tensors *all, ptrdiff_t n, ptrdiff_t group, tile t)
{
    const tgl_conv_shape *s = &conv->shape;
    const own *o = conv->own;
    char *y = (char *)at(all->y, place_y(s, n, group, t), o);
    if (all->bias)
        put_bias(conv, all, group, t, y);
    o->gemm(s->out / s->groups, t.count * s->output[2], tgl_conv_terms(s),
            (tgl_factor){.data = at(all->w, place_w(s, group), o)},
            columns_of(conv, all->x, n, group, t), all->bias != NULL, y, tgl_conv_positions(s));
}

static void data_tile(tgl_conv *conv, const tensors *all, ptrdiff_t n, ptrdiff_t group, tile t)
{
    const tgl_conv_shape *s = &conv->shape;
    const own *o = conv->own;
    char *dx = (char *)at(all->dx, place_x(s, n, group), o);
    const ptrdiff_t positions = tgl_conv_positions(s);
    o->gemm(tgl_conv_terms(s), t.count * s->output[2], s->out / s->groups,
            (tgl_factor){at(all->w, place_w(s, group), o), true, 0},
            (tgl_factor){at(all->dy, place_y(s, n, group, t), o), false, positions}, false,
            o->direct ? (void *)at(dx, t.first * s->output[2], o) : o->columns,
            o->direct ? positions : 0);
    if (!o->direct)
        add_columns(conv, t, dx);
}

static void weights_tile(tgl_conv *conv, const tensors *all, ptrdiff_t n, ptrdiff_t group, tile t)
{
    const tgl_conv_shape *s = &conv->shape;
    const own *o = conv->own;
    const ptrdiff_t terms = tgl_conv_terms(s), width = t.count * s->output[2];
    tgl_factor columns = columns_of(conv, all->x, n, group, t);
    if (!o->direct)
        columns.row = width;
    columns.transposed = true;
    o->gemm(s->out / s->groups, terms, width,
            (tgl_factor){at(all->dy, place_y(s, n, group, t), o), false, tgl_conv_positions(s)},
            columns, true, (void *)at(all->dw, place_w(s, group), o), 0);
}

/* ---- rows and blocks ---- */

static tgl_images images_x(const tgl_conv_shape *s)
{
    return (tgl_images){s->batch, s->in, input_size(s)};
}

static tgl_images images_y(const tgl_conv_shape *s)
{
    return (tgl_images){s->batch, s->out, tgl_conv_positions(s)};
}

/* An input in rows: where it lies, or brought to `rows`. */
static const void *in_rows(const tgl_conv *conv, tgl_images images, int block, const void *data,
                           void *rows)
{
    if (block == 0)
        return data;
    tgl_from_blocks(&images, block, conv->dtype->size, data, rows);
    return rows;
}

static void from_rows(const tgl_conv *conv, tgl_images images, int block, const void *rows,
                      void *data)
{
    if (block > 0)
        tgl_to_blocks(&images, block, conv->dtype->size, rows, data);
}

static void forward(tgl_conv *conv, const void *x, const void *w, const void *bias, void *y)
{
    const tgl_conv_shape *s = &conv->shape;
    const own *o = conv->own;
    const tensors all = {.x = in_rows(conv, images_x(s), s->block_x, x, o->x),
                         .w = w,
                         .bias = s->bias ? bias : NULL,
                         .y = s->block_y > 0 ? o->y : y};
    for_tiles(conv, &all, forward_tile);
    from_rows(conv, images_y(s), s->block_y, o->y, y);
}

static void clear(const tgl_conv *conv, void *data, ptrdiff_t count)
{
    memset(data, 0, (size_t)count * conv->dtype->size);
}

static void backward_data(tgl_conv *conv, const void *dy, const void *w, void *dx)
{
    const tgl_conv_shape *s = &conv->shape;
    const own *o = conv->own;
    const tensors all = {.dy = in_rows(conv, images_y(s), s->block_y, dy, o->y),
                         .w = w,
                         .dx = s->block_x > 0 ? o->x : dx};
    if (!dx)
        return;
    clear(conv, all.dx, s->batch * s->in * input_size(s));
    for_tiles(conv, &all, data_tile);
    from_rows(conv, images_x(s), s->block_x, o->x, dx);
}

static void sum_positions(const tgl_conv *conv, const char *dy, void *db)
{
    const tgl_conv_shape *s = &conv->shape;
    const ptrdiff_t positions = tgl_conv_positions(s);
    const size_t size = conv->dtype->size;
    clear(conv, db, s->out);
    for (ptrdiff_t n = 0; n < s->batch; n++)
        for (ptrdiff_t o = 0; o < s->out; o++, dy += (size_t)positions * size) {
            double sum = 0;
            for (ptrdiff_t i = 0; i < positions; i++)
                sum += size == sizeof(float) ? (double)((const float *)dy)[i]
                                             : ((const double *)dy)[i];
            conv->dtype->put(db, o, conv->dtype->get(db, o) + sum);
        }
}

static void backward_weights(tgl_conv *conv, const void *x, const void *dy, void *dw, void *db)
{
    const tgl_conv_shape *s = &conv->shape;
    const own *o = conv->own;
    const tensors all = {.x = in_rows(conv, images_x(s), s->block_x, x, o->x),
                         .dy = s->block_y > 0 ? o->y : dy, /* backward_data brought it there */
                         .dw = dw};
    clear(conv, dw, s->out * tgl_conv_terms(s));
    for_tiles(conv, &all, weights_tile);
    if (s->bias)
        sum_positions(conv, all.dy, db);
}

/* ---- plan ---- */

static void free_own(tgl_conv *conv)
{
    own *o = conv->own;
    free(o->columns);
    free(o->x);
    free(o->y);
    free(o);
}

static bool is_direct(const tgl_conv_shape *s)
{
    bool direct = true;
    for (int d = 0; d < TGL_SPACE; d++)
        direct = direct && s->kernel[d] == 1 && s->stride[d] == 1 && s->before[d] == 0 &&
                 s->input[d] == s->output[d];
    return direct;
}

static tg_status plan(tgl_conv *conv)
{
    const tgl_conv_shape *s = &conv->shape;
    const ptrdiff_t terms = tgl_conv_terms(s), size = (ptrdiff_t)conv->dtype->size;
    const ptrdiff_t width = s->output[2] > 0 ? s->output[2] : 1;
    if (!tgl_gemm_find(conv->dtype))
        return tg_fail(TG_BAD_INPUT, "dtype: %s; expected f32 or f64", conv->dtype->name);
    if (!tgl_blas_fits(terms) || !tgl_blas_fits(tgl_conv_positions(s)) || !tgl_blas_fits(s->out))
        return tg_fail(TG_BAD_INPUT,
                       "a convolution of %td terms at %td places; expected extents "
                       "that the BLAS can count",
                       terms, tgl_conv_positions(s));
    own *o = conv->own = calloc(1, sizeof *o);
    if (!o)
        return tg_fail(TG_NO_MEMORY, "no memory for a convolution");
    ptrdiff_t columns = TILE_BYTES / (size * (terms > 0 ? terms : 1));
    columns = columns > FEWEST_COLUMNS ? columns : FEWEST_COLUMNS;
    o->gemm = tgl_gemm_find(conv->dtype);
    o->rows = size == (ptrdiff_t)rows_f32.size ? &rows_f32 : &rows_f64;
    o->direct = is_direct(s);
    o->tile_rows = columns > width ? columns / width : 1;
    ptrdiff_t all_rows = s->output[0] * s->output[1];
    if (o->direct || o->tile_rows > all_rows)
        o->tile_rows = all_rows > 0 ? all_rows : 1;
    o->columns = malloc((size_t)(o->direct ? 1 : o->tile_rows * width * terms * size) + 1);
    if (s->block_x > 0)
        o->x = malloc((size_t)(s->batch * s->in * input_size(s) * size) + 1);
    if (s->block_y > 0)
        o->y = malloc((size_t)(s->batch * s->out * tgl_conv_positions(s) * size) + 1);
    if (o->columns && (s->block_x == 0 || o->x) && (s->block_y == 0 || o->y))
        return tg_success();
    free_own(conv);
    return tg_fail(TG_NO_MEMORY, "no memory for the columns of a convolution");
}

static int block(const tg_dtype *dtype)
{
    (void)dtype;
    return 0;
}

const tgl_conv_kernel tgl_conv_openblas = {.name = "openblas",
                                           .plan = plan,
                                           .forward = forward,
                                           .backward_data = backward_data,
                                           .backward_weights = backward_weights,
                                           .release = free_own,
                                           .block = block,
                                           .library = tgl_blas_config,
                                           .gemm = tgl_gemm_find};
