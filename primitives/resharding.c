/* resharding.c: the algorithm `resharding`, for a repartition into copies on other ranks: what k ranks
 * hold crosses once, and is spread among them.
 *
 * The k ranks that hold copies of one part are fellows. Each has a share of the part, which is y with
 * every copied axis cut into as many parts as it has copies. So F = S C, where C is the repartition into
 * shares, without copies, and S copies each share to the other fellows:
 *
 *     C   x ranks -> fellow j     the pieces of x in the share of j: a stream for each rank of x
 *     S   fellow j -> the others  the streams of j
 *
 * Streams are cut into segments of 128 KiB. Fellow j passes a segment on when it has come, while the
 * next one crosses. In F* = C* S* each fellow gives j what it has at the places of j's share; j adds
 * these k terms in one order and sends the sum across, segment by segment.
 * A rank of x sends what it owns once instead of k times, in the adjoint it receives it once; a rank of
 * y receives its part once, as ever, and sends (k-1)/k of it.
 * Where y holds no copies, or a rank is in both layouts, the plan is p2p's.
 * Source: Zhuang et al., "On Optimizing the Communication of Model Parallelism", arXiv 2211.05322. */
#include "primitives/resharding.h"

#include "primitives/count.h"
#include "primitives/exchange.h"
#include "primitives/part.h"

#include <stdlib.h>

enum { SEGMENT_BYTES = 128 * 1024 };

/* A stretch of the bytes that a stream's pieces are packed into. */
typedef struct {
    const tg_partner *stream;
    ptrdiff_t first, bytes;
} segment;

/* Streams, and their segments in the order in which they travel. */
typedef struct {
    tg_pieces pieces; /* one side of it */
    tg_side *side;
    segment *segment;
    int count;
} streams;

typedef struct {
    streams given;    /* of a rank of x: to the shares */
    tg_blocks clear;  /* towards x: a copy that gives nothing; in place, of y */
    streams *share;   /* of a rank of y: of each fellow */
    int *fellows;     /* ranks of op->comm, in the order of their places */
    int nfellows, me; /* this rank's index */
    char *terms;      /* this rank's share, of each of the other fellows; towards x */
    MPI_Request *crossing, *own,
        *others; /* of this rank's segments; of them with each other fellow;
                                             of the other fellows' segments */
    int ncrossing, nown, nothers;
} resharding;

/* ---- who has which share ---- */

static bool holds_copies(const tg_layout *y)
{
    for (int a = 0; a < y->ndim; a++)
        if (y->axis[a].copied && y->axis[a].parts > 1)
            return true;
    return false;
}

bool tg_resharding_fits_here(const tg_problem *problem, int rank)
{
    return holds_copies(&problem->y) &&
           (tg_layout_place(&problem->x, rank) < 0 || tg_layout_place(&problem->y, rank) < 0);
}

/* The repartition into shares; it borrows the problem's lists. */
static tg_problem into_shares(const tg_problem *problem)
{
    tg_problem shares = *problem;
    for (int a = 0; a < shares.y.ndim; a++)
        shares.y.axis[a].copied = false;
    return shares;
}

static tg_status find_fellows(const tg_problem *problem, tg_op *op, resharding *r)
{
    const tg_layout *y = &problem->y;
    const int place = tg_layout_place(y, op->rank);
    int coords[TG_MAX_NDIM], count = 1;
    bool fixed[TG_MAX_NDIM];
    if (place < 0)
        return tg_success();
    tg_layout_coords(y, place, coords);
    for (int a = 0; a < y->ndim; a++) {
        fixed[a] = !y->axis[a].copied;
        count *= fixed[a] ? 1 : y->axis[a].parts;
    }
    r->fellows = tg_keep(op, count * (ptrdiff_t)sizeof *r->fellows);
    r->share = tg_keep(op, count * (ptrdiff_t)sizeof *r->share);
    if (!r->fellows || !r->share)
        return tg_check_memory(NULL, count * (ptrdiff_t)sizeof *r->share);
    r->nfellows = tg_layout_ranks_at(y, coords, fixed, r->fellows);
    while (r->fellows[r->me] != op->rank)
        r->me++;
    return tg_success();
}

