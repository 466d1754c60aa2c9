/*
 * A gateway with a plane and no keyd: the tests' stand-in for parent and keyd. It sets the plane up
 * as the parent does, starts plane_process_main() in a child, and turns lines on standard input
 * into PF_KEY messages; what the plane says comes out as lines. See usage().
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/child.h"
#include "daemon/log.h"
#include "daemon/plane_process.h"
#include "plane/io/ike_relay.h"
#include "wire/pfkey.h"

enum { WORDS_MAX = 16, LINE_MAX_OCTETS = 1024 };

struct gateway {
    uint32_t mtu;
    struct plane_setup_result setup;
    struct ip_addr icmp_v4, icmp_v6;
    bool icmp_on_deny;
    const char *user;
    int parent, pfkey, ike; /* our ends */
    pid_t plane;
    uint32_t seq;
    bool stop;
};

static void usage(void)
{
    fputs("usage: plane_gateway OUTSIDE ebpf|routing USER|- ICMP_V4 ICMP_V6 [icmp-on-deny]\n"
          "commands, one a line:\n"
          "  policy SRC DST pass|deny|hold\n"
          "  policy SRC DST encrypt SPI PEER\n"
          "  forget SRC DST\n"
          "  sa in|out SPI OUTER_SRC OUTER_DST UDP_SRC UDP_DST INNER_SRC INNER_DST gcm|cbc\n"
          "  idle SRC DST          prints how long ago the flow was used\n"
          "  counters              prints all that are not zero, then \"counters end\"\n"
          "  ike LOCAL PORT REMOTE PORT TEXT\n"
          "  keyd gone|back\n"
          "  crash | restart       kill -9 the plane; start it again\n"
          "  quit\n",
          stderr);
    exit(2);
}

static struct ip_addr address(const char *text)
{
    struct ip_addr addr = {0};

    if (strcmp(text, "-") != 0 && !ip_addr_parse(text, &addr)) {
        fprintf(stderr, "not an address: %s\n", text);
        exit(2);
    }
    return addr;
}

static void channel_pair(int pair[2])
{
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0) {
        perror("socketpair");
        exit(1);
    }
}

static int open_channel(struct gateway *gw, enum child_channel channel)
{
    int pair[2];

    channel_pair(pair);
    struct child_message message = {.channel = channel, .fd = pair[1], .role = CHILD_KEYD};
    if (!child_send(gw->parent, &message, CHILD_CHANNEL))
        fprintf(stderr, "the plane is not there\n");
    close(pair[1]);
    return pair[0];
}

