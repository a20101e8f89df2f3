/* pieces.h: what the ranks of y[held] = x[owned] exchange, for the files that move it. Private to
 * the room. */
#ifndef TG_PIECES_H
#define TG_PIECES_H

#include "primitives/op.h"

/* What one rank exchanges with this one: a run of the side's pieces. */
typedef struct {
    int rank;
    int first, count;  /* pieces */
    ptrdiff_t offset;  /* bytes into the side's packed buffer */
    ptrdiff_t entries; /* of all its pieces */
    MPI_Request *requests;
    int messages; /* that the entries travel in; one request each */
} tg_partner;

typedef struct {
    tg_overlap *pieces; /* sorted by rank, then by place in the holder's coordinates */
    tg_block *blocks;   /* piece by piece: where it lies in this rank's buffer */
    int npieces;
    tg_partner *partners;
    int npartners;
    int self; /* index of this rank among the partners, or -1 */
    char *packed;
    ptrdiff_t packed_bytes;
    MPI_Request *requests; /* of all partners */
    int messages;
} tg_side;

typedef struct {
    tg_side side[2];  /* by tg_space: what x gives, what y takes; backwards in the adjoint */
    tg_box region[2]; /* this rank's entries of x and of y, inside the buffers */
    tg_box keep;      /* in place: entries that are x and y at once */
    bool once;        /* no entry of x is held twice: towards x pieces are written, not added */
    tg_block *self_x, *self_y; /* the pieces this rank gives itself, as pairs */
    int self_count;
} tg_pieces;

/* Calls: Local. Find the pieces between the layouts, and sets op->messages. pack says of each side
 * if its partners' pieces pass through a packed buffer. Errors: TG_BAD_INPUT, TG_NO_MEMORY;
 * tg_pieces_free frees what was made. */
tg_status tg_pieces_plan(tg_pieces *pieces, const tg_layout *x, const tg_layout *y, tg_op *op,
                         const bool pack[2]);
void tg_pieces_free(tg_pieces *pieces);

/* Calls: Local. The piece in the coordinates of a side's buffer. */
tg_box tg_piece_at(tg_space space, const tg_overlap *piece);

/* Calls: Local. Are pieces added where they arrive? Is no entry of x held twice in y? */
bool tg_pieces_add(const tg_pieces *pieces, tg_space to);
bool tg_each_entry_once(const tg_layout *y);

/* Calls: Local. Towards x, before the pieces are put there: zeros where no piece is written; in
 * place this also clears the entries of y that are no entries of x, so that everything to be sent
 * must have been read. */
void tg_pieces_clear(const tg_op *op, const tg_pieces *pieces, void *out);

/* Calls: Local. A partner's pieces between the rank's buffer and a packed one. */
void tg_partner_pack(const tg_side *side, const tg_partner *partner, const void *in);
void tg_partner_unpack(const tg_op *op, const tg_side *side, const tg_partner *partner,
                       const char *packed, void *out, bool add);

#endif
