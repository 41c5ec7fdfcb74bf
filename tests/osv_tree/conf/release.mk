conf_compiler_opt = -O2 -DNDEBUG
