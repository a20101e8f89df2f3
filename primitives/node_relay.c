/* node_relay.c: who exchanges pieces with an owner in another node for the ranks that hold them
 * alike.
 *
 * Each holder tells the owners in other nodes which node it is in. An owner puts together the
 * holders of a node that take the same bytes of its buffer in the same sequence: a team. The members
 * are told their leader, and the leader its followers. Owners that stand at different places in
 * their node choose leaders at different places, so that ranks share the work. The cost goes by
 * partners.
 * Source: Karonis and others, "Exploiting hierarchy in parallel computer networks to optimize
 * collective operation performance", IPDPS 2000: each piece crosses the slow level once. */
#include "primitives/count.h"
#include "primitives/exchange.h"
#include "primitives/node_pieces.h"
#include "primitives/part.h"

#include <stdlib.h>

/* A holder in another node, as the owner sees it. */
typedef struct {
    tg_partner *partner; /* of side x */
    int node;            /* the lowest rank of its node */
    int team[2];         /* the leader's rank; followers. As it is told */
} holder;

typedef struct {
    holder *holder;
    int count;
} holders;

bool tg_is_leader(const tg_node_pieces *n, const tg_relay *relay)
{
    return relay->leader == n->node->rank;
}

void tg_relays_free(tg_node_pieces *n)
{
    for (tg_relay *r = n->relays; r < n->relays + n->nrelays; r++) {
        free(r->follower);
        free(r->packed);
    }
    free(n->relays);
}

/* Partners of a side in other nodes. Local. */
static tg_status list_partners(tg_op *op, tg_node_pieces *n, holders *h)
{
    const tg_side *x = &n->pieces.side[TG_X], *y = &n->pieces.side[TG_Y];
    h->holder = calloc((size_t)x->npartners + 1, sizeof *h->holder);
    n->relays = tg_keep(op, y->npartners * (ptrdiff_t)sizeof *n->relays);
    if (!h->holder || !n->relays)
        return tg_check_memory(NULL, (x->npartners + 1) * (ptrdiff_t)sizeof *h->holder);
    for (tg_partner *p = x->partners; p < x->partners + x->npartners; p++)
        if (tg_node_index(n->node, p->rank) < 0)
            h->holder[h->count++].partner = p;
    for (tg_partner *p = y->partners; p < y->partners + y->npartners; p++)
        if (tg_node_index(n->node, p->rank) < 0)
            n->relays[n->nrelays++].partner = p;
    return tg_success();
}

static void tell_nodes(const tg_op *op, const tg_node_pieces *n, holders *h)
{
    for (tg_relay *r = n->relays; r < n->relays + n->nrelays; r++)
        MPI_Isend(n->node->ranks, 1, MPI_INT, r->partner->rank, op->tag, op->comm,
                  r->partner->requests);
    for (holder *one = h->holder; one < h->holder + h->count; one++)
        MPI_Recv(&one->node, 1, MPI_INT, one->partner->rank, op->tag, op->comm, MPI_STATUS_IGNORE);
    for (tg_relay *r = n->relays; r < n->relays + n->nrelays; r++)
        MPI_Wait(r->partner->requests, MPI_STATUS_IGNORE);
}

static int by_node(const void *a, const void *b)
{
    const holder *p = a, *q = b;
    return p->node != q->node ? (p->node < q->node ? -1 : 1) : p->partner->rank - q->partner->rank;
}

static bool same_team(const holder *a, const holder *b)
{
    return a->node == b->node && tg_blocks_equal(&a->partner->blocks, &b->partner->blocks);
}

/* The team of a holder that is in none yet, which is its first member. */
static void make_team(const tg_node_pieces *n, const holders *h, holder *first)
{
    int size = 0, leader = 0;
    const holder *end = h->holder + h->count;
    for (const holder *one = first; one < end && one->node == first->node; one++)
        size += same_team(first, one);
    int place = n->node->rank % size;
    for (const holder *one = first; one < end && one->node == first->node; one++)
        if (same_team(first, one) && place-- == 0)
            leader = one->partner->rank;
    for (holder *one = first; one < end && one->node == first->node; one++)
        if (same_team(first, one)) {
            one->team[0] = leader;
            one->team[1] = size - 1;
        }
}

