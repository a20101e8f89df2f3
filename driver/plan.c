/* plan.c: campaign -> cells. The driver knows no operation: what one offers is read from tgbench's
 * list, and whether its words are right is asked of tgbench. */
#include "driver/plan.h"

#include "bench/case.h"
#include "driver/order.h"
#include "driver/rounds.h"

#include <stdlib.h>
#include <string.h>

/* What a product is made of; lists of words that fit one operation. */
typedef struct {
    const tgd_campaign *campaign;
    const tgd_bench *bench;
    tgd_plan *plan;
    bool asks_kernels, has_kernels; /* a section names them; it has an operation that knows them */
} maker;

/* ---- words ---- */

/* The operation's own word for a direction: adjoint and backward name the same thing, the reverse.
 */
static const char *own_direction(const json_t *operation, const char *word)
{
    const bool reverse = strcmp(word, "adjoint") == 0 || strcmp(word, "backward") == 0;
    const char *const names[] = {word, reverse ? "adjoint" : word, reverse ? "backward" : word};
    for (int i = 0; i < 3; i++)
        if (tgd_bench_offers(operation, "directions", names[i]))
            return names[i];
    return NULL;
}

/* The operation's own word of a list (directions, dtypes, kernels, algorithms), or NULL when it has
 * none. An algorithm that the MPI library lacks is one: its rows say `unsupported`. */
static const char *own_word(const json_t *operation, const char *list, const char *word)
{
    if (strcmp(list, "directions") == 0)
        return own_direction(operation, word);
    const bool lacking =
        strcmp(list, "algorithms") == 0 && tgd_bench_offers(operation, "lacking", word);
    return lacking || tgd_bench_offers(operation, list, word) ? word : NULL;
}

static bool known_anywhere(const maker *m, const char *list, const char *word)
{
    const json_t *operations = json_object_get(m->bench->info, "operations");
    for (size_t i = 0; i < json_array_size(operations); i++)
        if (own_word(json_array_get(operations, i), list, word))
            return true;
    return false;
}

/* `algorithm = all`: every one that an operation has. */
static bool is_all(const char *list, const tgd_words *words)
{
    return strcmp(list, "algorithms") == 0 && words->count == 1 &&
           strcmp(words->word[0], "all") == 0;
}

/* Every word of a section's lists is known to some operation. */
static tg_status check_words(const maker *m, const tgd_section *s)
{
    const struct {
        const char *list, *key;
        const tgd_words *words;
    } lists[] = {{"directions", "direction", &s->directions},
                 {"dtypes", "dtype", &s->dtypes},
                 {"kernels", "kernels", &s->kernels},
                 {"algorithms", "algorithm", &s->algorithms}};
    for (int i = 0; i < 4; i++) {
        for (int j = 0; j < lists[i].words->count; j++) {
            if (!is_all(lists[i].list, lists[i].words) &&
                !known_anywhere(m, lists[i].list, lists[i].words->word[j])) {
                return tg_fail(TG_BAD_INPUT,
                               "%.60s: section [cells %.60s]: %s '%.60s' is not known; "
                               "`tgbench list` shows what each operation offers",
                               tgd_campaign_file(m->campaign), s->name, lists[i].key,
                               lists[i].words->word[j]);
            }
        }
    }
    return tg_success();
}

/* The words of a list that fit an operation. `all`: an empty list is everything that the operation
 * offers. */
static tgd_words fitting(const json_t *operation, const char *list, const tgd_words *words,
                         bool all)
{
    tgd_words fit = {NULL, 0};
    for (int i = 0; i < words->count; i++) {
        const char *own = own_word(operation, list, words->word[i]);
        if (own && !tgd_words_have(&fit, own))
            tgd_words_add(&fit, own);
    }
    const json_t *offered = json_object_get(operation, list);
    for (size_t i = 0; all && words->count == 0 && i < json_array_size(offered); i++)
        tgd_words_add(&fit, json_string_value(json_array_get(offered, i)));
    return fit;
}

