/* fuzz_idx.c: any bytes as an array in the IDX format, plain or compressed: refused, or every entry is there. The first
 * byte says how many axes are expected. */
#include "bench/idx.h"
#include "driver/tests/fuzz.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    tgb_idx idx;
    unsigned sum = 0;
    if (size == 0)
        return 0;
    const int ndim = 1 + data[0] % TGB_IDX_AXES;
    const tg_status status = tgb_idx_read(fuzz_file(data + 1, size - 1), ndim, &idx);
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
