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

tg_status tgd_gnuplot_draw(const char *gnuplot, const char *folder, const char *name)
{
    char *script = tgd_format("%s.gp", name);
    char *const words[] = {(char[]){"gnuplot"}, (char[]){"--default-settings"}, script, NULL};
    FILE *said = tmpfile();
    posix_spawn_file_actions_t actions;
    pid_t child = 0;
    int ended = 0;
    if (!said) {
        free(script);
        return tg_fail(TG_BAD_INPUT, "no temporary file can be made: %s", strerror(errno));
    }
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addchdir_np(&actions, folder);
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, fileno(said), STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions, fileno(said), STDERR_FILENO);
    const int error = posix_spawn(&child, gnuplot, &actions, NULL, words, environ);
    posix_spawn_file_actions_destroy(&actions);
    tg_status status = tg_success();
    if (error != 0) {
        status = tg_fail(TG_BAD_INPUT, "%s cannot be started: %s", gnuplot, strerror(error));
    } else {
        while (waitpid(child, &ended, 0) < 0 && errno == EINTR) {
        }
    }
    if (status.code == TG_OK && !(WIFEXITED(ended) && WEXITSTATUS(ended) == 0)) {
        char line[120] = "";
        rewind(said);
        while (fgets(line, sizeof line, said) && strspn(line, " \t\r\n") == strlen(line)) {
        }
        line[strcspn(line, "\r\n")] = '\0';
        status = tg_fail(TG_BAD_INPUT,
                         "gnuplot could not draw %.60s: '%s'; expected gnuplot 5.4 with pdfcairo, "
                         "svg and pngcairo",
                         name, line);
    }
    fclose(said);
    free(script);
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
            const tgd_figure *figure = &figures->at[i];
            tgd_scripts scripts;
            status = tgd_scripts_read(plots, figure->kind->script, &scripts);
            scripts.paper = easel->paper ? easel->paper : scripts.paper;
            scripts.latex = easel->latex;
            if (status.code == TG_OK && pass == 1) {
                status = i == 0 ? tgd_make_folders(easel->folder) : status;
                if (status.code == TG_OK)
                    status = tgd_figure_write(figure, points, &scripts, easel->folder);
                if (status.code == TG_OK)
                    status = tgd_gnuplot_draw(easel->gnuplot, easel->folder, figure->name);
                if (status.code == TG_OK && easel->told) {
                    fprintf(easel->told, "%s/%s.pdf\n", easel->folder, figure->name);
                    fflush(easel->told);
                }
            }
            tgd_scripts_free(&scripts);
        }
    }
    free(plots);
    free(data);
    return status;
}
