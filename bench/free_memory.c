/* free_memory.c: the least of what the machine and the memory limits of control groups leave free.
 *
 * Both versions of control groups are looked at, as a system may mount both. A process is in one group
 * of each hierarchy; that group and all above it, as far as they are mounted, may have limits. What a
 * group leaves is limit - usage + reclaimable, where reclaimable is the part of its page cache that
 * the kernel drops first (inactive files). */
#include "bench/free_memory.h"

#include "bench/proc.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LIMITS = 2 }; /* at most, of one group */

/* A hierarchy of groups, and its files. */
typedef struct {
    const char *filesystem;
    const char
        *controller;       /* that marks the hierarchy; "": the one without a list of controllers */
    const char *limits[2]; /* above which allocation fails, or the kernel slows a process down */
    const char *usage;
    const char *reclaimable; /* the line of memory.stat, sums over groups within */
} hierarchy;

static const hierarchy hierarchies[] = {
    {"cgroup2", "", {"memory.max", "memory.high"}, "memory.current", "inactive_file "},
    {"cgroup",
     "memory",
     {"memory.limit_in_bytes"},
     "memory.usage_in_bytes",
     "total_inactive_file "},
};

/* Version 1 writes a number near 2^63 where there is no limit, version 2 a word. */
static const double NO_LIMIT_BYTES = 0x1p62;

/* Is the word in a list with commas? The list without words has the word "". */
static bool is_listed(const char *list, const char *word)
{
    const size_t length = strlen(word);
    for (const char *at = list; at; at = strchr(at, ',')) {
        at += *at == ',';
        if (strncmp(at, word, length) == 0 && (at[length] == ',' || at[length] == '\0'))
            return true;
    }
    return false;
}

/* The next line of a file without its end; NULL: no more. *line is the caller's to free. */
static char *next_line(FILE *file, char **line, size_t *size)
{
    const ssize_t length = getline(line, size, file);
    if (length <= 0)
        return NULL;
    if ((*line)[length - 1] == '\n')
        (*line)[length - 1] = '\0';
    return *line;
}

static FILE *open_in(const char *root, const char *path)
{
    char all[PATH_MAX];
    return snprintf(all, sizeof all, "%s%s", root, path) < (int)sizeof all ? fopen(all, "r") : NULL;
}

/* This process's group: a line of the file is NUMBER:CONTROLLERS:GROUP. */
static bool find_group(const char *root, const hierarchy *h, char group[PATH_MAX])
{
    char *line = NULL;
    size_t size = 0;
    bool found = false;
    FILE *file = open_in(root, "/proc/self/cgroup");
    while (file && !found && next_line(file, &line, &size)) {
        char *list = strchr(line, ':'), *path = list ? strchr(list + 1, ':') : NULL;
        if (!path)
            continue;
        *path++ = '\0';
        found =
            is_listed(list + 1, h->controller) && snprintf(group, PATH_MAX, "%s", path) < PATH_MAX;
    }
    free(line);
    if (file)
        fclose(file);
    return found;
}

/* A mount: the group that is mounted, and where. */
typedef struct {
    char *group, *folder;
} mount;

/* A blank and other special bytes stand as \ and three octal digits. */
static void unescape(char *text)
{
    char *to = text;
    for (const char *at = text; *at; to++) {
        int byte = 0;
        const bool special = *at == '\\' && strspn(at + 1, "01234567") >= 3;
        for (int i = 1; special && i <= 3; i++)
            byte = 8 * byte + (at[i] - '0');
        *to = special ? (char)byte : *at;
        at += special ? 4 : 1;
    }
    *to = '\0';
}

