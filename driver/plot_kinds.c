/* plot_kinds.c: the kinds of figures, a row each, and the values that they draw.
 * Speed-up on P ranks over a base of P0: S = P0 t(P0) / t(P), ideal S = P; efficiency S / P; both
 * take the ends of both intervals, so the base's uncertainty is in them. Source: Hoefler and Belli,
 * "Scientific Benchmarking of Parallel Computing Systems", SC'15, rules 1 and 5. */
#include "driver/plot_figures.h"

#include <math.h>
#include <string.h>

static const tgd_value nothing = {NAN, NAN, NAN, NAN, NAN, false};

/* ---- values ---- */

static tgd_value time_of(const tgd_points *all, const tgd_point *p, const tgd_point *base)
{
    (void)all;
    const bool weak = strcmp(p->scaling, "weak") == 0;
    const double ideal_us = weak && base && p->ranks >= base->ranks ? base->time_us : NAN;
    return (tgd_value){p->time_us, p->lo_us, p->hi_us, p->bound_us, ideal_us, false};
}

/* factor * above / below, with the ends of both intervals. */
static tgd_value quotient(double factor, const tgd_point *above, const tgd_point *below)
{
    tgd_value v = nothing;
    v.value = factor * above->time_us / below->time_us;
    if (above != below) {
        v.lo = factor * above->lo_us / below->hi_us;
        v.hi = factor * above->hi_us / below->lo_us;
    }
    return v;
}

static tgd_value speedup_of(const tgd_points *all, const tgd_point *p, const tgd_point *base)
{
    (void)all;
    if (!base)
        return nothing;
    tgd_value v = quotient(base->ranks, base, p);
    v.superlinear = !p->oversubscribed && v.value > 1.05 * p->ranks;
    return v;
}

static tgd_value efficiency_of(const tgd_points *all, const tgd_point *p, const tgd_point *base)
{
    (void)all;
    if (!base)
        return nothing;
    tgd_value v = quotient((double)base->ranks / p->ranks, base, p);
    v.superlinear = !p->oversubscribed && v.value > 1.05;
    return v;
}

static tgd_value rate(double bytes, const tgd_point *p)
{
    const double GB_us = bytes * 1e-3; /* GB/s = 1e3 B/us */
    return (tgd_value){GB_us / p->time_us, GB_us / p->hi_us, GB_us / p->lo_us, NAN, NAN, false};
}

/* There and back were measured. */
static tgd_value one_way_of(const tgd_points *all, const tgd_point *p, const tgd_point *base)
{
    (void)all;
    (void)base;
    return (tgd_value){p->time_us / 2, p->lo_us / 2, p->hi_us / 2, NAN, NAN, false};
}

static tgd_value busbw_of(const tgd_points *all, const tgd_point *p, const tgd_point *base)
{
    (void)all;
    (void)base;
    return rate(p->bus_bytes, p);
}

static tgd_value algbw_of(const tgd_points *all, const tgd_point *p, const tgd_point *base)
{
    (void)all;
    (void)base;
    return rate(p->tensor_bytes, p);
}

static tgd_value ratio_of(const tgd_points *all, const tgd_point *p, const tgd_point *base)
{
    (void)base;
    return p->forward < 0 ? nothing : quotient(1, p, &all->at[p->forward]);
}

static tgd_value divided_of(const tgd_points *all, const tgd_point *p, const tgd_point *base)
{
    (void)all;
    (void)base;
    return (tgd_value){p->phase_us[TGD_TOTAL], NAN, NAN, NAN, NAN, false};
}

/* The points of a comparison hold ratios. */
static tgd_value compared_of(const tgd_points *all, const tgd_point *p, const tgd_point *base)
{
    (void)all;
    (void)base;
    return (tgd_value){p->time_us, p->lo_us, p->hi_us, NAN, NAN, false};
}

/* ---- the kinds ---- */

static bool any_point(const tgd_point *p)
{
    (void)p;
    return true;
}

static bool primitive_forward(const tgd_point *p)
{
    return !p->layer && !p->machine && strcmp(p->direction, "forward") == 0;
}
/* Out of place: what is done in place is another operation, with a raw call of its own. */
static bool primitive_apart(const tgd_point *p)
{
    return !p->layer && !p->machine && !strstr(p->part[TGD_PART_WORDS], "in-place=yes");
}
static bool primitive_adjoint(const tgd_point *p)
{
    return !p->layer && p->adjoint;
}
static bool layer_any(const tgd_point *p)
{
    return p->layer;
}
static bool layer_backward(const tgd_point *p)
{
    return p->layer && p->adjoint;
}

static bool layer_divided(const tgd_point *p)
{
    return p->layer && p->divided > 0;
}

