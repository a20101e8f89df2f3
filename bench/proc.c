/* proc.c: reads files of the kernel, line by line. Source: proc(5). */
#include "bench/proc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

double tgb_proc_number(const char *path, const char *words, int index)
{
    FILE *file = fopen(path, "r");
    char line[512];
    double found = 0;
    while (file && fgets(line, sizeof line, file)) {
        if (strncmp(line, words, strlen(words)) != 0)
            continue;
        char *at = line + strlen(words);
        for (int i = 0; i <= index; i++)
            found = strtod(at, &at);
        break;
    }
    if (file)
        fclose(file);
    return found;
}

double tgb_memory_bytes(void)
{
    return tgb_proc_number("/proc/meminfo", "MemTotal:", 0) * 1024;
}

double tgb_peak_rss_MB(void)
{
    return tgb_proc_number("/proc/self/status", "VmHWM:", 0) * 1024 / 1e6;
}

bool tgb_peak_rss_forget(void)
{
    FILE *file = fopen("/proc/self/clear_refs", "w");
    bool good = file && fputs("5\n", file) >= 0; /* 5: the high-water mark only */
    return file && fclose(file) == 0 && good;
}

double tgb_steal_ms(void)
{
    enum { STEAL = 7 }; /* behind user nice system idle iowait irq softirq */
    return tgb_proc_number("/proc/stat", "cpu ", STEAL) * 1000.0 / (double)sysconf(_SC_CLK_TCK);
}

long long tgb_involuntary_switches(void)
{
    struct rusage usage;
    return getrusage(RUSAGE_SELF, &usage) == 0 ? usage.ru_nivcsw : 0;
}
