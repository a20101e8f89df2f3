/* test_types.c: the element types: conversions of f16 and bf16, what MPI adds, c64's form.
 *
 * A pattern of sign, exponent e and F fraction bits f stands for
 *     (2^F + f) 2^(e - bias - F)
 * or, with e = 0, for f 2^(1 - bias - F), and with the largest e for infinity or NaN. Writing gives
 * the nearest of them, the even pattern of two (IEEE 754-2008, sections 3.4 and 4.3.1). The tests
 * compute this in double, without looking at the bits of a float. */
#include "primitives/half.h"
#include "primitives/tests/checks.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    const char *name;
    int fraction_bits, exponent_bits;
} half;

static const half halves[] = {{"f16", 10, 5}, {"bf16", 7, 8}};
enum { HALVES = sizeof halves / sizeof *halves, PATTERNS = 65536, SIGN = 0x8000 };

/* ---- MPI calls counted on their way (the profiling interface of MPI) ---- */

static int types_made, types_freed, sums_made, sums_freed;

int MPI_Type_dup(MPI_Datatype old, MPI_Datatype *type)
{
    types_made++;
    return PMPI_Type_dup(old, type);
}

int MPI_Type_free(MPI_Datatype *type)
{
    types_freed++;
    return PMPI_Type_free(type);
}

int MPI_Op_create(MPI_User_function *function, int commute, MPI_Op *op)
{
    sums_made++;
    return PMPI_Op_create(function, commute, op);
}

#ifdef TG_HAVE_LARGE_COUNTS
int MPI_Op_create_c(MPI_User_function_c *function, int commute, MPI_Op *op)
{
    sums_made++;
    return PMPI_Op_create_c(function, commute, op);
}
#endif

int MPI_Op_free(MPI_Op *op)
{
    sums_freed++;
    return PMPI_Op_free(op);
}

/* ---- the formula ---- */

static int infinity_of(const half *h) /* its pattern; larger ones are NaN */
{
    return ((1 << h->exponent_bits) - 1) << h->fraction_bits;
}

/* What the pattern stands for; infinity's stands for the number that would follow the largest. */
static double following(const half *h, int pattern)
{
    int F = h->fraction_bits, bias = (1 << (h->exponent_bits - 1)) - 1;
    int e = pattern >> F & ((1 << h->exponent_bits) - 1), f = pattern & ((1 << F) - 1);
    double size = e == 0 ? ldexp(f, 1 - bias - F) : ldexp((1 << F) + f, e - bias - F);
    return pattern & SIGN ? -size : size;
}

static double meaning(const half *h, int pattern)
{
    int size = pattern & ~SIGN;
    if (size > infinity_of(h))
        return NAN;
    if (size == infinity_of(h))
        return pattern & SIGN ? -INFINITY : INFINITY;
    return following(h, pattern);
}

/* The value that the type has for a number, by rounding whole multiples of its last bit. */
static double nearest(const half *h, double value)
{
    int F = h->fraction_bits, bias = (1 << (h->exponent_bits - 1)) - 1, e;
    if (isnan(value) || isinf(value) || value == 0)
        return value;
    frexp(value, &e); /* 2^(e-1) <= |value| < 2^e */
    int last = (e - 1 > 1 - bias ? e - 1 : 1 - bias) - F;
    double rounded = ldexp(rint(ldexp(value, -last)), last);
    return fabs(rounded) >= following(h, infinity_of(h)) ? copysign(INFINITY, value) : rounded;
}

/* NaN is the same as NaN; 0 is not the same as -0. */
static bool same(double a, double b)
{
    return isnan(a) ? isnan(b) : a == b && signbit(a) == signbit(b);
}

/* ---- conversions ---- */

static int write(const tg_dtype *dtype, double value)
{
    uint16_t pattern = 0;
    dtype->put(&pattern, 0, value);
    return pattern;
}

static void check_patterns(const half *h, const tg_dtype *dtype, test_verdict *verdict)
{
    for (int pattern = 0; pattern < PATTERNS; pattern++) {
        uint16_t held = (uint16_t)pattern;
        double value = dtype->get(&held, 0);
        int back = write(dtype, value);
        check_one(verdict, CHECK_VALUES, same(value, meaning(h, pattern)),
                  "%s: pattern %04x is read as %g, expected %g", h->name, pattern, value,
                  meaning(h, pattern));
        bool nan = (pattern & ~SIGN) > infinity_of(h);
        bool good = nan ? (back & ~SIGN) > infinity_of(h) : back == pattern;
        check_one(verdict, CHECK_VALUES, good, "%s: pattern %04x comes back as %04x", h->name,
                  pattern, back);
    }
}

/* Between each number and the next: the middle goes to the even pattern, the floats beside it go
 * to their own side. Beyond the largest number lies infinity. */
