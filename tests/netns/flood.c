/*
 * flood TARGET COUNT RATE: what a stranger without an answer to wait for can throw at a gateway, from
 * spoofed addresses of 198.18.0.0/15, in turn:
 *
 *   Main Mode message 1 that is well formed; message 3 with cookies that nobody gave;
 *   octets of chance to UDP 500 and to UDP 4500; ESP with unknown SPIs, plain and in UDP 4500
 *
 * COUNT datagrams at RATE a second at most, then it ends and prints how many went out. Runs in a
 * namespace of the lab only: the target must be in 192.1.1.0/24.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    COUNT_MAX = 2000000,
    PACKET_MAX = 512,
    LAB_NET = 0xc0010100, /* 192.1.1.0/24 */
    LAB_MASK = 0xffffff00,
    SOURCES = 0xc6120000, /* 198.18.0.0/15 */
    SOURCES_MASK = 0x0001ffff,
    ISAKMP_HEADER = 28,
    EXCHANGE_MAIN = 2,
    PAYLOAD_SA = 1,
    PAYLOAD_KE = 4,
    PAYLOAD_NONCE = 10,
};

struct packet {
    uint8_t octets[PACKET_MAX];
    size_t len;
};

static uint64_t chance = 0x9e3779b97f4a7c15;

static uint32_t draw(void)
{
    chance ^= chance << 13;
    chance ^= chance >> 7;
    chance ^= chance << 17;
    return (uint32_t)(chance >> 32);
}

static void put(struct packet *p, const void *octets, size_t len)
{
    memcpy(p->octets + p->len, octets, len);
    p->len += len;
}

static void put_chance(struct packet *p, size_t len)
{
    while (len-- > 0)
        p->octets[p->len++] = (uint8_t)draw();
}

static void put_u16(struct packet *p, unsigned value)
{
    uint8_t octets[] = {(uint8_t)(value >> 8), (uint8_t)value};
    put(p, octets, sizeof(octets));
}

static void put_u32(struct packet *p, uint32_t value)
{
    put_u16(p, value >> 16);
    put_u16(p, value & 0xffff);
}

static void put_ip(struct packet *p, uint32_t target, uint8_t protocol)
{
    struct ip header = {
        .ip_v = 4,
        .ip_hl = 5,
        .ip_ttl = 64,
        .ip_p = protocol,
        .ip_src = {htonl(SOURCES | (draw() & SOURCES_MASK))},
        .ip_dst = {htonl(target)},
    };
    p->len = 0;
    put(p, &header, sizeof(header)); /* the kernel fills in length and checksum */
}

/* No checksum: IPv4 allows that. */
static void put_udp(struct packet *p, uint32_t target, uint16_t from, uint16_t to)
{
    put_ip(p, target, IPPROTO_UDP);
    put_u16(p, from);
    put_u16(p, to);
    put_u32(p, 0);
}

static void end_udp(struct packet *p)
{
    uint16_t len = htons((uint16_t)(p->len - sizeof(struct ip)));
    memcpy(p->octets + sizeof(struct ip) + 4, &len, sizeof(len));
}

static void put_isakmp(struct packet *p, bool answered, uint8_t first_payload, uint32_t len)
{
    static const uint8_t none[8];
    put_chance(p, 8);
    if (answered)
        put_chance(p, 8);
    else
        put(p, none, 8);
    put(p, (uint8_t[]){first_payload, 0x10, EXCHANGE_MAIN, 0}, 4);
    put_u32(p, 0);
    put_u32(p, len);
}

