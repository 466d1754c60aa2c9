#include "daemon/leased_spis.h"

#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PREFIX "RSIP SPIs"

enum { SPI_LEAST = 256, HEX_DIGITS = 8, ANSWER_MAX = 16384 };

const char *leased_spis_format(const uint32_t *spis, size_t count, char ret[LEASED_SPIS_TEXT])
{
    size_t len = 0;

    ret[0] = '\0';
    if (count > 0)
        len = (size_t)snprintf(ret, LEASED_SPIS_TEXT, PREFIX);
    for (size_t i = 0; i < count && i < LEASED_SPIS; i++)
        len += (size_t)snprintf(ret + len, LEASED_SPIS_TEXT - len, " %08x", (unsigned)spis[i]);
    return ret;
}

size_t leased_spis_parse(const char *text, uint32_t ret[LEASED_SPIS])
{
    size_t count = 0;

    if (strncmp(text, PREFIX, strlen(PREFIX)) != 0)
        return 0;
    for (text += strlen(PREFIX); *text == ' ' && count < LEASED_SPIS; text += 1 + HEX_DIGITS) {
        if (strspn(text + 1, "0123456789abcdef") != HEX_DIGITS)
            return 0;
        uint32_t spi = (uint32_t)strtoul(text + 1, NULL, 16);
        if (spi < SPI_LEAST) /* RFC 4303 section 2.1 */
            return 0;
        ret[count++] = spi;
    }
    return *text == '\0' ? count : 0;
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

static size_t parse_alias(const struct rtattr *attribute, uint32_t ret[LEASED_SPIS])
{
    char text[LEASED_SPIS_TEXT];
    size_t len = RTA_PAYLOAD(attribute);

    if (len >= sizeof(text))
        return 0;
    memcpy(text, RTA_DATA(attribute), len);
    text[len] = '\0';
    return leased_spis_parse(text, ret);
}

size_t leased_spis_read(const char *interface, uint32_t ret[LEASED_SPIS])
{
    union {
        struct nlmsghdr header;
        uint8_t octets[ANSWER_MAX];
    } answer;
    unsigned index = if_nametoindex(interface);
    size_t len = index != 0 ? ask_link(index, &answer, sizeof(answer)) : 0;

    if (!NLMSG_OK(&answer.header, len) || answer.header.nlmsg_type != RTM_NEWLINK)
        return 0;
    const struct ifinfomsg *link = NLMSG_DATA(&answer.header);
    size_t left = IFLA_PAYLOAD(&answer.header);
    for (const struct rtattr *a = IFLA_RTA(link); RTA_OK(a, left); a = RTA_NEXT(a, left))
        if (a->rta_type == IFLA_IFALIAS)
            return parse_alias(a, ret);
    return 0;
}
