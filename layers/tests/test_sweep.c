/* test_sweep.c: what oneDNN computes, for all counts of channels around its blocks of 8 and 16: y, dx
 * and gradients of convolutions, and of affine layers, against the formula, entry by entry.
 *
 * Each two counts once, windows, groups and stores in turn; with TENSORGAUGE_TEST_ALL=1 each two with
 * all windows and groups. Exit status 77 in a build without oneDNN. */
#include "layers/kernel.h"
#include "layers/tests/cases.h"

enum { MOST = 17, MOST_GROUPS = 3, SKIPPED = 77, TEXT = 512 };

/* Kernels of oneDNN differ for windows of one entry, strides, dilations, axes of space, and by how many
 * entries of a row they compute at once. */
static const char *const windows[] = {
    "space=5x7 kernel=3x3 padding=1x1",
    "space=4x5 kernel=3x3",
    "space=4x3 kernel=1x1",
    "space=5x7 kernel=3x2 stride=2x3 padding=1x1",
    "space=7x8 kernel=3x3 dilation=2x3 padding=2x1",
    "space=5x4 kernel=1x1 stride=2x2",
    "space=7x6 kernel=5x5 stride=2x1 padding=2x2",
    "space=9 kernel=4 padding=3",
    "space=3x4x3 kernel=2x3x3 stride=1x2x1 padding=0x1x1",
    "space=3x5 kernel=3x3 stride=1x3 padding=2x2",
    "space=2x33 kernel=3x3 padding=1x1",
};
static const char *const stores[] = {"row", "nchw8c", "nchw16c"};

enum {
    WINDOWS = sizeof windows / sizeof *windows,
    STORES = sizeof stores / sizeof *stores,
    VARIANTS = WINDOWS * MOST_GROUPS
};

static void check_one(const char *text)
{
    setup s;
    if (begin(&s, text, 1, 0)) {
        check_values(&s);
        check_adjoint(&s);
    }
    end(&s);
}

static void check_convolution(int in, int out, int variant, int store_pair)
{
    char text[TEXT];
    const int groups = 1 + variant / WINDOWS;
    snprintf(text, sizeof text,
             "convolution batch=2 channels=%d:%d %s groups=%d bias=%s store-x=%s store-y=%s "
             "kernels=onednn",
             in * groups, out * groups, windows[variant % WINDOWS], groups, in % 2 ? "yes" : "no",
             stores[store_pair % STORES], stores[store_pair / STORES]);
    check_one(text);
}

static void check_affine(int in, int out, int batch)
{
    char text[TEXT];
    snprintf(text, sizeof text, "affine batch=%d features=%d:%d bias=%s kernels=onednn", batch, in,
             out, out % 2 ? "yes" : "no");
    check_one(text);
}

/* The case that oneDNN 3.7.2 was first seen to spoil: 933 wrong of the 936 entries of dx and the 140 of
 * dw and db (onednn_places.c). */
static void check_seen(void)
{
    check_one("convolution batch=2 channels=3:5 space=12x13 kernel=3x3 padding=1x1 kernels=onednn");
}

int main(int argc, char **argv)
{
    int P, rank;
    const char *all = getenv("TENSORGAUGE_TEST_ALL");
    harness_begin(&argc, &argv, &P, &rank);
    if (tgl_conv_known("onednn").code != TG_OK) {
        printf("skipped: a build without oneDNN\n");
        MPI_Finalize();
        return SKIPPED;
    }
    printf("%s\n", tgl_kernels_library());
    check_seen();
    const int each = all && strcmp(all, "1") == 0 ? VARIANTS : 1;
    int pair = 0;
    for (int in = 1; in <= MOST; in++)
        for (int out = 1; out <= MOST; out++, pair++) {
            /* 7 and VARIANTS have no common divisor, so that all of them come in turn */
            for (int i = 0; i < each; i++) {
                const int variant = (7 * pair + i) % VARIANTS;
                check_convolution(in, out, variant, (variant + pair) % (STORES * STORES));
            }
            check_affine(in, out, 1 + (in + out) % MOST);
        }
    return harness_end();
}
