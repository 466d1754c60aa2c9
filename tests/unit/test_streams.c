/* The plane's TCP streams over loopback: hostile ones, slow ones, lost ones. Time is the test's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "plane/io/sockaddr.h"
#include "plane/io/streams.h"
#include "wire/ike_stream.h"

enum { WAIT_MS = 100, IKE_LEN = 40, ESP_LEN = 24 };

struct rig {
    struct streams *streams;
    mono_t now;
    int listener;
    struct ip_endpoint here; /* where it listens */
    unsigned ike, esp, opened, wanted;
    bool authentic;          /* what comes as ESP */
    bool gives_sockets;
    size_t last_len;
    uint8_t last_octet;
    struct ip_endpoint local, remote; /* of the last message */
};

static void fill(void *ctx, uint8_t *ret, size_t len)
{
    (void)ctx;
    for (size_t i = 0; i < len; i++)
        ret[i] = (uint8_t)rand();
}

static void got_ike(void *ctx, const struct ip_endpoint *local, const struct ip_endpoint *remote,
                    struct view message)
{
    struct rig *rig = ctx;
    rig->ike++;
    rig->last_len = message.len;
    rig->last_octet = message.ptr[message.len - 1];
    rig->local = *local;
    rig->remote = *remote;
}

static size_t got_esp(void *ctx, struct packet **packets, size_t count)
{
    struct rig *rig = ctx;
    assert_in_range(count, 1, LIMIT_BURST);
    for (size_t i = 0; i < count; i++) {
        assert_int_not_equal(packets[i]->outer.stream, 0);
        rig->last_len = packets[i]->len;
        rig->last_octet = packet_data(packets[i])[packets[i]->len - 1];
    }
    rig->esp += (unsigned)count;
    return rig->authentic ? count : 0;
}

static void was_opened(void *ctx, const struct ip_endpoint *local, const struct ip_endpoint *remote)
{
    struct rig *rig = ctx;
    rig->opened++;
    rig->local = *local;
    rig->remote = *remote;
}

static void wants_socket(void *ctx, enum ip_family family)
{
    struct rig *rig = ctx;
    assert_int_equal(family, IP_V4);
    rig->wanted++;
}

static struct ip_endpoint end_of(int fd)
{
    struct ip_endpoint end = {.port = 0};
    struct sockaddr_in6 name;
    socklen_t len = sizeof(name);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&name, &len), 0);
    assert_true(io_sockaddr_read(&name, &end.addr, &end.port));
    return end;
}

static int listen_at(uint16_t port)
{
    const struct sockaddr_in at = {.sin_family = AF_INET,
                                   .sin_port = htons(port),
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), yes = 1;
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes)), 0);
    assert_int_equal(bind(fd, (const struct sockaddr *)&at, sizeof(at)), 0);
    assert_int_equal(listen(fd, 128), 0);
    return fd;
}

static struct rig *rig_new(bool listens)
{
    struct rig *rig = calloc(1, sizeof(*rig));
    const struct streams_env env = {.rng = {.fill = fill},
                                    .ctx = rig,
                                    .ike = got_ike,
                                    .esp = got_esp,
                                    .opened = was_opened,
                                    .wants_socket = wants_socket};
    assert_non_null(rig);
    rig->now = (mono_t){1000};
    rig->authentic = true;
    rig->listener = listens ? listen_at(0) : -1;
    if (listens)
        rig->here = end_of(rig->listener);
    assert_int_equal(streams_new(rig->listener, -1, &env, &rig->streams), ERR_OK);
    return rig;
}

static void rig_free(struct rig *rig)
{
    streams_free(rig->streams);
    if (rig->listener >= 0)
        close(rig->listener);
    free(rig);
}

/* Whatever has come, and comes within the time; returns whether anything did. */
static bool turn(struct rig *rig)
{
    struct pollfd ready = {.fd = streams_fd(rig->streams), .events = POLLIN};
    if (poll(&ready, 1, WAIT_MS) <= 0)
        return false;
    streams_ready(rig->streams, rig->now);
    return true;
}

static uint64_t counter(const struct rig *rig, const char *name)
{
    const char *found;
    uint64_t value;
    for (size_t i = 0; streams_counter(rig->streams, i, &found, &value); i++)
        if (strcmp(found, name) == 0)
            return value;
    fail_msg("no counter is called %s", name);
    return 0;
}

static void later(struct rig *rig, int64_t ms)
{
    rig->now = mono_add(rig->now, ms);
    if (mono_reached(rig->now, streams_next_deadline(rig->streams)))
        streams_timer(rig->streams, rig->now);
}

