/* fuzz_case.c: any text as a case, and as the numbers and lists that users write. A case that is read can be printed, and
 * what is printed is the same case. */
#include "bench/case.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_case(const char *text)
{
    tgb_case c, again;
    if (tgb_case_parse(text, &c).code != TG_OK)
        return;
    char *printed = tgb_case_print(&c);
    assert(printed && tgb_case_parse(printed, &again).code == TG_OK);
    assert(strcmp(c.operation, again.operation) == 0 && c.count == again.count);
    for (int i = 0; i < c.count; i++)
        assert(strcmp(c.word[i].key, again.word[i].key) == 0 &&
               strcmp(c.word[i].value, again.word[i].value) == 0);
    free(printed);
    tgb_case_free(&again);
    tgb_case_free(&c);
}

static void read_words(const char *text)
{
    ptrdiff_t bytes, *sizes = NULL;
    double seconds;
    long number, *numbers = NULL;
    char **words = NULL;
    int count = 0;
    if (tgb_parse_size("fuzz", text, &bytes).code == TG_OK)
        assert(bytes >= 0);
    if (tgb_parse_seconds("fuzz", text, &seconds).code == TG_OK)
        assert(seconds >= 0);
    if (tgb_parse_int("fuzz", text, -5, 1000, &number).code == TG_OK)
        assert(number >= -5 && number <= 1000);
    if (tgb_parse_sizes("fuzz", text, &sizes, &count).code == TG_OK)
        assert(count > 0 && sizes[count - 1] >= 0);
    free(sizes);
    if (tgb_parse_ints("fuzz", text, 1, 1000, &numbers, &count).code == TG_OK)
        assert(count > 0 && numbers[count - 1] >= 1);
    free(numbers);
    if (tgb_parse_words("fuzz", text, &words, &count).code == TG_OK)
        tgb_free_words(words, count);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);
    if (!text)
        return 0;
    memcpy(text, data, size);
    text[size] = '\0';
    read_case(text);
    read_words(text);
    free(text);
    return 0;
}
