/* rules_peers.c: ranks, machines and pairs of ranks against their peers, which do the same work at
 * the same time: each within max(5 %, 4 robust sigma) of their median (peers.h). */
#include "driver/links.h"
#include "driver/peers.h"
#include "driver/rules.h"
#include "driver/text.h"

#include <math.h>
#include <stdlib.h>

/* One that is slower than its peers in one cell. */
typedef struct {
    const tgd_group *group;
    int ranks, who;             /* who: a rank or a machine, of a launch on `ranks` */
    double ratio, limit, value; /* over the median; the value itself */
    double median;
    int peers;
} slow;

typedef struct {
    slow *at;
    int count;
} slow_list;

static void add_slow(slow_list *list, slow one)
{
    if ((list->count & (list->count - 1)) == 0)
        list->at = tgd_resize(list->at, list->count > 0 ? 2 * list->count : 1, sizeof *list->at);
    list->at[list->count++] = one;
}

/* By ranks and who; the worst of each first. */
static int by_who(const void *left, const void *right)
{
    const slow *a = left, *b = right;
    int order = (a->ranks > b->ranks) - (a->ranks < b->ranks);
    order = order ? order : (a->who > b->who) - (a->who < b->who);
    return order ? order : (a->ratio < b->ratio) - (a->ratio > b->ratio);
}

static int by_ratio(const void *left, const void *right)
{
    const tgd_finding *a = left, *b = right;
    return (a->value < b->value) - (a->value > b->value);
}

/* Worst first. */
static void sort_findings(tgd_ruling *j)
{
    if (j->count > 1)
        qsort(j->finding, (size_t)j->count, sizeof *j->finding, by_ratio);
}

/* ---- ranks ---- */

/* One of the cells whose ranks do the same, each for itself (tgd_rules_want). */
static bool has_peers(const tgd_group *group)
{
    return group->rank && !tgd_is_pairs(group);
}

/* The medians of the ranks of a group; false: a rank has none. */
static bool medians_of(const tgd_group *group, double *median)
{
    bool all = true;
    for (int r = 0; all && r < group->row->ranks; r++) {
        median[r] = tgd_times_median(&group->rank[r]);
        all = median[r] > 0;
    }
    return all;
}

static void find_slow_ranks(const tgd_measured *e, slow_list *list, tgd_ruling *j)
{
    if (list->count > 0)
        qsort(list->at, (size_t)list->count, sizeof *list->at, by_who);
    for (int i = 0, next; i < list->count; i = next) {
        const slow *s = &list->at[i];
        for (next = i + 1; next < list->count && list->at[next].ranks == s->ranks &&
                           list->at[next].who == s->who;)
            next++;
        tgd_finding *finding = tgd_find(
            j, s->group->row, tgd_rank_name(e, s->group->row, s->who),
            tgd_format("%.0f %% slower than the median of %d ranks (limit %.0f %%) in %s; slow in "
                       "%d cell%s",
                       100 * (s->ratio - 1), s->peers, 100 * (s->limit - 1), s->group->row->text,
                       next - i, next - i == 1 ? "" : "s"));
        finding->value = s->ratio;
        finding->expected = 1;
        finding->limit = s->limit;
    }
    sort_findings(j);
}

/* Without any times of ranks: why. */
static void say_nothing(const tgd_measured *e, tgd_ruling *j, const char *cells)
{
    if (e->has_ranks)
        tgd_rule_decide(j, TGD_OPEN, "no cell of %s; campaign acceptance has them", cells);
    else
        tgd_rule_decide(j, TGD_OPEN,
                        "samples.csv has no times of each rank; expected a run with raw = all");
}

tg_status tgd_rule_ranks(const tgd_measured *e, const tgd_demands *demands, tgd_ruling *j)
{
    (void)demands;
    slow_list list = {NULL, 0};
    int cells = 0, judged = 0, most = 0;
    for (int g = 0; g < e->groups; g++) {
        const tgd_group *group = &e->group[g];
        const int ranks = group->row->ranks;
        tgd_peers peers;
        if (!has_peers(group))
            continue;
        double *median = tgd_resize(NULL, ranks, sizeof *median);
        if (medians_of(group, median)) {
            cells++;
            most = ranks > most ? ranks : most;
            const bool enough = tgd_peers_make(median, ranks, &peers);
            judged += enough;
            for (int r = 0; enough && r < ranks; r++)
                if (median[r] > peers.limit)
                    add_slow(&list, (slow){group, ranks, r, median[r] / peers.median,
                                           peers.limit / peers.median, median[r], peers.median,
                                           peers.count});
        }
        free(median);
    }
    find_slow_ranks(e, &list, j);
    free(list.at);
    if (cells == 0)
        say_nothing(e, j, "machine:copy, triad, gemm or quantum in which all ranks are busy");
    else if (judged == 0)
        tgd_rule_decide(j, TGD_OPEN, "%d rank%s: a rank needs %d peers to be compared", most,
                        most == 1 ? "" : "s", TGD_LEAST_PEERS);
    else if (j->count > 0)
        tgd_rule_decide(j, TGD_FAIL, "%d slow rank%s in %d cells", j->count,
                        j->count == 1 ? "" : "s", judged);
    else
        tgd_rule_decide(j, TGD_PASS, "up to %d ranks are alike in %d cells", most, judged);
    return tg_success();
}

