/* test_operators.c: every primitive and every algorithm of it, values and adjoint exact, against
 * index formulas.
 *
 * Each line of words below is run wherever it fits, with each algorithm of its primitive, out of
 * place, accumulating and in place, in one of the element types; then random lines. A failing line
 * is printed as a command, with all its words; test_operators 'WORDS' takes them too.
 *
 *   --seed N --random COUNT   of the random lines
 *   --random-only FILE        only these, up to the first that fails; FILE always holds the command
 *                             for the line that is being run (scripts/soak)
 *   --algorithm NAME          only this one, of the primitives that have it
 *   --largest-count N         entries in one call of MPI, at most
 *   --largest-int N           entries in one that counts in int, at most
 *   --node-size N             ranks that count as one node, at most
 *   --largest-chunk BYTES     of a chunk in a node's shared memory, at most
 *   --shared-from BYTES       buffers that large are mapped by the other ranks of the node
 *   --shortest-run BYTES      of a run that is read from another process
 *   --show                    write every random line; --plant: break every operator on purpose */
#include "primitives/count.h"
#include "primitives/node.h"
#include "primitives/tests/checks.h"
#include "primitives/tests/random_words.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* P stands for the number of ranks. */
static const char *const lines[] = {
    /* stores: blocks that parts cut, blocks of two sizes, padding on either side */
    "send_recv shape=3x20 from=1x1 to=1x1 to-ranks=1 store-x=nchw8c:1x0 store-y=row::3",
    "send_recv shape=3x16 from=1x1 to=1x1 from-ranks=1 store-x=nchw16c store-y=nchw8c",
    "broadcast shape=2x20x3x5 from=1x1x1x1 to=Pcx1x1x1 store-x=nchw8c store-y=nchw8c",
    "broadcast shape=2x16x3 from=1x1x1 from-ranks=1 to=Pcx1x1 store-x=row store-y=nchw16c",
    "broadcast shape=1x16x3 from=1x2x1 from-ranks=1,0 to=1x2x2c store-y=nchw8c:3x0x0:1x1",
    "sum_reduce shape=1x17x4 from=1x1xPc to=1x1x1 store-x=nchw8c store-y=nchw8c",
    "sum_reduce shape=2x24x4 from=1x1xPc to=1x1x1 store-x=nchw8c:1:2 store-y=row",
    "all_sum_reduce shape=3x20x2 grid=1x1xPc store-x=nchw8c store-y=row",
    "all_sum_reduce shape=3x16x2 grid=1x2x2c store-x=nchw8c store-y=nchw16c:1x0",
    "scatter shape=2x24x4 from=1x1x1 to=1xPx1 store-x=nchw16c store-y=nchw8c",
    "gather shape=2x24x4 from=1xPx1 to=1x1x1 store-x=nchw8c store-y=nchw8c::1x0x0",
    "all_gather shape=1x24x4 from=1xPx1 to=1xPcx1 store-x=nchw8c store-y=nchw8c",
    "all_gather shape=2x24x4 from=1xPx1 to=1xPcx1 store-x=row store-y=nchw8c",
    "reduce_scatter shape=1x48x3 from=1xPcx1 to=1xPx1 store-x=nchw16c store-y=nchw8c",
    "repartition shape=2x37x3x3 from=1x3x1x1 to=1x1x3x1 store-x=nchw8c store-y=nchw16c",
    "repartition shape=1x48x8 from=1xPx1 to=1x1xP store-x=nchw8c:3x0 store-y=nchw8c",
    "repartition shape=2x45x4 from=1x1xP to=1xPx1 store-x=row::5 store-y=nchw16c:7x1",
    "halo shape=1x24x6x7 grid=1x1xPx1 kernel=3x3 padding=1x1 store-x=nchw8c store-y=nchw8c",
    "halo shape=1x19x6x7 grid=1x2x2x1 kernel=3x3 padding=1x1 store-x=nchw16c store-y=nchw8c",
    "halo shape=1x20x6 grid=1xPx1 kernel=5x1 padding=2x0 periodic=1x0 store-y=nchw8c:1x0:0x2",
    "add shape=2x20x3 grid=1x1xP store-x=nchw8c store-y=nchw16c:2x1",
    /* one rank, one entry, nothing at all */
    "send_recv shape=1",
    "send_recv shape=7 from-ranks=0 to-ranks=0",
    "send_recv shape=7 from-ranks=0 to-ranks=1",
    "send_recv shape=7 from-ranks=1 to-ranks=0",
    "send_recv shape=0 from-ranks=0 to-ranks=1",
    "send_recv shape=3x5x2 from=1x1x1 to=1x1x1 from-ranks=2 to-ranks=0",
    "send_recv shape=2x1x3x1x2x2 from=1x1x1x1x1x1 to=1x1x1x1x1x1 from-ranks=3 to-ranks=5",
    "send_recv shape=64 from-ranks=11 to-ranks=4",
    "broadcast shape=1 from=1 to=1",
    "broadcast shape=1 from=1 to=Pc",
    "broadcast shape=13 from=1 to=Pc",
    "broadcast shape=0 from=1 to=Pc",
    "sum_reduce shape=1 from=Pc to=1",
    "sum_reduce shape=13 from=Pc to=1",
    "sum_reduce shape=0 from=Pc to=1",
    "all_sum_reduce shape=1 grid=Pc",
    "all_sum_reduce shape=13 grid=Pc",
    "all_sum_reduce shape=0 grid=Pc",
    "repartition shape=1 from=1 to=P",
    "repartition shape=13 from=1 to=P",
    "repartition shape=13 from=P to=1",
    "repartition shape=0 from=1 to=P",
    "halo shape=1 grid=P kernel=1",
    "halo shape=0x9 grid=1xP kernel=1x3 padding=0x1",
    "halo shape=5x0x4 grid=Px1x1 kernel=3x1x1 padding=1x0x0 periodic=1x0x0",
    "halo shape=13 grid=P kernel=3 padding=1",
    /* partitions of messages: as many as entries, more, one that is shorter, one alone; stores */
    "send_recv shape=7 from-ranks=0 to-ranks=1 partitions=3",
    "send_recv shape=7 from-ranks=1 to-ranks=0 partitions=7",
    "send_recv shape=7 from-ranks=0 to-ranks=1 partitions=1000",
    "send_recv shape=3x5x2 from=1x1x1 to=1x1x1 from-ranks=2 to-ranks=0 partitions=1",
    ("send_recv shape=3x20 from=1x1 to=1x1 to-ranks=1 store-x=nchw8c:1x0 store-y=row::3 "
     "partitions=7"),
    "halo shape=1x2x6x6 grid=1x1x2x2 kernel=5x5 padding=2x2 partitions=5",
    "halo shape=9x8 grid=Px1 kernel=3x3 padding=1x1 periodic=1x1 partitions=3",
    "halo shape=2 grid=3 kernel=5 padding=2 periodic=1 partitions=2",
    "halo shape=1x20x6 grid=1xPx1 kernel=5x1 padding=2x0 store-y=nchw8c:1x0:0x2 partitions=11",
    /* broadcast and sum_reduce: roots anywhere, groups, disjoint, idle, reordered, empty parts */
    "broadcast shape=5 from=1 from-ranks=1 to=2c",
    "broadcast shape=5 from=1 from-ranks=2 to=2c",
    "broadcast shape=5 from=1 from-ranks=0 to=2c to-ranks=2,1",
    "broadcast shape=14x5 from=2x1 to=2x3c",
    "broadcast shape=14x5 from=2x1 from-ranks=5,3 to=2x3c to-ranks=5-0:-1",
    "broadcast shape=14x5 from=2x1 to=2x3c to-order=10",
    "broadcast shape=3x2 from=1x4 to=3cx4 from-ranks=7-4:-1",
    "broadcast shape=3x4 from=1x2 to=2cx2 from-parts=*x4+0 to-parts=*x4+0",
    "broadcast shape=7x5x2 from=2x2x1 to=2x2x3c to-order=102",
    "broadcast shape=5x7x3 from=2x2x1 to=2x2x3c",
    "broadcast shape=5x7x3 from=2x2x1 from-ranks=4-7 to=2x2x3c",
    "broadcast shape=5x7x3 from=2x2x1 from-order=reshaped from-ranks=4-7 to=3cx2x2",
    "broadcast shape=5x7x3 from=1x2x2 from-ranks=0,2,4,6 to=2x2x3c to-order=reshaped",
    "broadcast shape=2x3x1x2x2x3 from=1x2x1x1x2x1 to=1x2x3cx1x2x1 to-order=543210",
    "broadcast shape=3x3 from=1x1 to=2cx2c to-ranks=3-0:-1",
    "broadcast shape=6x4x2 from=1x1x2 to=2cx3cx2 to-order=201",
    "sum_reduce shape=5 from=2c to=1 to-ranks=1",
    "sum_reduce shape=5 from=2c to=1 to-ranks=2",
    "sum_reduce shape=5 from=2c from-ranks=2,1 to=1 to-ranks=0",
    "sum_reduce shape=14x5 from=2x3c to=2x1",
    "sum_reduce shape=14x5 from=2x3c from-ranks=5-0:-1 to=2x1 to-ranks=5,3",
    "sum_reduce shape=14x5 from=2x3c from-order=10 to=2x1",
    "sum_reduce shape=3x2 from=3cx4 to=1x4 to-ranks=7-4:-1",
    "sum_reduce shape=3x4 from=2cx2 to=1x2 from-parts=*x1+3 to-parts=*x1+3",
    "sum_reduce shape=5x7x3 from=2x2x3c to=2x2x1 to-ranks=4-7",
    "sum_reduce shape=5x7x3 from=3cx2x2 to=2x2x1 to-order=reshaped to-ranks=8-11",
    "sum_reduce shape=2x3x1x2x2x3 from=1x2x3cx1x2x1 from-order=543210 to=1x2x1x1x2x1",
    "sum_reduce shape=3x3 from=2cx2c from-ranks=3-0:-1 to=1x1 to-ranks=2",
    /* all_sum_reduce: no copies at all is the identity; groups along any axes */
    "all_sum_reduce shape=9 grid=P",
    "all_sum_reduce shape=14x5 grid=2x3c",
    "all_sum_reduce shape=14x5 grid=2cx3",
    "all_sum_reduce shape=14x5 grid=2cx3c",
    "all_sum_reduce shape=14x5 grid=2x3c ranks=5-0:-1 order=10",
    "all_sum_reduce shape=3x2 grid=2cx4",
    "all_sum_reduce shape=5x7x3 grid=2x2cx3 ranks=11-0:-1",
    "all_sum_reduce shape=5x7x3 grid=2x2cx3c order=201",
    "all_sum_reduce shape=4x3 grid=2cx2 ranks=6,1,4,3 parts=*x0+3",
    "all_sum_reduce shape=2x2x2x1x3x2 grid=1x2cx1x1x2x2 order=350124",
    /* scatter and gather: whole tensors, roots inside and outside, empty and explicit parts */
    "scatter shape=13 from=1 to=P",
    "gather shape=13 from=P to=1",
    "scatter shape=0 from=1 to=P",
    "gather shape=0 from=P to=1",
    "scatter shape=5 from=1 from-ranks=1 to=2",
    "scatter shape=5 from=1 from-ranks=2 to=2",
    "scatter shape=3 from=1 from-ranks=7 to=8 to-ranks=7-0:-1",
    "scatter shape=7x5 from=1x1 from-ranks=4 to=3x4",
    "scatter shape=7x5 from=1x1 from-ranks=2 to=2x3 to-ranks=5,0,4,1,3,2 to-order=10",
    "scatter shape=7x5 from=1x1 to=1x4 to-parts=*x0+3+0+2",
    "scatter shape=2x3x2x1x4x2 from=1x1x1x1x1x1 to=1x3x1x1x2x2 to-order=531420",
    "gather shape=5 from=2 to=1 to-ranks=1",
    "gather shape=5 from=2 to=1 to-ranks=2",
    "gather shape=3 from=8 from-ranks=7-0:-1 to=1 to-ranks=7",
    "gather shape=7x5 from=3x4 to=1x1 to-ranks=4",
    "gather shape=7x5 from=2x3 from-ranks=5,0,4,1,3,2 from-order=10 to=1x1 to-ranks=2",
    "gather shape=7x5 from=1x4 from-parts=*x0+3+0+2 to=1x1",
    "gather shape=2x3x2x1x4x2 from=1x3x1x1x2x2 from-order=531420 to=1x1x1x1x1x1",
    /* all_gather and reduce_scatter: groups along some axes, other ranks than parts, disjoint */
    "all_gather shape=13 from=P to=Pc",
    "reduce_scatter shape=13 from=Pc to=P",
    "all_gather shape=0 from=P to=Pc",
    "reduce_scatter shape=0 from=Pc to=P",
    "all_gather shape=7 from=5 to=5c",
    "all_gather shape=3 from=5 to=5c to-ranks=4-0:-1",
    "all_gather shape=9 from=3 from-ranks=0-2 from-parts=0+7+2 to=2c to-ranks=5,3",
    "all_gather shape=7x5 from=2x3 to=2x3c",
    "all_gather shape=7x5 from=2x3 to=2x3c from-order=10 to-ranks=5-0:-1",
    "all_gather shape=7x5 from=3x2 to=3cx2",
    "all_gather shape=7x5 from=2x2 to=2cx2c to-ranks=4-7",
    "all_gather shape=7x5x3 from=2x2x3 to=2x2cx3 to-order=201",
    "reduce_scatter shape=7 from=5c to=5",
    "reduce_scatter shape=3 from=5c from-ranks=4-0:-1 to=5",
    "reduce_scatter shape=9 from=2c from-ranks=5,3 to=3 to-ranks=0-2 to-parts=0+7+2",
    "reduce_scatter shape=7x5 from=2x3c to=2x3",
    "reduce_scatter shape=7x5 from=2x3c from-ranks=5-0:-1 to=2x3 to-order=10",
    "reduce_scatter shape=7x5 from=3cx2 to=3x2",
    "reduce_scatter shape=7x5 from=2cx2c from-ranks=4-7 to=2x2",
    "reduce_scatter shape=7x5x3 from=2x2cx3 from-order=201 to=2x2x3",
    /* repartition: uneven, explicit, empty, overlapping, disjoint, idle, reordered, copied */
    "repartition shape=10x7 from=Px1 to=1xP",
    "repartition shape=10x7 from=1xP to=Px1 to-ranks=0-P1",
    "repartition shape=7x5 from=4x1 to=2x2",
    "repartition shape=7x5 from=4x1 from-ranks=0-3 to=2x2 to-ranks=4-7",
    "repartition shape=7x5 from=2x2 from-ranks=1,3,0,2 to=4x1 to-ranks=6-0:-2",
    "repartition shape=77x5 from=4x1 from-ranks=4-7 from-parts=20+19+19+19x* to=3x4",
    "repartition shape=11x6 from=3x4 from-order=10 to=4x3 to-order=01",
    "repartition shape=11x6 from=3x2 from-order=reshaped to=3x2",
    "repartition shape=3 from=8 to=1 to-ranks=7",
    "repartition shape=3x2 from=8x1 to=1x8 to-ranks=7-0:-1",
    "repartition shape=9 from=3 to=3 from-parts=0+9+0 to-parts=4+0+5",
    "repartition shape=9 from=2 to=3 to-ranks=2,0,1 to-parts=0+0+9",
    "repartition shape=5x4x3 from=1x2x3 to=3x2x1 to-order=120",
    "repartition shape=2x3x2x2x3x2 from=1x1x2x1x3x1 to=2x3x1x1x1x1",
    "repartition shape=2x3x2x2x3x2 from=1x1x2x1x3x2 from-order=531420 to=2x3x1x1x1x2",
    "repartition shape=2x3x2x3 from=1x1x2x3 from-order=3120 to=2x3x1x1 to-ranks=11-1:-2",
    "repartition shape=8 from=2 to=2c",
    "repartition shape=8 from=2c to=2",
    "repartition shape=8 from=2c to=2c to-ranks=1,0",
    "repartition shape=8x3 from=2x2c to=4cx1 to-ranks=7-4:-1",
    "repartition shape=8x3 from=2cx3 from-ranks=5-0:-1 to=3cx2",
    "repartition shape=6 from=5 from-ranks=7-3:-1 to=4c",
    "repartition shape=14x1 from=2x2c to=1x4",
    "repartition shape=64x33 from=2x1 to=1x2",
    /* into copies on other ranks: one sender and several, shares that are empty, copies along two
       axes, copies of x, stores */
    "repartition shape=0 from=1 to=2c to-ranks=1,2",
    "repartition shape=13 from=1 to=2c to-ranks=1,2",
    "repartition shape=13x5 from=1x1 from-ranks=2 to=2cx1 to-ranks=1,0",
    "repartition shape=14x5 from=2x1 to=1x2c to-ranks=2,3",
    "repartition shape=14x5 from=2x1 from-ranks=4,1 to=1x3c to-ranks=0,3,2",
    "repartition shape=1x6 from=1x2 to=3cx1 to-ranks=2-4",
    "repartition shape=2x37x3 from=1x3x1 to=1x1x2c to-ranks=3,4 store-x=nchw8c store-y=nchw16c:1x0",
    "repartition shape=2x37x3 from=1x1x2 to=1x2cx1 to-ranks=3,2 store-x=row::3 store-y=nchw8c:3x0",
    "repartition shape=7x5 from=2cx1 to=2x2c to-ranks=2-5",
    "repartition shape=11x6 from=1x2 to=2x3c to-ranks=7-2:-1",
    "repartition shape=3 from=4 from-parts=0+3+0+0 to=4c to-ranks=4-7",
    "repartition shape=5x4x3 from=1x2x2 to=2cx1x2c to-ranks=4-7 to-order=201",
    "repartition shape=9x8 from=3x2 from-order=10 to=2cx3 to-ranks=11-6:-1",
    /* halo: one-sided, uneven, stride, dilation, padding, negative, wide, periodic, more parts than
       outputs */
    "halo shape=11 grid=3 kernel=5 padding=2",
    "halo shape=11 grid=3 kernel=5",
    "halo shape=11 grid=3 kernel=2 stride=2",
    "halo shape=20 grid=6 kernel=2 stride=2",
    "halo shape=10 grid=4 kernel=2 stride=2",
    "halo shape=10 grid=P kernel=9 padding=4",
    "halo shape=5 grid=P kernel=5 padding=2",
    "halo shape=12 grid=4 kernel=11 padding=5 ranks=3-0:-1",
    "halo shape=17 grid=4 kernel=3 dilation=4 padding=4",
    "halo shape=17 grid=5 kernel=2 stride=3 dilation=2 padding=1",
    "halo shape=9 grid=4 kernel=1 stride=4",
    "halo shape=9 grid=4 kernel=7 stride=2 padding=0",
    "halo shape=9 grid=8 kernel=8 stride=2 padding=0",
    "halo shape=8 grid=3 kernel=3 stride=2 ceil=1",
    "halo shape=7 grid=3 kernel=2 stride=3 padding=1 ceil=1",
    "halo shape=12 grid=P kernel=3 padding=1 periodic=1",
    "halo shape=5 grid=3 kernel=5 padding=2 periodic=1",
    "halo shape=3 grid=2 kernel=9 padding=4 periodic=1",
    "halo shape=2 grid=3 kernel=5 padding=2 periodic=1",
    "halo shape=1 grid=1 kernel=3 padding=1 periodic=1",
    "halo shape=6x5 grid=2x2 kernel=3x3 padding=1x1",
    "halo shape=6x5 grid=2x2 kernel=3x3 padding=1x1 periodic=1x1",
    "halo shape=6x5 grid=2x2 kernel=3x3 padding=1x1 periodic=0x1 order=10 ranks=5,1,7,2",
    "halo shape=6x9 grid=3x3 kernel=3x5 padding=1x2",
    "halo shape=10x7 grid=3x3 kernel=3x3 ranks=11-3:-1",
    "halo shape=9x8 grid=3x4 kernel=3x3 stride=2x1 padding=1x0 dilation=1x2",
    "halo shape=1x2x6x6 grid=1x1x2x2 kernel=5x5 padding=2x2",
    "halo shape=1x2x5x6x4 grid=1x1x2x3x2 kernel=3x3x3 padding=1x1x1",
    "halo shape=2x1x4x3x4x2 grid=1x1x2x1x2x2 kernel=3x1x2x2 padding=1x0x0x1 order=542310",
    "halo shape=12 grid=4 kernel=3 padding=1 parts=5+0+4+3",
    "halo shape=12x4 grid=3x2 kernel=1x3 padding=0x1 parts=1+10+1x*",
    "halo shape=6 grid=2 kernel=2 stride=9",
    "halo shape=16x16 grid=2x2 kernel=5x5 padding=2x2",
    /* halo_transposed: one-sided, gaps between taps, outputs that receive nothing, more parts than
       outputs, cropped, periodic */
    "halo_transposed shape=1 grid=P kernel=1",
    "halo_transposed shape=7 grid=P kernel=3 stride=2 padding=1",
    "halo_transposed shape=7 grid=P kernel=2 stride=2",
    "halo_transposed shape=7 grid=3 kernel=4 stride=2 padding=1",
    "halo_transposed shape=5 grid=4 kernel=1 stride=3",
    "halo_transposed shape=3 grid=8 kernel=1 stride=4",
    "halo_transposed shape=6 grid=4 kernel=9 padding=4 ranks=3-0:-1",
    "halo_transposed shape=5 grid=3 kernel=3 dilation=4",
    "halo_transposed shape=5 grid=6 kernel=2 stride=2 dilation=3 padding=1",
    "halo_transposed shape=9 grid=4 kernel=5 padding=6",
    "halo_transposed shape=2 grid=8 kernel=3 stride=3",
    "halo_transposed shape=6 grid=3 kernel=3 padding=1 periodic=1",
    "halo_transposed shape=3 grid=2 kernel=8 padding=2 periodic=1",
    "halo_transposed shape=12 grid=4 kernel=4 stride=2 padding=1 parts=5+0+4+3",
    "halo_transposed shape=6x5 grid=2x2 kernel=3x3 stride=2x1 padding=1x1 order=10 ranks=5,1,7,2",
    "halo_transposed shape=1x2x4x5 grid=1x1x2x3 kernel=4x4 stride=2x2 padding=1x1",
    "halo_transposed shape=5x6x4 grid=2x3x2 kernel=3x2x1 stride=1x2x3 periodic=1x0x0",
    /* halo_upsample: nearest and linear, even and odd factors, ends, wide and empty parts */
    "halo_upsample shape=1 grid=P stride=3",
    "halo_upsample shape=7 grid=P stride=2",
    "halo_upsample shape=7 grid=P kernel=2 stride=2",
    "halo_upsample shape=7 grid=P kernel=2",
    "halo_upsample shape=5 grid=4 kernel=2 stride=3",
    "halo_upsample shape=5 grid=4 kernel=1 stride=3",
    "halo_upsample shape=2 grid=8 kernel=2 stride=3",
    "halo_upsample shape=1 grid=6 kernel=2 stride=4",
    "halo_upsample shape=6 grid=3 kernel=2 stride=2 periodic=1",
    "halo_upsample shape=12 grid=4 kernel=2 stride=4 parts=5+0+4+3 ranks=3-0:-1",
    "halo_upsample shape=6x5 grid=2x2 kernel=2x1 stride=2x3 order=10 ranks=5,1,7,2",
    "halo_upsample shape=1x2x4x5 grid=1x1x2x3 kernel=2x2 stride=2x2",
    "halo_upsample shape=5x6x4 grid=2x3x2 kernel=2x2x2 stride=1x2x3 periodic=0x0x1",
    /* memory operators: scalars, nothing, idle ranks, orders, empty parts */
    "allocate shape=1",
    "deallocate shape=2",
    "clear shape=2",
    "add shape=2",
    "copy shape=2",
    "move shape=2",
    "allocate shape=1x0 grid=1xP",
    "move shape=2x0 grid=1xP",
    "allocate shape=1x13 grid=1xP",
    "deallocate shape=2x13 grid=1xP",
    "clear shape=2x13 grid=1xP",
    "add shape=2x13 grid=1xP",
    "copy shape=2x13 grid=1xP",
    "move shape=2x13 grid=1xP",
    "allocate shape=1x14x5 grid=1x2x3 ranks=5-0:-1 order=201",
    "deallocate shape=2x14x5 grid=1x2x3 ranks=7,3,0,1,4,2 order=021",
    "clear shape=2x14x5 grid=1x2x3",
    "add shape=2x14x5 grid=3x2x1 order=reshaped",
    "copy shape=2x4x5 grid=1x2x2 parts=*x0+4x3+2 ranks=6,1,4,3",
    "move shape=2x4x5 grid=1x4x1 parts=2x*x5",
};

