/* exchange.h: the algorithms behind every primitive that says y[held] = x[owned]. Private to the
 * room. */
#ifndef TG_EXCHANGE_H
#define TG_EXCHANGE_H

#include "primitives/auto.h"
#include "primitives/comm.h"
#include "primitives/pieces.h"

/* reference, p2p, MPI_Alltoallw under the name mpi, node and cma; exchange.c, alltoallw.c
 * and node_pieces.c tell them apart.
 * Each plans y[held] = x[owned] and its adjoint, x[owned] = the sum of y[held]. */
extern const tg_algorithm tg_engine_reference, tg_engine_p2p, tg_engine_alltoallw, tg_engine_node,
    tg_engine_cma;

/* The same map, each in its own file. */
extern const tg_algorithm tg_engine_persistent, tg_engine_alltoallv;

/* Rows that are absent where the MPI library has not the calls, or simulates its ranks
 * (cmake/FindLibraries.cmake). */
#ifdef TG_HAVE_PERSISTENT
#define TG_ROW_PERSISTENT &tg_engine_persistent,
#else
#define TG_ROW_PERSISTENT
#endif
#ifdef TG_HAVE_NODE
#define TG_ROWS_NODE &tg_engine_node, &tg_engine_cma,
#else
#define TG_ROWS_NODE
#endif
#ifdef TG_HAVE_NEIGHBOR
extern const tg_algorithm tg_engine_neighbor;
#define TG_ROW_NEIGHBOR &tg_engine_neighbor,
#else
#define TG_ROW_NEIGHBOR
#endif
#ifdef TG_HAVE_RMA
extern const tg_algorithm tg_engine_rma;
#define TG_ROW_RMA &tg_engine_rma,
#else
#define TG_ROW_RMA
#endif

/* Algorithms that need calls of MPI 4 stand in a primitive's list of algorithms where the library has
 * the calls; elsewhere in its list of what is lacking, with a plan that refuses. `bound`, the
 * persistent requests, stands beside `mpi`. */
/* clang-format off */
#ifdef TG_HAVE_PERSISTENT_COLLECTIVES
#define TG_ROWS_MPI(mpi, bound)     &(mpi), &(bound)
#define TG_LACKING_PERSISTENT(bound) NULL
#define TG_PLAN_PERSISTENT(plan)    plan
#else
#define TG_ROWS_MPI(mpi, bound)     &(mpi)
#define TG_LACKING_PERSISTENT(bound) (const tg_algorithm *const[]){&(bound), NULL}
#define TG_PLAN_PERSISTENT(plan)    tg_plan_lacking
#endif
/* Of send_recv and halo; beside the row that is given. */
#ifdef TG_HAVE_PARTITIONED
#define TG_AND_PARTITIONED(row) row, &tg_engine_partitioned
#define TG_LACKING_PARTITIONED  NULL
#else
#define TG_AND_PARTITIONED(row) row
#define TG_LACKING_PARTITIONED  (const tg_algorithm *const[]){&tg_engine_partitioned, NULL}
#endif
/* clang-format on */
extern const tg_algorithm tg_engine_alltoallw_init; /* MPI_Alltoallw_init */
extern const tg_algorithm tg_engine_partitioned;
extern const tg_weights tg_weights_of_partitioned;

/* Calls: Local. A problem's partitions of a message, at most; and how so many entries, more than 0,
 * are cut: `count` partitions of `entries`, of which the last one may end behind the message. */
typedef struct {
    ptrdiff_t entries;
    int count;
} tg_partitions;
int tg_most_partitions(const tg_problem *problem);
tg_partitions tg_partitions_of(ptrdiff_t entries, int most);

/* For halos only: p2p axis by axis. */
extern const tg_algorithm tg_engine_axes;

/* For repartitions only: into copies on ranks that are not in x; p2p for all others. */
extern const tg_algorithm tg_engine_resharding;

/* For the lists of primitives in which each rank has few partners or all ranks are partners. */
#define TG_ROWS_EXCHANGE                                                                           \
    &tg_engine_p2p, TG_ROW_PERSISTENT TG_ROW_NEIGHBOR &tg_engine_alltoallv,                        \
        TG_ROW_RMA TG_ROWS_NODE &tg_engine_auto, NULL

/* For scatter and gather, in which one rank has all others as partners. */
#define TG_ROWS_ONE_TO_ALL &tg_engine_p2p, TG_ROW_PERSISTENT TG_ROWS_NODE &tg_engine_auto, NULL

/* Calls: Collective on op->comm. What reference does: pieces that were planned with packed buffers
 * on both sides move towards `to`. in and out may be the same buffer. */
void tg_exchange_run(const tg_op *op, tg_pieces *pieces, tg_space to, const void *in, void *out);

/* Calls: Local. What a run of them carries. Errors: as a tg_weights's `of`. */
tg_status tg_weigh_axes(const tg_problem *problem, bool backwards, tg_weight *weight);
tg_status tg_weigh_resharding(const tg_problem *problem, bool backwards, tg_weight *weight);

/* Calls: Collective on op->comm. Frees what an algorithm has planned, so that another one can plan
 * in its place; held_bytes: of the operator before. */
void tg_start_again(tg_op *op, ptrdiff_t held_bytes);
/* p2p in parts, for algorithms that move the pieces of some partners in another way: those have had
 * tg_no_message, after tg_pieces_plan and before tg_messages_plan. `plan` makes the packed buffers;
 * between start and finish stands tg_pieces_give_self.
 * Calls: Local: tg_no_message, tg_messages_plan (Errors: TG_NO_MEMORY). Collective on op->comm:
 * start and finish. */
void tg_no_message(tg_partner *partner);
tg_status tg_messages_plan(tg_op *op, tg_pieces *pieces);
void tg_messages_start(const tg_op *op, tg_pieces *pieces, tg_space to, const void *in, void *out);
void tg_messages_finish(const tg_op *op, tg_pieces *pieces, tg_space to, void *out);

/* The ranks of both layouts, for algorithms that are one collective of them (alltoallw.c). */
typedef struct {
    tg_group *shared; /* NULL: this rank takes no part */
    MPI_Comm mpi;     /* of shared */
    int *ranks;       /* ascending, each once: tables of the collective have an entry for each */
    int size;
} tg_members;

/* Calls: tg_members_find Local; Errors: TG_NO_MEMORY, to be agreed on before tg_members_open and
 * after both tg_members_free, which are Collective on these ranks. tg_members_index tells the place
 * of a partner. */
tg_status tg_members_find(const tg_problem *problem, tg_op *op, tg_members *members);
void tg_members_open(tg_members *members);
int tg_members_index(const tg_members *members, int rank);
void tg_members_free(tg_members *members);

#endif
