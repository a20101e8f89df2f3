/* accept_write.c: what a file says is data: it is printed without control characters, and escaped
 * as CSV (RFC 4180), JSON and XML (1.0) want it. */
#include "driver/accept_write.h"

#include "bench/record.h"
#include "driver/markup.h"
#include "driver/text.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { FINDINGS_PRINTED = 20, CULPRITS_IN_VERDICT = 3 };

tgd_answer tgd_answer_of(const tgd_ruling *at, int count)
{
    tgd_answer verdict = TGD_OPEN;
    for (int i = 0; i < count; i++) {
        if (at[i].verdict == TGD_FAIL)
            return TGD_FAIL;
        if (at[i].verdict == TGD_PASS && at[i].rule->compares)
            verdict = TGD_PASS;
    }
    return verdict;
}

/* ---- for a person ---- */

static int count_of(const tgd_rulings *all, tgd_answer verdict)
{
    int count = 0;
    for (int i = 0; i < all->count; i++)
        count += all->at[i].verdict == verdict;
    return count;
}

static void print_culprits(const tgd_rulings *all, FILE *out)
{
    int culprits = 0;
    for (int i = 0; i < all->count; i++) {
        for (int k = 0; all->at[i].verdict == TGD_FAIL && k < all->at[i].count; k++) {
            if (culprits < CULPRITS_IN_VERDICT) {
                fprintf(out, "%s%s: ", culprits > 0 ? ", " : "; ", all->at[i].rule->name);
                tgd_put_clean(out, all->at[i].finding[k].culprit);
            }
            culprits++;
        }
    }
    if (culprits > CULPRITS_IN_VERDICT)
        fprintf(out, " and %d more", culprits - CULPRITS_IN_VERDICT);
}

static void print_verdict(const tgd_rulings *all, FILE *out)
{
    static const char *const names[] = {"PASS", "FAIL", "UNDECIDED"};
    fprintf(out, "tensorgauge accept: %s: %d of %d rules passed, %d failed, %d undecided",
            names[all->verdict], count_of(all, TGD_PASS), all->count, count_of(all, TGD_FAIL),
            count_of(all, TGD_OPEN));
    if (count_of(all, TGD_REMARK) > 0)
        fprintf(out, ", %d to be looked at", count_of(all, TGD_REMARK));
    if (all->verdict == TGD_OPEN)
        fputs("; nothing was wrong, but no times could be compared", out);
    print_culprits(all, out);
    putc('\n', out);
}

void tgd_accept_print(const tgd_rulings *all, FILE *out)
{
    for (int i = 0; i < all->count; i++) {
        const tgd_ruling *j = &all->at[i];
        fprintf(out, "%-9s  %-10s  ", tgd_answer_name(j->verdict), j->rule->name);
        tgd_put_clean(out, j->text);
        putc('\n', out);
        for (int k = 0; k < j->count && k < FINDINGS_PRINTED; k++) {
            fputs("           - ", out);
            tgd_put_clean(out, j->finding[k].culprit);
            fputs(": ", out);
            tgd_put_clean(out, j->finding[k].text);
            putc('\n', out);
        }
        if (j->count > FINDINGS_PRINTED)
            fprintf(out, "           - %d more in judgement.csv\n", j->count - FINDINGS_PRINTED);
    }
    print_verdict(all, out);
}

/* ---- judgement.csv ---- */

static void put_number(FILE *file, double value)
{
    if (isfinite(value))
        fprintf(file, ",%.12g", value);
    else
        putc(',', file); /* empty: none */
}

static void put_field(FILE *file, const char *text)
{
    putc(',', file);
    tgb_csv_field(file, text);
}

static void put_csv_line(FILE *file, const tgd_ruling *j, const tgd_finding *finding)
{
    const tgd_row *row = finding ? finding->row : NULL;
    fprintf(file, "%s,%s", j->rule->name, tgd_answer_name(j->verdict));
    put_field(file, finding ? finding->culprit : "");
    put_field(file, row ? row->text : "");
    put_field(file, row ? row->direction : "");
    put_number(file, row ? row->ranks : (double)NAN);
    put_number(file, finding ? finding->value : (double)NAN);
    put_number(file, finding ? finding->expected : (double)NAN);
    put_number(file, finding ? finding->limit : (double)NAN);
    put_field(file, finding && isfinite(finding->value) ? j->rule->unit : "");
    put_field(file, finding ? finding->text : j->text);
    putc('\n', file);
}