/* Random problems where no option says how many: a few, or with TENSORGAUGE_TEST_ALL (scripts/test
 * --all) many. scripts/soak draws others as long as one likes. */
enum { COLUMNS = 60, FEW_PROBLEMS = 100, MANY_PROBLEMS = 500, SHOWN = 20 };

typedef struct {
    MPI_Comm comm;
    int rank, size;
    long problems, failed_problems, refused;
    test_verdict total;
    long runs[32][16];       /* by primitive and algorithm */
    long typed[16];          /* checks by element type */
    long checked;            /* random problems that were planned and checked */
    bool plant, show;        /* the options of these names */
    const char *random_only; /* the file of this option, or NULL */
    const char *algorithm;   /* of this option, or NULL */
} session;

/* May this algorithm be run? */
static bool is_asked(const session *s, const tg_algorithm *algorithm)
{
    return s->algorithm == NULL || strcmp(s->algorithm, algorithm->name) == 0;
}

static void count_run(session *s, const test_case *c)
{
    for (int p = 0; tg_primitives[p] != NULL && p < 32; p++) {
        for (int a = 0; tg_primitives[p]->algorithms[a] != NULL && a < 16; a++) {
            s->runs[p][a] += tg_primitives[p] == c->problem.primitive &&
                             tg_primitives[p]->algorithms[a] == c->problem.algorithm;
        }
    }
}

