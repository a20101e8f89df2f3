/* raw_exchanges.c: y[held] = x[owned] as a program without us would do it: MPI_Alltoallw with
 * subarray types, pack + MPI_Alltoallv + unpack, MPI_Sendrecv; and from buffers in which the messages
 * lie already MPI_Alltoall, and the bare messages of a repartition or a halo, which is the least that
 * any of them can take. */
#include "bench/raw.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

/* ---- raw:MPI_Alltoallw beside repartition ---- */

typedef struct {
    MPI_Comm group;
    int size; /* ranks */
    MPI_Datatype entry;
    int *send_count, *receive_count, *zero; /* 0 or 1; byte displacements, all 0 */
    MPI_Datatype *send_type, *receive_type; /* subarrays of the held boxes */
} raw_types;

static tg_status resolve_alltoallw(const tgb_case *words, int P, ptrdiff_t N, tgb_setup *setup)
{
    tg_status status = tgb_primitive_resolve(words, P, N, setup);
    for (int a = 0; status.code == TG_OK && a < setup->problem.x.ndim; a++)
        if (setup->problem.x.axis[a].extent > INT_MAX)
            status = tg_fail(TG_BAD_INPUT,
                             "%s: an axis of %td entries; expected at most %d, an MPI count",
                             setup->operation->name, setup->problem.x.axis[a].extent, INT_MAX);
    return status;
}

/* box inside held, as a type over held's row-major memory. */
static MPI_Datatype subarray(const tg_box *held, const tg_box *box, MPI_Datatype entry)
{
    int sizes[TG_MAX_NDIM], extents[TG_MAX_NDIM], starts[TG_MAX_NDIM];
    MPI_Datatype type;
    for (int a = 0; a < held->ndim; a++) {
        sizes[a] = (int)(held->hi[a] - held->lo[a]);
        extents[a] = (int)(box->hi[a] - box->lo[a]);
        starts[a] = (int)(box->lo[a] - held->lo[a]);
    }
    MPI_Type_create_subarray(held->ndim, sizes, extents, starts, MPI_ORDER_C, entry, &type);
    MPI_Type_commit(&type);
    return type;
}

static void put_types(const tg_box *held, const tg_overlap *overlaps, int count, MPI_Datatype entry,
                      int *counts, MPI_Datatype *types)
{
    for (int i = 0; i < count; i++) {
        counts[overlaps[i].rank] = 1;
        types[overlaps[i].rank] = subarray(held, &overlaps[i].box, entry);
    }
}

static tg_status make_type_tables(raw_types *raw)
{
    size_t size = (size_t)raw->size;
    raw->send_count = calloc(size, sizeof(int));
    raw->receive_count = calloc(size, sizeof(int));
    raw->zero = calloc(size, sizeof(int));
    raw->send_type = malloc(size * sizeof(MPI_Datatype));
    raw->receive_type = malloc(size * sizeof(MPI_Datatype));
    if (!raw->send_count || !raw->receive_count || !raw->zero || !raw->send_type ||
        !raw->receive_type) {
        raw->size = 0; /* no types to free */
        return tg_fail(TG_NO_MEMORY, "no memory for a raw call");
    }
    for (int i = 0; i < raw->size; i++)
        raw->send_type[i] = raw->receive_type[i] = MPI_BYTE;
    return tg_success();
}

static tg_status fill_type_tables(const tgb_work *work, raw_types *raw)
{
    const tg_layout *x = tgb_raw_x(work), *y = tgb_raw_y(work);
    tg_box owned = tg_layout_owned(x, work->rank), held_x = tg_layout_held(x, work->rank);
    tg_box held_y = tg_layout_held(y, work->rank);
    tg_overlap *to = NULL, *from = NULL;
    int nto = 0, nfrom = 0;
    tg_status status = tg_holders_of(y, &owned, &to, &nto);
    if (status.code == TG_OK)
        status = tg_owners_of(x, &held_y, &from, &nfrom);
    if (status.code == TG_OK) {
        put_types(&held_x, to, nto, raw->entry, raw->send_count, raw->send_type);
        put_types(&held_y, from, nfrom, raw->entry, raw->receive_count, raw->receive_type);
    }
    free(to);
    free(from);
    return status;
}

