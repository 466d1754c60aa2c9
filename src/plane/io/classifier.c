#include "plane/io/classifier.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "plane/io/classifier.skel.h"

/* Ours among the filters of an interface, so that a later run finds and replaces them. */
enum { FILTER_HANDLE = 0xc19e, FILTER_PRIORITY = 0xc19e };

struct io_classifier {
    struct classifier_bpf *bpf;
    struct classifier_settings settings;
};

/* Returns an errno value. The queueing discipline may be there already, ours or someone else's. */
static int attach(const struct bpf_program *program, uint32_t ifindex,
                  enum bpf_tc_attach_point point)
{
    LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)ifindex, .attach_point = point);
    LIBBPF_OPTS(bpf_tc_opts, opts, .prog_fd = bpf_program__fd(program), .flags = BPF_TC_F_REPLACE,
                .handle = FILTER_HANDLE, .priority = FILTER_PRIORITY);
    int error = -bpf_tc_hook_create(&hook);

    if (error != 0 && error != EEXIST)
        return error;
    return -bpf_tc_attach(&hook, &opts);
}

static void detach(uint32_t ifindex, enum bpf_tc_attach_point point)
{
    LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)ifindex, .attach_point = point);
    LIBBPF_OPTS(bpf_tc_opts, opts, .handle = FILTER_HANDLE, .priority = FILTER_PRIORITY);

    bpf_tc_detach(&hook, &opts);
}

static void close_descriptors(const struct io_classifier_fds *fds)
{
    const int all[] = {fds->verdicts, fds->counters, fds->nets};

    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        if (all[i] >= 0)
            close(all[i]);
}

static bool keep_descriptors(const struct classifier_bpf *bpf, struct io_classifier_fds *ret,
                             struct io_fault *fault)
{
    int verdicts = fcntl(bpf_map__fd(bpf->maps.verdicts), F_DUPFD_CLOEXEC, 3);
    int counters = fcntl(bpf_map__fd(bpf->maps.counters), F_DUPFD_CLOEXEC, 3);
    int nets = fcntl(bpf_map__fd(bpf->maps.nets), F_DUPFD_CLOEXEC, 3);
    struct io_classifier_fds fds = {.verdicts = verdicts, .counters = counters, .nets = nets};

    if (verdicts < 0 || counters < 0 || nets < 0) {
        io_fault_set(fault, errno, "descriptors of the classifier");
        close_descriptors(&fds);
        return false;
    }
    *ret = fds;
    return true;
}

static bool write_settings(const struct io_classifier *classifier, struct io_fault *fault)
{
    uint32_t zero = 0;

    return bpf_map_update_elem(bpf_map__fd(classifier->bpf->maps.settings), &zero,
                               &classifier->settings, BPF_ANY) == 0 ||
           io_fault_set(fault, errno, "settings of the classifier");
}

static int say_nothing(enum libbpf_print_level level, const char *format, va_list args)
{
    (void)level;
    (void)format;
    (void)args;
    return 0;
}

bool io_classifier_load(const struct classifier_settings *settings, uint32_t put_back,
                        struct io_classifier **ret, struct io_classifier_fds *ret_fds,
                        struct io_fault *fault)
{
    struct io_classifier *classifier = malloc(sizeof(*classifier));
    int error;

    if (classifier == NULL)
        return io_fault_set(fault, ENOMEM, "loading the classifier");
    libbpf_set_print(say_nothing);
    *classifier = (struct io_classifier){classifier_bpf__open_and_load(), *settings};
    if (classifier->bpf == NULL) {
        io_fault_set(fault, errno, "loading the classifier");
        goto failed;
    }
    if (!write_settings(classifier, fault))
        goto failed;
    /* What is put back must find its way before anything is taken away. */
    error = attach(classifier->bpf->progs.put_back, put_back, BPF_TC_INGRESS);
    if (error != 0) {
        io_fault_set(fault, error, "attaching to the put-back device");
        goto failed;
    }
    if (!keep_descriptors(classifier->bpf, ret_fds, fault))
        goto failed;
    *ret = classifier;
    return true;

failed:
    io_classifier_free(classifier);
    return false;
}

void io_classifier_free(struct io_classifier *classifier)
{
    if (classifier == NULL)
        return;
    classifier_bpf__destroy(classifier->bpf);
    free(classifier);
}

bool io_classifier_attach(struct io_classifier *classifier, uint32_t ifindex,
                          struct io_fault *fault)
{
    const struct classifier_bpf *bpf = classifier->bpf;
    int error = 0;

