/* idx.c: arrays of bytes in the IDX format: two zero bytes, the type (8: bytes), the number of axes,
 * each extent as a big-endian number of 32 bits, the entries row-major. Source: LeCun, Cortes, Burges,
 * The MNIST database of handwritten digits. zlib reads plain and compressed files alike. */
#include "bench/idx.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum { TYPE_BYTES = 8, HEAD = 4, PIECE = 1 << 30, FIRST_PIECE = 1 << 20 };

/* `size` bytes, or what is there. */
static ptrdiff_t read_bytes(gzFile file, unsigned char *to, ptrdiff_t size)
{
    ptrdiff_t have = 0;
    while (have < size) {
        const ptrdiff_t left = size - have;
        int got = gzread(file, to + have, (unsigned)(left < PIECE ? left : PIECE));
        if (got <= 0)
            break;
        have += got;
    }
    return have;
}

static tg_status read_head(gzFile file, const char *path, int ndim, tgb_idx *idx, ptrdiff_t *size)
{
    unsigned char head[HEAD], extent[4];
    if (read_bytes(file, head, HEAD) < HEAD || head[0] != 0 || head[1] != 0)
        return tg_fail(TG_BAD_INPUT,
                       "%.120s: expected an IDX file, which begins with two zero bytes", path);
    if (head[2] != TYPE_BYTES || head[3] != ndim)
        return tg_fail(TG_BAD_INPUT,
                       "%.120s: type %d with %d axes; expected type 8 (bytes) with %d", path,
                       head[2], head[3], ndim);
    *size = 1;
    idx->ndim = ndim;
    for (int d = 0; d < ndim; d++) {
        if (read_bytes(file, extent, 4) < 4)
            return tg_fail(TG_BAD_INPUT, "%.120s: ends in its head; expected %d extents", path,
                           ndim);
        idx->extent[d] = (ptrdiff_t)extent[0] << 24 | (ptrdiff_t)extent[1] << 16 |
                         (ptrdiff_t)extent[2] << 8 | (ptrdiff_t)extent[3];
        if (__builtin_mul_overflow(*size, idx->extent[d], size))
            return tg_fail(TG_BAD_INPUT, "%.120s: more entries than can be counted", path);
    }
    return tg_success();
}

/* Room grows with what is there: a short file that promises many entries gets little. */
static tg_status read_entries(gzFile file, const char *path, ptrdiff_t size, tgb_idx *idx)
{
    unsigned char more;
    ptrdiff_t have = 0, room = 0;
    do {
        room = room == 0 ? FIRST_PIECE : 2 * room;
        room = room < size ? room : size;
        unsigned char *data = realloc(idx->data, (size_t)room + 1);
        if (!data)
            return tg_fail(TG_NO_MEMORY, "no memory for the %td entries of %.120s", size, path);
        idx->data = data;
        have += read_bytes(file, idx->data + have, room - have);
    } while (have == room && room < size);
    if (have < size)
        return tg_fail(TG_BAD_INPUT, "%.120s: ends after %td entries; expected %td", path, have,
                       size);
    if (read_bytes(file, &more, 1) > 0)
        return tg_fail(TG_BAD_INPUT, "%.120s: goes on after %td entries; expected its end", path,
                       size);
    return tg_success();
}

tg_status tgb_idx_read(const char *path, int ndim, tgb_idx *idx)
{
    ptrdiff_t size = 0;
    *idx = (tgb_idx){.ndim = 0};
    errno = 0;
    gzFile file = gzopen(path, "rb");
    if (!file)
        return tg_fail(TG_BAD_INPUT, "%.120s: %s; expected a file in the IDX format", path,
                       errno ? strerror(errno) : "no memory");
    tg_status status = read_head(file, path, ndim, idx, &size);
    if (status.code == TG_OK)
        status = read_entries(file, path, size, idx);
    gzclose(file);
    if (status.code != TG_OK)
        tgb_idx_free(idx);
    return status;
}

tg_status tgb_idx_share(MPI_Comm comm, tg_status read, tgb_idx *idx)
{
    int rank;
    long long head[1 + TGB_IDX_AXES] = {idx->ndim};
    MPI_Comm_rank(comm, &rank);
    tg_status status = tg_agree(comm, read);
    if (status.code != TG_OK) {
        tgb_idx_free(idx);
        return status;
    }
    for (int d = 0; d < TGB_IDX_AXES; d++)
        head[1 + d] = idx->extent[d];
    MPI_Bcast(head, 1 + TGB_IDX_AXES, MPI_LONG_LONG, 0, comm);
    ptrdiff_t size = 1;
    idx->ndim = (int)head[0];
    for (int d = 0; d < idx->ndim; d++)
        size *= idx->extent[d] = (ptrdiff_t)head[1 + d];
    if (rank != 0)
        idx->data = malloc((size_t)size + 1);
    status = tg_agree(comm, idx->data ? tg_success()
                                      : tg_fail(TG_NO_MEMORY, "no memory for %td entries", size));
    for (ptrdiff_t at = 0; status.code == TG_OK && at < size; at += PIECE)
        MPI_Bcast(idx->data + at, (int)(size - at < PIECE ? size - at : PIECE), MPI_UNSIGNED_CHAR,
                  0, comm);
    if (status.code != TG_OK)
        tgb_idx_free(idx);
    return status;
}

void tgb_idx_free(tgb_idx *idx)
{
    free(idx->data);
    *idx = (tgb_idx){.ndim = 0};
}