static void free_list(MPI_Datatype *type, int size)
{
    for (int i = 0; type && i < size; i++)
        if (type[i] != MPI_BYTE)
            MPI_Type_free(&type[i]);
    free(type);
}

static void free_types(tgb_work *work)
{
    raw_types *raw = work->raw;
    MPI_Comm_free(&raw->group);
    free_list(raw->send_type, raw->size);
    free_list(raw->receive_type, raw->size);
    free(raw->send_count);
    free(raw->receive_count);
    free(raw->zero);
    free(raw);
}

static tg_status plan_alltoallw(tgb_work *work)
{
    tg_status status = tgb_raw_start(work, sizeof(raw_types));
    if (status.code != TG_OK)
        return status;
    raw_types *raw = work->raw;
    raw->entry = work->setup->problem.dtype->mpi();
    MPI_Comm_dup(work->comm, &raw->group);
    MPI_Comm_size(work->comm, &raw->size);
    status = make_type_tables(raw);
    if (status.code == TG_OK)
        status = fill_type_tables(work, raw);
    status = tg_agree(work->comm, status);
    if (status.code != TG_OK)
        free_types(work);
    return status;
}

static void run_alltoallw(tgb_work *work)
{
    raw_types *raw = work->raw;
    MPI_Alltoallw(work->x, raw->send_count, raw->zero, raw->send_type, work->y, raw->receive_count,
                  raw->zero, raw->receive_type, raw->group);
}

static void init_alltoallw(tgb_work *work)
{
    raw_types *raw = work->raw;
    if (raw->group != MPI_COMM_NULL)
        TGB_PERSISTENT(MPI_Alltoallw_init(work->x, raw->send_count, raw->zero, raw->send_type,
                                          work->y, raw->receive_count, raw->zero, raw->receive_type,
                                          raw->group, MPI_INFO_NULL, &work->request));
}

/* ---- pieces in packed buffers ---- */

typedef struct {
    int rank;
    tg_box box;                /* in the coordinates of this rank's buffer */
    ptrdiff_t lo[TG_MAX_NDIM]; /* in the holder's coordinates: both ends sort by it */
} raw_piece;

/* What this rank gives or takes, sorted by rank: one message for each. */
typedef struct {
    raw_piece *piece;
    int pieces, most;   /* most: ranks */
    int *count, *first; /* by rank: entries, and where they begin in the packed buffer */
    char *packed;
} raw_side;

typedef struct {
    MPI_Comm group; /* MPI_COMM_NULL: this rank is in none */
    int size, rank; /* of the work's communicator */
    size_t entry_bytes;
    MPI_Datatype type;
    raw_side give, take;
    int block;            /* MPI_Alltoall: entries from each rank to each */
    MPI_Request *request; /* room for two for each rank */
} raw_exchange;

/* Entries of a box in a row-major buffer that holds `held`, from or into a packed one. Returns the
 * packed buffer behind them. */
static char *move_box(const tg_box *held, const tg_box *box, size_t bytes, char *buffer,
                      char *packed, bool pack)
{
    const int last = box->ndim - 1;
    const size_t run = (size_t)(box->hi[last] - box->lo[last]) * bytes;
    ptrdiff_t at[TG_MAX_NDIM];
    for (int a = 0; a <= last; a++)
        at[a] = box->lo[a];
    for (int a = 0; a >= 0;) {
        ptrdiff_t place = 0;
        for (int i = 0; i <= last; i++)
            place = place * (held->hi[i] - held->lo[i]) + at[i] - held->lo[i];
        char *here = buffer + (size_t)place * bytes;
        memcpy(pack ? packed : here, pack ? here : packed, run);
        packed += run;
        for (a = last - 1; a >= 0 && ++at[a] == box->hi[a]; a--)
            at[a] = box->lo[a];
    }
    return packed;
}

