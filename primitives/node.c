/* node.c: a window of MPI-3 shared memory for each node, and rings of chunks in it.
 *
 * The number of a chunk is stored with release order after its bytes, and read with acquire order
 * before them; a reader lets go with release order after its last read, and the writer looks with
 * acquire order before it writes again. The memory is ordinary memory of the machine: no call of MPI
 * stands between them.
 * Source: Hoefler and others, "MPI + MPI: a new hybrid approach to parallel programming with MPI
 * plus shared memory", Computing 95 (2013), for windows of shared memory inside a node. */
#include "primitives/node.h"

#include <limits.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

int tg_node_size = INT_MAX;
ptrdiff_t tg_largest_chunk = TG_CHUNK_BYTES;

/* ---- opening and closing ---- */

/* The ranks that share memory with this one; with a lower tg_node_size a part of them. */
static MPI_Comm split_nodes(const tg_comm *comm)
{
    MPI_Comm machine, node;
    int rank, place;
    MPI_Comm_rank(comm->mpi, &rank);
    MPI_Comm_split_type(comm->mpi, MPI_COMM_TYPE_SHARED, rank, MPI_INFO_NULL, &machine);
    if (tg_node_size == INT_MAX)
        return machine;
    MPI_Comm_rank(machine, &place);
    MPI_Comm_split(machine, place / tg_node_size, place, &node);
    MPI_Comm_free(&machine);
    return node;
}

/* The tables, sized by the node. */
static tg_status make_tables(tg_node *node)
{
    const size_t size = (size_t)node->size;
    node->ranks = calloc(size, sizeof *node->ranks);
    node->ring = calloc(size, sizeof *node->ring);
    node->done = calloc(size, sizeof *node->done);
    node->process = calloc(size, sizeof *node->process);
    node->views = calloc(size, sizeof *node->views);
    const bool good = node->ranks && node->ring && node->done && node->process && node->views;
    return tg_check_memory(good ? node : NULL, (ptrdiff_t)(size * sizeof *node->done));
}

/* Each rank's rings, in pages of their own. The library may refuse: then it does on all ranks. */
static tg_status open_window(tg_node *node)
{
    MPI_Info info;
    void *mine;
    MPI_Info_create(&info);
    MPI_Info_set(info, "alloc_shared_noncontig", "true");
    MPI_Comm_set_errhandler(node->mpi, MPI_ERRORS_RETURN);
    const MPI_Aint bytes = TG_RINGS * (MPI_Aint)sizeof(tg_ring) + TG_LINE_BYTES;
    const int code = MPI_Win_allocate_shared(bytes, 1, info, node->mpi, &mine, &node->window);
    MPI_Comm_set_errhandler(node->mpi, MPI_ERRORS_ARE_FATAL);
    MPI_Info_free(&info);
    if (code == MPI_SUCCESS)
        return tg_success();
    node->window = MPI_WIN_NULL;
    return tg_fail(TG_NO_MEMORY, "no shared memory for %td bytes of a node's rank",
                   (ptrdiff_t)bytes);
}

/* Where the rings of each rank begin here: at the first line of the cache of its share, whose
 * addresses differ from rank to rank by whole pages. */
static void find_rings(tg_node *node)
{
    for (int i = 0; i < node->size; i++) {
        MPI_Aint bytes;
        int unit;
        char *begin;
        MPI_Win_shared_query(node->window, i, &bytes, &unit, &begin);
        const uintptr_t past = (uintptr_t)begin % TG_LINE_BYTES;
        node->ring[i] = (void *)(begin + (past > 0 ? TG_LINE_BYTES - past : 0));
    }
    for (tg_ring *mine = node->ring[node->rank]; mine < node->ring[node->rank] + TG_RINGS; mine++)
        for (int i = 0; i < TG_NODE_SLOTS; i++) {
            atomic_init(&mine->slot[i].filled, 0);
            atomic_init(&mine->slot[i].readers, 0);
        }
    MPI_Barrier(node->mpi); /* nobody looks before the heads are clear */
}

static tg_status make_node(tg_comm *comm, tg_node *node)
{
    int rank;
    MPI_Comm_rank(comm->mpi, &rank);
    node->mpi = split_nodes(comm);
    MPI_Comm_rank(node->mpi, &node->rank);
    MPI_Comm_size(node->mpi, &node->size);
    tg_status status = tg_agree(comm->mpi, make_tables(node));
    if (status.code != TG_OK)
        return status;
    MPI_Allgather(&rank, 1, MPI_INT, node->ranks, 1, MPI_INT, node->mpi);
    if (node->size > 1)
        status = open_window(node);
    status = tg_agree(comm->mpi, status);
    if (status.code == TG_OK && node->size > 1) {
        find_rings(node);
        tg_node_try_reading(node);
    }
    return status;
}

tg_status tg_node_open(tg_comm *comm, tg_node **node)
{
    *node = comm->node; /* on all ranks or on none */
    if (*node)
        return tg_success();
    tg_node *made = calloc(1, sizeof *made);
    tg_status status = tg_agree(comm->mpi, tg_check_memory(made, (ptrdiff_t)sizeof *made));
    if (status.code != TG_OK) {
        free(made);
        return status;
    }
    made->window = MPI_WIN_NULL;
    status = make_node(comm, made);
    if (status.code == TG_OK)
        *node = comm->node = made;
    else
        tg_node_close(made);
    return status;
}

