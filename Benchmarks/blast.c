// Sends the packets of a capture file, in order and each once, into an interface that a benchmark made for it.
// usage: blast INTERFACE FILE RATE COUNT SECONDS
//
// RATE is in packets/s, 0: as fast as it goes. It ends by itself: after COUNT packets, at the end of the file, or after
// SECONDS, whichever comes first.
// Only a veth or a dummy is sent into. The file is plain pcap in this machine's byte order, as `generate` writes it.
// Prints packets sent, packets that the kernel refused, the rate that was reached in packets/s, and the processor's time
// in microseconds.
//
// sendmmsg(2) past the queueing discipline: what a packet then takes is the kernel's part of it, on this one processor,
// up to the copy into the ring of whoever listens at the other end of the pair.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <linux/ethtool.h>
#include <linux/sockios.h>

// Packets a call at most; fewer where the rate asks for fewer, so that a slow rate comes evenly.
enum { BATCH = 64, FILE_HEADER = 24, RECORD_HEADER = 16 };
// No packet waits for longer to be sent with others.
static const double longest_wait = 0.0005;

static double seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec + now.tv_nsec / 1e9;
}

static int fail(const char *what) {
    fprintf(stderr, "blast: %s: %s\n", what, strerror(errno));
    return 1;
}

// Never a real network: the driver must be one of those that a script makes.
static int is_made_up(int descriptor, const char *name) {
    struct ethtool_drvinfo driver = {.cmd = ETHTOOL_GDRVINFO};
    struct ifreq request = {0};
    strncpy(request.ifr_name, name, IFNAMSIZ - 1);
    request.ifr_data = (char *)&driver;
    if (ioctl(descriptor, SIOCETHTOOL, &request) != 0) return 0;
    return strcmp(driver.driver, "veth") == 0 || strcmp(driver.driver, "dummy") == 0;
}

// The whole file in memory, so that no disk is waited for.
static const uint8_t *load(const char *name, size_t *size) {
    int file = open(name, O_RDONLY | O_CLOEXEC);
    struct stat status;
    if (file < 0 || fstat(file, &status) != 0) return NULL;
    *size = status.st_size;
    const uint8_t *bytes = mmap(NULL, *size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, file, 0);
    close(file);
    return bytes == MAP_FAILED ? NULL : bytes;
}

static uint32_t word(const uint8_t *at) {
    uint32_t value;
    memcpy(&value, at, sizeof value);
    return value;
}

// Fills the batch with the packets that come next; fewer at the end of the file.
static int fill(struct iovec *pieces, int wanted, const uint8_t *bytes, size_t size, size_t *place) {
    int count = 0;
    while (count < wanted && size - *place >= RECORD_HEADER) {
        uint32_t length = word(bytes + *place + 8);
        if (length > size - *place - RECORD_HEADER) break;
        pieces[count].iov_base = (void *)(uintptr_t)(bytes + *place + RECORD_HEADER);
        pieces[count++].iov_len = length;
        *place += RECORD_HEADER + length;
    }
    return count;
}

// How many packets are due now; waits until there is one.
static long due(double start, double rate, long sent) {
    for (;;) {
        double now = seconds();
        long ahead = (long)((now - start) * rate) - sent;
        if (ahead > 0) return ahead;
        double wait = start + (sent + 1) / rate - now;
        // A sleep ends tens of microseconds late; what is nearer is waited for awake.
        if (wait < 0.0002) continue;
        if (wait > longest_wait) wait = longest_wait;
        struct timespec sleep = {0, (long)(wait / 2 * 1e9)};
        nanosleep(&sleep, NULL);
    }
}

int main(int arguments, char **argument) {
    if (arguments != 6) {
        fputs("usage: blast INTERFACE FILE RATE COUNT SECONDS\n", stderr);
        return 64;
    }
    double rate = strtod(argument[3], NULL);
    long count = strtol(argument[4], NULL, 10);
    double most = strtod(argument[5], NULL);
    size_t size = 0;
    const uint8_t *bytes = load(argument[2], &size);
    if (!bytes) return fail(argument[2]);
    if (size < FILE_HEADER || (word(bytes) != 0xA1B2C3D4 && word(bytes) != 0xA1B23C4D)) {
        fprintf(stderr, "blast: %s: not a pcap file of this machine's byte order\n", argument[2]);
        return 78;
    }
    // Protocol 0: nothing is received.
    int descriptor = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
    if (descriptor < 0) return fail("socket");
    if (!is_made_up(descriptor, argument[1])) {
        fprintf(stderr, "blast: %s: is no veth and no dummy, so nothing is sent into it\n", argument[1]);
        return 1;
    }
    struct sockaddr_ll link = {.sll_family = AF_PACKET, .sll_ifindex = (int)if_nametoindex(argument[1])};
    int on = 1;
    if (bind(descriptor, (struct sockaddr *)&link, sizeof link) != 0) return fail(argument[1]);
    if (setsockopt(descriptor, SOL_PACKET, PACKET_QDISC_BYPASS, &on, sizeof on) != 0) return fail("qdisc bypass");

    struct iovec pieces[BATCH];
    struct mmsghdr messages[BATCH];
    memset(messages, 0, sizeof messages);
    for (int index = 0; index < BATCH; index++) {
        messages[index].msg_hdr.msg_iov = &pieces[index];
        messages[index].msg_hdr.msg_iovlen = 1;
    }
    size_t place = FILE_HEADER;
    long sent = 0, refused = 0;
    double start = seconds();
    while (sent + refused < count && seconds() - start < most) {
        long wanted = count - sent - refused;
        if (rate > 0) {
            long ahead = due(start, rate, sent + refused);
            if (ahead < wanted) wanted = ahead;
        }
        int filled = fill(pieces, wanted < BATCH ? (int)wanted : BATCH, bytes, size, &place);
        if (filled == 0) break;
        for (int done = 0; done < filled;) {
            int taken = sendmmsg(descriptor, messages + done, filled - done, 0);
            if (taken > 0) {
                sent += taken;
                done += taken;
            } else if (errno == ENOBUFS || errno == EAGAIN || errno == EINTR) {
                // The interface had no room for this one.
                refused++;
                done++;
            } else {
                return fail(argument[1]);
            }
        }
    }
    double taken = seconds() - start;
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    long processor = (used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1000000 + used.ru_utime.tv_usec + used.ru_stime.tv_usec;
    printf("%ld %ld %.0f %ld\n", sent, refused, taken > 0 ? sent / taken : 0, processor);
    return 0;
}
