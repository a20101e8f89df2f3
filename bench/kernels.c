/* kernels.c: the work of machine operations: messages between pairs of ranks, copy and triad in
 * memory, a matrix product, a quantum of arithmetic; with their inputs and the check of their outputs. The first ranks of
 * the layout of x work, the others have nothing to do. Source of the triad: J. McCalpin's STREAM. */
#include "bench/kernels.h"

#include "bench/mates.h"

#include <stdlib.h>
#include <string.h>

enum { TAG = 1 };

/* ---- this rank's place ---- */

static bool works(const tgb_work *work)
{
    return work->rank < tg_layout_size(&work->setup->problem.x);
}

static const tgb_mates *mates_of(const tgb_work *work)
{
    return work->raw;
}

/* Does this rank send and receive? One without a mate works, but has nothing to do. */
static bool has_mate(const tgb_work *work)
{
    return works(work) && mates_of(work)->to != MPI_PROC_NULL;
}

static bool is_first(const tgb_work *work)
{
    return work->rank < mates_of(work)->to;
}

static ptrdiff_t entries(const tgb_work *work)
{
    return tg_layout_count(&work->setup->problem.x);
}

/* ---- values ---- */

/* A whole number from -8 to 8 made from (seed, rank, entry). */
static double value_at(const tgb_work *work, int rank, ptrdiff_t entry)
{
    uint64_t h =
        (work->seed + 1) * UINT64_C(0x9E3779B97F4A7C15) + (uint64_t)entry + ((uint64_t)rank << 40);
    h = (h ^ h >> 31) * UINT64_C(0xBF58476D1CE4E5B9);
    return (double)((h >> 33) % 17) - 8;
}

static double entry_of(const tgb_work *work, const void *buffer, ptrdiff_t i)
{
    const bool is_f32 = work->setup->problem.dtype->size == sizeof(float);
    return is_f32 ? (double)((const float *)buffer)[i] : ((const double *)buffer)[i];
}

void tgb_kernel_fill(tgb_work *work)
{
    const ptrdiff_t count = work->x_bytes / (ptrdiff_t)work->setup->problem.dtype->size;
    const bool is_f32 = work->setup->problem.dtype->size == sizeof(float);
    for (ptrdiff_t i = 0; i < count; i++) {
        const double value = value_at(work, work->rank, i);
        if (is_f32)
            ((float *)work->x)[i] = (float)value;
        else
            ((double *)work->x)[i] = value;
    }
    memset(work->y, TGB_NOTHING_RIGHT, (size_t)work->y_bytes);
}

/* Of all of y: the tensor once, or as often as messages of a stream have brought it. */
static ptrdiff_t count_unequal(const tgb_work *work, double (*right)(const tgb_work *, ptrdiff_t))
{
    const ptrdiff_t count = work->y_bytes / (ptrdiff_t)work->setup->problem.dtype->size;
    ptrdiff_t wrong = 0;
    for (ptrdiff_t i = 0; works(work) && i < count; i++)
        wrong += entry_of(work, work->y, i) != right(work, i % entries(work));
    return wrong;
}

/* ---- messages ---- */

/* The second rank sends back what it has received. */
static void run_one_way(tgb_work *work)
{
    const MPI_Datatype type = work->setup->problem.dtype->mpi();
    const int count = (int)entries(work), other = mates_of(work)->to;
    if (!has_mate(work))
        return;
    if (is_first(work)) {
        MPI_Send(work->x, count, type, other, TAG, work->comm);
        MPI_Recv(work->y, count, type, other, TAG, work->comm, MPI_STATUS_IGNORE);
    } else {
        MPI_Recv(work->y, count, type, other, TAG, work->comm, MPI_STATUS_IGNORE);
        MPI_Send(work->y, count, type, other, TAG, work->comm);
    }
}

static double right_of_first(const tgb_work *work, ptrdiff_t i)
{
    return value_at(work, is_first(work) ? work->rank : mates_of(work)->to, i);
}

static ptrdiff_t wrong_one_way(tgb_work *work)
{
    return has_mate(work) ? count_unequal(work, right_of_first) : 0;
}

