/* provenance.c: collects run.json with jansson. */
#include "driver/provenance.h"

#include "bench/record.h"
#include "driver/child.h"
#include "driver/paths.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Variables that are written: these names, and names that begin so, unless they look like a secret.
 * run.schema.json says it again to those who read the file. */
static const char *const prefixes[] = {"OMPI_MCA_",  "PRTE_MCA_", "PMIX_MCA_", "UCX_",  "MPICH_",
                                       "MPIR_CVAR_", "HYDRA_",    "I_MPI_",    "FI_",   "OMP_",
                                       "GOMP_",      "KMP_",      "OPENBLAS_", "DNNL_", "ONEDNN_"};
static const char *const names[] = {
    "OMPI_ALLOW_RUN_AS_ROOT", "SLURM_JOB_ID",       "SLURM_JOB_NUM_NODES",   "SLURM_JOB_NODELIST",
    "SLURM_JOB_PARTITION",    "SLURM_NTASKS",       "SLURM_NTASKS_PER_NODE", "SLURM_CPUS_PER_TASK",
    "SLURM_MPI_TYPE",         "SLURM_DISTRIBUTION", "SLURM_CPU_BIND",        "LD_PRELOAD",
    "MALLOC_ARENA_MAX"};
static const char *const secrets[] = {"SECRET",     "TOKEN", "PASS", "KEY",
                                      "CREDENTIAL", "JWT",   "AUTH", "COOKIE"};

#define COUNT_OF(array) ((int)(sizeof(array) / sizeof *(array)))

static bool is_allowed(const char *name)
{
    for (int i = 0; i < COUNT_OF(secrets); i++)
        if (strcasestr(name, secrets[i]))
            return false;
    for (int i = 0; i < COUNT_OF(prefixes); i++)
        if (strncmp(name, prefixes[i], strlen(prefixes[i])) == 0)
            return true;
    for (int i = 0; i < COUNT_OF(names); i++)
        if (strcmp(name, names[i]) == 0)
            return true;
    return false;
}

/* Text that is not UTF-8 (a host's odd word) is replaced, so that the file is always JSON. */
json_t *tgd_json_text(const char *value)
{
    json_t *string = value ? json_string(value) : json_null();
    return string ? string : json_string("(not UTF-8)");
}

static json_t *words_array(char *const *word, int count)
{
    json_t *array = json_array();
    for (int i = 0; i < count; i++)
        json_array_append_new(array, tgd_json_text(word[i]));
    return array;
}

json_t *tgd_words_json(const tgd_words *words)
{
    return words_array(words->word, words->count);
}

static json_t *environment(void)
{
    json_t *object = json_object();
    for (char **variable = environ; *variable; variable++) {
        char *name = strndup(*variable, strcspn(*variable, "="));
        if (name && is_allowed(name))
            json_object_set_new(object, name, tgd_json_text(getenv(name)));
        free(name);
    }
    return object;
}

static json_t *campaign_of(const tgd_campaign *c)
{
    json_t *object = json_object();
    json_object_set_new(object, "name", tgd_json_text(c->name));
    json_object_set_new(object, "path", tgd_json_text(c->path));
    json_object_set_new(object, "launches", json_integer(c->launches));
    json_object_set_new(object, "budget_s", json_real(c->budget_s));
    json_object_set_new(object, "seed", json_integer(c->seed));
    json_object_set_new(object, "text", tgd_json_text(c->text));
    return object;
}

static json_t *machine_of(const tgd_machine *m)
{
    json_t *object = json_object();
    json_object_set_new(object, "host", tgd_json_text(m->host));
    json_object_set_new(object, "kernel", tgd_json_text(m->kernel));
    json_object_set_new(object, "cpu_model", tgd_json_text(m->cpu_model));
    json_object_set_new(object, "cpus", json_integer(m->cpus));
    json_object_set_new(object, "cores", json_integer(m->cores));
    json_object_set_new(object, "cpu_flags", words_array(m->flags.word, m->flags.count));
    json_object_set_new(object, "caches", words_array(m->caches.word, m->caches.count));
    json_object_set_new(object, "governor", tgd_json_text(*m->governor ? m->governor : NULL));
    json_object_set_new(object, "memory_bytes", json_integer((json_int_t)m->memory_bytes));
    json_t *load = json_array();
    for (int i = 0; i < 3; i++)
        json_array_append_new(load, json_real(m->load[i]));
    json_object_set_new(object, "load_at_start", load);
    return object;
}

