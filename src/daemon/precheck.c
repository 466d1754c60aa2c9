#include "daemon/precheck.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/child.h"
#include "daemon/key_file.h"
#include "daemon/keyd_profiles.h"

struct check {
    const struct cygnet_config *config;
    precheck_report *report;
    void *ctx;
    unsigned errors;
};

__attribute__((format(printf, 3, 4))) static void say(struct check *check,
                                                      enum precheck_result result,
                                                      const char *format, ...)
{
    char text[CONFIG_ERROR_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    check->errors += result == PRECHECK_ERROR;
    check->report(check->ctx, result, text);
}

static void check_interface(struct check *check)
{
    const struct outside *outside = &check->config->outside;
    bool any = false;

    for (size_t i = 0; i < outside->count; i++)
        any |= if_nametoindex(outside->names[i]) != 0;
    for (size_t i = 0; i < outside->count; i++)
        if (if_nametoindex(outside->names[i]) == 0)
            say(check, any ? PRECHECK_WARNING : PRECHECK_ERROR,
                any ? "there is no interface %s yet; it is used when it appears"
                    : "there is no interface %s; see 'ip link', then set 'outside'",
                outside->names[i]);
}

static void check_user(struct check *check, const char *role, const char *user)
{
    uid_t uid;
    gid_t gid;
    if (!child_user_lookup(user, &uid, &gid))
        say(check, PRECHECK_ERROR,
            "there is no user %s for %s; run 'systemd-sysusers' or 'useradd -r %s', or set 'users'",
            user, role, user);
    else if (uid == 0)
        say(check, PRECHECK_WARNING, "%s would run as root; give it a user of its own in 'users'",
            role);
}

static void check_key(struct check *check)
{
    const char *path = check->config->key;
    const char *why;
    struct stat st;
    int fd = key_file_open(path, &why);

    if (fd < 0 && errno == EACCES) {
        say(check, PRECHECK_UNKNOWN, "%s can't be read by this user; check as root", path);
        return;
    }
    if (fd < 0) {
        say(check, PRECHECK_ERROR, "no private key in %s: %s; run 'cygnet keys new --out %s'", path,
            why, path);
        return;
    }
    if (stat(path, &st) == 0 && (st.st_mode & 0077) != 0)
        say(check, PRECHECK_WARNING, "others can reach the private key; run 'chmod 600 %s'", path);
    close(fd);
}

static void check_anchor(struct check *check)
{
    const struct config_dns *dns = &check->config->dns;
    if (access(dns->trust_anchor, R_OK) == 0)
        return;
    if (dns->trust_anchor_given)
        say(check, PRECHECK_ERROR, "no trust anchor in %s: %s; correct 'trust-anchor'",
            dns->trust_anchor, strerror(errno));
    else
        say(check, PRECHECK_WARNING,
            "no trust anchor in %s, so no DNS answer counts as secure; install dns-root-data or "
            "set 'trust-anchor'",
            dns->trust_anchor);
}

/* Secrets, keys and certificates of connections: that they are there, and what they should be. */
static void check_connections(struct check *check)
{
    char error[CONFIG_ERROR_MAX] = "";
    struct materials materials = {0};
    struct profiles profiles;
    bool ok;

    if (check->config->connection_count == 0)
        return;
    if (geteuid() != 0) {
        say(check, PRECHECK_UNKNOWN, "what connections need is for root to read; check as root");
        return;
    }
    int fd = materials_gather(check->config, MATERIALS_KEYD, error);
    ok = fd >= 0 && materials_map(fd, &materials);
    if (ok && (ok = profiles_make(check->config, &materials, NULL, 0, &profiles, error)))
        profiles_free(&profiles);
    materials_unmap(&materials);
    if (fd >= 0)
        close(fd);
    fd = ok ? materials_gather(check->config, MATERIALS_KEEPER, error) : -1;
    if (fd >= 0)
        close(fd);
    else
        say(check, PRECHECK_ERROR, "%s", error);
}

unsigned precheck_run(const struct cygnet_config *config, precheck_report *report, void *ctx)
{
    struct check check = {.config = config, .report = report, .ctx = ctx};

    check_interface(&check);
    check_user(&check, "keyd", config->users.keyd);
    check_user(&check, "plane", config->users.plane);
    check_user(&check, "resolver", config->users.resolver);
    check_user(&check, "keeper", config->users.keeper);
    check_key(&check);
    check_anchor(&check);
    check_connections(&check);
    return check.errors;
}
