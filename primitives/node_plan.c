/* node_plan.c: planning of the pieces that pass through a node's shared memory.
 *
 * Partners in the node become streams of chunks, those elsewhere keep their messages or become
 * relays. Streams of one rank are numbered one after the other; each receiver is told where its own
 * begins. The cost goes by partners and by the ranks of the node. */
#include "primitives/exchange.h"
#include "primitives/node_pieces.h"
#include "primitives/part.h"

#include <stdlib.h>

static tg_space other(tg_space space)
{
    return space == TG_Y ? TG_X : TG_Y;
}

static void release(tg_op *op)
{
    tg_node_pieces *n = op->state;
    for (tg_space to = TG_X; to <= TG_Y; to++) {
        for (int i = 0; i < n->flow[to].nstreams[to]; i++)
            free(n->flow[to].stream[to][i].source.block);
        for (tg_space space = TG_X; space <= TG_Y; space++) {
            free(n->flow[to].links[space]);
            free(n->flow[to].stream[space]);
        }
        tg_chunks_free(&n->flow[to].chunks);
    }
    tg_relays_free(n);
    tg_pieces_free(&n->pieces);
    free(n->scratch);
    free(n);
}

/* The sequence of exchanges: relays behind the others; by step; by owner. The same on both ranks of
 * a link. */
static int in_sequence(const void *a, const void *b)
{
    const tg_link *p = a, *q = b;
    if ((p->relay != NULL) != (q->relay != NULL))
        return p->relay ? 1 : -1;
    return p->step != q->step ? p->step - q->step : p->partner->rank - q->partner->rank;
}

static void add_link(tg_node_pieces *n, tg_space to, tg_space space, tg_link link)
{
    tg_flow *f = &n->flow[to];
    const int distance = space == to ? link.index - n->node->rank : n->node->rank - link.index;
    link.step = (distance + n->node->size) % n->node->size;
    f->links[space][f->nlinks[space]++] = link;
}

/* A leader's followers belong to its side x, the leader to their sides y: as if it were the owner. */
static void add_relay(tg_node_pieces *n, tg_space to, tg_space space, tg_relay *r)
{
    const bool leads = tg_is_leader(n, r);
    for (int i = 0; leads && space == TG_X && i < r->followers; i++)
        add_link(n, to, space,
                 (tg_link){.partner = r->partner, .relay = r, .index = r->follower[i]});
    if (!leads && space == TG_Y)
        add_link(n, to, space, (tg_link){.partner = r->partner, .relay = r, .index = r->leader});
}

/* The ranks of the node that a side exchanges pieces with. */
static tg_status find_links(tg_op *op, tg_node_pieces *n, tg_space to, tg_space space)
{
    const tg_side *s = &n->pieces.side[space];
    tg_flow *f = &n->flow[to];
    ptrdiff_t most = s->npartners;
    for (const tg_relay *r = n->relays; r < n->relays + n->nrelays; r++)
        most += r->followers;
    const ptrdiff_t bytes = most * (ptrdiff_t)sizeof *f->links[space];
    f->links[space] = tg_keep(op, bytes);
    if (!f->links[space])
        return tg_check_memory(NULL, bytes);
    for (tg_partner *p = s->partners; p < s->partners + s->npartners; p++) {
        const int index = tg_node_index(n->node, p->rank);
        if (index >= 0 && !tg_is_self(s, p))
            add_link(n, to, space, (tg_link){.partner = p, .index = index});
    }
    for (tg_relay *r = n->relays; r < n->relays + n->nrelays; r++)
        add_relay(n, to, space, r);
    if (f->nlinks[space] > 0)
        qsort(f->links[space], (size_t)f->nlinks[space], sizeof *f->links[space], in_sequence);
    return tg_success();
}

static tg_stream stream_of(const tg_op *op, const tg_link *l)
{
    tg_stream s = {.partner = l->partner,
                   .relay = l->relay,
                   .bytes = l->partner->entries * (ptrdiff_t)op->dtype->size};
    s.chunk = tg_chunk_of(s.bytes);
    s.chunks = (uint64_t)((s.bytes + s.chunk - 1) / s.chunk);
    return s;
}

