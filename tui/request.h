/*
 * Requests: what a key means. Keys become requests before a view sees them, so that the bindings
 * are data (keymap.c), the palette can list every action, and tests can speak in verbs.
 */
#ifndef GANTRY_TUI_REQUEST_H
#define GANTRY_TUI_REQUEST_H

/* name, default keys (separated by blanks), word of the palette and the key line, help, and the
 * command that does the same; "" where there is none */
#define REQUESTS(X)                                                                                \
    X(NONE, "", "", "", "")                                                                        \
    X(UP, "Up k", "up", "previous row", "")                                                        \
    X(DOWN, "Down j", "down", "next row", "")                                                      \
    X(PAGE_UP, "PgUp ^B", "page-up", "a page up", "")                                              \
    X(PAGE_DOWN, "PgDn ^F", "page-down", "a page down", "")                                        \
    X(HOME, "Home", "top", "first row", "")                                                        \
    X(END, "End", "bottom", "last row; a log follows its end", "")                                 \
    X(LEFT, "Left", "fold", "fold; scroll left", "")                                               \
    X(RIGHT, "Right", "unfold", "unfold; scroll right", "")                                        \
    X(NEXT_PANE, "Tab", "pane", "next pane", "")                                                   \
    X(PREVIOUS_PANE, "S-Tab", "previous-pane", "previous pane", "")                                \
    X(ENTER, "Enter", "open", "go into; open; pin", "")                                            \
    X(BACK, "Esc", "back", "go out; close", "")                                                    \
    X(BUILD, "b", "build", "build what is stale", "gantry build")                                  \
    X(COMPOSE, "c", "compose", "compose the image (builds first)", "gantry compose")               \
    X(BOOT, "r", "boot", "boot the image (composes first)", "gantry run")                          \
    X(TESTS, "t", "tests", "run the tree's tests (boots an image of them)", "gantry check")        \
    X(STOP, "x", "stop", "stop: let the lanes end; again: kill them", "^C of gantry build")        \
    X(EDIT, "e", "editor", "open $EDITOR at its place", "$EDITOR +LINE FILE")                      \
    X(LOG, "l", "log", "its log", "gantry log TARGET")                                             \
    X(GRAPH, "g", "graph", "its place in the graph", "gantry graph --cone TARGET")                 \
    X(WHY, "w", "why", "why it is built, or waits", "gantry explain TARGET")                       \
    X(DIFF, "d", "diff", "what differs", "gantry manifest diff")                                   \
    X(COPY, "y", "copy", "copy it to the clipboard", "")                                           \
    X(UNDO, "u", "undo", "undo the last edit", "gantry races undo ID")                             \
    X(REDO, "U", "redo", "do it again", "")                                                        \
    X(MARK, "Space", "mark", "mark it: lines, choices, the end of a way", "")                      \
    X(FILTER, "f", "filter", "show only what matches", "")                                         \
    X(SORT, "s", "sort", "another order", "")                                                      \
    X(ZOOM, "z", "zoom", "the pane alone; again: all panes", "")                                   \
    X(PREVIOUS_FAILURE, "<", "previous-failure", "previous failure or diagnostic", "")             \
    X(NEXT_FAILURE, ">", "next-failure", "next failure or diagnostic", "")                         \
    X(SEARCH, "/", "search", "search (PCRE2; lower case ignores case)", "")                        \
    X(SEARCH_NEXT, "n", "search-next", "next match", "")                                           \
    X(SEARCH_PREVIOUS, "N", "search-previous", "previous match", "")                               \
    X(TYPE, "i", "edit", "edit the field; Boot: type into the guest", "gantry image set-args")     \
    X(DELETE, "Del", "delete", "delete the entry", "gantry manifest rm")                           \
    X(INSERT, "Ins", "insert", "add an entry", "gantry manifest add")                              \
    X(WRITE, "W", "write", "write the staged edits", "gantry manifest, gantry config")             \
    X(WRAP, "Z", "wrap", "let long lines go on in the next row, or cut them", "")                  \
    X(MOVE_UP, "K", "move-up", "before the entry before it", "gantry manifest up FILE GUEST")      \
    X(MOVE_DOWN, "J", "move-down", "after the next entry", "gantry manifest down FILE GUEST")      \
    X(APPLY, "A", "apply", "put the boot arguments into the image at once",                        \
      "gantry image set-args FILE ARGS")                                                           \
    X(PROVE, "P", "prove", "try in copies of the tree whether it does harm",                       \
      "gantry races prove ID")                                                                     \
    X(MEND, "M", "mend", "the edit that removes it", "gantry races mend ID")                       \
    X(VERIFY, "V", "verify", "build again: is it gone?", "gantry races verify ID")                 \
    X(HOLD, "O", "hold", "every build keeps the missing order until it is mended; again: no more", \
      "gantry races hold ID")                                                                      \
    X(BLAME, "B", "blame", "which commits brought its rules in, and how often it shows",           \
      "gantry races blame ID")                                                                     \
    X(SUPPRESS, "S", "suppress", "do not count it (asks for the reason)",                          \
      "gantry races suppress ID")                                                                  \
    X(HIDDEN, "H", "hidden", "show what does not count, too", "gantry races list")                 \
    X(PREVIOUS_RUN, "[", "previous-run", "earlier; smaller", "")                                   \
    X(NEXT_RUN, "]", "next-run", "later; larger", "")                                              \
    X(EVENT_BACK, ",", "event-back", "to the event before", "")                                    \
    X(EVENT_NEXT, ".", "event-next", "to the next event", "")                                      \
    X(PALETTE, ":", "actions", "every action, by name", "")                                        \
    X(HELP, "? F1", "help", "what the keys do here", "gantry help")                                \
    X(COMPARE, "=", "compare", "two recorded builds side by side: where they differ first",        \
      "gantry compare [JOURNAL...]")                                                               \
    X(PLAIN, "p", "plain", "the build as lines, from its beginning; a key comes back",             \
      "gantry replay --plain")                                                                     \
    X(TOUR, "", "tour", "what there is, in six pages; shown at the first start", "man gantry")     \
    X(WATCH, "", "watch", "build whenever a file is saved; again: no more",                        \
      "gantry build --watch")                                                                      \
    X(REDRAW, "^L", "redraw", "draw the whole screen again", "")                                   \
    X(MOUSE, "", "mouse", "the mouse on or off", "")                                               \
    X(SUSPEND, "^Z", "suspend", "suspend gantry (fg comes back)", "")                              \
    X(INTERRUPT, "^C", "interrupt", "stop what runs, as x; quit where nothing does",               \
      "^C of gantry build")                                                                        \
    X(QUIT, "q", "quit", "quit (asks only while something runs)", "")                              \
    X(CLICK, "", "", "the mouse's left button", "")                                                \
    X(WHEEL_UP, "", "", "the wheel", "")                                                           \
    X(WHEEL_DOWN, "", "", "the wheel", "")

#define REQUEST_ENUM(name, keys, word, help, command) REQ_##name,
enum request { REQUESTS(REQUEST_ENUM) REQUESTS_COUNT };
#undef REQUEST_ENUM

struct request_info {
    const char *keys, *word, *help, *command;
};
extern const struct request_info request_infos[REQUESTS_COUNT];

#endif
