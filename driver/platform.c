/* platform.c: platforms from files and from a few numbers, and how SimGrid is told to run them.
 *
 * Links are what they say: a message of n bytes over k links takes k LATENCY + n / BANDWIDTH, without
 * the factors by which SimGrid imitates an old Ethernet. Products of matrices take the time of their
 * operations at the rate of a host, all other computing takes none. The collectives of the library
 * are trees and rings that stay fast at thousands of ranks; SimGrid's own default sends everything to
 * one rank. Messages below 64 KiB leave before their receive is posted, as in MPI libraries; sending
 * one costs a rank no time of its own. */
#include "driver/platform.h"

#include "driver/paths.h"
#include "driver/platform_rates.h"

#include <ctype.h>
#include <errno.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MOST_SIDES = 6, MOST_HOSTS = 65536 };

/* SimGrid gives ranks to hosts in the order of their names: numbers of one length keep it. */
enum { FIRST_NUMBER = 100000 };

static const char *const wanted =
    "an XML file of SimGrid, cluster:N, fat_tree:AxB or torus:AxBxC, "
    "with ,LATENCY,BANDWIDTH of a link as in cluster:64,500ns,12.5GBps, or ,RUN";

/* ---- a few numbers ---- */

typedef struct {
    int side[MOST_SIDES], sides, hosts;
    tgd_rates rates;
} shape;

static bool take_sides(const char **at, shape *s)
{
    s->hosts = 1;
    for (s->sides = 0; s->sides < MOST_SIDES; (*at)++) {
        char *end;
        const long side = isdigit((unsigned char)**at) ? strtol(*at, &end, 10) : 0;
        if (side < 1 || side > MOST_HOSTS / s->hosts)
            return false;
        s->side[s->sides++] = (int)side;
        s->hosts *= (int)side;
        *at = end;
        if (**at != 'x')
            return true;
    }
    return false;
}

/* ---- kinds: each says how SimGrid writes its shape ---- */

static char *cluster_words(const shape *s)
{
    (void)s;
    return tgd_copy("");
}

static char *fat_tree_words(const shape *s)
{
    return tgd_format(" topology=\"FAT_TREE\" topo_parameters=\"2;%d,%d;1,%d;1,1\"", s->side[0],
                      s->side[1], s->side[0]);
}

static char *torus_words(const shape *s)
{
    char *list = tgd_format("%d", s->side[0]);
    for (int i = 1; i < s->sides; i++) {
        char *longer = tgd_format("%s,%d", list, s->side[i]);
        free(list);
        list = longer;
    }
    char *words = tgd_format(" topology=\"TORUS\" topo_parameters=\"%s\"", list);
    free(list);
    return words;
}

static const struct {
    const char *name;
    int least, most; /* sides */
    int links;       /* between two neighbours */
    char *(*words)(const shape *s);
} kinds[] = {{"cluster:", 1, 1, 2, cluster_words},
             {"fat_tree:", 2, 2, 2, fat_tree_words},
             {"torus:", 2, MOST_SIDES, 1, torus_words}};
enum { KINDS = sizeof kinds / sizeof *kinds };

static int kind_of(const char *word)
{
    int k = 0;
    while (k < KINDS && strncmp(word, kinds[k].name, strlen(kinds[k].name)) != 0)
        k++;
    return k;
}

static tg_status refuse(const char *word)
{
    return tg_fail(TG_BAD_INPUT, "--simulate '%.80s': expected %s", word, wanted);
}

static tg_status read_shape(int kind, const char *word, shape *s)
{
    const char *at = word + strlen(kinds[kind].name);
    *s = (shape){.rates = {.latency_ns = 500, .bandwidth_GBps = 12.5, .compute_GFLOPs = 100}};
    if (!take_sides(&at, s) || s->sides < kinds[kind].least || s->sides > kinds[kind].most)
        return refuse(word);
    if (*at == '\0' || (*at == ',' && tgd_rates_read(at + 1, &s->rates)))
        return tg_success();
    if (*at != ',' || (isdigit((unsigned char)at[1]) && access(at + 1, F_OK) != 0))
        return refuse(word); /* a run's name begins with a digit, too: then it is there */
    return tgd_rates_of_run(at + 1, kinds[kind].links, &s->rates);
}

static tg_status write_shape(int kind, const char *word, tgd_platform *p)
{
    shape s;
    const tg_status status = read_shape(kind, word, &s);
    if (status.code != TG_OK)
        return status;
    char *words = kinds[kind].words(&s);
    p->hosts = s.hosts;
    p->text = tgd_format("<?xml version='1.0'?>\n"
                         "<!DOCTYPE platform SYSTEM \"https://simgrid.org/simgrid.dtd\">\n"
                         "<platform version=\"4.1\">\n"
                         "<cluster id=\"machine\" prefix=\"host\" suffix=\"\" radical=\"%d-%d\" "
                         "speed=\"%.17gGf\" bw=\"%.17gMBps\" lat=\"%.17gns\" "
                         "sharing_policy=\"SPLITDUPLEX\"%s/>\n"
                         "</platform>\n",
                         FIRST_NUMBER, FIRST_NUMBER + s.hosts - 1, s.rates.compute_GFLOPs,
                         1e3 * s.rates.bandwidth_GBps, s.rates.latency_ns, words);
    free(words);
    return tg_success();
}

