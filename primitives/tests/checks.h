/* checks.h: what is asked of every operator, whether the library made it or a test broke it on
 * purpose.
 *
 *     values   y = F x and x = F* y, entry by entry, equal to the index formula of model.h
 *     dot      <F x, y> == <x, F* y>, exactly, since all values are small whole numbers
 *     kept     out of place the input is unchanged, in place the entries of neither space are
 *     guards   the bytes around both buffers, and those of a store's padding, are untouched
 *     matrix   F and F* written out column by column: F is the formula's matrix, F* its transpose
 *     oracle   tg_count_wrong of the library sees nothing wrong, and does see one changed entry
 *
 * Source of the inner product: Hewett and Grady, arXiv 2006.03108, section 2. */
#ifndef TG_TESTS_CHECKS_H
#define TG_TESTS_CHECKS_H

#include "primitives/primitives.h"
#include "primitives/tests/model.h"

enum { CHECK_VALUES, CHECK_DOT, CHECK_KEPT, CHECK_GUARDS, CHECK_MATRIX, CHECK_ORACLE, CHECK_KINDS };
extern const char *const check_names[CHECK_KINDS];

/* One line of words, read twice: by the library (problem) and by the tests (model). */
typedef struct {
    char line[1024];
    tg_problem problem;
    model m;
    int rank, size;       /* of the communicator */
    int place_x, place_y; /* of this rank, -1: outside */
    tg_box x, y, hull;    /* of this rank, by the model */
    model_store store_x, store_y;
} test_case;

/* The operator under test: the library's own, or one around it that is wrong on purpose. */
typedef struct {
    void (*apply)(void *self, const void *x, void *y);
    void (*adjoint)(void *self, void *y, void *x);
    void *self;
} test_operator;

typedef struct {
    long done[CHECK_KINDS], failed[CHECK_KINDS];
    char text[256]; /* the first failure on this rank */
} test_verdict;

/* Calls: Local. Reads all words of the line (operation, layouts, dtype, algorithm, in-place,
 * accumulate, store-x, store-y). false with the reason in the text: the line is not a problem of the library. */
bool case_make(const char *line, int rank, int size, test_case *c, char text[256]);
bool case_words(const char *line, int rank, int size, test_case *c,
                char text[256]); /* the problem only */
void case_free(test_case *c);

test_operator case_operator(tg_op *op);
test_operator case_started(tg_op *op);      /* by tg_start and tg_finish */
test_operator case_flipped(tg_op *flipped); /* F out of tg_flip(F) */

/* Calls: Collective. All checks of an operator; matrices only up to `columns` entries of x and y
 * together. check_boxes compares the planned operator's boxes with the model's. */
void check_operator(const test_case *c, const test_operator *op, MPI_Comm comm, long columns,
                    test_verdict *verdict);
void check_boxes(const test_case *c, const tg_op *op, test_verdict *verdict);

/* Calls: Local. Reads argument *i of a test program, and its value, if it is one that sets a limit of
 * the library: --largest-count, --largest-int, --node-size, --largest-chunk, --shortest-run, --shared-from
 * (buffers of so many bytes are mapped by others). */
bool case_limit(int argc, char **argv, int *i);

void check_one(test_verdict *verdict, int kind, bool good, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* Calls: Collective. Sums of the ranks' verdicts on every rank, with the text of the lowest rank
 * that has one. */
test_verdict check_agree(const test_verdict *mine, MPI_Comm comm);
long check_failures(const test_verdict *verdict);
long check_count(const test_verdict *verdict);

#endif
