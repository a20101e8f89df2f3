/* onednn_places.c: reorders that are not left to oneDNN.
 *
 * oneDNN 3.7.2 (and what is near it) may spoil weights that it brings into blocks of both channels,
 * where the outer one of the blocks is not filled: told of a first-level cache smaller than the inner
 * block, as for an AMD processor by a hypervisor that hides the sizes of caches, it visits the kernel's
 * axes between the two, and the zeros that it pads the outer one with fall on entries
 * (prb_block_for_cache and finalize_tail_loop in its jit_uni_reorder.cpp). oneDNN 2.6 does not.
 *
 * The place of an entry in a format with blocks is a sum over axes of what each index adds. */
#include "layers/onednn.h"

#include <stdlib.h>
#include <string.h>

#if DNNL_VERSION_MAJOR >= 3

struct tgl_places {
    int ndim;
    dnnl_dims_t dims;
    dnnl_dim_t *users[DNNL_MAX_NDIMS], *kernels[DNNL_MAX_NDIMS]; /* of each index of an axis */
    dnnl_dim_t all[];                                            /* what they point into */
};

/* A format in blocks. */
typedef struct {
    int ndim, count;
    const dnnl_dims_t *dims, *padded, *strides, *blocks,
        *axes; /* the innermost block is the last */
} blocked;

static bool ask(tgl_format_ref f, dnnl_query_t what, void *answer)
{
    return dnnl_memory_desc_query(f, what, answer) == dnnl_success;
}

static bool is_blocked(tgl_format_ref f, blocked *b)
{
    dnnl_format_kind_t kind;
    return ask(f, dnnl_query_format_kind, &kind) && kind == dnnl_blocked &&
           ask(f, dnnl_query_ndims_s32, &b->ndim) && ask(f, dnnl_query_dims, &b->dims) &&
           ask(f, dnnl_query_padded_dims, &b->padded) && ask(f, dnnl_query_strides, &b->strides) &&
           ask(f, dnnl_query_inner_nblks_s32, &b->count) &&
           ask(f, dnnl_query_inner_blks, &b->blocks) && ask(f, dnnl_query_inner_idxs, &b->axes);
}

/* Are there two blocks and more, the last axis not in blocks, and is a block not filled? */
static bool may_be_spoiled(const blocked *b)
{
    bool last_is_blocked = false, padded = false;
    for (int i = 0; i < b->count; i++)
        last_is_blocked = last_is_blocked || (*b->axes)[i] == b->ndim - 1;
    for (int d = 0; d < b->ndim; d++)
        padded = padded || (*b->padded)[d] != (*b->dims)[d];
    return b->count > 1 && padded && !last_is_blocked;
}

static dnnl_dim_t place(const blocked *b, int axis, dnnl_dim_t index)
{
    dnnl_dim_t sum = 0, step = 1;
    for (int i = b->count - 1; i >= 0; step *= (*b->blocks)[i--])
        if ((*b->axes)[i] == axis) {
            sum += index % (*b->blocks)[i] * step;
            index /= (*b->blocks)[i];
        }
    return sum + index * (*b->strides)[axis];
}

dnnl_status_t tgl_places_make(tgl_format_ref users, tgl_format_ref kernels, tgl_places **places)
{
    blocked u, k;
    dnnl_dim_t indices = 0;
    if (!is_blocked(users, &u) || !is_blocked(kernels, &k) || !may_be_spoiled(&k))
        return dnnl_success;
    for (int d = 0; d < k.ndim; d++)
        indices += (*k.dims)[d];
    tgl_places *p = malloc(sizeof *p + 2 * (size_t)indices * sizeof *p->all);
    if (!p)
        return dnnl_out_of_memory;
    p->ndim = k.ndim;
    memcpy(p->dims, *k.dims, sizeof p->dims);
    dnnl_dim_t *next = p->all;
    for (int d = 0; d < k.ndim; d++) {
        p->users[d] = next;
        p->kernels[d] = next + p->dims[d];
        next += 2 * p->dims[d];
        for (dnnl_dim_t i = 0; i < p->dims[d]; i++) {
            p->users[d][i] = place(&u, d, i);
            p->kernels[d][i] = place(&k, d, i);
        }
    }
    *places = p;
    return dnnl_success;
}

static void copy_axis(const tgl_places *p, int axis, const float *users, float *kernels)
{
    const dnnl_dim_t *from = p->users[axis], *to = p->kernels[axis];
    const bool last = axis == p->ndim - 1;
    for (dnnl_dim_t i = 0; i < p->dims[axis]; i++)
        if (last)
            kernels[to[i]] = users[from[i]];
        else
            copy_axis(p, axis + 1, users + from[i], kernels + to[i]);
}

void tgl_places_copy(const tgl_places *places, const float *users, float *kernels)
{
    copy_axis(places, 0, users, kernels);
}

void tgl_places_free(tgl_places *places)
{
    free(places);
}

#else

dnnl_status_t tgl_places_make(tgl_format_ref users, tgl_format_ref kernels, tgl_places **places)
{
    (void)users;
    (void)kernels;
    (void)places;
    return dnnl_success;
}

void tgl_places_copy(const tgl_places *places, const float *users, float *kernels)
{
    (void)places;
    (void)users;
    (void)kernels;
}

void tgl_places_free(tgl_places *places)
{
    (void)places;
}

#endif