static void move_side(const raw_side *side, const tg_box *held, size_t bytes, void *buffer,
                      bool pack)
{
    char *packed = side->packed;
    for (int i = 0; i < side->pieces; i++)
        packed = move_box(held, &side->piece[i].box, bytes, buffer, packed, pack);
}

static int by_rank(const void *left, const void *right)
{
    const raw_piece *a = left, *b = right;
    int order = (a->rank > b->rank) - (a->rank < b->rank);
    for (int i = 0; i < a->box.ndim && order == 0; i++)
        order = (a->lo[i] > b->lo[i]) - (a->lo[i] < b->lo[i]);
    return order;
}

/* gives: the pieces' boxes are in the holder's coordinates, the buffer's are the owner's. */
static tg_status fill_side(raw_side *side, const tg_overlap *overlaps, int count, bool gives,
                           int size, size_t entry_bytes)
{
    ptrdiff_t entries = 0;
    side->piece = calloc((size_t)count + 1, sizeof *side->piece);
    side->count = calloc((size_t)size, sizeof *side->count);
    side->first = calloc((size_t)size, sizeof *side->first);
    if (!side->piece || !side->count || !side->first)
        return tg_fail(TG_NO_MEMORY, "no memory for a raw call");
    side->pieces = count;
    for (int i = 0; i < count; i++) {
        raw_piece *piece = &side->piece[i];
        *piece = (raw_piece){.rank = overlaps[i].rank, .box = overlaps[i].box};
        side->count[piece->rank] += (int)tg_box_count(&piece->box);
        for (int a = 0; a < piece->box.ndim; a++) {
            piece->lo[a] = piece->box.lo[a];
            piece->box.lo[a] += gives ? overlaps[i].shift[a] : 0;
            piece->box.hi[a] += gives ? overlaps[i].shift[a] : 0;
        }
    }
    qsort(side->piece, (size_t)count, sizeof *side->piece, by_rank);
    for (int r = 0; r < size; r++) {
        side->first[r] = (int)entries;
        entries += side->count[r];
    }
    side->packed = malloc((size_t)entries * entry_bytes + 1);
    return side->packed ? tg_success() : tg_fail(TG_NO_MEMORY, "no memory for a raw call");
}

static tg_status fill_sides(const tgb_work *work, raw_exchange *raw)
{
    const tg_layout *x = tgb_raw_x(work), *y = tgb_raw_y(work);
    const tg_box owned = tg_layout_owned(x, work->rank), held = tg_layout_held(y, work->rank);
    tg_overlap *to = NULL, *from = NULL;
    int nto = 0, nfrom = 0;
    tg_status status = tg_holders_of(y, &owned, &to, &nto);
    if (status.code == TG_OK)
        status = tg_owners_of(x, &held, &from, &nfrom);
    if (status.code == TG_OK)
        status = fill_side(&raw->give, to, nto, true, raw->size, raw->entry_bytes);
    if (status.code == TG_OK)
        status = fill_side(&raw->take, from, nfrom, false, raw->size, raw->entry_bytes);
    free(to);
    free(from);
    return status;
}

static void free_side(raw_side *side)
{
    free(side->piece);
    free(side->count);
    free(side->first);
    free(side->packed);
}

static void free_exchange(tgb_work *work)
{
    raw_exchange *raw = work->raw;
    if (raw->group != MPI_COMM_NULL)
        MPI_Comm_free(&raw->group);
    free_side(&raw->give);
    free_side(&raw->take);
    free(raw->request);
    free(raw);
}

