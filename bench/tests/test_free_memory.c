/* test_free_memory.c: memory that control groups leave free, from made files: both versions and both
 * together, limits of groups above, what a container sees, and files that are not there. */
#include "bench/free_memory.h"

#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define V1        "36 31 0:32 / /sys/fs/cgroup/memory rw,nosuid - cgroup cgroup rw,memory\n"
#define V2        "42 31 0:38 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n"
#define UNLIMITED "9223372036854771712\n"
#define MEMINFO   {"proc/meminfo", "MemTotal: 2000 kB\nMemAvailable:     1000 kB\n"}

enum { FILES = 16, AVAILABLE = 1000 * 1024 };

typedef struct {
    const char *path, *text;
} made_file;

typedef struct {
    const char *what;
    double free_bytes, limit_bytes;
    bool by_group;
    made_file files[FILES];
} made_machine;

static const made_machine machines[] = {
    {"no groups", AVAILABLE, 0, false, {MEMINFO}},
    {"nothing known", 0, 0, false, {{"proc/other", ""}}},
    {"v2, max",
     AVAILABLE,
     0,
     false,
     {MEMINFO,
      {"proc/self/cgroup", "0::/job\n"},
      {"proc/self/mountinfo", V2},
      {"sys/fs/cgroup/job/memory.max", "max\n"},
      {"sys/fs/cgroup/job/memory.high", "max\n"},
      {"sys/fs/cgroup/job/memory.current", "4096\n"}}},
    {"v2, a limit, and page cache that can be dropped",
     500000 - 300000 + 50000,
     500000,
     true,
     {MEMINFO,
      {"proc/self/cgroup", "0::/job\n"},
      {"proc/self/mountinfo", "23 1 0:2 / /proc rw - proc proc rw\n" V2},
      {"sys/fs/cgroup/job/memory.max", "500000\n"},
      {"sys/fs/cgroup/job/memory.current", "300000\n"},
      {"sys/fs/cgroup/job/memory.stat", "anon 1\ninactive_file 50000\nactive_file 7\n"}}},
    {"v2, slowed down before the limit",
     400000 - 300000,
     400000,
     true,
     {MEMINFO,
      {"proc/self/cgroup", "0::/job\n"},
      {"proc/self/mountinfo", V2},
      {"sys/fs/cgroup/job/memory.max", "500000\n"},
      {"sys/fs/cgroup/job/memory.high", "400000\n"},
      {"sys/fs/cgroup/job/memory.current", "300000\n"}}},
    {"v2, a large limit: the machine has less",
     AVAILABLE,
     3e9,
     false,
     {MEMINFO,
      {"proc/self/cgroup", "0::/job\n"},
      {"proc/self/mountinfo", V2},
      {"sys/fs/cgroup/job/memory.max", "3000000000\n"},
      {"sys/fs/cgroup/job/memory.current", "0\n"}}},
    {"v2, a full group leaves next to nothing",
     1,
     4096,
     true,
     {MEMINFO,
      {"proc/self/cgroup", "0::/job\n"},
      {"proc/self/mountinfo", V2},
      {"sys/fs/cgroup/job/memory.max", "4096\n"},
      {"sys/fs/cgroup/job/memory.current", "8192\n"}}},
    {"v2, the limit of the group in the middle is the least, as Slurm's of a job",
     200000 - 150000,
     200000,
     true,
     {MEMINFO,
      {"proc/self/cgroup", "0::/slurm/job_7/step_0/task_1\n"},
      {"proc/self/mountinfo", V2},
      {"sys/fs/cgroup/slurm/memory.max", "900000\n"},
      {"sys/fs/cgroup/slurm/memory.current", "250000\n"},
      {"sys/fs/cgroup/slurm/job_7/memory.max", "200000\n"},
      {"sys/fs/cgroup/slurm/job_7/memory.current", "150000\n"},
      {"sys/fs/cgroup/slurm/job_7/step_0/memory.max", "max\n"},
      {"sys/fs/cgroup/slurm/job_7/step_0/memory.current", "140000\n"},
      {"sys/fs/cgroup/slurm/job_7/step_0/task_1/memory.max", "300000\n"},
      {"sys/fs/cgroup/slurm/job_7/step_0/task_1/memory.current", "1000\n"},
      {"sys/fs/cgroup/slurm/job_8/memory.max", "10\n"}}},
    {"v2, a larger limit that others have used up",
     300000 - 290000,
     200000,
     true,
     {MEMINFO,
      {"proc/self/cgroup", "0::/all/job\n"},
      {"proc/self/mountinfo", V2},
      {"sys/fs/cgroup/all/memory.max", "300000\n"},
      {"sys/fs/cgroup/all/memory.current", "290000\n"},
      {"sys/fs/cgroup/all/job/memory.max", "200000\n"},
      {"sys/fs/cgroup/all/job/memory.current", "1000\n"}}},
    {"v2, a container with a namespace of its own",
     60000 - 10000,
     60000,
     true,
     {MEMINFO,
      {"proc/self/cgroup", "0::/\n"},
      {"proc/self/mountinfo", V2},
      {"sys/fs/cgroup/memory.max", "60000\n"},
      {"sys/fs/cgroup/memory.current", "10000\n"}}},
    {"v2, a group outside of the namespace",
     60000 - 10000,
     60000,
     true,
     {MEMINFO,
      {"proc/self/cgroup", "0::/../other\n"},
      {"proc/self/mountinfo", V2},
      {"sys/fs/cgroup/memory.max", "60000\n"},
      {"sys/fs/cgroup/memory.current", "10000\n"},
      {"sys/fs/other/memory.max", "5\n"}}},
    {"v1, no limit",
     AVAILABLE,
     0,
     false,
     {MEMINFO,
      {"proc/self/cgroup", "9:name=systemd:/\n4:cpu,memory:/job\n0::/\n"},
      {"proc/self/mountinfo", V1},
      {"sys/fs/cgroup/memory/memory.limit_in_bytes", UNLIMITED},
      {"sys/fs/cgroup/memory/job/memory.limit_in_bytes", UNLIMITED},
      {"sys/fs/cgroup/memory/job/memory.usage_in_bytes", "4096\n"}}},
    {"v1, groups within count, and their page cache too",
     700000 - 600000 + 20000,
     700000,
     true,
     {MEMINFO,
      {"proc/self/cgroup", "5:memory:/slurm/uid_0/job_3\n1:cpu:/memory\n"},
      {"proc/self/mountinfo", V1},
      {"sys/fs/cgroup/memory/memory.limit_in_bytes", UNLIMITED},
      {"sys/fs/cgroup/memory/slurm/uid_0/memory.limit_in_bytes", "700000\n"},
      {"sys/fs/cgroup/memory/slurm/uid_0/memory.usage_in_bytes", "600000\n"},
      {"sys/fs/cgroup/memory/slurm/uid_0/memory.stat",
       "inactive_file 3\ntotal_inactive_file 20000\n"},
      {"sys/fs/cgroup/memory/slurm/uid_0/job_3/memory.limit_in_bytes", "800000\n"},
      {"sys/fs/cgroup/memory/slurm/uid_0/job_3/memory.usage_in_bytes", "500000\n"}}},
    {"v1, a container that sees the path of its group outside",
     90000 - 40000,
     90000,
     true,
     {MEMINFO,
      {"proc/self/cgroup", "5:memory:/docker/abc/in\n"},
      {"proc/self/mountinfo",
       "30 1 0:9 /docker/ab /elsewhere ro - cgroup cgroup rw,memory\n"
       "31 1 0:9 /docker/abc /groups\\040here ro - cgroup cgroup rw,memory\n"},
      {"elsewhere/memory.limit_in_bytes", "5\n"},
      {"groups here/memory.limit_in_bytes", "90000\n"},
      {"groups here/memory.usage_in_bytes", "40000\n"},
      {"groups here/in/memory.limit_in_bytes", UNLIMITED}}},
    {"v1, a container whose group has no mount: what is mounted stands for it",
     90000 - 40000,
     90000,
     true,
     {MEMINFO,
      {"proc/self/cgroup", "5:memory:/docker/abc\n"},
      {"proc/self/mountinfo", "31 1 0:9 /x /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n"},
      {"sys/fs/cgroup/memory/memory.limit_in_bytes", "90000\n"},
      {"sys/fs/cgroup/memory/memory.usage_in_bytes", "40000\n"}}},
    {"both versions: the controller is in v1",
     80000 - 30000,
     80000,
     true,
     {MEMINFO,
      {"proc/self/cgroup", "4:memory:/job\n1:name=systemd:/a\n0::/a\n"},
      {"proc/self/mountinfo",
       "41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n"
       "35 31 0:30 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu,cpuacct\n" V1},
      {"sys/fs/cgroup/cpu/job/memory.limit_in_bytes", "3\n"},
      {"sys/fs/cgroup/unified/a/memory.pressure", "some\n"},
      {"sys/fs/cgroup/memory/job/memory.limit_in_bytes", "80000\n"},
      {"sys/fs/cgroup/memory/job/memory.usage_in_bytes", "30000\n"}}},
    {"files that say nothing",
     AVAILABLE,
     0,
     false,
     {MEMINFO,
      {"proc/self/cgroup", "\n5:memory\n0::/job"},
      {"proc/self/mountinfo", "\n - \n31 1 0:9 - cgroup2\n31 1 0:9 / - cgroup2 x y\n" V2},
      {"sys/fs/cgroup/job/memory.max", ""}}},
    {"what the machine has free is not known",
     70000,
     70000,
     true,
     {{"proc/self/cgroup", "0::/job\n"},
      {"proc/self/mountinfo", V2},
      {"sys/fs/cgroup/job/memory.max", "70000\n"}}},
};

