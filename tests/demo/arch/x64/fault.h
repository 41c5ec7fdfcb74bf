/* Processor exceptions: each is told on the console with where it happened, then power goes off. */
#ifndef X64_FAULT_H
#define X64_FAULT_H

void fault_start(void);

#endif