static tg_status plan_exchange(tgb_work *work)
{
    tg_status status = tgb_raw_start(work, sizeof(raw_exchange));
    if (status.code != TG_OK)
        return status;
    raw_exchange *raw = work->raw;
    raw->type = work->setup->problem.dtype->mpi();
    raw->entry_bytes = work->setup->problem.dtype->size;
    MPI_Comm_dup(work->comm, &raw->group);
    MPI_Comm_size(raw->group, &raw->size);
    MPI_Comm_rank(raw->group, &raw->rank);
    status = fill_sides(work, raw);
    raw->request = malloc(2 * (size_t)raw->size * sizeof(MPI_Request));
    if (status.code == TG_OK && !raw->request)
        status = tg_fail(TG_NO_MEMORY, "no memory for a raw call");
    status = tg_agree(work->comm, status);
    if (status.code != TG_OK)
        free_exchange(work);
    return status;
}

static void pack_x(tgb_work *work)
{
    const raw_exchange *raw = work->raw;
    const tg_box held = tg_layout_held(tgb_raw_x(work), work->rank);
    move_side(&raw->give, &held, raw->entry_bytes, work->x, true);
}

static void unpack_y(tgb_work *work)
{
    const raw_exchange *raw = work->raw;
    const tg_box held = tg_layout_held(tgb_raw_y(work), work->rank);
    move_side(&raw->take, &held, raw->entry_bytes, work->y, false);
}

/* ---- raw:MPI_Alltoallv beside repartition ---- */

static void run_alltoallv(tgb_work *work)
{
    const raw_exchange *raw = work->raw;
    pack_x(work);
    MPI_Alltoallv(raw->give.packed, raw->give.count, raw->give.first, raw->type, raw->take.packed,
                  raw->take.count, raw->take.first, raw->type, raw->group);
    unpack_y(work);
}

static void init_alltoallv(tgb_work *work)
{
    raw_exchange *raw = work->raw;
    if (raw->group != MPI_COMM_NULL)
        TGB_PERSISTENT(MPI_Alltoallv_init(raw->give.packed, raw->give.count, raw->give.first,
                                          raw->type, raw->take.packed, raw->take.count,
                                          raw->take.first, raw->type, raw->group, MPI_INFO_NULL,
                                          &work->request));
}

static void run_alltoallv_init(tgb_work *work)
{
    pack_x(work);
    tgb_raw_start_and_wait(work);
    unpack_y(work);
}

/* ---- packed before and unpacked behind what is timed ---- */

static char *message(const raw_exchange *raw, const raw_side *side, int rank)
{
    return side->packed + (size_t)side->first[rank] * raw->entry_bytes;
}

static void fill_packed(tgb_work *work)
{
    const raw_exchange *raw = work->raw;
    tgb_primitive_fill_forward(work);
    pack_x(work);
    for (int r = 0; r < raw->size; r++)
        memset(message(raw, &raw->take, r), TGB_NOTHING_RIGHT,
               (size_t)raw->take.count[r] * raw->entry_bytes);
}

static ptrdiff_t count_wrong_packed(tgb_work *work)
{
    unpack_y(work);
    return tgb_primitive_wrong_forward(work);
}

/* ---- raw:MPI_Alltoall beside repartition ---- */

/* Does each rank have a block for each, all of one size? They have when no axis is cut in both layouts:
 * then every part of x meets every part of y, in as many entries. */
static tg_status check_all_to_all(const char *name, const tg_layout *x, const tg_layout *y)
{
    for (int a = 0; a < x->ndim; a++) {
        if (x->axis[a].copied && x->axis[a].parts > 1)
            return tg_fail(TG_BAD_INPUT, "%s: from has copies, of axis %d; expected none", name, a);
        if (x->axis[a].parts > 1 && y->axis[a].parts > 1 && !y->axis[a].copied)
            return tg_fail(
                TG_BAD_INPUT,
                "%s: from and to both cut axis %d; expected other axes, so that every rank "
                "has something for every rank",
                name, a);
    }
    if (tg_layout_size(x) != tg_layout_size(y))
        return tg_fail(TG_BAD_INPUT, "%s: from has %d ranks and to has %d; expected as many", name,
                       tg_layout_size(x), tg_layout_size(y));
    for (int place = 0; place < tg_layout_size(x); place++)
        if (tg_layout_place(y, tg_layout_rank(x, place)) < 0)
            return tg_fail(TG_BAD_INPUT,
                           "%s: rank %d is in from and not in to; expected it in both", name,
                           tg_layout_rank(x, place));
    return tg_success();
}