static bool machine_one_way(const tgd_point *p)
{
    return strcmp(p->op, "machine:one_way") == 0;
}
static bool machine_message(const tgd_point *p)
{
    return machine_one_way(p) || strcmp(p->op, "machine:both_ways") == 0 ||
           strcmp(p->op, "machine:stream") == 0;
}
static bool machine_memory(const tgd_point *p)
{
    return strcmp(p->op, "machine:copy") == 0 || strcmp(p->op, "machine:triad") == 0;
}

#define BIT(part) (1u << TGD_PART_##part)
/* One case and direction of a layer or network a figure. */
#define DIVIDED(name, sweep, fixed)                                                                \
    {.stem = name,                                                                                 \
     .script = "phases",                                                                           \
     .scaling = sweep,                                                                             \
     .column = "total_us",                                                                         \
     .what = "How the time of a run divides, against the number of ranks, " fixed                  \
             ": local kernels and all that is not named; packing and adding by our own loops; "    \
             "communication by operators; waiting at a barrier of our own before each "            \
             "operator and at the end, until the slowest rank has come",                           \
     .bars = "Value of a phase: on each rank the mean over the middle half of the "                \
             "repetitions, ordered by their time; then the median over ranks; the mean over "      \
             "launches.\nThese repetitions have barriers that the timed ones have not, and "       \
             "medians of phases add up to the median of the time only nearly.",                    \
     .y_label = "time",                                                                            \
     .looks = 1,                                                                                   \
     .divided = true,                                                                              \
     .y_ideal = NAN,                                                                               \
     .split = BIT(OP) | BIT(DIRECTION),                                                            \
     .takes = layer_divided,                                                                       \
     .value = divided_of}
