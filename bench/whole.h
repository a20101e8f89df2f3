/* whole.h: files of rows that are kept whole: one writer at a time, no torn last row. */
#ifndef TGB_WHOLE_H
#define TGB_WHOLE_H

#include "primitives/layout.h"

#include <stdio.h>

/* Calls: Local. Make this process the only writer of a file, until it is closed. A writer that is
 * just being ended is waited for, some seconds. On a file system without locks nothing is locked.
 * Errors: TG_BAD_INPUT: another one writes. */
tg_status tgb_whole_lock(FILE *file);

/* Calls: Local. Cut an unfinished last line, which a killed writer leaves behind, off a file that
 * has just been opened. */
void tgb_whole_trim(FILE *file);

/* Calls: Local. After a write that failed: drop what is still to be written, and cut the unfinished
 * last line. The stream takes no more rows afterwards; errno stays as it is. */
void tgb_whole_give_up(FILE *file);

#endif
