/* words.c: numbers, sizes, times and comma lists as users write them.
 * KiB MiB GiB are powers of 1024, KB MB GB of 1000. A number has a dot in any locale. */
#include "bench/case.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_ITEMS = 100000 };

typedef struct {
    const char *name;
    ptrdiff_t bytes;
} size_unit;

static const size_unit size_units[] = {
    {"", 1},
    {"B", 1},
    {"KiB", 1024},
    {"MiB", 1024 * 1024},
    {"KB", 1000},
    {"MB", 1000000},
    {"GiB", 1024 * 1024 * 1024},
    {"GB", 1000000000},
};

typedef struct {
    const char *name;
    double seconds;
} time_unit;

static const time_unit time_units[] = {
    {"us", 1e-6}, {"ms", 1e-3}, {"s", 1}, {"min", 60}, {"h", 3600},
};

#define COUNT_OF(array) ((int)(sizeof(array) / sizeof *(array)))

/* Reads digits at *text, moves *text behind them; false without a digit or above PTRDIFF_MAX. */
static bool read_whole(const char **text, ptrdiff_t *value)
{
    const char *c = *text;
    ptrdiff_t sum = 0;
    for (; *c >= '0' && *c <= '9'; c++) {
        const int digit = *c - '0';
        if (sum > (PTRDIFF_MAX - digit) / 10)
            return false;
        sum = 10 * sum + digit;
    }
    const bool found = c != *text;
    *text = c;
    *value = sum;
    return found;
}

/* Reads digits [ "." digits ] at *text; no sign, no exponent, never the locale's decimal point. */
static bool read_decimal(const char **text, double *value)
{
    ptrdiff_t whole;
    if (!read_whole(text, &whole))
        return false;
    *value = (double)whole;
    if (**text != '.')
        return true;
    const char *start = ++*text;
    double scale = 0.1;
    for (; **text >= '0' && **text <= '9'; ++*text, scale /= 10)
        *value += scale * (**text - '0');
    return *text != start;
}

static bool read_size(const char *text, ptrdiff_t *bytes)
{
    ptrdiff_t number;
    if (!read_whole(&text, &number))
        return false;
    for (int i = 0; i < COUNT_OF(size_units); i++) {
        if (strcmp(text, size_units[i].name) == 0) {
            if (number > PTRDIFF_MAX / size_units[i].bytes)
                return false;
            *bytes = number * size_units[i].bytes;
            return true;
        }
    }
    return false;
}

tg_status tgb_parse_size(const char *what, const char *text, ptrdiff_t *bytes)
{
    if (!read_size(text, bytes)) {
        return tg_fail(TG_BAD_INPUT,
                       "%s '%.60s' is not a size; expected a whole number with B, KiB, MiB, GiB, "
                       "KB, MB or GB, such as 64KiB",
                       what, text);
    }
    return tg_success();
}

tg_status tgb_parse_seconds(const char *what, const char *text, double *seconds)
{
    const char *end = text;
    double number = 0;
    if (read_decimal(&end, &number)) {
        for (int i = 0; i < COUNT_OF(time_units); i++) {
            if (strcmp(end, time_units[i].name) == 0) {
                *seconds = number * time_units[i].seconds;
                return tg_success();
            }
        }
    }
    return tg_fail(TG_BAD_INPUT,
                   "%s '%.60s' is not a time; expected a number with us, ms, s, min or h, "
                   "such as 90s",
                   what, text);
}

tg_status tgb_parse_int(const char *what, const char *text, long lo, long hi, long *value)
{
    const bool negative = *text == '-';
    const char *end = text + negative;
    ptrdiff_t number;
    if (read_whole(&end, &number) && *end == '\0') {
        number = negative ? -number : number;
        if (number >= lo && number <= hi) {
            *value = number;
            return tg_success();
        }
    }
    return tg_fail(TG_BAD_INPUT, "%s '%.60s': expected a whole number from %ld to %ld", what, text,
                   lo, hi);
}

void tgb_free_words(char **words, int count)
{
    for (int i = 0; i < count; i++)
        free(words[i]);
    free(words);
}

/* The text between two commas without the blanks around it. */
static char *trimmed(const char *start, size_t length)
{
    while (length > 0 && *start == ' ') {
        start++;
        length--;
    }
    while (length > 0 && start[length - 1] == ' ')
        length--;
    return strndup(start, length);
}

