/* What a filter consists of: for filter.c, and for the test that reads its programs. */
#ifndef GANTRY_TRACE_FILTER_H
#define GANTRY_TRACE_FILTER_H

#include <linux/filter.h>

struct trace_filter {
    struct sock_fprog listener, stops; /* what they let through: each its own way of seeing */
    enum { FIRST_LISTENER, FIRST_STOPS, FIRST_EVERY } first; /* what is tried first */
};

#endif
