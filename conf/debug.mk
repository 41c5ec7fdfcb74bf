# mode=debug: readable in a debugger, assertions on, the kernel tells what it does.
# gcc's maybe-uninitialized is guesswork without optimisation.
conf-opt = -O0 -Wno-maybe-uninitialized
conf-DEBUG_BUILD = 1
conf-logger_debug = 1
conf-debug_memory = 1