/* Makes the folders of a path behind its first `from` bytes, or removes them, where they are empty. */
static void folders(const char *path, size_t from, bool make)
{
    char text[PATH_MAX];
    snprintf(text, sizeof text, "%s", path);
    for (char *at = text + from; make && (at = strchr(at, '/')); at++) {
        *at = '\0';
        mkdir(text, 0700);
        *at = '/';
    }
    for (char *at; !make && (at = strrchr(text, '/')) && at >= text + from;) {
        *at = '\0';
        rmdir(text);
    }
}

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void check_machine(const made_machine *m)
{
    char root[] = "free-memory-XXXXXX", path[PATH_MAX];
    assert_non_null(mkdtemp(root));
    for (int i = 0; i < FILES && m->files[i].path; i++) {
        snprintf(path, sizeof path, "%s/%s", root, m->files[i].path);
        folders(path, strlen(root) + 1, true);
        write_file(path, m->files[i].text);
    }
    const tgb_free_memory f = tgb_free_memory_read(root);
    for (int i = 0; i < FILES && m->files[i].path; i++) {
        snprintf(path, sizeof path, "%s/%s", root, m->files[i].path);
        assert_int_equal(unlink(path), 0);
        folders(path, strlen(root) + 1, false);
    }
    assert_int_equal(rmdir(root), 0);
    if (f.free_bytes != m->free_bytes || f.limit_bytes != m->limit_bytes ||
        f.by_group != m->by_group)
        fail_msg("%s: %.0f B free, limit %.0f B, %d; expected %.0f, %.0f, %d", m->what,
                 f.free_bytes, f.limit_bytes, f.by_group, m->free_bytes, m->limit_bytes,
                 m->by_group);
}

static void made_machines(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof machines / sizeof *machines; i++)
        check_machine(&machines[i]);
}

/* Whatever limits there are. */
static void this_machine(void **state)
{
    (void)state;
    const tgb_free_memory f = tgb_free_memory_read("");
    assert_true(f.free_bytes > 1e6 && f.limit_bytes >= 0);
    assert_true(!f.by_group || f.free_bytes <= f.limit_bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(made_machines),
                                       cmocka_unit_test(this_machine)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
