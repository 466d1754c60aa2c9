/*
 * The numbers of IKEv2 as IANA keeps them, and their names for the trace. Where a number means
 * something only to those who know an extension, the RFC is given.
 */
#ifndef CYGNET_WIRE_IKE2_NUMBERS_H
#define CYGNET_WIRE_IKE2_NUMBERS_H

#include <stdint.h>

enum ike2_exchange {
    IKE2_SA_INIT = 34,
    IKE2_AUTH = 35,
    IKE2_CREATE_CHILD_SA = 36,
    IKE2_INFORMATIONAL = 37,
    IKE2_SESSION_RESUME = 38, /* RFC 5723 */
    IKE2_INTERMEDIATE = 43,   /* RFC 9242 */
    IKE2_FOLLOWUP_KE = 44,    /* RFC 9370 */
};

enum ike2_payload_type {
    IKE2_P_NONE = 0,
    IKE2_P_SA = 33,
    IKE2_P_KE = 34,
    IKE2_P_IDI = 35,
    IKE2_P_IDR = 36,
    IKE2_P_CERT = 37,
    IKE2_P_CERTREQ = 38,
    IKE2_P_AUTH = 39,
    IKE2_P_NONCE = 40,
    IKE2_P_N = 41,
    IKE2_P_D = 42,
    IKE2_P_VID = 43,
    IKE2_P_TSI = 44,
    IKE2_P_TSR = 45,
    IKE2_P_SK = 46,
    IKE2_P_CP = 47,
    IKE2_P_EAP = 48,
    IKE2_P_SKF = 53, /* RFC 7383 */
    IKE2_P_PS = 54,  /* puzzle solution, RFC 8019 */
};

enum ike2_protocol { IKE2_PROTO_NONE = 0, IKE2_PROTO_IKE = 1, IKE2_PROTO_AH = 2, IKE2_PROTO_ESP = 3 };

enum ike2_transform_type {
    IKE2_T_ENCR = 1,
    IKE2_T_PRF = 2,
    IKE2_T_INTEG = 3,
    IKE2_T_KE = 4,
    IKE2_T_ESN = 5,
    IKE2_T_ADDKE1 = 6, /* to 12: additional key exchanges, RFC 9370 */
    IKE2_T_ADDKE7 = 12,
};

enum ike2_encr {
    IKE2_ENCR_3DES = 3,
    IKE2_ENCR_NULL = 11,
    IKE2_ENCR_AES_CBC = 12,
    IKE2_ENCR_AES_CCM_8 = 14,
    IKE2_ENCR_AES_CCM_12 = 15,
    IKE2_ENCR_AES_CCM_16 = 16,
    IKE2_ENCR_AES_GCM_8 = 18,
    IKE2_ENCR_AES_GCM_12 = 19,
    IKE2_ENCR_AES_GCM_16 = 20,
    IKE2_ENCR_CHACHA20_POLY1305 = 28, /* RFC 7634 */
};

enum ike2_prf {
    IKE2_PRF_HMAC_MD5 = 1,
    IKE2_PRF_HMAC_SHA1 = 2,
    IKE2_PRF_AES128_XCBC = 4,
    IKE2_PRF_HMAC_SHA2_256 = 5,
    IKE2_PRF_HMAC_SHA2_384 = 6,
    IKE2_PRF_HMAC_SHA2_512 = 7,
    IKE2_PRF_AES128_CMAC = 8,
};

enum ike2_integ {
    IKE2_INTEG_NONE = 0,
    IKE2_INTEG_HMAC_MD5_96 = 1,
    IKE2_INTEG_HMAC_SHA1_96 = 2,
    IKE2_INTEG_AES_XCBC_96 = 5,
    IKE2_INTEG_AES_CMAC_96 = 8,
    IKE2_INTEG_HMAC_SHA2_256_128 = 12,
    IKE2_INTEG_HMAC_SHA2_384_192 = 13,
    IKE2_INTEG_HMAC_SHA2_512_256 = 14,
};

/* Key exchange methods; crypto/kex.h knows which of them this machine can do. */
enum ike2_ke {
    IKE2_KE_NONE = 0,
    IKE2_KE_MODP_2048 = 14,
    IKE2_KE_ECP_256 = 19,
    IKE2_KE_ECP_384 = 20,
    IKE2_KE_CURVE25519 = 31,
    IKE2_KE_CURVE448 = 32,
    IKE2_KE_ML_KEM_512 = 35,
    IKE2_KE_ML_KEM_768 = 36,
    IKE2_KE_ML_KEM_1024 = 37,
};

enum ike2_esn { IKE2_ESN_NO = 0, IKE2_ESN_YES = 1 };

enum ike2_id_type {
    IKE2_ID_IPV4_ADDR = 1,
    IKE2_ID_FQDN = 2,
    IKE2_ID_RFC822_ADDR = 3,
    IKE2_ID_IPV6_ADDR = 5,
    IKE2_ID_DER_ASN1_DN = 9,
    IKE2_ID_DER_ASN1_GN = 10,
    IKE2_ID_KEY_ID = 11,
    IKE2_ID_NULL = 13, /* RFC 7619 */
};

