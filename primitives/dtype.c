/* dtype.c: the element types, one row each.
 *
 * MPI knows how to add all of them but f16 and bf16: for these a datatype of two bytes and a
 * reduction of our own are made, which adds in f32 and rounds once an addition. */
#include "primitives/half.h"
#include "primitives/primitives.h"

#include <math.h>
#include <string.h>

static MPI_Op mpi_sum(void)
{
    return MPI_SUM;
}

static double product_real(const tg_dtype *dtype, const void *a, const void *b, ptrdiff_t index)
{
    return dtype->get(a, index) * dtype->get(b, index);
}

/* ---- f32 ---- */

static MPI_Datatype mpi_f32(void)
{
    return MPI_FLOAT;
}

static void add_f32(void *to, const void *from, ptrdiff_t count)
{
    float *restrict t = to;
    const float *restrict f = from;
    for (ptrdiff_t i = 0; i < count; i++)
        t[i] += f[i];
}

static void put_f32(void *array, ptrdiff_t index, double value)
{
    ((float *)array)[index] = (float)value;
}

static double get_f32(const void *array, ptrdiff_t index)
{
    return ((const float *)array)[index];
}

/* ---- f64 ---- */

static MPI_Datatype mpi_f64(void)
{
    return MPI_DOUBLE;
}

static void add_f64(void *to, const void *from, ptrdiff_t count)
{
    double *restrict t = to;
    const double *restrict f = from;
    for (ptrdiff_t i = 0; i < count; i++)
        t[i] += f[i];
}

static void put_f64(void *array, ptrdiff_t index, double value)
{
    ((double *)array)[index] = value;
}

static double get_f64(const void *array, ptrdiff_t index)
{
    return ((const double *)array)[index];
}

/* ---- i32 and i8: sums and values wrap around, as MPI_SUM's do in practice; unsigned arithmetic
 * makes that defined ---- */

static MPI_Datatype mpi_i32(void)
{
    return MPI_INT32_T;
}

static void add_i32(void *to, const void *from, ptrdiff_t count)
{
    uint32_t *restrict t = to;
    const uint32_t *restrict f = from;
    for (ptrdiff_t i = 0; i < count; i++)
        t[i] += f[i];
}

static void put_i32(void *array, ptrdiff_t index, double value)
{
    ((uint32_t *)array)[index] = (uint32_t)(int64_t)value;
}

static double get_i32(const void *array, ptrdiff_t index)
{
    return ((const int32_t *)array)[index];
}

static MPI_Datatype mpi_i8(void)
{
    return MPI_INT8_T;
}

static void add_i8(void *to, const void *from, ptrdiff_t count)
{
    uint8_t *restrict t = to;
    const uint8_t *restrict f = from;
    for (ptrdiff_t i = 0; i < count; i++)
        t[i] = (uint8_t)(t[i] + f[i]);
}

static void put_i8(void *array, ptrdiff_t index, double value)
{
    ((uint8_t *)array)[index] = (uint8_t)(int64_t)value;
}

static double get_i8(const void *array, ptrdiff_t index)
{
    return ((const int8_t *)array)[index];
}

/* ---- c64: two floats, the real part first ---- */

static MPI_Datatype mpi_c64(void)
{
    return MPI_C_FLOAT_COMPLEX;
}

static void add_c64(void *to, const void *from, ptrdiff_t count)
{
    add_f32(to, from, 2 * count);
}

/* A number stands for value + 2 value i. That is linear, so that sums and copies keep the form, and
 * an imaginary part that was lost, or exchanged with the real one, breaks it. */
static void put_c64(void *array, ptrdiff_t index, double value)
{
    put_f32(array, 2 * index, value);
    put_f32(array, 2 * index + 1, 2 * value);
}

static double get_c64(const void *array, ptrdiff_t index)
{
    double re = get_f32(array, 2 * index), im = get_f32(array, 2 * index + 1);
    return im == 2 * re ? re : NAN;
}

static double product_c64(const tg_dtype *dtype, const void *a, const void *b, ptrdiff_t index)
{
    (void)dtype;
    return get_f32(a, 2 * index) * get_f32(b, 2 * index) +
           get_f32(a, 2 * index + 1) * get_f32(b, 2 * index + 1);
}

/* ---- f16 and bf16 ---- */

/* An operation that is given as many entries as the calls of a library count. */
#ifdef TG_HAVE_LARGE_COUNTS
typedef MPI_User_function_c reduce_function;
typedef MPI_Count reduce_count;
#define CREATE_OP MPI_Op_create_c
#else
typedef MPI_User_function reduce_function;
typedef int reduce_count;
#define CREATE_OP MPI_Op_create
#endif

/* What MPI has to be told of a type that it does not know; made on first use. */
typedef struct {
    reduce_function *add; /* inout[i] = in[i] + inout[i] */
    bool made;
    MPI_Datatype type; /* two bytes; not MPI_UINT16_T, which MPI_SUM would take and add wrongly */
    MPI_Op sum;
} own_type;

/* Called by MPI_Finalize, which deletes the attributes of MPI_COMM_SELF first. */
static int free_own_type(MPI_Comm comm, int keyval, void *attribute, void *extra)
{
    (void)comm, (void)keyval, (void)extra;
    own_type *own = attribute;
    MPI_Type_free(&own->type);
    MPI_Op_free(&own->sum);
    own->made = false;
    return MPI_SUCCESS;
}

