/*
 * One DCCP connection over loopback: the client sends DATAGRAMS datagrams, then one end closes.
 *   dccp_talk PORT CCID client|server    who closes first; a server that does leaves TIMEWAIT to
 * the client Prints how many datagrams arrived; fails if the kernel refuses anything.
 */
#include <arpa/inet.h>
#include <linux/dccp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { DATAGRAMS = 5, LEN = 100, SERVICE = 42, GAP_US = 20000, LEVEL_DCCP = 269 };

static void fail(const char *what)
{
    perror(what);
    exit(1);
}

static void set(int fd, int option, const void *value, socklen_t len)
{
    if (setsockopt(fd, LEVEL_DCCP, option, value, len) != 0)
        fail("setsockopt");
}

static int open_socket(uint8_t ccid)
{
    const uint32_t service = htonl(SERVICE);
    int fd = socket(AF_INET, SOCK_DCCP, IPPROTO_DCCP);
    if (fd < 0)
        fail("socket");
    set(fd, DCCP_SOCKOPT_SERVICE, &service, sizeof(service));
    set(fd, DCCP_SOCKOPT_CCID, &ccid, sizeof(ccid));
    return fd;
}

static void serve(int listener, bool closes)
{
    const int timewait = 0;
    char datagram[LEN];
    int got = 0, fd = accept(listener, NULL, NULL);
    if (fd < 0)
        fail("accept");
    if (closes)
        set(fd, DCCP_SOCKOPT_SERVER_TIMEWAIT, &timewait, sizeof(timewait));
    while ((!closes || got < DATAGRAMS) && recv(fd, datagram, sizeof(datagram), 0) > 0)
        got++;
    printf("%d datagrams\n", got);
    fflush(stdout);
    close(fd);
}

static void talk(const struct sockaddr_in *server, uint8_t ccid, bool waits)
{
    char datagram[LEN] = "datagram";
    int fd = open_socket(ccid);
    if (connect(fd, (const struct sockaddr *)server, sizeof(*server)) != 0)
        fail("connect");
    for (int i = 0; i < DATAGRAMS; i++) {
        if (send(fd, datagram, sizeof(datagram), 0) < 0)
            fail("send");
        usleep(GAP_US);
    }
    if (waits && recv(fd, datagram, sizeof(datagram), 0) > 0)
        fail("a datagram from the server");
    close(fd);
}

int main(int argc, char **argv)
{
    if (argc != 4)
        return 2;
    const struct sockaddr_in address = {.sin_family = AF_INET,
                                        .sin_port = htons((uint16_t)atoi(argv[1])),
                                        .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    uint8_t ccid = (uint8_t)atoi(argv[2]);
    bool server_closes = strcmp(argv[3], "server") == 0;
    int status = 0, listener = open_socket(ccid);
    if (bind(listener, (const struct sockaddr *)&address, sizeof(address)) != 0 ||
        listen(listener, 1) != 0)
        fail("listen");
    pid_t child = fork();
    if (child < 0)
        fail("fork");
    if (child == 0) {
        serve(listener, server_closes);
        return 0;
    }
    close(listener);
    talk(&address, ccid, server_closes);
    waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
