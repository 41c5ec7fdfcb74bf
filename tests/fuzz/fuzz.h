/* What every fuzzer is: libFuzzer calls this with inputs of its making. */
#ifndef GANTRY_TESTS_FUZZ_H
#define GANTRY_TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
/* Called once before, where a fuzzer has it: argv holds the directory of inputs. */
int LLVMFuzzerInitialize(int *argc, char ***argv);

#endif