static void put_csv(FILE *file, const tgd_rulings *all)
{
    fputs("rule,verdict,culprit,case,direction,ranks,value,expected,limit,unit,text\n", file);
    for (int i = 0; i < all->count; i++) {
        const tgd_ruling *j = &all->at[i];
        if (j->count == 0)
            put_csv_line(file, j, NULL);
        for (int k = 0; k < j->count; k++)
            put_csv_line(file, j, &j->finding[k]);
    }
}

/* ---- judgement.json ---- */

static json_t *json_text(const char *text)
{
    char *copy = tgd_clean(text);
    json_t *string = json_string(copy);
    free(copy);
    return string;
}

static json_t *json_number(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

static json_t *json_finding(const tgd_finding *f)
{
    return json_pack(
        "{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "culprit", json_text(f->culprit), "text",
        json_text(f->text), "case", f->row ? json_text(f->row->text) : json_null(), "direction",
        f->row ? json_text(f->row->direction) : json_null(), "ranks",
        f->row ? json_integer(f->row->ranks) : json_null(), "value", json_number(f->value),
        "expected", json_number(f->expected), "limit", json_number(f->limit));
}

static void put_json(FILE *file, const tgd_rulings *all)
{
    json_t *rules = json_array();
    for (int i = 0; i < all->count; i++) {
        const tgd_ruling *j = &all->at[i];
        json_t *findings = json_array();
        for (int k = 0; k < j->count; k++)
            json_array_append_new(findings, json_finding(&j->finding[k]));
        json_array_append_new(rules,
                              json_pack("{s:s, s:s, s:s, s:s, s:o, s:o}", "rule", j->rule->name,
                                        "looks_at", j->rule->looks_at, "unit", j->rule->unit,
                                        "verdict", tgd_answer_name(j->verdict), "text",
                                        json_text(j->text), "findings", findings));
    }
    json_t *object = json_pack("{s:i, s:s, s:o}", "schema", 1, "verdict",
                               tgd_answer_name(all->verdict), "rules", rules);
    json_dumpf(object, file, JSON_INDENT(1));
    putc('\n', file);
    json_decref(object);
}

/* ---- junit.xml ---- */

static void put_findings(FILE *file, const tgd_ruling *j)
{
    for (int k = 0; k < j->count; k++) {
        tgd_put_escaped(file, j->finding[k].culprit);
        fputs(": ", file);
        tgd_put_escaped(file, j->finding[k].text);
        putc('\n', file);
    }
}

/* How a verdict is told: the element around it; NULL: none. */
static const char *const junit_element[] = {NULL, "failure", "skipped", NULL};

static void put_test_case(FILE *file, const tgd_ruling *j)
{
    const char *element = junit_element[j->verdict];
    fprintf(file, "    <testcase classname=\"tensorgauge.accept\" name=\"%s\" time=\"0\">\n",
            j->rule->name);
    if (element) {
        fprintf(file, "      <%s message=\"", element);
        tgd_put_escaped(file, j->text);
        fputs("\">", file);
        put_findings(file, j);
        fprintf(file, "</%s>\n", element);
    } else {
        fputs("      <system-out>", file);
        tgd_put_escaped(file, j->text);
        putc('\n', file);
        put_findings(file, j);
        fputs("</system-out>\n", file);
    }
    fputs("    </testcase>\n", file);
}

static void put_junit(FILE *file, const tgd_rulings *all)
{
    char counts[160];
    snprintf(counts, sizeof counts,
             "name=\"tensorgauge accept\" tests=\"%d\" failures=\"%d\" errors=\"0\"", all->count,
             count_of(all, TGD_FAIL));
    fprintf(file,
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites %s>\n"
            "  <testsuite %s skipped=\"%d\">\n",
            counts, counts, count_of(all, TGD_OPEN));
    for (int i = 0; i < all->count; i++)
        put_test_case(file, &all->at[i]);
    fputs("  </testsuite>\n</testsuites>\n", file);
}

/* ---- files ---- */

static const struct {
    const char *name;
    void (*put)(FILE *file, const tgd_rulings *all);
} files[] = {{"judgement.csv", put_csv}, {"judgement.json", put_json}, {"junit.xml", put_junit}};

tg_status tgd_accept_write(const tgd_rulings *all, const char *folder)
{
    tg_status status = tg_success();
    for (size_t i = 0; i < sizeof files / sizeof *files && status.code == TG_OK; i++) {
        char *path = tgd_format("%s/%s", folder, files[i].name);
        FILE *file = fopen(path, "w");
        bool written = file != NULL;
        if (file) {
            files[i].put(file, all);
            written = !ferror(file);
            written = fclose(file) == 0 && written;
        }
        if (!written)
            status = tg_fail(TG_BAD_INPUT, "'%.150s' cannot be written: %s", path, strerror(errno));
        free(path);
    }
    return status;
}