/* One stream a link; on the side that sends, links whose bytes are the same share one. */
static tg_status find_streams(tg_op *op, tg_node_pieces *n, tg_space to, tg_space space)
{
    tg_flow *f = &n->flow[to];
    const ptrdiff_t bytes = f->nlinks[space] * (ptrdiff_t)sizeof *f->stream[space];
    f->stream[space] = tg_keep(op, bytes);
    if (!f->stream[space])
        return tg_check_memory(NULL, bytes);
    for (tg_link *l = f->links[space]; l < f->links[space] + f->nlinks[space]; l++) {
        int same = 0;
        while (same < f->nstreams[space] &&
               (space == to || f->stream[space][same].relay != l->relay ||
                !tg_blocks_equal(&f->stream[space][same].partner->blocks, &l->partner->blocks)))
            same++;
        if (same == f->nstreams[space]) {
            tg_stream made = stream_of(op, l);
            made.far =
                space != to && n->reads && !l->relay && made.bytes >= tg_shortest_run &&
                (tg_packs_first(n, to) || tg_blocks_shortest(&l->partner->blocks) >= n->least);
            f->stream[space][f->nstreams[space]++] = made;
        }
        tg_stream *s = &f->stream[space][same];
        l->stream = same;
        s->readers++;
        s->sender = l->index;
    }
    return tg_success();
}

static tg_status plan_flow(tg_op *op, tg_node_pieces *n, tg_space to)
{
    tg_status status = tg_chunks_keep(op, n->node, &n->flow[to].chunks);
    for (tg_space space = TG_X; space <= TG_Y && status.code == TG_OK; space++) {
        status = find_links(op, n, to, space);
        if (status.code == TG_OK)
            status = find_streams(op, n, to, space);
    }
    return status;
}

/* What this rank gives itself may wait when it is a copy into entries that nobody else writes. */
static void choose_own(const tg_op *op, tg_node_pieces *n, tg_space to)
{
    const tg_pieces *e = &n->pieces;
    tg_flow *f = &n->flow[to];
    const bool add = tg_pieces_add(e, to);
    if (op->in_place)
        f->own = TG_OWN_FIRST;
    else if (!add)
        f->own = TG_OWN_BETWEEN;
    else if (e->own_all && f->nstreams[to] > 0 && !f->stream[to][0].relay &&
             tg_blocks_equal(&e->self[to], &f->stream[to][0].partner->blocks))
        f->own = TG_OWN_UNDER;
    f->own_bytes = f->own == TG_OWN_BETWEEN ? tg_blocks_bytes(&e->self[to]) : 0;
}

/* Partners in the node get no messages of p2p, and owners none of the ranks that relays are for. */
static void drop_messages(tg_node_pieces *n)
{
    for (tg_space space = TG_X; space <= TG_Y; space++)
        for (int i = 0; i < n->flow[TG_Y].nlinks[space]; i++)
            tg_no_message(n->flow[TG_Y].links[space][i].partner);
}

static tg_status plan_flows(tg_op *op, tg_node_pieces *n)
{
    tg_status status = tg_success();
    for (tg_space to = TG_X; to <= TG_Y && status.code == TG_OK; to++)
        status = plan_flow(op, n, to);
    for (tg_space to = TG_X; to <= TG_Y && status.code == TG_OK; to++)
        choose_own(op, n, to);
    if (status.code != TG_OK)
        return status;
    drop_messages(n);
    n->scratch = tg_keep(op, n->reads ? tg_largest_chunk : 0);
    if (!n->scratch)
        return tg_check_memory(NULL, tg_largest_chunk);
    status = tg_messages_plan(op, &n->pieces);
    const tg_side *x = &n->pieces.side[TG_X];
    ptrdiff_t messages = 0;
    for (int i = 0; i < x->npartners; i++)
        messages += x->partners[i].messages;
    tg_set_messages(op, messages);
    return status;
}

/* What needs no scratch is read in longer chunks, so that the system is asked seldom. */
static void plan_far(const tg_node_pieces *n, tg_space to, tg_stream *s)
{
    enum { LONGER = 8 };
    s->straight =
        !tg_pieces_add(&n->pieces, to) && tg_blocks_shortest(&s->partner->blocks) >= n->least;
    if (s->straight)
        s->chunk *= LONGER;
    s->chunks = (uint64_t)((s->bytes + s->chunk - 1) / s->chunk);
}

/* Senders tell each receiver where its stream begins and whether it is far; and all ranks of the node
 * how much they fill. */
static void tell_streams(tg_node_pieces *n, tg_space to)
{
    const tg_space from = other(to);
    tg_flow *f = &n->flow[to];
    uint64_t fills = 0;
    for (tg_stream *s = f->stream[from]; s < f->stream[from] + f->nstreams[from]; s++) {
        s->first = fills;
        fills += s->far ? 1 : s->chunks;
    }
    for (tg_link *l = f->links[from]; l < f->links[from] + f->nlinks[from]; l++) {
        const tg_stream *s = &f->stream[from][l->stream];
        const int64_t blocks = tg_packs_first(n, to) ? 1 : l->partner->blocks.count;
        l->notice = (tg_notice){s->first, s->far ? blocks : 0};
        l->run = (tg_block){.run_bytes = s->bytes};
        MPI_Isend(&l->notice, sizeof l->notice, MPI_BYTE, l->index, 0, n->node->mpi, &l->request);
    }
    for (tg_link *l = f->links[to]; l < f->links[to] + f->nlinks[to]; l++) {
        tg_stream *s = &f->stream[to][l->stream];
        MPI_Recv(&l->notice, sizeof l->notice, MPI_BYTE, l->index, 0, n->node->mpi,
                 MPI_STATUS_IGNORE);
        s->first = l->notice.first;
        s->far = l->notice.blocks > 0;
        if (s->far)
            plan_far(n, to, s);
    }
    for (tg_link *l = f->links[from]; l < f->links[from] + f->nlinks[from]; l++)
        MPI_Wait(&l->request, MPI_STATUS_IGNORE);
    tg_chunks_tell(&f->chunks, fills);
}