static void check_middles(const half *h, const tg_dtype *dtype, test_verdict *verdict)
{
    for (int pattern = 0; pattern < infinity_of(h); pattern++) {
        float low = (float)following(h, pattern);
        double high = following(h, pattern + 1);
        float middle = (float)((following(h, pattern) + high) / 2);
        int even = pattern % 2 == 0 ? pattern : pattern + 1;
        for (int sign = 0; sign <= SIGN; sign += SIGN) {
            float s = sign ? -1.0f : 1.0f;
            int at = write(dtype, s * middle), below = write(dtype, s * nextafterf(middle, low)),
                above = write(dtype, s * nextafterf(middle, INFINITY));
            check_one(verdict, CHECK_VALUES,
                      at == (even | sign) && below == (pattern | sign) &&
                          above == ((pattern + 1) | sign),
                      "%s: around %g: below it %04x, on it %04x, above it %04x", h->name,
                      (double)(s * middle), below, at, above);
        }
    }
}

/* Floats of any bits at all. */
static void check_floats(const half *h, const tg_dtype *dtype, test_verdict *verdict)
{
    uint64_t state = 20261123;
    for (int i = 0; i < 200000; i++) {
        state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        union {
            uint32_t bits;
            float value;
        } number = {(uint32_t)(state >> 32)};
        uint16_t pattern = (uint16_t)write(dtype, number.value);
        double expected = nearest(h, number.value), found = dtype->get(&pattern, 0);
        check_one(verdict, CHECK_VALUES, same(found, expected), "%s: %a becomes %g, expected %g",
                  h->name, (double)number.value, found, expected);
    }
}

static void check_ends(const half *h, const tg_dtype *dtype, test_verdict *verdict)
{
    const int infinity = infinity_of(h);
    const double largest = following(h, infinity - 1), smallest = following(h, 1);
    const struct {
        double value;
        int pattern;
    } ends[] = {{0.0, 0},
                {-0.0, SIGN},
                {INFINITY, infinity},
                {-INFINITY, infinity | SIGN},
                {3.4e38, infinity}, /* more than either type has */
                {-3.4e38, infinity | SIGN},
                {largest, infinity - 1},
                {smallest, 1},
                {smallest / 2, 0},
                {-smallest / 2, SIGN},
                {smallest * 0.75, 1},
                {smallest * 1.5, 2},
                {1.0, ((1 << (h->exponent_bits - 1)) - 1) << h->fraction_bits}};
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
        check_one(verdict, CHECK_VALUES, write(dtype, ends[i].value) == ends[i].pattern,
                  "%s: %g becomes %04x, expected %04x", h->name, ends[i].value,
                  write(dtype, ends[i].value), ends[i].pattern);
    int nan = write(dtype, (double)NAN);
    check_one(verdict, CHECK_VALUES, (nan & ~SIGN) > infinity, "%s: NaN becomes %04x", h->name,
              nan);
}

/* A NaN stays a NaN, whatever its fraction: no other pattern of f16 or bf16 may stand for it. Each
 * bit of the fraction alone, quiet or not. */
static void check_nans(test_verdict *verdict)
{
    for (int bit = 0; bit < 23; bit++) {
        for (uint32_t sign = 0; sign < 2; sign++) {
            float nan = tg_float_of_bits(sign << 31 | 0x7f800000 | UINT32_C(1) << bit);
            int patterns[HALVES] = {tg_f16_of_float(nan), tg_bf16_of_float(nan)};
            for (int i = 0; i < HALVES; i++)
                check_one(verdict, CHECK_VALUES,
                          (patterns[i] & ~SIGN) > infinity_of(&halves[i]) &&
                              (patterns[i] & SIGN) >> 15 == (int)sign,
                          "%s: NaN with bit %d becomes %04x", halves[i].name, bit, patterns[i]);
        }
    }
}

/* ---- sums ---- */

/* Each pattern is added to many others, by the type's own loop and by the reduction that MPI is
 * given; both round the exact sum once. */
static void check_additions(const half *h, const tg_dtype *dtype, test_verdict *verdict)
{
    uint16_t *from = malloc(PATTERNS * sizeof *from);
    uint16_t *added = malloc(PATTERNS * sizeof *added), *reduced = malloc(PATTERNS * sizeof *added);
    for (int round = 0; round < 8; round++) {
        for (int i = 0; i < PATTERNS; i++) {
            from[i] = (uint16_t)i;
            added[i] = reduced[i] = (uint16_t)((unsigned)i * 40503 + (unsigned)round * 8191);
        }
        dtype->add(added, from, PATTERNS);
        MPI_Reduce_local(from, reduced, PATTERNS, dtype->mpi(), dtype->sum());
        for (int i = 0; i < PATTERNS; i++) {
            uint16_t old = (uint16_t)((unsigned)i * 40503 + (unsigned)round * 8191);
            double expected = nearest(h, meaning(h, old) + meaning(h, i));
            check_one(verdict, CHECK_VALUES,
                      same(dtype->get(added, i), expected) &&
                          same(dtype->get(reduced, i), expected),
                      "%s: %g + %g is %g, by MPI %g, expected %g", h->name, meaning(h, old),
                      meaning(h, i), dtype->get(added, i), dtype->get(reduced, i), expected);
        }
    }
    free(from);
    free(added);
    free(reduced);
}

