/* schedule.h: messages among the ranks of a group, step by step, on a vector cut into blocks.
 * Private to the room.
 *
 * Every rank of the group has room for the vector, and of each block a value or none. A step of a
 * schedule copies a range of blocks from one rank to another. Run forwards these copies fill the
 * vectors. Run backwards they are the adjoint of that: ranges travel the other way, in the opposite
 * sequence, are added to the value that stands there, and leave none where they came from. So one
 * list of steps is a broadcast and a reduction, or a gather to all and a scattered sum. The
 * sequence of the additions is the schedule's, so that sums repeat bit for bit. */
#ifndef TG_SCHEDULE_H
#define TG_SCHEDULE_H

#include "primitives/op.h"

/* A message of one step. Ranges of blocks begin again behind the last block. */
typedef struct {
    int rank;         /* of op->comm */
    int first, count; /* blocks; 0: no message */
} tg_leg;

/* What one rank sends and receives at the same time. */
typedef struct {
    tg_leg send, receive;
    bool gives; /* forwards: what is sent leaves none here, as backwards it always does */
} tg_step;

typedef struct {
    tg_step *step; /* NULL: they are only counted */
    int count;
} tg_steps;

/* A group of ranks, seen by one of them. */
typedef struct {
    const int *ranks; /* of op->comm; not needed once the steps are made */
    int size, me;     /* ranks; this one's index */
    int root;         /* an index; 0 where no rank is special */
    int blocks;       /* of the vector */
} tg_member;

/* How an algorithm moves a vector. Steps are made by arithmetic, with tg_add_step. */
typedef struct {
    /* Blocks that a vector is cut into, with segments of so many entries; not asked where the
     * problem has blocks of its own. */
    int (*blocks)(int size, ptrdiff_t entries, ptrdiff_t segment);
    void (*copy)(const tg_member *m, tg_steps *steps); /* run forwards */
    void (*sum)(const tg_member *m, tg_steps *steps);  /* run backwards; NULL: there are none */
    bool copy_adds; /* forwards, too, ranges are added where a value stands */
    /* Of one list: messages on the longest path, when no block is empty; 0 for one rank. */
    int (*rounds)(int size, int blocks);
} tg_pattern;

/* Calls: Local. */
void tg_add_step(tg_steps *steps, tg_step step);
/* The rank so many places (0 or more) behind the root; places begin again behind the last. */
int tg_member_rank(const tg_member *m, int place);
int tg_member_place(const tg_member *m); /* this rank's own place */

/* Messages that arrive to be added and are started ahead. */
enum { TG_SLOTS = 2 };

/* Blocks without a turn: consecutive entries. */
typedef struct {
    int first, count; /* blocks */
    ptrdiff_t start, entries;
} tg_range;

/* What is done with a range that arrives: it is written into the vector; the input is added to it
 * there; or it is added from the scratch to what stands in the vector. */
typedef enum { TG_WRITE, TG_ADD_INPUT, TG_ADD_HERE } tg_arrival;

/* The messages of one step's receiving leg, in the sequence in which they are sent. */
typedef struct {
    int from;
    tg_range ranges[2];
    tg_arrival how[2];
    int messages[2], nranges, total;
    ptrdiff_t segment;
    int posted, ahead; /* messages that were started; of them, to be added and not yet added */
    int into, out_of;  /* the scratch's next slot to be written; to be read */
} tg_inbox;

/* What is planned for one rank, and the state of a run. */
typedef struct {
    const tg_op *op; /* whose messages they are */
    int blocks;
    ptrdiff_t *starts; /* entries before each block; blocks + 1 of them */
    tg_steps copy, sum;
    bool copy_adds;
    ptrdiff_t segment[2]; /* most entries of a message: of those that are copied, and added */
    int most;             /* messages that one leg is split into */
    ptrdiff_t slot_bytes; /* of one of the TG_SLOTS that the scratch has */
    char *scratch;        /* what arrives to be added to a value */
    MPI_Request *receives, *sends[2]; /* of a step; sends of this step and of the one before */
    int nsends[2];
    tg_leg sent;       /* what the step before sends */
    tg_inbox box;      /* of this step */
    bool begun;        /* the first step's messages are started already */
    char *states;      /* of each block */
    char *vector;      /* where the blocks stand; NULL: nothing is received here */
    const char *input; /* where they stood before the run, if not there */
} tg_schedule;

/* Calls: Local. tg_schedule_steps makes a member's steps, which can be counted; tg_schedule_plan
 * also all that a run needs. starts: of the problem's own blocks, m->blocks + 1 of
 * them, or NULL: the entries are cut evenly as the pattern asks. Errors: TG_NO_MEMORY;
 * tg_schedule_free frees what was made. */
tg_status tg_schedule_steps(tg_op *op, const tg_pattern *pattern, const tg_member *m,
                            ptrdiff_t entries, const ptrdiff_t *starts, tg_schedule *s);
tg_status tg_schedule_plan(tg_op *op, const tg_pattern *pattern, const tg_member *m,
                           ptrdiff_t entries, const ptrdiff_t *starts, tg_schedule *s);
void tg_schedule_free(tg_schedule *s);

/* What a rank sends [0] and receives [1] in a run. */
typedef struct {
    ptrdiff_t messages[2], entries[2];
} tg_carried;

/* Calls: Local. Does this rank receive anything when the steps for sums are run? Messages that it
 * sends, in the steps for copies or in those for sums; the same with all else that it carries,
 * added. */
bool tg_schedule_sums_here(const tg_schedule *s);
void tg_schedule_carried(const tg_schedule *s, bool sum, tg_carried *carried);
ptrdiff_t tg_schedule_messages(const tg_schedule *s, bool sum);

/* Calls: Local. The range of some blocks; of a leg, two where it begins again, without empty ones,
 * returns how many; and messages that a range is split into. */
tg_range tg_range_of(const tg_schedule *s, int first, int count);
int tg_ranges_of(const tg_schedule *s, const tg_leg *leg, tg_range made[2]);
int tg_range_messages(const tg_range *r, ptrdiff_t segment);

/* A run, in this sequence; start, copy and sum: Collective on the group.
 *   begin   the vector has no values
 *   input   so many blocks from `first` on have values. `values` is where the vector would begin;
 *           if that is not the vector itself, they are read from there when they are needed
 *   start   may be left out: the first step's messages, of the steps for sums or for copies; it
 *           waits for nobody
 *   copy    the steps for copies, forwards; then values that were not read lie in the vector
 *   sum     the steps for sums, backwards
 *   settle  the values of so many blocks lie in the vector: of those that have none, zeros */
void tg_schedule_begin(tg_schedule *s, char *vector);
void tg_schedule_input(tg_schedule *s, const char *values, int first, int count);
void tg_schedule_start(tg_schedule *s, bool sum);
void tg_schedule_copy(tg_schedule *s);
void tg_schedule_sum(tg_schedule *s);
void tg_schedule_settle(tg_schedule *s, int first, int count);

#endif
