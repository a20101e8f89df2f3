/* onednn_product.c: products of matrices by oneDNN. */
#include "layers/onednn.h"

#include <stdlib.h>
#include <string.h>

/* ---- any two factors ---- */

/* A product with nothing to multiply is the BLAS's. */
static void gemm_f32(ptrdiff_t m, ptrdiff_t n, ptrdiff_t k, tgl_factor a, tgl_factor b, bool add,
                     void *c, ptrdiff_t row_c)
{
    if (m == 0 || n == 0 || k == 0)
        tgl_gemm_find(tg_dtype_find("f32"))(m, n, k, a, b, add, c, row_c);
    else
        tgl_onednn_must(dnnl_sgemm(a.transposed ? 'T' : 'N', b.transposed ? 'T' : 'N', m, n, k, 1,
                                   a.data, tgl_factor_row(a, m, k), b.data, tgl_factor_row(b, k, n),
                                   add ? 1 : 0, c, row_c ? row_c : n));
}

tgl_gemm *tgl_onednn_gemm(const tg_dtype *dtype)
{
    tgl_onednn_take_threads();
    return strcmp(dtype->name, "f32") == 0 ? gemm_f32 : NULL;
}

/* ---- packed weights ---- */

#if DNNL_VERSION_MAJOR >= 3
static dnnl_status_t describe(const tgl_formats *f, bool bias, dnnl_primitive_attr_t attr,
                              dnnl_primitive_desc_t *pd)
{
    return dnnl_inner_product_forward_primitive_desc_create(
        pd, tgl_onednn_engine(), dnnl_forward_inference, f->of[TGL_TENSOR_X],
        f->of[TGL_TENSOR_WEIGHTS], bias ? f->of[TGL_TENSOR_BIAS] : NULL, f->of[TGL_TENSOR_Y], attr);
}
#else
static dnnl_status_t describe(const tgl_formats *f, bool bias, dnnl_primitive_attr_t attr,
                              dnnl_primitive_desc_t *pd)
{
    dnnl_inner_product_desc_t d;
    dnnl_status_t status = dnnl_inner_product_forward_desc_init(
        &d, dnnl_forward_inference, &f->of[TGL_TENSOR_X], &f->of[TGL_TENSOR_WEIGHTS],
        bias ? &f->of[TGL_TENSOR_BIAS] : NULL, &f->of[TGL_TENSOR_Y]);
    return status == dnnl_success
               ? dnnl_primitive_desc_create(pd, &d, attr, tgl_onednn_engine(), NULL)
               : status;
}
#endif

static void release(void *packed)
{
    if (packed)
        tgl_pass_free(packed);
    free(packed);
}

/* Where oneDNN takes the weights as they lie there is nothing to pack. */
static void *plan(ptrdiff_t rows, ptrdiff_t in, ptrdiff_t out, bool bias)
{
    static const tgl_formats none;
    const tgl_extents e = {.ndim = 2,
                           .weights_ndim = 2,
                           .x = {rows, in},
                           .y = {rows, out},
                           .weights = {out, in},
                           .bias = {out}};
    tgl_formats kernels = none, users = none;
    dnnl_primitive_attr_t attr = NULL;
    tgl_pass *p = calloc(1, sizeof *p);
    dnnl_status_t status = p ? tgl_onednn_start(&attr) : dnnl_out_of_memory;
    if (status == dnnl_success)
        status = tgl_formats_make(&e, dnnl_ab, dnnl_ab, dnnl_format_tag_any, &kernels);
    if (status == dnnl_success)
        status = tgl_formats_make(&e, dnnl_ab, dnnl_ab, dnnl_ab, &users);
    if (status == dnnl_success) {
        *p = (tgl_pass){.roles = tgl_forward_roles, .count = 3 + bias};
        status = describe(&kernels, bias, attr, &p->description);
    }
    if (status == dnnl_success)
        status = tgl_pass_plan(&users, (const tgl_pass *[]){NULL}, p);
    tgl_formats_free(&kernels);
    tgl_formats_free(&users);
    if (attr)
        dnnl_primitive_attr_destroy(attr);
    if (status == dnnl_success && p->argument[1].buffer)
        return p;
    release(p);
    return NULL;
}

static void forward(void *packed, long version, const void *x, const void *w, const void *bias,
                    void *y)
{
    tgl_pass_run(packed, version, (void *[TGL_ARGUMENTS]){(void *)x, (void *)w, y, (void *)bias});
}

const tgl_packing tgl_onednn_packing = {.plan = plan, .forward = forward, .release = release};
