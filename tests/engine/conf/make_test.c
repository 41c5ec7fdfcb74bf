/*
 * The dialect against GNU make itself: the same text goes to both, and every variable that it sets
 * must come out the same. Skipped where make is not installed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "conf/conf.h"

/* Each text sets `r` (and what it needs); both sides print $(r) between brackets. */
static const char *const texts[] = {
    /* flavours */
    "a = 1\nr = $(a)\na = 2\n",
    "a = 1\nr := $(a)\na = 2\n",
    "a = 1\nr ::= $(a)\na = 2\n",
    "r = x\nr += y\nr += z\n",
    "r += y\n",
    "r =\nr += y\n",
    "r :=\nr += y\nr +=\nr += z\n",
    "r = x\nr +=\nr += z\n",
    "b = 1\nr = x\nr += $(b)\nb = 2\n",
    "b = 1\nr := x\nr += $(b)\nb = 2\n",
    "r ?= x\nr ?= y\n",
    "r =\nr ?= y\n",
    "r := a\nr := $(r) b $(r)\n",
    "a = $(b)\nb = $(c)\nc = deep\nr = $(a)$(a)\n",
    "n = a\n$(n)-x = 5\nr = $(a-x) $($(n)-x)\n",
    "a = x\nr = $a$a ${a} $(a)b\n",
    "r = $$ $$(a) $$$$\n",
    "r = a$\n",
    "r = $(unset)|$u|${none}\n",
    "conf-preempt=1\nr=$(conf-preempt)\n",
    "export r?=0\n",
    "  r  =  spaced  out\n",
    "r = a b# comment\n",
    "r = a b  # comment\n",
    "r = a\\#b\n",
    "r = a\\\\#b\n",
    "r = $(subst #,x,a#b)\n",
    "r = a \\\n   b\\\n\tc\n",
    "r = a\\\\\\\n b\n",
    "r = one \\\n",
    "r = a = b := c\n",
    "r = tail\\\\\n",
    "# comment \\\nr = hidden\nr = seen\n",
    "r\t=\ttabs\tin\n",
    "define = 3\nr = $(define)\n",
    "ifeq = 4\nr = $(ifeq)\n",
    /* conditionals */
    "a = 1\nifeq ($(a),1)\nr = yes\nelse\nr = no\nendif\n",
    "ifeq ( x , x )\nr = same\nelse\nr = other\nendif\n",
    "ifeq \"a b\" 'a b'\nr = same\nendif\n",
    "ifneq ($(none),)\nr = set\nelse ifeq (1,1)\nr = second\nelse\nr = third\nendif\n",
    "a =\nifdef a\nr = d\nelse\nr = u\nendif\n",
    "e =\na = $(e)\nifdef a\nr = d\nelse\nr = u\nendif\n",
    "ifndef zz\nr = u\nendif\n",
    "n = foo\nfoo = 1\nifdef $(n)\nr = by name\nendif\n",
    "ifeq (1,2)\nifeq (1,1)\nr = bad\nelse\nr = worse\nendif\nelse\nr = good\nendif\n",
    "ifeq (a,$(if x,a,b))\n  r = in\n  endif\n",
    "ifdef q\nelse ifdef w\nelse ifndef w\nr = 3\nelse\nr = 4\nendif\n",
    /* substitution references */
    "a = x.c y.c z.h\nr = $(a:.c=.o)|$(a:%.c=b/%.o)|$(a:.c=)|${a:%=p/%}\n",
    "a = 1 2\nr = $(a:%=[%])$(b:%=[%])\n",
    "a = x.c\ns = c\nr = $(a:.$(s)=.o)\n",
    "a = x.c y.cc\nr = $(a:%=drivers/%)\n",
    "a = %.c x%.c\nr = $(a:\\%.c=done)\n",
    /* functions */
    "r = [$(subst ee,EE,feet on the  street)]\n",
    "r = [$(subst ,x,abc)]\n",
    "r = [$(subst a,,banana)]\n",
    "r = [$(patsubst %.c,%.o,x.c.c  bar.c  baz.h)]\n",
    "r = [$(patsubst foo,bar,foo  food  foo )]\n",
    "r = [$(patsubst %,,a b c)]\n",
    "r = [$(patsubst a%,%,a ab abc)]\n",
    "r = [$(patsubst %.c,lib/%-%.o,x.c)]\n",
    "r = [$(strip   a   b  c )]\n",
    "r = [$(findstring a,a b c)][$(findstring a,b c)]\n",
    "r = [$(filter %.c %.s,a.c b.h c.s)][$(filter-out a% c,a ab c d)]\n",
    "r = [$(filter a b,b a c a)]\n",
    "r = [$(sort  foo bar lose foo Z a)]\n",
    "r = [$(word 2,foo bar baz)][$(word 9,foo)][$(words a b  c)][$(words )]\n",
    "r = [$(wordlist 2,3,a b c d)][$(wordlist 3,2,a b c)][$(wordlist 2,99,a b c)]\n",
    "r = [$(wordlist 1,0,a b)][$(word  1 ,a b)]\n",
    "r = [$(firstword a b)][$(lastword a b c)][$(lastword )]\n",
    "r = [$(dir src/foo.c hacks / a/b/)][$(notdir src/foo.c hacks a/b/ x)]\n",
    "r = [$(suffix src/foo.c src-1.0/bar hacks.h .x a.b.c)]\n",
    "r = [$(basename src/foo.c src-1.0/bar hacks a.b.c .x)]\n",
    "r = [$(addsuffix .c,foo  bar)][$(addprefix src/,foo bar)][$(addprefix x,)]\n",
    "r = [$(join a b,.c .o)][$(join a b c,1)][$(join a,1 2)]\n",
    "r = [$(foreach x,a b c,<$(x)>)][$(foreach x,,y)][$(foreach x,a b,)]\n",
    "x = outer\nr = $(foreach x,1 2,$(x)) $(x)\n",
    "f = <$(v)>\nr = $(foreach v,1 2,$(f))\n",
    "o = p t\nc-p = 1\nc-t = 0\nr = $(foreach i,$(o),-D$(i)=$(c-$(i)))\n",
    "r = $(if a,yes,no) $(if ,yes,no) $(if $(e),y) $(if  ,y,n,m)\n",
    "r = [$(or ,b,c)][$(or ,)][$(and a,b)][$(and a,,c)][$(or  a , b )]\n",
    "r = $(if $(filter 1,$(c)),kernel/trace.o)|$(if $(filter 1,1),t.o)\n",
    "comma = ,\nempty =\nspace = $(empty) $(empty)\nr = $(subst $(space),$(comma),a b c)\n",
    "r = $(subst x,(y),axb) ${subst x,(,axb}\n",
    "r = $(strip $(wildcard dir/*.c)) [$(wildcard none/*)] [$(wildcard dir/b.c dir/zz)]\n",
    "r = $(wildcard dir)|$(sort $(wildcard d?r/[ab].c))\n",
    "r = $(patsubst dir/%.c,o/%.o,$(sort $(wildcard dir/*.c)))\n",
    "$(info said)r = after\nr = x$(info hidden)y\n",
    "r = $(foreach x,1 2,$(foreach y,a b,$(x)$(y)))\n",
    "r = $(wordlist 2,$(words a b c d),a b c d)\n",
    "a b: r = s\nr = global\n",
    /* include */
    "include sub.mk\nr = $(from-sub)\n",
    "-include none.mk\nr = ok\n",
    "sinclude none.mk sub.mk\nr = $(from-sub)\n",
    "n = sub\ninclude $(n).mk\nr := $(from-sub) $(from-sub)\n",
};

