/*
 * The classifier: which datagrams leave an outside interface as they are, and which go through the
 * plane (design: a datagram's way). Three programs:
 *
 *   classify   egress of each outside interface, behind source NAT (OE-160). Known pairs pass or are
 *              dropped; every other pair goes into oe0 or vpn0. What can't be looked at is dropped: it
 *              fails closed.
 *   put_back   ingress of the put-back device. A datagram that the plane lets pass after holding it goes
 *              out through the interface it was about to leave, with a link header, past netfilter,
 *              which has seen it already.
 *   arrive     ingress of each outside interface, if it is asked for. What comes in clear of a pair that
 *              has a tunnel is dropped (RFC 4301 section 5.2).
 */
#include <linux/bpf.h>
#include <linux/icmpv6.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/pkt_cls.h>
#include <stdbool.h>
#include <stddef.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "classifier_abi.h"

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __uint(max_entries, CLASSIFIER_ENTRIES);
    __type(key, struct classifier_key);
    __type(value, struct classifier_value);
} verdicts SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_LPM_TRIE);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __uint(max_entries, CLASSIFIER_NETS);
    __type(key, struct classifier_net);
    __type(value, __u32);
} nets SEC(".maps");

/* Where there are several outside interfaces: the one that routing had chosen for a pair. */
struct {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __uint(max_entries, CLASSIFIER_WAYS);
    __type(key, struct classifier_key);
    __type(value, __u32);
} ways SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, struct classifier_settings);
} settings SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, CLASSIFIER_COUNTER_COUNT);
    __type(key, __u32);
    __type(value, __u64);
} counters SEC(".maps");

#define SECOND_NS 1000000000ull

static __always_inline void count(__u32 which)
{
    __u64 *value = bpf_map_lookup_elem(&counters, &which);

    if (value != NULL)
        (*value)++;
}

static __always_inline int ends(int action, __u32 counter)
{
    count(counter);
    return action;
}

/* The offset counts from the IP header, whatever the link header looks like. */
static __always_inline bool load(struct __sk_buff *skb, __u32 offset, void *ret, __u32 len)
{
    return bpf_skb_load_bytes_relative(skb, offset, ret, len, BPF_HDR_START_NET) == 0;
}

/* The source of a forwarded datagram can't be had from its socket, so only local ones are asked. */
static __always_inline bool is_own(struct __sk_buff *skb, const struct classifier_settings *set)
{
    if (skb->mark == set->mark)
        return true;
    return set->exempt_uid != CLASSIFIER_NO_UID && skb->sk != NULL &&
           bpf_get_socket_uid(skb) == set->exempt_uid;
}

/* A directed broadcast looks like any address; its link header doesn't. Where there is none the IP
 * header stands in its place, and never begins so. */
static __always_inline bool is_link_broadcast(struct __sk_buff *skb)
{
    __u8 mac[ETH_ALEN];

    if (bpf_skb_load_bytes_relative(skb, 0, mac, sizeof(mac), BPF_HDR_START_MAC) != 0)
        return false;
    return (mac[0] & mac[1] & mac[2] & mac[3] & mac[4] & mac[5]) == 0xff;
}

/* Only the destination says that a datagram stays on the link: anyone can write a source. */
static __always_inline bool is_v4_link_scope(const struct iphdr *ip)
{
    __u32 dst = bpf_ntohl(ip->daddr);

    return (dst & 0xf0000000) == 0xe0000000    /* multicast */
           || (dst & 0xffff0000) == 0xa9fe0000 /* 169.254/16 */
           || dst == 0xffffffff;
}

static __always_inline bool is_v6_link_local(const struct in6_addr *addr)
{
    return addr->s6_addr[0] == 0xfe && (addr->s6_addr[1] & 0xc0) == 0x80;
}

/* Neighbour discovery between global addresses: a hop limit of 255 was never forwarded. */
static __always_inline bool is_neighbour_discovery(struct __sk_buff *skb, const struct ipv6hdr *ip)
{
    __u8 type;

    return ip->nexthdr == IPPROTO_ICMPV6 && ip->hop_limit == 255 &&
           load(skb, sizeof(*ip), &type, sizeof(type)) && type >= 133 && type <= 137;
}

static __always_inline bool is_to_tunnel(const struct classifier_key *key)
{
    struct classifier_net net = {.bits = CLASSIFIER_NET_FAMILY_BITS + 8 * sizeof(net.addr),
                                 .family = key->family};

    __builtin_memcpy(net.addr, key->dst, sizeof(net.addr));
    return bpf_map_lookup_elem(&nets, &net) != NULL;
}

