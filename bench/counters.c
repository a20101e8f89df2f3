/* counters.c: PAPI behind five functions. The library is started when the first set is made, not
 * before: a launch that counts nothing never wakes it. Source: the manual of PAPI 7, and libsde's
 * header for software-defined events, which must be registered before PAPI starts. */
#include "bench/counters.h"

#ifdef TGB_PAPI
#include <papi.h>
#endif
#ifdef TGB_SDE
#include <sde_lib.h>
#endif

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef TGB_PAPI

struct tgb_counter_set {
    int handle; /* PAPI's event set */
};

const char *tgb_counters_library(void)
{
    static char text[64];
    const unsigned version = PAPI_VERSION;
#ifdef TGB_SDE
    const char *own = ", libsde";
#else
    const char *own = "";
#endif
    snprintf(text, sizeof text, "PAPI %u.%u.%u%s", PAPI_VERSION_MAJOR(version),
             PAPI_VERSION_MINOR(version), PAPI_VERSION_REVISION(version), own);
    return text;
}

void tgb_counters_publish(const char *name, long long *value)
{
#ifdef TGB_SDE
    static papi_handle_t library;
    if (!library)
        library = papi_sde_init("TENSORGAUGE");
    papi_sde_register_counter(library, name, PAPI_SDE_RO | PAPI_SDE_DELTA, PAPI_SDE_long_long,
                              value);
#else
    (void)name;
    (void)value;
#endif
}

/* Starts the library once; what it answered then is the answer for good. */
static tg_status start_library(void)
{
    static int answer;
    if (answer == 0)
        answer = PAPI_library_init(PAPI_VER_CURRENT);
    if (answer == PAPI_VER_CURRENT)
        return tg_success();
    return tg_fail(TG_BAD_INPUT, "PAPI cannot be started: %s",
                   answer < 0 ? PAPI_strerror(answer) : "it has another version than its header");
}

/* Why the component of an event is disabled: the part before ":::" names it; events without one
 * belong to the processor's, the first. */
static const char *disabled_reason(const char *event)
{
    char name[PAPI_MIN_STR_LEN] = "";
    const char *end = strstr(event, ":::");
    if (end)
        snprintf(name, sizeof name, "%.*s", (int)(end - event), event);
    const int index = end ? PAPI_get_component_index(name) : 0;
    const PAPI_component_info_t *info = index >= 0 ? PAPI_get_component_info(index) : NULL;
    return info && info->disabled ? info->disabled_reason : "";
}

static tg_status reason_of(const char *event, int answer)
{
    const char *error = PAPI_strerror(answer), *more = disabled_reason(event);
    return tg_fail(TG_BAD_INPUT, "%s%s%.120s", error ? error : "PAPI gives no reason",
                   *more ? ": " : "", more);
}

/* Counts nothing, so that what cannot be counted is found before the first operation. */
static int try_once(int handle)
{
    long long values[TGB_MAX_EVENTS];
    const int answer = PAPI_start(handle);
    return answer == PAPI_OK ? PAPI_stop(handle, values) : answer;
}

tg_status tgb_counter_set_make(const char *const *events, int count, tgb_counter_set **set)
{
    int handle = PAPI_NULL, answer = PAPI_OK, i;
    *set = NULL;
    tg_status status = start_library();
    if (status.code != TG_OK)
        return status;
    answer = count <= TGB_MAX_EVENTS ? PAPI_create_eventset(&handle) : PAPI_ECOUNT;
    for (i = 0; i < count && answer == PAPI_OK; i++)
        answer = PAPI_add_named_event(handle, events[i]);
    if (answer == PAPI_OK)
        answer = try_once(handle);
    if (answer == PAPI_OK) {
        *set = malloc(sizeof **set);
        if (!*set)
            status = tg_fail(TG_NO_MEMORY, "no memory for a set of counters");
    } else {
        status = reason_of(events[i > 0 ? i - 1 : 0], answer);
    }
    if (*set)
        (*set)->handle = handle;
    else if (handle != PAPI_NULL) {
        PAPI_cleanup_eventset(handle);
        PAPI_destroy_eventset(&handle);
    }
    return status;
}

void tgb_counter_set_free(tgb_counter_set *set)
{
    if (!set)
        return;
    PAPI_cleanup_eventset(set->handle);
    PAPI_destroy_eventset(&set->handle);
    free(set);
}

bool tgb_counter_set_start(tgb_counter_set *set)
{
    return PAPI_start(set->handle) == PAPI_OK;
}

bool tgb_counter_set_stop(tgb_counter_set *set, long long *values)
{
    return PAPI_stop(set->handle, values) == PAPI_OK;
}

#else /* without PAPI */

const char *tgb_counters_library(void)
{
    return "none";
}

void tgb_counters_publish(const char *name, long long *value)
{
    (void)name;
    (void)value;
}

tg_status tgb_counter_set_make(const char *const *events, int count, tgb_counter_set **set)
{
    (void)events;
    (void)count;
    *set = NULL;
    return tg_fail(TG_BAD_INPUT, "built without PAPI");
}

void tgb_counter_set_free(tgb_counter_set *set)
{
    (void)set;
}

bool tgb_counter_set_start(tgb_counter_set *set)
{
    (void)set;
    return false;
}

bool tgb_counter_set_stop(tgb_counter_set *set, long long *values)
{
    (void)set;
    (void)values;
    return false;
}

#endif
