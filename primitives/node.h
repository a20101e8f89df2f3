/* node.h: the ranks of one node, and the memory that they share. Private to the room.
 *
 * Every rank of the node has a ring of slots in shared memory. It fills them one after the other
 * with chunks; a chunk has one reader or several, which wait for its number. A slot is filled again
 * when all its readers have let go. So nobody waits at the beginning of an apply, and a rank that
 * has filled its last chunk may leave before others have read it.
 *
 * Chunks are numbered from the node's beginning, over all applies: each rank knows how many chunks
 * each rank of the node fills in one apply of a plan, and adds them up, taking part or not. */
#ifndef TG_NODE_H
#define TG_NODE_H

#include "primitives/op.h"

#include <stdatomic.h>
#include <sys/types.h>

/* At most so many ranks count as one node. A test lowers it, on all ranks alike and before it plans,
 * so that one machine stands for several. */
extern int tg_node_size;

enum { TG_NODE_SLOTS = 8, TG_CHUNK_BYTES = 128 * 1024, TG_LINE_BYTES = 64 };

/* No chunk is larger. A test lowers it, to a multiple of 8 and as above, so that small tensors are
 * many chunks. */
extern ptrdiff_t tg_largest_chunk;

/* Calls: Local. The bytes of a chunk of something: small enough that readers begin soon and the next
 * chunk is filled meanwhile, large enough to be worth a look. */
ptrdiff_t tg_chunk_of(ptrdiff_t bytes);

/* The head of a slot: what the writer changes and what readers change, in lines of the cache of
 * their own. */
typedef struct {
    _Alignas(TG_LINE_BYTES) _Atomic uint64_t filled; /* number of the chunk, counted from 1 */
    _Alignas(TG_LINE_BYTES) _Atomic int readers;     /* that have not let go of it */
} tg_slot;

typedef struct {
    tg_slot slot[TG_NODE_SLOTS];
    _Alignas(TG_LINE_BYTES) char data[TG_NODE_SLOTS][TG_CHUNK_BYTES];
} tg_ring;

struct tg_node {
    MPI_Comm mpi;
    int rank, size; /* in mpi */
    int *ranks;     /* of the plans' communicator, ascending: its cost is the node's size */
    MPI_Win window; /* MPI_WIN_NULL: a rank alone */
    tg_ring **ring; /* of each rank */
    uint64_t *done; /* chunks that each rank has filled in earlier applies */
    pid_t *process; /* of each rank; NULL: the system does not let them read each other's memory */
};

/* Calls: Collective on comm->mpi. The node of this rank, made once. Errors: TG_NO_MEMORY, agreed by
 * all ranks. tg_node_close frees it, or NULL; Collective. */
tg_status tg_node_open(tg_comm *comm, tg_node **node);
void tg_node_close(tg_node *node);

/* Calls: Local. The index in the node of a rank of the plans' communicator; -1: another node. */
int tg_node_index(const tg_node *node, int rank);

/* Calls: Local. The place of chunk `number` of this rank if it is free to be filled, else NULL; and
 * letting `readers` (at least 1) have it. */
char *tg_chunk_begin(const tg_node *node, uint64_t number);
void tg_chunk_give(const tg_node *node, uint64_t number, int readers);

/* Calls: Local. Chunk `number` of a rank of the node if it has been filled, else NULL; and letting it
 * go, once for each reader. */
const char *tg_chunk_look(const tg_node *node, int index, uint64_t number);
void tg_chunk_drop(const tg_node *node, int index, uint64_t number);

/* Runs of at least so many bytes are read from another process as they lie. A test lowers it. */
extern ptrdiff_t tg_shortest_run;

/* Calls: Local. Copy packed bytes [first, first + bytes) of blocks from a buffer of a rank of the node
 * to [to_first, ...) of blocks in a buffer here. node->process is not NULL. A system that stops
 * letting us ends the job. */
void tg_node_read(const tg_node *node, int index, const tg_blocks *from, ptrdiff_t first,
                  ptrdiff_t bytes, const void *source, const tg_blocks *to, ptrdiff_t to_first,
                  void *target);
/* Calls: Collective on node->mpi. Fills node->process, which has been allocated, or frees it. */
void tg_node_try_reading(tg_node *node);

/* Calls: Local. What a rank does that found nothing to do, for the `idle`-th time in a row: waits a
 * moment, then lets others have the core, and MPI move its messages on. */
void tg_node_wait(const tg_op *op, int idle);

#endif