/* The values of a key that is written into the case: "" stands for "leave the case as it is". */
static tgd_words values_of_key(const json_t *operation, const char *list, const tgd_words *words,
                               const tgb_case *c, const char *key)
{
    const size_t offered = json_array_size(json_object_get(operation, list));
    const bool no_choice = offered == 0 || (strcmp(key, "algorithm") == 0 && offered == 1);
    if (tgb_case_get(c, key) || words->count == 0 || no_choice) {
        tgd_words as_it_is = {NULL, 0};
        tgd_words_add(&as_it_is, "");
        return as_it_is;
    }
    const tgd_words everything = {NULL, 0};
    return is_all(list, words) ? fitting(operation, list, &everything, true)
                               : fitting(operation, list, words, false);
}

/* Does N stand as an extent in some value of the case? */
static bool has_size(const tgb_case *c)
{
    for (int i = 0; i < c->count; i++) {
        for (const char *item = c->word[i].value; *item;) {
            const size_t length = strcspn(item, "x:");
            if (length == 1 && *item == 'N')
                return true;
            item += length;
            item += *item != '\0';
        }
    }
    return false;
}

/* ---- the product ---- */

static void add_cell(maker *m, const tgd_section *s, const tgd_case_line *line, const char *text,
                     int ranks, ptrdiff_t size_bytes, const char *direction)
{
    tgd_plan *plan = m->plan;
    if ((plan->count & (plan->count - 1)) == 0) { /* 0, 1, 2, 4, ...: room for as many again */
        plan->cell =
            tgd_resize(plan->cell, plan->count > 0 ? 2 * plan->count : 1, sizeof *plan->cell);
    }
    plan->cell[plan->count] = (tgd_cell){.number = plan->count + 1,
                                         .ranks = ranks,
                                         .direction = tgd_copy(direction),
                                         .size_bytes = size_bytes,
                                         .text = tgd_copy(text),
                                         .line = line->line,
                                         .section = s};
    plan->count++;
}

/* sizes x direction of one case on so many ranks. */
static void add_sizes(maker *m, const tgd_section *s, const tgd_case_line *line, const tgb_case *c,
                      int ranks, const tgd_words *directions)
{
    char *text = tgb_case_print(c);
    const bool sized = has_size(c) && s->nsizes > 0;
    for (int i = 0; text && i < (sized ? s->nsizes : 1); i++)
        for (int d = 0; d < directions->count; d++)
            add_cell(m, s, line, text, ranks, sized ? s->sizes[i] : -1, directions->word[d]);
    free(text);
}

/* A cell for each round of pairs, the word `round=R` of the case. */
static tg_status add_rounds(maker *m, const tgd_section *s, const tgd_case_line *line, tgb_case *c,
                            int ranks, const tgd_words *directions)
{
    int count;
    int *rounds = tgd_rounds_make(s->pairs, ranks, m->campaign->seed, &count);
    tg_status status = tg_success();
    for (int i = 0; i < count && status.code == TG_OK; i++) {
        char number[16];
        snprintf(number, sizeof number, "%d", rounds[i]);
        status = tgb_case_set(c, "round", number);
        if (status.code == TG_OK)
            add_sizes(m, s, line, c, ranks, directions);
    }
    free(rounds);
    return status;
}

/* ranks x sizes x direction of one case whose other words are chosen. */
static tg_status add_product(maker *m, const tgd_section *s, const tgd_case_line *line, tgb_case *c,
                             const tgd_words *directions)
{
    const char *round = tgb_case_get(c, "round");
    const bool in_rounds = round && strcmp(round, "R") == 0;
    tg_status status = tg_success();
    for (int r = 0; r < s->nranks && status.code == TG_OK; r++)
        if (in_rounds)
            status = add_rounds(m, s, line, c, (int)s->ranks[r], directions);
        else
            add_sizes(m, s, line, c, (int)s->ranks[r], directions);
    return status;
}

