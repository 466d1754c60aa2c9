/*
 * Datagrams at IKEv1 between configured peers: Main and Aggressive Mode by shared keys, raw keys and
 * certificates, Quick Mode between subnets, dead peer detection. The input names the way and a datagram;
 * before that arrives, forged ones do: altered copies, ones made up with its cookies, and copies altered
 * inside, under the receiver's own keys with a HASH that is right, as a peer gone wrong would send them.
 *
 * Whatever comes, the tunnel's request is decided; when the line is cut, a tunnel that is up is given up,
 * and no IKE SA outlives its silence. From the first encrypted message on nothing that is not made with
 * the keys keeps the tunnel from coming up.
 */
#include "fuzz.h"
#include "peers.h"

enum { FORGED_MOST = 8, RAW_MOST = 1024, DATAGRAMS = 14, STEP_MS = 1 };
enum { TUNNEL_MS = 60000, DEAD_MS = 600000, GONE_MS = 4 * 3600 * 1000 };

struct reader {
    const uint8_t *at;
    size_t left;
};

static uint8_t read_u8(struct reader *in)
{
    if (in->left == 0)
        return 0;
    in->left--;
    return *in->at++;
}

static uint16_t read_u16(struct reader *in)
{
    uint8_t high = read_u8(in);
    return (uint16_t)(high << 8 | read_u8(in));
}

static void alter(struct reader *in, uint8_t *octets, size_t len)
{
    for (unsigned times = 1 + read_u8(in) % 4; times > 0 && len != 0; times--) {
        uint16_t at = read_u16(in);
        octets[at % len] ^= read_u8(in);
    }
}

static void make_up(struct reader *in, struct peers_datagram *d)
{
    static const size_t heads[] = {0, ISAKMP_COOKIE_LEN, 2 * ISAKMP_COOKIE_LEN, ISAKMP_HEADER_LEN};
    size_t head = heads[read_u8(in) % 4];
    size_t len = read_u8(in) * 4u;
    if (len > in->left)
        len = in->left;
    if (len > head)
        memcpy(d->octets + head, in->at + head, len - head);
    in->at += len;
    in->left -= len;
    d->len = len > head ? len : head;
}

static const struct ike_sa *keyed_sa(const struct peers *peers, unsigned side)
{
    const struct ike *ike = peers->sides[side].ike;
    const struct ike_sa *sa = ike->all_count != 0 ? ike->all[ike->all_count - 1] : NULL;
    return sa != NULL && sa->suite.key_bits != 0 && (sa->handshake == NULL || sa->main.state > V1_MM_I_WAIT_KE)
               ? sa
               : NULL;
}

static bool iv_for(const struct ike_sa *sa, const struct isakmp_header *header, uint8_t *ret)
{
    const struct v1_quick *quick = quick_find(sa, header->msgid);
    if (header->msgid.value == 0)
        memcpy(ret, sa->main.iv, CBC_BLOCK_MAX);
    else if (quick != NULL)
        memcpy(ret, quick->x.iv, CBC_BLOCK_MAX);
    else
        return v1_phase2_iv(sa, header->msgid, ret) == ERR_OK;
    return true;
}

static enum v1_message_kind kind_of(const struct ike_sa *sa, const struct isakmp_header *header)
{
    const struct v1_quick *quick = quick_find(sa, header->msgid);
    if (header->exchange == ISAKMP_INFORMATIONAL)
        return V1_INFO;
    if (quick == NULL)
        return V1_QM1;
    return quick->x.initiator ? V1_QM2 : V1_QM3;
}

