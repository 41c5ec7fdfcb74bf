conf_compiler_opt = -O0