static void close_channel(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

static void run_plane(const struct gateway *gw, int parent)
{
    struct child child = {.role = CHILD_PLANE, .parent_fd = parent};
    struct plane_process_config config = {
        .child = &child,
        .fds = gw->setup.fds,
        .plane = {.mtu = gw->mtu,
                  .icmp_v4 = gw->icmp_v4,
                  .icmp_v6 = gw->icmp_v6,
                  .icmp_on_deny = gw->icmp_on_deny,
                  .hold_failure = PFKEY_VERDICT_DENY},
        .user = gw->user,
    };

    log_open("plane");
    exit(plane_process_main(&config));
}

static void start_plane(struct gateway *gw)
{
    int pair[2];

    channel_pair(pair);
    gw->plane = fork();
    if (gw->plane == 0) {
        close(pair[0]);
        run_plane(gw, pair[1]);
    }
    close(pair[1]);
    gw->parent = pair[0];
    gw->pfkey = open_channel(gw, CHILD_CHANNEL_PFKEY);
    gw->ike = open_channel(gw, CHILD_CHANNEL_IKE);
}

static int stop_plane(struct gateway *gw, bool crash)
{
    int status = -1;

    if (crash)
        kill(gw->plane, SIGKILL);
    close_channel(&gw->parent);
    waitpid(gw->plane, &status, 0);
    close_channel(&gw->pfkey);
    close_channel(&gw->ike);
    return status;
}

static void say(struct gateway *gw, struct pfkey_message *message)
{
    uint8_t octets[LIMIT_PFKEY_MESSAGE];
    size_t len;

    message->seq = ++gw->seq;
    message->pid = (uint32_t)getpid();
    message->satype = pfkey_satype(&message->sa.suite);
    enum err err = pfkey_build(message, span_of(octets, sizeof(octets)), &len);
    if (err != ERR_OK)
        printf("error cannot build %s: %s\n", pfkey_type_name(message->type), err_text(err));
    else if (send(gw->pfkey, octets, len, MSG_NOSIGNAL) < 0)
        printf("error cannot send: %s\n", strerror(errno));
}

static bool command_policy(struct gateway *gw, char **word, size_t words)
{
    struct pfkey_message message = {.type = PFKEY_X_POLICY_SET,
                                    .has = PFKEY_HAS_FLOW | PFKEY_HAS_VERDICT};

    if (words < 4)
        return false;
    message.flow = (struct ip_pair){address(word[1]), address(word[2])};
    if (strcmp(word[3], "pass") == 0) {
        message.verdict = PFKEY_VERDICT_PASS;
    } else if (strcmp(word[3], "deny") == 0) {
        message.verdict = PFKEY_VERDICT_DENY;
    } else if (strcmp(word[3], "hold") == 0) {
        message.verdict = PFKEY_VERDICT_HOLD;
    } else if (strcmp(word[3], "encrypt") == 0 && words == 6) {
        message.verdict = PFKEY_VERDICT_ENCRYPT;
        message.has |= PFKEY_HAS_SA;
        message.sa.spi.value = (uint32_t)strtoul(word[4], NULL, 0);
        message.sa.outer_dst = address(word[5]);
    } else {
        return false;
    }
    say(gw, &message);
    return true;
}

static bool command_flow(struct gateway *gw, char **word, size_t words, enum pfkey_type type)
{
    struct pfkey_message message = {.type = (uint8_t)type, .has = PFKEY_HAS_FLOW};

    if (words != 3)
        return false;
    message.flow = (struct ip_pair){address(word[1]), address(word[2])};
    say(gw, &message);
    return true;
}

/* Both ends make the same key from the SPI. */
static bool command_sa(struct gateway *gw, char **word, size_t words)
{
    struct pfkey_message message = {.type = PFKEY_ADD, .has = PFKEY_HAS_SA | PFKEY_HAS_KEYS};
    struct sa_params *sa = &message.sa;

    if (words != 10 || !ip_prefix_parse(word[7], &sa->inner_src) ||
        !ip_prefix_parse(word[8], &sa->inner_dst))
        return false;
    sa->inbound = strcmp(word[1], "in") == 0;
    sa->spi.value = (uint32_t)strtoul(word[2], NULL, 0);
    sa->outer_src = address(word[3]);
    sa->outer_dst = address(word[4]);
    sa->udp_src = (uint16_t)atoi(word[5]);
    sa->udp_dst = (uint16_t)atoi(word[6]);
    if (strcmp(word[9], "gcm") == 0)
        sa->suite = (struct esp_suite){ESP_CIPHER_AES_GCM, ESP_AUTH_NONE, 128, true};
    else if (strncmp(word[9], "ah", 2) == 0) /* "ah" or "ah-noesn" */
        sa->suite = (struct esp_suite){.protocol = SA_AH,
                                       .auth = ESP_AUTH_HMAC_SHA2_256_128,
                                       .esn = word[9][2] == '\0'};
    else if (strcmp(word[9], "chacha") == 0)
        sa->suite =
            (struct esp_suite){ESP_CIPHER_CHACHA20_POLY1305, ESP_AUTH_NONE, 256, true};
    else
        sa->suite =
            (struct esp_suite){ESP_CIPHER_AES_CBC, ESP_AUTH_HMAC_SHA2_256_128, 128, true};
    sa->cipher_key_len = (uint8_t)esp_suite_cipher_key_len(&sa->suite);
    sa->auth_key_len = (uint8_t)esp_suite_auth_key_len(&sa->suite);
    memset(sa->cipher_key, (int)(sa->spi.value & 0xff), sa->cipher_key_len);
    memset(sa->auth_key, (int)(sa->spi.value & 0x7f), sa->auth_key_len);
    say(gw, &message);
    return true;
}

static bool command_ike(struct gateway *gw, char **word, size_t words)
{
    uint8_t octets[LINE_MAX_OCTETS + IKE_RELAY_HEADER];
    size_t len;

    if (words != 6)
        return false;
    struct ip_endpoint local = {address(word[1]), (uint16_t)atoi(word[2])};
    struct ip_endpoint remote = {address(word[3]), (uint16_t)atoi(word[4])};
    if (ike_relay_build(&local, &remote, view_of_text(word[5]), span_of(octets, sizeof(octets)),
                        &len) != ERR_OK)
        return false;
    return send(gw->ike, octets, len, MSG_NOSIGNAL) == (ssize_t)len;
}

static bool command_keyd(struct gateway *gw, char **word, size_t words)
{
    if (words != 2)
        return false;
    close_channel(&gw->pfkey);
    if (strcmp(word[1], "back") == 0)
        gw->pfkey = open_channel(gw, CHILD_CHANNEL_PFKEY);
    return true;
}

static bool obey(struct gateway *gw, char **word, size_t words)
{
    struct pfkey_message counters = {.type = PFKEY_X_COUNTERS};

    if (strcmp(word[0], "policy") == 0)
        return command_policy(gw, word, words);
    if (strcmp(word[0], "forget") == 0)
        return command_flow(gw, word, words, PFKEY_X_POLICY_DELETE);
    if (strcmp(word[0], "idle") == 0)
        return command_flow(gw, word, words, PFKEY_X_POLICY_GET);
    if (strcmp(word[0], "sa") == 0)
        return command_sa(gw, word, words);
    if (strcmp(word[0], "ike") == 0)
        return command_ike(gw, word, words);
    if (strcmp(word[0], "keyd") == 0)
        return command_keyd(gw, word, words);
    if (strcmp(word[0], "counters") == 0)
        say(gw, &counters);
    else if (strcmp(word[0], "crash") == 0)
        stop_plane(gw, true);
    else if (strcmp(word[0], "restart") == 0)
        start_plane(gw);
    else if (strcmp(word[0], "quit") == 0)
        gw->stop = true;
    else
        return false;
    return true;
}

static void read_line(struct gateway *gw)
{
    char line[LINE_MAX_OCTETS], *word[WORDS_MAX], *rest = NULL;
    size_t words = 0;

    if (fgets(line, sizeof(line), stdin) == NULL) {
        gw->stop = true;
        return;
    }
    for (char *w = strtok_r(line, " \n", &rest); w != NULL && words < WORDS_MAX;
         w = strtok_r(NULL, " \n", &rest))
        word[words++] = w;
    if (words > 0 && !obey(gw, word, words))
        printf("error bad command %s\n", word[0]);
}

static void print_message(const struct pfkey_message *m)
{
    char flow[IP_PAIR_TEXT_MAX] = "-";

    if (m->has & PFKEY_HAS_FLOW)
        ip_pair_format(&m->flow, flow);
    if (m->type == PFKEY_X_COUNTERS) {
        if (m->has & PFKEY_HAS_END)
            printf("counters end\n");
        else if (m->counter != 0)
            printf("counter %s %llu\n", m->counter_name, (unsigned long long)m->counter);
        return;
    }
    printf("%s seq %u error %u flow %s spi 0x%x", pfkey_type_name(m->type), m->seq, m->error, flow,
           m->sa.spi.value);
    if (m->has & PFKEY_HAS_TRACE)
        printf(" trace %u", m->trace);
    if (m->has & PFKEY_HAS_LAST_USE)
        printf(" idle %lld", (long long)m->idle_ms);
    printf("\n");
}

static void read_pfkey(struct gateway *gw)
{
    uint8_t octets[LIMIT_PFKEY_MESSAGE];
    struct pfkey_message message;
    ssize_t len = recv(gw->pfkey, octets, sizeof(octets), MSG_DONTWAIT);

    if (len < 0 && errno == EAGAIN)
        return;
    if (len <= 0) {
        printf("plane gone\n");
        close_channel(&gw->pfkey);
        return;
    }
    enum err err = pfkey_parse(view_of(octets, (size_t)len), &message);
    if (err != ERR_OK)
        printf("error unreadable message: %s\n", err_text(err));
    else
        print_message(&message);
}

static void read_ike(struct gateway *gw)
{
    static uint8_t octets[IKE_RELAY_MAX];
    char from[IP_ENDPOINT_TEXT_MAX], to[IP_ENDPOINT_TEXT_MAX];
    struct ip_endpoint local, remote;
    struct view datagram;
    ssize_t len = recv(gw->ike, octets, sizeof(octets), MSG_DONTWAIT);

    if (len < 0 && errno == EAGAIN)
        return;
    if (len <= 0) {
        close_channel(&gw->ike);
        return;
    }
    if (ike_relay_parse(view_of(octets, (size_t)len), &local, &remote, &datagram) == ERR_OK)
        printf("ike from %s to %s %.*s\n", ip_endpoint_format(&remote, from),
               ip_endpoint_format(&local, to), (int)datagram.len, (const char *)datagram.ptr);
}

static void loop(struct gateway *gw)
{
    while (!gw->stop) {
        struct pollfd fds[] = {{.fd = STDIN_FILENO, .events = POLLIN},
                               {.fd = gw->pfkey, .events = POLLIN},
                               {.fd = gw->ike, .events = POLLIN}};
        if (poll(fds, 3, -1) < 0)
            continue;
        if (fds[1].revents != 0)
            read_pfkey(gw);
        if (fds[2].revents != 0 && gw->ike >= 0)
            read_ike(gw);
        if (fds[0].revents != 0)
            read_line(gw);
    }
}

int main(int argc, char **argv)
{
    struct io_fault fault = {""};
    struct gateway gw = {.parent = -1, .pfkey = -1, .ike = -1};
    struct io_link link;

    setvbuf(stdin, NULL, _IONBF, 0);
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (argc < 6)
        usage();
    struct plane_setup setup = {.outside = {.count = 1},
                                .classifier = strcmp(argv[2], "ebpf") == 0
                                                  ? PLANE_CLASSIFIER_EBPF
                                                  : PLANE_CLASSIFIER_ROUTING};
    gw.user = strcmp(argv[3], "-") == 0 ? NULL : argv[3];
    gw.icmp_v4 = address(argv[4]);
    gw.icmp_v6 = address(argv[5]);
    gw.icmp_on_deny = argc > 6 && strcmp(argv[6], "icmp-on-deny") == 0;
    signal(SIGPIPE, SIG_IGN);
    snprintf(setup.outside.names[0], OUTSIDE_NAME_MAX, "%s", argv[1]);
    if (!io_link_read(argv[1], &link, &fault) || !plane_setup(&setup, &gw.setup, &fault)) {
        fprintf(stderr, "%s\n", fault.text);
        return 1;
    }
    gw.mtu = link.mtu;
    start_plane(&gw);
    printf("ready\n");
    loop(&gw);
    int status = gw.parent >= 0 ? stop_plane(&gw, false) : 0;
    plane_setup_undo(&gw.setup);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
