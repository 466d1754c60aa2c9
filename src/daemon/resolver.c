#include "daemon/resolver.h"

#include <stdio.h>
#include <unbound.h>

enum { RCODE_NOERROR = 0, RCODE_NXDOMAIN = 3 };

static struct dns_answer no_usable_answer(const char *reason)
{
    struct dns_answer answer = {.status = DNS_TIMEOUT};
    snprintf(answer.why, sizeof(answer.why), "%s", reason);
    return answer;
}

static struct dns_answer bogus(const struct ub_result *result)
{
    struct dns_answer answer = {.status = DNS_BOGUS, .ttl_s = RESOLVER_BOGUS_TTL_S};
    snprintf(answer.why, sizeof(answer.why), "%s",
             result->why_bogus != NULL ? result->why_bogus : "DNSSEC validation failed");
    return answer;
}

static struct dns_answer failed(const struct ub_result *result)
{
    static const char *const names[] = {[1] = "FORMERR", [2] = "SERVFAIL", [4] = "NOTIMP",
                                        [5] = "REFUSED"};
    struct dns_answer answer = {.status = DNS_TIMEOUT};
    size_t rcode = (size_t)result->rcode;
    const char *name = rcode < sizeof(names) / sizeof(names[0]) ? names[rcode] : NULL;
    if (name != NULL)
        snprintf(answer.why, sizeof(answer.why), "no DNS server answered (%s)", name);
    else
        snprintf(answer.why, sizeof(answer.why), "no DNS server answered (code %d)",
                 result->rcode);
    return answer;
}

/* OE-009: what the validator made of it. */
struct dns_answer resolver_answer_of(int error, const struct ub_result *result)
{
    if (error != 0 || result == NULL)
        return no_usable_answer(error != 0 ? ub_strerror(error) : "no result");
    if (result->bogus)
        return bogus(result);
    if (result->rcode != RCODE_NOERROR && result->rcode != RCODE_NXDOMAIN)
        return failed(result);

    struct dns_answer answer = {.status = DNS_ABSENT,
                                .secure = result->secure != 0,
                                .ttl_s = result->ttl > 0 ? (uint32_t)result->ttl : 0};
    if (!result->havedata || result->nxdomain)
        return answer;
    answer.status = DNS_FOUND;
    while (answer.count < LIMIT_DNS_RECORDS && result->data[answer.count] != NULL) {
        answer.rdata[answer.count] =
            view_of(result->data[answer.count], (size_t)result->len[answer.count]);
        answer.count++;
    }
    return answer;
}