/* ---- machines: all ratios of their ranks together ---- */

/* Ratios of ranks to the median of all ranks in their cells, by machine. */
typedef struct {
    tgd_times *ratio;
    int machines;
    const tgd_group *group; /* one of the cells */
} machine_ratios;

static void add_ratio(tgd_times *times, double ratio)
{
    if (times->count == times->room) {
        times->room = times->room > 0 ? 2 * times->room : 16;
        times->us = tgd_resize(times->us, times->room, sizeof *times->us);
    }
    times->us[times->count++] = ratio;
}

static void add_cell(const tgd_measured *e, const tgd_group *group, machine_ratios *all)
{
    const int ranks = group->row->ranks;
    tgd_times together = {NULL, 0, 0};
    double *median = tgd_resize(NULL, ranks, sizeof *median);
    if (medians_of(group, median)) {
        for (int r = 0; r < ranks; r++)
            add_ratio(&together, median[r]);
        const double middle = tgd_times_median(&together);
        for (int r = 0; r < ranks; r++) {
            const int machine = tgd_rank_machine(e, group->row, r);
            if (machine < 0 || machine >= ranks) /* a machine has a rank at least */
                continue;
            for (; all->machines <= machine; all->machines++) {
                all->ratio = tgd_resize(all->ratio, all->machines + 1, sizeof *all->ratio);
                all->ratio[all->machines] = (tgd_times){NULL, 0, 0};
            }
            add_ratio(&all->ratio[machine], median[r] / middle);
        }
        all->group = group;
    }
    free(median);
    free(together.us);
}

static bool find_slow_machines(const tgd_measured *e, const machine_ratios *all, tgd_ruling *j)
{
    double *value = tgd_resize(NULL, all->machines, sizeof *value);
    tgd_peers peers;
    int count = 0;
    for (int m = 0; m < all->machines; m++)
        if (all->ratio[m].count > 0)
            value[count++] = tgd_times_median(&all->ratio[m]);
    const bool enough = tgd_peers_make(value, count, &peers);
    for (int m = 0; enough && m < all->machines; m++) {
        const double ratio = tgd_times_median(&all->ratio[m]);
        if (!(ratio > peers.limit))
            continue;
        tgd_finding *finding =
            tgd_find(j, all->group->row, tgd_machine_name(e, all->group->row, m),
                     tgd_format("%.0f %% slower than the median of %d machines (limit %.0f %%)",
                                100 * (ratio / peers.median - 1), count,
                                100 * (peers.limit / peers.median - 1)));
        finding->value = ratio / peers.median;
        finding->expected = 1;
        finding->limit = peers.limit / peers.median;
    }
    free(value);
    return enough;
}

tg_status tgd_rule_nodes(const tgd_measured *e, const tgd_demands *demands, tgd_ruling *j)
{
    (void)demands;
    int *done = tgd_resize(NULL, 1, sizeof *done), counts = 0, machines = 0, judged = 0;
    for (int g = 0; g < e->groups; g++) { /* once for each rank count: at the first of its cells */
        machine_ratios all = {NULL, 0, NULL};
        const int ranks = e->group[g].row->ranks;
        bool seen = !has_peers(&e->group[g]);
        for (int i = 0; i < counts && !seen; i++)
            seen = done[i] == ranks;
        if (seen)
            continue;
        done = tgd_resize(done, counts + 1, sizeof *done);
        done[counts++] = ranks;
        for (int h = g; h < e->groups; h++)
            if (e->group[h].row->ranks == ranks && has_peers(&e->group[h]))
                add_cell(e, &e->group[h], &all);
        machines = all.machines > machines ? all.machines : machines;
        if (all.machines > 0)
            judged += find_slow_machines(e, &all, j);
        for (int m = 0; m < all.machines; m++)
            free(all.ratio[m].us);
        free(all.ratio);
    }
    free(done);
    sort_findings(j);
    if (machines == 0)
        say_nothing(e, j, "machine:copy, triad, gemm or quantum on machines that run.json names");
    else if (judged == 0)
        tgd_rule_decide(j, TGD_OPEN, "%d machine%s: a machine needs %d peers to be compared",
                        machines, machines == 1 ? "" : "s", TGD_LEAST_PEERS);
    else if (j->count > 0)
        tgd_rule_decide(j, TGD_FAIL, "%d slow machine%s of %d", j->count, j->count == 1 ? "" : "s",
                        machines);
    else
        tgd_rule_decide(j, TGD_PASS, "up to %d machines are alike", machines);
    return tg_success();
}