static __always_inline void note_way(const struct classifier_settings *set,
                                     const struct classifier_key *key, __u32 ifindex)
{
    __u32 *known;

    if (set->outside_ifindex != 0)
        return;
    known = bpf_map_lookup_elem(&ways, key);
    if (known == NULL || *known != ifindex)
        bpf_map_update_elem(&ways, key, &ifindex, BPF_ANY);
}

static __always_inline int obey(struct __sk_buff *skb, const struct classifier_settings *set,
                                const struct classifier_key *key)
{
    struct classifier_value *value = bpf_map_lookup_elem(&verdicts, key);
    __u32 verdict = CLASSIFIER_NONE;
    __u64 now;

    if (value != NULL) {
        now = bpf_ktime_get_ns();
        if (now - value->used_ns > SECOND_NS)
            value->used_ns = now;
        verdict = value->verdict;
    }
    if (verdict == CLASSIFIER_PASS)
        return ends(TC_ACT_OK, CLASSIFIER_COUNT_PASS);
    if (verdict == CLASSIFIER_DENY)
        return ends(TC_ACT_SHOT, CLASSIFIER_COUNT_DENY);
    note_way(set, key, skb->ifindex);
    if (is_to_tunnel(key))
        return ends(bpf_redirect(set->vpn_ifindex, 0), CLASSIFIER_COUNT_VPN);
    return ends(bpf_redirect(set->oe_ifindex, 0), CLASSIFIER_COUNT_OE);
}

static __always_inline int classify_v4(struct __sk_buff *skb, const struct classifier_settings *set)
{
    struct classifier_key key = {.family = 4};
    struct iphdr ip;

    if (!load(skb, 0, &ip, sizeof(ip)))
        return ends(TC_ACT_SHOT, CLASSIFIER_COUNT_SHORT);
    if (is_v4_link_scope(&ip) || is_link_broadcast(skb))
        return ends(TC_ACT_OK, CLASSIFIER_COUNT_LINK_SCOPE);
    __builtin_memcpy(key.src, &ip.saddr, sizeof(ip.saddr));
    __builtin_memcpy(key.dst, &ip.daddr, sizeof(ip.daddr));
    return obey(skb, set, &key);
}

static __always_inline int classify_v6(struct __sk_buff *skb, const struct classifier_settings *set)
{
    struct classifier_key key = {.family = 6};
    struct ipv6hdr ip;

    if (!load(skb, 0, &ip, sizeof(ip)))
        return ends(TC_ACT_SHOT, CLASSIFIER_COUNT_SHORT);
    if (ip.daddr.s6_addr[0] == 0xff || is_v6_link_local(&ip.daddr) ||
        is_neighbour_discovery(skb, &ip))
        return ends(TC_ACT_OK, CLASSIFIER_COUNT_LINK_SCOPE);
    __builtin_memcpy(key.src, &ip.saddr, sizeof(key.src));
    __builtin_memcpy(key.dst, &ip.daddr, sizeof(key.dst));
    return obey(skb, set, &key);
}

SEC("tc")
int classify(struct __sk_buff *skb)
{
    __u32 zero = 0;
    const struct classifier_settings *set = bpf_map_lookup_elem(&settings, &zero);

    if (set == NULL)
        return TC_ACT_SHOT;
    if (is_own(skb, set))
        return ends(TC_ACT_OK, CLASSIFIER_COUNT_OWN);
    if (skb->protocol == bpf_htons(ETH_P_IP))
        return classify_v4(skb, set);
    if (skb->protocol == bpf_htons(ETH_P_IPV6))
        return classify_v6(skb, set);
    return ends(TC_ACT_OK, CLASSIFIER_COUNT_NOT_IP);
}

/* Of IKE, of ESP inside UDP, and of DNS, whose answers to our own resolver come in clear. */
static __always_inline bool is_our_port(__u16 port)
{
    return port == bpf_htons(500) || port == bpf_htons(4500) || port == bpf_htons(53);
}

/* What may come in clear of a pair with a tunnel: the tunnel itself, if its ends are the pair, and IKE. A later
 * fragment is of no use without the first, which says what it is. */
static __always_inline bool is_ours_in_clear(struct __sk_buff *skb, __u8 protocol, __u32 offset,
                                             bool later_fragment)
{
    struct {
        __be16 src, dst;
    } ports;

    if (later_fragment || protocol == IPPROTO_ESP || protocol == IPPROTO_AH)
        return true;
    if (protocol != IPPROTO_UDP && protocol != IPPROTO_TCP)
        return false;
    if (!load(skb, offset, &ports, sizeof(ports)))
        return false;
    if (protocol == IPPROTO_TCP)
        return ports.src == bpf_htons(53);
    return is_our_port(ports.src) || ports.dst == bpf_htons(500) || ports.dst == bpf_htons(4500);
}

