conf_compiler_cflags = -msse2