/* Memory for what is told next. Local. */
static tg_status keep_sources(tg_op *op, tg_flow *f, tg_space to)
{
    for (tg_link *l = f->links[to]; l < f->links[to] + f->nlinks[to]; l++) {
        const ptrdiff_t bytes = (ptrdiff_t)l->notice.blocks * (ptrdiff_t)sizeof(tg_block);
        tg_blocks *source = &f->stream[to][l->stream].source;
        source->count = (int)l->notice.blocks;
        source->block = tg_keep(op, bytes);
        if (!source->block)
            return tg_check_memory(NULL, bytes);
    }
    return tg_success();
}

/* Senders of far streams tell where the pieces lie in their buffers. */
static void tell_sources(const tg_node_pieces *n, tg_space to)
{
    const tg_flow *f = &n->flow[to];
    const tg_space from = other(to);
    for (tg_link *l = f->links[from]; l < f->links[from] + f->nlinks[from]; l++) {
        const tg_block *blocks = tg_packs_first(n, to) ? &l->run : l->partner->blocks.block;
        if (l->notice.blocks > 0)
            MPI_Isend(blocks, (int)(l->notice.blocks * (int64_t)sizeof *blocks), MPI_BYTE, l->index,
                      0, n->node->mpi, &l->request);
    }
    for (tg_link *l = f->links[to]; l < f->links[to] + f->nlinks[to]; l++)
        if (l->notice.blocks > 0)
            MPI_Recv(f->stream[to][l->stream].source.block,
                     (int)(l->notice.blocks * (int64_t)sizeof(tg_block)), MPI_BYTE, l->index, 0,
                     n->node->mpi, MPI_STATUS_IGNORE);
    for (tg_link *l = f->links[from]; l < f->links[from] + f->nlinks[from]; l++)
        if (l->notice.blocks > 0)
            MPI_Wait(&l->request, MPI_STATUS_IGNORE);
}

static tg_status plan_node(const tg_problem *problem, tg_op *op, bool reads)
{
    tg_node *node;
    tg_status status = tg_node_open(op->shared, &node);
    if (status.code != TG_OK)
        return status;
    tg_node_pieces *n = tg_keep(op, (ptrdiff_t)sizeof *n);
    status = tg_check_memory(n, (ptrdiff_t)sizeof *n);
    if (n) {
        const bool pack[2] = {false, false};
        n->op = op;
        n->node = node;
        n->reads = reads && node->process;
        n->least = tg_run_least(problem);
        op->state = n;
        op->release = release;
        op->run = tg_run_node;
        op->start = tg_start_node;
        op->finish = tg_finish_node;
        status = tg_pieces_plan(&n->pieces, problem, op, pack);
    }
    status = tg_agree(op->comm, status);
    if (status.code == TG_OK)
        status = tg_relays_plan(op, n);
    if (status.code == TG_OK)
        status = tg_agree(op->comm, plan_flows(op, n));
    if (status.code != TG_OK)
        return status;
    for (tg_space to = TG_X; to <= TG_Y; to++)
        tell_streams(n, to);
    if (!reads)
        return status;
    for (tg_space to = TG_X; to <= TG_Y && status.code == TG_OK; to++)
        status = keep_sources(op, &n->flow[to], to);
    status = tg_agree(op->comm, status);
    for (tg_space to = TG_X; to <= TG_Y && status.code == TG_OK; to++)
        tell_sources(n, to);
    return status;
}

static tg_status plan_window(const tg_problem *problem, tg_op *op)
{
    return plan_node(problem, op, false);
}

static tg_status plan_cma(const tg_problem *problem, tg_op *op)
{
    return plan_node(problem, op, true);
}

const tg_algorithm tg_engine_node = {"node", "shared memory inside a node, messages between nodes",
                                     plan_window, NULL};
const tg_algorithm tg_engine_cma = {
    "cma", "as node, long runs read from the sender's memory where the system permits it", plan_cma,
    NULL};
