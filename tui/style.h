/*
 * Styles and the theme: what a style looks like is one line here. Colour is state only (and the kind of
 * rule where all is over: on the time screen); each has a glyph or a word besides. Sixteen colours on the terminal's own background; without colour
 * bold, dim, underline and reverse are kept.
 */
#ifndef GANTRY_TUI_STYLE_H
#define GANTRY_TUI_STYLE_H

enum look { LOOK_PLAIN = 0, LOOK_BOLD = 1, LOOK_DIM = 2, LOOK_UNDERLINE = 4, LOOK_REVERSE = 8 };

/* Foreground numbers are those of ECMA-48 (1 red ... 6 cyan); -1 is the terminal's own. */
/*      name      colour  look */
#define STYLES(X)                                                                                  \
    X(TEXT, -1, LOOK_PLAIN) /* the default; also what is done */                                   \
    X(STRONG, -1, LOOK_BOLD) /* what a row is about; focused titles */                             \
    X(FAINT, -1, LOOK_DIM) /* rules, labels, what waits: never needed to read */                   \
    X(FAILED, 1, LOOK_BOLD)                                                                        \
    X(RACE, 5, LOOK_BOLD)                                                                          \
    X(RUNNING, 6, LOOK_PLAIN)                                                                      \
    X(READY, 4, LOOK_PLAIN) /* could start, no lane is free */                                     \
    X(WARNING, 3, LOOK_PLAIN) /* warnings, overdue, staged edits */                                \
    X(GOOD, 2, LOOK_PLAIN) /* a verdict that is good: booted, tests passed, build done */          \
    X(RULE_GEN, 2, LOOK_PLAIN) /* on the time screen alone: what was generated, */                 \
    X(RULE_CXX, 4, LOOK_PLAIN) /* what the other compiler made, */                                 \
    X(RULE_LINK, 3, LOOK_PLAIN) /* what was linked or composed */                                  \
    X(KEY, -1, LOOK_BOLD) /* a key in the key line */                                              \
    X(TAB, -1, LOOK_REVERSE) /* the screen that is shown */                                        \
    X(FIELD, -1, LOOK_UNDERLINE) /* text that can be edited */                                     \
    X(MATCH, 3, LOOK_REVERSE) /* what a search found */

#define STYLE_ENUM(name, color, look) STYLE_##name,
enum style { STYLES(STYLE_ENUM) STYLES_COUNT };
#undef STYLE_ENUM

#endif
