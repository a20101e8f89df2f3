/* fuzz_campaign.c: any bytes as a campaign, an INI file: refused, or read whole. */
#include "driver/campaign.h"
#include "driver/tests/fuzz.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    tgd_campaign c;
    const tg_status status = tgd_campaign_read(fuzz_file(data, size), &c);
    assert(status.code == TG_OK ? c.name && c.nsections > 0 : c.nsections == 0);
    for (int s = 0; s < c.nsections; s++)
        assert(c.sections[s].ncases > 0);
    tgd_campaign_free(&c);
    return 0;
}
