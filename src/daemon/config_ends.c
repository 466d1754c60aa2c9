#include "base/base64.h"
#include "daemon/config_connections.h"

static const struct yaml_choice auths[] = {
    {"psk", IKE_BY_PSK},
    {"key", IKE_BY_KEY},
    {"certificate", IKE_BY_CERTIFICATE},
    {"encryption", IKE_BY_ENCRYPTION},
    {"revised-encryption", IKE_BY_REVISED_ENCRYPTION},
    {"null", IKE_BY_NULL},
    {NULL, 0},
};

#define RAW(member) offsetof(struct config_raw_end, member)
#define AUTH_REMEDY "say how it is proved, as in 'auth: psk', 'auth: key' or 'auth: certificate'"
const struct yaml_field config_local_fields[] = {
    {"address", config_keep_node, RAW(address)},
    {"id", config_keep_node, RAW(id)},
    {"auth", yaml_read_choice, RAW(auth), .choices = auths, .remedy = AUTH_REMEDY},
    {"key", config_keep_node, RAW(key)},
    {"certificate", config_keep_node, RAW(certificate)},
    {NULL, NULL},
};

const struct yaml_field config_remote_fields[] = {
    {"address", config_keep_node, RAW(address)},
    {"port", yaml_read_number, RAW(port), .least = 1, .most = UINT16_MAX},
    {"id", config_keep_node, RAW(id)},
    {"auth", yaml_read_choice, RAW(auth), .choices = auths, .remedy = AUTH_REMEDY},
    {"key", config_keep_node, RAW(key)},
    {"ca", config_keep_node, RAW(ca)},
    {"crl", config_keep_node, RAW(crl)},
    {"crl-required", yaml_read_bool, RAW(crl_required)},
    {"tcp-port", yaml_read_number, RAW(tcp_port), .least = 1, .most = 65535},
    {NULL, NULL},
};

bool config_keep_node(struct yaml_reader *r, const yaml_node_t *node,
                      const struct yaml_field *field, void *base)
{
    const yaml_node_t **ret = (const yaml_node_t **)(void *)((char *)base + field->offset);
    (void)r;
    *ret = node;
    return true;
}

bool config_keep_text(struct yaml_reader *r, const yaml_node_t *node, struct cygnet_config *config,
                      config_string *ret)
{
    const char *text = yaml_reader_scalar(node);
    size_t len = text != NULL ? strlen(text) + 1 : 0;

    if (len < 2)
        return yaml_reader_fail(r, node, "here a text is wanted; write one");
    if (len > CONFIG_STRINGS - config->string_octets)
        return yaml_reader_fail(r, node, "the paths and keys of all connections are too long; "
                                         "put keys into files");
    memcpy(config->strings + config->string_octets, text, len);
    *ret = (config_string)config->string_octets;
    config->string_octets += len;
    return true;
}

bool config_keep_path(struct yaml_reader *r, const yaml_node_t *node, const char *key,
                      struct cygnet_config *config, config_string *ret)
{
    const char *text = yaml_reader_scalar(node);
    if (text == NULL || text[0] != '/' || strlen(text) >= CONFIG_PATH_MAX)
        return yaml_reader_fail(r, node, "'%s' takes the whole path of a file; write it from / on",
                                key);
    return config_keep_text(r, node, config, ret);
}

/* RFC 3110 form, as `cygnet keys show` prints it. */
static bool is_key_text(const char *text)
{
    uint8_t octets[LIMIT_KEY_OCTETS];
    struct public_key key;
    size_t len;
    return base64_decode(view_of_text(text), span_of(octets, sizeof(octets)), &len) &&
           public_key_from_rfc3110(view_of(octets, len), &key) == ERR_OK;
}

static bool keep_one(struct yaml_reader *r, const yaml_node_t *node, const char *key,
                     bool or_base64, struct cygnet_config *config, struct config_files *ret)
{
    const char *text = yaml_reader_scalar(node);

    if (ret->count == CONFIG_END_FILES)
        return yaml_reader_fail(r, node, "'%s' has more than %d entries; leave some out", key,
                                CONFIG_END_FILES);
    if (or_base64 && text != NULL && text[0] != '/') {
        if (!is_key_text(text))
            return yaml_reader_fail(r, node,
                                    "'%.20s' is neither a file's path nor an RSA key in base64; "
                                    "'cygnet keys show' prints one",
                                    text);
        return config_keep_text(r, node, config, &ret->at[ret->count++]);
    }
    return config_keep_path(r, node, key, config, &ret->at[ret->count++]);
}

/* A file or a list of them. */
static bool keep_files(struct yaml_reader *r, const yaml_node_t *node, const char *key,
                       bool or_base64, struct cygnet_config *config, struct config_files *ret)
{
    if (node == NULL)
        return true;
    if (node->type != YAML_SEQUENCE_NODE)
        return keep_one(r, node, key, or_base64, config, ret);
    for (const yaml_node_item_t *item = node->data.sequence.items.start;
         item < node->data.sequence.items.top; item++)
        if (!keep_one(r, yaml_document_get_node(r->document, *item), key, or_base64, config, ret))
            return false;
    return true;
}

