#include "wire/ike2_numbers.h"

#include <stddef.h>

struct number_name {
    uint16_t number;
    const char *name;
};

static const char *find(const struct number_name *table, size_t count, uint16_t number)
{
    for (size_t i = 0; i < count; i++)
        if (table[i].number == number)
            return table[i].name;
    return NULL;
}

#define FIND(table, number) find((table), sizeof(table) / sizeof((table)[0]), (number))

const char *ike2_exchange_name(uint8_t exchange)
{
    static const struct number_name names[] = {
        {IKE2_SA_INIT, "IKE_SA_INIT"},
        {IKE2_AUTH, "IKE_AUTH"},
        {IKE2_CREATE_CHILD_SA, "CREATE_CHILD_SA"},
        {IKE2_INFORMATIONAL, "INFORMATIONAL"},
        {IKE2_SESSION_RESUME, "IKE_SESSION_RESUME"},
        {IKE2_INTERMEDIATE, "IKE_INTERMEDIATE"},
        {IKE2_FOLLOWUP_KE, "IKE_FOLLOWUP_KE"},
    };
    return FIND(names, exchange);
}

const char *ike2_payload_name(uint8_t type)
{
    static const struct number_name names[] = {
        {IKE2_P_NONE, "NONE"},
        {IKE2_P_SA, "SA"},
        {IKE2_P_KE, "KE"},
        {IKE2_P_IDI, "IDi"},
        {IKE2_P_IDR, "IDr"},
        {IKE2_P_CERT, "CERT"},
        {IKE2_P_CERTREQ, "CERTREQ"},
        {IKE2_P_AUTH, "AUTH"},
        {IKE2_P_NONCE, "Nonce"},
        {IKE2_P_N, "N"},
        {IKE2_P_D, "D"},
        {IKE2_P_VID, "V"},
        {IKE2_P_TSI, "TSi"},
        {IKE2_P_TSR, "TSr"},
        {IKE2_P_SK, "SK"},
        {IKE2_P_CP, "CP"},
        {IKE2_P_EAP, "EAP"},
        {IKE2_P_SKF, "SKF"},
        {IKE2_P_PS, "PS"},
    };
    const char *name = FIND(names, type);
    return name != NULL ? name : "?";
}

const char *ike2_notify_name(uint16_t type)
{
    switch (type) {
#define NOTIFY_CASE(name, number)                                                                  \
    case number:                                                                                   \
        return #name;
        IKE2_NOTIFY_LIST(NOTIFY_CASE)
#undef NOTIFY_CASE
    default:
        return NULL;
    }
}

const char *ike2_protocol_name(uint8_t protocol)
{
    static const struct number_name names[] = {
        {IKE2_PROTO_IKE, "IKE"},
        {IKE2_PROTO_AH, "AH"},
        {IKE2_PROTO_ESP, "ESP"},
    };
    return FIND(names, protocol);
}

const char *ike2_auth_method_name(uint8_t method)
{
    static const struct number_name names[] = {
        {IKE2_AUTH_RSA, "RSA"},
        {IKE2_AUTH_SHARED_KEY, "shared key"},
        {IKE2_AUTH_ECDSA_256, "ECDSA-256"},
        {IKE2_AUTH_ECDSA_384, "ECDSA-384"},
        {IKE2_AUTH_ECDSA_521, "ECDSA-521"},
        {IKE2_AUTH_NULL, "NULL"},
        {IKE2_AUTH_DIGITAL, "digital signature"},
    };
    return FIND(names, method);
}

const char *ike2_transform_type_name(uint8_t type)
{
    static const struct number_name names[] = {
        {IKE2_T_ENCR, "ENCR"}, {IKE2_T_PRF, "PRF"}, {IKE2_T_INTEG, "INTEG"},
        {IKE2_T_KE, "KE"},     {IKE2_T_ESN, "ESN"}, {IKE2_T_ADDKE1, "ADDKE1"},
        {7, "ADDKE2"},         {8, "ADDKE3"},       {9, "ADDKE4"},
        {10, "ADDKE5"},        {11, "ADDKE6"},      {IKE2_T_ADDKE7, "ADDKE7"},
    };
    return FIND(names, type);
}

static const char *encr_name(uint16_t id)
{
    static const struct number_name names[] = {
        {IKE2_ENCR_3DES, "3DES"},
        {IKE2_ENCR_NULL, "NULL"},
        {IKE2_ENCR_AES_CBC, "AES_CBC"},
        {IKE2_ENCR_AES_CCM_8, "AES_CCM_8"},
        {IKE2_ENCR_AES_CCM_12, "AES_CCM_12"},
        {IKE2_ENCR_AES_CCM_16, "AES_CCM_16"},
        {IKE2_ENCR_AES_GCM_8, "AES_GCM_8"},
        {IKE2_ENCR_AES_GCM_12, "AES_GCM_12"},
        {IKE2_ENCR_AES_GCM_16, "AES_GCM_16"},
        {IKE2_ENCR_CHACHA20_POLY1305, "CHACHA20_POLY1305"},
    };
    return FIND(names, id);
}

static const char *prf_name(uint16_t id)
{
    static const struct number_name names[] = {
        {IKE2_PRF_HMAC_MD5, "PRF_HMAC_MD5"},
        {IKE2_PRF_HMAC_SHA1, "PRF_HMAC_SHA1"},
        {IKE2_PRF_AES128_XCBC, "PRF_AES128_XCBC"},
        {IKE2_PRF_HMAC_SHA2_256, "PRF_HMAC_SHA2_256"},
        {IKE2_PRF_HMAC_SHA2_384, "PRF_HMAC_SHA2_384"},
        {IKE2_PRF_HMAC_SHA2_512, "PRF_HMAC_SHA2_512"},
        {IKE2_PRF_AES128_CMAC, "PRF_AES128_CMAC"},
    };
    return FIND(names, id);
}

static const char *integ_name(uint16_t id)
{
    static const struct number_name names[] = {
        {IKE2_INTEG_NONE, "NONE"},
        {IKE2_INTEG_HMAC_MD5_96, "HMAC_MD5_96"},
        {IKE2_INTEG_HMAC_SHA1_96, "HMAC_SHA1_96"},
        {IKE2_INTEG_AES_XCBC_96, "AES_XCBC_96"},
        {IKE2_INTEG_AES_CMAC_96, "AES_CMAC_96"},
        {IKE2_INTEG_HMAC_SHA2_256_128, "HMAC_SHA2_256_128"},
        {IKE2_INTEG_HMAC_SHA2_384_192, "HMAC_SHA2_384_192"},
        {IKE2_INTEG_HMAC_SHA2_512_256, "HMAC_SHA2_512_256"},
    };
    return FIND(names, id);
}

const char *ike2_transform_name(uint8_t type, uint16_t id)
{
    static const struct number_name esn[] = {{IKE2_ESN_NO, "NO_ESN"}, {IKE2_ESN_YES, "ESN"}};
    switch (type) {
    case IKE2_T_ENCR:
        return encr_name(id);
    case IKE2_T_PRF:
        return prf_name(id);
    case IKE2_T_INTEG:
        return integ_name(id);
    case IKE2_T_ESN:
        return FIND(esn, id);
    default:
        return NULL;
    }
}
