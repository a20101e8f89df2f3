/* report_write.c: the page of a report: its head, its style, its sections in order. */
#include "driver/report_write.h"

#include "driver/text.h"

#include <stdlib.h>

/* Dark on white, fonts of the reader's machine. Nothing is wider than the page: tables, lines and
 * figures have boxes that scroll, and long words are broken. */
static const char style[] =
    "html{color-scheme:light}\n"
    "body{margin:0 auto;padding:1rem;max-width:72rem;color:#1a1a1a;background:#fff;"
    "font:1rem/1.5 system-ui,sans-serif;overflow-wrap:anywhere}\n"
    "h1{font-size:1.6rem;line-height:1.2}\n"
    "h2{font-size:1.3rem;margin-top:2.5rem;border-bottom:2px solid #1a1a1a}\n"
    "h3,h4{font-size:1.05rem;margin-top:1.5rem}h4{font-size:1rem}\n"
    ".verdict{font-size:1.3rem;font-weight:bold;padding:.5rem .8rem;border-left:.5rem solid #555;"
    "background:#f3f3f3}\n"
    ".good{border-color:#0b6e4f}.bad{border-color:#b00020}\n"
    ".box{overflow-x:auto;max-width:100%}\n"
    "table{border-collapse:collapse;font-size:.875rem;line-height:1.35}\n"
    "th,td{text-align:left;vertical-align:top;padding:.2rem .6rem;border-bottom:1px solid #d0d0d0;"
    "overflow-wrap:normal}\n"
    "thead th{border-bottom:2px solid #777}tbody th{font-weight:normal}\n"
    ".n{text-align:right;white-space:nowrap;font-variant-numeric:tabular-nums}\n"
    ".long{min-width:16rem;max-width:32rem;overflow-wrap:anywhere}\n"
    "pre{overflow-x:auto;max-width:100%;box-sizing:border-box;padding:.6rem;background:#f3f3f3;"
    "font-size:.8125rem;overflow-wrap:normal}\n"
    ".figures{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,24rem),1fr));"
    "gap:1.5rem}\n"
    "figure{margin:0}figure img{display:block;width:100%;max-width:32rem;height:auto}\n"
    "figcaption{font-size:.875rem;white-space:pre-line}\n"
    "@page{margin:1.5cm}\n"
    "@media print{body{max-width:none;padding:0;font-size:10pt}h2,h3,h4{break-after:avoid}"
    "figure,tr{break-inside:avoid}.figures{grid-template-columns:1fr 1fr}"
    ".box,pre{overflow:visible}pre{white-space:pre-wrap;overflow-wrap:anywhere}"
    "table{font-size:7pt;width:100%}th,td{padding:.1rem .2rem;overflow-wrap:anywhere}"
    ".long{min-width:0}}\n";

static const struct {
    const char *id, *title;
    tgd_report_section *put;
} sections[] = {
    {"verdict", "Verdict", tgd_report_verdict},  {"unusual", "What is unusual", tgd_report_unusual},
    {"figures", "Figures", tgd_report_figures},  {"tables", "All cells", tgd_report_tables},
    {"origin", "Provenance", tgd_report_origin}, {"repeat", "How to repeat it", tgd_report_repeat},
};
enum { SECTIONS = sizeof sections / sizeof *sections };

static void put_head(const tgd_report_data *data, FILE *out)
{
    fputs(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
        "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; img-src data:; "
        "style-src 'unsafe-inline'\">\n<title>Tensorgauge: ",
        out);
    tgd_html_text(out, data->sides->side[0].name);
    if (data->sides->count > 1)
        fprintf(out, " and %d more", data->sides->count - 1);
    fprintf(out, "</title>\n<style>\n%s</style>\n</head>\n", style);
}

const char *tgd_report_heading(const tgd_report_data *data)
{
    return data->runs->count > 1 ? "h4" : "h3";
}

void tgd_report_write(const tgd_report_data *data, FILE *out)
{
    char *now = tgd_utc(false);
    put_head(data, out);
    fputs("<body>\n<header>\n<h1>", out);
    fputs(data->comparison ? "Comparison of " : "Report on ", out);
    for (int s = 0; s < data->sides->count; s++) {
        fputs(s > 0 ? " and " : "", out);
        tgd_html_text(out, data->sides->side[s].name);
    }
    fprintf(out, "</h1>\n<p>Written by tensorgauge %s, %s.</p>\n</header>\n", TGD_VERSION, now);
    fputs("<nav aria-label=\"Sections\"><p>", out);
    for (int i = 0; i < SECTIONS; i++)
        fprintf(out, "%s<a href=\"#%s\">%s</a>", i > 0 ? " | " : "", sections[i].id,
                sections[i].title);
    fputs("</p></nav>\n<main>\n", out);
    for (int i = 0; i < SECTIONS; i++) {
        fprintf(out, "<section id=\"%s\">\n<h2>%s</h2>\n", sections[i].id, sections[i].title);
        sections[i].put(data, out);
        fputs("</section>\n", out);
    }
    fputs("</main>\n</body>\n</html>\n", out);
    free(now);
}
