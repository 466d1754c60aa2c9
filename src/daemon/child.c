#include "daemon/child.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/builder.h"
#include "base/cursor.h"
#include "daemon/log.h"

enum {
    CHILD_LETTER_PROCESS = 'p',
    CHILD_LETTER_CONFIG = 'c',
    CHILD_LETTER_RELOAD = 'r',
    CHILD_LETTER_RELOADED = 't',
    CHILD_LETTER_MATERIALS = 'm',
    CHILD_LETTER_ADDRESS = 'a',
    CHILD_LETTER_WANT_PORT = 'w',
    CHILD_LETTER_PORT = 'u',
    CHILD_LETTER_WANTS_SOCKET = 'y',
    CHILD_LETTER_SOCKET = 'o',
    CHILD_MESSAGE_OCTETS = 11 + CONFIG_ERROR_MAX,
};

static const char *const role_names[CHILD_ROLE_COUNT] = {
    [CHILD_KEYD] = "keyd",
    [CHILD_PLANE] = "plane",
    [CHILD_KEEPER] = "keeper",
    [CHILD_RESOLVER] = "resolver",
};

const char *child_role_name(enum child_role role)
{
    return role < CHILD_ROLE_COUNT ? role_names[role] : "unknown";
}

bool child_role_parse(const char *name, enum child_role *ret)
{
    for (unsigned i = 0; i < CHILD_ROLE_COUNT; i++) {
        if (strcmp(name, role_names[i]) == 0) {
            *ret = (enum child_role)i;
            return true;
        }
    }
    return false;
}

void child_init(enum child_role role, struct child *ret)
{
    log_open(child_role_name(role));
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    prctl(PR_SET_NAME, child_role_name(role));
    signal(SIGPIPE, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    fcntl(CHILD_FD_PARENT, F_SETFL, O_NONBLOCK);
    *ret = (struct child){.role = role, .parent_fd = CHILD_FD_PARENT};
}

int child_fd(int number)
{
    struct stat st;
    if (fstat(number, &st) != 0)
        return -1;
    return S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3) ? -1 : number;
}

static uint8_t letter_of(const struct child_message *message, enum child_result kind)
{
    switch (kind) {
    case CHILD_PROCESS:
        return CHILD_LETTER_PROCESS;
    case CHILD_CONFIG:
        return CHILD_LETTER_CONFIG;
    case CHILD_RELOAD:
        return CHILD_LETTER_RELOAD;
    case CHILD_RELOADED:
        return CHILD_LETTER_RELOADED;
    case CHILD_MATERIALS:
        return CHILD_LETTER_MATERIALS;
    case CHILD_ADDRESS:
        return CHILD_LETTER_ADDRESS;
    case CHILD_WANT_PORT:
        return CHILD_LETTER_WANT_PORT;
    case CHILD_PORT:
        return CHILD_LETTER_PORT;
    case CHILD_WANTS_SOCKET:
        return CHILD_LETTER_WANTS_SOCKET;
    case CHILD_SOCKET:
        return CHILD_LETTER_SOCKET;
    default:
        return (uint8_t)message->channel;
    }
}

static bool has_text(uint8_t letter)
{
    return letter == CHILD_LETTER_RELOADED || letter == CHILD_LETTER_ADDRESS ||
           letter == CHILD_LETTER_WANTS_SOCKET;
}

bool child_send(int socket, const struct child_message *message, enum child_result kind)
{
    uint8_t octets[CHILD_MESSAGE_OCTETS];
    struct builder b = builder_on(span_of(octets, sizeof(octets)));
    builder_u8(&b, letter_of(message, kind));
    builder_u8(&b, (uint8_t)message->role);
    builder_u32(&b, (uint32_t)message->pid);
    builder_u32(&b, message->restarts);
    if (has_text(letter_of(message, kind))) {
        builder_u8(&b, message->ok);
        builder_bytes(&b, message->text, strnlen(message->text, CONFIG_ERROR_MAX - 1));
    }

    struct iovec part = {.iov_base = octets, .iov_len = b.len};
    struct msghdr header = {.msg_iov = &part, .msg_iovlen = 1};
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(sizeof(int))];
    } control = {0};
    if (message->fd >= 0) {
        header.msg_control = &control;
        header.msg_controllen = sizeof(control.room);
        struct cmsghdr *rights = CMSG_FIRSTHDR(&header);
        rights->cmsg_level = SOL_SOCKET;
        rights->cmsg_type = SCM_RIGHTS;
        rights->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(rights), &message->fd, sizeof(int));
    }
    return sendmsg(socket, &header, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)b.len;
}