    if (classifier->settings.outside_ifindex != 0 &&
        classifier->settings.outside_ifindex != ifindex) {
        classifier->settings.outside_ifindex = ifindex;
        if (!write_settings(classifier, fault))
            return false;
    }
    if (classifier->settings.refuse_clear)
        error = attach(bpf->progs.arrive, ifindex, BPF_TC_INGRESS);
    else
        detach(ifindex, BPF_TC_INGRESS); /* an earlier run may have left it */
    if (error == 0)
        error = attach(bpf->progs.classify, ifindex, BPF_TC_EGRESS);
    return error == 0 || io_fault_set(fault, error, "attaching to the outside interface");
}

void io_classifier_detach(uint32_t outside_ifindex)
{
    libbpf_set_print(say_nothing);
    detach(outside_ifindex, BPF_TC_EGRESS);
    detach(outside_ifindex, BPF_TC_INGRESS);
}

static struct classifier_key key_of(const struct ip_pair *flow)
{
    struct classifier_key key = {.family = flow->src.family};

    memcpy(key.src, flow->src.octets, sizeof(key.src));
    memcpy(key.dst, flow->dst.octets, sizeof(key.dst));
    return key;
}

enum err io_verdict_set(int verdicts, const struct ip_pair *flow, enum classifier_verdict verdict)
{
    struct classifier_key key = key_of(flow);
    struct classifier_value value = {.verdict = (uint32_t)verdict};

    if (verdict != CLASSIFIER_NONE)
        return bpf_map_update_elem(verdicts, &key, &value, BPF_ANY) == 0 ? ERR_OK : ERR_LIMIT;
    return bpf_map_delete_elem(verdicts, &key) == 0 || errno == ENOENT ? ERR_OK : ERR_LIMIT;
}

int64_t io_verdict_idle_ms(int verdicts, const struct ip_pair *flow, int64_t now_ms)
{
    struct classifier_key key = key_of(flow);
    struct classifier_value value;

    if (bpf_map_lookup_elem(verdicts, &key, &value) != 0 || value.used_ns == 0)
        return -1;
    int64_t idle = now_ms - (int64_t)(value.used_ns / 1000000);
    return idle > 0 ? idle : 0;
}

bool io_verdicts_clear(int verdicts)
{
    struct classifier_key key;

    while (bpf_map_get_next_key(verdicts, NULL, &key) == 0) {
        if (bpf_map_delete_elem(verdicts, &key) != 0 && errno != ENOENT)
            return false;
    }
    return errno == ENOENT;
}

enum err io_net_set(int nets, const struct ip_prefix *net, bool is)
{
    struct classifier_net key = {.bits = CLASSIFIER_NET_FAMILY_BITS + net->bits,
                                 .family = net->addr.family};
    uint32_t yes = 1;

    memcpy(key.addr, net->addr.octets, sizeof(key.addr));
    if (is)
        return bpf_map_update_elem(nets, &key, &yes, BPF_ANY) == 0 ? ERR_OK : ERR_LIMIT;
    return bpf_map_delete_elem(nets, &key) == 0 || errno == ENOENT ? ERR_OK : ERR_LIMIT;
}

bool io_nets_clear(int nets)
{
    struct classifier_net key;

    while (bpf_map_get_next_key(nets, NULL, &key) == 0) {
        if (bpf_map_delete_elem(nets, &key) != 0 && errno != ENOENT)
            return false;
    }
    return errno == ENOENT;
}

uint64_t io_classifier_counter(int counters, enum classifier_counter which)
{
    uint32_t key = which;
    int processors = libbpf_num_possible_cpus();
    uint64_t *values = processors > 0 ? calloc((size_t)processors, sizeof(*values)) : NULL;
    uint64_t sum = 0;

    if (values != NULL && bpf_map_lookup_elem(counters, &key, values) == 0) {
        for (int i = 0; i < processors; i++)
            sum += values[i];
    }
    free(values);
    return sum;
}

const char *io_classifier_counter_name(enum classifier_counter which)
{
    static const char *const names[] = {
#define CLASSIFIER_COUNTER_TEXT(name, text) [CLASSIFIER_COUNT_##name] = text,
        CLASSIFIER_COUNTERS(CLASSIFIER_COUNTER_TEXT)
#undef CLASSIFIER_COUNTER_TEXT
    };

    return which < CLASSIFIER_COUNTER_COUNT ? names[which] : NULL;
}