static tg_status resolve_alltoall(const tgb_case *words, int P, ptrdiff_t N, tgb_setup *setup)
{
    const tg_status status = tgb_raw_resolve_equal(words, P, N, setup);
    return status.code == TG_OK
               ? check_all_to_all(setup->operation->name, &setup->problem.x, &setup->problem.y)
               : status;
}

static tg_status plan_alltoall(tgb_work *work)
{
    const tg_status status = plan_exchange(work);
    if (status.code != TG_OK)
        return status;
    raw_exchange *raw = work->raw;
    const bool calls = tg_layout_place(tgb_raw_x(work), work->rank) >= 0;
    MPI_Comm_free(&raw->group); /* the blocks of idle ranks are empty, those of others are not */
    MPI_Comm_split(work->comm, calls ? 0 : MPI_UNDEFINED, 0, &raw->group);
    raw->block = raw->give.count[tg_layout_rank(tgb_raw_y(work), 0)];
    return status;
}

static void run_alltoall(tgb_work *work)
{
    const raw_exchange *raw = work->raw;
    if (raw->group != MPI_COMM_NULL)
        MPI_Alltoall(raw->give.packed, raw->block, raw->type, raw->take.packed, raw->block,
                     raw->type, raw->group);
}

static void init_alltoall(tgb_work *work)
{
    const raw_exchange *raw = work->raw;
    if (raw->group != MPI_COMM_NULL)
        TGB_PERSISTENT(MPI_Alltoall_init(raw->give.packed, raw->block, raw->type, raw->take.packed,
                                         raw->block, raw->type, raw->group, MPI_INFO_NULL,
                                         &work->request));
}

/* ---- raw:repartition_messages, raw:halo_messages ---- */

/* From packed buffers into packed buffers; what stays on its rank does not move. */
static void run_messages(tgb_work *work)
{
    const raw_exchange *raw = work->raw;
    int n = 0;
    for (int r = 0; r < raw->size; r++)
        if (r != raw->rank && raw->take.count[r] > 0)
            MPI_Irecv(message(raw, &raw->take, r), raw->take.count[r], raw->type, r, 0, raw->group,
                      &raw->request[n++]);
    for (int r = 0; r < raw->size; r++)
        if (r != raw->rank && raw->give.count[r] > 0)
            MPI_Isend(message(raw, &raw->give, r), raw->give.count[r], raw->type, r, 0, raw->group,
                      &raw->request[n++]);
    MPI_Waitall(n, raw->request, MPI_STATUSES_IGNORE);
}

/* The entries that came, and those that stay on this rank, have to be all of y. */
static ptrdiff_t count_wrong_messages(tgb_work *work)
{
    const raw_exchange *raw = work->raw;
    memcpy(message(raw, &raw->take, raw->rank), message(raw, &raw->give, raw->rank),
           (size_t)raw->take.count[raw->rank] * raw->entry_bytes);
    return count_wrong_packed(work);
}

/* ---- raw:MPI_Sendrecv beside send_recv ---- */

typedef struct {
    MPI_Comm group;
    int to, from;   /* MPI_PROC_NULL: nobody */
    int give, take; /* entries */
    MPI_Datatype type;
} raw_pair;

static void free_pair(tgb_work *work)
{
    raw_pair *raw = work->raw;
    MPI_Comm_free(&raw->group);
    free(raw);
}

