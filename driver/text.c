/* text.c: small helpers on text, memory and files. */
#include "driver/text.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static void *must(void *memory)
{
    if (!memory) {
        fputs("tensorgauge: no memory\n", stderr);
        exit(EXIT_FAILURE);
    }
    return memory;
}

char *tgd_format(const char *format, ...)
{
    va_list arguments;
    char *text = NULL;
    va_start(arguments, format);
    if (vasprintf(&text, format, arguments) < 0)
        text = NULL;
    va_end(arguments);
    return must(text);
}

char *tgd_copy(const char *text)
{
    return must(strdup(text));
}

void *tgd_resize(void *array, int count, size_t size)
{
    return must(realloc(array, (size_t)(count > 0 ? count : 1) * size));
}

void tgd_words_add(tgd_words *words, const char *word)
{
    words->word = tgd_resize(words->word, words->count + 1, sizeof *words->word);
    words->word[words->count++] = tgd_copy(word);
}

void tgd_words_split(tgd_words *words, const char *text)
{
    char *copy = tgd_copy(text), *rest = NULL;
    for (char *word = strtok_r(copy, " \t", &rest); word; word = strtok_r(NULL, " \t", &rest))
        tgd_words_add(words, word);
    free(copy);
}

bool tgd_words_have(const tgd_words *words, const char *word)
{
    for (int i = 0; i < words->count; i++)
        if (strcmp(words->word[i], word) == 0)
            return true;
    return false;
}

void tgd_words_free(tgd_words *words)
{
    for (int i = 0; i < words->count; i++)
        free(words->word[i]);
    free(words->word);
    *words = (tgd_words){NULL, 0};
}

char *tgd_read_file(const char *path)
{
    FILE *file = fopen(path, "r");
    if (!file)
        return NULL;
    char *text = NULL, block[4096];
    size_t size = 0, length;
    FILE *out = must(open_memstream(&text, &size));
    while ((length = fread(block, 1, sizeof block, file)) > 0)
        fwrite(block, 1, length, out);
    const bool bad = ferror(file) != 0; /* a folder opens, but cannot be read */
    fclose(file);
    if (fclose(out) != 0)
        must(NULL);
    if (bad) {
        free(text);
        return NULL;
    }
    return text;
}

tg_status tgd_write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    const bool written = file && fputs(text, file) >= 0;
    if ((file && fclose(file) != 0) || !written) {
        return tg_fail(TG_BAD_INPUT, "'%.150s': %s; expected a file that can be written", path,
                       strerror(errno));
    }
    return tg_success();
}

double tgd_now_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

char *tgd_utc(bool compact)
{
    const time_t now = time(NULL);
    struct tm parts;
    char text[32];
    gmtime_r(&now, &parts);
    strftime(text, sizeof text, compact ? "%Y%m%dT%H%M%SZ" : "%Y-%m-%dT%H:%M:%SZ", &parts);
    return tgd_copy(text);
}

int tgd_report(tg_status status)
{
    for (char *c = status.text; *c; c++) /* a user's word may hold a line end */
        if ((unsigned char)*c < ' ' || *c == 127)
            *c = '?';
    fprintf(stderr, "tensorgauge: %s\n", status.text);
    return 2;
}