static void run_both_ways(tgb_work *work)
{
    const MPI_Datatype type = work->setup->problem.dtype->mpi();
    const int count = (int)entries(work);
    if (has_mate(work))
        MPI_Sendrecv(work->x, count, type, mates_of(work)->to, TAG, work->y, count, type,
                     mates_of(work)->from, TAG, work->comm, MPI_STATUS_IGNORE);
}

static double right_of_partner(const tgb_work *work, ptrdiff_t i)
{
    return value_at(work, mates_of(work)->from, i);
}

static ptrdiff_t wrong_both_ways(tgb_work *work)
{
    return has_mate(work) ? count_unequal(work, right_of_partner) : 0;
}

/* All messages are under way together, each to its own place in y; an empty one says that the last
 * has come. */
static void run_stream(tgb_work *work)
{
    const MPI_Datatype type = work->setup->problem.dtype->mpi();
    const int count = (int)entries(work), other = mates_of(work)->to, messages = work->setup->trips;
    MPI_Request *requests = mates_of(work)->requests;
    if (!has_mate(work))
        return;
    if (is_first(work)) {
        for (int i = 0; i < messages; i++)
            MPI_Isend(work->x, count, type, other, TAG, work->comm, &requests[i]);
        MPI_Waitall(messages, requests, MPI_STATUSES_IGNORE);
        MPI_Recv(NULL, 0, type, other, TAG, work->comm, MPI_STATUS_IGNORE);
    } else {
        for (int i = 0; i < messages; i++)
            MPI_Irecv((char *)work->y + i * work->x_bytes, count, type, other, TAG, work->comm,
                      &requests[i]);
        MPI_Waitall(messages, requests, MPI_STATUSES_IGNORE);
        MPI_Send(NULL, 0, type, other, TAG, work->comm);
    }
}

static ptrdiff_t wrong_stream(tgb_work *work)
{
    return has_mate(work) && !is_first(work) ? count_unequal(work, right_of_first) : 0;
}

static ptrdiff_t one_message(const tgb_work *work)
{
    return has_mate(work);
}

static ptrdiff_t messages_of_stream(const tgb_work *work)
{
    return !has_mate(work) ? 0 : is_first(work) ? work->setup->trips : 1;
}

/* ---- memory ---- */

static void run_copy(tgb_work *work)
{
    if (works(work))
        memcpy(work->y, work->x, (size_t)work->y_bytes);
}

static double right_copy(const tgb_work *work, ptrdiff_t i)
{
    return value_at(work, work->rank, i);
}

static ptrdiff_t wrong_copy(tgb_work *work)
{
    return count_unequal(work, right_copy);
}

enum { FACTOR = 3 };

static void triad_f32(ptrdiff_t n, const float *b, const float *c, float *restrict y)
{
    for (ptrdiff_t i = 0; i < n; i++)
        y[i] = b[i] + FACTOR * c[i];
}

static void triad_f64(ptrdiff_t n, const double *b, const double *c, double *restrict y)
{
    for (ptrdiff_t i = 0; i < n; i++)
        y[i] = b[i] + FACTOR * c[i];
}

static void run_triad(tgb_work *work)
{
    const ptrdiff_t n = entries(work);
    if (!works(work))
        return;
    if (work->setup->problem.dtype->size == sizeof(float))
        triad_f32(n, work->x, (const float *)work->x + n, work->y);
    else
        triad_f64(n, work->x, (const double *)work->x + n, work->y);
}

static double right_triad(const tgb_work *work, ptrdiff_t i)
{
    return value_at(work, work->rank, i) + FACTOR * value_at(work, work->rank, entries(work) + i);
}

static ptrdiff_t wrong_triad(tgb_work *work)
{
    return count_unequal(work, right_triad);
}

static double flops_of_triad(const tgb_work *work)
{
    return works(work) ? 2 * (double)entries(work) : 0;
}

/* ---- a matrix product ---- */

static ptrdiff_t rows_of(const tgb_work *work)
{
    return work->setup->problem.x.axis[0].extent;
}

static void run_gemm(tgb_work *work)
{
    const ptrdiff_t n = rows_of(work), size = (ptrdiff_t)work->setup->problem.dtype->size;
    if (works(work) && n > 0)
        tgl_multiply(work->setup->algorithm, work->setup->problem.dtype, n, work->x,
                     (const char *)work->x + n * n * size, work->y);
}