/* ---- pairs ---- */

/* Of each rank: its links, and how many are slow. */
typedef struct {
    int links, slow;
    double worst; /* ratio */
    int worst_link;
} rank_links;

static bool is_to_blame(const rank_links *r)
{
    return r->slow >= 2 && 2 * r->slow > r->links;
}

static void put_numbers(tgd_finding *finding, const tgd_link *link, const tgd_peers *peers)
{
    finding->value = link->us;
    finding->expected = peers->median;
    finding->limit = peers->limit;
}

static void find_rank(const tgd_measured *e, const tgd_links *links, int rank, const rank_links *r,
                      const tgd_peers *peers, tgd_ruling *j)
{
    const tgd_row *row = links->group->row;
    const tgd_link *worst = &links->link[r->worst_link];
    char *other = tgd_rank_name(e, row, worst->a == rank ? worst->b : worst->a);
    put_numbers(tgd_find(j, row, tgd_rank_name(e, row, rank),
                         tgd_format("%d of its %d links %s are slow, at most %.2f times the "
                                    "median, with %s",
                                    r->slow, r->links,
                                    worst->apart ? "to other machines" : "within its machine",
                                    r->worst, other)),
                worst, peers);
    free(other);
}

static void find_link(const tgd_measured *e, const tgd_links *links, const tgd_link *link,
                      const tgd_peers *peers, tgd_ruling *j)
{
    const tgd_row *row = links->group->row;
    char *a = tgd_rank_name(e, row, link->a), *b = tgd_rank_name(e, row, link->b);
    char *size = tgd_row_word(row, "shape");
    put_numbers(
        tgd_find(j, row, tgd_format("link %s - %s", a, b),
                 tgd_format("%.4g us there and back, %.2f times the median of %d links (limit "
                            "%.2f), shape %s",
                            link->us, link->us / peers->median, peers->count,
                            peers->limit / peers->median, size ? size : "?")),
        link, peers);
    free(a);
    free(b);
    free(size);
}

/* Links within machines, or between them: those are peers. Returns whether they were enough. */
static bool judge_links(const tgd_measured *e, const tgd_links *links, bool apart, tgd_ruling *j)
{
    const int ranks = links->group->row->ranks;
    double *us = tgd_resize(NULL, links->count, sizeof *us);
    rank_links *of = calloc((size_t)ranks, sizeof *of);
    tgd_peers peers;
    int count = 0;
    for (int i = 0; i < links->count; i++)
        if (links->link[i].apart == apart)
            us[count++] = links->link[i].us;
    const bool enough = of && tgd_peers_make(us, count, &peers);
    for (int i = 0; enough && i < links->count; i++) {
        const tgd_link *link = &links->link[i];
        for (int end = 0; link->apart == apart && end < 2; end++) {
            rank_links *r = &of[end == 0 ? link->a : link->b];
            r->links++;
            r->slow += link->us > peers.limit;
            if (link->us / peers.median > r->worst) {
                r->worst = link->us / peers.median;
                r->worst_link = i;
            }
        }
    }
    for (int r = 0; enough && r < ranks; r++)
        if (is_to_blame(&of[r]))
            find_rank(e, links, r, &of[r], &peers, j);
    for (int i = 0; enough && i < links->count; i++) {
        const tgd_link *link = &links->link[i];
        if (link->apart == apart && link->us > peers.limit && !is_to_blame(&of[link->a]) &&
            !is_to_blame(&of[link->b]))
            find_link(e, links, link, &peers, j);
    }
    free(us);
    free(of);
    return enough;
}

tg_status tgd_rule_pairs(const tgd_measured *e, const tgd_demands *demands, tgd_ruling *j)
{
    (void)demands;
    int count, judged = 0, most = 0;
    tgd_links *all = tgd_links_make(e, &count);
    for (int i = 0; i < count; i++) {
        most = all[i].count > most ? all[i].count : most;
        judged += judge_links(e, &all[i], false, j);
        judged += judge_links(e, &all[i], true, j);
    }
    tgd_links_free(all, count);
    if (count == 0)
        say_nothing(e, j, "machine:pairs");
    else if (judged == 0)
        tgd_rule_decide(j, TGD_OPEN, "%d link%s: a link needs %d peers to be compared", most,
                        most == 1 ? "" : "s", TGD_LEAST_PEERS);
    else if (j->count > 0)
        tgd_rule_decide(j, TGD_FAIL, "%d slow link%s or rank%s; up to %d links were compared",
                        j->count, j->count == 1 ? "" : "s", j->count == 1 ? "" : "s", most);
    else
        tgd_rule_decide(j, TGD_PASS, "up to %d links are alike", most);
    return tg_success();
}