/* What a git command prints in the source tree, or NULL. */
static char *ask_git(const char *const *arguments)
{
    tgd_words words = {NULL, 0};
    const char *const start[] = {"git", "-C", TGD_SOURCE_DIR};
    for (int i = 0; i < 3; i++)
        tgd_words_add(&words, start[i]);
    for (; *arguments; arguments++)
        tgd_words_add(&words, *arguments);
    char *output, *errors;
    const int status = tgd_child_capture(&words, &output, &errors);
    tgd_words_free(&words);
    free(errors);
    if (status != 0) {
        free(output);
        return NULL;
    }
    return output;
}

/* Commit and dirty flag of the source tree, when it is the top of a git tree and git is there. An
 * installed program does not know what became of the tree that it was built from. */
static json_t *source_of(void)
{
    if (tgd_is_installed())
        return json_null();
    static const char *const head[] = {"rev-parse", "--show-prefix", "HEAD", NULL};
    static const char *const changes[] = {"status", "--porcelain", NULL};
    char *commit = ask_git(head);
    if (!commit ||
        *commit != '\n') { /* a first line that is not empty: a folder inside another tree */
        free(commit);
        return json_null();
    }
    char *changed = ask_git(changes);
    commit[1 + strcspn(commit + 1, "\n")] = '\0';
    json_t *object = json_object();
    json_object_set_new(object, "commit", tgd_json_text(commit + 1));
    json_object_set_new(object, "dirty", changed ? json_boolean(*changed != '\0') : json_null());
    free(commit);
    free(changed);
    return object;
}

json_t *tgd_provenance_bench(const tgd_bench *bench)
{
    json_t *object = json_object();
    json_object_set_new(object, "path", tgd_json_text(bench->path));
    json_object_set(object, "version", json_object_get(bench->info, "version"));
    json_object_set(object, "build", json_object_get(bench->info, "build"));
    return object;
}

json_t *tgd_provenance_builds(const tgd_builds *builds)
{
    json_t *array = json_array();
    for (int i = 0; i < builds->count; i++) {
        const tgd_words *words = &builds->at[i].launcher.words;
        json_t *bench = tgd_provenance_bench(&builds->at[i].bench);
        json_object_set_new(bench, "launcher", words_array(words->word, words->count));
        json_array_append_new(array, bench);
    }
    return array;
}

json_t *tgd_provenance(const tgd_campaign *campaign, const tgd_launcher *launcher,
                       const char *run_id, int argc, char *const *argv)
{
    json_t *run = json_object();
    char *now = tgd_utc(false);
    json_object_set_new(run, "schema", json_integer(TGB_SCHEMA));
    json_object_set_new(run, "run_id", tgd_json_text(run_id));
    json_object_set_new(run, "version", tgd_json_text(TGD_VERSION));
    json_object_set_new(run, "started", tgd_json_text(now));
    json_object_set_new(run, "command", words_array(argv, argc));
    if (campaign)
        json_object_set_new(run, "campaign", campaign_of(campaign));
    json_object_set_new(run, "machine", machine_of(launcher->machine));
    json_object_set_new(run, "tgbench", tgd_provenance_bench(launcher->bench));
    json_object_set_new(run, "launcher", words_array(launcher->words.word, launcher->words.count));
    json_object_set_new(run, "blas_core_set", tgd_json_text(launcher->blas_core));
    json_object_set_new(run, "source", source_of());
    json_object_set_new(run, "environment", environment());
    json_object_set_new(run, "launches", json_array());
    free(now);
    return run;
}

tg_status tgd_json_write(const json_t *object, const char *path)
{
    char *fresh = tgd_format("%s.new", path);
    tg_status status = tg_success();
    if (json_dump_file(object, fresh, JSON_INDENT(2)) != 0 || rename(fresh, path) != 0) {
        status = tg_fail(TG_BAD_INPUT, "'%.150s': %s; expected a file that can be written", path,
                         strerror(errno));
        unlink(fresh);
    }
    free(fresh);
    return status;
}
