#include "daemon/leased_spis.h"

#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PREFIX "RSIP SPIs"
#define PORT " port "

enum { SPI_LEAST = 256, PORT_LEAST = 1024, HEX_DIGITS = 8, ANSWER_MAX = 16384 };

const char *leased_spis_format(const struct leased_spis *leased, char ret[LEASED_SPIS_TEXT])
{
    size_t len = 0;

    ret[0] = '\0';
    if (leased->count == 0)
        return ret;
    len = (size_t)snprintf(ret, LEASED_SPIS_TEXT, PREFIX);
    for (size_t i = 0; i < leased->count && i < LEASED_SPIS; i++)
        len += (size_t)snprintf(ret + len, LEASED_SPIS_TEXT - len, " %08x",
                                (unsigned)leased->spis[i]);
    if (leased->ike_port != 0)
        snprintf(ret + len, LEASED_SPIS_TEXT - len, PORT "%u", leased->ike_port);
    return ret;
}

static bool read_spi(const char *text, uint32_t *ret)
{
    if (strspn(text, "0123456789abcdef") != HEX_DIGITS)
        return false;
    *ret = (uint32_t)strtoul(text, NULL, 16);
    return *ret >= SPI_LEAST; /* RFC 4303 section 2.1 */
}

/* What is behind the SPIs: a port that needs no privilege, or nothing. */
static bool read_port(const char *text, uint16_t *ret)
{
    size_t digits = strspn(text, "0123456789");
    unsigned long port = digits >= 4 && digits <= 5 ? strtoul(text, NULL, 10) : 0;

    if (text[digits] != '\0' || port < PORT_LEAST || port > UINT16_MAX)
        return false;
    *ret = (uint16_t)port;
    return true;
}

void leased_spis_parse(const char *text, struct leased_spis *ret)
{
    struct leased_spis leased = {.count = 0};

    *ret = leased;
    if (strncmp(text, PREFIX, strlen(PREFIX)) != 0)
        return;
    text += strlen(PREFIX);
    while (*text == ' ' && leased.count < LEASED_SPIS && strncmp(text, PORT, strlen(PORT)) != 0) {
        if (!read_spi(text + 1, &leased.spis[leased.count++]))
            return;
        text += 1 + HEX_DIGITS;
    }
    if (leased.count == 0 ||
        (*text != '\0' && (strncmp(text, PORT, strlen(PORT)) != 0 ||
                           !read_port(text + strlen(PORT), &leased.ike_port))))
        return;
    *ret = leased;
}

/* Asks the kernel for one link. The length of its answer, or 0. */
static size_t ask_link(unsigned index, void *ret, size_t room)
{
    struct {
        struct nlmsghdr header;
        struct ifinfomsg link;
    } request = {.header = {.nlmsg_len = sizeof(request),
                            .nlmsg_type = RTM_GETLINK,
                            .nlmsg_flags = NLM_F_REQUEST},
                 .link = {.ifi_index = (int)index}};
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    ssize_t len = 0;

    if (fd >= 0 && send(fd, &request, sizeof(request), 0) == (ssize_t)sizeof(request))
        len = recv(fd, ret, room, 0);
    if (fd >= 0)
        close(fd);
    return len > 0 ? (size_t)len : 0;
}

static void parse_alias(const struct rtattr *attribute, struct leased_spis *ret)
{
    char text[LEASED_SPIS_TEXT];
    size_t len = RTA_PAYLOAD(attribute);

    if (len >= sizeof(text))
        return;
    memcpy(text, RTA_DATA(attribute), len);
    text[len] = '\0';
    leased_spis_parse(text, ret);
}

void leased_spis_read(const char *interface, struct leased_spis *ret)
{
    union {
        struct nlmsghdr header;
        uint8_t octets[ANSWER_MAX];
    } answer;
    unsigned index = if_nametoindex(interface);
    size_t len = index != 0 ? ask_link(index, &answer, sizeof(answer)) : 0;

    *ret = (struct leased_spis){.count = 0};
    if (!NLMSG_OK(&answer.header, len) || answer.header.nlmsg_type != RTM_NEWLINK)
        return;
    const struct ifinfomsg *link = NLMSG_DATA(&answer.header);
    size_t left = IFLA_PAYLOAD(&answer.header);
    for (const struct rtattr *a = IFLA_RTA(link); RTA_OK(a, left); a = RTA_NEXT(a, left))
        if (a->rta_type == IFLA_IFALIAS)
            parse_alias(a, ret);
}