static tg_status set_key(tgb_case *c, const char *key, const char *value)
{
    return *value ? tgb_case_set(c, key, value) : tg_success();
}

/* The case with these words ("": as it is), of all sizes, ranks and directions. */
static tg_status add_chosen(maker *m, const tgd_section *s, const tgd_case_line *line,
                            const char *dtype, const char *kernels, const char *algorithm,
                            const tgd_words *directions)
{
    tgb_case chosen;
    tg_status status = tgb_case_parse(line->text, &chosen);
    if (status.code == TG_OK)
        status = set_key(&chosen, "dtype", dtype);
    if (status.code == TG_OK)
        status = set_key(&chosen, "kernels", kernels);
    if (status.code == TG_OK)
        status = set_key(&chosen, "algorithm", algorithm);
    if (status.code == TG_OK)
        status = add_product(m, s, line, &chosen, directions);
    tgb_case_free(&chosen);
    return status;
}

static tg_status add_case(maker *m, const tgd_section *s, const tgd_case_line *line)
{
    tgb_case c;
    tg_status status = tgb_case_parse(line->text, &c);
    if (status.code != TG_OK)
        return status;
    const json_t *operation = tgd_bench_operation(m->bench, c.operation);
    if (!operation) {
        status = tg_fail(TG_BAD_INPUT,
                         "operation '%.60s' is not known; `tgbench list` shows all of them",
                         c.operation);
        tgb_case_free(&c);
        return status;
    }
    tgd_words directions = fitting(operation, "directions", &s->directions, true);
    tgd_words dtypes = values_of_key(operation, "dtypes", &s->dtypes, &c, "dtype");
    tgd_words kernels = values_of_key(operation, "kernels", &s->kernels, &c, "kernels");
    tgd_words algorithms = values_of_key(operation, "algorithms", &s->algorithms, &c, "algorithm");
    m->asks_kernels = m->asks_kernels || s->kernels.count > 0;
    m->has_kernels = m->has_kernels || json_array_size(json_object_get(operation, "kernels")) > 0;
    for (int i = 0; i < dtypes.count; i++)
        for (int j = 0; j < kernels.count; j++)
            for (int k = 0; k < algorithms.count && status.code == TG_OK; k++)
                status = add_chosen(m, s, line, dtypes.word[i], kernels.word[j], algorithms.word[k],
                                    &directions);
    tgd_words_free(&directions);
    tgd_words_free(&dtypes);
    tgd_words_free(&kernels);
    tgd_words_free(&algorithms);
    tgb_case_free(&c);
    return status;
}

static tg_status add_section(maker *m, const tgd_section *s)
{
    tg_status status = check_words(m, s);
    for (int i = 0; i < s->ncases && status.code == TG_OK; i++) {
        status = add_case(m, s, &s->cases[i]);
        if (status.code != TG_OK) {
            status = tg_fail(status.code, "%.60s line %d: %s", tgd_campaign_file(m->campaign),
                             s->cases[i].line, status.text);
        }
    }
    return status;
}

/* ---- one of each, checked by tgbench ---- */

static void free_cell(tgd_cell *cell)
{
    free(cell->direction);
    free(cell->text);
    json_decref(cell->resolved);
}

/* Keeps the first of the cells that agree in canonical case, direction and ranks. */
static tg_status drop_repeated(tgd_plan *plan, const json_t *resolved)
{
    json_t *seen = json_object();
    int kept = 0;
    if (!seen || json_array_size(resolved) != (size_t)plan->count) {
        json_decref(seen);
        return tg_fail(TG_BAD_INPUT, "tgbench answered %zu cells; expected %d",
                       json_array_size(resolved), plan->count);
    }
    for (int i = 0; i < plan->count; i++) {
        json_t *answer = json_array_get(resolved, (size_t)i);
        const char *canonical = json_string_value(json_object_get(answer, "case"));
        char *key = tgd_format("%s %s %d", canonical ? canonical : "", plan->cell[i].direction,
                               plan->cell[i].ranks);
        if (json_object_get(seen, key)) {
            free_cell(&plan->cell[i]);
        } else {
            json_object_set_new(seen, key, json_true());
            plan->cell[i].resolved = json_incref(answer);
            plan->cell[kept++] = plan->cell[i];
        }
        free(key);
    }
    plan->count = kept;
    json_decref(seen);
    return tg_success();
}

