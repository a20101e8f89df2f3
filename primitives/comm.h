/* comm.h: communicators that plans share. Private to the room.
 *
 * The first plan on a user's communicator makes our duplicate of it, on which errors end the job;
 * later plans find it, and the last plan that is freed frees it. The same holds for the groups of
 * ranks inside it. Plans are made and freed by all ranks in one order, so that the counts of users,
 * which decide this, are equal on all ranks that have to act together.
 *
 * Messages of two operators on one duplicate cannot mix, even when both are under way: each plan has
 * a tag of its own, by its number among the plans. Two of the same tag are so many plans apart that
 * nobody has both under way. Within an operator MPI keeps the order of messages between two ranks,
 * and both halves together post them in the order of a whole apply. */
#ifndef TG_COMM_H
#define TG_COMM_H

#include "primitives/primitives.h"

/* Tags that plans have, and that MPI promises; after them they begin again. */
enum { TG_TAGS = 32768 };

typedef struct tg_group tg_group;
typedef struct tg_graph tg_graph;
typedef struct tg_node tg_node;

typedef struct {
    MPI_Comm mpi;     /* our duplicate */
    MPI_Comm user;    /* whose attribute this is; MPI_COMM_NULL once the user has freed it */
    int plans;        /* that use it */
    int tag;          /* of the plan that joined last */
    tg_group *groups; /* a linked list */
    tg_graph *graphs; /* of neighbor.c: a linked list, in one order on all ranks */
    tg_node *node;    /* made by the first plan that needs it (node.h); NULL: none yet */
} tg_comm;

/* Calls: Collective on user. Errors: TG_NO_MEMORY, agreed by all ranks; *comm is then NULL. */
tg_status tg_comm_open(MPI_Comm user, tg_comm **comm);
/* Calls: Collective on comm, each once for a tg_comm_open or tg_comm_join before it. */
void tg_comm_join(tg_comm *comm); /* one plan more, and the next tag */
void tg_comm_close(tg_comm *comm);

/* A communicator of some ranks, in the order of the list: two steps, so that a lack of memory can
 * be agreed on between them.
 *   tg_group_get   Local, on each rank of the list. NULL without memory
 *   tg_group_mpi   Collective on these ranks; `number` keeps apart groups made at the same time
 *   tg_group_drop  Collective on these ranks, once for each tg_group_get; NULL may be dropped */
tg_group *tg_group_get(tg_comm *comm, const int *ranks, int size);
MPI_Comm tg_group_mpi(tg_group *group, int number);
void tg_group_drop(tg_group *group);

#endif