void tg_node_close(tg_node *node)
{
    if (!node)
        return;
    if (node->window != MPI_WIN_NULL)
        MPI_Win_free(&node->window);
    for (int i = 0; node->views && i < node->size; i++)
        tg_views_free(&node->views[i]);
    MPI_Comm_free(&node->mpi);
    free(node->views);
    free(node->ranks);
    free(node->ring);
    free(node->done);
    free(node->process);
    free(node);
}

static int ascending(const void *a, const void *b)
{
    return *(const int *)a - *(const int *)b;
}

int tg_node_index(const tg_node *node, int rank)
{
    const int *found =
        bsearch(&rank, node->ranks, (size_t)node->size, sizeof *node->ranks, ascending);
    return found ? (int)(found - node->ranks) : -1;
}

/* ---- chunks ---- */

ptrdiff_t tg_chunk_of(ptrdiff_t bytes)
{
    enum { LEAST = 16 * 1024, PARTS = 4 };
    ptrdiff_t chunk = (bytes / PARTS + TG_LINE_BYTES - 1) / TG_LINE_BYTES * TG_LINE_BYTES;
    chunk = chunk < LEAST ? LEAST : chunk;
    return chunk < tg_largest_chunk ? chunk : tg_largest_chunk;
}

tg_status tg_chunks_keep(tg_op *op, tg_node *node, tg_chunks *c)
{
    const ptrdiff_t bytes = node->size * (ptrdiff_t)sizeof *c->fills;
    c->node = node;
    c->fills = tg_keep(op, bytes);
    c->first = tg_keep(op, bytes);
    return tg_check_memory(c->fills && c->first ? c->fills : NULL, bytes);
}

void tg_chunks_tell(tg_chunks *c, uint64_t fills)
{
    MPI_Allgather(&fills, 1, MPI_UINT64_T, c->fills, 1, MPI_UINT64_T, c->node->mpi);
}

void tg_chunks_free(tg_chunks *c)
{
    free(c->fills);
    free(c->first);
}

void tg_chunks_begin(tg_chunks *c, bool halves)
{
    for (int i = 0; i < c->node->size; i++) {
        c->first[i] = c->node->done[i];
        c->node->done[i] += c->fills[i];
    }
    c->halves = halves;
    c->ring = halves ? TG_EARLY : TG_LATE;
}

void tg_chunks_go_on(tg_chunks *c)
{
    c->ring = TG_LATE;
}

static uint64_t number_of(const tg_chunks *c, int index, uint64_t chunk)
{
    return c->first[index] + chunk;
}

static tg_slot *slot_of(const tg_chunks *c, int index, int ring, uint64_t number)
{
    return &c->node->ring[index][ring].slot[number % TG_NODE_SLOTS];
}

/* The ring in which the chunk stands; -1: none. */
static int find_ring(const tg_chunks *c, int index, uint64_t number)
{
    for (int ring = TG_LATE; ring <= (c->halves ? TG_EARLY : TG_LATE); ring++)
        if (atomic_load_explicit(&slot_of(c, index, ring, number)->filled, memory_order_acquire) ==
            number + 1)
            return ring;
    return -1;
}

char *tg_chunk_begin(const tg_chunks *c, uint64_t chunk)
{
    const int me = c->node->rank;
    const uint64_t number = number_of(c, me, chunk);
    if (atomic_load_explicit(&slot_of(c, me, c->ring, number)->readers, memory_order_acquire) != 0)
        return NULL;
    return c->node->ring[me][c->ring].data[number % TG_NODE_SLOTS];
}

void tg_chunk_give(const tg_chunks *c, uint64_t chunk, int readers)
{
    const uint64_t number = number_of(c, c->node->rank, chunk);
    tg_slot *slot = slot_of(c, c->node->rank, c->ring, number);
    atomic_store_explicit(&slot->readers, readers, memory_order_relaxed);
    atomic_store_explicit(&slot->filled, number + 1, memory_order_release);
}

bool tg_chunk_is_read(const tg_chunks *c, uint64_t chunk)
{
    const uint64_t number = number_of(c, c->node->rank, chunk);
    const int ring = find_ring(c, c->node->rank, number); /* -1: the slot has been filled again */
    return ring < 0 || atomic_load_explicit(&slot_of(c, c->node->rank, ring, number)->readers,
                                            memory_order_acquire) == 0;
}

const char *tg_chunk_look(const tg_chunks *c, int index, uint64_t chunk)
{
    const uint64_t number = number_of(c, index, chunk);
    const int ring = find_ring(c, index, number);
    return ring < 0 ? NULL : c->node->ring[index][ring].data[number % TG_NODE_SLOTS];
}

void tg_chunk_drop(const tg_chunks *c, int index, uint64_t chunk)
{
    const uint64_t number = number_of(c, index, chunk);
    atomic_fetch_sub_explicit(&slot_of(c, index, find_ring(c, index, number), number)->readers, 1,
                              memory_order_release);
}

void tg_node_wait(const tg_op *op, int idle)
{
    enum { SPINS = 200 };
    int flag;
    if (idle < SPINS)
        return;
    MPI_Iprobe(MPI_ANY_SOURCE, op->tag, op->comm, &flag, MPI_STATUS_IGNORE);
    sched_yield();
}
