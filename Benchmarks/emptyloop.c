// What libpcap itself takes to read a file: every packet is counted and nothing is done with it.
// usage: emptyloop FILE
#include <pcap/pcap.h>
#include <stdio.h>

static void count(u_char *total, const struct pcap_pkthdr *header, const u_char *bytes) {
    (void)header;
    (void)bytes;
    ++*(unsigned long *)(void *)total;
}

int main(int arguments, char **argument) {
    if (arguments != 2) {
        fputs("usage: emptyloop FILE\n", stderr);
        return 64;
    }
    char message[PCAP_ERRBUF_SIZE];
    pcap_t *source = pcap_open_offline_with_tstamp_precision(argument[1], PCAP_TSTAMP_PRECISION_NANO, message);
    if (!source) {
        fprintf(stderr, "emptyloop: %s\n", message);
        return 1;
    }
    unsigned long packets = 0;
    int status = pcap_loop(source, -1, count, (u_char *)&packets);
    pcap_close(source);
    printf("%lu\n", packets);
    return status == 0 ? 0 : 1;
}
