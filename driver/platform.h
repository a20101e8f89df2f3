/* platform.h: a simulated machine: SimGrid's description of its hosts and links. */
#ifndef TGD_PLATFORM_H
#define TGD_PLATFORM_H

#include "driver/text.h"

typedef struct {
    char *path; /* of the XML file that tgbench's loader reads */
    char *text; /* what is in it */
    int hosts;  /* 0: not known, for a user's file */
    bool ours;  /* path is a file of ours, which is removed at the end */
} tgd_platform;

/* Calls: Local. word: the path of an XML file, or KIND:SHAPE, or KIND:SHAPE,RATES with rates as words
 * or from a run (platform_rates.h):
 *   cluster:N        each host has a link up and one down; between any two hosts lie 2 links
 *   fat_tree:AxB     B leaf switches with A hosts each, A switches above them; 2 or 4 links
 *   torus:AxB[xC...] hosts on a grid with a link to each neighbour; as many links as steps
 * Rank r runs on host r; in a user's file, on the host whose name is the r-th in the order of the
 * alphabet. Errors: TG_BAD_INPUT names the word and what was expected. Source: SimGrid 3.32, XML
 * reference. */
tg_status tgd_platform_make(const char *word, tgd_platform *platform);

/* Calls: Local. Moves the platform to the file platform.xml in a folder. Errors: TG_BAD_INPUT: it
 * cannot be written. */
tg_status tgd_platform_keep(tgd_platform *platform, const char *folder);
void tgd_platform_free(tgd_platform *platform);

/* Calls: Local. The program that starts simulated ranks, malloc'ed; NULL: SimGrid is not found. */
char *tgd_platform_loader(void);

/* Calls: Local. What the loader is told before the platform and tgbench's own words. */
void tgd_platform_options(int ranks, tgd_words *words);

#endif
