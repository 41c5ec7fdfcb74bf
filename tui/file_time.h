/* When a file was made, for people. */
#ifndef GANTRY_TUI_FILE_TIME_H
#define GANTRY_TUI_FILE_TIME_H

#include <time.h>

/* "08:14" on the day of `now`, "Nov 21" in its year, else "2025"; local time. */
void file_time_text(char out[static 8], time_t when, time_t now);

#endif
