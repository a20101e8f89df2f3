/* part.h: a stretch of the bytes that blocks are packed into, moved by itself. Private to the room.
 *
 * Both ends of a move agree on the sequence of bytes only; so a stretch is said by its first packed
 * byte and its length, and each end finds it in its own loops. Nothing is allocated. */
#ifndef TG_PART_H
#define TG_PART_H

#include "primitives/block.h"

#include <sys/uio.h>

/* Calls: Local, all. As tg_blocks_pack, _unpack, _add and _copy, of packed bytes [first, first +
 * bytes), which stand at `packed`. Both numbers are whole entries. */
void tg_part_pack(const tg_blocks *blocks, ptrdiff_t first, ptrdiff_t bytes, const void *buffer,
                  void *packed);
void tg_part_unpack(const tg_blocks *blocks, ptrdiff_t first, ptrdiff_t bytes, const void *packed,
                    void *buffer);
void tg_part_add(const tg_blocks *blocks, const tg_dtype *dtype, ptrdiff_t first, ptrdiff_t bytes,
                 const void *packed, void *buffer);
void tg_part_copy(const tg_blocks *from, ptrdiff_t first, ptrdiff_t bytes, const void *source,
                  const tg_blocks *to, void *target);

/* Calls: Local. The runs of these packed bytes in the buffer, from the first on, `most` of them at
 * most; returns how many. */
int tg_part_runs(const tg_blocks *blocks, ptrdiff_t first, ptrdiff_t bytes, const void *buffer,
                 struct iovec *runs, int most);

/* Calls: Local. Bytes of the shortest run; PTRDIFF_MAX without blocks. */
ptrdiff_t tg_blocks_shortest(const tg_blocks *blocks);

/* Calls: Local. Do two lists of one buffer stand for the same bytes in the same sequence? (Not when
 * they say it with other loops.) */
bool tg_blocks_equal(const tg_blocks *a, const tg_blocks *b);

#endif