/* A stranger, or a peer, that the streams know nothing of. */
static int client(struct rig *rig, uint32_t from)
{
    struct sockaddr_in6 to;
    const struct sockaddr_in own = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(from)};
    socklen_t len = io_sockaddr_write(&rig->here.addr, rig->here.port, &to);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (const struct sockaddr *)&own, sizeof(own)), 0);
    assert_int_equal(connect(fd, (const struct sockaddr *)&to, len), 0);
    assert_true(turn(rig));
    return fd;
}

static int local_client(struct rig *rig)
{
    return client(rig, INADDR_LOOPBACK);
}

static void say(struct rig *rig, int fd, const void *octets, size_t len)
{
    assert_int_equal(send(fd, octets, len, MSG_NOSIGNAL), len);
    assert_true(turn(rig));
}

static bool is_closed(int fd)
{
    uint8_t octet;
    struct pollfd ready = {.fd = fd, .events = POLLIN};
    if (poll(&ready, 1, WAIT_MS) <= 0)
        return false;
    return recv(fd, &octet, 1, MSG_DONTWAIT) <= 0;
}

static size_t put_ike(uint8_t *at, uint8_t mark)
{
    size_t len = ike_stream_header(true, IKE_LEN, at);
    memset(at + len, mark, IKE_LEN);
    return len + IKE_LEN;
}

static size_t put_esp(uint8_t *at, size_t len, uint8_t mark)
{
    size_t header = ike_stream_header(false, len, at);
    memset(at + header, mark, len);
    return header + len;
}

/* TCP knows no messages: any of them may come in any pieces. */
static void takes_pieces(void **state)
{
    uint8_t octets[256] = "IKETCP";
    size_t len = IKE_STREAM_PREFIX_LEN;
    (void)state;
    len += put_ike(octets + len, 1);
    memcpy(octets + len, (const uint8_t[]){0, 3, 0xff, 0, 2}, 5);
    len += 5;
    len += put_esp(octets + len, ESP_LEN, 2);
    for (size_t piece = 1; piece <= len; piece += piece < 12 ? 1 : 37) {
        struct rig *rig = rig_new(true);
        int fd = local_client(rig);
        for (size_t at = 0; at < len; at += piece)
            say(rig, fd, octets + at, len - at < piece ? len - at : piece);
        assert_int_equal(rig->ike, 1);
        assert_int_equal(rig->esp, 1);
        assert_int_equal(rig->last_len, ESP_LEN);
        assert_int_equal(rig->last_octet, 2);
        assert_int_equal(rig->remote.stream & IP_STREAM_ACCEPTED, IP_STREAM_ACCEPTED);
        assert_int_equal(rig->remote.port, end_of(fd).port);
        assert_int_equal(counter(rig, "tcp_keepalive_in"), 1);
        close(fd);
        rig_free(rig);
    }
}

static void bursts(void **state)
{
    static uint8_t octets[100 * (ESP_LEN + 2) + 6] = "IKETCP";
    struct rig *rig = rig_new(true);
    int fd = local_client(rig);
    size_t len = IKE_STREAM_PREFIX_LEN;
    (void)state;
    for (int i = 0; i < 100; i++)
        len += put_esp(octets + len, ESP_LEN, (uint8_t)(i + 1));
    say(rig, fd, octets, len);
    assert_int_equal(rig->esp, 100);
    assert_int_equal(rig->last_octet, 100);
    close(fd);
    rig_free(rig);
}