static int received_fd(struct msghdr *header)
{
    int fd = -1;
    struct cmsghdr *rights = CMSG_FIRSTHDR(header);
    if (rights != NULL && rights->cmsg_level == SOL_SOCKET && rights->cmsg_type == SCM_RIGHTS &&
        rights->cmsg_len == CMSG_LEN(sizeof(int)))
        memcpy(&fd, CMSG_DATA(rights), sizeof(int));
    return fd;
}

static bool channel_is_known(uint8_t letter)
{
    return letter == CHILD_CHANNEL_PFKEY || letter == CHILD_CHANNEL_IKE ||
           letter == CHILD_CHANNEL_SIGN || letter == CHILD_CHANNEL_DNS;
}

/* What each letter means, and whether a descriptor comes with it. */
static bool find_kind(uint8_t letter, bool has_fd, enum child_result *ret)
{
    static const struct {
        uint8_t letter;
        bool has_fd;
        enum child_result kind;
    } rows[] = {
        {CHILD_LETTER_PROCESS, false, CHILD_PROCESS}, {CHILD_LETTER_RELOAD, false, CHILD_RELOAD},
        {CHILD_LETTER_RELOADED, false, CHILD_RELOADED}, {CHILD_LETTER_ADDRESS, false, CHILD_ADDRESS},
        {CHILD_LETTER_WANT_PORT, false, CHILD_WANT_PORT}, {CHILD_LETTER_PORT, true, CHILD_PORT},
        {CHILD_LETTER_WANTS_SOCKET, false, CHILD_WANTS_SOCKET}, {CHILD_LETTER_SOCKET, true, CHILD_SOCKET},
        {CHILD_LETTER_CONFIG, true, CHILD_CONFIG}, {CHILD_LETTER_MATERIALS, true, CHILD_MATERIALS},
    };
    *ret = CHILD_CHANNEL;
    if (channel_is_known(letter))
        return has_fd;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (rows[i].letter == letter) {
            *ret = rows[i].kind;
            return rows[i].has_fd == has_fd;
        }
    }
    return false;
}

static enum child_result understand(struct view octets, int fd, struct child_message *ret)
{
    struct cursor cur = cursor_of(octets);
    uint8_t letter = cursor_u8(&cur);
    struct child_message message = {.fd = fd};
    struct view text = view_of(NULL, 0);
    enum child_result kind;

    message.role = (enum child_role)cursor_u8(&cur);
    message.pid = (pid_t)cursor_u32(&cur);
    message.restarts = cursor_u32(&cur);
    message.channel = (enum child_channel)letter;
    if (has_text(letter)) {
        message.ok = cursor_u8(&cur) != 0;
        text = cursor_rest(&cur);
    }
    if (!cursor_done(&cur) || message.role >= CHILD_ROLE_COUNT ||
        text.len >= sizeof(message.text) || !find_kind(letter, fd >= 0, &kind))
        return CHILD_AGAIN;
    if (text.len != 0)
        memcpy(message.text, text.ptr, text.len);
    if (kind == CHILD_CHANNEL)
        fcntl(fd, F_SETFL, O_NONBLOCK);
    *ret = message;
    return kind;
}

