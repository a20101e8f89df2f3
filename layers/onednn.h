/* onednn.h: what the files on oneDNN share; only they know it.
 *
 * oneDNN chooses the layout that it is fastest in for each tensor of a pass. Where that is the
 * caller's, the caller's buffer is used as it is; otherwise the tensor is reordered to a buffer of
 * its own, or from it. Weights are brought over once for each of their versions. Everything is made
 * while planning; a run sets addresses and executes.
 * Source: the C interface of oneDNN 2.6 and of 3.0, dnnl.h. */
#ifndef TGL_ONEDNN_H
#define TGL_ONEDNN_H

#include "layers/kernel.h"

#include <dnnl.h>

/* A format is owned, a format_ref points at one. */
typedef dnnl_memory_desc_t tgl_format;
#if DNNL_VERSION_MAJOR >= 3
typedef const_dnnl_memory_desc_t tgl_format_ref;
#else
typedef const dnnl_memory_desc_t *tgl_format_ref;
#endif

/* The tensors of a pass; dx, dy, dw and db have the formats of x, y, w and b. */
enum { TGL_TENSOR_X, TGL_TENSOR_Y, TGL_TENSOR_WEIGHTS, TGL_TENSOR_BIAS, TGL_TENSORS };
typedef struct {
    tgl_format of[TGL_TENSORS];
} tgl_formats;
typedef struct {
    int ndim, weights_ndim; /* axes of x and y; of the weights */
    dnnl_dims_t x, y, weights, bias;
} tgl_extents;

/* Where the entries of a tensor lie in two formats. */
typedef struct tgl_places tgl_places;

/* A tensor as the caller has it and as the kernel wants it. */
typedef struct {
    dnnl_memory_t users, kernels; /* one and the same where the formats are equal */
    void *buffer;                 /* of kernels; NULL: nothing to reorder */
    dnnl_primitive_t reorder;     /* from the one to the other ... */
    tgl_places *places;           /* ... or, where oneDNN's may be wrong, what does it here */
    bool borrowed;                /* an earlier pass has it, and brought it over */
    long version;                 /* of the weights that were brought over last; 0: none */
} tgl_tensor;

/* An argument of a pass. */
typedef struct {
    int id; /* DNNL_ARG_... */
    int of; /* TGL_TENSOR_... */
    bool input;
} tgl_role;

enum { TGL_ARGUMENTS = 4 };

/* One primitive of oneDNN with its arguments. Whoever makes it sets roles, count and description. */
typedef struct {
    const tgl_role *roles;
    int count;
    dnnl_primitive_desc_t description;
    dnnl_primitive_t primitive;
    tgl_tensor argument[TGL_ARGUMENTS];
    dnnl_exec_arg_t execute[TGL_ARGUMENTS + 1]; /* and the scratchpad */
    dnnl_memory_t scratch;
    void *scratch_buffer;
} tgl_pass;

extern const tgl_role tgl_forward_roles[TGL_ARGUMENTS]; /* x, weights, y and, the last, the bias */

/* ---- onednn.c; Calls: Local ---- */

/* Takes as many threads as the BLAS has. */
void tgl_onednn_take_threads(void);

/* The engine of this process is there, and attributes for a description: the scratchpad is the plan's,
 * so that a run allocates nothing. The caller destroys the attributes, also after an error. */
dnnl_status_t tgl_onednn_start(dnnl_primitive_attr_t *attributes);
dnnl_engine_t tgl_onednn_engine(void);

/* With these tags; the bias has but one. The caller frees the formats, also after an error. */
dnnl_status_t tgl_formats_make(const tgl_extents *e, dnnl_format_tag_t x, dnnl_format_tag_t y,
                               dnnl_format_tag_t weights, tgl_formats *f);
dnnl_status_t tgl_format_make(tgl_format *f, int ndim, const dnnl_dims_t dims,
                              dnnl_format_tag_t tag);
tgl_format_ref tgl_format_refer(const tgl_format *f);
void tgl_format_free(tgl_format *f); /* an owned one, or zeros */
void tgl_formats_free(tgl_formats *f);

/* The format that the kernel wants an argument in. */
tgl_format_ref tgl_pass_format(const tgl_pass *p, int argument);

/* Arguments, scratchpad and primitive of a pass. An input that one of the earlier passes (up to a NULL)
 * has in the same format is borrowed from it. */
dnnl_status_t tgl_pass_plan(const tgl_formats *users, const tgl_pass *const earlier[], tgl_pass *p);

/* One argument: where it lies, and an input as the kernel wants it; weights only when this version of
 * them is not there yet. */
void tgl_pass_bring(tgl_pass *p, int argument, void *buffer, long version);

/* With the caller's buffers in the order of the roles. */
void tgl_pass_run(tgl_pass *p, long version, void *const buffers[TGL_ARGUMENTS]);
void tgl_pass_wait(void);
void tgl_pass_free(tgl_pass *p);

void tgl_onednn_must(dnnl_status_t status); /* what was planned runs: an error here is ours */

/* ---- onednn_places.c; Calls: Local ---- */

/* *places stays NULL where oneDNN may reorder from the one format to the other. Errors:
 * dnnl_out_of_memory. */
dnnl_status_t tgl_places_make(tgl_format_ref users, tgl_format_ref kernels, tgl_places **places);

/* Copies each entry of a tensor from the first format to the second, whose padding stays as it is. */
void tgl_places_copy(const tgl_places *places, const float *users, float *kernels);
void tgl_places_free(tgl_places *places); /* NULL may be freed */

/* ---- onednn_product.c ---- */

tgl_gemm *tgl_onednn_gemm(const tg_dtype *dtype);
extern const tgl_packing tgl_onednn_packing;

#endif
