/* pieces.h: what the ranks of y[held] = x[owned] exchange, for the files that move it. Private to
 * the room. */
#ifndef TG_PIECES_H
#define TG_PIECES_H

#include "primitives/op.h"

/* What one rank exchanges with this one: a run of the side's pieces. */
typedef struct {
    int rank;
    int first, count;  /* pieces */
    tg_blocks blocks;  /* where they lie in this rank's buffer; of the side's blocks */
    ptrdiff_t offset;  /* bytes into the side's packed buffer */
    ptrdiff_t entries; /* of all its pieces */
    MPI_Request *requests;
    int messages; /* that the entries travel in; one request each */
} tg_partner;

typedef struct {
    tg_overlap *pieces; /* sorted by rank, then by place in the holder's coordinates */
    int npieces;
    tg_block *blocks; /* of all partners */
    tg_partner *partners;
    int npartners;
    int self; /* index of this rank among the partners, or -1 */
    char *packed;
    ptrdiff_t packed_bytes;
    MPI_Request *requests; /* of all partners */
    int messages;
} tg_side;

typedef struct {
    tg_side side[2];   /* by tg_space: what x gives, what y takes; backwards in the adjoint */
    tg_box keep;       /* in place: entries that are x and y at once */
    bool once;         /* no entry of x is held twice: towards x pieces are written, not added */
    bool own_all;      /* out of place: what this rank gives itself is all of its x, in one piece */
    tg_blocks self[2]; /* the pieces this rank gives itself, as pairs; by tg_space */
    tg_blocks clear[2]; /* what is cleared before pieces are put towards x: of x; in place, of y */
} tg_pieces;

/* Calls: Local. Find the pieces between the layouts, and sets op->messages. pack says of each side
 * if its partners' pieces pass through a packed buffer. Errors: TG_BAD_INPUT, TG_NO_MEMORY;
 * tg_pieces_free frees what was made. */
tg_status tg_pieces_plan(tg_pieces *pieces, const tg_problem *problem, tg_op *op,
                         const bool pack[2]);
void tg_pieces_free(tg_pieces *pieces);

/* What p2p and persistent carry. */
extern const tg_weights tg_weights_of_pieces;

/* Calls: Local. Finds the partners of one side, without the places of their pieces; then the places,
 * in the buffers that ranks pass for `problem`. Errors: TG_NO_MEMORY; tg_pieces_free frees what was
 * made. */
tg_status tg_pieces_partners(tg_pieces *pieces, const tg_problem *problem, tg_op *op,
                             tg_space space);
tg_status tg_pieces_blocks(tg_pieces *pieces, const tg_problem *problem, tg_op *op, tg_space space);

/* Calls: Local. A packed buffer for those partners of a side that `packs` names; of the others only
 * the offset is set. In place of `pack` in tg_pieces_plan. Errors: TG_NO_MEMORY. */
typedef bool tg_packs(const tg_op *op, const tg_pieces *pieces, tg_space space,
                      const tg_partner *partner);
tg_status tg_pieces_buffer(tg_op *op, tg_pieces *pieces, tg_space space, tg_packs *packs);

/* Calls: Local, all. Can the partner's pieces be sent from, or received into, the user's buffer as
 * they lie there? Is the partner of a side this rank itself? */
bool tg_is_direct(const tg_op *op, const tg_partner *partner);
bool tg_is_self(const tg_side *side, const tg_partner *partner);
/* Writes the ranks of a side's partners but this one, ascending; returns how many. */
int tg_other_ranks(const tg_side *side, int *ranks);
/* A tg_packs: all partners, this rank itself in place only. */
bool tg_packs_others(const tg_op *op, const tg_pieces *pieces, tg_space space,
                     const tg_partner *partner);

/* Calls: Local. The piece in the coordinates of a side's buffer. */
tg_box tg_piece_at(tg_space space, const tg_overlap *piece);

/* Calls: Local. Are pieces added where they arrive? Is no entry of x held twice in y? */
bool tg_pieces_add(const tg_pieces *pieces, tg_space to);
bool tg_each_entry_once(const tg_layout *y);

/* Calls: Local. Towards x, before the pieces are put there: zeros where no piece is written; in
 * place this also clears the entries of y that are no entries of x, so that everything to be sent
 * must have been read. */
void tg_pieces_clear(const tg_pieces *pieces, void *out);

/* Calls: Local. What this rank gives itself towards `to`, and towards x the clearing before it:
 * stands between packing what others get and putting what they sent. */
void tg_pieces_give_self(const tg_op *op, const tg_pieces *pieces, tg_space to, const void *in,
                         void *out);

/* Calls: Local. A partner's pieces between the rank's buffer and a packed one. */
void tg_partner_pack(const tg_side *side, const tg_partner *partner, const void *in);
void tg_partner_unpack(const tg_op *op, const tg_partner *partner, const char *packed, void *out,
                       bool add);

/* MPI types of a side's partners, one each in their order (piece_types.c). */
typedef struct {
    MPI_Datatype *type;
    int count;
} tg_types;

/* Calls: Local. The types of the partners' pieces in the rank's buffer, or of the same pieces
 * packed; of this rank itself only with `self`. Errors: TG_NO_MEMORY. tg_types_free frees what was
 * made, also of a tg_types that is all zero. */
tg_status tg_types_plan(tg_op *op, const tg_side *side, bool packed, bool self, tg_types *types);
void tg_types_free(tg_types *types);

#endif
