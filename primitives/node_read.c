/* node_read.c: reading the memory of another process of the node, one copy of each byte: from where it
 * is mapped (share.h), else by the system.
 *
 * Linux lets a process read another one's memory when it may trace it (process_vm_readv(2)): mostly
 * processes of one user; a security module or a container may forbid it. So it is tried when a node
 * is opened, with a number that each rank keeps for its neighbour.
 * Source: Goglin and Moreaud, "KNEM: a generic and scalable kernel-assisted intra-node MPI
 * communication framework", JPDC 73 (2013): one copy by the kernel wins for long messages. */
#include "primitives/node.h"
#include "primitives/part.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

ptrdiff_t tg_shortest_run = 16 * 1024;
enum { RUNS = 64 }; /* that are copied with one look at the lists of both ends */

ptrdiff_t tg_run_least(const tg_problem *problem)
{
    enum { MAPPED = 64 };
    return problem->memory == TG_SHARED_MEMORY && MAPPED < tg_shortest_run ? MAPPED
                                                                           : tg_shortest_run;
}

void tg_remote_tell(const void *buffer, char *chunk)
{
    const tg_far far = tg_far_of(buffer);
    memcpy(chunk, &far, sizeof far);
}

tg_remote tg_remote_hear(tg_node *node, int index, const char *chunk)
{
    tg_remote heard;
    memcpy(&heard.far, chunk, sizeof heard.far);
    heard.here = tg_far_here(&node->views[index], node->process[index], &heard.far);
    return heard;
}

static ptrdiff_t shorter(size_t a, size_t b)
{
    return (ptrdiff_t)(a < b ? a : b);
}

/* As process_vm_readv does it, in this process. Returns the bytes copied. */
static ptrdiff_t copy_runs(struct iovec *near, int nnear, struct iovec *far, int nfar)
{
    ptrdiff_t copied = 0;
    for (int i = 0, k = 0; i < nnear && k < nfar;) {
        const ptrdiff_t bytes = shorter(near[i].iov_len, far[k].iov_len);
        memcpy(near[i].iov_base, far[k].iov_base, (size_t)bytes);
        near[i] = (struct iovec){(char *)near[i].iov_base + bytes, near[i].iov_len - (size_t)bytes};
        far[k] = (struct iovec){(char *)far[k].iov_base + bytes, far[k].iov_len - (size_t)bytes};
        i += near[i].iov_len == 0;
        k += far[k].iov_len == 0;
        copied += bytes;
    }
    return copied;
}

/* Do two lists have the same runs in the same loops, so that they can be walked together? */
static bool alike(const tg_blocks *a, const tg_blocks *b)
{
    bool same = a->count == b->count;
    for (int i = 0; i < a->count && same; i++) {
        const tg_block *p = &a->block[i], *q = &b->block[i];
        same = p->run_bytes == q->run_bytes && p->loops == q->loops &&
               memcmp(p->count, q->count, (size_t)p->loops * sizeof *p->count) == 0;
    }
    return same;
}

static void copy_mapped(const tg_blocks *from, ptrdiff_t first, ptrdiff_t bytes, const char *source,
                        const tg_blocks *to, char *target)
{
    struct iovec far[RUNS], near[RUNS];
    if (alike(from, to)) {
        tg_part_copy(from, first, bytes, source, to, target);
    } else if (tg_blocks_contiguous(from)) {
        tg_part_unpack(to, first, bytes, source + from->block->offset + first, target);
    } else if (tg_blocks_contiguous(to)) {
        tg_part_pack(from, first, bytes, source, target + to->block->offset + first);
    } else {
        while (bytes > 0) {
            const int nfar = tg_part_runs(from, first, bytes, source, far, RUNS),
                      nnear = tg_part_runs(to, first, bytes, target, near, RUNS);
            const ptrdiff_t got = copy_runs(near, nnear, far, nfar);
            first += got;
            bytes -= got;
        }
    }
}

/* By the system. The packed bytes begin at to_first in the blocks `to`. */
static void read_far(const tg_node *node, int index, const tg_blocks *from, ptrdiff_t first,
                     ptrdiff_t bytes, const char *source, const tg_blocks *to, ptrdiff_t to_first,
                     void *target)
{
    struct iovec far[RUNS], near[RUNS];
    while (bytes > 0) { /* as much as both lists of runs reach */
        const int nfar = tg_part_runs(from, first, bytes, source, far, RUNS),
                  nnear = tg_part_runs(to, to_first, bytes, target, near, RUNS);
        const ssize_t got = process_vm_readv(node->process[index], near, (unsigned long)nnear, far,
                                             (unsigned long)nfar, 0);
        if (got <= 0) {
            perror("tensorgauge: process_vm_readv, which worked while planning");
            MPI_Abort(node->mpi, 1);
        }
        first += got;
        to_first += got;
        bytes -= got;
    }
}

void tg_node_read(const tg_node *node, int index, const tg_blocks *from, ptrdiff_t first,
                  ptrdiff_t bytes, const tg_remote *source, const tg_blocks *to, void *target)
{
    if (source->here)
        copy_mapped(from, first, bytes, source->here, to, target);
    else
        read_far(node, index, from, first, bytes, source->far.address, to, first, target);
}

const char *tg_node_look(const tg_node *node, int index, const tg_blocks *from, ptrdiff_t first,
                         ptrdiff_t bytes, const tg_remote *source, char *scratch)
{
    tg_block run = {.run_bytes = bytes};
    const tg_blocks packed = {&run, 1};
    if (source->here && tg_blocks_contiguous(from))
        return source->here + from->block->offset + first;
    if (source->here)
        tg_part_pack(from, first, bytes, source->here, scratch);
    else
        read_far(node, index, from, first, bytes, source->far.address, &packed, 0, scratch);
    return scratch;
}

/* What a rank tells the others of its node. */
typedef struct {
    int64_t process, number;
    uint64_t address; /* of the number */
} lookout;

void tg_node_try_reading(tg_node *node)
{
    static int64_t number; /* at an address that this process keeps */
    lookout all, mine = {.process = getpid(), .address = (uintptr_t)&number};
    const int next = (node->rank + 1) % node->size,
              last = (node->rank + node->size - 1) % node->size;
    number = mine.number = mine.process * 1000003 + node->rank;
    MPI_Sendrecv(&mine, sizeof mine, MPI_BYTE, last, 0, &all, sizeof all, MPI_BYTE, next, 0,
                 node->mpi, MPI_STATUS_IGNORE);
    int64_t seen = 0;
    const struct iovec near = {&seen, sizeof seen},
                       far = {(void *)(uintptr_t)all.address, sizeof seen};
    int good = process_vm_readv((pid_t)all.process, &near, 1, &far, 1, 0) == sizeof seen &&
               seen == all.number;
    MPI_Allreduce(MPI_IN_PLACE, &good, 1, MPI_INT, MPI_LAND, node->mpi);
    const int process = (int)mine.process;
    MPI_Allgather(&process, 1, MPI_INT, node->process, 1, MPI_INT, node->mpi);
    if (!good) {
        free(node->process);
        node->process = NULL;
    }
}
