#include "tui/file_time.h"

void file_time_text(char out[static 8], time_t when, time_t now)
{
    struct tm then, today;
    localtime_r(&when, &then);
    localtime_r(&now, &today);
    const char *format = then.tm_year != today.tm_year   ? "%Y"
                         : then.tm_yday != today.tm_yday ? "%b %e"
                                                         : "%H:%M";
    if (!strftime(out, 8, format, &then))
        out[0] = '\0';
}