static void make_teams(const tg_node_pieces *n, holders *h)
{
    qsort(h->holder, (size_t)h->count, sizeof *h->holder, by_node);
    for (holder *one = h->holder; one < h->holder + h->count; one++)
        one->team[0] = -1;
    for (holder *one = h->holder; one < h->holder + h->count; one++)
        if (one->team[0] < 0)
            make_team(n, h, one);
}

static void wait_holders(const holders *h)
{
    for (const holder *one = h->holder; one < h->holder + h->count; one++)
        MPI_Wait(one->partner->requests, MPI_STATUS_IGNORE);
}

/* Members learn their leaders; owners' pieces that one rank of the node holds are no relay. */
static void tell_teams(const tg_op *op, tg_node_pieces *n, holders *h)
{
    int relays = 0;
    for (holder *one = h->holder; one < h->holder + h->count; one++)
        MPI_Isend(one->team, 2, MPI_INT, one->partner->rank, op->tag, op->comm,
                  one->partner->requests);
    for (int i = 0; i < n->nrelays; i++) {
        int team[2];
        MPI_Recv(team, 2, MPI_INT, n->relays[i].partner->rank, op->tag, op->comm,
                 MPI_STATUS_IGNORE);
        if (team[1] > 0)
            n->relays[relays++] = (tg_relay){.partner = n->relays[i].partner,
                                             .leader = tg_node_index(n->node, team[0]),
                                             .followers = team[1]};
    }
    n->nrelays = relays;
    wait_holders(h);
}

/* What a leader needs. Local. */
static tg_status keep_relays(tg_op *op, tg_node_pieces *n)
{
    for (tg_relay *r = n->relays; r < n->relays + n->nrelays; r++) {
        const ptrdiff_t bytes = r->partner->entries * (ptrdiff_t)op->dtype->size;
        if (!tg_is_leader(n, r))
            continue;
        r->messages = tg_count_calls(r->partner->entries);
        r->follower = tg_keep(op, r->followers * (ptrdiff_t)sizeof *r->follower);
        r->packed = tg_keep(op, bytes);
        if (!r->follower || !r->packed)
            return tg_check_memory(NULL, bytes);
    }
    return tg_success();
}

/* Leaders learn their followers, whom the owners leave to them. */
static void tell_followers(const tg_op *op, tg_node_pieces *n, holders *h)
{
    for (holder *one = h->holder; one < h->holder + h->count; one++)
        if (one->team[0] != one->partner->rank)
            MPI_Isend(&one->partner->rank, 1, MPI_INT, one->team[0], op->tag, op->comm,
                      one->partner->requests);
    for (tg_relay *r = n->relays; r < n->relays + n->nrelays; r++)
        for (int i = 0; tg_is_leader(n, r) && i < r->followers; i++) {
            int rank;
            MPI_Recv(&rank, 1, MPI_INT, r->partner->rank, op->tag, op->comm, MPI_STATUS_IGNORE);
            r->follower[i] = tg_node_index(n->node, rank);
        }
    wait_holders(h);
    for (holder *one = h->holder; one < h->holder + h->count; one++)
        if (one->team[0] != one->partner->rank)
            tg_no_message(one->partner);
}

tg_status tg_relays_plan(tg_op *op, tg_node_pieces *n)
{
    holders h = {NULL, 0};
    tg_status status = tg_agree(op->comm, list_partners(op, n, &h));
    if (status.code == TG_OK) {
        tell_nodes(op, n, &h);
        make_teams(n, &h);
        tell_teams(op, n, &h);
        status = tg_agree(op->comm, keep_relays(op, n));
    }
    if (status.code == TG_OK)
        tell_followers(op, n, &h);
    free(h.holder);
    return status;
}
