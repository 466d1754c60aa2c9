/*
 * Policy files as FreeS/WAN's heirs have them: what each name means, that mistakes are told with
 * file and line, and how the directory becomes part of the configuration.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/config_load.h"
#include "daemon/policy_file.h"

static struct cygnet_config config;
static char error[CONFIG_ERROR_MAX];

static bool parse(const char *path, const char *text)
{
    return policy_file_parse(view_of_text(text), path, &config, error);
}

static void start(void)
{
    memset(&config, 0, sizeof(config));
    error[0] = '\0';
}

/* OE-001, OE-034: each file is a class. */
static void test_names(void **state)
{
    (void)state;
    static const struct {
        const char *path;
        enum oe_class_kind kind;
    } files[] = {
        {"/p/clear", OE_ALWAYS_CLEAR},
        {"/p/clear-or-private", OE_RESPOND_ONLY},
        {"/p/private-or-clear", OE_PERMISSIVE},
        {"/p/private", OE_PARANOID},
        {"/p/block", OE_DENY},
    };
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        start();
        assert_string_equal(policy_file_name(i), files[i].path + 3);
        assert_true(parse(files[i].path, "192.0.2.0/24\n"));
        assert_int_equal(config.class_count, 1);
        assert_int_equal(config.classes[0].kind, files[i].kind);
        assert_string_equal(config.classes[0].name, files[i].path + 3);
    }
    assert_null(policy_file_name(5));
    assert_false(parse("/p/public", "192.0.2.0/24\n"));
    assert_non_null(strstr(error, "/p/public:1: 'public' is not a policy file"));
}

static void test_lines(void **state)
{
    (void)state;
    char text[IP_PREFIX_TEXT_MAX];
    start();
    assert_true(parse("/p/private", "# partners\n\n"
                                    "  192.0.2.0/24   # one\r\n"
                                    "2001:db8::/32\n"
                                    "198.51.100.7\n"
                                    "192.0.2.0/24\n" /* again: no contradiction */
                                    "0.0.0.0/0"));
    static const char *const want[] = {"192.0.2.0/24", "2001:db8::/32", "198.51.100.7/32",
                                       "0.0.0.0/0"};
    assert_int_equal(config.class_count, 4);
    for (size_t i = 0; i < 4; i++) {
        assert_string_equal(ip_prefix_format(&config.classes[i].destination, text), want[i]);
        assert_int_equal(config.classes[i].source.addr.family, IP_NONE);
    }
}

/* OE-005 */
static void test_mistakes(void **state)
{
    (void)state;
    char longest[200];
    static const struct {
        const char *text, *error;
    } mistakes[] = {
        {"192.0.2.1/24\n", "/p/clear:1: '192.0.2.1/24' is not a prefix; write 192.0.2.0/24 or "
                           "2001:db8::/32, with all bits behind the length zero"},
        {"# x\n\nexample.net\n", "/p/clear:3: 'example.net' is not a prefix; write 192.0.2.0/24 or "
                                 "2001:db8::/32, with all bits behind the length zero"},
        {"192.0.2.0/24 192.0.3.0/24\n",
         "/p/clear:1: '192.0.2.0/24 192.0.3.0/24' is more than one prefix; write one a line"},
        {"10.0.0.0/8\n192.0.2.0/24\n",
         "/p/clear:2: 192.0.2.0/24 is already in 'private' (OE-paranoid); keep it in one of the "
         "two"},
    };
    for (size_t i = 0; i < sizeof(mistakes) / sizeof(mistakes[0]); i++) {
        start();
        assert_true(parse("/p/private", "192.0.2.0/24\n"));
        assert_false(parse("/p/clear", mistakes[i].text));
        assert_string_equal(error, mistakes[i].error);
    }
    memset(longest, '1', sizeof(longest) - 1);
    longest[sizeof(longest) - 1] = '\0';
    assert_false(parse("/p/clear", longest));
    assert_string_equal(error, "/p/clear:1: the line is too long; write one prefix a line");
}

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

/* The text that config_load() returns stands for the file and the directory. */
static void test_directory(void **state)
{
    (void)state;
    char dir[] = "policies-XXXXXX", path[64], clear[64], private_file[64], yaml[200], *text;
    char cwd[CONFIG_PATH_MAX - 64];
    size_t len;

    assert_non_null(getcwd(cwd, sizeof(cwd)));
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof(path), "%s/c.yaml", dir);
    snprintf(clear, sizeof(clear), "%s/clear", dir);
    snprintf(private_file, sizeof(private_file), "%s/private", dir);
    snprintf(yaml, sizeof(yaml), "outside: eth0\npolicy-files: %.100s/%s\n", cwd, dir);
    write_file(path, yaml);
    write_file(clear, "192.0.2.0/24\n");
    write_file(private_file, "198.51.100.0/24 # partner\n");

    start();
    text = config_load(path, &config, &len, error);
    assert_non_null(text);
    assert_int_equal(config.class_count, 3); /* the default for everything stays */
    assert_int_equal(config.classes[0].kind, OE_PERMISSIVE);
    assert_int_equal(config.classes[1].kind, OE_ALWAYS_CLEAR);
    assert_int_equal(config.classes[2].kind, OE_PARANOID);
    start();
    assert_true(config_parse(view_of(text, len), "memory", &config, error));
    assert_int_equal(config.class_count, 3);
    free(text);

    write_file(private_file, "192.0.2.0/24\n");
    assert_null(config_load(path, &config, &len, error));
    assert_non_null(strstr(error, "/private:1: 192.0.2.0/24 is already in 'clear'"));
    assert_int_equal(config.class_count, 3); /* untouched */

    unlink(clear);
    unlink(private_file);
    write_file(path, "outside: eth0\npolicy-files: /nowhere/policies\n");
    assert_null(config_load(path, &config, &len, error));
    assert_string_equal(error,
                        "no directory /nowhere/policies; make it, or correct 'policy-files'");
    unlink(path);
    assert_null(config_load(path, &config, &len, error));
    assert_non_null(strstr(error, "can't read"));
    assert_int_equal(rmdir(dir), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_lines),
        cmocka_unit_test(test_mistakes),
        cmocka_unit_test(test_directory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