enum ike2_cert_encoding {
    IKE2_CERT_X509 = 4,
    IKE2_CERT_CRL = 7,
    IKE2_CERT_HASH_URL = 12,
    IKE2_CERT_RAW_KEY = 15, /* a SubjectPublicKeyInfo, RFC 7670 */
};

enum ike2_auth_method {
    IKE2_AUTH_RSA = 1,
    IKE2_AUTH_SHARED_KEY = 2,
    IKE2_AUTH_ECDSA_256 = 9, /* RFC 4754 */
    IKE2_AUTH_ECDSA_384 = 10,
    IKE2_AUTH_ECDSA_521 = 11,
    IKE2_AUTH_NULL = 13,    /* RFC 7619 */
    IKE2_AUTH_DIGITAL = 14, /* RFC 7427 */
};

enum ike2_ts_type { IKE2_TS_IPV4 = 7, IKE2_TS_IPV6 = 8 };

enum ike2_cp_type { IKE2_CP_REQUEST = 1, IKE2_CP_REPLY = 2, IKE2_CP_SET = 3, IKE2_CP_ACK = 4 };

enum ike2_cp_attribute_type {
    IKE2_CFG_IP4_ADDRESS = 1,
    IKE2_CFG_IP4_NETMASK = 2,
    IKE2_CFG_IP4_DNS = 3,
    IKE2_CFG_IP4_NBNS = 4,
    IKE2_CFG_IP4_DHCP = 6,
    IKE2_CFG_APPLICATION_VERSION = 7,
    IKE2_CFG_IP6_ADDRESS = 8,
    IKE2_CFG_IP6_DNS = 10,
    IKE2_CFG_IP6_DHCP = 12,
    IKE2_CFG_IP4_SUBNET = 13,
    IKE2_CFG_SUPPORTED_ATTRIBUTES = 14,
    IKE2_CFG_IP6_SUBNET = 15,
    IKE2_CFG_DNS_DOMAIN = 25, /* RFC 8598 */
};

