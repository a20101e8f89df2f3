/* places.c: a binomial tree on which bytes are joined, and runs of ranks. */
#include "bench/places.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TAG = 1 };

/* ---- bytes ---- */

void tgb_join_bytes(tgb_bytes *bytes, const void *more, size_t size)
{
    char *grown = size > 0 ? realloc(bytes->at, bytes->size + size) : NULL;
    if (grown) {
        memcpy(grown + bytes->size, more, size);
        bytes->at = grown;
        bytes->size += size;
    } else {
        bytes->failed = bytes->failed || size > 0;
    }
}

/* One message; an empty one says that there was no memory. */
static void receive(MPI_Comm comm, int from, tgb_join_fn *join, tgb_bytes *bytes)
{
    MPI_Status status;
    int size;
    MPI_Probe(from, TAG, comm, &status);
    MPI_Get_count(&status, MPI_BYTE, &size);
    void *more = malloc(size > 0 ? (size_t)size : 1);
    if (more) {
        MPI_Recv(more, size, MPI_BYTE, from, TAG, comm, MPI_STATUS_IGNORE);
        join(bytes, more, (size_t)size);
    }
    bytes->failed = bytes->failed || !more || size == 0;
    free(more);
}

void tgb_gather_bytes(MPI_Comm comm, tgb_join_fn *join, tgb_bytes *bytes)
{
    int rank, ranks, step = 1;
    MPI_Comm_rank(comm, &rank);
    MPI_Comm_size(comm, &ranks);
    for (; step < ranks && (rank & step) == 0; step *= 2)
        if (rank + step < ranks)
            receive(comm, rank + step, join, bytes);
    if (rank == 0)
        return;
    MPI_Send(bytes->at, bytes->failed ? 0 : (int)bytes->size, MPI_BYTE, rank - step, TAG, comm);
    free(bytes->at);
    *bytes = (tgb_bytes){.at = NULL};
}

/* ---- runs ---- */

/* The CPU, when the binding is a single one; -1: it is a list. */
static int single_cpu(const tgb_run *run)
{
    char *end;
    const long cpu = strtol(run->binding, &end, 10);
    return end != run->binding && *end == '\0' ? (int)cpu : -1;
}

/* Whether the second run goes on where the first one ends; then it is put into the first. */
static bool extend(tgb_run *a, const tgb_run *b)
{
    const bool same = strcmp(a->binding, b->binding) == 0 && a->cpu_step == 0;
    const int cpu = single_cpu(a), next = single_cpu(b);
    if (!same && (cpu < 0 || next < 0))
        return false;
    const int last = a->rank + (a->count - 1) * a->rank_step;
    const int rank_step = a->count > 1 ? a->rank_step : b->rank - last;
    const int cpu_step = a->count > 1 ? a->cpu_step : same ? 0 : next - cpu;
    const int expected = cpu + a->count * cpu_step;
    if (b->rank != last + rank_step || (cpu >= 0 && next != expected) || (cpu < 0 && cpu_step != 0))
        return false;
    if (b->count > 1 && (b->rank_step != rank_step || b->cpu_step != cpu_step))
        return false;
    a->rank_step = rank_step;
    a->cpu_step = cpu_step;
    a->count += b->count;
    return true;
}

void tgb_join_runs(tgb_bytes *bytes, const void *more, size_t size)
{
    for (size_t i = 0; i < size; i += sizeof(tgb_run)) {
        tgb_run next, *last = NULL;
        memcpy(&next, (const char *)more + i, sizeof next);
        if (bytes->size > 0)
            last = (tgb_run *)bytes->at + bytes->size / sizeof next - 1;
        if (!last || !extend(last, &next))
            tgb_join_bytes(bytes, &next, sizeof next);
    }
}

void tgb_run_binding(const tgb_run *run, int i, char *text, size_t size)
{
    if (run->cpu_step == 0)
        snprintf(text, size, "%s", run->binding);
    else
        snprintf(text, size, "%d", single_cpu(run) + i * run->cpu_step);
}