static int count_dtypes(void)
{
    int count = 0;
    while (tg_dtypes[count] != NULL)
        count++;
    return count;
}

static void count_checks(session *s, const tg_dtype *dtype, long checks)
{
    for (int i = 0; tg_dtypes[i] != NULL && i < 16; i++)
        s->typed[i] += tg_dtypes[i] == dtype ? checks : 0;
}

/* A collective of the MPI library cannot work in place where a rank's parts of x and y overlap and
 * differ; such an algorithm, never the reference, may say so. Collective. */
static bool is_refusal(const session *s, const test_case *c, const tg_status *status)
{
    bool alike = model_count(&c->x) == 0 || model_count(&c->y) == 0 || tg_box_equal(&c->x, &c->y);
    int differ = !alike;
    MPI_Allreduce(MPI_IN_PLACE, &differ, 1, MPI_INT, MPI_MAX, s->comm);
    return differ != 0 && c->problem.place == TG_IN_PLACE &&
           c->problem.algorithm != c->problem.primitive->algorithms[0] &&
           status->code == TG_BAD_INPUT && strstr(status->text, "in-place") != NULL;
}

/* An operator that is wrong on purpose: the lowest bit of the first entry is another. */
static void spoil_first(void *buffer, tg_box box)
{
    if (tg_box_count(&box) > 0)
        *(unsigned char *)buffer ^= 1;
}