static ptrdiff_t segment_bytes(const tg_dtype *dtype)
{
    const ptrdiff_t size = (ptrdiff_t)dtype->size, whole = SEGMENT_BYTES / size;
    return size * tg_count_most(whole);
}

/* The first segment of each stream, then the second of each, ...: all are under way at once. */
static tg_status cut_streams(tg_op *op, streams *s)
{
    const ptrdiff_t size = (ptrdiff_t)op->dtype->size, most = segment_bytes(op->dtype);
    ptrdiff_t longest = 0, count = 0;
    for (const tg_partner *p = s->side->partners; p < s->side->partners + s->side->npartners; p++) {
        const ptrdiff_t bytes = p->entries * size;
        longest = bytes > longest ? bytes : longest;
        count += (bytes + most - 1) / most;
    }
    s->segment = tg_keep(op, count * (ptrdiff_t)sizeof *s->segment);
    if (!s->segment)
        return tg_check_memory(NULL, count * (ptrdiff_t)sizeof *s->segment);
    for (ptrdiff_t first = 0; first < longest; first += most)
        for (const tg_partner *p = s->side->partners; p < s->side->partners + s->side->npartners;
             p++) {
            const ptrdiff_t left = p->entries * size - first;
            if (left > 0)
                s->segment[s->count++] = (segment){p, first, left < most ? left : most};
        }
    return tg_success();
}

/* The streams that one rank gives (TG_X) or has as its share (TG_Y). */
static tg_status find_streams(const tg_problem *shares, tg_op *op, int rank, tg_space space,
                              streams *s)
{
    tg_op there = {.rank = rank, .dtype = op->dtype};
    s->pieces.keep.ndim = shares->x.ndim;
    s->side = &s->pieces.side[space];
    tg_status status = tg_pieces_partners(&s->pieces, shares, &there, space);
    op->held_bytes += there.held_bytes;
    return status.code == TG_OK ? cut_streams(op, s) : status;
}

static tg_status find_all_streams(const tg_problem *problem, tg_op *op, resharding *r)
{
    const tg_problem shares = into_shares(problem);
    tg_status status = find_streams(&shares, op, op->rank, TG_X, &r->given);
    if (status.code == TG_OK)
        status = find_fellows(problem, op, r);
    for (int f = 0; f < r->nfellows && status.code == TG_OK; f++)
        status = find_streams(&shares, op, r->fellows[f], TG_Y, &r->share[f]);
    return status;
}

static void free_streams(streams *s)
{
    tg_pieces_free(&s->pieces);
    free(s->segment);
}

static void free_all(resharding *r)
{
    free_streams(&r->given);
    for (int f = 0; f < r->nfellows; f++)
        free_streams(&r->share[f]);
    free(r->share);
    free(r->fellows);
    free(r->clear.block);
    free(r->terms);
    free(r->crossing);
    free(r->own);
    free(r->others);
}

/* ---- weights ---- */

static ptrdiff_t entries_of(const streams *s)
{
    ptrdiff_t entries = 0;
    for (const tg_partner *p = s->side->partners; p < s->side->partners + s->side->npartners; p++)
        entries += p->entries;
    return entries;
}

tg_status tg_resharding_share(const tg_problem *problem, const tg_op *op, tg_carried *carried,
                              ptrdiff_t rounds[2])
{
    resharding r = {.me = 0};
    tg_op here = *op;
    const tg_status status = find_all_streams(problem, &here, &r);
    ptrdiff_t sends = 0, receives = 0;
    if (status.code == TG_OK) {
        carried->messages[0] += r.given.count;
        carried->entries[0] += entries_of(&r.given);
        rounds[TG_CROSSING] = r.given.side->npartners;
    }
    for (int f = 0; f < r.nfellows && status.code == TG_OK; f++) {
        const streams *s = &r.share[f];
        const int passed_on = f == r.me ? r.nfellows - 1 : 0;
        carried->messages[0] += (ptrdiff_t)passed_on * s->count;
        carried->entries[0] += passed_on * entries_of(s);
        carried->messages[1] += s->count;
        carried->entries[1] += entries_of(s);
        sends += (ptrdiff_t)passed_on * s->side->npartners;
        receives += f == r.me ? 0 : s->side->npartners;
        if (f == r.me)
            rounds[TG_CROSSING] = s->side->npartners;
    }
    rounds[TG_SPREADING] = sends > receives ? sends : receives;
    free_all(&r);
    return status;
}

