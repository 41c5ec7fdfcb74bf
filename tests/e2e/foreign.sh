# Conf files and manifest skeletons as other trees have them: another hand's blanks, comments and
# habits. They load unchanged, and are not driven as if they were ours.
. "$(dirname "$0")/lib.sh"
mkdir -p os/conf os/static/etc os/static/tmp libs/lib64 os/build/release.x64/tools/mount
cd os || exit 1
cat >conf/base.mk <<'M'
conf-preempt=1
conf-tracing=0

# said twice: the last one counts
conf-logger_debug=0
conf_linker_extra_options=
conf_cxx_level=gnu++14
M
cat >conf/x64.mk <<'M'
arch-cflags = -msse2
M
cat >conf/aarch64.mk <<'M'
# Why this is so takes
# several lines to say.
arch-cflags = -mstrict-align -mtls-dialect=desc \
	-DSTUB
M
printf 'conf-opt = -O2 -DNDEBUG' >conf/release.mk # without a line end
printf 'conf-opt = -O0\r\nconf-logger_debug=1\r\n' >conf/debug.mk
cat >Makefile <<'M'
mode = release
all: ; @echo built by make in $(mode)
M
mkdir scripts && : >scripts/module.py

say "conf: every value has its place"
ok "$GANTRY" config ARCH=aarch64 mode=debug
for line in 'conf-preempt = 1' 'conf-opt = -O0' 'conf_linker_extra_options = ' 'conf_cxx_level = gnu++14' \
    'conf-logger_debug = 1' 'arch-cflags = -mstrict-align -mtls-dialect=desc -DSTUB' 'arch = aarch64'; do
    grep -qxF -e "$line" "$WORK/out" || fail "no line: $line"
done
[ ! -s "$WORK/err" ] || fail "words on standard error"
ok "$GANTRY" config conf-logger_debug mode=debug ARCH=x64
has "$WORK/out" "    conf/debug.mk:2"
has "$WORK/out" "overrides conf/base.mk:5: 0"
ok "$GANTRY" config conf-opt mode=release ARCH=x64
has "$WORK/out" "conf-opt = -O2 -DNDEBUG"
refuses "there are: aarch64 x64" "$GANTRY" config ARCH=sparc

say "manifests: variables, & and **, links, directories, a section line"
cat >usr.manifest.skel <<'M'
[manifest]
/usr/lib/libgcc_s.so.1: %(gccbase)s/lib64/libgcc_s.so.1
/usr/lib/&/libboost.so.1.54.0: %(miscbase)s/lib64/&
/&/etc/hosts: ../../static/&
/etc/mnttab: ->/proc/mounts
/tmp: ../../static/tmp
/tools/mount.so: tools/mount/mount.so
/all/**: ../../static/etc/**
M
touch "$WORK/libs/lib64/libgcc_s.so.1" "$WORK/libs/lib64/libboost.so.1.54.0" static/etc/hosts \
    build/release.x64/tools/mount/mount.so
ok "$GANTRY" manifest check -D gccbase="$WORK/libs" -D miscbase="$WORK/libs" \
    --dir build/release.x64 usr.manifest.skel
has "$WORK/out" "0 wrong"
ok "$GANTRY" manifest show -D gccbase="$WORK/libs" -D miscbase="$WORK/libs" \
    --dir build/release.x64 usr.manifest.skel
for name in /usr/lib/libgcc_s.so.1 /usr/lib/libboost.so.1.54.0 /etc/hosts /etc/mnttab /tmp /tools/mount.so /all/hosts; do
    grep -qE "(^| )$name( |\$)" "$WORK/out" || fail "no $name"
done
refuses "usr.manifest.skel:2: " "$GANTRY" manifest check -D miscbase="$WORK/libs" \
    --dir build/release.x64 usr.manifest.skel

say "such a tree is built by its own make, and said so"
refuses "gantry build -- make" "$GANTRY" build
refuses "gantry build -- make" "$GANTRY" run
ok "$GANTRY" build -- make
has "$WORK/out" "built by make in release"
