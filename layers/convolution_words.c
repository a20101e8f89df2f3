/* convolution_words.c: the words of a convolution, and what follows from them without a plan. */
#include "layers/convolution.h"
#include "layers/oracle.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const tgl_key tgl_convolution_keys[] = {
    {"batch", NULL, true},
    {"channels", NULL, true},
    {"space", NULL, true},
    {"kernel", NULL, false},
    {"stride", "1", false},
    {"padding", "0", false},
    {"dilation", "1", false},
    {"groups", "1", false},
    {"grid", "1x1x1", false},
    {"parts-out", "1", false},
    {"ranks", "0..n-1", false},
    {"from-ranks", "the grid's first part of the outputs", false},
    {"to-ranks", "the grid's first part of the inputs", false},
    {"bias", "yes", false},
    {"kernels", "auto", false},
    {"store-x", "row", false},
    {"store-y", "row", false},
    {"overlap", "auto", false},
    TGL_TYPE};

/* ---- words ---- */

static tg_status read_extents(const tgl_words *words, tgl_problem *problem, tgl_convolution_spec *s)
{
    const tgl_key *keys = tgl_convolution_keys;
    s->taps.space = 1;
    for (const char *c = tgl_words_get(words, "space"); *c; c++)
        s->taps.space += *c == 'x';
    if (s->taps.space > TGL_SPACE)
        return tg_fail(TG_BAD_INPUT, "space=%.40s: expected one to three axes, as in 28x28",
                       tgl_words_get(words, "space"));
    tg_status status = tgl_word_extent(words, keys, "batch", &s->batch);
    if (status.code == TG_OK)
        status = tgl_word_pair(words, "channels", &s->in, &s->out);
    if (status.code == TG_OK)
        status = tgl_word_extent(words, keys, "groups", &s->groups);
    if (status.code == TG_OK)
        status = tgl_word_tuple(words, keys, "space", s->taps.space, 1, s->taps.input, problem);
    if (status.code == TG_OK)
        status = tgl_word_set_number(&problem->words, "batch", s->batch, -1);
    if (status.code == TG_OK)
        status = tgl_word_set_number(&problem->words, "channels", s->in, s->out);
    return status.code == TG_OK ? tgl_word_set_number(&problem->words, "groups", s->groups, -1)
                                : status;
}

static tg_status check_groups(const tgl_convolution_spec *s)
{
    if (s->groups >= 1 && s->in % s->groups == 0 && s->out % s->groups == 0)
        return tg_success();
    return tg_fail(TG_BAD_INPUT, "groups=%td: expected a divisor of %td and of %td channels",
                   s->groups, s->in, s->out);
}

static tg_status read_overlap(const tgl_words *words, tgl_problem *problem, tgl_convolution_spec *s)
{
    const char *text = tgl_words_get(words, "overlap");
    text = text ? text : "auto";
    s->overlap = strcmp(text, "no") == 0    ? TGL_NO_OVERLAP
                 : strcmp(text, "yes") == 0 ? TGL_OVERLAP
                                            : TGL_AUTO_OVERLAP;
    if (s->overlap == TGL_AUTO_OVERLAP && strcmp(text, "auto") != 0)
        return tg_fail(TG_BAD_INPUT, "overlap=%.40s: expected auto, yes or no", text);
    return tgl_words_set(&problem->words, "overlap", text);
}