/* ---- running ---- */

static bool is_run(const segment *g)
{
    return tg_blocks_contiguous(&g->stream->blocks);
}

/* Where a segment stands: in the user's buffer, or packed. */
static char *place_of(const streams *s, const segment *g, const void *buffer)
{
    char *begin = is_run(g) ? (char *)(uintptr_t)buffer + g->stream->blocks.block->offset
                            : s->side->packed + g->stream->offset;
    return begin + g->first;
}

static char *packed_at(const streams *s, const segment *g)
{
    return s->side->packed + g->stream->offset + g->first;
}

static void send(const tg_op *op, const segment *g, const char *place, int rank,
                 MPI_Request *request)
{
    tg_start_send(op, place, g->bytes / (ptrdiff_t)op->dtype->size, rank, request);
}

static void receive(const tg_op *op, const segment *g, char *place, int rank, MPI_Request *request)
{
    tg_start_receive(op, place, g->bytes / (ptrdiff_t)op->dtype->size, rank, request);
}

/* Each segment from a buffer to its rank: the stream's, or a fellow. */
static void send_all(const tg_op *op, const streams *s, const int *fellow, const void *in,
                     MPI_Request *requests)
{
    for (int i = 0; i < s->count; i++) {
        const segment *g = &s->segment[i];
        char *place = place_of(s, g, in);
        if (!is_run(g))
            tg_part_pack(&g->stream->blocks, g->first, g->bytes, in, place);
        send(op, g, place, fellow ? *fellow : g->stream->rank, &requests[i]);
    }
}

static void receive_all(const tg_op *op, const streams *s, const int *fellow, void *out,
                        MPI_Request *requests)
{
    for (int i = 0; i < s->count; i++)
        receive(op, &s->segment[i], place_of(s, &s->segment[i], out),
                fellow ? *fellow : s->segment[i].stream->rank, &requests[i]);
}

static void unpack(const streams *s, const segment *g, void *out)
{
    if (!is_run(g))
        tg_part_unpack(&g->stream->blocks, g->first, g->bytes, place_of(s, g, out), out);
}

static void finish_receiving(const streams *s, void *out, MPI_Request *requests)
{
    for (int i = 0; i < s->count; i++) {
        MPI_Wait(&requests[i], MPI_STATUS_IGNORE);
        unpack(s, &s->segment[i], out);
    }
}

/* send_all, receive_all or finish_receiving of the other fellows' shares. */
typedef enum { SEND, RECEIVE, FINISH } deed;

static void with_others(const tg_op *op, const resharding *r, deed what, void *buffer)
{
    MPI_Request *next = r->others;
    for (int f = 0; f < r->nfellows; f++) {
        if (f == r->me)
            continue;
        if (what == SEND)
            send_all(op, &r->share[f], &r->fellows[f], buffer, next);
        else if (what == RECEIVE)
            receive_all(op, &r->share[f], &r->fellows[f], buffer, next);
        else
            finish_receiving(&r->share[f], buffer, next);
        next += r->share[f].count;
    }
}

/* A segment of this rank's share has come: it goes on to the others. */
static void pass_on(const tg_op *op, resharding *r, int i, void *out)
{
    const streams *s = &r->share[r->me];
    const segment *g = &s->segment[i];
    MPI_Request *next = r->own + (ptrdiff_t)i * (r->nfellows - 1);
    MPI_Wait(&r->crossing[i], MPI_STATUS_IGNORE);
    for (int f = 0; f < r->nfellows; f++)
        if (f != r->me)
            send(op, g, place_of(s, g, out), r->fellows[f], next++);
    unpack(s, g, out);
}

