/* onednn.c: oneDNN's engine, and passes: a primitive with its tensors, as in onednn.h. */
#include "layers/onednn.h"

#include <assert.h>
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

/* One processor, one stream of work in order: for all passes of this process, to its end. */
static dnnl_engine_t engine;
static dnnl_stream_t stream;
static int threads; /* that it was told; 0: none yet */

const tgl_role tgl_forward_roles[TGL_ARGUMENTS] = {
    {DNNL_ARG_SRC, TGL_TENSOR_X, true},
    {DNNL_ARG_WEIGHTS, TGL_TENSOR_WEIGHTS, true},
    {DNNL_ARG_DST, TGL_TENSOR_Y, false},
    {DNNL_ARG_BIAS, TGL_TENSOR_BIAS, true},
};

void tgl_onednn_must(dnnl_status_t status)
{
    assert(status == dnnl_success);
    (void)status;
}

dnnl_engine_t tgl_onednn_engine(void)
{
    return engine;
}

/* Its threads are OpenMP's, where it was built with that. */
void tgl_onednn_take_threads(void)
{
    if (threads != tgl_blas_threads()) {
        void (*set_threads)(int) = NULL;
        *(void **)&set_threads = dlsym(RTLD_DEFAULT, "omp_set_num_threads");
        threads = tgl_blas_threads();
        if (set_threads)
            set_threads(threads);
    }
}

dnnl_status_t tgl_onednn_start(dnnl_primitive_attr_t *attributes)
{
    dnnl_status_t status = dnnl_success;
    if (!engine)
        status = dnnl_engine_create(&engine, dnnl_cpu, 0);
    if (status == dnnl_success && !stream)
        status = dnnl_stream_create(&stream, engine, dnnl_stream_default_flags);
    tgl_onednn_take_threads();
    if (status == dnnl_success)
        status = dnnl_primitive_attr_create(attributes);
    return status == dnnl_success
               ? dnnl_primitive_attr_set_scratchpad_mode(*attributes, dnnl_scratchpad_mode_user)
               : status;
}

/* ---- formats ---- */

#if DNNL_VERSION_MAJOR >= 3
tgl_format_ref tgl_format_refer(const tgl_format *f)
{
    return *f;
}

dnnl_status_t tgl_format_make(tgl_format *f, int ndim, const dnnl_dims_t dims,
                              dnnl_format_tag_t tag)
{
    return dnnl_memory_desc_create_with_tag(f, ndim, dims, dnnl_f32, tag);
}

void tgl_format_free(tgl_format *f)
{
    if (*f)
        dnnl_memory_desc_destroy(*f);
}
#else
tgl_format_ref tgl_format_refer(const tgl_format *f)
{
    return f;
}

dnnl_status_t tgl_format_make(tgl_format *f, int ndim, const dnnl_dims_t dims,
                              dnnl_format_tag_t tag)
{
    return dnnl_memory_desc_init_by_tag(f, ndim, dims, dnnl_f32, tag);
}

void tgl_format_free(tgl_format *f)
{
    (void)f;
}
#endif

dnnl_status_t tgl_formats_make(const tgl_extents *e, dnnl_format_tag_t x, dnnl_format_tag_t y,
                               dnnl_format_tag_t weights, tgl_formats *f)
{
    dnnl_status_t status = tgl_format_make(&f->of[TGL_TENSOR_X], e->ndim, e->x, x);
    if (status == dnnl_success)
        status = tgl_format_make(&f->of[TGL_TENSOR_Y], e->ndim, e->y, y);
    if (status == dnnl_success)
        status = tgl_format_make(&f->of[TGL_TENSOR_WEIGHTS], e->weights_ndim, e->weights, weights);
    return status == dnnl_success ? tgl_format_make(&f->of[TGL_TENSOR_BIAS], 1, e->bias, dnnl_a)
                                  : status;
}

void tgl_formats_free(tgl_formats *f)
{
    for (int i = 0; i < TGL_TENSORS; i++)
        tgl_format_free(&f->of[i]);
}

tgl_format_ref tgl_pass_format(const tgl_pass *p, int argument)
{
    return dnnl_primitive_desc_query_md(p->description, dnnl_query_exec_arg_md,
                                        p->roles[argument].id);
}

/* ---- plan ---- */

static dnnl_status_t make_memory(tgl_format_ref f, dnnl_memory_t *memory, void **buffer)
{
    enum { ALIGNMENT = 64 };
    const size_t size = dnnl_memory_desc_get_size(f);
    *buffer = aligned_alloc(ALIGNMENT, (size / ALIGNMENT + 1) * ALIGNMENT);
    return *buffer ? dnnl_memory_create(memory, f, engine, *buffer) : dnnl_out_of_memory;
}

static dnnl_status_t plan_reorder(tgl_format_ref from, tgl_format_ref to, dnnl_primitive_t *reorder)
{
    dnnl_primitive_desc_t pd = NULL;
    dnnl_status_t status = dnnl_reorder_primitive_desc_create(&pd, from, engine, to, engine, NULL);
    if (status == dnnl_success)
        status = dnnl_primitive_create(reorder, pd);
    if (pd)
        dnnl_primitive_desc_destroy(pd);
    return status;
}