/* Nothing of a stream that begins otherwise reaches anybody (section 4); lengths of 0 and 1 end it (3.1). */
static void closes_hostile_ones(void **state)
{
    static const struct {
        uint8_t octets[60];
        size_t len;
        const char *counter;
    } rows[] = {
        {"GET / HTTP/1.0\r\n\r\n", 18, "tcp_bad_prefix"},
        {"I", 1, NULL},
        {"IKETCQ", 6, "tcp_bad_prefix"},
        {{0, 44}, 46, "tcp_bad_prefix"}, /* IKE, and no prefix */
        {"IKETCP\0\0", 8, "tcp_broken"},
        {"IKETCP\0\1", 8, "tcp_broken"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct rig *rig = rig_new(true);
        int fd = local_client(rig);
        say(rig, fd, rows[i].octets, rows[i].len);
        assert_int_equal(is_closed(fd), rows[i].counter != NULL);
        assert_int_equal(rig->ike + rig->esp, 0);
        if (rows[i].counter != NULL)
            assert_int_equal(counter(rig, rows[i].counter), 1);
        close(fd);
        rig_free(rig);
    }
}

/* Section 6.1: not for a few messages that nobody can read, but for many in a row. */
static void closes_garbled_ones(void **state)
{
    static uint8_t octets[80 * (ESP_LEN + 2) + 6] = "IKETCP";
    (void)state;
    for (int authentic = 0; authentic < 2; authentic++) {
        struct rig *rig = rig_new(true);
        int fd = local_client(rig);
        size_t len = IKE_STREAM_PREFIX_LEN;
        for (int i = 0; i < STREAMS_BAD_MOST; i++)
            len += put_esp(octets + len, ESP_LEN, 9);
        rig->authentic = false;
        say(rig, fd, octets, len);
        assert_false(is_closed(fd));
        rig->authentic = authentic;
        say(rig, fd, octets + IKE_STREAM_PREFIX_LEN, ESP_LEN + 2);
        assert_int_equal(is_closed(fd), !authentic);
        close(fd);
        rig_free(rig);
    }
}

/* The largest there is waits for its end and disturbs nobody. */
static void waits_for_the_end(void **state)
{
    static uint8_t giant[IKE_STREAM_FRAME_MAX + 6] = "IKETCP";
    struct rig *rig = rig_new(true);
    int fd = local_client(rig), other = local_client(rig);
    size_t len = IKE_STREAM_PREFIX_LEN + put_esp(giant + 6, IKE_STREAM_MESSAGE_MAX, 3), at = 0;
    uint8_t small[64] = "IKETCP";
    (void)state;
    while (at < len - 1) {
        size_t piece = len - 1 - at < 4000 ? len - 1 - at : 4000;
        say(rig, fd, giant + at, piece);
        at += piece;
    }
    assert_int_equal(rig->esp, 0);
    say(rig, other, small, 6 + put_ike(small + 6, 1));
    assert_int_equal(rig->ike, 1);
    say(rig, fd, giant + at, 1);
    assert_int_equal(rig->esp, 1);
    assert_int_equal(rig->last_len, IKE_STREAM_MESSAGE_MAX);
    close(fd);
    close(other);
    rig_free(rig);
}

/* Strangers have seconds, whatever they send; an authentic peer has all the time. */
static void lets_strangers_go(void **state)
{
    struct rig *rig = rig_new(true);
    uint8_t octets[64] = "IKETCP";
    size_t len = 6 + put_ike(octets + 6, 1);
    int mute = local_client(rig), idle = local_client(rig), peer = local_client(rig);
    (void)state;
    say(rig, idle, octets, len);
    say(rig, peer, octets, len);
    streams_keep(rig->streams, rig->now, &rig->local, &rig->remote);
    later(rig, STREAMS_PREFIX_MS - 1);
    assert_false(is_closed(mute));
    later(rig, 1);
    assert_true(is_closed(mute));
    say(rig, idle, octets + 6, len - 6);
    later(rig, STREAMS_UNPROVEN_MS);
    assert_true(is_closed(idle));
    later(rig, 3600 * 1000);
    assert_false(is_closed(peer));
    streams_forget_owners(rig->streams, rig->now); /* a keyd that doesn't know it */
    later(rig, STREAMS_UNPROVEN_MS);
    assert_true(is_closed(peer));
    assert_int_equal(counter(rig, "tcp_expired"), 3);
    close(mute);
    close(idle);
    close(peer);
    rig_free(rig);
}

static void bounds_strangers(void **state)
{
    static int fds[STREAMS_UNPROVEN_MAX + 1];
    struct rig *rig = rig_new(true);
    (void)state;
    for (unsigned i = 0; i < STREAMS_UNPROVEN_SOURCE; i++)
        fds[i] = local_client(rig);
    int one_more = local_client(rig);
    assert_true(is_closed(one_more));
    assert_int_equal(counter(rig, "tcp_refused_source"), 1);
    assert_false(is_closed(fds[0]));
    for (unsigned i = STREAMS_UNPROVEN_SOURCE; i < STREAMS_UNPROVEN_MAX; i++)
        fds[i] = client(rig, INADDR_LOOPBACK + 1 + i);
    assert_int_equal(counter(rig, "tcp_evicted"), 0);
    fds[STREAMS_UNPROVEN_MAX] = client(rig, INADDR_LOOPBACK + 1000); /* the oldest makes room */
    assert_int_equal(counter(rig, "tcp_evicted"), 1);
    assert_true(is_closed(fds[0]));
    assert_false(is_closed(fds[1]));
    assert_false(is_closed(fds[STREAMS_UNPROVEN_MAX]));
    for (unsigned i = 0; i <= STREAMS_UNPROVEN_MAX; i++)
        close(fds[i]);
    close(one_more);
    rig_free(rig);
}

/* How many messages the other end finds, all of them whole. */
static unsigned read_all(struct rig *rig, int fd)
{
    static uint8_t all[4 * 1024 * 1024];
    size_t len = 0, used;
    struct view message, left;
    unsigned count = 0;
    for (;;) {
        ssize_t got = recv(fd, all + len, sizeof(all) - len, MSG_DONTWAIT);
        struct pollfd ready[] = {{.fd = fd, .events = POLLIN},
                                 {.fd = streams_fd(rig->streams), .events = POLLIN}};
        if (got > 0)
            len += (size_t)got;
        else if (poll(ready, 2, 1000) == 0)
            break;
        streams_ready(rig->streams, rig->now);
    }
    left = view_of(all, len);
    while (ike_stream_next(left, &used, &message) != IKE_STREAM_MORE) {
        left = view_of(left.ptr + used, left.len - used);
        count++;
    }
    assert_int_equal(left.len, 0);
    return count;
}

/* A peer that doesn't read gets whole messages or none, and IKE has room that ESP hasn't. */
static void drops_whole_packets(void **state)
{
    static uint8_t body[1400];
    struct rig *rig = rig_new(true);
    int fd = local_client(rig), small = 32768;
    uint8_t octets[64] = "IKETCP";
    struct packet packet = {.base = body, .room = sizeof(body), .len = sizeof(body)};
    unsigned sent = 0;
    (void)state;
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small)), 0);
    say(rig, fd, octets, 6 + put_ike(octets + 6, 1));
    streams_keep(rig->streams, rig->now, &rig->local, &rig->remote);
    packet.outer.stream = rig->remote.stream;
    for (; counter(rig, "tcp_out_full") < 10; sent++) {
        streams_send_esp(rig->streams, &packet);
        streams_flush(rig->streams, rig->now);
        assert_in_range(sent, 0, 10000);
    }
    assert_int_equal(counter(rig, "tcp_esp_out"), sent - 10);
    streams_send_ike(rig->streams, rig->now, &rig->local, &rig->remote, view_of(body, 100));
    streams_flush(rig->streams, rig->now);
    assert_int_equal(counter(rig, "tcp_ike_out"), 1);
    assert_int_equal(read_all(rig, fd), sent - 10 + 1);
    packet.outer.stream ^= 1;
    streams_send_esp(rig->streams, &packet);
    assert_int_equal(counter(rig, "tcp_out_no_stream"), 1);
    close(fd);
    rig_free(rig);
}