const tgd_kind tgd_kinds[] = {
    DIVIDED("phases", "strong", "its size fixed"),
    DIVIDED("phases_weak", "weak", "the work of a rank fixed"),
    {.stem = "time_ranks",
     .script = "time_ranks",
     .scaling = "strong",
     .column = "time_us",
     .what = "Time against the number of ranks, the tensor fixed, beside the raw MPI call where "
             "there is one",
     .y_label = "time",
     .y_ideal = NAN,
     .split = BIT(BESIDE),
     .takes = primitive_forward,
     .value = time_of},
    {.stem = "layer_time",
     .script = "layer_strong",
     .scaling = "strong",
     .column = "time_us",
     .what = "Strong scaling of a layer: time against the number of ranks",
     .y_label = "time",
     .y_ideal = NAN,
     .split = BIT(OP),
     .takes = layer_any,
     .value = time_of},
    {.stem = "layer_speedup",
     .script = "layer_strong",
     .scaling = "strong",
     .column = "speedup",
     .what = "Strong scaling of a layer: speed-up P0 t(P0) / t(P) over the base case of P0 ranks, "
             "and the ideal, P",
     .y_label = "speed-up",
     .needs_base = true,
     .y_ideal = NAN,
     .split = BIT(OP),
     .takes = layer_any,
     .value = speedup_of},
    {.stem = "layer_efficiency",
     .script = "layer_strong",
     .scaling = "strong",
     .column = "efficiency",
     .what = "Strong scaling of a layer: efficiency P0 t(P0) / (P t(P)) over the base case of P0 "
             "ranks, and the ideal, 1",
     .y_label = "efficiency",
     .needs_base = true,
     .y_ideal = 1,
     .split = BIT(OP),
     .takes = layer_any,
     .value = efficiency_of},
    {.stem = "weak",
     .script = "weak",
     .scaling = "weak",
     .column = "time_us",
     .what = "Weak scaling: time against the number of ranks, the work of a rank fixed; ideal: the "
             "time of the base case",
     .y_label = "time",
     .y_ideal = NAN,
     .split = BIT(BESIDE),
     .takes = primitive_forward,
     .value = time_of},
    {.stem = "weak",
     .script = "weak",
     .scaling = "weak",
     .column = "time_us",
     .what = "Weak scaling of a layer: time against the number of ranks, the work of a rank fixed; "
             "ideal: the time of "
             "the base case",
     .y_label = "time",
     .y_ideal = NAN,
     .split = BIT(OP),
     .takes = layer_any,
     .value = time_of},
    {.stem = "size_time",
     .script = "size_time",
     .scaling = "size",
     .column = "time_us",
     .what = "Time against the size of the tensor, all primitives, raw MPI calls dotted",
     .y_label = "time",
     .along_size = true,
     .y_ideal = NAN,
     .split = BIT(RANKS),
     .takes = primitive_forward,
     .value = time_of},
    {.stem = "size_time",
     .script = "size_time",
     .scaling = "size",
     .column = "time_us",
     .what = "Time against the size of the tensor, beside the raw MPI call",
     .y_label = "time",
     .along_size = true,
     .needs_beside = true,
     .y_ideal = NAN,
     .split = BIT(BESIDE) | BIT(RANKS),
     .takes = primitive_forward,
     .value = time_of},
    {.stem = "size_time",
     .script = "size_time",
     .scaling = "size",
     .column = "time_us",
     .what = "Time of a layer against the size of its tensor",
     .y_label = "time",
     .along_size = true,
     .y_ideal = NAN,
     .split = BIT(OP) | BIT(RANKS),
     .takes = layer_any,
     .value = time_of},
    {.stem = "algorithms",
     .script = "size_time",
     .scaling = "size",
     .column = "time_us",
     .what =
         "Time against the size of the tensor, every algorithm of one operation, beside the raw "
         "MPI call, dotted",
     .y_label = "time",
     .along_size = true,
     .looks = TGD_MOST_LOOKS,
     .needs_rivals = true,
     .y_ideal = NAN,
     .split = BIT(BESIDE) | BIT(DIRECTION) | BIT(RANKS),
     .takes = primitive_apart,
     .value = time_of},
    {.stem = "size_busbw",
     .script = "size_bandwidth",
     .scaling = "size",
     .column = "busbw_GBps",
     .what = "Bus bandwidth against the size of the tensor: the largest unavoidable bytes into or "
             "out of one rank, per time",
     .y_label = "bus bandwidth (GB/s)",
     .along_size = true,
     .y_ideal = NAN,
     .split = BIT(RANKS),
     .takes = primitive_forward,
     .value = busbw_of},
    {.stem = "size_algbw",
     .script = "size_bandwidth",
     .scaling = "size",
     .column = "algbw_GBps",
     .what = "Algorithm bandwidth against the size of the tensor: the bytes of the tensor per time",
     .y_label = "algorithm bandwidth (GB/s)",
     .along_size = true,
     .y_ideal = NAN,
     .split = BIT(RANKS),
     .takes = primitive_forward,
     .value = algbw_of},
    {.stem = "adjoint",
     .script = "adjoint",
     .scaling = "strong",
     .column = "ratio",
     .what =
         "Time of the adjoint over the time of the forward operator, against the number of ranks",
     .y_label = "adjoint time / forward time",
     .y_ideal = 1,
     .split = BIT(SIZE),
     .takes = primitive_adjoint,
     .value = ratio_of},
    {.stem = "adjoint",
     .script = "adjoint",
     .scaling = "strong",
     .column = "ratio",
     .what = "Time of backward over the time of forward of a layer, against the number of ranks",
     .y_label = "backward time / forward time",
     .y_ideal = 1,
     .split = BIT(OP),
     .takes = layer_backward,
     .value = ratio_of},
    {.stem = "one_way",
     .script = "size_time",
     .scaling = "size",
     .column = "time_us",
     .what =
         "Time of a message from one rank to another, one way (half of there and back), against "
         "its size; busy: the ranks that send at once",
     .x_label = "message size (bytes)",
     .y_label = "time",
     .along_size = true,
     .y_ideal = NAN,
     .split = BIT(RANKS),
     .takes = machine_one_way,
     .value = one_way_of},
    {.stem = "link",
     .script = "size_bandwidth",
     .scaling = "size",
     .column = "algbw_GBps",
     .what =
         "Rate of one rank, one way, against the size of a message: one way alone, both ways at "
         "once, several under way together; busy: the ranks that send at once",
     .x_label = "message size (bytes)",
     .y_label = "rate of one rank (GB/s)",
     .along_size = true,
     .y_ideal = NAN,
     .split = BIT(RANKS),
     .takes = machine_message,
     .value = algbw_of},
    {.stem = "memory",
     .script = "size_bandwidth",
     .scaling = "size",
     .column = "algbw_GBps",
     .what = "Rate at which one rank reads and writes memory, against its working set; busy: the "
             "ranks that do so at once",
     .x_label = "working set of a rank (bytes)",
     .y_label = "memory rate of one rank (GB/s)",
     .along_size = true,
     .y_ideal = NAN,
     .split = BIT(RANKS),
     .takes = machine_memory,
     .value = algbw_of},
    {.stem = NULL},
};

/* A comparison asks one question of each sweep. */
#define COMPARED(along_what, sweep, name)                                                          \
    {.stem = name,                                                                                 \
     .script = "compare",                                                                          \
     .scaling = sweep,                                                                             \
     .column = "ratio",                                                                            \
     .what = "Time over the time of the run that it is compared with; above 1 it is slower",       \
     .bars = "Value: exp of the Hodges-Lehmann estimate of the shift between logarithms of "       \
             "launch medians.\nBars: its 95 % rank interval (Mann-Whitney); none below 6 "         \
             "launches.",                                                                          \
     .y_label = "time / time of A",                                                                \
     .along_size = along_what,                                                                     \
     .y_ideal = 1,                                                                                 \
     .split = BIT(OP),                                                                             \
     .takes = any_point,                                                                           \
     .value = compared_of}
const tgd_kind tgd_compare_kinds[] = {
    COMPARED(true, "size", "compare"),
    COMPARED(true, "strong", "compare"),
    COMPARED(false, "strong", "compare_ranks"),
    COMPARED(false, "weak", "compare_weak"),
    {.stem = NULL},
};
