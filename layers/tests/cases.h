/* cases.h: a layer from the line of a case, with its buffers, and what every layer must pass: y, dx and
 * gradients entry by entry against the formula of its row, entries that are spoiled on purpose, and for
 * linear layers <dy, y> = <dx, x> + <db, b> without any error, for the inputs are whole numbers. */
#ifndef TGL_TEST_CASES_H
#define TGL_TEST_CASES_H

#include "layers/layers.h"
#include "layers/tests/harness.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { SEED = 11 };

/* ---- a layer with its buffers ---- */

typedef struct {
    char text[512];
    tgl_problem problem;
    tgl_layer *layer;
    ptrdiff_t x_count, y_count; /* entries of the buffers */
    ptrdiff_t x_last, y_last;   /* places of the last entries of the boxes; -1: empty */
    tg_box x_box, y_box;
    void *x, *y, *dx, *dy;
} setup;

static inline void read_words(const char *text, const tgl_kind **kind, tgl_words *words)
{
    char copy[512], *state;
    snprintf(copy, sizeof copy, "%s", text);
    *kind = tgl_kind_find(strtok_r(copy, " ", &state));
    for (char *word; (word = strtok_r(NULL, " ", &state));) {
        char *value = strchr(word, '=');
        *value++ = '\0';
        tgl_words_set(words, word, value);
    }
}

static inline void *make(const setup *s, ptrdiff_t count)
{
    return calloc((size_t)count + 1, s->problem.dtype->size);
}

static inline ptrdiff_t last_of(const tg_box *box, const tg_store *store)
{
    ptrdiff_t at[TG_MAX_NDIM];
    for (int d = 0; d < box->ndim; d++)
        at[d] = box->hi[d] - 1;
    return tg_box_count(box) > 0 ? tg_store_index(store, box, at) : -1;
}

static inline bool begin(setup *s, const char *text, int P, int rank)
{
    const tgl_kind *kind;
    tgl_words words = {.count = 0};
    *s = (setup){.layer = NULL};
    snprintf(s->text, sizeof s->text, "%s", text);
    read_words(text, &kind, &words);
    tg_status status = tgl_resolve(kind, &words, P, &s->problem);
    tgl_words_free(&words);
    if (status.code == TG_OK)
        status = tgl_plan(MPI_COMM_WORLD, &s->problem, &s->layer);
    CHECK(status.code == TG_OK, "%s: %s", text, status.text);
    if (status.code != TG_OK)
        return false;
    const tg_box x = tg_layout_held(&s->problem.x, rank), y = tg_layout_held(&s->problem.y, rank);
    s->x_count = tg_store_entries(&s->problem.store_x, &x);
    s->y_count = tg_store_entries(&s->problem.store_y, &y);
    s->x_box = x;
    s->y_box = y;
    s->x_last = last_of(&x, &s->problem.store_x);
    s->y_last = last_of(&y, &s->problem.store_y);
    s->x = make(s, s->x_count);
    s->dx = make(s, s->x_count);
    s->y = make(s, s->y_count);
    s->dy = make(s, s->y_count);
    return true;
}

static inline void end(setup *s)
{
    tgl_free(&s->layer);
    tgl_problem_free(&s->problem);
    free(s->x);
    free(s->dx);
    free(s->y);
    free(s->dy);
}

/* ---- checks ---- */

/* Adds 1 to an entry; returns what it was, for the sum may have lost digits. */
static inline double spoil(const setup *s, void *array, ptrdiff_t i)
{
    const tg_dtype *dtype = s->problem.dtype;
    const double was = dtype->get(array, i);
    dtype->put(array, i, was + 1);
    return was;
}

/* What lies behind the last channel of a block: zeros, as the next layer expects. */
static inline void check_tails(const setup *s, const tg_box *box, const tg_store *store,
                               const void *buffer, ptrdiff_t count)
{
    double all = 0, inside = 0;
    ptrdiff_t index[TG_MAX_NDIM], entries = tg_box_count(box);
    if (store->block == 0)
        return;
    for (ptrdiff_t i = 0; i < count; i++)
        all += fabs(s->problem.dtype->get(buffer, i));
    for (ptrdiff_t i = 0; i < entries; i++) {
        ptrdiff_t rest = i;
        for (int d = box->ndim - 1; d >= 0; rest /= box->hi[d] - box->lo[d], d--)
            index[d] = box->lo[d] + rest % (box->hi[d] - box->lo[d]);
        inside += fabs(s->problem.dtype->get(buffer, tg_store_index(store, box, index)));
    }
    CHECK(fabs(all - inside) <= 1e-9 * all, "tails of %g: %s", all - inside, s->text);
}

