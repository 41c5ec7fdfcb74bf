# Data files. noise.bin is made, not kept: the self-tests make the same bytes and compare.
targets += host/mknoise gen/data/noise.bin

host/mknoise: rule = host
host/mknoise: sources = host/mknoise.c

gen/data/noise.bin: rule = tool
gen/data/noise.bin: inputs = host/mknoise
gen/data/noise.bin: command = $(out)/host/mknoise -o $@ 1000001
