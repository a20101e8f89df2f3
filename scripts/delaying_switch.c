/* delaying_switch.c: a switch in user space, for kernels that cannot delay frames (no netem).
 *
 *     delaying_switch MICROSECONDS NAMESPACE...
 *
 * makes eth0, a TAP device, in each network namespace and hands every frame that is sent there, so much
 * later, to the one that has its address, or to all. Says "ready" when all devices are there, and ends
 * with SIGTERM. All frames wait equally long, so that they are due in the order in which they came.
 * Rates are not its matter: the hosts' own shapers hold them. */
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

enum {
    MOST_PORTS = 8,
    MOST_FRAMES = 8192, /* on their way; then frames wait in the devices */
    FRAME_BYTES = 1536,
    HEADER_BYTES = 14,
    ADDRESS_BYTES = 6,
    AT_ONCE = 16, /* frames of a port before the next one's turn */
    MOST_DELAY_US = 1000000
};

typedef struct {
    uint64_t due_ns;
    int from;
    ssize_t bytes;
    unsigned char data[FRAME_BYTES];
} frame;

static frame frames[MOST_FRAMES]; /* a ring: from `first` on, so many */
static unsigned first, waiting;
static int ports, device[MOST_PORTS];
static unsigned char address[MOST_PORTS][ADDRESS_BYTES]; /* seen as a sender's */

static volatile sig_atomic_t stopped;

static void on_signal(int number)
{
    stopped = number;
}

static uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * UINT64_C(1000000000) + (uint64_t)t.tv_nsec;
}

static void fail(const char *what, const char *name)
{
    fprintf(stderr, "delaying_switch: %s %s: %s\n", what, name, strerror(errno));
    exit(2);
}

/* ---- ports ---- */

static int open_port(const char *namespace)
{
    char path[128];
    struct ifreq request = {.ifr_name = "eth0", .ifr_flags = IFF_TAP | IFF_NO_PI};
    snprintf(path, sizeof path, "/run/netns/%s", namespace);
    const int place = open(path, O_RDONLY | O_CLOEXEC);
    if (place < 0 || setns(place, CLONE_NEWNET) != 0)
        fail("namespace", namespace);
    close(place);
    const int port = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (port < 0 || ioctl(port, TUNSETIFF, &request) != 0)
        fail("/dev/net/tun", namespace);
    return port;
}

static void open_ports(char *const *namespaces)
{
    const int home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    for (int i = 0; i < ports; i++)
        device[i] = open_port(namespaces[i]);
    if (home < 0 || setns(home, CLONE_NEWNET) != 0)
        fail("namespace", "of this process");
    close(home);
}

/* ---- frames ---- */

/* The port of an address; -1: all, for a group's or one that was not seen yet. */
static int port_of(const unsigned char *wanted)
{
    for (int i = 0; i < ports && !(wanted[0] & 1); i++)
        if (memcmp(address[i], wanted, ADDRESS_BYTES) == 0)
            return i;
    return -1;
}

static void deliver(const frame *f)
{
    const int to = port_of(f->data);
    for (int i = 0; i < ports; i++)
        if (i != f->from && (to < 0 || to == i) && write(device[i], f->data, (size_t)f->bytes) < 0)
            continue; /* as a full queue of a real switch: the frame is lost, and sent again by TCP */
}

static void deliver_due(void)
{
    while (waiting > 0 && frames[first].due_ns <= now_ns()) {
        deliver(&frames[first]);
        first = (first + 1) % MOST_FRAMES;
        waiting--;
    }
}

/* Returns whether a frame came. */
static bool take(int port, uint64_t delay_ns)
{
    if (waiting == MOST_FRAMES)
        return false;
    frame *f = &frames[(first + waiting) % MOST_FRAMES];
    f->bytes = read(device[port], f->data, FRAME_BYTES);
    if (f->bytes < HEADER_BYTES)
        return false;
    f->from = port;
    f->due_ns = now_ns() + delay_ns;
    memcpy(address[port], f->data + ADDRESS_BYTES, ADDRESS_BYTES);
    waiting++;
    return true;
}

/* Until a frame comes or one is due; a second at most. */
static void rest(void)
{
    struct pollfd wait[MOST_PORTS];
    const uint64_t now = now_ns(), due = waiting > 0 ? frames[first].due_ns : 0;
    const uint64_t left = waiting == 0 ? 1000000000 : due > now ? due - now : 0;
    const struct timespec time = {(time_t)(left / 1000000000), (long)(left % 1000000000)};
    for (int i = 0; i < ports; i++)
        wait[i] = (struct pollfd){waiting < MOST_FRAMES ? device[i] : -1, POLLIN, 0};
    ppoll(wait, (nfds_t)ports, &time, NULL);
}

int main(int argc, char **argv)
{
    char *end = NULL;
    const long delay_us = argc > 1 ? strtol(argv[1], &end, 10) : -1;
    ports = argc - 2;
    if (delay_us < 0 || delay_us > MOST_DELAY_US || *end || ports < 2 || ports > MOST_PORTS) {
        fputs("delaying_switch: expected microseconds and 2 to 8 namespaces\n", stderr);
        return 2;
    }
    struct sigaction action = {.sa_handler = on_signal};
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    prctl(PR_SET_TIMERSLACK, 1);
    open_ports(argv + 2);
    puts("ready");
    fflush(stdout);
    while (!stopped) {
        bool came = false;
        deliver_due();
        for (int i = 0; i < ports; i++)
            for (int k = 0; k < AT_ONCE && take(i, (uint64_t)delay_us * 1000); k++)
                came = true;
        if (!came)
            rest();
    }
    return 0;
}