static bool read_address(struct yaml_reader *r, const yaml_node_t *node, bool local,
                         struct ip_prefix *ret)
{
    const char *text = node != NULL ? yaml_reader_scalar(node) : "any";
    struct ip_addr addr;

    if (text != NULL && strcmp(text, "any") == 0)
        return true;
    if (text != NULL && ip_addr_parse(text, &addr)) {
        *ret = ip_prefix_of(&addr, ip_addr_bits(&addr));
        return true;
    }
    if (!local && text != NULL && ip_prefix_parse(text, ret))
        return true;
    if (local)
        return yaml_reader_fail(r, node, "'%.60s' is not an IP address; write one of this machine's, "
                                         "or leave it out",
                                text != NULL ? text : "a list");
    return yaml_reader_fail(r, node, "'%.60s' is not where a peer may be; write an IP address, a "
                                     "prefix or any",
                            text != NULL ? text : "a list");
}

static bool read_id(struct yaml_reader *r, const yaml_node_t *node, struct identity *ret)
{
    static const char key_id[] = "key-id:";
    const char *text = node != NULL ? yaml_reader_scalar(node) : "any";
    struct ip_addr addr;

    if (text != NULL && strcmp(text, "any") == 0)
        return true;
    if (text != NULL && ip_addr_parse(text, &addr)) {
        *ret = identity_of_addr(&addr);
        return true;
    }
    if (text != NULL && text[0] == '@' && identity_of_fqdn(view_of_text(text + 1), ret))
        return true;
    if (text != NULL && strncmp(text, key_id, sizeof(key_id) - 1) == 0 &&
        identity_of_octets(IDENTITY_KEY_ID, view_of_text(text + sizeof(key_id) - 1), ret))
        return true;
    if (text != NULL && text[0] != '@' && identity_of_email(view_of_text(text), ret))
        return true;
    return yaml_reader_fail(r, node,
                            "'%.60s' is not an identity; write an IP address, \"@gw.example.net\" "
                            "in quotes, user@example.net, key-id:NAME or any",
                            text != NULL ? text : "a list");
}

/* What the kind of proof needs, and what it has no use for. */
static bool check_end(struct yaml_reader *r, const yaml_node_t *node,
                      const struct config_raw_end *raw, bool local)
{
    bool certificate = raw->auth == IKE_BY_CERTIFICATE;
    bool key = raw->auth == IKE_BY_KEY || raw->auth == IKE_BY_ENCRYPTION ||
               raw->auth == IKE_BY_REVISED_ENCRYPTION;

    if (certificate && local && raw->certificate == NULL)
        return yaml_reader_fail(r, node, "'auth: certificate' needs 'certificate'; name our "
                                         "certificate's file, then those up to the authority");
    if (certificate && !local && raw->ca == NULL)
        return yaml_reader_fail(r, node, "'auth: certificate' needs 'ca'; name the file of the "
                                         "authority that certifies the peer");
    if (key && !local && raw->key == NULL)
        return yaml_reader_fail(r, node, "'auth: key' needs 'key'; name the file of the peer's "
                                         "public key");
    if (!certificate && (raw->certificate != NULL || raw->ca != NULL || raw->crl != NULL))
        return yaml_reader_fail(r, node, "'certificate', 'ca' and 'crl' go with 'auth: "
                                         "certificate'; remove them or change 'auth'");
    if (raw->key != NULL && !key && !(certificate && local))
        return yaml_reader_fail(r, node, "'key' goes with 'auth: key' or our certificate; remove it "
                                         "or change 'auth'");
    if (raw->crl_required && raw->crl == NULL)
        return yaml_reader_fail(r, node, "'crl-required' needs 'crl'; name the file of the "
                                         "revocation list");
    return true;
}

bool config_end_make(struct yaml_reader *r, const yaml_node_t *node, struct cygnet_config *config,
                     const struct config_raw_end *raw, bool local, struct config_end *ret)
{
    memset(ret, 0, sizeof(*ret)); /* the holes too: connections are compared */
    ret->auth = raw->auth;
    ret->crl_required = raw->crl_required;
    ret->tcp_port = raw->tcp_port;
    ret->port = (uint16_t)raw->port;
    if (!check_end(r, node, raw, local) || !read_address(r, raw->address, local, &ret->address) ||
        !read_id(r, raw->id, &ret->id))
        return false;
    if (!keep_files(r, raw->key, "key", !local, config, &ret->keys) ||
        !keep_files(r, raw->certificate, "certificate", false, config, &ret->chain) ||
        !keep_files(r, raw->ca, "ca", false, config, &ret->ca) ||
        !keep_files(r, raw->crl, "crl", false, config, &ret->crl))
        return false;
    if (local && ret->keys.count > 1)
        return yaml_reader_fail(r, raw->key, "we prove one key; keep one");
    return true;
}