static void apply_spoilt(void *self, const void *x, void *y)
{
    tg_apply(self, x, y);
    spoil_first(y, tg_op_y(self));
}

static void adjoint_spoilt(void *self, void *y, void *x)
{
    tg_apply_adjoint(self, y, x);
    spoil_first(x, tg_op_x(self));
}

/* What is being run, as a command, for whoever finds this program dead. Rank 0 writes it. */
static void write_command(const session *s, const char *line)
{
    FILE *file = s->random_only != NULL && s->rank == 0 ? fopen(s->random_only, "w") : NULL;
    if (file != NULL) {
        fprintf(file, "mpiexec -n %d tgbench check \"%s\"\n", s->size, line);
        fclose(file);
    }
}

/* Plans and checks one line in which every choice is written. */
static void run_line(session *s, const char *line, long columns)
{
    test_case *c = malloc(sizeof *c);
    test_verdict mine = {.text = ""};
    char text[256];
    s->problems++;
    write_command(s, line);
    if (!case_make(line, s->rank, s->size, c, text)) {
        check_one(&mine, CHECK_VALUES, false, "not accepted: %s", text);
    } else {
        tg_op *op;
        tg_status status = tg_plan(s->comm, &c->problem, &op);
        bool refused = is_refusal(s, c, &status) && op == NULL;
        check_one(&mine, CHECK_VALUES, refused || (status.code == TG_OK && op != NULL),
                  "no plan: %s", status.text);
        s->refused += refused;
        if (status.code == TG_OK) {
            test_operator good = case_operator(op), wrong = {apply_spoilt, adjoint_spoilt, op};
            test_operator halves = case_started(op);
            check_boxes(c, op, &mine);
            check_operator(c, s->plant ? &wrong : &good, s->comm, columns, &mine);
            check_operator(c, &halves, s->comm, 0, &mine);
            tg_free(&op);
            s->checked++;
            check_one(&mine, CHECK_VALUES, op == NULL, "tg_free left a pointer");
        }
        count_run(s, c);
        case_free(c);
    }
    const tg_dtype *dtype = c->problem.dtype;
    free(c);
    test_verdict all = check_agree(&mine, s->comm);
    count_checks(s, dtype, all.done[CHECK_VALUES] + all.done[CHECK_MATRIX]);
    for (int kind = 0; kind < CHECK_KINDS; kind++) {
        s->total.done[kind] += all.done[kind];
        s->total.failed[kind] += all.failed[kind];
    }
    if (check_failures(&all) > 0 && s->failed_problems++ < SHOWN && s->rank == 0)
        printf("FAILED mpiexec -n %d tgbench check \"%s\"\n       %ld checks: %s\n", s->size, line,
               check_failures(&all), all.text);
}

