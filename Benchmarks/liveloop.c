// libpcap's empty loop on an interface, until SIGTERM or for SECONDS at most.
// usage: liveloop INTERFACE RING-BYTES SECONDS
//
// Prints packets read, packets that the kernel dropped, and the processor's time in microseconds.
#include <pcap/pcap.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

static volatile sig_atomic_t must_stop;

static void stop(int number) {
    (void)number;
    must_stop = 1;
}

static void count(u_char *total, const struct pcap_pkthdr *header, const u_char *bytes) {
    (void)header;
    (void)bytes;
    ++*(unsigned long *)(void *)total;
}

static long microseconds(struct timeval time) { return time.tv_sec * 1000000 + time.tv_usec; }

int main(int arguments, char **argument) {
    if (arguments != 4) {
        fputs("usage: liveloop INTERFACE RING-BYTES SECONDS\n", stderr);
        return 64;
    }
    signal(SIGTERM, stop);
    char message[PCAP_ERRBUF_SIZE];
    pcap_t *source = pcap_create(argument[1], message);
    if (!source) {
        fprintf(stderr, "liveloop: %s\n", message);
        return 1;
    }
    pcap_set_snaplen(source, 256);
    pcap_set_buffer_size(source, atoi(argument[2]));
    pcap_set_promisc(source, 1);
    pcap_set_timeout(source, 100);
    pcap_set_tstamp_precision(source, PCAP_TSTAMP_PRECISION_NANO);
    if (pcap_activate(source) < 0 || pcap_setnonblock(source, 1, message) != 0) {
        fprintf(stderr, "liveloop: %s\n", pcap_geterr(source));
        return 1;
    }
    unsigned long packets = 0;
    struct pollfd ready = {pcap_get_selectable_fd(source), POLLIN, 0};
    time_t end = time(NULL) + atoi(argument[3]);
    while (!must_stop && time(NULL) < end) {
        poll(&ready, 1, 200);
        if (pcap_dispatch(source, 4096, count, (u_char *)&packets) < 0) break;
    }
    struct pcap_stat counts = {0, 0, 0};
    pcap_stats(source, &counts);
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    printf("%lu %u %ld\n", packets, counts.ps_drop, microseconds(used.ru_utime) + microseconds(used.ru_stime));
    pcap_close(source);
    return 0;
}
