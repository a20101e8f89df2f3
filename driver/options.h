/* options.h: what the options of all verbs share: rows of argp, --help, and the first error, which
 * is told by one line. */
#ifndef TGD_OPTIONS_H
#define TGD_OPTIONS_H

#include "primitives/layout.h"

#include <argp.h>

/* What the input of every verb's rows begins with. */
typedef struct {
    tg_status status; /* of the words read so far */
    bool help;        /* --help was given */
} tgd_options;

enum { TGD_HELP_KEY = 256, TGD_FIRST_KEY }; /* keys of rows: no option has one letter */
#define TGD_HELP_ROW {"help", TGD_HELP_KEY, NULL, 0, "print this help", 9}

/* What verbs that launch ranks say of their option --oversubscribe. */
#define TGD_OVERSUBSCRIBE_HELP                                                                     \
    "ask the launcher for more ranks than it has slots; without --launcher that is done by itself"

/* Calls: Local, all. Read argv (argv[0] is the verb) by rows whose input begins with a tgd_options.
 * Errors: TG_BAD_INPUT names the verb and the word. */
tg_status tgd_options_read(const struct argp *rows, int argc, char **argv, tgd_options *options);
/* For the parser functions: handles --help and what no row knows. */
error_t tgd_options_common(int key, struct argp_state *state);
/* Keep the first error; EINVAL for argp when there is one. */
error_t tgd_options_keep(tgd_options *options, tg_status status);
/* The rows on standard output. */
void tgd_options_help(const struct argp *rows, const char *verb);

#endif
