/* heat.c: the files of a figure of links, in the look of all figures (plots/style.gp). Numbers only
 * come from the run, and its shape reduced to digits and x. */
#include "driver/heat.h"

#include "driver/links.h"
#include "driver/paths.h"
#include "driver/peers.h"
#include "driver/plot_draw.h"
#include "driver/plot_write.h"
#include "driver/text.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    const tgd_links *links;
    double median_us[2]; /* of links within machines, between machines */
    double most;         /* the largest ratio, 1.2 at least */
    char *name, *shape;
} heat;

/* ---- what is drawn ---- */

/* Links within machines, or those between them, whose times are not to be mixed. */
static double median_of_kind(const tgd_links *links, bool apart)
{
    tgd_times kind = {tgd_resize(NULL, links->count, sizeof(double)), 0, links->count};
    for (int i = 0; i < links->count; i++)
        if (links->link[i].apart == apart)
            kind.us[kind.count++] = links->link[i].us;
    const double median = tgd_times_median(&kind);
    free(kind.us);
    return median;
}

static double ratio_of(const heat *h, const tgd_link *link)
{
    return link->us / h->median_us[link->apart];
}

static heat make_heat(const tgd_links *links)
{
    heat h = {.links = links, .most = 1.2, .shape = tgd_row_word(links->group->row, "shape")};
    for (int apart = 0; apart < 2; apart++)
        h.median_us[apart] = median_of_kind(links, apart);
    for (int i = 0; i < links->count; i++)
        h.most = fmax(h.most, ratio_of(&h, &links->link[i]));
    h.shape = h.shape ? h.shape : tgd_copy("");
    for (char *c = h.shape; *c; c++)
        *c = (*c >= '0' && *c <= '9') || *c == 'x' ? *c : '-';
    h.name = tgd_format("pairs_%.40s_%dranks", h.shape, links->group->row->ranks);
    return h;
}

static void free_heat(heat *h)
{
    free(h->name);
    free(h->shape);
}

/* ---- files ---- */

static void put_data(FILE *file, const heat *h, const tgd_scripts *scripts)
{
    (void)scripts;
    fputs("a,b,apart,time_us,ratio\n", file);
    for (int i = 0; i < h->links->count; i++) {
        const tgd_link *link = &h->links->link[i];
        fprintf(file, "%d,%d,%d,%.12g,%.6g\n", link->a, link->b, link->apart, link->us,
                ratio_of(h, link));
    }
}

/* The head says what style.gp asks for: one series, no names above the plot. */
static void put_gp(FILE *file, const heat *h, const tgd_scripts *scripts)
{
    const int ranks = h->links->group->row->ranks;
    fprintf(file,
            "# %s.gp: made by tensorgauge accept. To draw it again: gnuplot %s.gp\n"
            "name = '%s'\nranks = %d\nevery = %d\nmost = %.4g\n"
            "series = 1\narray label[1] = ['']\narray look[1] = [1]\narray shape[1] = [1]\n"
            "array raw[1] = [0]\narray bounded[1] = [0]\narray shift[1] = [0]\n"
            "bounds = 0\nhollow = 0\nkey_columns = 1\nkey_rows = 0\nheight_cm = 7.05\n"
            "x_min = 1\nx_max = 2\ny_unit = 1\nx_label = 'rank'\ny_label = 'rank'\n%s%s%s",
            h->name, h->name, h->name, ranks, (ranks + 7) / 8, h->most, scripts->style,
            scripts->script, scripts->write);
}

static void put_caption(FILE *file, const heat *h, const tgd_scripts *scripts)
{
    (void)scripts;
    fprintf(
        file,
        "Links between %d ranks: a message of shape %s there and back, each two ranks in one of "
        "the rounds in which all others are busy too.\n"
        "Colour: the time of a link over the median of its kind: within a machine, or between "
        "two.\nValue of a link: the median over all repetitions and launches of the slower "
        "end.\nWhite: not measured (a rank with itself; rounds that were left out).\n",
        h->links->group->row->ranks, h->shape);
    for (int apart = 0; apart < 2; apart++)
        if (h->median_us[apart] > 0)
            fprintf(file, "Median %s: %.4g us.\n", apart ? "between machines" : "within machines",
                    h->median_us[apart]);
}

static const struct {
    const char *ending;
    void (*put)(FILE *file, const heat *h, const tgd_scripts *scripts);
} files[] = {{"csv", put_data}, {"gp", put_gp}, {"txt", put_caption}};

static tg_status write_files(const heat *h, const tgd_scripts *scripts, const char *folder)
{
    tg_status status = tg_success();
    for (size_t i = 0; i < sizeof files / sizeof *files && status.code == TG_OK; i++) {
        char *path = tgd_format("%s/%s.%s", folder, h->name, files[i].ending);
        FILE *file = fopen(path, "w");
        bool written = file != NULL;
        if (file) {
            files[i].put(file, h, scripts);
            written = !ferror(file);
            written = fclose(file) == 0 && written;
        }
        if (!written)
            status = tg_fail(TG_BAD_INPUT, "'%.150s' cannot be written: %s", path, strerror(errno));
        free(path);
    }
    return status;
}

static tg_status draw_one(const heat *h, const char *gnuplot, const char *folder)
{
    char *data = tgd_data_folder(), *plots = tgd_format("%s/plots", data);
    tgd_scripts scripts;
    tg_status status = tgd_scripts_read(plots, "heat", &scripts);
    if (status.code == TG_OK)
        status = tgd_make_folders(folder);
    if (status.code == TG_OK)
        status = write_files(h, &scripts, folder);
    const tgd_easel easel = {.gnuplot = gnuplot, .folder = folder, .told = stdout};
    if (status.code == TG_OK)
        status = tgd_gnuplot_draw(&easel, h->name);
    tgd_scripts_free(&scripts);
    free(plots);
    free(data);
    return status;
}

tg_status tgd_heat_draw(const tgd_measured *e)
{
    int count;
    tgd_links *all = tgd_links_make(e, &count);
    char *folder = tgd_format("%s/figures", e->folder), *gnuplot = tgd_find_program("gnuplot");
    tg_status status = tg_success();
    for (int i = 0; gnuplot && i < count && status.code == TG_OK; i++) {
        heat h = make_heat(&all[i]);
        if (all[i].count >= TGD_LEAST_PEERS)
            status = draw_one(&h, gnuplot, folder);
        free_heat(&h);
    }
    tgd_links_free(all, count);
    free(folder);
    free(gnuplot);
    return status;
}
