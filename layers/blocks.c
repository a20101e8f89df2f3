/* blocks.c: rows to blocks of channels and back, in buffers without padding.
 *
 *     rows n c p         blocks n c/b p c%b
 *
 * p counts the positions of an image; the layout is that of oneDNN's nChw8c and nChw16c. */
#include "layers/kernel.h"

#include <string.h>

tgl_images tgl_images_of(const tg_box *box)
{
    tgl_images images = {box->hi[0] - box->lo[0], box->hi[1] - box->lo[1], 1};
    for (int d = 2; d < box->ndim; d++)
        images.positions *= box->hi[d] - box->lo[d];
    return images;
}

static ptrdiff_t blocks_of(const tgl_images *images, int block)
{
    return (images->channels + block - 1) / block;
}

/* Channels in a block; the last one may have fewer. */
static ptrdiff_t lanes_of(const tgl_images *images, int block, ptrdiff_t first)
{
    const ptrdiff_t left = images->channels - first;
    return left < block ? left : block;
}

/* The loops over images, blocks and positions; `move` is done for each channel of a block. */
#define MOVE(name, type, to, from, move)                                                           \
    static void name(const tgl_images *images, int block, const type *from, type *to)              \
    {                                                                                              \
        const ptrdiff_t count = images->positions;                                                 \
        for (ptrdiff_t n = 0; n < images->batch; n++)                                              \
            for (ptrdiff_t first = 0; first < images->channels; first += block) {                  \
                const ptrdiff_t lanes = lanes_of(images, block, first),                            \
                                row = (n * images->channels + first) * count,                      \
                                at = (n * blocks_of(images, block) * block + first) * count;       \
                for (ptrdiff_t p = 0; p < count; p++)                                              \
                    for (ptrdiff_t c = 0; c < lanes; c++)                                          \
                        move;                                                                      \
            }                                                                                      \
    }

MOVE(to_f32, float, to, from, to[at + p * block + c] = from[row + c * count + p])
MOVE(to_f64, double, to, from, to[at + p * block + c] = from[row + c * count + p])
MOVE(from_f32, float, to, from, to[row + c * count + p] = from[at + p * block + c])
MOVE(from_f64, double, to, from, to[row + c * count + p] = from[at + p * block + c])

void tgl_clear_tails(const tgl_images *images, int block, size_t size, void *blocks)
{
    const ptrdiff_t full = images->channels / block * block, lanes = images->channels - full;
    char *at = blocks;
    for (ptrdiff_t n = 0; lanes > 0 && n < images->batch; n++) {
        at += (size_t)(full * images->positions) * size;
        for (ptrdiff_t p = 0; p < images->positions; p++, at += (size_t)block * size)
            memset(at + (size_t)lanes * size, 0, (size_t)(block - lanes) * size);
    }
}

void tgl_to_blocks(const tgl_images *images, int block, size_t size, const void *rows, void *blocks)
{
    if (size == sizeof(float))
        to_f32(images, block, rows, blocks);
    else
        to_f64(images, block, rows, blocks);
    tgl_clear_tails(images, block, size, blocks);
}

void tgl_from_blocks(const tgl_images *images, int block, size_t size, const void *blocks,
                     void *rows)
{
    if (size == sizeof(float))
        from_f32(images, block, blocks, rows);
    else
        from_f64(images, block, blocks, rows);
}
