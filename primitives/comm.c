/* comm.c: a duplicate of each user's communicator, and the groups inside it, counted by users.
 *
 * The duplicate is found through an attribute of the user's communicator. When the user frees that
 * one first, only the link is lost: the duplicate lives as long as plans use it. */
#include "primitives/comm.h"

#include "primitives/node.h"

#include <stdlib.h>
#include <string.h>

struct tg_group {
    tg_comm *in;
    MPI_Comm mpi; /* MPI_COMM_NULL: not made yet */
    int users, size;
    int *ranks; /* of in->mpi */
    tg_group *next;
};

/* ---- the link to the user's communicator ---- */

static int key = MPI_KEYVAL_INVALID;
static int links; /* communicators that carry the attribute */

/* Called by MPI when the attribute goes, by our hand or because the user frees the communicator. */
static int unlink_comm(MPI_Comm user, int keyval, void *attribute, void *extra)
{
    (void)user, (void)keyval, (void)extra;
    tg_comm *comm = attribute;
    comm->user = MPI_COMM_NULL;
    links--;
    return MPI_SUCCESS;
}

static tg_comm *find_comm(MPI_Comm user)
{
    tg_comm *comm = NULL;
    int found = 0;
    if (key != MPI_KEYVAL_INVALID)
        MPI_Comm_get_attr(user, key, &comm, &found);
    return found ? comm : NULL;
}

static void link_comm(tg_comm *comm, MPI_Comm user)
{
    if (key == MPI_KEYVAL_INVALID)
        MPI_Comm_create_keyval(MPI_COMM_NULL_COPY_FN, unlink_comm, &key, NULL);
    MPI_Comm_set_attr(user, key, comm);
    comm->user = user;
    links++;
}

/* ---- the duplicate ---- */

tg_status tg_comm_open(MPI_Comm user, tg_comm **comm)
{
    *comm = find_comm(user); /* on all ranks or on none */
    if (*comm) {
        tg_comm_join(*comm);
        return tg_success();
    }
    tg_comm *made = calloc(1, sizeof *made);
    MPI_Comm own;
    MPI_Comm_dup(user, &own);
    MPI_Comm_set_errhandler(own, MPI_ERRORS_ARE_FATAL);
    tg_status status =
        tg_agree(own, made ? tg_success() : tg_fail(TG_NO_MEMORY, "no memory for a communicator"));
    if (status.code != TG_OK) {
        free(made);
        MPI_Comm_free(&own);
        return status;
    }
    *made = (tg_comm){.mpi = own, .user = MPI_COMM_NULL, .plans = 1};
    link_comm(made, user);
    *comm = made;
    return status;
}

void tg_comm_join(tg_comm *comm)
{
    comm->plans++;
    comm->tag = (comm->tag + 1) % TG_TAGS;
}

void tg_comm_close(tg_comm *comm)
{
    if (--comm->plans > 0)
        return;
    if (comm->user != MPI_COMM_NULL)
        MPI_Comm_delete_attr(comm->user, key);
    if (links == 0 && key != MPI_KEYVAL_INVALID)
        MPI_Comm_free_keyval(&key);
    tg_node_close(comm->node);
    MPI_Comm_free(&comm->mpi);
    free(comm);
}

/* ---- groups ---- */

static bool is_whole(const tg_comm *comm, const int *ranks, int size)
{
    int all;
    MPI_Comm_size(comm->mpi, &all);
    for (int i = 0; i < size; i++)
        if (ranks[i] != i)
            return false;
    return size == all;
}

static tg_group *new_group(tg_comm *comm, const int *ranks, int size)
{
    tg_group *group = calloc(1, sizeof *group);
    int *list = malloc((size_t)size * sizeof *list);
    if (!group || !list) {
        free(group);
        free(list);
        return NULL;
    }
    memcpy(list, ranks, (size_t)size * sizeof *list);
    *group = (tg_group){.in = comm, .size = size, .ranks = list, .next = comm->groups};
    group->mpi = is_whole(comm, ranks, size) ? comm->mpi : MPI_COMM_NULL;
    comm->groups = group;
    return group;
}

tg_group *tg_group_get(tg_comm *comm, const int *ranks, int size)
{
    tg_group *group = comm->groups;
    while (group &&
           (group->size != size || memcmp(group->ranks, ranks, (size_t)size * sizeof *ranks) != 0))
        group = group->next;
    if (!group)
        group = new_group(comm, ranks, size);
    if (group)
        group->users++;
    return group;
}

MPI_Comm tg_group_mpi(tg_group *group, int number)
{
    if (group->mpi != MPI_COMM_NULL)
        return group->mpi;
    MPI_Group all, some;
    MPI_Comm_group(group->in->mpi, &all);
    MPI_Group_incl(all, group->size, group->ranks, &some);
    MPI_Comm_create_group(group->in->mpi, some, number % TG_TAGS, &group->mpi);
    MPI_Comm_set_errhandler(group->mpi, MPI_ERRORS_ARE_FATAL);
    MPI_Group_free(&all);
    MPI_Group_free(&some);
    return group->mpi;
}

void tg_group_drop(tg_group *group)
{
    if (!group || --group->users > 0)
        return;
    tg_group **link = &group->in->groups;
    while (*link != group)
        link = &(*link)->next;
    *link = group->next;
    if (group->mpi != MPI_COMM_NULL && group->mpi != group->in->mpi)
        MPI_Comm_free(&group->mpi);
    free(group->ranks);
    free(group);
}
