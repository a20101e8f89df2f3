/* training_csv.c: step,epoch,loss,images_per_s,test_accuracy: a step has no accuracy, an epoch
 * nothing else. */
#include "bench/training_csv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH_TEXT = 4096, ROW = 256 };

static const char header[] = "step,epoch,loss,images_per_s,test_accuracy\n";

static tg_status refuse(const char *path, const char *expected)
{
    return tg_fail(TG_BAD_INPUT, "%.120s: %s; expected %s", path, strerror(errno), expected);
}

/* The rows up to a step into a file of their own, which then takes the place of the old one: its
 * later rows are made again. */
static tg_status cut_behind(const char *path, long step)
{
    char fresh[PATH_TEXT + 4], row[ROW];
    FILE *old = fopen(path, "r");
    if (!old)
        return errno == ENOENT ? tg_success() : refuse(path, "a file that can be read");
    tg_status status = tg_success();
    if (!fgets(row, sizeof row, old) || strcmp(row, header) != 0)
        status = tg_fail(TG_BAD_INPUT, "%.120s: expected the header %.60s", path, header);
    snprintf(fresh, sizeof fresh, "%s.new", path);
    FILE *new = status.code == TG_OK ? fopen(fresh, "w") : NULL;
    if (new) {
        fputs(header, new);
        while (fgets(row, sizeof row, old))
            if (strchr(row, '\n') && strtol(row, NULL, 10) <= step)
                fputs(row, new);
        const bool good = !ferror(new);
        if (fclose(new) != 0 || !good || rename(fresh, path) != 0)
            status = refuse(path, "a file that can be written");
    } else if (status.code == TG_OK) {
        status = refuse(fresh, "a file that can be written");
    }
    fclose(old);
    return status;
}

tg_status tgb_training_csv_open(const char *folder, long step, FILE **csv)
{
    char path[PATH_TEXT];
    *csv = NULL;
    if (mkdir(folder, 0777) != 0 && errno != EEXIST)
        return refuse(folder, "a folder that can be made");
    if (snprintf(path, sizeof path, "%s/training.csv", folder) >= (int)sizeof path)
        return tg_fail(TG_BAD_INPUT, "--output %.40s...: expected a shorter path", folder);
    tg_status status = step >= 0 ? cut_behind(path, step) : tg_success();
    if (status.code != TG_OK)
        return status;
    const bool is_new = access(path, F_OK) != 0;
    *csv = fopen(path, step >= 0 ? "a" : "wx"); /* never over an older one */
    if (!*csv)
        return refuse(path, "a new file");
    if (is_new)
        fputs(header, *csv);
    return status;
}

void tgb_training_csv_step(FILE *csv, long step, long epoch, double loss, double images_per_s)
{
    if (csv)
        fprintf(csv, "%ld,%ld,%.9g,%.1f,\n", step, epoch, loss, images_per_s);
}

void tgb_training_csv_epoch(FILE *csv, long step, long epoch, double test_accuracy)
{
    if (csv)
        fprintf(csv, "%ld,%ld,,,%.6f\n", step, epoch, test_accuracy);
}

static tg_status verdict(bool good)
{
    return good ? tg_success()
                : tg_fail(TG_BAD_INPUT, "training.csv: %s; expected it to be written",
                          strerror(errno));
}

tg_status tgb_training_csv_flush(FILE *csv)
{
    return verdict(!csv || (fflush(csv) == 0 && fsync(fileno(csv)) == 0));
}

tg_status tgb_training_csv_close(FILE *csv)
{
    return verdict(!csv || fclose(csv) == 0);
}
