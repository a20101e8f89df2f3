/* node_pieces.h: pieces that pass through a node's shared memory: what is planned and how it runs.
 * Private to node_pieces.c, node_plan.c and node_relay.c. */
#ifndef TG_NODE_PIECES_H
#define TG_NODE_PIECES_H

#include "primitives/node.h"
#include "primitives/pieces.h"

/* Pieces of an owner in another node that several ranks of this node hold alike. One of them, the
 * leader, exchanges them with the owner, and passes them on to the others, its followers; towards x
 * it adds their terms to its own and gives the owner the sum. So they cross between nodes once. */
typedef struct {
    tg_partner *partner; /* of side y: the owner */
    int leader;          /* index in the node */
    int followers;       /* their number */
    int *follower;       /* on the leader: their indices in the node, ascending */
    char *packed;        /* on the leader: the pieces, or the sum */
    int messages;        /* on the leader: that they travel in; the partner's requests are theirs */
    char *run;           /* on the leader, in this apply: where they stand one behind the other */
    bool here;           /* on the leader, towards y, in this apply: they have arrived */
    int terms;           /* on the leader, towards x, in this apply: of followers, not yet added */
} tg_relay;

/* A sequence of chunks from one rank of the node to one or several. */
typedef struct {
    const tg_partner *partner; /* the receiver, the first of them; or the sender; of a relay: its */
    tg_relay *relay;           /* whose pieces they are; NULL: those of two ranks of the node */
    ptrdiff_t bytes, chunk;    /* all, and those of a chunk; the last one has what is left */
    uint64_t first, chunks;    /* first: counted from the sender's first chunk of an apply */
    uint64_t next;             /* of them, in this apply */
    char *packed;        /* in this apply: where they stand, or are added, one behind the other;
                                  NULL: where the partner's pieces lie in the user's buffer */
    int sender, readers; /* index in the node; number */
    bool straight;       /* far: read to where the pieces belong, not to be added */
    bool far;            /* read from the sender's memory: one chunk holds the address */
    tg_blocks source;    /* far, on the side that receives: where the pieces lie there */
    bool told;           /* far: the sender's buffer is known, in this apply */
    tg_remote buffer;    /* told: it */
} tg_stream;

/* What a sender tells a receiver of its stream. */
typedef struct {
    uint64_t first;
    int64_t blocks; /* far: of the stream's source; 0: not far */
} tg_notice;

/* A rank of the node that this rank exchanges pieces with, and their stream. */
typedef struct {
    tg_partner *partner;
    tg_relay *relay; /* as in the stream */
    int index;       /* of the rank in the node */
    int step, stream;
    MPI_Request request; /* while planning */
    tg_notice notice;
    tg_block run; /* in place: the pieces as they are packed */
} tg_link;

/* When this rank puts what it gives itself. */
typedef enum {
    TG_OWN_FIRST,   /* before all others' pieces: in place, and where it is added to zeros */
    TG_OWN_BETWEEN, /* chunk by chunk, when there is nothing else to do */
    TG_OWN_UNDER    /* chunk by chunk, before those of the first stream are added to them */
} tg_own;

/* One direction. */
typedef struct {
    tg_own own;
    ptrdiff_t own_bytes;  /* TG_OWN_BETWEEN: that it gives itself */
    tg_link *links[2];    /* by the side they belong to, in the sequence of exchanges */
    tg_stream *stream[2]; /* of the side that sends: one or several links each */
    int nlinks[2], nstreams[2];
    tg_chunks chunks;
} tg_flow;

/* Where an apply has come to. */
typedef struct {
    tg_flow *flow;
    tg_space to, from;
    bool add;
    const void *in;
    void *out;
    int sent, received; /* streams that are done, from the first on */
    ptrdiff_t own;      /* bytes of its own pieces that this rank has put */
} tg_transfer;

typedef struct {
    const tg_op *op;
    tg_pieces pieces;
    tg_node *node;
    tg_relay *relays; /* with this rank as the leader or a follower */
    int nrelays;
    tg_flow flow[2]; /* by the side that receives */
    bool reads;      /* long runs are read from the sender's memory */
    ptrdiff_t least; /* reads: bytes of a long run */
    char *scratch;   /* reads: a chunk on its way */
    tg_transfer now;
} tg_node_pieces;

/* Calls: Collective on op->comm. Finds the relays, after tg_pieces_plan, and takes from side x the
 * messages to followers. Errors: TG_NO_MEMORY, agreed by all ranks; tg_relays_free frees what was
 * made. */
tg_status tg_relays_plan(tg_op *op, tg_node_pieces *n);
void tg_relays_free(tg_node_pieces *n);
bool tg_is_leader(const tg_node_pieces *n, const tg_relay *relay);

/* Calls: Local. Is what this rank sends towards a side packed before anything arrives? In place sums
 * change it. Copies do not: only the owner of an entry sends it, and only the owner itself could
 * give it another value. */
bool tg_packs_first(const tg_node_pieces *n, tg_space to);

/* Calls: Collective on op->comm: the operator's run, and its halves. */
void tg_run_node(tg_op *op, tg_space to, const void *in, void *out);
void tg_start_node(tg_op *op, tg_space to, const void *in, void *out);
void tg_finish_node(tg_op *op, tg_space to, const void *in, void *out);

#endif
