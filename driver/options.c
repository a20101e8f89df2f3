/* options.c: what the options of all verbs share. */
#include "driver/options.h"

#include "driver/text.h"

#include <errno.h>
#include <stdlib.h>

error_t tgd_options_keep(tgd_options *options, tg_status status)
{
    if (options->status.code == TG_OK)
        options->status = status;
    return options->status.code == TG_OK ? 0 : EINVAL;
}

error_t tgd_options_common(int key, struct argp_state *state)
{
    tgd_options *options = state->input;
    if (key == TGD_HELP_KEY) {
        options->help = true;
        return 0;
    }
    if (key == ARGP_KEY_ERROR) {
        return tgd_options_keep(
            options, tg_fail(TG_BAD_INPUT,
                             "%.20s: option '%.80s' is not known, or has no value or one too many; "
                             "expected those of tensorgauge %.20s --help",
                             state->argv[0], state->argv[state->next - 1], state->argv[0]));
    }
    return ARGP_ERR_UNKNOWN;
}

tg_status tgd_options_read(const struct argp *rows, int argc, char **argv, tgd_options *options)
{
    const unsigned flags = ARGP_NO_ERRS | ARGP_NO_EXIT | ARGP_NO_HELP;
    options->status = tg_success();
    if (argp_parse(rows, argc, argv, flags, NULL, options) != 0)
        tgd_options_keep(options, tg_fail(TG_BAD_INPUT,
                                          "wrong words; expected those of tensorgauge %.20s --help",
                                          argv[0]));
    return options->status;
}

void tgd_options_help(const struct argp *rows, const char *verb)
{
    char *name = tgd_format("tensorgauge %s", verb);
    argp_help(rows, stdout, ARGP_HELP_STD_HELP, name);
    free(name);
}
