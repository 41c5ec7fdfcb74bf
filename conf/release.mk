# mode=release
conf-opt = -O2 -DNDEBUG