/* ---- files ---- */

static tg_status read_file(const char *word, tgd_platform *p)
{
    p->text = tgd_read_file(word);
    if (!p->text && strchr(word, ':'))
        return refuse(word);
    if (!p->text)
        return tg_fail(TG_BAD_INPUT, "--simulate '%.80s': %s; expected %s", word, strerror(errno),
                       wanted);
    const char *first = p->text + strspn(p->text, " \t\r\n");
    return *first == '<' && strstr(first, "<platform") ? tg_success() : refuse(word);
}

/* Before there is a run folder, the platform lies in a file of its own. */
static tg_status write_temporary(tgd_platform *p)
{
    const char *folder = getenv("TMPDIR");
    p->path = tgd_format("%s/tensorgauge-platform-XXXXXX", folder && *folder ? folder : "/tmp");
    const int file = mkstemp(p->path);
    if (file < 0)
        return tg_fail(TG_BAD_INPUT, "'%.150s': %s; expected a file that can be written", p->path,
                       strerror(errno));
    close(file);
    p->ours = true;
    return tgd_write_file(p->path, p->text);
}

tg_status tgd_platform_make(const char *word, tgd_platform *p)
{
    *p = (tgd_platform){.hosts = 0};
    const int kind = kind_of(word);
    tg_status status = kind < KINDS ? write_shape(kind, word, p) : read_file(word, p);
    if (status.code == TG_OK)
        status = write_temporary(p);
    return status;
}

static void remove_ours(tgd_platform *p)
{
    if (p->ours)
        unlink(p->path);
    p->ours = false;
    free(p->path);
    p->path = NULL;
}

tg_status tgd_platform_keep(tgd_platform *p, const char *folder)
{
    remove_ours(p);
    p->path = tgd_format("%s/platform.xml", folder);
    return tgd_write_file(p->path, p->text);
}

void tgd_platform_free(tgd_platform *p)
{
    remove_ours(p);
    free(p->text);
    p->text = NULL;
}

/* ---- SimGrid ---- */

/* smpimain lies in the library folder beside the folder of smpirun, which divides its words at
 * blanks and is not used. */
char *tgd_platform_loader(void)
{
    char *smpirun = tgd_find_program("smpirun"), *found = NULL;
    static const char *const places[] = {"lib*/simgrid", "lib/*/simgrid"};
    for (size_t i = 0; smpirun && !found && i < sizeof places / sizeof *places; i++) {
        char *pattern = tgd_format("%.*s/../%s/smpimain", (int)(strrchr(smpirun, '/') - smpirun),
                                   smpirun, places[i]);
        glob_t paths = {0};
        if (glob(pattern, 0, NULL, &paths) == 0)
            found = tgd_find_program(paths.gl_pathv[0]);
        globfree(&paths);
        free(pattern);
    }
    free(smpirun);
    return found;
}

void tgd_platform_options(int ranks, tgd_words *words)
{
    static const char *const options[] = {
        "--log=root.thres:error",
        "--cfg=surf/precision:1e-9",
        "--cfg=network/model:SMPI",
        "--cfg=network/TCP-gamma:0",
        "--cfg=network/crosstraffic:no",
        "--cfg=smpi/privatization:1",
        "--cfg=smpi/simulate-computation:no",
        "--cfg=smpi/host-speed:1Gf",
        "--cfg=smpi/bw-factor:0:1.0",
        "--cfg=smpi/lat-factor:0:1.0",
        "--cfg=smpi/test:1e-7",
        "--cfg=smpi/iprobe:1e-7",
        /* Messages of all sizes wait in one place for their receives. With a second place for short
         * ones SimGrid 3.32 gives the receive of a long message a short one that was sent later. */
        "--cfg=smpi/async-small-thresh:0",
        /* Collectives that are right for any number of ranks and empty parts, which not all are. */
        "--cfg=smpi/barrier:ompi_recursivedoubling",
        "--cfg=smpi/bcast:binomial_tree",
        "--cfg=smpi/reduce:binomial",
        "--cfg=smpi/allreduce:ompi",
        "--cfg=smpi/gather:ompi_binomial",
        "--cfg=smpi/scatter:ompi_binomial",
        "--cfg=smpi/allgather:bruck",
        "--cfg=smpi/allgatherv:ompi_bruck",
        "--cfg=smpi/alltoall:bruck",
        "--cfg=smpi/alltoallv:ring",
        "--cfg=smpi/reduce_scatter:mpich_rdb",
    };
    char *count = tgd_format("--cfg=smpi/np:%d", ranks);
    tgd_words_add(words, count);
    free(count);
    for (size_t i = 0; i < sizeof options / sizeof *options; i++)
        tgd_words_add(words, options[i]);
}