static bool has_one_store(const char *line)
{
    char x[MODEL_WORD], y[MODEL_WORD];
    model_word(line, "store-x", "row", x);
    model_word(line, "store-y", "row", y);
    return strcmp(x, y) == 0;
}

/* A line with each algorithm and each way to call it, as far as its own words leave a choice: two
 * stores are no problem in place. */
static void run_variants(session *s, const char *line, int number)
{
    const int nways = has_one_store(line) ? 3 : 2;
    static const char *const ways[3] = {"in-place=no accumulate=no", "in-place=no accumulate=yes",
                                        "in-place=yes accumulate=no"};
    const int dtypes = count_dtypes();
    char word[MODEL_WORD], full[2 * LINE_SIZE];
    model_operation(line, word);
    const tg_primitive *primitive = tg_primitive_find(word);
    if (primitive == NULL) {
        snprintf(full, sizeof full, "%s", line);
        run_line(s, full, 0);
        return;
    }
    for (int a = 0; primitive->algorithms[a] != NULL; a++) {
        for (int way = 0; way < nways && is_asked(s, primitive->algorithms[a]); way++) {
            snprintf(full, sizeof full, "%s dtype=%s algorithm=%s %s", line,
                     tg_dtypes[(number + a + way) % dtypes]->name, primitive->algorithms[a]->name,
                     ways[way]);
            run_line(s, full, COLUMNS);
        }
    }
}