/* AES-CBC-256, SHA-256, RSA signatures, group 14, an hour. */
static void main_mode_1(struct packet *p, uint32_t target)
{
    static const uint16_t attributes[] = {0x8001, 7,  0x800e, 256, 0x8002, 4,      0x8003,
                                          3,      0x8004, 14, 0x800b, 1,   0x800c, 3600};
    enum { TRANSFORM = 8 + sizeof(attributes), PROPOSAL = 8 + TRANSFORM, SA = 12 + PROPOSAL };

    put_udp(p, target, 500, 500);
    put_isakmp(p, false, PAYLOAD_SA, ISAKMP_HEADER + SA);
    put_u16(p, 0);
    put_u16(p, SA);
    put_u32(p, 1); /* DOI: IPsec */
    put_u32(p, 1); /* situation: identity only */
    put_u16(p, 0);
    put_u16(p, PROPOSAL);
    put(p, (uint8_t[]){1, 1, 0, 1}, 4); /* number, ISAKMP, no SPI, one transform */
    put_u16(p, 0);
    put_u16(p, TRANSFORM);
    put(p, (uint8_t[]){1, 1, 0, 0}, 4); /* number, KEY_IKE */
    for (size_t i = 0; i < sizeof(attributes) / sizeof(attributes[0]); i++)
        put_u16(p, attributes[i]);
    end_udp(p);
}

static void main_mode_3(struct packet *p, uint32_t target)
{
    enum { KE = 4 + 256, NONCE = 4 + 32 };

    put_udp(p, target, 500, 500);
    put_isakmp(p, true, PAYLOAD_KE, ISAKMP_HEADER + KE + NONCE);
    put_u16(p, PAYLOAD_NONCE << 8);
    put_u16(p, KE);
    put_chance(p, KE - 4);
    put_u16(p, 0);
    put_u16(p, NONCE);
    put_chance(p, NONCE - 4);
    end_udp(p);
}

static void junk_500(struct packet *p, uint32_t target)
{
    put_udp(p, target, (uint16_t)draw(), 500);
    put_chance(p, 1 + draw() % 300);
    end_udp(p);
}

/* Behind the marker that says it is IKE. */
static void junk_4500(struct packet *p, uint32_t target)
{
    put_udp(p, target, (uint16_t)draw(), 4500);
    put_u32(p, 0);
    put_chance(p, draw() % 300);
    end_udp(p);
}

static void esp(struct packet *p, uint32_t target)
{
    put_ip(p, target, IPPROTO_ESP);
    put_u32(p, draw() | 0x100);
    put_chance(p, 100);
}

static void esp_in_udp(struct packet *p, uint32_t target)
{
    put_udp(p, target, (uint16_t)draw(), 4500);
    put_u32(p, draw() | 0x100);
    put_chance(p, 100);
    end_udp(p);
}

static double seconds(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static long send_all(int fd, uint32_t target, long count, long rate)
{
    static void (*const kinds[])(struct packet *, uint32_t) = {
        main_mode_1, main_mode_3, junk_500, junk_4500, esp, esp_in_udp};
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr = {htonl(target)}};
    struct packet p;
    double begun = seconds();
    long sent = 0;

    for (long i = 0; i < count; i++) {
        double ahead = (double)i / (double)rate - (seconds() - begun);
        if (ahead > 0.0005)
            usleep((useconds_t)(ahead * 1e6));
        kinds[i % (long)(sizeof(kinds) / sizeof(kinds[0]))](&p, target);
        sent += sendto(fd, p.octets, p.len, 0, (const void *)&to, sizeof(to)) == (ssize_t)p.len;
    }
    return sent;
}

int main(int argc, char **argv)
{
    struct in_addr target;
    long count = argc == 4 ? atol(argv[2]) : 0, rate = argc == 4 ? atol(argv[3]) : 0;

    if (argc != 4 || inet_pton(AF_INET, argv[1], &target) != 1 || count < 1 ||
        count > COUNT_MAX || rate < 1 || (ntohl(target.s_addr) & LAB_MASK) != LAB_NET) {
        fputs("usage: flood 192.1.1.X COUNT RATE\n", stderr);
        return 2;
    }
    int fd = socket(AF_INET, SOCK_RAW, IPPROTO_RAW);
    if (fd < 0) {
        perror("flood: raw socket");
        return 1;
    }
    double begun = seconds();
    long sent = send_all(fd, ntohl(target.s_addr), count, rate);
    printf("%ld of %ld datagrams in %.1f s\n", sent, count, seconds() - begun);
    close(fd);
    return sent == count ? 0 : 1;
}
