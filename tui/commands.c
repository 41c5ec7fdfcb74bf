/* The table of commands: `gantry help`, the checks of options and the completions come from it.
 * Add a row here and a prototype in commands.h; both are sorted by name. */
#include "tui/commands.h"

#include <string.h>

#include "tui/cli.h"

const struct command commands[] = {
    {"attach", cmd_attach, GROUP_LOOK, "[JOURNAL]", "follow a build that runs elsewhere", ""},
    {"build", cmd_build, GROUP_BUILD, "[TARGET...] | -- COMMAND...",
     "build what is stale; or gate a command that calls make",
     "--watch  build again whenever a file is saved, until ^C\n"},
    {"check", cmd_check, GROUP_IMAGE, "", "build and boot the tree's tests, and report each", ""},
    {"clean", cmd_clean, GROUP_TREE, "[--orphans]", "remove what builds of this arch and mode made",
     "--orphans  only what no image of the tree makes any more\n"},
    {"compare", cmd_compare, GROUP_LOOK, "[JOURNAL [JOURNAL]]",
     "two recorded builds side by side: where they differ first", ""},
    {"compose", cmd_compose, GROUP_IMAGE, "", "build what the image wants; tell its parts", ""},
    {"config", cmd_config, GROUP_TREE, "[NAME | set NAME=VALUE... | unset NAME...]",
     "every value, and where it came from; or save a pick", ""},
    {"demo", cmd_demo, GROUP_TREE, "DIR", "write the bundled tree to DIR, to try things on", ""},
    {"doctor", cmd_doctor, GROUP_TREE, "", "what works on this machine, and what to install", ""},
    {"explain", cmd_explain, GROUP_LOOK, "TARGET", "why it would be built now, or was built last",
     ""},
    {"graph", cmd_graph, GROUP_LOOK, "[--format=text|dot|json|compdb] [--cone TARGET] [--path A B]",
     "the steps, and what orders them",
     "--format=FORMAT  text (out: in | order), dot, json, compdb (compile_commands.json)\n"
     "--cone TARGET    only what TARGET needs\n"
     "--path A B       a chain of prerequisites between the two\n"
     "--unused         waits that the last build did not need (make trees, too)\n"},
    {"help", cmd_help, GROUP_TREE, "[COMMAND]", "this overview, or a command's own page",
     "--words  only the commands and options, one a line\n"},
    {"image", cmd_image, GROUP_IMAGE,
     "pack --manifest FILE... -o IMAGE [--loader loader.img] [--args TEXT]\n"
     "                  [--fs=rofs|zfs|ext|ramfs|rofs_with_zfs|rofs_with_ext] [--data FILE]...\n"
     "                  [--layout=osv|osv-2025|2014|beside|bare|bare-2014] [--size=SIZE] "
     "[--root-size=SIZE]\n"
     "                  [--format=raw|qcow2|vmdk|vdi|vhd|gce] [--dataset=NAME] [--compress]\n"
     "                  [--align=BYTES] [--dedup] [--table=osv|standard]\n"
     "                  [-D NAME=VALUE]... [--dir DIR]...\n"
     "gantry image info IMAGE               its parts and boot arguments\n"
     "gantry image ls IMAGE                 the files of its file system\n"
     "gantry image list IMAGE [spdx|cyclonedx]  the same with hashes; as a bill of materials\n"
     "gantry image cat IMAGE GUEST          one of them\n"
     "gantry image get IMAGE GUEST [HOST]   the same, written here\n"
     "gantry image args IMAGE               its boot arguments\n"
     "gantry image set-args IMAGE TEXT...   other boot arguments, in place\n"
     "gantry image history IMAGE            the arguments that it had\n"
     "gantry image undo IMAGE               takes the last change of them back\n"
     "gantry image check IMAGE [STRIPPED]   its structure; what its loader unpacks\n"
     "gantry image convert IMAGE raw|qcow2|vmdk|vdi|vhd|gce FILE  in another format\n"
     "gantry image embed PROGRAM BOOTFS [SYMBOL]  where it was linked with a reserve: no relink\n"
     "gantry image compress KERNEL FILE [fastlz|fastlz-2014|lz4]  for a loader\n"
     "gantry image diff IMAGE IMAGE         what came, went and changed",
     "make, show, compare and change images; needs no tree", NULL},
    {"log", cmd_log, GROUP_LOOK, "[TARGET]", "what a step printed when it ran last", ""},
    {"manifest", cmd_manifest, GROUP_IMAGE,
     "check [-D NAME=VALUE]... [--dir DIR]... FILE...   what is wrong in them\n"
     "gantry manifest show [-D ...] [--dir ...] FILE...   what they put in\n"
     "gantry manifest add FILE GUEST HOST   a new line, or another right side\n"
     "gantry manifest rm FILE GUEST\n"
     "gantry manifest mv FILE GUEST GUEST\n"
     "gantry manifest up|down FILE GUEST    before or after the next entry\n"
     "gantry manifest diff FILE FILE        what the second puts in otherwise",
     "check, show and edit manifests", NULL},
    {"races", cmd_races, GROUP_LOOK,
     "[list] [--since REV] [--baseline FILE] [--sarif]  what the last build showed\n"
     "gantry races list --all                with hints: inputs and waits that are declared "
     "wrongly\n"
     "gantry races list --write-baseline FILE   all of it, as known from now on\n"
     "gantry races show ID                   one finding and its evidence\n"
     "gantry races blame ID                  which commits brought its rules in; how often it "
     "shows\n"
     "gantry races prove ID|all              does it do harm? tried in copies of the tree\n"
     "gantry races mend ID [--apply]         the edit that removes it\n"
     "gantry races verify ID | undo ID       build again: is it gone? take the edit back\n"
     "gantry races hold ID | release ID      every build keeps the missing order until it is "
     "mended\n"
     "gantry races suppress ID --reason TEXT excuse it, in .gantry-races",
     "which steps race, from the last build; gantry-race(7)", NULL},
    {"replay", cmd_replay, GROUP_LOOK, "[JOURNAL]",
     "show and play a recorded build, the last one if none is named", ""},
    {"run", cmd_run, GROUP_IMAGE, "[OPTIONS] [-- QEMU-OPTIONS]",
     "build what is stale, then boot the image",
     "--as-is          boot what was composed last; build nothing\n"
     "--image=FILE     boot this disk in place of what is composed; build nothing\n"
     "-i FILE          the same\n"
     "--expect=TEXT    good when TEXT (PCRE2) appears, which ends the guest\n"
     "--timeout=S      bad after S seconds\n"
     "--memory=MIB     in place of what conf says; 512M and 2G are understood, too\n"
     "-m SIZE          the same\n"
     "--cpus=N         in place of what conf says\n"
     "-c N             the same\n"
     "--execute=TEXT   boot with these arguments; the image keeps its own\n"
     "-e TEXT          the same\n"
     "--prepend=TEXT   put this before the arguments; may be said again\n"
     "--disk=FILE      attach one more disk; may be said again\n"
     "--forward=RULE   a port of this machine to the guest, tcp::8080-:80; may be said again\n"
     "--nics=N         network cards, in place of what conf says\n"
     "--virtiofs=DIR   share a directory of this machine by virtio-fs\n"
     "--virtiofs-tag=NAME  under another tag than share\n"
     "--gdb=PORT       let a debugger in at this port of this machine\n"
     "--wait           for it, before the first instruction\n"
     "-w               the same\n"
     "--kernel         let QEMU load the kernel, not the disk itself\n"
     "--verbose        let OSv say more as it boots\n"
     "-V               the same\n"
     "--tcg            emulate, though KVM works\n"},
};
const unsigned commands_count = sizeof commands / sizeof *commands;

const struct command *command_find(const char *name)
{
    for (unsigned i = 0; i < commands_count; i++)
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    return NULL;
}