static void run_written(session *s)
{
    static model m;
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        char line[LINE_SIZE], word[MODEL_WORD];
        model_line(lines[i], s->size, line, sizeof line);
        model_operation(line, word);
        const tg_primitive *primitive = tg_primitive_find(word);
        if (primitive == NULL ||
            !model_read(line, primitive->two_layouts, primitive->window, primitive->sums, &m) ||
            model_highest_rank(&m) < s->size)
            run_variants(s, line, (int)i);
    }
}

/* Words for a primitive. One that the generator has no rule for gets the words of another's, as
 * often as needed: a new row of the library is drawn too, or the test fails. */
static bool draw_words(const session *s, random_source *source, const tg_primitive *primitive,
                       char line[LINE_SIZE])
{
    enum { TRIES = 1000 };
    for (int i = 0; i < TRIES; i++) {
        char text[256];
        if (random_problem(source, primitive->name, s->size, line))
            return true;
        test_case *c = malloc(sizeof *c);
        bool good = (strstr(line, " from=") != NULL) == primitive->two_layouts &&
                    (strstr(line, " kernel=") != NULL) == (primitive->window != NULL);
        if (good && case_words(line, s->rank, s->size, c, text)) {
            good = tg_layout_check(&c->problem.y, s->size).code == TG_OK; /* its window too */
            case_free(c);
        } else {
            good = false;
        }
        free(c);
        if (good)
            return true;
    }
    return false;
}