/* Where the term of a fellow arrives, the n-th of the others. */
static char *term_of(const resharding *r, const segment *g, int n)
{
    return r->terms + n * r->share[r->me].side->packed_bytes + g->stream->offset + g->first;
}

/* This rank's term and those of the others, in the order of the fellows, summed and sent across. */
static void add_up(const tg_op *op, resharding *r, int i, const void *in)
{
    const streams *s = &r->share[r->me];
    const segment *g = &s->segment[i];
    char *sum = packed_at(s, g);
    tg_part_pack(&g->stream->blocks, g->first, g->bytes, in, sum);
    for (int n = 0; n < r->nfellows - 1; n++) {
        MPI_Wait(&r->own[(ptrdiff_t)i * (r->nfellows - 1) + n], MPI_STATUS_IGNORE);
        op->dtype->add(sum, term_of(r, g, n), g->bytes / (ptrdiff_t)op->dtype->size);
    }
    send(op, g, sum, g->stream->rank, &r->crossing[i]);
}

static void receive_terms(const tg_op *op, resharding *r)
{
    const streams *s = &r->share[r->me];
    for (int i = 0; i < s->count; i++) {
        MPI_Request *next = r->own + (ptrdiff_t)i * (r->nfellows - 1);
        for (int f = 0, n = 0; f < r->nfellows; f++)
            if (f != r->me)
                receive(op, &s->segment[i], term_of(r, &s->segment[i], n++), r->fellows[f], next++);
    }
}

/* The first half is the first phase of messages. */
static void start(tg_op *op, tg_space to, const void *in, void *out)
{
    resharding *r = op->state;
    if (to == TG_Y) {
        send_all(op, &r->given, NULL, in, r->crossing);
        if (r->nfellows > 0)
            receive_all(op, &r->share[r->me], NULL, out, r->crossing);
    } else if (r->nfellows > 0) {
        receive_terms(op, r);
        with_others(op, r, SEND, (void *)(uintptr_t)in);
    }
}

static void finish_at_x(const tg_op *op, resharding *r, tg_space to, void *out)
{
    if (to == TG_X) {
        tg_blocks_clear(&r->clear, out);
        receive_all(op, &r->given, NULL, out, r->crossing);
        finish_receiving(&r->given, out, r->crossing);
    } else {
        MPI_Waitall(r->ncrossing, r->crossing, MPI_STATUSES_IGNORE);
    }
}

static void finish_at_y(const tg_op *op, resharding *r, tg_space to, const void *in, void *out)
{
    const int count = r->share[r->me].count;
    if (to == TG_Y)
        with_others(op, r, RECEIVE, out);
    for (int i = 0; i < count; i++)
        if (to == TG_Y)
            pass_on(op, r, i, out);
        else
            add_up(op, r, i, in);
    if (to == TG_Y) {
        with_others(op, r, FINISH, out);
        MPI_Waitall(r->nown, r->own, MPI_STATUSES_IGNORE);
    } else {
        MPI_Waitall(r->nothers, r->others, MPI_STATUSES_IGNORE);
        MPI_Waitall(r->ncrossing, r->crossing, MPI_STATUSES_IGNORE);
        tg_blocks_clear(&r->clear, out);
    }
}

static void finish(tg_op *op, tg_space to, const void *in, void *out)
{
    resharding *r = op->state;
    if (r->nfellows > 0)
        finish_at_y(op, r, to, in, out);
    else
        finish_at_x(op, r, to, out);
}

static void run(tg_op *op, tg_space to, const void *in, void *out)
{
    start(op, to, in, out);
    finish(op, to, in, out);
}

/* ---- planning ---- */

static void release(tg_op *op)
{
    free_all(op->state);
    free(op->state);
}

