/* count.c: messages, collectives and types of any number of entries, out of calls that count in
 * int, or in MPI_Count where the library has those of MPI 4.
 *
 * n entries make n div L calls of L = tg_largest_count entries and one of the rest; one call with
 * counts of MPI 4, which have no limit. A reduction is done entry by entry, so that the sums of the
 * parts are the parts of the sum. */
#include "primitives/count.h"

#include <limits.h>

#ifdef TG_HAVE_LARGE_COUNTS
ptrdiff_t tg_largest_count = PTRDIFF_MAX;
#else
ptrdiff_t tg_largest_count = INT_MAX;
#endif
ptrdiff_t tg_largest_int = INT_MAX;

/* The function `name` with these arguments, in which n stands for the count; its form with wider
 * counts only where an int is too narrow, as tools that listen to MPI may not know that form. */
#ifdef TG_HAVE_LARGE_COUNTS
#define CALL(name, entries, ...)                                                                   \
    do {                                                                                           \
        if ((entries) > tg_largest_int) {                                                          \
            const MPI_Count n = (entries);                                                         \
            name##_c(__VA_ARGS__);                                                                 \
        } else {                                                                                   \
            const int n = (int)(entries);                                                          \
            name(__VA_ARGS__);                                                                     \
        }                                                                                          \
    } while (0)
#else
#define CALL(name, entries, ...)                                                                   \
    do {                                                                                           \
        const int n = (int)(entries);                                                              \
        name(__VA_ARGS__);                                                                         \
    } while (0)
#endif

bool tg_count_fits(ptrdiff_t count)
{
    return count <= tg_largest_int && count <= tg_largest_count;
}

ptrdiff_t tg_count_most(ptrdiff_t count)
{
    return count < tg_largest_count ? count : tg_largest_count;
}

int tg_count_calls(ptrdiff_t count)
{
    return (int)(count / tg_largest_count + (count % tg_largest_count > 0));
}

/* One call's share of a count. */
typedef struct {
    ptrdiff_t count;
    ptrdiff_t offset; /* bytes */
} share;

static share share_of(ptrdiff_t count, const tg_dtype *dtype, int call)
{
    ptrdiff_t before = call * tg_largest_count, left = count - before;
    return (share){tg_count_most(left), before * (ptrdiff_t)dtype->size};
}

/* The address of a share; MPI_IN_PLACE and NULL stay what they are. */
static void *at(const void *buffer, share s)
{
    void *start = (void *)(uintptr_t)buffer;
    return start && start != MPI_IN_PLACE ? (char *)start + s.offset : start;
}

void tg_start_send(const tg_op *op, const void *in, ptrdiff_t count, int to, MPI_Request *requests)
{
    for (int i = 0; i < tg_count_calls(count); i++) {
        share s = share_of(count, op->dtype, i);
        CALL(MPI_Isend, s.count, at(in, s), n, op->dtype->mpi(), to, op->tag, op->comm,
             &requests[i]);
    }
}

void tg_start_receive(const tg_op *op, void *out, ptrdiff_t count, int from, MPI_Request *requests)
{
    for (int i = 0; i < tg_count_calls(count); i++) {
        share s = share_of(count, op->dtype, i);
        CALL(MPI_Irecv, s.count, at(out, s), n, op->dtype->mpi(), from, op->tag, op->comm,
             &requests[i]);
    }
}

void tg_send(const tg_op *op, const void *in, ptrdiff_t count, int to)
{
    for (int i = 0; i < tg_count_calls(count); i++) {
        share s = share_of(count, op->dtype, i);
        CALL(MPI_Send, s.count, at(in, s), n, op->dtype->mpi(), to, op->tag, op->comm);
    }
}

void tg_receive(const tg_op *op, void *out, ptrdiff_t count, int from)
{
    for (int i = 0; i < tg_count_calls(count); i++) {
        share s = share_of(count, op->dtype, i);
        CALL(MPI_Recv, s.count, at(out, s), n, op->dtype->mpi(), from, op->tag, op->comm,
             MPI_STATUS_IGNORE);
    }
}

void tg_make_send(const tg_op *op, const void *in, ptrdiff_t count, int to, MPI_Request *requests)
{
    for (int i = 0; i < tg_count_calls(count); i++) {
        share s = share_of(count, op->dtype, i);
        CALL(MPI_Send_init, s.count, at(in, s), n, op->dtype->mpi(), to, op->tag, op->comm,
             &requests[i]);
    }
}