static tg_status plan_sendrecv(tgb_work *work)
{
    const tg_layout *x = tgb_raw_x(work), *y = tgb_raw_y(work);
    const tg_box held_x = tg_layout_held(x, work->rank), held_y = tg_layout_held(y, work->rank);
    const tg_status status = tgb_raw_start(work, sizeof(raw_pair));
    if (status.code != TG_OK)
        return status;
    raw_pair *raw = work->raw;
    const int gives = tg_layout_place(x, work->rank), takes = tg_layout_place(y, work->rank);
    raw->to = gives >= 0 ? tg_layout_rank(y, gives) : MPI_PROC_NULL;
    raw->from = takes >= 0 ? tg_layout_rank(x, takes) : MPI_PROC_NULL;
    raw->give = (int)tg_box_count(&held_x);
    raw->take = (int)tg_box_count(&held_y);
    raw->type = work->setup->problem.dtype->mpi();
    MPI_Comm_dup(work->comm, &raw->group);
    return status;
}

static void run_sendrecv(tgb_work *work)
{
    const raw_pair *raw = work->raw;
    if (raw->to != MPI_PROC_NULL || raw->from != MPI_PROC_NULL)
        MPI_Sendrecv(work->x, raw->give, raw->type, raw->to, 0, work->y, raw->take, raw->type,
                     raw->from, 0, raw->group, MPI_STATUS_IGNORE);
}

/* ---- rows ---- */

static const tgb_key halo_keys[] = {TGB_ONE_LAYOUT, TGB_WINDOW, TGB_TYPE, TGB_END};

const tgb_raw_row tgb_raw_exchanges[] = {
    {.name = "raw:MPI_Alltoallw",
     .summary = "MPI_Alltoallw with subarray types between two layouts",
     .formula = "y[held] = x[owned]",
     .beside = "repartition",
     .keys = tgb_raw_two_keys,
     .resolve = resolve_alltoallw,
     .plan = plan_alltoallw,
     .release = free_types,
     .run = run_alltoallw,
     .init = init_alltoallw},
    {.name = "raw:MPI_Alltoallv",
     .summary = "pack, MPI_Alltoallv and unpack between two layouts",
     .formula = "y[held] = x[owned]",
     .beside = "repartition",
     .keys = tgb_raw_two_keys,
     .resolve = tgb_raw_resolve,
     .plan = plan_exchange,
     .release = free_exchange,
     .run = run_alltoallv,
     .init = init_alltoallv,
     .run_init = run_alltoallv_init},
    {.name = "raw:MPI_Alltoall",
     .summary = "MPI_Alltoall of blocks of one size between two layouts; nothing is packed",
     .formula = "y[held] = x[owned]",
     .beside = "repartition",
     .keys = tgb_raw_two_keys,
     .resolve = resolve_alltoall,
     .plan = plan_alltoall,
     .release = free_exchange,
     .run = run_alltoall,
     .fill = fill_packed,
     .count_wrong = count_wrong_packed,
     .init = init_alltoall},
    {.name = "raw:MPI_Sendrecv",
     .summary = "MPI_Sendrecv from one worker to another",
     .formula = "y = x",
     .beside = "send_recv",
     .keys = tgb_raw_two_keys,
     .resolve = tgb_raw_resolve,
     .plan = plan_sendrecv,
     .release = free_pair,
     .run = run_sendrecv},
    {.name = "raw:repartition_messages",
     .summary = "MPI_Irecv, MPI_Isend and MPI_Waitall of packed messages; nothing is copied",
     .formula = "y[held] = x[owned], but what stays on its rank",
     .beside = "repartition",
     .keys = tgb_raw_two_keys,
     .resolve = tgb_raw_resolve,
     .plan = plan_exchange,
     .release = free_exchange,
     .run = run_messages,
     .fill = fill_packed,
     .count_wrong = count_wrong_messages},
    {.name = "raw:halo_messages",
     .summary = "MPI_Irecv, MPI_Isend and MPI_Waitall of packed ghosts; nothing is copied",
     .formula = "y[held] = x[owned], but what stays on its rank",
     .beside = "halo",
     .keys = halo_keys,
     .resolve = tgb_raw_resolve,
     .plan = plan_exchange,
     .release = free_exchange,
     .run = run_messages,
     .fill = fill_packed,
     .count_wrong = count_wrong_messages},
    {.name = NULL},
};
