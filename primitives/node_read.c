/* node_read.c: reading the memory of another process of the node, one copy of each byte.
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

void tg_node_read(const tg_node *node, int index, const tg_blocks *from, ptrdiff_t first,
                  ptrdiff_t bytes, const void *source, const tg_blocks *to, ptrdiff_t to_first,
                  void *target)
{
    enum { RUNS = 64 };
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
