// Writes a capture of TCP traffic: the same seed gives the same bytes.
// usage: generate FILE FLOWS PACKETS SEED
//
// Each packet belongs to a flow drawn at random, which is the hardest order for the caches of whoever reads it. A flow
// opens with a handshake, then the server sends bulk data that the client acknowledges every second segment; both carry
// timestamps of a millisecond clock. One segment in 512 is sent again. 96 bytes of each frame are kept, and one
// flow in eight is IPv6.
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SNAP = 96, PAYLOAD = 1448, REQUEST = 300 };

struct flow {
    uint32_t client_sequence, server_sequence, acknowledged;
    uint32_t client_echo, server_echo;
    uint32_t step;
};

static uint64_t state;

static uint64_t draw(void) {
    // splitmix64
    uint64_t z = (state += 0x9E3779B97F4A7C15u);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

static void put16(uint8_t *at, uint32_t value) {
    at[0] = value >> 8;
    at[1] = value;
}

static void put32(uint8_t *at, uint32_t value) {
    put16(at, value >> 16);
    put16(at + 2, value & 0xFFFF);
}

static int is_ipv6(uint32_t number) { return number % 8 == 7; }

// Fills `frame` and returns its length on the wire.
static uint32_t build(
    uint8_t *frame, uint32_t number, int from_client, uint8_t flags, uint32_t sequence, uint32_t acknowledgement,
    uint32_t payload, uint32_t value, uint32_t echo, uint32_t identification) {
    memset(frame, 0, SNAP);
    memcpy(frame, from_client ? "\2\0\0\0\0\1\2\0\0\0\0\2" : "\2\0\0\0\0\2\2\0\0\0\0\1", 12);
    uint32_t client = 0x0A000000 + number % 1000003;
    uint32_t server = 0xC6336400 + number % 61;
    uint8_t *tcp;
    uint32_t length;
    if (is_ipv6(number)) {
        put16(frame + 12, 0x86DD);
        uint8_t *ip = frame + 14;
        ip[0] = 0x60;
        put16(ip + 4, 32 + payload);
        ip[6] = 6;
        ip[7] = 64;
        put32(ip + (from_client ? 8 : 24), 0x20010DB8);
        put32(ip + (from_client ? 20 : 36), client);
        put32(ip + (from_client ? 24 : 8), 0x20010DB8);
        put32(ip + (from_client ? 36 : 20), server);
        tcp = ip + 40;
        length = 14 + 40 + 32 + payload;
    } else {
        put16(frame + 12, 0x0800);
        uint8_t *ip = frame + 14;
        ip[0] = 0x45;
        put16(ip + 2, 20 + 32 + payload);
        put16(ip + 4, identification);
        ip[6] = 0x40;
        ip[8] = 64;
        ip[9] = 6;
        put32(ip + (from_client ? 12 : 16), client);
        put32(ip + (from_client ? 16 : 12), server);
        uint32_t sum = 0;
        for (int i = 0; i < 20; i += 2) sum += (uint32_t)ip[i] << 8 | ip[i + 1];
        sum = (sum & 0xFFFF) + (sum >> 16);
        sum = (sum & 0xFFFF) + (sum >> 16);
        put16(ip + 10, ~sum & 0xFFFF);
        tcp = ip + 20;
        length = 14 + 20 + 32 + payload;
    }
    uint32_t port = 32768 + (number * 7u) % 28232;
    put16(tcp, from_client ? port : 443);
    put16(tcp + 2, from_client ? 443 : port);
    put32(tcp + 4, sequence);
    put32(tcp + 8, acknowledgement);
    tcp[12] = 0x80;
    tcp[13] = flags;
    put16(tcp + 14, 501);
    // No checksum over bytes that are not written; what readers compare is that packets differ.
    put16(tcp + 16, (sequence ^ acknowledgement ^ value) & 0xFFFF);
    put32(tcp + 20, 0x0101080A);
    put32(tcp + 24, value);
    put32(tcp + 28, echo);
    return length;
}

static uint32_t next(uint8_t *frame, struct flow *flow, uint32_t number, uint64_t nanoseconds, uint32_t identification) {
    uint32_t clock = nanoseconds / 1000000;
    uint32_t client_clock = clock + number * 2654435761u, server_clock = clock + number * 40503u + 77;
    uint32_t step = flow->step++;
    switch (step) {
    case 0:
        flow->client_sequence = draw();
        flow->server_sequence = draw();
        flow->server_echo = client_clock;
        return build(frame, number, 1, 0x02, flow->client_sequence++, 0, 0, client_clock, 0, identification);
    case 1:
        flow->client_echo = server_clock;
        return build(
            frame, number, 0, 0x12, flow->server_sequence++, flow->client_sequence, 0, server_clock, flow->server_echo,
            identification);
    case 2:
        flow->server_echo = client_clock;
        return build(
            frame, number, 1, 0x10, flow->client_sequence, flow->server_sequence, 0, client_clock, flow->client_echo,
            identification);
    case 3:
        flow->client_sequence += REQUEST;
        flow->server_echo = client_clock;
        return build(
            frame, number, 1, 0x18, flow->client_sequence - REQUEST, flow->server_sequence, REQUEST, client_clock,
            flow->client_echo, identification);
    }
    if (step % 3 == 0) {
        flow->server_echo = client_clock;
        return build(
            frame, number, 1, 0x10, flow->client_sequence, flow->server_sequence, 0, client_clock, flow->client_echo,
            identification);
    }
    uint32_t sequence = flow->server_sequence;
    if (step % 3 == 2 && draw() % 256 == 0) {
        sequence -= PAYLOAD;
    } else {
        flow->server_sequence += PAYLOAD;
    }
    flow->client_echo = server_clock;
    return build(
        frame, number, 0, 0x18, sequence, flow->client_sequence, PAYLOAD, server_clock, flow->server_echo,
        identification);
}

int main(int count, char **arguments) {
    if (count != 5) {
        fputs("usage: generate FILE FLOWS PACKETS SEED\n", stderr);
        return 64;
    }
    uint32_t flows = strtoul(arguments[2], NULL, 10);
    uint64_t packets = strtoull(arguments[3], NULL, 10);
    state = strtoull(arguments[4], NULL, 10);
    struct flow *table = flows > 0 ? calloc(flows, sizeof *table) : NULL;
    FILE *file = fopen(arguments[1], "wb");
    if (!table || !file) {
        fprintf(stderr, "generate: %s: cannot write %u flows\n", arguments[1], flows);
        return 1;
    }
    const uint32_t header[6] = {0xA1B2C3D4, 4u << 16 | 2, 0, 0, SNAP, 1};
    fwrite(header, sizeof header, 1, file);
    uint64_t nanoseconds = 1700000000000000000u;
    for (uint64_t index = 0; index < packets; index++) {
        nanoseconds += 1000 + draw() % 2000;
        uint32_t number = (draw() >> 32) * flows >> 32;
        uint8_t frame[SNAP];
        uint32_t length = next(frame, &table[number], number, nanoseconds, (index * 3 + 1) & 0xFFFF);
        uint32_t kept = length < SNAP ? length : SNAP;
        const uint32_t record[4] = {nanoseconds / 1000000000, nanoseconds % 1000000000 / 1000, kept, length};
        fwrite(record, sizeof record, 1, file);
        fwrite(frame, kept, 1, file);
    }
    free(table);
    if (fclose(file) != 0) {
        perror(arguments[1]);
        return 1;
    }
    return 0;
}
