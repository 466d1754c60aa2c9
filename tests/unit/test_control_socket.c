/*
 * The control socket's server over a real socket: a line for a line, bad requests, subscribers, and
 * subscribers that don't keep up.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <event2/event.h>
#include <cmocka.h>

#include "daemon/control_socket.h"

static struct event_base *base;
static struct control_socket *server;
static struct sockaddr_un address;
static socklen_t address_len;
static char text[16 << 20];
static size_t text_len;

static json_t *answer(void *ctx, const char *cmd, const json_t *request)
{
    assert_ptr_equal(ctx, &base);
    return json_pack("{s:s,s:i}", "you", cmd, "members", (int)json_object_size(request));
}

/* An unnamed socket: the kernel picks an abstract address. */
static int open_server(void **state)
{
    (void)state;
    int listener = socket(AF_UNIX, SOCK_STREAM, 0);
    address = (struct sockaddr_un){.sun_family = AF_UNIX};
    address_len = sizeof(address);
    if (bind(listener, (struct sockaddr *)&address, sizeof(sa_family_t)) != 0 ||
        listen(listener, 8) != 0 ||
        getsockname(listener, (struct sockaddr *)&address, &address_len) != 0)
        return -1;
    base = event_base_new();
    server = control_socket_new(base, listener, answer, &base);
    return server != NULL ? 0 : -1;
}

static int close_server(void **state)
{
    (void)state;
    control_socket_free(server);
    event_base_free(base);
    return 0;
}

static int connect_client(void)
{
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, address_len), 0);
    return fd;
}

static void turn(void)
{
    for (int i = 0; i < 20; i++)
        event_base_loop(base, EVLOOP_NONBLOCK);
}

static void say(int fd, const char *line)
{
    assert_int_equal(send(fd, line, strlen(line), MSG_NOSIGNAL), strlen(line));
    turn();
}

/* All that is there, letting the server send more. */
static const char *hear(int fd)
{
    ssize_t got;
    text_len = 0;
    for (;;) {
        while ((got = recv(fd, text + text_len, sizeof(text) - 1 - text_len, MSG_DONTWAIT)) > 0)
            text_len += (size_t)got;
        turn();
        got = recv(fd, text + text_len, 1, MSG_DONTWAIT | MSG_PEEK);
        if (got <= 0)
            break;
    }
    text[text_len] = '\0';
    return text;
}

static void test_line_for_line(void **state)
{
    (void)state;
    int fd = connect_client();
    say(fd, "{\"cmd\":\"status\"}\n{\"cmd\":\"why\",\"destination\":\"192.0.2.1\"}\n\n");
    assert_string_equal(hear(fd),
                        "{\"you\":\"status\",\"members\":1}\n{\"you\":\"why\",\"members\":2}\n");
    say(fd, "{\"cmd\":");
    assert_string_equal(hear(fd), "");
    say(fd, "\"x\"}\n");
    assert_string_equal(hear(fd), "{\"you\":\"x\",\"members\":1}\n");
    close(fd);
    turn();
    assert_int_equal(control_socket_clients(server), 0);
}

static void test_bad_requests(void **state)
{
    (void)state;
    static const char *const bad[] = {"what\n", "{}\n", "[\"cmd\"]\n", "{\"cmd\":1}\n",
                                      "{\"cmd\":\"a\",\"cmd\":\"b\"}\n"};
    int fd = connect_client();
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        say(fd, bad[i]);
        assert_string_equal(
            hear(fd), "{\"error\":\"not a request; send one JSON object with 'cmd' a line\"}\n");
    }
    close(fd);
}

static void test_endless_line(void **state)
{
    (void)state;
    int fd = connect_client();
    char *line = malloc(CONTROL_REQUEST_MAX + 2);
    memset(line, ' ', CONTROL_REQUEST_MAX + 1);
    line[CONTROL_REQUEST_MAX + 1] = '\0';
    turn();
    assert_int_equal(control_socket_clients(server), 1);
    size_t sent = 0;
    while (sent < CONTROL_REQUEST_MAX + 1) {
        ssize_t now =
            send(fd, line + sent, CONTROL_REQUEST_MAX + 1 - sent, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (now > 0)
            sent += (size_t)now;
        turn();
    }
    assert_int_equal(control_socket_clients(server), 0);
    free(line);
    close(fd);
}

static void test_too_many(void **state)
{
    (void)state;
    int fds[CONTROL_CLIENTS + 1];
    for (int i = 0; i <= CONTROL_CLIENTS; i++) {
        fds[i] = connect_client();
        turn();
    }
    assert_int_equal(control_socket_clients(server), CONTROL_CLIENTS);
    for (int i = 0; i <= CONTROL_CLIENTS; i++)
        close(fds[i]);
    turn();
    assert_int_equal(control_socket_clients(server), 0);
}

static void test_subscribers(void **state)
{
    (void)state;
    int follower = connect_client(), other = connect_client();
    json_t *line = json_pack("{s:i}", "serial", 1);

    say(other, "{\"cmd\":\"trace\"}\n");
    assert_false(control_socket_has_subscribers(server));
    say(follower, "{\"cmd\":\"trace\",\"follow\":true}\n");
    assert_true(control_socket_has_subscribers(server));
    control_socket_broadcast(server, line);
    assert_string_equal(hear(follower), "{\"you\":\"trace\",\"members\":2}\n{\"serial\":1}\n");
    assert_string_equal(hear(other), "{\"you\":\"trace\",\"members\":1}\n");
    close(follower);
    turn();
    assert_false(control_socket_has_subscribers(server));
    json_decref(line);
    close(other);
}

static size_t count(const char *haystack, const char *needle)
{
    size_t found = 0;
    while ((haystack = strstr(haystack, needle)) != NULL) {
        found++;
        haystack++;
    }
    return found;
}

/* Who doesn't read misses lines, is told how many, and then gets lines again. */
static void test_slow_subscriber(void **state)
{
    (void)state;
    enum { LINES = 20000 };
    int fd = connect_client();
    char filler[512];
    memset(filler, 'f', sizeof(filler) - 1);
    filler[sizeof(filler) - 1] = '\0';
    json_t *line = json_pack("{s:s}", "line", filler);

    say(fd, "{\"cmd\":\"trace\",\"follow\":true}\n");
    for (int i = 0; i < LINES; i++)
        control_socket_broadcast(server, line);
    hear(fd);
    size_t got = count(text, "{\"line\":");
    const char *gap = strstr(text, "{\"gap\":");
    assert_non_null(gap);
    assert_int_equal(count(text, "{\"gap\":"), 1);
    assert_int_equal(got + (size_t)atoi(gap + 7), LINES);
    assert_true(got * sizeof(filler) <= 2 * CONTROL_BACKLOG_MAX);

    control_socket_broadcast(server, line);
    assert_int_equal(count(hear(fd), "{\"line\":"), 1);
    assert_int_equal(count(text, "gap"), 0);
    json_decref(line);
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_line_for_line, open_server, close_server),
        cmocka_unit_test_setup_teardown(test_bad_requests, open_server, close_server),
        cmocka_unit_test_setup_teardown(test_endless_line, open_server, close_server),
        cmocka_unit_test_setup_teardown(test_too_many, open_server, close_server),
        cmocka_unit_test_setup_teardown(test_subscribers, open_server, close_server),
        cmocka_unit_test_setup_teardown(test_slow_subscriber, open_server, close_server),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
