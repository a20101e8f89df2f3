/* links.c: which ranks are partners in a round is told by bench/pairs.h. */
#include "driver/links.h"

#include "bench/pairs.h"
#include "driver/rules.h"
#include "driver/text.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A round, and what it has in common with the other rounds. */
typedef struct {
    char *common; /* its case without round, direction, ranks */
    const tgd_group *group;
    int round;
} round_of;

/* round=7 in a case; 0: none that its ranks have. */
static int read_round(const tgd_row *row)
{
    char *text = tgd_row_word(row, "round"), *end = text;
    const long round = text ? strtol(text, &end, 10) : 0;
    const bool good =
        text && end != text && *end == '\0' && round >= 1 && round <= tgb_pair_rounds(row->ranks);
    free(text);
    return good ? (int)round : 0;
}

/* A case without its word round. */
static char *common_of(const tgd_row *row)
{
    const char *word = strstr(row->text, " round=");
    const char *rest = word ? word + 1 + strcspn(word + 1, " ") : "";
    return tgd_format("%.*s%s %s %d", word ? (int)(word - row->text) : (int)strlen(row->text),
                      row->text, rest, row->direction, row->ranks);
}

static int by_common(const void *left, const void *right)
{
    const round_of *a = left, *b = right;
    const int order = strcmp(a->common, b->common);
    return order ? order : (a->round > b->round) - (a->round < b->round);
}

static void add_round(const tgd_measured *e, const round_of *r, tgd_links *links)
{
    const tgd_row *row = r->group->row;
    links->link = tgd_resize(links->link, links->count + row->ranks / 2 + 1, sizeof *links->link);
    for (int a = 0; a < row->ranks; a++) {
        const int b = tgb_pair_partner(row->ranks, r->round, a);
        if (b < a)
            continue;
        const double us =
            fmax(tgd_times_median(&r->group->rank[a]), tgd_times_median(&r->group->rank[b]));
        if (us > 0)
            links->link[links->count++] =
                (tgd_link){a, b, tgd_rank_machine(e, row, a) != tgd_rank_machine(e, row, b), us};
    }
}

tgd_links *tgd_links_make(const tgd_measured *e, int *count)
{
    round_of *rounds = tgd_resize(NULL, e->groups, sizeof *rounds);
    tgd_links *all = tgd_resize(NULL, e->groups, sizeof *all);
    int n = 0;
    *count = 0;
    for (int g = 0; g < e->groups; g++) {
        const tgd_group *group = &e->group[g];
        if (tgd_is_pairs(group) && group->rank && read_round(group->row) > 0)
            rounds[n++] = (round_of){common_of(group->row), group, read_round(group->row)};
    }
    if (n > 0)
        qsort(rounds, (size_t)n, sizeof *rounds, by_common);
    for (int i = 0; i < n; i++) {
        if (i == 0 || strcmp(rounds[i].common, rounds[i - 1].common) != 0)
            all[(*count)++] = (tgd_links){.group = rounds[i].group};
        add_round(e, &rounds[i], &all[*count - 1]);
    }
    for (int i = 0; i < n; i++)
        free(rounds[i].common);
    free(rounds);
    return all;
}

void tgd_links_free(tgd_links *links, int count)
{
    for (int i = 0; i < count; i++)
        free(links[i].link);
    free(links);
}