enum child_result child_receive(const struct child *child, struct child_message *ret)
{
    uint8_t octets[CHILD_MESSAGE_OCTETS];
    struct iovec part = {.iov_base = octets, .iov_len = sizeof(octets)};
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(sizeof(int))];
    } control;
    struct msghdr header = {.msg_iov = &part,
                            .msg_iovlen = 1,
                            .msg_control = &control,
                            .msg_controllen = sizeof(control.room)};

    ssize_t len = recvmsg(child->parent_fd, &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (len < 0)
        return errno == EAGAIN || errno == EINTR ? CHILD_AGAIN : CHILD_GONE;
    if (len == 0)
        return CHILD_GONE;
    int fd = received_fd(&header);
    enum child_result result = understand(view_of(octets, (size_t)len), fd, ret);
    if (result == CHILD_AGAIN && fd >= 0)
        close(fd);
    return result;
}

void child_message_drop(const struct child_message *message)
{
    if (message->fd >= 0)
        close(message->fd);
}

bool child_read_config(int fd, struct cygnet_config *ret)
{
    char error[CONFIG_ERROR_MAX];
    struct stat st;

    if (fstat(fd, &st) != 0 || st.st_size < 0 || st.st_size > CONFIG_TEXT_MAX) {
        log_line(EVENT_ERROR, "no configuration behind descriptor %d", fd);
        return false;
    }
    size_t len = (size_t)st.st_size;
    char *text = malloc(len + 1);
    bool ok = text != NULL && pread(fd, text, len, 0) == (ssize_t)len;
    if (!ok)
        log_line(EVENT_ERROR, "can't read the configuration: %s", strerror(errno));
    else if (!(ok = config_parse(view_of(text, len), "configuration", ret, error)))
        log_line(EVENT_ERROR, "%s", error);
    free(text);
    return ok;
}

static bool parse_number(const char *text, unsigned long *ret)
{
    char *end;
    if (text[0] < '0' || text[0] > '9')
        return false;
    *ret = strtoul(text, &end, 10);
    return *end == '\0' && *ret < UINT32_MAX;
}

bool child_user_lookup(const char *user, uid_t *ret_uid, gid_t *ret_gid)
{
    unsigned long number;
    bool numeric = parse_number(user, &number);
    const struct passwd *entry = numeric ? getpwuid((uid_t)number) : getpwnam(user);

    if (entry == NULL && !numeric)
        return false;
    *ret_uid = entry != NULL ? entry->pw_uid : (uid_t)number;
    *ret_gid = entry != NULL ? entry->pw_gid : (gid_t)number;
    return true;
}

const char *child_empty_root(void)
{
    struct stat st;
    if (stat(CHILD_EMPTY_DIR, &st) == 0 && S_ISDIR(st.st_mode) && st.st_uid == 0 &&
        (st.st_mode & 0022) == 0)
        return CHILD_EMPTY_DIR;
    log_line(EVENT_WARNING, "%s isn't there; the root directory stays", CHILD_EMPTY_DIR);
    return NULL;
}

static bool change_root(const char *root)
{
    if (chroot(root) == 0 && chdir("/") == 0)
        return true;
    log_line(EVENT_ERROR, "can't make %s the root directory: %s", root, strerror(errno));
    return false;
}

static bool become(const char *user, uid_t uid, gid_t gid)
{
    if (setgroups(0, NULL) == 0 && setresgid(gid, gid, gid) == 0 && setresuid(uid, uid, uid) == 0 &&
        (uid == 0 || setuid(0) != 0))
        return true;
    log_line(EVENT_ERROR, "can't become user %s: %s", user, strerror(errno));
    return false;
}

bool child_drop_privileges(const char *user, const char *root)
{
    if (geteuid() == 0) {
        uid_t uid;
        gid_t gid;
        if (!child_user_lookup(user, &uid, &gid)) {
            log_line(EVENT_ERROR, "there is no user %s", user);
            return false;
        }
        if (root != NULL && !change_root(root))
            return false;
        if (!become(user, uid, gid))
            return false;
        /* Changing the user cleared it. */
        prctl(PR_SET_PDEATHSIG, SIGTERM);
    }
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || prctl(PR_SET_DUMPABLE, 0) != 0) {
        log_line(EVENT_ERROR, "can't give up privileges: %s", strerror(errno));
        return false;
    }
    return true;
}
