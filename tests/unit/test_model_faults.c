/* Memory runs out at every place in turn, while a model is read, checked and drawn: that is said,
 * and nothing is left behind. */
#include "check.h"

#include <stdlib.h>

#include "model/check.h"
#include "model/render.h"

static size_t allocations, fails_at;

static bool fails(void)
{
    return ++allocations == fails_at;
}

void *__real_malloc(size_t len);
void *__real_calloc(size_t count, size_t len);
void *__real_realloc(void *old, size_t len);
void *__wrap_malloc(size_t len);
void *__wrap_calloc(size_t count, size_t len);
void *__wrap_realloc(void *old, size_t len);

void *__wrap_malloc(size_t len)
{
    return fails() ? NULL : __real_malloc(len);
}

void *__wrap_calloc(size_t count, size_t len)
{
    return fails() ? NULL : __real_calloc(count, len);
}

void *__wrap_realloc(void *old, size_t len)
{
    return fails() ? NULL : __real_realloc(old, len);
}

static const char text[] =
    "model \"M\" { party a \"A\" { text \"a\" } party b \"B\" { text \"b\" } trust a -> b \"all\"\n"
    "association k \"K\" \"keys\" message m \"M\" a -> b { text \"t\" carries \"x\", \"y\" under k "
    "}\n"
    "message n \"N\" b -> a { text \"t\" carries nothing label \"5\" }\n"
    "problem { text \"where\" boxes bx \"B\" { text \"t\" row a, b arrow a -> b \"l\" } }\n"
    "overview { text \"o\" ladder l \"L\" { text \"t\" phase \"p\" { a -> b: m }\n"
    "    choice { case \"1\" { b -> a: n } case \"2\" { note a \"lost\" } } }\n"
    "  machine ka \"KA\" of a { text \"t\" state S initial \"s\" state W \"w\" state E final "
    "\"e\"\n"
    "    S -> W on local \"go\" send m W -> E on receive n } } }";

/* Whether all of it was done. */
static bool do_all(void)
{
    struct model_error error;
    struct check_report report;
    struct drawing plain = {0}, page = {0};
    struct model *model = model_parse(text, strlen(text), &error);
    if (model == NULL) {
        assert_int_equal(error.place.line, 0);
        assert_string_equal(error.what, "out of memory");
        return false;
    }
    check_model(model, &report);
    bool good = !report.bad;
    assert_true(!good || report.count == 0);
    check_report_fini(&report);
    good = render_text(model, &plain) && good;
    good = render_html(model, &page) && good;
    drawing_fini(&plain);
    drawing_fini(&page);
    model_free(model);
    return good;
}

static void at_every_place(void **state)
{
    (void)state;
    size_t failed = 0;
    do {
        allocations = 0;
        fails_at = failed + 1;
    } while (!do_all() && ++failed < 1000);
    assert_in_range(failed, 20, 999);
    assert_true(allocations < fails_at); /* the last time nothing failed */
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(at_every_place)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
