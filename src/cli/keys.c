/*
 * cygnet keys new, cygnet keys show
 */
#include "cli/keys.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/base64.h"
#include "base/secret.h"
#include "cli/cli.h"

enum { PEM_MAX = 64 * 1024, BITS_DEFAULT = 2048, BITS_MIN = 2048, BITS_MAX = 8192 };

static const char usage[] =
    "usage: cygnet keys new  [--bits N] [--out FILE]\n"
    "       cygnet keys show [--key FILE]\n"
    "       cygnet keys dns  [--key FILE] --address GATEWAY [OPTION...]\n"
    "\n"
    "new   makes a private key; it never overwrites one\n"
    "show  prints the public half of a key\n"
    "dns   prints the DNS records to publish\n"
    "\n"
    "'cygnet keys new --help' and so on say more.\n";

static const char new_usage[] =
    "usage: cygnet keys new [--json] [--bits N] [--out FILE]\n"
    "\n"
    "Makes an RSA key for this gateway, readable by its owner only.\n"
    "\n"
    "  -b, --bits N    2048 (default) to 8192\n"
    "  -o, --out FILE  where to; must not exist (default " CLI_DEFAULT_KEY ")\n"
    "  -j, --json      print what was made as JSON\n"
    "  -h, --help      print this\n";

static const char show_usage[] =
    "usage: cygnet keys show [--json] [--key FILE]\n"
    "\n"
    "Prints the public half of a private key.\n"
    "\n"
    "  -k, --key FILE  the private key (default " CLI_DEFAULT_KEY ")\n"
    "  -j, --json      print JSON\n"
    "  -h, --help      print this\n";

static bool read_pem(const char *path, char *ret, size_t *ret_len)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t len = fd >= 0 ? read(fd, ret, PEM_MAX) : -1;
    int error = errno;

    if (fd >= 0)
        close(fd);
    if (len < 0) {
        cli_fail(error == ENOENT ? "%s: %s; make a key with 'cygnet keys new --out FILE'"
                                 : "can't read %s: %s",
                 path, strerror(error));
        return false;
    }
    *ret_len = (size_t)len;
    return true;
}

bool keys_read_public(const char *path, struct public_key *ret)
{
    char *pem = malloc(PEM_MAX);
    struct private_key *key;
    size_t len = 0;

    if (pem == NULL || !read_pem(path, pem, &len)) {
        free(pem);
        return false;
    }
    enum err err = private_key_from_pem(view_of(pem, len), &key);
    secret_wipe(pem, PEM_MAX);
    free(pem);
    if (err != ERR_OK) {
        cli_fail("%s holds no usable RSA private key (%s); make one with 'cygnet keys new'", path,
                 err_text(err));
        return false;
    }
    struct public_key public;
    private_key_public(key, &public);
    private_key_free(key);
    if (public.alg != KEY_RSA) {
        cli_fail("%s holds no RSA key, which is what the delegation records carry", path);
        return false;
    }
    *ret = public;
    return true;
}

/* A new file, for its owner only. */
static bool write_pem(const char *path, const char *pem)
{
    size_t len = strlen(pem);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);

    if (fd < 0 && errno == EEXIST) {
        cli_fail("%s is already there and won't be overwritten; move it away or choose another "
                 "--out",
                 path);
        return false;
    }
    bool ok = fd >= 0 && fchmod(fd, 0600) == 0 && write(fd, pem, len) == (ssize_t)len &&
              fsync(fd) == 0;
    int error = errno;
    if (fd >= 0) {
        close(fd);
        if (!ok)
            unlink(path);
    }
    if (!ok)
        cli_fail("can't write %s: %s", path, strerror(error));
    return ok;
}

static bool print_public(const struct public_key *key, const char *path, bool json)
{
    char id[PUBLIC_KEY_TEXT_MAX], text[2 * LIMIT_KEY_OCTETS];
    struct builder b = builder_on(span_of(text, sizeof(text)));

    base64_encode(&b, view_of(key->octets, key->len));
    builder_u8(&b, '\0');
    if (b.bad)
        return false;
    public_key_format(key, id);
    if (!json) {
        printf("%s\n%s\n", id, text);
        return true;
    }
    json_t *object = json_pack("{s:s,s:s,s:s,s:i,s:s}", "file", path, "id", id, "algorithm", "RSA",
                               "bits", (int)public_key_bits(key), "public", text);
    cli_print_json(object, JSON_INDENT(2));
    json_decref(object);
    return true;
}

