/* fuzz_idx.c: any bytes as an array in the IDX format, plain or compressed: refused, or every entry is there. The first
 * byte says how many axes are expected. */
#include "bench/idx.h"

#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The path of a file in memory that holds the bytes. */
static const char *file_of(const uint8_t *data, size_t size)
{
    static char path[64];
    static int file = -1;
    if (file < 0) {
        file = memfd_create("fuzz", 0);
        snprintf(path, sizeof path, "/proc/self/fd/%d", file);
    }
    if (file < 0 || ftruncate(file, 0) != 0 || pwrite(file, data, size, 0) != (ssize_t)size)
        abort();
    return path;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    tgb_idx idx;
    unsigned sum = 0;
    if (size == 0)
        return 0;
    const int ndim = 1 + data[0] % TGB_IDX_AXES;
    const tg_status status = tgb_idx_read(file_of(data + 1, size - 1), ndim, &idx);
    assert(status.code == TG_OK ? idx.ndim == ndim && idx.data != NULL : idx.data == NULL);
    ptrdiff_t entries = idx.ndim > 0 ? 1 : 0;
    for (int d = 0; d < idx.ndim; d++)
        entries *= idx.extent[d];
    for (ptrdiff_t i = 0; i < entries; i++)
        sum += idx.data[i];
    assert(sum <= 255 * (unsigned long)entries);
    tgb_idx_free(&idx);
    return 0;
}
