/* node.h: the ranks of one node, and the memory that they share. Private to the room.
 *
 * Every rank of the node has a ring of slots in shared memory. It fills them one after the other
 * with chunks; a chunk has one reader or several, which wait for its number. A slot is filled again
 * when all its readers have let go. So nobody waits at the beginning of an apply, and a rank that
 * has filled its last chunk may leave before others have read it.
 *
 * Chunks are numbered from the node's beginning, over all applies: each rank knows how many chunks
 * each rank of the node fills in one apply of a plan, and adds them up when it begins, taking part
 * or not.
 *
 * A second ring is for applies in two halves: the first half fills of it what is free and waits for
 * nobody, the second half fills the rest into the first ring, as a whole apply does, and readers
 * look into both. So chunks of operators under way keep no other operator waiting, whatever is
 * applied or finished in between. */
#ifndef TG_NODE_H
#define TG_NODE_H

#include "primitives/op.h"
#include "primitives/share.h"

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

/* What fills a ring: whole applies and second halves; first halves. */
enum { TG_LATE, TG_EARLY, TG_RINGS };

struct tg_node {
    MPI_Comm mpi;
    int rank, size;  /* in mpi */
    int *ranks;      /* of the plans' communicator, ascending: its cost is the node's size */
    MPI_Win window;  /* MPI_WIN_NULL: a rank alone */
    tg_ring **ring;  /* TG_RINGS of each rank */
    uint64_t *done;  /* chunks of each rank that have got their numbers */
    pid_t *process;  /* of each rank; NULL: the system does not let them read each other's memory */
    tg_views *views; /* of each rank: what is mapped of its memory */
};

/* Calls: Collective on comm->mpi. The node of this rank, made once. Errors: TG_NO_MEMORY, agreed by
 * all ranks. tg_node_close frees it, or NULL; Collective. */
tg_status tg_node_open(tg_comm *comm, tg_node **node);
void tg_node_close(tg_node *node);

/* Calls: Local. The index in the node of a rank of the plans' communicator; -1: another node. */
int tg_node_index(const tg_node *node, int rank);

/* The chunks of an apply. The chunks of each rank are counted from 0 here. */
typedef struct {
    tg_node *node;
    uint64_t *fills; /* chunks that each rank of the node fills in an apply */
    uint64_t *first; /* number of each rank's first chunk of this apply */
    bool halves;     /* of this apply */
    int ring;        /* that is filled now */
} tg_chunks;

/* Calls: Collective on node->mpi. Every rank says how many chunks it fills in an apply of a plan,
 * whose tables tg_chunks_keep has made; that is Local. Errors: TG_NO_MEMORY. */
tg_status tg_chunks_keep(tg_op *op, tg_node *node, tg_chunks *chunks);
void tg_chunks_tell(tg_chunks *chunks, uint64_t fills);
void tg_chunks_free(tg_chunks *chunks);

/* Calls: Local. An apply begins, whole or in halves; its second half begins. */
void tg_chunks_begin(tg_chunks *chunks, bool halves);
void tg_chunks_go_on(tg_chunks *chunks);

/* Calls: Local. The place of a chunk of this rank if it is free to be filled, else NULL; letting
 * `readers` (at least 1) have it; and have all of them let it go? */
char *tg_chunk_begin(const tg_chunks *chunks, uint64_t chunk);
void tg_chunk_give(const tg_chunks *chunks, uint64_t chunk, int readers);
bool tg_chunk_is_read(const tg_chunks *chunks, uint64_t chunk);

/* Calls: Local. A chunk of a rank of the node if it has been filled, else NULL; and letting it go,
 * once for each reader. */
const char *tg_chunk_look(const tg_chunks *chunks, int index, uint64_t chunk);
void tg_chunk_drop(const tg_chunks *chunks, int index, uint64_t chunk);

/* Pieces of at least so many bytes, in runs of at least so many, are read from another process as they
 * lie. A test lowers it. tg_run_least: the runs of a problem, which may be shorter in memory that is
 * mapped. */
extern ptrdiff_t tg_shortest_run;
ptrdiff_t tg_run_least(const tg_problem *problem);

/* A buffer of a rank of the node, as it told in a chunk. */
typedef struct {
    tg_far far;
    const char *here; /* in this process; NULL: not mapped */
} tg_remote;

/* Calls: Local. Write a buffer of this rank to a chunk; and read a chunk of a rank. */
void tg_remote_tell(const void *buffer, char *chunk);
tg_remote tg_remote_hear(tg_node *node, int index, const char *chunk);

/* Calls: Local. Copy packed bytes [first, first + bytes) of blocks `from` in a buffer of a rank of the
 * node to blocks `to` here, or have them one behind the other: the place returned is in the buffer
 * itself or is the scratch, which has room for them. node->process is not NULL. A system that stops
 * letting us ends the job. */
void tg_node_read(const tg_node *node, int index, const tg_blocks *from, ptrdiff_t first,
                  ptrdiff_t bytes, const tg_remote *source, const tg_blocks *to, void *target);
const char *tg_node_look(const tg_node *node, int index, const tg_blocks *from, ptrdiff_t first,
                         ptrdiff_t bytes, const tg_remote *source, char *scratch);
/* Calls: Collective on node->mpi. Fills node->process, which has been allocated, or frees it. */
void tg_node_try_reading(tg_node *node);

/* Calls: Local. What a rank does that found nothing to do, for the `idle`-th time in a row: waits a
 * moment, then lets others have the core, and MPI move its messages on. */
void tg_node_wait(const tg_op *op, int idle);

#endif