static double part(int rank, int i)
{
    return (i * 7 + rank * 3) % 5 - 2;
}

/* MPI_Reduce, MPI_Allreduce and MPI_Reduce_scatter_block over all ranks: whole numbers, so that
 * every order of additions gives the sum of a plain loop. */
static void check_reductions(const tg_dtype *dtype, int rank, int size, test_verdict *verdict)
{
    enum { BLOCK = 1031 };
    const int count = BLOCK * size;
    void *in = calloc((size_t)count, dtype->size), *out = calloc((size_t)count, dtype->size);
    double *sum = calloc((size_t)count, sizeof *sum);
    for (int i = 0; i < count; i++) {
        dtype->put(in, i, part(rank, i));
        for (int r = 0; r < size; r++)
            sum[i] += part(r, i);
    }
    MPI_Allreduce(in, out, count, dtype->mpi(), dtype->sum(), MPI_COMM_WORLD);
    for (int i = 0; i < count; i++)
        check_one(verdict, CHECK_VALUES, dtype->get(out, i) == sum[i],
                  "MPI_Allreduce of %s: entry %d is %g, expected %g", dtype->name, i,
                  dtype->get(out, i), sum[i]);
    MPI_Reduce_scatter_block(in, out, BLOCK, dtype->mpi(), dtype->sum(), MPI_COMM_WORLD);
    for (int i = 0; i < BLOCK; i++)
        check_one(verdict, CHECK_VALUES, dtype->get(out, i) == sum[rank * BLOCK + i],
                  "MPI_Reduce_scatter_block of %s: entry %d is %g, expected %g", dtype->name, i,
                  dtype->get(out, i), sum[rank * BLOCK + i]);
    MPI_Reduce(in, out, count, dtype->mpi(), dtype->sum(), size - 1, MPI_COMM_WORLD);
    for (int i = 0; rank == size - 1 && i < count; i++)
        check_one(verdict, CHECK_VALUES, dtype->get(out, i) == sum[i],
                  "MPI_Reduce of %s: entry %d is %g, expected %g", dtype->name, i,
                  dtype->get(out, i), sum[i]);
    free(in);
    free(out);
    free(sum);
}

/* ---- every row ---- */

static void check_row(const tg_dtype *dtype, test_verdict *verdict)
{
    static const struct {
        const char *name;
        size_t size;
        double exact;
    } rows[] = {{"f32", 4, 0x1p24}, {"f64", 8, 0x1p53}, {"i32", 4, 2147483647.0},
                {"c64", 8, 0x1p24}, {"f16", 2, 2048.0}, {"bf16", 2, 256.0},
                {"i8", 1, 127.0}};
    bool known = false;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (strcmp(rows[i].name, dtype->name) != 0)
            continue;
        known = true;
        check_one(verdict, CHECK_VALUES,
                  dtype->size == rows[i].size && (double)dtype->exact == rows[i].exact,
                  "%s: another size or exactness", dtype->name);
    }
    check_one(verdict, CHECK_VALUES, known, "%s: not in the list of this test", dtype->name);
    int size = 0, commutes = 0;
    MPI_Type_size(dtype->mpi(), &size);
    MPI_Op_commutative(dtype->sum(), &commutes);
    check_one(verdict, CHECK_VALUES, (size_t)size == dtype->size && commutes,
              "%s: MPI has %d bytes, expected %zu", dtype->name, size, dtype->size);
    double memory[4] = {0};
    double last[4] = {(double)dtype->exact, (double)-dtype->exact, (double)(dtype->exact - 1), 0};
    for (int i = 0; i < 4; i++) {
        dtype->put(memory, 0, last[i]);
        check_one(verdict, CHECK_VALUES, dtype->get(memory, 0) == last[i], "%s: %g is not held",
                  dtype->name, last[i]);
    }
}

