/* node_pieces.h: pieces that pass through a node's shared memory: what is planned and how it runs.
 * Private to node_pieces.c and node_plan.c. */
#ifndef TG_NODE_PIECES_H
#define TG_NODE_PIECES_H

#include "primitives/node.h"
#include "primitives/pieces.h"

/* A sequence of chunks from one rank of the node to one or several. */
typedef struct {
    const tg_partner *partner; /* the receiver, the first of them; or the sender */
    ptrdiff_t bytes, chunk;    /* all, and those of a chunk; the last one has what is left */
    uint64_t first, chunks;    /* first: counted from the sender's first chunk of an apply */
    uint64_t next;             /* of them, in this apply */
    int sender, readers;       /* index in the node; number */
    bool straight;             /* far: read to where the pieces belong, not to be added */
    bool far;                  /* read from the sender's memory: one chunk holds the address */
    tg_blocks source;          /* far, on the side that receives: where the pieces lie there */
    const char *address;       /* far: of the sender's buffer, in this apply; NULL: not known yet */
} tg_stream;

/* What a sender tells a receiver of its stream. */
typedef struct {
    uint64_t first;
    int64_t blocks; /* far: of the stream's source; 0: not far */
} tg_notice;

/* A partner in the node, and the stream of its pieces. */
typedef struct {
    tg_partner *partner;
    int step, stream;
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
    tg_link *links[2];    /* by the side they belong to, by ascending step */
    tg_stream *stream[2]; /* of the side that sends: one or several links each */
    int nlinks[2], nstreams[2];
    uint64_t *fills; /* chunks that each rank of the node fills in an apply */
} tg_flow;

typedef struct {
    tg_pieces pieces;
    tg_node *node;
    tg_flow flow[2]; /* by the side that receives */
    bool reads;      /* long runs are read from the sender's memory */
    char *scratch;   /* reads: a chunk on its way */
} tg_node_pieces;

/* Calls: Collective on op->comm: the operator's run. */
void tg_run_node(tg_op *op, tg_space to, const void *in, void *out);

#endif
