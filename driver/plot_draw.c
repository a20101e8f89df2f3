/* plot_draw.c: writes the files of figures and lets gnuplot draw them. */
#include "driver/plot_draw.h"

#include "driver/paths.h"
#include "driver/plot_write.h"
#include "driver/text.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

tg_status tgd_find_gnuplot(const char *verb, char **path)
{
    *path = tgd_find_program("gnuplot");
    return *path ? tg_success()
                 : tg_fail(TG_BAD_INPUT,
                           "%s: gnuplot is not installed; expected it in PATH (Debian: "
                           "gnuplot-nox and fonts-liberation)",
                           verb);
}

/* ---- one gnuplot ---- */

/* A gnuplot that draws. */
typedef struct {
    const char *name; /* of the figure */
    FILE *said;       /* what it says; NULL: it was not started */
    pid_t child;
} drawing;

static tg_status start_drawing(const tgd_easel *easel, const char *name, drawing *d)
{
    char *script = tgd_format("%s.gp", name);
    char *const words[] = {(char[]){"gnuplot"}, (char[]){"--default-settings"}, script, NULL};
    posix_spawn_file_actions_t actions;
    tg_status status = tg_success();
    *d = (drawing){.name = name, .said = tmpfile()};
    if (!d->said) {
        free(script);
        return tg_fail(TG_BAD_INPUT, "no temporary file can be made: %s", strerror(errno));
    }
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addchdir_np(&actions, easel->folder);
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, fileno(d->said), STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions, fileno(d->said), STDERR_FILENO);
    const int error = posix_spawn(&d->child, easel->gnuplot, &actions, NULL, words, environ);
    posix_spawn_file_actions_destroy(&actions);
    if (error != 0) {
        fclose(d->said);
        d->said = NULL;
        status = tg_fail(TG_BAD_INPUT, "%s cannot be started: %s", easel->gnuplot, strerror(error));
    }
    free(script);
    return status;
}

/* Waits for its end, and tells of the figure. */
static tg_status end_drawing(const tgd_easel *easel, drawing *d)
{
    int ended = 0;
    tg_status status = tg_success();
    while (waitpid(d->child, &ended, 0) < 0 && errno == EINTR) {
    }
    if (!(WIFEXITED(ended) && WEXITSTATUS(ended) == 0)) {
        char line[120] = "";
        rewind(d->said);
        while (fgets(line, sizeof line, d->said) && strspn(line, " \t\r\n") == strlen(line)) {
        }
        line[strcspn(line, "\r\n")] = '\0';
        status = tg_fail(TG_BAD_INPUT,
                         "gnuplot could not draw %.60s: '%s'; expected gnuplot 5.4 with pdfcairo, "
                         "svg and pngcairo",
                         d->name, line);
    } else if (easel->told) {
        fprintf(easel->told, "%s/%s.pdf\n", easel->folder, d->name);
        fflush(easel->told);
    }
    fclose(d->said);
    return status;
}

tg_status tgd_gnuplot_draw(const tgd_easel *easel, const char *name)
{
    drawing d;
    const tg_status status = start_drawing(easel, name, &d);
    return status.code == TG_OK ? end_drawing(easel, &d) : status;
}

/* ---- figures ---- */

enum { MOST_DRAWINGS = 8 };

static int count_drawings(void)
{
    const long cores = sysconf(_SC_NPROCESSORS_ONLN);
    return cores < 1 ? 1 : cores > MOST_DRAWINGS ? MOST_DRAWINGS : (int)cores;
}

/* As many gnuplots at once as there are cores; they are waited for in the order of the figures. */
static tg_status draw_all(const tgd_figures *figures, const tgd_easel *easel)
{
    drawing at[MOST_DRAWINGS];
    const int most = count_drawings();
    int begun = 0, ended = 0;
    tg_status status = tg_success();
    while (ended < begun || (begun < figures->count && status.code == TG_OK)) {
        if (begun < figures->count && begun - ended < most && status.code == TG_OK) {
            status = start_drawing(easel, figures->at[begun].name, &at[begun % most]);
            begun += status.code == TG_OK;
        } else {
            const tg_status one = end_drawing(easel, &at[ended++ % most]);
            status = status.code == TG_OK ? one : status;
        }
    }
    return status;
}

tg_status tgd_figures_draw(const tgd_figures *figures, const tgd_points *points,
                           const tgd_easel *easel)
{
    char *data = tgd_data_folder(), *plots = tgd_format("%s/plots", data);
    tg_status status = tg_success();
    for (int pass = 0; pass < 2 && status.code == TG_OK;
         pass++) { /* first see that all scripts are there */
        for (int i = 0; i < figures->count && status.code == TG_OK; i++) {
            tgd_scripts scripts;
            status = tgd_scripts_read(plots, figures->at[i].kind->script, &scripts);
            scripts.paper = easel->paper ? easel->paper : scripts.paper;
            scripts.latex = easel->latex;
            if (status.code == TG_OK && pass == 1)
                status = i == 0 ? tgd_make_folders(easel->folder) : status;
            if (status.code == TG_OK && pass == 1)
                status = tgd_figure_write(&figures->at[i], points, &scripts, easel->folder);
            tgd_scripts_free(&scripts);
        }
    }
    if (status.code == TG_OK)
        status = draw_all(figures, easel);
    free(plots);
    free(data);
    return status;
}