/* Over whatever follows it now. */
static void mend_hash(const struct ike_sa *sa, const struct isakmp_header *header, struct span text)
{
    struct isakmp_payloads payloads;
    struct view all = view_of(text.ptr, text.len);
    if (header->msgid.value == 0 ||
        isakmp_payloads_parse(header->next_payload, all, true, &payloads) != ERR_OK ||
        payloads.count == 0 || payloads.list[0].body.len != hash_len(sa->suite.hash))
        return;
    size_t skip = payloads.list[0].whole.len;
    enum err err = v1_phase2_hash(sa, quick_find(sa, header->msgid), kind_of(sa, header), header->msgid,
                                  view_of(text.ptr + skip, payloads.octets - skip), text.ptr + 4);
    (void)err; /* then it stays wrong */
}

/* False: it isn't encrypted. */
static bool alter_inside(struct reader *in, const struct peers *peers, struct peers_datagram *d)
{
    const struct ike_sa *sa = keyed_sa(peers, d->to);
    struct isakmp_header header;
    uint8_t before[CBC_BLOCK_MAX], iv[CBC_BLOCK_MAX];
    struct span text = span_of(d->octets + ISAKMP_HEADER_LEN, d->len - ISAKMP_HEADER_LEN);

    if (sa == NULL || isakmp_header_parse(view_of(d->octets, d->len), &header) != ERR_OK ||
        (header.flags & ISAKMP_FLAG_ENCRYPTED) == 0 || !iv_for(sa, &header, before))
        return false;
    const struct view key = view_of(sa->keys.cipher, sa->suite.key_bits / 8);
    memcpy(iv, before, sizeof(iv));
    if (cbc_decrypt(sa->suite.cipher, key, iv, text) != ERR_OK)
        return false;
    alter(in, text.ptr, text.len);
    mend_hash(sa, &header, text);
    memcpy(iv, before, sizeof(iv));
    return cbc_encrypt(sa->suite.cipher, key, iv, text) == ERR_OK;
}

/* True: it was made with the keys. */
static bool forge(struct reader *in, struct peers *peers, const struct peers_datagram *honest)
{
    static struct peers_datagram d;
    uint8_t how = read_u8(in);
    bool inside = false;

    d = *honest;
    if (how % 3 == 0)
        alter(in, d.octets, d.len);
    else if (how % 3 == 1)
        make_up(in, &d);
    else
        inside = alter_inside(in, peers, &d);
    peers_give(peers, &d);
    return inside;
}

/* By keys, and so that nothing else is taken in its place: Aggressive Mode's last may come in clear. */
static bool is_protected(const struct peers_datagram *d)
{
    return (d->octets[19] & ISAKMP_FLAG_ENCRYPTED) != 0 && d->octets[18] != ISAKMP_AGGRESSIVE_MODE;
}

static const struct peers_datagram *wait_for(struct peers *peers, unsigned datagram)
{
    for (unsigned i = 0; peers->sent < datagram && i < 100000; i++)
        peers_run(peers, STEP_MS);
    return peers->sent >= datagram ? peers_next(peers) : NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static struct peers peers;
    static struct peers_datagram honest;
    struct reader in = {data, len};
    uint8_t way = read_u8(&in);
    unsigned datagram = 1 + read_u8(&in) % DATAGRAMS;
    bool sound = true;

    peers_open(&peers, peers_way(way));
    peers_begin(&peers);
    const struct peers_datagram *next = wait_for(&peers, datagram);
    if (next != NULL)
        honest = *next;
    for (unsigned i = 0; next != NULL && i < FORGED_MOST && in.left > 0; i++)
        sound &= !forge(&in, &peers, &honest) && is_protected(&honest);
    peers_run(&peers, TUNNEL_MS);
    const struct peers_side *a = &peers.sides[PEERS_A];
    assert(a->up + a->failed != 0);
    if (sound)
        assert(a->up == 1 && a->failed == 0);
    peers.cut = true;
    peers_run(&peers, DEAD_MS);
    if (sound) /* else the peer may seem to know nothing of dead peer detection */
        assert(a->deleted == 1);
    peers_run(&peers, GONE_MS);
    for (unsigned s = 0; s < PEERS_SIDES; s++)
        assert(peers.sides[s].ike->all_count == 0);
    peers_close(&peers);
    return 0;
}