tg_status tgb_parse_words(const char *what, const char *text, char ***words, int *count)
{
    size_t items = 1;
    for (const char *c = text; *c; c++)
        items += *c == ',';
    char **list = calloc(items, sizeof *list);
    int n = 0;
    *words = NULL;
    *count = 0;
    if (!list || items > MAX_ITEMS) {
        free(list);
        return tg_fail(TG_NO_MEMORY, "%s: no memory for a list", what);
    }
    for (const char *start = text;; start++) {
        const size_t length = strcspn(start, ",");
        list[n] = trimmed(start, length);
        if (!list[n] || *list[n] == '\0') {
            const bool empty = list[n] != NULL;
            tgb_free_words(list, n + 1);
            return empty ? tg_fail(TG_BAD_INPUT,
                                   "%s '%.60s' has an empty item; expected words with commas "
                                   "between them",
                                   what, text)
                         : tg_fail(TG_NO_MEMORY, "%s: no memory for a list", what);
        }
        n++;
        start += length;
        if (*start == '\0')
            break;
    }
    *words = list;
    *count = n;
    return tg_success();
}

tg_status tgb_parse_ints(const char *what, const char *text, long lo, long hi, long **values,
                         int *count)
{
    char **words;
    int n;
    *values = NULL;
    *count = 0;
    tg_status status = tgb_parse_words(what, text, &words, &n);
    if (status.code != TG_OK)
        return status;
    long *list = malloc((size_t)n * sizeof *list);
    if (!list)
        status = tg_fail(TG_NO_MEMORY, "%s: no memory for a list", what);
    for (int i = 0; i < n && status.code == TG_OK; i++)
        status = tgb_parse_int(what, words[i], lo, hi, &list[i]);
    tgb_free_words(words, n);
    if (status.code != TG_OK) {
        free(list);
        return status;
    }
    *values = list;
    *count = n;
    return status;
}

typedef struct {
    ptrdiff_t *size;
    int count;
} size_list;

static tg_status push_size(const char *what, size_list *list, ptrdiff_t size)
{
    ptrdiff_t *grown = realloc(list->size, (size_t)(list->count + 1) * sizeof *grown);
    if (!grown)
        return tg_fail(TG_NO_MEMORY, "%s: no memory for a list", what);
    list->size = grown;
    list->size[list->count++] = size;
    return tg_success();
}

/* lo:hi:xF stands for lo, lo F, lo F F, ... up to hi. */
static tg_status push_range(const char *what, size_list *list, const char *text)
{
    char copy[128], *rest = NULL;
    snprintf(copy, sizeof copy, "%s", text);
    const char *lo_text = strtok_r(copy, ":", &rest), *hi_text = strtok_r(NULL, ":", &rest);
    const char *factor_text = strtok_r(NULL, ":", &rest);
    ptrdiff_t lo, hi, factor;
    const char *digits = factor_text ? factor_text + 1 : "";
    const bool good = lo_text && hi_text && factor_text && *rest == '\0' &&
                      read_size(lo_text, &lo) && read_size(hi_text, &hi) && *factor_text == 'x' &&
                      read_whole(&digits, &factor) && *digits == '\0' && lo > 0 && lo <= hi &&
                      factor > 1;
    if (!good) {
        return tg_fail(TG_BAD_INPUT,
                       "%s '%.60s' is not a range of sizes; expected first:last:xFACTOR with "
                       "0 < first <= last and FACTOR > 1, such as 1KiB:16MiB:x4",
                       what, text);
    }
    tg_status status = push_size(what, list, lo);
    while (status.code == TG_OK && lo <= hi / factor) {
        lo *= factor;
        status = push_size(what, list, lo);
    }
    return status;
}

tg_status tgb_parse_sizes(const char *what, const char *text, ptrdiff_t **sizes, int *count)
{
    char **words;
    int n;
    *sizes = NULL;
    *count = 0;
    tg_status status = tgb_parse_words(what, text, &words, &n);
    if (status.code != TG_OK)
        return status;
    size_list list = {NULL, 0};
    for (int i = 0; i < n && status.code == TG_OK; i++) {
        if (strchr(words[i], ':')) {
            status = push_range(what, &list, words[i]);
            continue;
        }
        ptrdiff_t size = 0;
        status = tgb_parse_size(what, words[i], &size);
        if (status.code == TG_OK)
            status = push_size(what, &list, size);
    }
    tgb_free_words(words, n);
    if (status.code != TG_OK) {
        free(list.size);
        return status;
    }
    *sizes = list.size;
    *count = list.count;
    return status;
}
