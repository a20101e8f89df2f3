/* report_figures.c: the figures of a report. Each SVG stands in the page as a data: URI of an <img>: HTML lets
 * an image run no script, load nothing and follow no link, whatever the file holds, and its ids are its own.
 * Taking parts out of a foreign file could promise less. */
#include "driver/report_write.h"

#include "driver/markup.h"
#include "driver/text.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_FIGURES = 40, MOST_BYTES = 4 << 20 };

static int is_svg(const struct dirent *entry)
{
    const char *end = strrchr(entry->d_name, '.');
    return end && strcmp(end, ".svg") == 0 && *entry->d_name != '.';
}

static void put_figure(const char *folder, const char *file, FILE *out)
{
    const int length = (int)strlen(file) - 4;
    char *path = tgd_format("%s/%s", folder, file), *svg = tgd_read_file(path);
    char *words = tgd_format("%s/%.*s.txt", folder, length, file), *caption = tgd_read_file(words);
    char *name = tgd_format("%.*s", length, file);
    fputs("<figure>\n", out);
    if (svg && *svg && strlen(svg) <= MOST_BYTES) {
        fputs("<img alt=\"Figure ", out);
        tgd_html_text(out, name);
        fputs("; what it shows stands below it\" src=\"data:image/svg+xml;base64,", out);
        tgd_put_base64(out, svg, strlen(svg));
        fputs("\">\n", out);
    } else {
        fputs("<p>This figure cannot be read, or is too large for a page.</p>\n", out);
    }
    fputs("<figcaption><strong>", out);
    tgd_html_text(out, name);
    fputs("</strong>\n", out);
    char *rest = caption;
    for (char *line = strsep(&rest, "\n"); line; line = strsep(&rest, "\n")) {
        tgd_html_text(out, line);
        fputs(rest ? "\n" : "", out);
    }
    fputs("</figcaption>\n</figure>\n", out);
    free(name);
    free(caption);
    free(words);
    free(svg);
    free(path);
}

static void put_gallery(const tgd_gallery *gallery, FILE *out)
{
    struct dirent **entry = NULL;
    const int found = scandir(gallery->folder, &entry, is_svg, alphasort),
              count = found > 0 ? found : 0;
    if (gallery->trouble) {
        fputs("<p>Figures are missing: ", out);
        tgd_html_text(out, gallery->trouble);
        fputs(".</p>\n", out);
    } else if (count == 0) {
        fputs("<p>There are none.</p>\n", out);
    }
    fputs(count > 0 ? "<div class=\"figures\">\n" : "", out);
    for (int i = 0; i < count; i++) {
        if (i < MOST_FIGURES)
            put_figure(gallery->folder, entry[i]->d_name, out);
        free(entry[i]);
    }
    fputs(count > 0 ? "</div>\n" : "", out);
    tgd_html_more(out, MOST_FIGURES, count, "the folder figures of the run");
    free(entry);
}

void tgd_report_figures(const tgd_report_data *data, FILE *out)
{
    for (int i = 0; i < data->galleries; i++) {
        if (data->galleries > 1) {
            fputs("<h3>Of ", out);
            tgd_html_text(out, data->gallery[i].of);
            fputs("</h3>\n", out);
        }
        put_gallery(&data->gallery[i], out);
    }
}
