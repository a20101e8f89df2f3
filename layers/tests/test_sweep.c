/* test_sweep.c: what oneDNN computes, for all counts of channels around its blocks of 8 and 16: y, dx
 * and gradients of convolutions, and of affine layers, against the formula, entry by entry.
 *
 * Each count of inputs and outputs once, windows, groups and stores in turn; with
 * TENSORGAUGE_TEST_ALL=1 all of them together. Exit status 77 in a build without oneDNN. */
#include "layers/kernel.h"
#include "layers/tests/cases.h"

enum { MOST = 17, MOST_GROUPS = 3, SKIPPED = 77, TEXT = 512 };

/* Kernels of oneDNN differ for windows of one entry, strides, dilations, and axes of space. */
static const char *const windows[] = {
    "space=12x13 kernel=3x3 padding=1x1",
    "space=7x6 kernel=3x3",
    "space=6x5 kernel=1x1",
    "space=9x7 kernel=3x2 stride=2x3 padding=1x1",
    "space=11x8 kernel=3x3 dilation=2x3 padding=2x1",
    "space=7x8 kernel=1x1 stride=2x2",
    "space=13x12 kernel=5x5 stride=2x1 padding=2x2",
    "space=15 kernel=4 padding=3",
    "space=5x4x6 kernel=2x3x3 stride=1x2x1 padding=0x1x1",
    "space=3x9 kernel=3x3 padding=2x2 dilation=1x2 stride=1x3",
};
static const char *const stores[] = {"row", "nchw8c", "nchw16c"};

enum {
    WINDOWS = sizeof windows / sizeof *windows,
    STORES = sizeof stores / sizeof *stores,
    VARIANTS = WINDOWS * MOST_GROUPS * STORES * STORES
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

static void check_convolution(int in, int out, int variant)
{
    char text[TEXT];
    const int window = variant % WINDOWS, groups = 1 + variant / WINDOWS % MOST_GROUPS,
              store_pair = variant / WINDOWS / MOST_GROUPS;
    snprintf(text, sizeof text,
             "convolution batch=2 channels=%d:%d %s groups=%d bias=%s store-x=%s store-y=%s "
             "kernels=onednn",
             in * groups, out * groups, windows[window], groups, in % 2 ? "yes" : "no",
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

/* The case that oneDNN 3.7.2 was seen to compute wrongly: 933 of 936 entries of dx. */
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
    int turn = 0;
    for (int in = 1; in <= MOST; in++)
        for (int out = 1; out <= MOST; out++) {
            /* 7 and the number of variants have no common divisor: they all come in turn */
            for (int i = 0; i < each; i++)
                check_convolution(in, out, 7 * turn++ % VARIANTS);
            check_affine(in, out, 1 + (in + out) % MOST);
        }
    return harness_end();
}