static bool take_turns(const tgd_cell *a, const tgd_cell *b)
{
    return a->section == b->section && a->section->turns && a->ranks == b->ranks &&
           a->size_bytes == b->size_bytes && strcmp(a->direction, b->direction) == 0;
}

/* While plan->cell is as the campaign says. */
static void make_turns(tgd_plan *plan)
{
    for (int i = 0; i < plan->count; i++)
        for (int j = i + 1; plan->cell[i].turn == 0 && j < plan->count; j++)
            if (take_turns(&plan->cell[i], &plan->cell[j]))
                plan->cell[j].turn = plan->cell[i].number;
}

static int place_of(const tgd_cell *cell)
{
    return cell->turn > 0 ? cell->turn : cell->number;
}

static int by_ranks(const void *left, const void *right)
{
    const tgd_cell *a = left, *b = right;
    if (a->ranks != b->ranks)
        return (a->ranks > b->ranks) - (a->ranks < b->ranks);
    return place_of(a) != place_of(b) ? (place_of(a) > place_of(b)) - (place_of(a) < place_of(b))
                                      : (a->number > b->number) - (a->number < b->number);
}

/* The first `once` cells once for every launch, numbered from 1. A launch belongs to one build; each
 * round has one of every build. */
static void repeat_launches(tgd_plan *plan, int once, int launches)
{
    plan->cell = tgd_resize(plan->cell, once * launches, sizeof *plan->cell);
    for (int i = 0; i < once * launches; i++) {
        tgd_cell cell = plan->cell[i < plan->count ? i : i % once];
        if (i >= plan->count) {
            cell.direction = tgd_copy(cell.direction);
            cell.text = tgd_copy(cell.text);
            json_incref(cell.resolved);
        }
        cell.launch = i / once;
        cell.build = cell.launch % plan->builds;
        cell.number = i + 1;
        cell.turn = 0;
        if (i % once > 0 && take_turns(&plan->cell[i - 1], &cell))
            cell.turn = plan->cell[i - 1].turn = place_of(&plan->cell[i - 1]);
        plan->cell[i] = cell;
    }
    plan->count = once * launches;
}

/* One more round: a launch of each build. */
void tgd_plan_add_launch(tgd_plan *plan, const tgd_campaign *campaign)
{
    const int launches = plan->cell[plan->count - 1].launch + 1;
    repeat_launches(plan, plan->count / launches, launches + plan->builds);
    tgd_order_make(plan, campaign->seed, !campaign->given_order);
}

/* Leaves out the cells that are on as many ranks and on the same line as one that was refused. */
static void leave_out(tgd_plan *plan, int refused, const char *why)
{
    const int line = plan->cell[refused].line, ranks = plan->cell[refused].ranks;
    char *note = tgd_format("left out on %d rank%s: %s", ranks, ranks == 1 ? "" : "s", why);
    tgd_words_add(&plan->left_out, note);
    free(note);
    int kept = 0;
    for (int i = 0; i < plan->count; i++)
        if (plan->cell[i].line == line && plan->cell[i].ranks == ranks)
            free_cell(&plan->cell[i]);
        else
            plan->cell[kept++] = plan->cell[i];
    plan->count = kept;
}

/* What tgbench makes of the cells. On ranks that the campaign does not have itself, a case may name
 * ranks or a grid that are not there. */
static tg_status ask(tgd_plan *plan, const tgd_campaign *campaign, const tgd_bench *bench,
                     char **output)
{
    for (;;) {
        int refused;
        const tg_status status = tgd_plan_dry_run(plan, campaign, bench, true, output, &refused);
        if (status.code == TG_OK || !campaign->other_ranks || refused < 0)
            return status;
        leave_out(plan, refused, status.text);
        if (plan->count == 0)
            return status;
    }
}