void tg_make_receive(const tg_op *op, void *out, ptrdiff_t count, int from, MPI_Request *requests)
{
    for (int i = 0; i < tg_count_calls(count); i++) {
        share s = share_of(count, op->dtype, i);
        CALL(MPI_Recv_init, s.count, at(out, s), n, op->dtype->mpi(), from, op->tag, op->comm,
             &requests[i]);
    }
}

#ifdef TG_HAVE_RMA
void tg_put(const void *in, ptrdiff_t count, const tg_dtype *dtype, int to, ptrdiff_t bytes,
            MPI_Win window)
{
    for (int i = 0; i < tg_count_calls(count); i++) {
        share s = share_of(count, dtype, i);
        CALL(MPI_Put, s.count, at(in, s), n, dtype->mpi(), to, bytes + s.offset, n, dtype->mpi(),
             window);
    }
}
#endif

void tg_bcast(void *buffer, ptrdiff_t count, const tg_dtype *dtype, int root, MPI_Comm comm)
{
    for (int i = 0; i < tg_count_calls(count); i++) {
        share s = share_of(count, dtype, i);
        CALL(MPI_Bcast, s.count, at(buffer, s), n, dtype->mpi(), root, comm);
    }
}

void tg_reduce(const void *in, void *out, ptrdiff_t count, const tg_dtype *dtype, int root,
               MPI_Comm comm)
{
    for (int i = 0; i < tg_count_calls(count); i++) {
        share s = share_of(count, dtype, i);
        CALL(MPI_Reduce, s.count, at(in, s), at(out, s), n, dtype->mpi(), dtype->sum(), root, comm);
    }
}

void tg_allreduce(const void *in, void *out, ptrdiff_t count, const tg_dtype *dtype, MPI_Comm comm)
{
    for (int i = 0; i < tg_count_calls(count); i++) {
        share s = share_of(count, dtype, i);
        CALL(MPI_Allreduce, s.count, at(in, s), at(out, s), n, dtype->mpi(), dtype->sum(), comm);
    }
}

#ifdef TG_HAVE_PERSISTENT_COLLECTIVES
void tg_make_bcast(void *buffer, ptrdiff_t count, const tg_dtype *dtype, int root, MPI_Comm comm,
                   MPI_Request *requests)
{
    for (int i = 0; i < tg_count_calls(count); i++) {
        share s = share_of(count, dtype, i);
        CALL(MPI_Bcast_init, s.count, at(buffer, s), n, dtype->mpi(), root, comm, MPI_INFO_NULL,
             &requests[i]);
    }
}

void tg_make_reduce(const void *in, void *out, ptrdiff_t count, const tg_dtype *dtype, int root,
                    MPI_Comm comm, MPI_Request *requests)
{
    for (int i = 0; i < tg_count_calls(count); i++) {
        share s = share_of(count, dtype, i);
        CALL(MPI_Reduce_init, s.count, at(in, s), at(out, s), n, dtype->mpi(), dtype->sum(), root,
             comm, MPI_INFO_NULL, &requests[i]);
    }
}

void tg_make_allreduce(const void *in, void *out, ptrdiff_t count, const tg_dtype *dtype,
                       MPI_Comm comm, MPI_Request *requests)
{
    for (int i = 0; i < tg_count_calls(count); i++) {
        share s = share_of(count, dtype, i);
        CALL(MPI_Allreduce_init, s.count, at(in, s), at(out, s), n, dtype->mpi(), dtype->sum(),
             comm, MPI_INFO_NULL, &requests[i]);
    }
}
#endif

MPI_Datatype tg_type_repeat(ptrdiff_t count, ptrdiff_t stride, MPI_Datatype old)
{
    MPI_Datatype type;
    if (count <= tg_largest_count) {
        CALL(MPI_Type_create_hvector, count, n, 1, stride, old, &type);
        return type;
    }
    const int ones[2] = {1, 1};
    const ptrdiff_t rest = count % tg_largest_count;
    MPI_Aint starts[2] = {0, (count - rest) * stride};
    MPI_Datatype full = tg_type_repeat(tg_largest_count, stride, old), parts[2];
    parts[0] = tg_type_repeat(count / tg_largest_count, tg_largest_count * stride, full);
    parts[1] = tg_type_repeat(rest > 0 ? rest : 1, stride, old);
    MPI_Type_create_struct(rest > 0 ? 2 : 1, ones, starts, parts, &type);
    MPI_Type_free(&full);
    MPI_Type_free(&parts[0]);
    MPI_Type_free(&parts[1]);
    return type;
}