static __always_inline int admit(const struct classifier_key *key, bool in_clear)
{
    const struct classifier_value *value = bpf_map_lookup_elem(&verdicts, key);

    if (in_clear || value == NULL || value->verdict != CLASSIFIER_ENCRYPT)
        return TC_ACT_OK;
    return ends(TC_ACT_SHOT, CLASSIFIER_COUNT_CLEAR_IN);
}

static __always_inline int arrive_v4(struct __sk_buff *skb)
{
    struct classifier_key key = {.family = 4};
    struct iphdr ip;

    if (!load(skb, 0, &ip, sizeof(ip)))
        return TC_ACT_OK; /* the kernel throws it away */
    __builtin_memcpy(key.src, &ip.daddr, sizeof(ip.daddr));
    __builtin_memcpy(key.dst, &ip.saddr, sizeof(ip.saddr));
    bool later = (ip.frag_off & bpf_htons(0x1fff)) != 0;
    return admit(&key, is_ours_in_clear(skb, ip.protocol, ip.ihl * 4, later));
}

static __always_inline int arrive_v6(struct __sk_buff *skb)
{
    struct classifier_key key = {.family = 6};
    struct {
        __u8 next, reserved;
        __be16 offset;
        __be32 id;
    } fragment;
    struct ipv6hdr ip;
    __u32 offset = sizeof(ip);
    bool later = false;

    if (!load(skb, 0, &ip, sizeof(ip)) || is_neighbour_discovery(skb, &ip))
        return TC_ACT_OK;
    if (ip.nexthdr == IPPROTO_FRAGMENT) {
        if (!load(skb, offset, &fragment, sizeof(fragment)))
            return TC_ACT_OK;
        ip.nexthdr = fragment.next;
        later = (fragment.offset & bpf_htons(0xfff8)) != 0;
        offset += sizeof(fragment);
    }
    __builtin_memcpy(key.src, &ip.daddr, sizeof(key.src));
    __builtin_memcpy(key.dst, &ip.saddr, sizeof(key.dst));
    return admit(&key, is_ours_in_clear(skb, ip.nexthdr, offset, later));
}

SEC("tc")
int arrive(struct __sk_buff *skb)
{
    if (skb->protocol == bpf_htons(ETH_P_IP))
        return arrive_v4(skb);
    if (skb->protocol == bpf_htons(ETH_P_IPV6))
        return arrive_v6(skb);
    return TC_ACT_OK;
}

/* 0: it is not known any more. */
static __always_inline __u32 way_of(struct __sk_buff *skb, const struct classifier_settings *set)
{
    struct classifier_key key = {.family = 4};
    struct ipv6hdr v6;
    struct iphdr v4;
    __u32 *way;

    if (set->outside_ifindex != 0)
        return set->outside_ifindex;
    if (skb->protocol == bpf_htons(ETH_P_IP)) {
        if (!load(skb, 0, &v4, sizeof(v4)))
            return 0;
        __builtin_memcpy(key.src, &v4.saddr, sizeof(v4.saddr));
        __builtin_memcpy(key.dst, &v4.daddr, sizeof(v4.daddr));
    } else {
        if (!load(skb, 0, &v6, sizeof(v6)))
            return 0;
        key.family = 6;
        __builtin_memcpy(key.src, &v6.saddr, sizeof(key.src));
        __builtin_memcpy(key.dst, &v6.daddr, sizeof(key.dst));
    }
    way = bpf_map_lookup_elem(&ways, &key);
    return way != NULL ? *way : 0;
}

/*
 * The mark makes classify() let it pass. The helper that looks up the next hop wants a link header
 * to replace, which a TUN device doesn't give.
 */
SEC("tc")
int put_back(struct __sk_buff *skb)
{
    __u32 zero = 0;
    const struct classifier_settings *set = bpf_map_lookup_elem(&settings, &zero);
    __u32 way;

    if (set == NULL)
        return TC_ACT_SHOT;
    way = way_of(skb, set);
    if (way == 0 || bpf_skb_change_head(skb, ETH_HLEN, 0) != 0)
        return ends(TC_ACT_SHOT, CLASSIFIER_COUNT_NO_WAY);
    skb->mark = set->mark;
    return ends(bpf_redirect_neigh(way, NULL, 0, 0), CLASSIFIER_COUNT_PUT_BACK);
}

char LICENSE[] SEC("license") = "BSD-2-Clause";
