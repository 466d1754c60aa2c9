/* Saved SAs as a keyd gets them back: whatever they hold, the engine stays whole, and
 * what it doesn't take it wants forgotten. The version that a record begins with is made ours, so that
 * what follows is read, unless it is zero. */
#include "fuzz.h"

#include <stdlib.h>

#include "ike/ike.h"
#include "ike/record.h"

static void fill(void *ctx, uint8_t *ret, size_t len)
{
    (void)ctx;
    memset(ret, 0x17, len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    const struct ike_config config = {.ike_lifetime_s = 0};
    const struct ike_env env = {.rng = {.fill = fill}};
    uint8_t *record = malloc(len ? len : 1); /* exactly as long, so that a sanitizer sees its end */
    if (record == NULL)
        abort();
    memcpy(record, data, len);
    if (len > 0 && record[0] != 0)
        record[0] = RECORD_VERSION;
    const struct ike_event restore = {
        .kind = IKE_EV_RESTORE, .serial = 7, .bytes = view_of(record, len)};
    struct ike_effect fx;
    struct ike *ike;

    if (ike_new(&config, &env, &ike) != ERR_OK)
        abort();
    bool kept = ike_input(ike, (mono_t){100000}, &restore) == ERR_OK, forgotten = false;
    while (ike_next_effect(ike, &fx))
        forgotten |= fx.kind == IKE_FX_FORGET && fx.serial == 7;
    assert(kept != forgotten);
    ike_timer(ike, (mono_t){200000});
    while (ike_next_effect(ike, &fx))
        continue;
    ike_free(ike);
    free(record);
    return 0;
}
