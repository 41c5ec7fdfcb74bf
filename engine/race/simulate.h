/* How likely a race shows: schedules drawn from recorded durations. */
#ifndef GANTRY_RACE_SIMULATE_H
#define GANTRY_RACE_SIMULATE_H

#include <stdint.h>

struct race_report;
struct report_finding;

/*
 * Of `runs` simulated builds on `lanes` lanes, the part (0 to 1) in which the finding's second step
 * began before its first had ended (for shared names: in which they overlapped). Steps start in the
 * order in which make started them as soon as their prerequisites allow and a lane is free; each
 * takes half to twice as long as it took. Fewer runs are made of builds of many thousand steps.
 */
double race_likelihood(const struct race_report *report, const struct report_finding *finding,
                       unsigned lanes, unsigned runs);

#endif