/* A build may be older or smaller than the first one: it is asked for its view of the cells, too. */
static tg_status check_others(const tgd_plan *plan, const tgd_campaign *campaign,
                              const tgd_builds *builds)
{
    tg_status status = tg_success();
    for (int b = 1; b < builds->count && status.code == TG_OK; b++) {
        char *output = NULL;
        const tgd_bench *bench = &builds->at[b].bench;
        status = tgd_plan_dry_run(plan, campaign, bench, true, &output, NULL);
        if (status.code != TG_OK)
            status = tg_fail(status.code, "build %.60s: %s", tgd_bench_build(bench, "name"),
                             status.text);
        free(output);
    }
    return status;
}

tg_status tgd_plan_make(const tgd_campaign *campaign, const tgd_builds *builds, tgd_plan *plan)
{
    const tgd_bench *bench = &builds->at[0].bench;
    *plan = (tgd_plan){.builds = builds->count};
    maker m = {.campaign = campaign, .bench = bench, .plan = plan};
    tg_status status = tg_success();
    for (int i = 0; i < campaign->nsections && status.code == TG_OK; i++)
        status = add_section(&m, &campaign->sections[i]);
    if (status.code == TG_OK && plan->count == 0) {
        status = tg_fail(TG_BAD_INPUT,
                         "%.100s: no operation offers the words that were chosen; "
                         "expected at least one cell",
                         tgd_campaign_file(campaign));
    }
    if (status.code == TG_OK && m.asks_kernels && !m.has_kernels) {
        status = tg_fail(TG_BAD_INPUT,
                         "%.100s: kernels: no case computes with a library; expected a layer or a "
                         "network that has this key",
                         tgd_campaign_file(campaign));
    }
    char *output = NULL;
    if (status.code == TG_OK)
        status = ask(plan, campaign, bench, &output);
    if (status.code == TG_OK) {
        json_t *resolved = json_loads(output, 0, NULL);
        status = drop_repeated(plan, resolved);
        json_decref(resolved);
    }
    free(output);
    if (status.code == TG_OK)
        status = check_others(plan, campaign, builds);
    if (status.code == TG_OK) {
        make_turns(plan);
        qsort(plan->cell, (size_t)plan->count, sizeof *plan->cell, by_ranks);
        repeat_launches(plan, plan->count, (int)campaign->launches * plan->builds);
        tgd_order_make(plan, campaign->seed, !campaign->given_order);
    } else {
        tgd_plan_free(plan);
    }
    return status;
}

void tgd_plan_free(tgd_plan *plan)
{
    for (int i = 0; i < plan->count; i++)
        free_cell(&plan->cell[i]);
    free(plan->cell);
    free(plan->order);
    tgd_words_free(&plan->left_out);
    *plan = (tgd_plan){.count = 0};
}

int tgd_plan_in_turn(const tgd_plan *plan, int index, int *first)
{
    const int turn = plan->cell[index].turn;
    int count = 1;
    *first = turn > 0 ? turn - 1 : index;
    while (turn > 0 && *first + count < plan->count && plan->cell[*first + count].turn == turn)
        count++;
    return count;
}

void tgd_plan_break(const tgd_plan *plan, bool *done)
{
    for (int i = 0, first, count; i < plan->count; i += count) {
        bool all = true;
        count = tgd_plan_in_turn(plan, i, &first);
        for (int k = 0; k < count; k++)
            all = all && done[plan->cell[i + k].number];
        for (int k = 0; k < count && !all; k++)
            done[plan->cell[i + k].number] = false;
    }
}

void tgd_plan_skip(tgd_plan *plan, const bool *done)
{
    int kept = 0;
    for (int i = 0; i < plan->to_do; i++)
        if (!done[plan->cell[plan->order[i]].number])
            plan->order[kept++] = plan->order[i];
    plan->to_do = kept;
}

/* ---- files ---- */
