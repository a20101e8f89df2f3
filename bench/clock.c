/* clock.c: offset and drift of a rank's clock against rank 0's. A rank that has its model is the
 * server of one that has none yet: it answers each ping with its own reading of rank 0's clock, so
 * that no models are composed. Of some ping-pongs the one with the shortest round trip counts:
 *
 *   offset = answer - (sent + received) / 2,  wrong by at most (received - sent) / 2
 *
 * The drift is the slope of a line through such points, each weighted by its round trip, and pulled
 * towards 0 as strongly as is known of quartz clocks. */
#include "bench/clock.h"

#include <math.h>
#include <string.h>
#include <time.h>

enum { TAG = 1, POINTS = 20, PINGS = 10 };
static const double USUAL_DRIFT = 50e-6, LEAST_DRIFT = 0.02e-6; /* standard deviations */

static tgb_clock_facts known = {.kind = "none"};

uint64_t tgb_now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC_RAW, &t);
    return (uint64_t)t.tv_sec * UINT64_C(1000000000) + (uint64_t)t.tv_nsec;
}

bool tgb_clock_simulated(void)
{
    char text[MPI_MAX_LIBRARY_VERSION_STRING];
    int length;
    MPI_Get_library_version(text, &length);
    return strstr(text, "SMPI") != NULL;
}

/* ---- reading ---- */

static int64_t correction(const tgb_clock *clock, uint64_t local_ns)
{
    const double since = (double)(int64_t)(local_ns - clock->at_ns);
    return clock->offset_ns + llround(clock->drift * since);
}

uint64_t tgb_clock_global(const tgb_clock *clock, uint64_t local_ns)
{
    return local_ns + (uint64_t)correction(clock, local_ns);
}

uint64_t tgb_clock_local(const tgb_clock *clock, uint64_t global_ns)
{
    const uint64_t near = global_ns - (uint64_t)clock->offset_ns;
    const double since = (double)(int64_t)(near - clock->at_ns);
    return clock->at_ns + (uint64_t)llround(since / (1 + clock->drift));
}

/* ---- ping-pong ---- */

typedef struct {
    uint64_t own, global; /* of the server, ns */
    double bound_ns;      /* of its model */
} answer;

/* One ping-pong, the best of some. */
typedef struct {
    uint64_t at_ns;    /* on the client's clock: the middle of the round trip */
    int64_t offset_ns; /* server's reading of rank 0's clock minus the client's clock */
    double trip_ns;
} point;

static void serve(MPI_Comm comm, int client, int points, const tgb_clock *clock)
{
    for (int i = 0; i < points * PINGS; i++) {
        MPI_Recv(NULL, 0, MPI_BYTE, client, TAG, comm, MPI_STATUS_IGNORE);
        answer a = {.own = tgb_now_ns(), .bound_ns = clock->bound_ns};
        a.global = tgb_clock_global(clock, a.own);
        MPI_Send(&a, (int)sizeof a, MPI_BYTE, client, TAG, comm);
    }
}

/* *one: could the server's clock be this one? Its reading must lie between sending and receiving. */
static point ask(MPI_Comm comm, int server, bool *one, double *server_bound_ns)
{
    point best = {.trip_ns = INFINITY};
    for (int i = 0; i < PINGS; i++) {
        answer a;
        const uint64_t sent = tgb_now_ns();
        MPI_Send(NULL, 0, MPI_BYTE, server, TAG, comm);
        MPI_Recv(&a, (int)sizeof a, MPI_BYTE, server, TAG, comm, MPI_STATUS_IGNORE);
        const uint64_t received = tgb_now_ns(), middle = sent + (received - sent) / 2;
        *one = *one && sent <= a.own && a.own <= received;
        *server_bound_ns = a.bound_ns;
        if ((double)(received - sent) < best.trip_ns)
            best = (point){middle, (int64_t)(a.global - middle), (double)(received - sent)};
    }
    return best;
}

/* ---- the line through some points ---- */

/* Half the trip is the largest error of a point; a quarter of it is taken as its deviation. */
static double deviation(const point *p)
{
    return fmax(p->trip_ns / 4, 1);
}

/* The offset is that of the point with the shortest trip. The drift comes from weighted least
 * squares, with what is known of drifts as one more observation: drift = 0. */
static void fit(const point *points, int n, tgb_clock *clock)
{
    double weights = 0, x_mean = 0, y_mean = 0, xx = 0, xy = 0;
    const point *first = &points[0], *best = first;
    for (int i = 0; i < n; i++) {
        const double w = 1 / (deviation(&points[i]) * deviation(&points[i]));
        weights += w;
        x_mean += w * (double)(points[i].at_ns - first->at_ns);
        y_mean += w * (double)(points[i].offset_ns - first->offset_ns);
        best = points[i].trip_ns < best->trip_ns ? &points[i] : best;
    }
    x_mean /= weights;
    y_mean /= weights;
    for (int i = 0; i < n; i++) {
        const double w = 1 / (deviation(&points[i]) * deviation(&points[i]));
        const double x = (double)(points[i].at_ns - first->at_ns) - x_mean;
        const double y = (double)(points[i].offset_ns - first->offset_ns) - y_mean;
        xx += w * x * x;
        xy += w * x * y;
    }
    const double usual = 1 / (USUAL_DRIFT * USUAL_DRIFT);
    clock->drift = xy / (xx + usual);
    clock->drift_variance = 1 / (xx + usual);
    clock->at_ns = best->at_ns;
    clock->offset_ns = best->offset_ns;
    clock->noise_ns = deviation(best);
}