/* The parts of batch, input channels and space from the grid of x; those of the outputs. */
static tg_status read_grid(const tgl_words *words, tgl_problem *problem, tgl_convolution_spec *s)
{
    char shape[TG_MAX_NDIM * 24], ones[TG_MAX_NDIM * 2 + 1] = "1x1", grid[128];
    size_t used = (size_t)snprintf(shape, sizeof shape, "%tdx%td", s->batch, s->in);
    for (int d = 0; d < s->taps.space; d++) {
        used += (size_t)snprintf(shape + used, sizeof shape - used, "x%td", s->taps.input[d]);
        strcat(ones, "x1");
    }
    const char *text = tgl_words_get(words, "grid"), *out = tgl_words_get(words, "parts-out");
    tg_layout x;
    ptrdiff_t parts_out = problem->ranks;
    tg_status status = tg_layout_parse(
        &(tg_layout_words){.shape = shape, .grid = text ? text : ones}, problem->ranks, 0, &x);
    if (status.code == TG_OK && out && strcmp(out, "P") != 0)
        status = tgl_word_extent(words, tgl_convolution_keys, "parts-out", &parts_out);
    if (status.code != TG_OK)
        return status;
    tg_layout_print_grid(&x, grid, sizeof grid);
    s->parts_out = out ? (int)parts_out : 1;
    s->parts_batch = x.axis[0].parts;
    s->parts_in = x.axis[1].parts;
    bool copied = x.axis[0].copied || x.axis[1].copied;
    for (int d = 0; d < s->taps.space; d++) {
        s->parts[d] = x.axis[2 + d].parts;
        copied = copied || x.axis[2 + d].copied;
    }
    tg_layout_free(&x);
    if (copied)
        return tg_fail(TG_BAD_INPUT, "grid=%.40s: expected parts without copies, as in 1x1x2x2",
                       grid);
    long long needed =
        (long long)s->parts_out * s->parts_batch * s->parts_in * tgl_convolution_space_parts(s);
    if (s->parts_out < 1 || needed > problem->ranks)
        return tg_fail(TG_BAD_INPUT,
                       "parts-out=%d: with grid=%s needs %lld ranks; expected 1 or "
                       "more, and at most %d ranks",
                       s->parts_out, grid, needed, problem->ranks);
    status = tgl_words_set(&problem->words, "grid", grid);
    return status.code == TG_OK
               ? tgl_word_set_number(&problem->words, "parts-out", s->parts_out, -1)
               : status;
}

/* The parts of the channels are parts of the groups then, each with its inputs and its outputs. */
static tg_status deal_out_groups(tgl_convolution_spec *s)
{
    if (s->groups == 1)
        return tg_success();
    if (s->parts_out != 1)
        return tg_fail(TG_BAD_INPUT,
                       "parts-out=%d: expected 1 with groups, which the grid's "
                       "channel axis deals out",
                       s->parts_out);
    if (s->groups % s->parts_in != 0)
        return tg_fail(TG_BAD_INPUT,
                       "groups=%td: expected a multiple of the %d parts of the "
                       "channels",
                       s->groups, s->parts_in);
    s->parts_out = s->parts_in;
    s->parts_in = 1;
    return tg_success();
}

static void write_facts(const tgl_convolution_spec *s, tgl_facts *facts)
{
    ptrdiff_t taps = 1, positions = 1, terms;
    double busiest = (double)tg_split_start(s->batch, s->parts_batch, 1);
    for (int d = 0; d < s->taps.space; d++) {
        taps *= s->taps.kernel[d];
        positions *= s->taps.output[d];
        busiest *= (double)tg_split_start(s->taps.output[d], s->parts[d], 1);
    }
    const ptrdiff_t in = s->in / s->groups, out = tg_split_start(s->out, s->parts_out, 1),
                    part_in = tg_split_start(in, s->parts_in, 1);
    facts->flops = 2 * (double)s->batch * (double)s->out * (double)(in * taps) * (double)positions;
    facts->busiest_flops = 2 * busiest * (double)out * (double)(part_in * taps);
    facts->parameters = s->out * in * taps + (s->bias ? s->out : 0);
    facts->parameters_most = out * part_in * taps + (s->bias ? out : 0);
    facts->entries_most = busiest * (double)out + (double)(out * part_in * taps);
    facts->group[0] = s->parts_out > s->parts_batch * tgl_convolution_space_parts(s)
                          ? s->parts_out
                          : s->parts_batch * tgl_convolution_space_parts(s);
    facts->group[1] = s->parts_in;
    terms = (in > s->out ? in : s->out) * taps;
    terms = terms > s->batch * positions ? terms : s->batch * positions;
    facts->range = tgl_pattern_range(terms);
}

static tg_status make_ends(const tgl_words *words, tgl_problem *problem, tgl_convolution_spec *s)
{
    const int P = problem->ranks;
    tg_layout work;
    tg_status status = tgl_convolution_work(s, tgl_words_get(words, "ranks"), P, &work);
    if (status.code != TG_OK)
        return status;
    status = tgl_word_ranks("ranks", &work, problem);
    if (status.code == TG_OK)
        status = tgl_convolution_end(s, &work, tgl_words_get(words, "from-ranks"), false, P,
                                     &problem->x);
    if (status.code == TG_OK)
        status =
            tgl_convolution_end(s, &work, tgl_words_get(words, "to-ranks"), true, P, &problem->y);
    if (status.code == TG_OK)
        status = tgl_word_ranks("from-ranks", &problem->x, problem);
    if (status.code == TG_OK)
        status = tgl_word_ranks("to-ranks", &problem->y, problem);
    tg_layout_free(&work);
    return status;
}

