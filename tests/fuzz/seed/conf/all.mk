a = 1
b := $(a:1=2) $(patsubst %.c,%.o,x.c y.c)
c ?= $(if $(filter 1,$(a)),yes,no)
ifeq ($(a),1)
x.o: d += $(foreach i,1 2 3,$(b)$(i)) $(sort z y x)
else ifdef b
%.o: e = $(word 2,a b) $(wordlist 1,2,a b c) $(addprefix p,$(basename a.b)) \
  more
endif
-include nowhere.mk
