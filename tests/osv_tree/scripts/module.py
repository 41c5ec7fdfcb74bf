#!/bin/sh
# In the shape of OSv's: module.py build -c CONFIG [--usrskel SKEL] [--no-required] makes the modules of a
# list, and writes usr.manifest and cmdline into the build directory.
set -e
skel=usr.manifest.skel
while [ $# -gt 0 ]; do
    case $1 in
    build | --no-required | -j*) ;;
    -c) config=$2 && shift ;;
    --usrskel) skel=$2 && shift ;;
    *) echo "module.py: unknown argument $1" >&2 && exit 1 ;;
    esac
    shift
done
config=${config#!}
[ ! -f "$OSV_BASE/images/$config.py" ] || config=$(sed -n 's/^run = \["\(.*\)"\]$/\1/p' "$OSV_BASE/images/$config.py")
echo "Modules: $config (fs_type=$fs_type mode=$mode ARCH=$ARCH)"
sed "s,%(libgcc_s_dir)s,$libgcc_s_dir," "$OSV_BASE/$skel" >"$OSV_BUILD_PATH/usr.manifest"
cmdline=
for word in $(echo "$config" | tr , ' '); do
    name=${word%%.*}
    run=${word#"$name"}
    run=${run#.}
    for dir in "$OSV_BASE/apps/$name" "$OSV_BASE/modules/$name"; do
        [ -d "$dir" ] || continue
        [ ! -f "$dir/Makefile" ] || make -C "$dir" module
        [ ! -f "$dir/usr.manifest" ] ||
            sed "s,\${MODULE_DIR},$dir,; s,\${OSV_BASE},$OSV_BASE," "$dir/usr.manifest" >>"$OSV_BUILD_PATH/usr.manifest"
        [ ! -f "$dir/module.py" ] || command=$(sed -n "s/^${run:-default} = api.run(\"\(.*\)\")$/\1/p" "$dir/module.py")
        [ -z "$command" ] || cmdline=${cmdline:+$cmdline&}$command
        command=
    done
done
printf '%s' "$cmdline" >"$OSV_BUILD_PATH/cmdline"