/* A new point: the model's error there is shared out among the offset, the drift and the ping-pong
 * in the measure in which each is unknown (a Kalman filter without covariances). */
static void correct(const point *p, tgb_clock *clock)
{
    const double since = (double)(int64_t)(p->at_ns - clock->at_ns);
    const int64_t expected = correction(clock, p->at_ns);
    const double error = (double)(p->offset_ns - expected);
    const double by_drift = clock->drift_variance * since;
    const double unknown = clock->noise_ns * clock->noise_ns + by_drift * since;
    const double all = unknown + deviation(p) * deviation(p);
    clock->offset_ns = expected + llround(error * unknown / all);
    clock->at_ns = p->at_ns;
    clock->noise_ns = sqrt(unknown * (1 - unknown / all));
    clock->drift += error * by_drift / all;
    clock->drift_variance =
        fmax(clock->drift_variance - by_drift * by_drift / all, LEAST_DRIFT * LEAST_DRIFT);
}

/* ---- the tree ---- */

/* What a rank does in its one round as a client. Returns whether one clock is possible. */
typedef bool client_of(MPI_Comm comm, int server, tgb_clock *clock);

static bool learn_from(MPI_Comm comm, int server, tgb_clock *clock)
{
    const struct timespec nap = {.tv_nsec = 500000};
    point points[POINTS];
    bool one = true;
    double shortest = INFINITY, server_bound = 0;
    for (int i = 0; i < POINTS; i++) {
        nanosleep(&nap, NULL);
        points[i] = ask(comm, server, &one, &server_bound);
        shortest = fmin(shortest, points[i].trip_ns);
    }
    clock->bound_ns = shortest / 2 + server_bound;
    fit(points, POINTS, clock);
    return one;
}

static bool renew_from(MPI_Comm comm, int server, tgb_clock *clock)
{
    bool one = true;
    double server_bound;
    const point p = ask(comm, server, &one, &server_bound);
    const int64_t error = p.offset_ns - correction(clock, p.at_ns);
    clock->residual_ns = fmax(clock->residual_ns, fabs((double)error));
    if (strcmp(clock->kind, "model") == 0)
        correct(&p, clock);
    return one;
}

/* Partners are far apart first, so that in every round all that have a model serve one that has
 * none. Ranks beyond the largest power of two come last. Returns false where one clock is
 * impossible; *rounds: of the tree. */
static bool along_tree(MPI_Comm comm, int points, client_of *as_client, tgb_clock *clock,
                       int *rounds)
{
    int rank, size, power = 1;
    bool one = true;
    MPI_Comm_rank(comm, &rank);
    MPI_Comm_size(comm, &size);
    while (power <= size / 2)
        power *= 2;
    *rounds = 0;
    for (int step = power / 2; step > 0; step /= 2, ++*rounds) {
        if (rank >= power || rank % step != 0)
            continue;
        if (rank % (2 * step) == 0)
            serve(comm, rank + step, points, clock);
        else
            one = as_client(comm, rank - step, clock);
    }
    if (size > power)
        ++*rounds;
    if (rank >= power)
        one = as_client(comm, rank - power, clock);
    else if (rank + power < size)
        serve(comm, rank + power, points, clock);
    return one;
}

void tgb_clock_learn(MPI_Comm comm, bool one_machine, tgb_clock *clock)
{
    *clock = (tgb_clock){.kind = tgb_clock_simulated() ? "simulated" : "one"};
    if (strcmp(clock->kind, "simulated") == 0)
        return;
    int one = along_tree(comm, POINTS, learn_from, clock, &clock->rounds) && one_machine;
    MPI_Allreduce(MPI_IN_PLACE, &one, 1, MPI_INT, MPI_MIN, comm);
    if (!one) {
        clock->kind = "model";
        return;
    }
    clock->residual_ns = fabs((double)correction(clock, clock->at_ns));
    clock->offset_ns = 0;
    clock->drift = 0;
}

void tgb_clock_renew(MPI_Comm comm, tgb_clock *clock)
{
    int rounds;
    if (strcmp(clock->kind, "simulated") != 0)
        along_tree(comm, 1, renew_from, clock, &rounds);
}

/* ---- facts ---- */

static void keep(const tgb_clock *clock, const double worst[3])
{
    if (strcmp(known.kind, "model") != 0)
        known.kind = clock->kind;
    known.rounds = clock->rounds > known.rounds ? clock->rounds : known.rounds;
    known.residual_us = fmax(known.residual_us, worst[0] / 1e3);
    known.bound_us = fmax(known.bound_us, worst[1] / 1e3);
    known.drift_ppm_max = fmax(known.drift_ppm_max, worst[2] * 1e6);
}

void tgb_clock_close(MPI_Comm comm, tgb_clock *clock)
{
    int size;
    MPI_Comm_size(comm, &size);
    if (size < 2)
        return;
    tgb_clock_renew(comm, clock);
    double worst[3] = {clock->residual_ns, clock->bound_ns, fabs(clock->drift)};
    MPI_Allreduce(MPI_IN_PLACE, worst, 3, MPI_DOUBLE, MPI_MAX, comm);
    keep(clock, worst);
}

tgb_clock_facts tgb_clock_known(void)
{
    return known;
}