static dnnl_status_t make_tensor(tgl_format_ref users, tgl_format_ref kernels, bool input,
                                 tgl_tensor *t)
{
    dnnl_status_t status = dnnl_memory_create(&t->users, users, engine, DNNL_MEMORY_NONE);
    if (status != dnnl_success || dnnl_memory_desc_equal(users, kernels)) {
        t->kernels = t->users;
        return status;
    }
    status = make_memory(kernels, &t->kernels, &t->buffer);
    if (status == dnnl_success && input)
        status = tgl_places_make(users, kernels, &t->places);
    if (status == dnnl_success && t->places)
        memset(t->buffer, 0, dnnl_memory_desc_get_size(kernels));
    if (status != dnnl_success || t->places)
        return status;
    return input ? plan_reorder(users, kernels, &t->reorder)
                 : plan_reorder(kernels, users, &t->reorder);
}

/* What an earlier pass has as an input in the same format is borrowed from it. */
static bool borrow(const tgl_pass *earlier, int of, tgl_format_ref kernels, tgl_tensor *t)
{
    for (int i = 0; i < earlier->count; i++)
        if (earlier->roles[i].input && earlier->roles[i].of == of &&
            dnnl_memory_desc_equal(tgl_pass_format(earlier, i), kernels)) {
            *t = earlier->argument[i];
            t->borrowed = true;
            return true;
        }
    return false;
}

dnnl_status_t tgl_pass_plan(const tgl_formats *users, const tgl_pass *const earlier[], tgl_pass *p)
{
    dnnl_status_t status = dnnl_success;
    for (int i = 0; i < p->count && status == dnnl_success; i++) {
        const tgl_role *r = &p->roles[i];
        const tgl_format_ref kernels = tgl_pass_format(p, i);
        bool borrowed = false;
        for (const tgl_pass *const *e = earlier; r->input && !borrowed && *e; e++)
            borrowed = borrow(*e, r->of, kernels, &p->argument[i]);
        if (!borrowed)
            status = make_tensor(tgl_format_refer(&users->of[r->of]), kernels, r->input,
                                 &p->argument[i]);
        p->execute[i] = (dnnl_exec_arg_t){r->id, p->argument[i].kernels};
    }
    if (status == dnnl_success)
        status =
            make_memory(dnnl_primitive_desc_query_md(p->description, dnnl_query_scratchpad_md, 0),
                        &p->scratch, &p->scratch_buffer);
    p->execute[p->count] = (dnnl_exec_arg_t){DNNL_ARG_SCRATCHPAD, p->scratch};
    return status == dnnl_success ? dnnl_primitive_create(&p->primitive, p->description) : status;
}

void tgl_pass_free(tgl_pass *p)
{
    for (int i = 0; i < p->count; i++) {
        tgl_tensor *t = &p->argument[i];
        if (t->borrowed)
            continue;
        if (t->reorder)
            dnnl_primitive_destroy(t->reorder);
        tgl_places_free(t->places);
        if (t->kernels && t->kernels != t->users)
            dnnl_memory_destroy(t->kernels);
        if (t->users)
            dnnl_memory_destroy(t->users);
        free(t->buffer);
    }
    if (p->primitive)
        dnnl_primitive_destroy(p->primitive);
    if (p->scratch)
        dnnl_memory_destroy(p->scratch);
    if (p->description)
        dnnl_primitive_desc_destroy(p->description);
    free(p->scratch_buffer);
}

/* ---- runs ---- */

static void reorder(const tgl_tensor *t, bool input)
{
    void *users = NULL;
    if (t->places) {
        tgl_onednn_must(dnnl_memory_get_data_handle(t->users, &users));
        tgl_places_copy(t->places, users, t->buffer);
        return;
    }
    const dnnl_exec_arg_t arguments[] = {{DNNL_ARG_FROM, input ? t->users : t->kernels},
                                         {DNNL_ARG_TO, input ? t->kernels : t->users}};
    tgl_onednn_must(dnnl_primitive_execute(t->reorder, stream, 2, arguments));
}

void tgl_pass_bring(tgl_pass *p, int argument, void *buffer, long version)
{
    tgl_tensor *t = &p->argument[argument];
    const bool kept = p->roles[argument].of == TGL_TENSOR_WEIGHTS && t->version == version;
    if (t->borrowed)
        return;
    tgl_onednn_must(dnnl_memory_set_data_handle(t->users, buffer));
    if (!t->buffer || !p->roles[argument].input || kept)
        return;
    reorder(t, true);
    t->version = version;
}

void tgl_pass_run(tgl_pass *p, long version, void *const buffers[TGL_ARGUMENTS])
{
    for (int i = 0; i < p->count; i++)
        tgl_pass_bring(p, i, buffers[i], version);
    tgl_onednn_must(dnnl_primitive_execute(p->primitive, stream, p->count + 1, p->execute));
    for (int i = 0; i < p->count; i++)
        if (p->argument[i].buffer && !p->roles[i].input)
            reorder(&p->argument[i], false);
    tgl_pass_wait();
}

void tgl_pass_wait(void)
{
    tgl_onednn_must(dnnl_stream_wait(stream));
}