/* Notify types: name, number, the document where it isn't RFC 7296. Below 16384 they are errors. */
#define IKE2_NOTIFY_LIST(X)                                                                        \
    X(UNSUPPORTED_CRITICAL_PAYLOAD, 1)                                                             \
    X(INVALID_IKE_SPI, 4)                                                                          \
    X(INVALID_MAJOR_VERSION, 5)                                                                    \
    X(INVALID_SYNTAX, 7)                                                                           \
    X(INVALID_MESSAGE_ID, 9)                                                                       \
    X(INVALID_SPI, 11)                                                                             \
    X(NO_PROPOSAL_CHOSEN, 14)                                                                      \
    X(INVALID_KE_PAYLOAD, 17)                                                                      \
    X(AUTHENTICATION_FAILED, 24)                                                                   \
    X(SINGLE_PAIR_REQUIRED, 34)                                                                    \
    X(NO_ADDITIONAL_SAS, 35)                                                                       \
    X(INTERNAL_ADDRESS_FAILURE, 36)                                                                \
    X(FAILED_CP_REQUIRED, 37)                                                                      \
    X(TS_UNACCEPTABLE, 38)                                                                         \
    X(INVALID_SELECTORS, 39)                                                                       \
    X(UNACCEPTABLE_ADDRESSES, 40)              /* RFC 4555 */                                      \
    X(UNEXPECTED_NAT_DETECTED, 41)             /* RFC 4555 */                                      \
    X(USE_ASSIGNED_HOA, 42)                    /* RFC 5026 */                                      \
    X(TEMPORARY_FAILURE, 43)                                                                       \
    X(CHILD_SA_NOT_FOUND, 44)                                                                      \
    X(STATE_NOT_FOUND, 47)                     /* RFC 9370 */                                      \
    X(INITIAL_CONTACT, 16384)                                                                      \
    X(SET_WINDOW_SIZE, 16385)                                                                      \
    X(ADDITIONAL_TS_POSSIBLE, 16386)                                                               \
    X(IPCOMP_SUPPORTED, 16387)                                                                     \
    X(NAT_DETECTION_SOURCE_IP, 16388)                                                              \
    X(NAT_DETECTION_DESTINATION_IP, 16389)                                                         \
    X(COOKIE, 16390)                                                                               \
    X(USE_TRANSPORT_MODE, 16391)                                                                   \
    X(HTTP_CERT_LOOKUP_SUPPORTED, 16392)                                                           \
    X(REKEY_SA, 16393)                                                                             \
    X(ESP_TFC_PADDING_NOT_SUPPORTED, 16394)                                                        \
    X(NON_FIRST_FRAGMENTS_ALSO, 16395)                                                             \
    X(MOBIKE_SUPPORTED, 16396)                 /* RFC 4555, to NO_NATS_ALLOWED */                  \
    X(ADDITIONAL_IP4_ADDRESS, 16397)                                                               \
    X(ADDITIONAL_IP6_ADDRESS, 16398)                                                               \
    X(NO_ADDITIONAL_ADDRESSES, 16399)                                                              \
    X(UPDATE_SA_ADDRESSES, 16400)                                                                  \
    X(COOKIE2, 16401)                                                                              \
    X(NO_NATS_ALLOWED, 16402)                                                                      \
    X(AUTH_LIFETIME, 16403)                    /* RFC 4478 */                                      \
    X(MULTIPLE_AUTH_SUPPORTED, 16404)          /* RFC 4739 */                                      \
    X(ANOTHER_AUTH_FOLLOWS, 16405)                                                                 \
    X(REDIRECT_SUPPORTED, 16406)               /* RFC 5685 */                                      \
    X(REDIRECT, 16407)                                                                             \
    X(REDIRECTED_FROM, 16408)                                                                      \
    X(TICKET_LT_OPAQUE, 16409)                 /* RFC 5723, to TICKET_OPAQUE */                    \
    X(TICKET_REQUEST, 16410)                                                                       \
    X(TICKET_ACK, 16411)                                                                           \
    X(TICKET_NACK, 16412)                                                                          \
    X(TICKET_OPAQUE, 16413)                                                                        \
    X(LINK_ID, 16414)                          /* RFC 5739 */                                      \
    X(USE_WESP_MODE, 16415)                    /* RFC 5840 */                                      \
    X(ROHC_SUPPORTED, 16416)                   /* RFC 5857 */                                      \
    X(EAP_ONLY_AUTHENTICATION, 16417)          /* RFC 5998 */                                      \
    X(CHILDLESS_IKEV2_SUPPORTED, 16418)        /* RFC 6023 */                                      \
    X(QUICK_CRASH_DETECTION, 16419)            /* RFC 6290 */                                      \
    X(IKEV2_MESSAGE_ID_SYNC_SUPPORTED, 16420)  /* RFC 6311 */                                      \
    X(IPSEC_REPLAY_COUNTER_SYNC_SUPPORTED, 16421)                                                  \
    X(IKEV2_MESSAGE_ID_SYNC, 16422)                                                                \
    X(IPSEC_REPLAY_COUNTER_SYNC, 16423)                                                            \
    X(SECURE_PASSWORD_METHODS, 16424)          /* RFC 6467 */                                      \
    X(PSK_PERSIST, 16425)                      /* RFC 6631 */                                      \
    X(PSK_CONFIRM, 16426)                                                                          \
    X(ERX_SUPPORTED, 16427)                    /* RFC 6867 */                                      \
    X(IFOM_CAPABILITY, 16428)                                                                      \
    X(SENDER_REQUEST_ID, 16429)                                                                    \
    X(IKEV2_FRAGMENTATION_SUPPORTED, 16430)    /* RFC 7383 */                                      \
    X(SIGNATURE_HASH_ALGORITHMS, 16431)        /* RFC 7427 */                                      \
    X(CLONE_IKE_SA_SUPPORTED, 16432)           /* RFC 7791 */                                      \
    X(CLONE_IKE_SA, 16433)                                                                         \
    X(PUZZLE, 16434)                           /* RFC 8019 */                                      \
    X(USE_PPK, 16435)                          /* RFC 8784 */                                      \
    X(PPK_IDENTITY, 16436)                                                                         \
    X(NO_PPK_AUTH, 16437)                                                                          \
    X(INTERMEDIATE_EXCHANGE_SUPPORTED, 16438)  /* RFC 9242 */                                      \
    X(IP4_ALLOWED, 16439)                      /* RFC 8983 */                                      \
    X(IP6_ALLOWED, 16440)                                                                          \
    X(ADDITIONAL_KEY_EXCHANGE, 16441)          /* RFC 9370 */                                      \
    X(USE_AGGFRAG, 16442)                      /* RFC 9347 */                                      \
    X(SUPPORTED_AUTH_METHODS, 16443)           /* RFC 9593 */                                      \
    X(SA_RESOURCE_INFO, 16444)                 /* RFC 9611 */

enum ike2_notify_type {
#define IKE2_NOTIFY_ENUM(name, number) IKE2_N_##name = (number),
    IKE2_NOTIFY_LIST(IKE2_NOTIFY_ENUM)
#undef IKE2_NOTIFY_ENUM
        IKE2_N_FIRST_STATUS = 16384
};

/* "IKE_SA_INIT"; NULL if unknown. The same for the others, but payloads: "?" if unknown. */
const char *ike2_exchange_name(uint8_t exchange);
const char *ike2_payload_name(uint8_t type); /* as in RFC 7296 section 1.2: "KE", "TSi" */
const char *ike2_notify_name(uint16_t type);
const char *ike2_protocol_name(uint8_t protocol);
const char *ike2_auth_method_name(uint8_t method);
const char *ike2_transform_type_name(uint8_t type);
/* "AES_GCM_16"; NULL if unknown. Key exchange methods have theirs in crypto/kex.h. */
const char *ike2_transform_name(uint8_t type, uint16_t id);

#endif