/* Ours */

static void give_socket(struct rig *rig)
{
    streams_socket(rig->streams, rig->now, IP_V4,
                   socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    while (turn(rig))
        ;
}

struct two {
    struct rig *a, *b;
    struct ip_endpoint local, remote;
};

static void both_turn(struct two *two)
{
    for (bool more = true; more;) {
        more = turn(two->a);
        more = turn(two->b) || more;
    }
}

static struct two connected(void)
{
    struct two two = {.a = rig_new(false), .b = rig_new(true)};
    uint8_t message[IKE_LEN] = {7};
    two.local = (struct ip_endpoint){two.b->here.addr, 0, 0};
    two.remote = two.b->here;
    two.remote.stream = 77;
    streams_send_ike(two.a->streams, two.a->now, &two.local, &two.remote,
                     view_of(message, sizeof(message)));
    assert_int_equal(two.a->wanted, 1);
    give_socket(two.a);
    both_turn(&two);
    assert_int_equal(two.b->ike, 1);
    streams_keep(two.a->streams, two.a->now, &two.local, &two.remote);
    streams_keep(two.b->streams, two.b->now, &two.b->local, &two.b->remote);
    return two;
}

static void two_free(struct two *two)
{
    rig_free(two->a);
    rig_free(two->b);
}

/* Section 6.1: the prefix first, from who connects and from nobody else; either way whatever is sent arrives. */
static void connects(void **state)
{
    struct two two = connected();
    uint8_t body[100] = {1}, answer[IKE_LEN] = {2};
    struct packet packet = {.base = body, .room = 100, .len = 100, .outer.stream = 77};
    (void)state;
    assert_int_equal(two.a->opened, 0);
    streams_send_ike(two.b->streams, two.b->now, &two.b->local, &two.b->remote,
                     view_of(answer, sizeof(answer)));
    streams_flush(two.b->streams, two.b->now);
    streams_send_esp(two.a->streams, &packet);
    streams_flush(two.a->streams, two.a->now);
    both_turn(&two);
    assert_int_equal(two.a->ike, 1);
    assert_int_equal(two.a->remote.stream, 77);
    assert_int_equal(two.b->esp, 1);
    two_free(&two);
}

/* Who began the connection begins it again, more and more slowly while nobody answers. */
static void connects_again(void **state)
{
    struct two two = connected();
    uint16_t port = two.b->here.port;
    uint32_t before = two.b->remote.stream;
    (void)state;
    streams_free(two.b->streams); /* closes what it accepted */
    close(two.b->listener);
    two.b->streams = NULL;
    while (turn(two.a))
        ;
    assert_int_equal(counter(two.a, "tcp_lost"), 1);
    for (unsigned i = 0; i < 4; i++) {
        later(two.a, i == 0 ? 0 : STREAMS_RETRY_MS << (i - 1));
        assert_int_equal(two.a->wanted, i + 2);
        give_socket(two.a); /* refused */
    }
    free(two.b);
    two.b = rig_new(true);
    close(two.b->listener);
    streams_free(two.b->streams);
    const struct streams_env env = {.rng = {.fill = fill}, .ctx = two.b, .ike = got_ike,
                                    .esp = got_esp, .opened = was_opened, .wants_socket = wants_socket};
    two.b->listener = listen_at(port);
    assert_int_equal(streams_new(two.b->listener, -1, &env, &two.b->streams), ERR_OK);
    later(two.a, 60000);
    give_socket(two.a);
    both_turn(&two);
    assert_int_equal(two.a->opened, 1);
    assert_int_equal(two.a->remote.stream, 77);
    uint8_t message[IKE_LEN] = {7};
    streams_send_ike(two.a->streams, two.a->now, &two.local, &two.remote,
                     view_of(message, sizeof(message)));
    streams_flush(two.a->streams, two.a->now);
    both_turn(&two);
    assert_int_equal(two.b->ike, 1);
    assert_int_not_equal(two.b->remote.stream, before);
    two_free(&two);
}

/* What was sent before arrives; then the connection is gone at both ends, and not made again. */
static void closes(void **state)
{
    struct two two = connected();
    uint8_t message[IKE_LEN] = {7};
    (void)state;
    streams_send_ike(two.a->streams, two.a->now, &two.local, &two.remote,
                     view_of(message, sizeof(message)));
    streams_close(two.a->streams, two.a->now, 77);
    both_turn(&two);
    assert_int_equal(two.b->ike, 2);
    later(two.a, STREAMS_LEAVE_MS);
    later(two.a, 60000);
    assert_int_equal(two.a->wanted, 1);
    assert_int_equal(counter(two.a, "tcp_lost"), 0);
    struct packet packet = {.base = message, .room = IKE_LEN, .len = IKE_LEN, .outer.stream = 77};
    streams_send_esp(two.a->streams, &packet);
    assert_int_equal(counter(two.a, "tcp_out_no_stream"), 1);
    two_free(&two);
}

/* One that no IKE SA uses yet is not made again by itself. */
static void gives_up_alone(void **state)
{
    struct rig *rig = rig_new(false);
    const struct ip_endpoint local = {ip_addr_v4(INADDR_LOOPBACK), 0, 0};
    const struct ip_endpoint remote = {ip_addr_v4(INADDR_LOOPBACK), 1, 5};
    uint8_t message[IKE_LEN] = {7};
    (void)state;
    streams_send_ike(rig->streams, rig->now, &local, &remote, view_of(message, sizeof(message)));
    give_socket(rig);
    later(rig, 60000);
    assert_int_equal(rig->wanted, 1);
    streams_send_ike(rig->streams, rig->now, &local, &remote, view_of(message, sizeof(message)));
    assert_int_equal(rig->wanted, 2); /* but by the next try */
    later(rig, STREAMS_CONNECT_MS);   /* nobody gave it a socket */
    assert_int_equal(counter(rig, "tcp_lost"), 2);
    /* One that an IKE SA uses is, also by a plane that knows nothing of it. */
    streams_keep(rig->streams, rig->now, &local, &remote);
    assert_int_equal(rig->wanted, 3);
    rig_free(rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_pieces),        cmocka_unit_test(bursts),
        cmocka_unit_test(closes_hostile_ones), cmocka_unit_test(closes_garbled_ones),
        cmocka_unit_test(waits_for_the_end),   cmocka_unit_test(lets_strangers_go),
        cmocka_unit_test(bounds_strangers),    cmocka_unit_test(drops_whole_packets),
        cmocka_unit_test(connects),            cmocka_unit_test(connects_again),
        cmocka_unit_test(closes),              cmocka_unit_test(gives_up_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
