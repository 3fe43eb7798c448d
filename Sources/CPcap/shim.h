#ifndef TAUTLINE_CPCAP_H
#define TAUTLINE_CPCAP_H
#include <pcap/pcap.h>
#endif