static int make_key(unsigned bits, const char *path, bool json)
{
    struct private_key *key;
    struct public_key public;
    char *pem;

    if (access(path, F_OK) == 0) /* before the long work; write_pem() makes sure */
        return cli_fail("%s is already there and won't be overwritten; move it away or choose "
                        "another --out",
                        path);
    enum err err = private_key_generate(bits, &key);
    if (err != ERR_OK)
        return cli_fail("can't make a key of %u bits: %s", bits, err_text(err));
    err = private_key_to_pem(key, &pem);
    private_key_public(key, &public);
    private_key_free(key);
    if (err != ERR_OK)
        return cli_fail("can't encode the key: %s", err_text(err));

    bool ok = write_pem(path, pem);
    secret_wipe(pem, strlen(pem));
    free(pem);
    if (!ok || !print_public(&public, path, json))
        return CLI_FAILED;
    if (!json)
        printf(
            "written to %s; 'cygnet keys dns --key %s --address GATEWAY' prints what to publish\n",
            path, path);
    return CLI_OK;
}

static bool parse_bits(const char *text, unsigned *ret)
{
    char *end;
    unsigned long bits = strtoul(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end != '\0' || bits < BITS_MIN || bits > BITS_MAX)
        return false;
    *ret = (unsigned)bits;
    return true;
}

static int keys_new(int argc, char **argv)
{
    static const struct option long_options[] = {CLI_OPTIONS,
                                                 {"bits", required_argument, NULL, 'b'},
                                                 {"out", required_argument, NULL, 'o'},
                                                 {0}};
    struct cli_options options = {0};
    const char *path = CLI_DEFAULT_KEY;
    unsigned bits = BITS_DEFAULT;
    int option, status;

    while ((option = getopt_long(argc, argv, CLI_OPTION_LETTERS "b:o:", long_options, NULL)) !=
           -1) {
        enum cli_option common = cli_option(&options, option, new_usage, &status);
        if (common == CLI_OPTION_STOP)
            return status;
        if (common == CLI_OPTION_OTHER && option == 'o')
            path = optarg;
        if (common == CLI_OPTION_OTHER && option == 'b' && !parse_bits(optarg, &bits))
            return cli_misused("keys new", "'%s' is no key size; use %d to %d bits", optarg,
                               BITS_MIN, BITS_MAX);
    }
    if (optind < argc)
        return cli_misused("keys new", "unexpected '%s'", argv[optind]);
    return make_key(bits, path, options.json);
}

static int keys_show(int argc, char **argv)
{
    static const struct option long_options[] = {CLI_OPTIONS,
                                                 {"key", required_argument, NULL, 'k'},
                                                 {0}};
    struct cli_options options = {0};
    const char *path = CLI_DEFAULT_KEY;
    struct public_key key;
    int option, status;

    while ((option = getopt_long(argc, argv, CLI_OPTION_LETTERS "k:", long_options, NULL)) != -1) {
        enum cli_option common = cli_option(&options, option, show_usage, &status);
        if (common == CLI_OPTION_STOP)
            return status;
        if (common == CLI_OPTION_OTHER)
            path = optarg;
    }
    if (optind < argc)
        return cli_misused("keys show", "unexpected '%s'", argv[optind]);
    return keys_read_public(path, &key) && print_public(&key, path, options.json) ? CLI_OK
                                                                                  : CLI_FAILED;
}

int cli_keys(int argc, char **argv)
{
    if (argc >= 2 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
        fputs(usage, stdout);
        return CLI_OK;
    }
    if (argc >= 2 && strcmp(argv[1], "new") == 0)
        return keys_new(argc - 1, argv + 1);
    if (argc >= 2 && strcmp(argv[1], "show") == 0)
        return keys_show(argc - 1, argv + 1);
    if (argc >= 2 && strcmp(argv[1], "dns") == 0)
        return keys_dns(argc - 1, argv + 1);
    return cli_misused("keys", "say what to do with keys: new, show or dns");
}