/* The primitives that have an algorithm to be run. */
static int find_primitives(const session *s, const tg_primitive *found[])
{
    int count = 0;
    for (int p = 0; tg_primitives[p] != NULL; p++)
        if (s->algorithm == NULL || tg_algorithm_find(tg_primitives[p], s->algorithm) != NULL)
            found[count++] = tg_primitives[p];
    return count;
}

static void append_partitions(random_source *source, char line[LINE_SIZE])
{
    const size_t used = strlen(line);
    snprintf(line + used, LINE_SIZE - used, " partitions=%ld", 1 + random_below(source, 9));
}

/* Everything is drawn from the library's lists: primitive, algorithm, element type. */
static void run_random(session *s, uint64_t seed, int count)
{
    random_source source = {seed * 1000 + (uint64_t)s->size};
    const tg_primitive *found[32];
    const int primitives = find_primitives(s, found);
    count = primitives > 0 ? count : 0;
    s->checked = 0;
    for (int i = 0; i < count && (s->random_only == NULL || s->failed_problems == 0); i++) {
        char line[LINE_SIZE], full[2 * LINE_SIZE];
        const tg_primitive *primitive = found[i % primitives];
        int algorithms = 0;
        while (primitive->algorithms[algorithms] != NULL)
            algorithms++;
        if (!draw_words(s, &source, primitive, line)) {
            s->failed_problems++;
            if (s->rank == 0)
                printf("FAILED no random words are a problem of %s\n", primitive->name);
            continue;
        }
        long way = random_below(&source, 3);
        random_stores(&source, way == 2, line);
        const char *dtype = tg_dtypes[random_below(&source, count_dtypes())]->name;
        const char *algorithm = primitive->algorithms[random_below(&source, algorithms)]->name;
        if (s->algorithm != NULL)
            algorithm = s->algorithm;
        if (strcmp(algorithm, "partitioned") == 0)
            append_partitions(&source, line);
        snprintf(full, sizeof full, "%s dtype=%s algorithm=%s in-place=%s accumulate=%s", line,
                 dtype, algorithm, way == 2 ? "yes" : "no", way == 1 ? "yes" : "no");
        if (s->show && s->rank == 0)
            printf("%s\n", full);
        run_line(s, full, COLUMNS / 2);
    }
    /* Few may be refused. */
    if (s->random_only == NULL && 4 * s->checked < 3 * count) {
        s->failed_problems++;
        if (s->rank == 0)
            printf("FAILED only %ld of %d random problems were checked\n", s->checked, count);
    }
}

/* Every algorithm of every primitive has had a problem, every element type its checks. */
static void check_coverage(session *s)
{
    for (int p = 0; tg_primitives[p] != NULL && p < 32; p++) {
        for (int a = 0; tg_primitives[p]->algorithms[a] != NULL && a < 16; a++) {
            if (s->runs[p][a] == 0) {
                s->failed_problems++;
                if (s->rank == 0) {
                    printf("FAILED no problem for %s algorithm=%s\n", tg_primitives[p]->name,
                           tg_primitives[p]->algorithms[a]->name);
                }
            }
        }
    }
    for (int i = 0; tg_dtypes[i] != NULL && i < 16; i++) {
        if (s->typed[i] == 0) {
            s->failed_problems++;
            if (s->rank == 0)
                printf("FAILED no checks of dtype=%s\n", tg_dtypes[i]->name);
        }
    }
}