/* Where the streams lie in this rank's buffer, and room for them packed, if one must be or `all`. */
static tg_status place_streams(const tg_problem *problem, tg_op *op, tg_space space, bool all,
                               streams *s)
{
    const tg_status status = tg_pieces_blocks(&s->pieces, problem, op, space);
    bool packs = all;
    for (int i = 0; i < s->side->npartners && status.code == TG_OK; i++)
        packs = packs || !tg_blocks_contiguous(&s->side->partners[i].blocks);
    if (status.code != TG_OK || !packs)
        return status;
    s->side->packed = tg_keep(op, s->side->packed_bytes);
    return tg_check_memory(s->side->packed, s->side->packed_bytes);
}

static tg_status keep_requests(tg_op *op, MPI_Request **requests, int count)
{
    *requests = tg_keep(op, count * (ptrdiff_t)sizeof **requests);
    return tg_check_memory(*requests, count * (ptrdiff_t)sizeof **requests);
}

static tg_status plan_y(const tg_problem *problem, tg_op *op, resharding *r)
{
    const int others = r->nfellows - 1;
    const streams *own = &r->share[r->me];
    tg_status status = tg_success();
    for (int f = 0; f < r->nfellows && status.code == TG_OK; f++) {
        status = place_streams(problem, op, TG_Y, f == r->me, &r->share[f]);
        r->nothers += f == r->me ? 0 : r->share[f].count;
    }
    r->ncrossing = own->count;
    r->nown = own->count * others;
    tg_set_messages(op, r->nown);
    r->terms = tg_keep(op, others * own->side->packed_bytes);
    if (!r->terms)
        return tg_check_memory(NULL, others * own->side->packed_bytes);
    if (status.code == TG_OK)
        status = keep_requests(op, &r->own, r->nown);
    if (status.code == TG_OK)
        status = keep_requests(op, &r->others, r->nothers);
    return status;
}

static tg_status plan_x(const tg_problem *problem, tg_op *op, resharding *r)
{
    r->ncrossing = r->given.count;
    tg_set_messages(op, r->ncrossing);
    return place_streams(problem, op, TG_X, false, &r->given);
}

/* A rank has one buffer. Towards x it is cleared where nothing is put: in y in place, and in x where
 * the rank gives nothing. */
static tg_status plan_clear(tg_op *op, resharding *r)
{
    const tg_view *view = &op->view[r->nfellows > 0 ? TG_Y : TG_X];
    const bool clears = r->nfellows > 0 ? op->in_place : r->given.count == 0;
    return clears ? tg_keep_blocks(op, view, &view->box, NULL, &r->clear) : tg_success();
}

static tg_status plan_local(const tg_problem *problem, tg_op *op)
{
    resharding *r = tg_keep(op, (ptrdiff_t)sizeof *r);
    if (!r)
        return tg_check_memory(NULL, (ptrdiff_t)sizeof *r);
    op->state = r;
    op->release = release;
    op->run = run;
    op->start = start;
    op->finish = finish;
    tg_status status = find_all_streams(problem, op, r);
    if (status.code == TG_OK)
        status = r->nfellows > 0 ? plan_y(problem, op, r) : plan_x(problem, op, r);
    if (status.code == TG_OK)
        status = keep_requests(op, &r->crossing, r->ncrossing);
    return status.code == TG_OK ? plan_clear(op, r) : status;
}

static tg_status plan(const tg_problem *problem, tg_op *op)
{
    bool fits = tg_resharding_fits_here(problem, op->rank);
    if (holds_copies(&problem->y))
        MPI_Allreduce(MPI_IN_PLACE, &fits, 1, MPI_C_BOOL, MPI_LAND, op->comm);
    return fits ? tg_agree(op->comm, plan_local(problem, op)) : tg_engine_p2p.plan(problem, op);
}

static const tg_weights weights = {"p, then (k-1) p", "its pieces once; in y the part once",
                                   "Zhuang et al., arXiv 2211.05322", tg_weigh_resharding};

const tg_algorithm tg_engine_resharding = {
    "resharding",
    "into copies on other ranks each piece crosses once and is spread there; p2p elsewhere", plan,
    &weights};