/* Target-specific values: of `t.o`. Both print $(r) as seen by that target. */
static const char *const specific_texts[] = {
    "r = g\nt.o: r = s\n",
    "r = g\nt.o: r += s\n",
    "r = g\nt.o: r +=\nt.o: r += s\n",
    "t.o: r += s\n",
    "r = g\nt.o: r := $(r)1\n",
    "x = 1\nr = g$(x)\nt.o: r += $(x)\nx = 2\n",
    "x = 1\nr := g$(x)\nt.o: r += $(x)\nx = 2\n",
    "r = g\nt.o: r = a\nt.o: r += b\n",
    "r = g\nt.o: r += a\nt.o: r += b\n",
    "r = g\nt.o: r += a\nr = h\n",
    "r = g\n%.o: r = p\n",
    "r = g\n%.o: r += p\nt.o: r += s\n",
    "r = g\n%.o: r = p\nt.%: r = q\n",
    "r = g\nt%: r = long\nt.o: x = 1\n%: r = any\n",
    "r = g\n%.o: r = p\nt.o: r = s\n",
    "r = $(x)\nx = g\nt.o: x = s\n",
    "r ?= g\nt.o: r ?= s\n",
    "t.o: r ?= s\n",
    "l = t.o u.o\nr = g\n$(l): r += both\n",
    "r = g\nt.o u.o: r = 1\nu.o: r = 2\n",
    "o = 0\nr = -O$(o)\nt.o: o = 2\nt.o: r += -g\n",
    "ifeq (1,1)\nt.o: r = in\nendif\n",
};