/* Nodes of --node-size ranks: a broadcast of rank 0 goes as one message to each of the others. */
static void check_nodes(session *s)
{
    static test_case c;
    test_verdict mine = {.text = ""};
    char line[LINE_SIZE], text[256];
    tg_op *op = NULL;
    model_line("broadcast shape=13 from=1 to=Pc algorithm=node", s->size, line, sizeof line);
    bool good = case_make(line, s->rank, s->size, &c, text) &&
                tg_plan(s->comm, &c.problem, &op).code == TG_OK;
    long messages = good ? (long)tg_op_messages(op, false) : -1;
    long expected = s->rank == 0 ? (s->size - 1) / tg_node_size : 0;
    check_one(&mine, CHECK_VALUES, messages == expected, "%ld messages between nodes, not %ld",
              messages, expected);
    tg_free(&op);
    case_free(&c);
    if (check_failures(&mine) > 0) {
        s->failed_problems++;
        printf("FAILED rank %d: %s\n", s->rank, mine.text);
    }
}

/* The rows of element types say what they are. */
static void check_dtypes(session *s)
{
    test_verdict mine = {.text = ""};
    for (int i = 0; tg_dtypes[i] != NULL; i++) {
        const tg_dtype *dtype = tg_dtypes[i];
        double to[4] = {0}, from[4] = {0};
        int mpi_size = 0;
        MPI_Type_size(dtype->mpi(), &mpi_size);
        check_one(&mine, CHECK_VALUES, dtype->size <= sizeof *to && (size_t)mpi_size == dtype->size,
                  "size of %s", dtype->name);
        check_one(&mine, CHECK_VALUES, tg_dtype_find(dtype->name) == dtype, "%s is not found",
                  dtype->name);
        for (int n = 0; n < 4; n++) {
            dtype->put(to, n, n + 1.0);
            dtype->put(from, n, -10.0 * n);
        }
        dtype->add(to, from, 3);
        for (int n = 0; n < 4; n++) {
            check_one(&mine, CHECK_VALUES, dtype->get(to, n) == n + 1.0 - (n < 3 ? 10.0 * n : 0.0),
                      "%s: add of entry %d", dtype->name, n);
        }
    }
    check_one(&mine, CHECK_VALUES, tg_dtype_find("f31") == NULL, "f31 is a dtype");
    check_one(&mine, CHECK_VALUES, tg_primitive_find("brodcast") == NULL,
              "brodcast is a primitive");
    if (check_failures(&mine) > 0) {
        s->failed_problems++;
        printf("FAILED %s\n", mine.text);
    }
}

int main(int argc, char **argv)
{
    static session s;
    uint64_t seed = 20261123;
    int random_problems = getenv("TENSORGAUGE_TEST_ALL") ? MANY_PROBLEMS : FEW_PROBLEMS;
    const char *alone = NULL;
    MPI_Init(&argc, &argv);
    s.comm = MPI_COMM_WORLD;
    MPI_Comm_rank(s.comm, &s.rank);
    MPI_Comm_size(s.comm, &s.size);
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], "--seed") == 0 && i + 1 < argc)
            seed = strtoull(argv[++i], NULL, 10);
        else if (strcmp(argv[i], "--random") == 0 && i + 1 < argc)
            random_problems = (int)strtol(argv[++i], NULL, 10);
        else if (strcmp(argv[i], "--random-only") == 0 && i + 1 < argc)
            s.random_only = argv[++i];
        else if (strcmp(argv[i], "--algorithm") == 0 && i + 1 < argc)
            s.algorithm = argv[++i];
        else if (strcmp(argv[i], "--plant") == 0)
            s.plant = true;
        else if (strcmp(argv[i], "--show") == 0)
            s.show = true;
        else if (!case_limit(argc, argv, &i))
            alone = argv[i];
    double start = MPI_Wtime();
    if (alone != NULL) {
        run_line(&s, alone, COLUMNS);
    } else if (s.random_only != NULL) {
        run_random(&s, seed, random_problems);
    } else {
        check_dtypes(&s);
        if (tg_node_size < INT_MAX && tg_largest_count >= INT_MAX)
            check_nodes(&s);
        run_written(&s);
        run_random(&s, seed, random_problems);
        if (s.algorithm == NULL)
            check_coverage(&s);
    }
    long checks = check_count(&s.total), failures = check_failures(&s.total);
    if (s.rank == 0) {
        printf("%d ranks, seed %llu: %ld problems (%ld of %d random ones checked, %ld refused in "
               "place), %ld checks (",
               s.size, (unsigned long long)seed, s.problems, s.checked,
               alone != NULL ? 0 : random_problems, s.refused, checks);
        for (int kind = 0; kind < CHECK_KINDS; kind++)
            printf("%s%ld %s", kind > 0 ? ", " : "", s.total.done[kind], check_names[kind]);
        printf("), %ld failed in %ld problems, %.1f s\n", failures, s.failed_problems,
               MPI_Wtime() - start);
    }
    bool every_kind = true;
    for (int kind = 0; kind < CHECK_KINDS; kind++)
        every_kind =
            every_kind && (s.total.done[kind] > 0 || alone != NULL || s.random_only != NULL);
    MPI_Finalize();
    return checks > 0 && every_kind && failures == 0 && s.failed_problems == 0 ? 0 : 1;
}
