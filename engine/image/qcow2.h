/* The metadata of a qcow2 file that a sink writes (docs/interop/qcow2.txt of QEMU). Private. */
#ifndef GANTRY_IMAGE_QCOW2_H
#define GANTRY_IMAGE_QCOW2_H

#include <stdint.h>

#include "base/err.h"
#include "image/sink.h"

/* Where the file keeps the offset of the cluster of a virtual offset; 0 there: a hole. */
uint64_t *qcow2_place(struct sink *sink, uint64_t virtual);
/* Writes tables, reference counts and the header. */
int qcow2_end(struct sink *sink, uint64_t size_bytes, struct err *err);

#endif