struct tree {
    char dir[64];
};

static void put(const struct tree *tree, const char *name, const char *text)
{
    struct err err = {0};
    char *path = mem_format("%s/%s", tree->dir, name);

    assert_int_equal(file_make_parents(path, &err), 0);
    assert_int_equal(file_write(path, text, strlen(text), 0644, &err), 0);
    free(path);
}

static int set_up(void **state)
{
    struct tree *tree = mem_zero(1, sizeof *tree);

    strcpy(tree->dir, "/tmp/gantry-conf-XXXXXX");
    assert_non_null(mkdtemp(tree->dir));
    put(tree, "dir/a.c", "");
    put(tree, "dir/b.c", "");
    put(tree, "sub.mk", "from-sub = sub\n");
    put(tree, "conf/images/i.mk", "");
    *state = tree;
    return 0;
}

static int tear_down(void **state)
{
    struct tree *tree = *state;

    file_remove_tree(tree->dir, NULL);
    free(tree);
    return 0;
}

/* What make says $(r) is, for the target t.o. */
static char *ask_make(const struct tree *tree, const char *text)
{
    char *makefile = mem_format("%s\nt.o: ; @: $(info {$(r)})\n.PHONY: t.o\n", text);
    struct str said = {0};
    char line[4096];

    put(tree, "Makefile", makefile);
    free(makefile);
    char *command = mem_format("env -u MAKEFLAGS -u MAKELEVEL make -rs --no-print-directory -C %s "
                               "t.o 2>&1",
                               tree->dir);
    FILE *make = popen(command, "r");
    assert_non_null(make);
    while (fgets(line, sizeof line, make))
        if (line[0] == '{' || said.len > 0)
            str_add(&said, line);
    pclose(make);
    free(command);
    return str_take(&said);
}

static char *ask_conf(const struct tree *tree, const char *text)
{
    static const struct assignment image = {"image", "i", ORIGIN_COMMAND_LINE};
    struct err err = {0};

    put(tree, "module.mk", text);
    struct conf *conf = conf_load(tree->dir, &image, 1, &err);
    if (conf == NULL)
        return mem_format("error: %s", err.text);
    char *value = mem_format("{%s}\n", conf_get_for(conf, "t.o", "r"));
    conf_free(conf);
    return value;
}

static void compare(const struct tree *tree, const char *const *list, size_t count)
{
    unsigned different = 0;

    for (size_t i = 0; i < count; i++) {
        char *make = ask_make(tree, list[i]), *conf = ask_conf(tree, list[i]);
        if (strcmp(make, conf) != 0) {
            print_message("--- text:\n%s--- make: %s\n--- conf: %s\n", list[i], make, conf);
            different++;
        }
        free(make);
        free(conf);
    }
    assert_int_equal(different, 0);
}

static void values_are_those_of_make(void **state)
{
    if (system("command -v make >/dev/null 2>&1") != 0)
        skip(); /* the peer is not here */
    compare(*state, texts, sizeof texts / sizeof texts[0]);
}

static void target_specific_values_are_those_of_make(void **state)
{
    if (system("command -v make >/dev/null 2>&1") != 0)
        skip(); /* the peer is not here */
    compare(*state, specific_texts, sizeof specific_texts / sizeof specific_texts[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(values_are_those_of_make, set_up, tear_down),
        cmocka_unit_test_setup_teardown(target_specific_values_are_those_of_make, set_up,
                                        tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
