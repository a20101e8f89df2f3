/* dtype.c: the element types, one row each. */
#include "primitives/primitives.h"

#include <string.h>

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

static MPI_Datatype mpi_i32(void)
{
    return MPI_INT32_T;
}

/* Sums wrap around, as MPI_SUM's do in practice; unsigned arithmetic makes that defined. */
static void add_i32(void *to, const void *from, ptrdiff_t count)
{
    uint32_t *restrict t = to;
    const uint32_t *restrict f = from;
    for (ptrdiff_t i = 0; i < count; i++)
        t[i] += f[i];
}

static void put_i32(void *array, ptrdiff_t index, double value)
{
    ((int32_t *)array)[index] = (int32_t)value;
}

static double get_i32(const void *array, ptrdiff_t index)
{
    return ((const int32_t *)array)[index];
}

static const tg_dtype f32 = {"f32", sizeof(float), mpi_f32, add_f32, put_f32, get_f32};
static const tg_dtype f64 = {"f64", sizeof(double), mpi_f64, add_f64, put_f64, get_f64};
static const tg_dtype i32 = {"i32", sizeof(int32_t), mpi_i32, add_i32, put_i32, get_i32};

const tg_dtype *const tg_dtypes[] = {&f32, &f64, &i32, NULL};

const tg_dtype *tg_dtype_find(const char *name)
{
    for (const tg_dtype *const *row = tg_dtypes; *row; row++)
        if (strcmp((*row)->name, name) == 0)
            return *row;
    return NULL;
}