/* A line is ID PARENT DEVICE GROUP FOLDER OPTIONS {MORE} - FILESYSTEM SOURCE OPTIONS. */
static bool is_mount_of(const hierarchy *h, char *line, mount *m)
{
    enum { GROUP = 3, FOLDER = 4 };
    char *rest = strstr(line, " - "), *words[FOLDER + 1], *state;
    if (!rest)
        return false;
    *rest = '\0';
    rest += strlen(" - ");
    for (int i = 0; i <= FOLDER; i++)
        if (!(words[i] = strtok_r(i == 0 ? line : NULL, " ", &state)))
            return false;
    *m = (mount){words[GROUP], words[FOLDER]};
    unescape(m->group);
    unescape(m->folder);
    const char *filesystem = strtok_r(rest, " ", &state);
    strtok_r(NULL, " ", &state);
    const char *options = strtok_r(NULL, " ", &state);
    return filesystem && strcmp(filesystem, h->filesystem) == 0 &&
           (*h->controller == '\0' || (options && is_listed(options, h->controller)));
}

/* What is left of the path of a group below another one; NULL: it is not below it. Groups outside of
 * what a namespace shows have paths that begin with "/..". */
static const char *below(const char *group, const char *above)
{
    const size_t length = strcmp(above, "/") == 0 ? 0 : strlen(above);
    if (strncmp(group, "/..", 3) == 0 || strncmp(group, above, length) != 0 ||
        (group[length] != '/' && group[length] != '\0'))
        return NULL;
    return strcmp(group + length, "/") == 0 ? group + length + 1 : group + length;
}

/* The folder of a group, and in *top the length of the path of the uppermost folder that is mounted. A
 * container may see a mount that does not name its group: what is mounted stands for it. */
static bool find_folder(const char *root, const hierarchy *h, const char *group,
                        char folder[PATH_MAX], size_t *top)
{
    char *line = NULL;
    size_t size = 0;
    bool found = false, fits = false;
    FILE *file = open_in(root, "/proc/self/mountinfo");
    while (file && !fits && next_line(file, &line, &size)) {
        mount m;
        if (!is_mount_of(h, line, &m))
            continue;
        const char *rest = below(group, m.group);
        fits = rest != NULL;
        if (found && !fits)
            continue;
        *top = strlen(root) + strlen(m.folder);
        found = snprintf(folder, PATH_MAX, "%s%s%s", root, m.folder, fits ? rest : "") < PATH_MAX;
    }
    free(line);
    if (file)
        fclose(file);
    return found;
}

static double number_in(const char *folder, const char *name, const char *words)
{
    char path[PATH_MAX];
    return snprintf(path, sizeof path, "%s/%s", folder, name) < (int)sizeof path
               ? tgb_proc_number(path, words, 0)
               : 0;
}

/* What one group leaves. */
static void take_group(const hierarchy *h, const char *folder, double *free_bytes,
                       double *limit_bytes)
{
    const double kept =
        number_in(folder, h->usage, "") - number_in(folder, "memory.stat", h->reclaimable);
    const double used = kept > 0 ? kept : 0; /* the two are not read at the same moment */
    for (int i = 0; i < LIMITS && h->limits[i]; i++) {
        const double limit = number_in(folder, h->limits[i], "");
        if (limit <= 0 || limit >= NO_LIMIT_BYTES)
            continue;
        const double left = limit - used > 1 ? limit - used : 1; /* 0 stands for not known */
        if (*limit_bytes <= 0 || limit < *limit_bytes)
            *limit_bytes = limit;
        if (*free_bytes <= 0 || left < *free_bytes)
            *free_bytes = left;
    }
}

tgb_free_memory tgb_free_memory_read(const char *root)
{
    char group[PATH_MAX], folder[PATH_MAX];
    double free_bytes = 0;
    size_t top = 0;
    tgb_free_memory m = {.free_bytes = number_in(root, "proc/meminfo", "MemAvailable:") * 1024};
    for (size_t i = 0; i < sizeof hierarchies / sizeof *hierarchies; i++) {
        const hierarchy *h = &hierarchies[i];
        if (!find_group(root, h, group) || !find_folder(root, h, group, folder, &top))
            continue;
        take_group(h, folder, &free_bytes, &m.limit_bytes);
        while (strlen(folder) > top) {
            *strrchr(folder, '/') = '\0';
            take_group(h, folder, &free_bytes, &m.limit_bytes);
        }
    }
    m.by_group = free_bytes > 0 && (m.free_bytes <= 0 || free_bytes < m.free_bytes);
    if (m.by_group)
        m.free_bytes = free_bytes;
    return m;
}