static void check_complex(test_verdict *verdict)
{
    const tg_dtype *c64 = tg_dtype_find("c64");
    float a[4], b[4] = {1, 5, 3, -2};
    c64->put(a, 0, 3);
    c64->put(a, 1, -4);
    check_one(verdict, CHECK_VALUES, a[0] == 3 && a[1] == 6 && a[2] == -4 && a[3] == -8,
              "c64: 3 and -4 are held as %g %g %g %g", (double)a[0], (double)a[1], (double)a[2],
              (double)a[3]);
    const float broken[3][2] = {{3, 0}, {0, 6}, {6, 3}}; /* lost, lost, exchanged */
    for (int i = 0; i < 3; i++)
        check_one(verdict, CHECK_VALUES, isnan(c64->get(broken[i], 0)), "c64: %g and %g are read",
                  (double)broken[i][0], (double)broken[i][1]);
    check_one(verdict, CHECK_VALUES, c64->get(a, 1) == -4, "c64: -4 is read as %g", c64->get(a, 1));
    /* (3 + 6i)(1 - 5i) = 33 - 9i and (-4 - 8i)(3 + 2i) = 4 - 32i */
    check_one(verdict, CHECK_VALUES,
              c64->product(c64, a, b, 0) == 33 && c64->product(c64, a, b, 1) == 4,
              "c64: products are %g and %g, expected 33 and 4", c64->product(c64, a, b, 0),
              c64->product(c64, a, b, 1));
}

/* What tg_fill writes leaves the type room for the sum of 127 copies. */
static void check_room(const tg_dtype *dtype, test_verdict *verdict)
{
    enum { ENTRIES = 500 };
    test_case *c = calloc(1, sizeof *c);
    char line[64], text[256];
    double largest = 0, *values = calloc(ENTRIES, sizeof *values);
    snprintf(line, sizeof line, "broadcast shape=500 from=1 to=1 dtype=%s", dtype->name);
    check_one(verdict, CHECK_VALUES, case_make(line, 0, 1, c, text), "%s: %s", line, text);
    tg_fill(&c->problem, TG_X, 0, 1, values);
    for (int i = 0; i < ENTRIES; i++)
        largest = fmax(largest, fabs(dtype->get(values, i)));
    check_one(verdict, CHECK_VALUES, largest > 0 && 127 * largest <= (double)dtype->exact,
              "%s: tg_fill writes %g", dtype->name, largest);
    case_free(c);
    free(c);
    free(values);
}

static void check_wrapping(test_verdict *verdict)
{
    const tg_dtype *i8 = tg_dtype_find("i8");
    int8_t to[3] = {127, -128, 100}, from[3] = {1, -1, 100}, sum[3] = {127, -128, 100};
    i8->add(to, from, 3);
    MPI_Reduce_local(from, sum, 3, i8->mpi(), i8->sum());
    check_one(verdict, CHECK_VALUES, to[0] == -128 && to[1] == 127 && to[2] == -56,
              "i8: sums are %d, %d, %d", to[0], to[1], to[2]);
    check_one(verdict, CHECK_VALUES, sum[0] == to[0] && sum[1] == to[1] && sum[2] == to[2],
              "i8: MPI's sums are %d, %d, %d", sum[0], sum[1], sum[2]);
}

int main(int argc, char **argv)
{
    int rank, size;
    test_verdict mine = {.text = ""};
    MPI_Init(&argc, &argv);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    for (int i = 0; rank == 0 && i < HALVES; i++) {
        const tg_dtype *dtype = tg_dtype_find(halves[i].name);
        check_patterns(&halves[i], dtype, &mine);
        check_middles(&halves[i], dtype, &mine);
        check_floats(&halves[i], dtype, &mine);
        check_ends(&halves[i], dtype, &mine);
        check_additions(&halves[i], dtype, &mine);
    }
    for (int i = 0; tg_dtypes[i] != NULL; i++) {
        check_row(tg_dtypes[i], &mine);
        check_room(tg_dtypes[i], &mine);
        check_reductions(tg_dtypes[i], rank, size, &mine);
    }
    check_nans(&mine);
    check_complex(&mine);
    check_wrapping(&mine);
    check_one(&mine, CHECK_VALUES,
              types_made == HALVES && sums_made == HALVES && types_freed + sums_freed == 0,
              "%d types and %d sums were made, expected %d of each, kept", types_made, sums_made,
              HALVES);
    test_verdict all = check_agree(&mine, MPI_COMM_WORLD);
    long failed = check_failures(&all), done = check_count(&all);
    MPI_Finalize();
    bool freed = types_freed == types_made && sums_freed == sums_made;
    if (failed > 0)
        printf("FAILED rank %d: %s\n", rank, all.text);
    if (!freed)
        printf("FAILED rank %d: %d of %d types and %d of %d sums freed by MPI_Finalize\n", rank,
               types_freed, types_made, sums_freed, sums_made);
    if (rank == 0)
        printf("%d ranks: %ld checks, %ld failed\n", size, done, failed);
    return done > 0 && failed == 0 && freed ? 0 : 1;
}