/* Entries of one row that differ from a b, one by one. */
static ptrdiff_t wrong_in_row(const tgb_work *work, ptrdiff_t row, ptrdiff_t n)
{
    ptrdiff_t wrong = 0;
    for (ptrdiff_t j = 0; j < n; j++) {
        double sum = 0;
        for (ptrdiff_t k = 0; k < n; k++)
            sum += entry_of(work, work->x, row * n + k) * entry_of(work, work->x, (n + k) * n + j);
        wrong += entry_of(work, work->y, row * n + j) != sum;
    }
    return wrong;
}

/* c r = a (b r) for a vector r of whole numbers, exact in double; a row that is not equal is looked
 * at entry by entry (Freivalds, 1977). */
static ptrdiff_t wrong_gemm(tgb_work *work)
{
    const ptrdiff_t n = works(work) ? rows_of(work) : 0;
    double *product = malloc(((size_t)n + 1) * sizeof *product);
    ptrdiff_t wrong = 0;
    for (ptrdiff_t k = 0; product && k < n; k++) {
        product[k] = 0;
        for (ptrdiff_t j = 0; j < n; j++)
            product[k] += entry_of(work, work->x, (n + k) * n + j) * (9 + value_at(work, -1, j));
    }
    for (ptrdiff_t i = 0; product && i < n; i++) {
        double left = 0, right = 0;
        for (ptrdiff_t j = 0; j < n; j++) {
            left += entry_of(work, work->y, i * n + j) * (9 + value_at(work, -1, j));
            right += entry_of(work, work->x, i * n + j) * product[j];
        }
        wrong += left == right ? 0 : wrong_in_row(work, i, n);
    }
    const bool had_memory = product != NULL;
    free(product);
    return had_memory ? wrong : -1;
}

static double flops_of_gemm(const tgb_work *work)
{
    const double n = (double)rows_of(work);
    return works(work) ? 2 * n * n * n : 0;
}

/* ---- a quantum: the same arithmetic each time, in registers ---- */

/* A linear congruence modulo 2^64 (Knuth's factor), so many steps for each entry. */
enum { STEPS = 1000 };
static const uint64_t multiplier = UINT64_C(6364136223846793005),
                      increment = UINT64_C(1442695040888963407);

static double entry_from(uint64_t state)
{
    return (double)(state >> 40);
}

static void run_quantum(tgb_work *work)
{
    const bool is_f32 = work->setup->problem.dtype->size == sizeof(float);
    for (ptrdiff_t i = 0; works(work) && i < entries(work); i++) {
        uint64_t state = (uint64_t)(entry_of(work, work->x, i) + 8);
        for (int k = 0; k < STEPS; k++)
            state = state * multiplier + increment;
        if (is_f32)
            ((float *)work->y)[i] = (float)entry_from(state);
        else
            ((double *)work->y)[i] = entry_from(state);
    }
}

/* All steps at once: STEPS in binary, with the step squared for each bit. */
static double right_quantum(const tgb_work *work, ptrdiff_t i)
{
    uint64_t factor = 1, sum = 0, step_factor = multiplier, step_sum = increment;
    for (int left = STEPS; left > 0; left >>= 1) {
        if (left & 1) {
            factor *= step_factor;
            sum = sum * step_factor + step_sum;
        }
        step_sum *= step_factor + 1;
        step_factor *= step_factor;
    }
    return entry_from((uint64_t)(value_at(work, work->rank, i) + 8) * factor + sum);
}

static ptrdiff_t wrong_quantum(tgb_work *work)
{
    return count_unequal(work, right_quantum);
}

/* ---- rows ---- */

const tgb_kernel tgb_kernel_one_way = {run_one_way, wrong_one_way, NULL, one_message};
const tgb_kernel tgb_kernel_both_ways = {run_both_ways, wrong_both_ways, NULL, one_message};
const tgb_kernel tgb_kernel_stream = {run_stream, wrong_stream, NULL, messages_of_stream};
const tgb_kernel tgb_kernel_copy = {run_copy, wrong_copy, NULL, NULL};
const tgb_kernel tgb_kernel_triad = {run_triad, wrong_triad, flops_of_triad, NULL};
const tgb_kernel tgb_kernel_gemm = {run_gemm, wrong_gemm, flops_of_gemm, NULL};
const tgb_kernel tgb_kernel_quantum = {run_quantum, wrong_quantum, NULL, NULL};