tg_status tgl_convolution_resolve(const tgl_words *words, tgl_problem *problem)
{
    tgl_convolution_spec *s = problem->spec = calloc(1, sizeof *s);
    const char *kernels = tgl_words_get(words, "kernels");
    if (!s)
        return tg_fail(TG_NO_MEMORY, "no memory for a convolution");
    snprintf(s->kernels, sizeof s->kernels, "%s", kernels ? kernels : "auto");
    tg_status status = tgl_conv_known(s->kernels);
    if (status.code == TG_OK)
        status = read_extents(words, problem, s);
    if (status.code == TG_OK)
        status = tgl_word_yes(words, tgl_convolution_keys, "bias", &s->bias);
    if (status.code == TG_OK)
        status = read_overlap(words, problem, s);
    if (status.code == TG_OK)
        status = check_groups(s);
    if (status.code == TG_OK)
        status = tgl_taps_read(words, tgl_convolution_keys, false, problem, &s->taps);
    if (status.code == TG_OK)
        status = read_grid(words, problem, s);
    if (status.code == TG_OK)
        status = deal_out_groups(s);
    if (status.code == TG_OK)
        status = make_ends(words, problem, s);
    if (status.code == TG_OK)
        status =
            tgl_word_store(words, "store-x", "row", problem->x.ndim, problem, &problem->store_x);
    if (status.code == TG_OK)
        status =
            tgl_word_store(words, "store-y", "row", problem->y.ndim, problem, &problem->store_y);
    if (status.code == TG_OK)
        status = tgl_words_set(&problem->words, "bias", s->bias ? "yes" : "no");
    if (status.code == TG_OK)
        status = tgl_words_set(&problem->words, "kernels", s->kernels);
    if (status.code == TG_OK)
        write_facts(s, &problem->facts);
    return status;
}

/* Along a split axis of space, what a block in the middle reads; along the others all, with padding. */
tg_status tgl_convolution_alone(const tgl_problem *problem, tgl_words *words)
{
    const tgl_convolution_spec *s = problem->spec;
    const ptrdiff_t groups = s->groups > 1 ? tg_split_start(s->groups, s->parts_out, 1) : 1,
                    in = s->groups > 1 ? groups * (s->in / s->groups)
                                       : tg_split_start(s->in, s->parts_in, 1),
                    out = s->groups > 1 ? groups * (s->out / s->groups)
                                        : tg_split_start(s->out, s->parts_out, 1);
    char space[64] = "", padding[64] = "";
    size_t a = 0, b = 0;
    for (int d = 0; d < s->taps.space; d++) {
        const tgl_taps *t = &s->taps;
        const bool split = s->parts[d] > 1;
        const ptrdiff_t outputs = tg_split_start(t->output[d], s->parts[d], 1),
                        reads =
                            (outputs - 1) * t->stride[d] + (t->kernel[d] - 1) * t->dilation[d] + 1;
        a += (size_t)snprintf(space + a, sizeof space - a, "%s%td", d ? "x" : "",
                              split ? reads : t->input[d]);
        b += (size_t)snprintf(padding + b, sizeof padding - b, "%s%td", d ? "x" : "",
                              split ? 0 : t->padding[d]);
    }
    tg_status status = tgl_word_alone(problem, words);
    if (status.code == TG_OK)
        status =
            tgl_word_set_number(words, "batch", tg_split_start(s->batch, s->parts_batch, 1), -1);
    if (status.code == TG_OK)
        status = tgl_word_set_number(words, "channels", in, out);
    if (status.code == TG_OK)
        status = tgl_word_set_number(words, "groups", groups, -1);
    if (status.code == TG_OK)
        status = tgl_words_set(words, "space", space);
    return status.code == TG_OK ? tgl_words_set(words, "padding", padding) : status;
}

int tgl_convolution_block(const tgl_problem *problem)
{
    const tgl_convolution_spec *s = problem->spec;
    return tgl_conv_block(s->kernels, problem->dtype);
}