static const own_type *make_own_type(own_type *own)
{
    if (own->made)
        return own;
    int keyval;
    MPI_Type_dup(MPI_UINT16_T, &own->type);
    MPI_Type_commit(&own->type);
    CREATE_OP(own->add, 1, &own->sum);
    MPI_Comm_create_keyval(MPI_COMM_NULL_COPY_FN, free_own_type, &keyval, NULL);
    MPI_Comm_set_attr(MPI_COMM_SELF, keyval, own);
    MPI_Comm_free_keyval(&keyval); /* it lives on until the attribute is deleted */
    own->made = true;
    return own;
}

static void add_f16(void *to, const void *from, ptrdiff_t count)
{
    uint16_t *restrict t = to;
    const uint16_t *restrict f = from;
    for (ptrdiff_t i = 0; i < count; i++)
        t[i] = tg_f16_of_float(tg_float_of_f16(t[i]) + tg_float_of_f16(f[i]));
}

/* The value becomes a float first; of a double that is no float the last bit may be rounded twice.
 */
static void put_f16(void *array, ptrdiff_t index, double value)
{
    ((uint16_t *)array)[index] = tg_f16_of_float((float)value);
}

static double get_f16(const void *array, ptrdiff_t index)
{
    return tg_float_of_f16(((const uint16_t *)array)[index]);
}

static void reduce_f16(void *in, void *inout, reduce_count *count, MPI_Datatype *type)
{
    (void)type;
    add_f16(inout, in, *count);
}

static own_type own_f16 = {.add = reduce_f16};

static MPI_Datatype mpi_f16(void)
{
    return make_own_type(&own_f16)->type;
}

static MPI_Op sum_f16(void)
{
    return make_own_type(&own_f16)->sum;
}

static void add_bf16(void *to, const void *from, ptrdiff_t count)
{
    uint16_t *restrict t = to;
    const uint16_t *restrict f = from;
    for (ptrdiff_t i = 0; i < count; i++)
        t[i] = tg_bf16_of_float(tg_float_of_bf16(t[i]) + tg_float_of_bf16(f[i]));
}

static void put_bf16(void *array, ptrdiff_t index, double value)
{
    ((uint16_t *)array)[index] = tg_bf16_of_float((float)value);
}

static double get_bf16(const void *array, ptrdiff_t index)
{
    return tg_float_of_bf16(((const uint16_t *)array)[index]);
}

static void reduce_bf16(void *in, void *inout, reduce_count *count, MPI_Datatype *type)
{
    (void)type;
    add_bf16(inout, in, *count);
}

static own_type own_bf16 = {.add = reduce_bf16};

static MPI_Datatype mpi_bf16(void)
{
    return make_own_type(&own_bf16)->type;
}

static MPI_Op sum_bf16(void)
{
    return make_own_type(&own_bf16)->sum;
}

/* ---- rows ---- */

static const tg_dtype f32 = {.name = "f32",
                             .size = sizeof(float),
                             .exact = INT64_C(1) << 24,
                             .mpi = mpi_f32,
                             .sum = mpi_sum,
                             .add = add_f32,
                             .put = put_f32,
                             .get = get_f32,
                             .product = product_real};
static const tg_dtype f64 = {.name = "f64",
                             .size = sizeof(double),
                             .exact = INT64_C(1) << 53,
                             .mpi = mpi_f64,
                             .sum = mpi_sum,
                             .add = add_f64,
                             .put = put_f64,
                             .get = get_f64,
                             .product = product_real};
static const tg_dtype i32 = {.name = "i32",
                             .size = sizeof(int32_t),
                             .exact = INT32_MAX,
                             .mpi = mpi_i32,
                             .sum = mpi_sum,
                             .add = add_i32,
                             .put = put_i32,
                             .get = get_i32,
                             .product = product_real};
static const tg_dtype c64 = {.name = "c64",
                             .size = 2 * sizeof(float),
                             .exact = INT64_C(1) << 24,
                             .mpi = mpi_c64,
                             .sum = mpi_sum,
                             .add = add_c64,
                             .put = put_c64,
                             .get = get_c64,
                             .product = product_c64};
static const tg_dtype f16 = {.name = "f16",
                             .size = sizeof(uint16_t),
                             .exact = 2048,
                             .mpi = mpi_f16,
                             .sum = sum_f16,
                             .add = add_f16,
                             .put = put_f16,
                             .get = get_f16,
                             .product = product_real};
static const tg_dtype bf16 = {.name = "bf16",
                              .size = sizeof(uint16_t),
                              .exact = 256,
                              .mpi = mpi_bf16,
                              .sum = sum_bf16,
                              .add = add_bf16,
                              .put = put_bf16,
                              .get = get_bf16,
                              .product = product_real};
static const tg_dtype i8 = {.name = "i8",
                            .size = sizeof(int8_t),
                            .exact = INT8_MAX,
                            .mpi = mpi_i8,
                            .sum = mpi_sum,
                            .add = add_i8,
                            .put = put_i8,
                            .get = get_i8,
                            .product = product_real};

const tg_dtype *const tg_dtypes[] = {&f32, &f64, &i32, &c64, &f16, &bf16, &i8, NULL};

const tg_dtype *tg_dtype_find(const char *name)
{
    for (const tg_dtype *const *row = tg_dtypes; *row; row++)
        if (strcmp((*row)->name, name) == 0)
            return *row;
    return NULL;
}
