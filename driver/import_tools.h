/* import_tools.h: what other benchmarks print, as rows of cells.csv. */
#ifndef TGD_IMPORT_TOOLS_H
#define TGD_IMPORT_TOOLS_H

#include "bench/record.h"

typedef struct {
    tgb_record *row;
    int count;
} tgd_imported;

/* Calls: Local. Adds the rows of a text file that OSU Micro-Benchmarks (latency of a message or a
 * collective), Intel MPI Benchmarks (the same, -off_cache and -multi not used) or nccl-tests
 * printed; the program is known by what it prints. All columns but run_id, launch and cell are set
 * that such a file tells. t_median_us is the file's number, estimator says which:
 *   mean_of_means     mean over ranks of each rank's mean: OSU's Avg Latency, IMB's t_avg
 *   half_round_trip   mean of half of there and back: OSU's latency, IMB's PingPong
 *   mean_of_batch     mean over calls issued back to back: nccl-tests
 * ranks: for OSU's collectives, which do not print it; 0: not known.
 * Errors: TG_BAD_INPUT names the file, the line and what was expected. */
tg_status tgd_import_file(const char *path, int ranks, tgd_imported *imported);
void tgd_imported_free(tgd_imported *imported);

#endif
