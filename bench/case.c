/* case.c: the text of a case, split into an operation and its words and put together again.
 * case = operation { " " key "=" value }. What the words mean is the operations' business. */
#include "bench/case.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *no_memory = "no memory for a case";

static bool is_word(const char *text)
{
    for (const char *c = text; *c; c++)
        if (*c <= ' ' || *c > '~')
            return false;
    return *text != '\0';
}

static tg_status append(tgb_case *c, const char *key, size_t key_length, const char *value)
{
    if (c->count == TGB_MAX_KEYS) {
        return tg_fail(TG_BAD_INPUT, "key '%.*s' is one too many: a case has at most %d keys",
                       (int)key_length, key, TGB_MAX_KEYS);
    }
    char *key_copy = strndup(key, key_length), *value_copy = strdup(value);
    if (!key_copy || !value_copy) {
        free(key_copy);
        free(value_copy);
        return tg_fail(TG_NO_MEMORY, "%s", no_memory);
    }
    c->word[c->count].key = key_copy;
    c->word[c->count].value = value_copy;
    c->count++;
    return tg_success();
}

/* One word of the line: the operation first, then key=value. */
static tg_status add_word(tgb_case *c, const char *word)
{
    const char *equals = strchr(word, '=');
    if (!c->operation) {
        if (equals) {
            return tg_fail(TG_BAD_INPUT, "a case begins with its operation, not with '%.80s'",
                           word);
        }
        c->operation = strdup(word);
        return c->operation ? tg_success() : tg_fail(TG_NO_MEMORY, "%s", no_memory);
    }
    if (!equals || equals == word || equals[1] == '\0') {
        return tg_fail(TG_BAD_INPUT, "word '%.80s' of case '%.40s': expected key=value", word,
                       c->operation);
    }
    for (int i = 0; i < c->count; i++) {
        if (strlen(c->word[i].key) == (size_t)(equals - word) &&
            strncmp(c->word[i].key, word, (size_t)(equals - word)) == 0) {
            return tg_fail(TG_BAD_INPUT,
                           "%.80s: the key is given twice in case '%.40s'; expected it once", word,
                           c->operation);
        }
    }
    return append(c, word, (size_t)(equals - word), equals + 1);
}

static tg_status check_characters(const char *text)
{
    for (const char *c = text; *c; c++) {
        if (*c < ' ' || *c > '~') {
            return tg_fail(TG_BAD_INPUT,
                           "character %d of a case has code %d; expected printable ASCII",
                           (int)(c - text) + 1, (unsigned char)*c);
        }
    }
    return tg_success();
}

tg_status tgb_case_parse(const char *text, tgb_case *c)
{
    memset(c, 0, sizeof *c);
    tg_status status = check_characters(text);
    if (status.code != TG_OK)
        return status;
    char *copy = strdup(text), *rest = NULL;
    if (!copy)
        return tg_fail(TG_NO_MEMORY, "%s", no_memory);
    for (char *word = strtok_r(copy, " ", &rest); word && status.code == TG_OK;
         word = strtok_r(NULL, " ", &rest))
        status = add_word(c, word);
    free(copy);
    if (status.code == TG_OK && !c->operation)
        status = tg_fail(TG_BAD_INPUT, "a case is empty; expected: operation key=value ...");
    if (status.code != TG_OK)
        tgb_case_free(c);
    return status;
}

void tgb_case_free(tgb_case *c)
{
    free(c->operation);
    for (int i = 0; i < c->count; i++) {
        free(c->word[i].key);
        free(c->word[i].value);
    }
    memset(c, 0, sizeof *c);
}

const char *tgb_case_get(const tgb_case *c, const char *key)
{
    for (int i = 0; i < c->count; i++)
        if (strcmp(c->word[i].key, key) == 0)
            return c->word[i].value;
    return NULL;
}

tg_status tgb_case_set(tgb_case *c, const char *key, const char *value)
{
    if (!is_word(key) || strchr(key, '=') || !is_word(value)) {
        return tg_fail(TG_BAD_INPUT, "'%.40s=%.80s': a key and its value have no blanks", key,
                       value);
    }
    for (int i = 0; i < c->count; i++) {
        if (strcmp(c->word[i].key, key) == 0) {
            char *copy = strdup(value);
            if (!copy)
                return tg_fail(TG_NO_MEMORY, "%s", no_memory);
            free(c->word[i].value);
            c->word[i].value = copy;
            return tg_success();
        }
    }
    return append(c, key, strlen(key), value);
}

char *tgb_case_print(const tgb_case *c)
{
    size_t size = 0;
    char *text = NULL;
    FILE *out = open_memstream(&text, &size);
    if (!out)
        return NULL;
    fputs(c->operation ? c->operation : "", out);
    for (int i = 0; i < c->count; i++)
        fprintf(out, " %s=%s", c->word[i].key, c->word[i].value);
    if (fclose(out) != 0) {
        free(text);
        return NULL;
    }
    return text;
}