static inline void check_values(setup *s)
{
    tgl_fill(s->layer, SEED, s->x, s->dy);
    tgl_forward(s->layer, s->x, s->y);
    ptrdiff_t wrong = tgl_count_wrong_forward(s->layer, SEED, s->y);
    CHECK(wrong == 0, "%td wrong in y: %s", wrong, s->text);
    tgl_backward(s->layer, s->x, s->dy, s->dx);
    wrong = tgl_count_wrong_backward(s->layer, SEED, s->dx);
    CHECK(wrong == 0, "%td wrong in dx and gradients: %s", wrong, s->text);
    check_tails(s, &s->y_box, &s->problem.store_y, s->y, s->y_count);
    check_tails(s, &s->x_box, &s->problem.store_x, s->dx, s->x_count);
}

static inline void check_spoiled(setup *s)
{
    const tg_dtype *dtype = s->problem.dtype;
    const tgl_parameter *p;
    if (s->y_last >= 0) {
        spoil(s, s->y, s->y_last);
        CHECK(tgl_count_wrong_forward(s->layer, SEED, s->y) == 1, "y: %s", s->text);
    }
    if (s->x_last >= 0) {
        double was = spoil(s, s->dx, s->x_last);
        CHECK(tgl_count_wrong_backward(s->layer, SEED, s->dx) == 1, "dx: %s", s->text);
        dtype->put(s->dx, s->x_last, was);
    }
    for (int i = 0; (p = tgl_parameter_at(s->layer, i)); i++) {
        if (!p->gradient || tg_box_count(&p->box) == 0)
            continue;
        double was = spoil(s, p->gradient, 0);
        CHECK(tgl_count_wrong_backward(s->layer, SEED, s->dx) == 1, "%s: %s", p->name, s->text);
        dtype->put(p->gradient, 0, was);
    }
}

static inline double dot_of(const setup *s, ptrdiff_t count, const void *a, const void *b)
{
    double sum = 0;
    for (ptrdiff_t i = 0; i < count; i++)
        sum += s->problem.dtype->get(a, i) * s->problem.dtype->get(b, i);
    return sum;
}

/* After check_values. */
static inline void check_adjoint(const setup *s)
{
    const tgl_parameter *p;
    double gap = dot_of(s, s->y_count, s->dy, s->y) - dot_of(s, s->x_count, s->dx, s->x);
    for (int i = 0; (p = tgl_parameter_at(s->layer, i)); i++)
        if (strcmp(p->name, "bias") == 0)
            gap -= dot_of(s, tg_box_count(&p->box), p->gradient, p->value);
    MPI_Allreduce(MPI_IN_PLACE, &gap, 1, MPI_DOUBLE, MPI_SUM, MPI_COMM_WORLD);
    CHECK(gap == 0, "<dy, y> - <dx, x> - <db, b> is %g: %s", gap, s->text);
}

/* Copies all gradients to or compares them with a buffer that has room for them. */
static inline bool same_gradients(const setup *s, char *kept, bool copy)
{
    const tgl_parameter *p;
    bool same = true;
    for (int i = 0; (p = tgl_parameter_at(s->layer, i)); i++) {
        const size_t size = (size_t)tg_box_count(&p->box) * s->problem.dtype->size;
        if (p->gradient && copy)
            memcpy(kept, p->gradient, size);
        else if (p->gradient)
            same = same && memcmp(kept, p->gradient, size) == 0;
        kept += size;
    }
    return same;
}

/* Without dx the gradients have the same bits, and dx stays as it is. */
static inline void check_skip(setup *s)
{
    const tgl_parameter *p;
    size_t entries = 1, bytes = (size_t)s->x_count * s->problem.dtype->size;
    for (int i = 0; (p = tgl_parameter_at(s->layer, i)); i++)
        entries += (size_t)tg_box_count(&p->box);
    char *kept = calloc(entries, s->problem.dtype->size), *dx = s->dx;
    tgl_fill(s->layer, SEED, s->x, s->dy);
    tgl_forward(s->layer, s->x, s->y);
    tgl_backward(s->layer, s->x, s->dy, s->dx);
    same_gradients(s, kept, true);
    const double flops = tgl_flops_backward(s->layer);
    tgl_skip_dx(s->layer);
    CHECK(tgl_flops_backward(s->layer) <= flops, "more flops without dx: %s", s->text);
    for (size_t i = 0; i < bytes; i++)
        dx[i] = (char)(i % 101);
    tgl_fill(s->layer, SEED, s->x, s->dy);
    tgl_forward(s->layer, s->x, s->y);
    tgl_backward(s->layer, s->x, s->dy, s->dx);
    size_t touched = 0;
    for (size_t i = 0; i < bytes; i++)
        touched += dx[i] != (char)(i % 101);
    CHECK(touched == 0, "%zu bytes of dx touched: %s", touched, s->text);
    CHECK(same_gradients(s, kept, false), "other gradients without dx: %s", s->text);
    free(kept);
}

static inline void check_case(const char *text, int P, int rank)
{
    setup s;
    if (begin(&s, text, P, rank)) {
        check_values(&s);
        if (s.problem.kind->linear)
            check_adjoint(&s);
        check_spoiled(&s);
        if (s.problem.kind->skips_dx)
            check_skip(&s);
    }
    end(&s);
}

#endif
