# bash completion for gantry(1)
_gantry() {
    local word=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]} i tree=. targets=
    COMPREPLY=()
    for ((i = 1; i < COMP_CWORD; i++)); do
        [[ ${COMP_WORDS[i]} == -- ]] && return
        [[ ${COMP_WORDS[i]} == -C ]] && tree=${COMP_WORDS[i + 1]}
        case ${COMP_WORDS[i]} in build | explain | graph) targets=1 ;; esac
    done
    # NAME=VALUE arrives as three words: NAME, =, VALUE.
    if [[ $word == = ]]; then
        previous=$word word=
    fi
    if [[ $previous == = ]]; then
        case ${COMP_WORDS[COMP_CWORD - 2 + (${#word} == 0 && ${#COMP_WORDS[COMP_CWORD]} == 1)]} in
        ARCH) COMPREPLY=($(compgen -W "$(_gantry_arches "$tree")" -- "$word")) ;;
        mode) COMPREPLY=($(compgen -W "release debug" -- "$word")) ;;
        image) COMPREPLY=($(compgen -W "$(_gantry_images "${COMP_WORDS[0]}" "$tree")" -- "$word")) ;;
        fs) COMPREPLY=($(compgen -W "rofs zfs ext ramfs rofs_with_zfs rofs_with_ext" -- "$word")) ;;
        --color) COMPREPLY=($(compgen -W "auto always never" -- "$word")) ;;
        --trace) COMPREPLY=($(compgen -W "on off" -- "$word")) ;;
        --fail-on) COMPREPLY=($(compgen -W "races" -- "$word")) ;;
        --plain) COMPREPLY=($(compgen -W "raw" -- "$word")) ;;
        *) COMPREPLY=($(compgen -f -- "$word")) ;;
        esac
        return
    fi
    case $previous in
    -C | demo)
        COMPREPLY=($(compgen -d -- "$word"))
        return
        ;;
    esac
    COMPREPLY=($(compgen -W "ARCH= mode= image= cmdline= fs= CROSS_PREFIX= HOST_CC=
        $("${COMP_WORDS[0]}" help --words 2>/dev/null | cut -f 1)" -- "$word"))
    if [[ $targets && $word != -* ]]; then
        COMPREPLY=($(compgen -W "$(_gantry_targets "${COMP_WORDS[0]}" "$tree")" -- "$word"))
    elif [[ $word != -* ]]; then
        COMPREPLY+=($(compgen -f -- "$word"))
    fi
    [[ ${COMPREPLY[0]} == *= ]] && compopt -o nospace
}

# Base names without .mk of the arguments.
_gantry_names() {
    local file
    for file; do
        [[ -e $file ]] && file=${file##*/} && echo "${file%.mk}"
    done
}

# The images of a tree; of one of OSv, images and modules.
_gantry_images() {
    if [[ -e $2/scripts/module.py ]]; then
        "$1" -C "$2" config image-names 2>/dev/null | sed -n 's/^image-names = //p'
    else
        _gantry_names "$2"/conf/images/*.mk
    fi
}

# The arches of a tree: what conf/ holds besides base and the modes.
_gantry_arches() {
    _gantry_names "$1"/conf/*.mk | grep -vxE 'base|release|debug'
}

# What a native tree makes, without the build directory's name.
_gantry_targets() {
    "$1" -C "$2" graph 2>/dev/null | sed -E 's/:( .*)?$//; s,(^| )build/[^/ ]*/,\1,g'
}

complete -F _gantry gantry
