/* node_sum.h: all_sum_reduce by shared memory inside nodes: what is planned and how it runs. Private
 * to the room. */
#ifndef TG_NODE_SUM_H
#define TG_NODE_SUM_H

#include "primitives/node.h"

/* Calls: Collective on op->comm; the status is agreed by all ranks. x and y are one layout. cma: long
 * runs are read from the members' memory where the system permits it. */
tg_status tg_plan_node_sum(const tg_problem *problem, tg_op *op);
tg_status tg_plan_cma_sum(const tg_problem *problem, tg_op *op);

/* ---- between node_sum.c and node_sum_plan.c ---- */

/* A member of the part in this node, as this rank sees it. */
typedef struct {
    int index;     /* in the node */
    bool owns;     /* a share */
    int64_t terms; /* chunks for others in each of its rows */
    int64_t place; /* among them, of the one for this rank */
    int64_t had;   /* chunks of its sums that have been read in this apply */
} tg_sharer;

/* Where an apply has come to. */
typedef struct {
    const void *in;
    void *out;
    const tg_blocks *from, *to; /* the part in them */
    uint64_t chunk;             /* to be filled next */
    int64_t row;                /* that it stands in */
    int step;                   /* whose terms it is; members: the sum */
    int64_t added;              /* chunks of this rank's share that are sums of the node */
    int adds;                   /* the step whose terms are added next; 0: its own */
    int64_t final;              /* chunks that may be given to all */
} tg_sum_progress;

typedef struct {
    tg_node *node;
    tg_blocks part[2]; /* in buffers of x and y, as a pair */
    ptrdiff_t entries; /* of the part; 0: this rank has none */
    int *ranks;        /* that hold copies, in all nodes */
    int size;
    tg_sharer *member; /* those in this node; the first `shares` own one */
    int members, mine, shares;
    bool reads;        /* long runs are read from the members' memory */
    ptrdiff_t least;   /* reads: bytes of a long run */
    char *scratch;     /* reads: a chunk on its way */
    bool direct;       /* a small part, not dealt out */
    ptrdiff_t chunk;   /* bytes */
    int64_t rows, lag; /* chunks of a share; rows between a chunk and its sum */
    tg_group *all;     /* of ranks; NULL: all of them are in this node */
    int *places;       /* all: which member of how many each rank is in its node */
    tg_group *owners;  /* of this rank's share, one a node; NULL: none, or there is one node */
    MPI_Comm between;  /* of owners */
    char *packed;      /* owners: the share, when it is no single run */
    tg_chunks chunks;
    tg_sum_progress now;
} tg_node_sum;

/* Calls: Collective on op->comm: the operator's run, and its halves. */
void tg_run_node_sum(tg_op *op, tg_space to, const void *in, void *out);
void tg_start_node_sum(tg_op *op, tg_space to, const void *in, void *out);
void tg_finish_node_sum(tg_op *op, tg_space to, const void *in, void *out);

#endif
