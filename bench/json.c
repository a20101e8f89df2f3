/* json.c: the operations and the cells of a dry run as JSON. */
#include "bench/json.h"

#include "bench/counters.h"
#include "bench/row.h"
#include "bench/weight.h"

#include <jansson.h>

static json_t *json_list(const char *const *names)
{
    json_t *list = json_array();
    for (; *names; names++)
        json_array_append_new(list, json_string(*names));
    return list;
}

/* By algorithm: formulas, or null where they are not known. */
static json_t *json_weights(const tgb_operation *o)
{
    json_t *weights = json_object();
    for (int i = 0; o->weigh && o->algorithms[i]; i++) {
        const tg_weights *w = tg_algorithm_find(o->primitive, o->algorithms[i])->weights;
        json_object_set_new(weights, o->algorithms[i],
                            w ? json_pack("{s:s, s:s, s:s}", "rounds", w->rounds, "bytes", w->bytes,
                                          "source", w->source)
                              : json_null());
    }
    return weights;
}

static json_t *json_operation(const tgb_operation *o)
{
    json_t *directions = json_array(), *keys = json_array();
    for (int i = 0; i < o->ndirections; i++)
        json_array_append_new(directions, json_string(o->directions[i].name));
    for (const tgb_key *key = o->keys; key->name; key++)
        json_array_append_new(keys,
                              json_pack("{s:s, s:s?}", "key", key->name, "default", key->initial));
    return json_pack("{s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:s, s:s, s:s, s:s}", "name",
                     o->name, "kind", o->kind, "directions", directions, "algorithms",
                     json_list(o->algorithms), "lacking", json_list(o->lacking), "dtypes",
                     json_list(o->dtypes), "kernels", json_list(o->kernels), "keys", keys,
                     "weights", json_weights(o), "formula", o->formula, "adjoint", o->adjoint,
                     "source", o->source, "summary", o->summary);
}

static const char *mpi_family(void)
{
#if defined(OPEN_MPI)
    return "openmpi";
#elif defined(MPICH_VERSION)
    return "mpich";
#elif defined(SMPI_H)
    return "smpi";
#else
    return "other";
#endif
}

static json_t *json_build(void)
{
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "name", TGB_BUILD, "compiler",
                     TGB_COMPILER, "flags", TGB_FLAGS, "mpi", tgb_mpi_version(), "mpi_family",
                     mpi_family(), "mpiexec", TGB_MPIEXEC, "blas_core", tgl_blas_core(), "blas",
                     "OpenBLAS", "counters", tgb_counters_library());
}

static bool print(json_t *value)
{
    bool good = value && json_dumpf(value, stdout, JSON_INDENT(1)) == 0 && puts("") >= 0;
    json_decref(value);
    return good;
}

bool tgb_print_operations(const tgb_operation *const *row, int count)
{
    json_t *operations = json_array();
    for (int i = 0; i < count; i++)
        json_array_append_new(operations, json_operation(row[i]));
    return print(json_pack("{s:s, s:o, s:o}", "version", TGB_VERSION, "build", json_build(),
                           "operations", operations));
}

/* A number, or null: not known. */
static json_t *json_known(ptrdiff_t value)
{
    return value >= 0 ? json_integer((json_int_t)value) : json_null();
}

static json_t *json_weight(const tgb_cell *c)
{
    tgb_weight w;
    if (tgb_weigh(c, &w).code != TG_OK)
        w.of = (tg_weight){-1, -1, -1};
    return json_pack("{s:o, s:o, s:o, s:o, s:o}", "rounds", json_known(w.of.rounds), "messages",
                     json_known(w.of.messages), "bytes", json_known(w.of.bytes), "rounds_min",
                     json_known(w.rounds_min), "bytes_min", json_known(w.bytes_min));
}

static json_t *json_cell(const tgb_cell *c)
{
    const tgb_setup *s = &c->setup;
    return json_pack("{s:I, s:s, s:s, s:s, s:i, s:s, s:I, s:I, s:o}", "cell", (json_int_t)c->number,
                     "op", s->operation->name, "case", s->text, "direction", c->direction->name,
                     "ranks", s->ranks, "scaling", tgb_scaling_name(c->scaling), "size_bytes",
                     (json_int_t)s->size_bytes, "held_bytes", (json_int_t)tgb_held_bytes(s),
                     "weight", json_weight(c));
}

bool tgb_print_cells(const tgb_cells *cells)
{
    json_t *list = json_array();
    for (int i = 0; i < cells->count; i++)
        json_array_append_new(list, json_cell(&cells->cell[i]));
    return print(list);
}
