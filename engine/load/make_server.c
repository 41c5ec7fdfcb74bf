#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/path.h"
#include "load/make_internal.h"
#include "race/live.h"

enum peer { PEER_NEW, PEER_COMMAND, PEER_GATE, PEER_MAKE };

struct connection {
    int fd;
    enum peer peer;
    uint32_t make; /* PEER_MAKE: its number */
    struct make_step *step; /* PEER_GATE */
    struct connection *next; /* all of the server's */
};

struct make_server {
    struct make_build *make;
    int listener, epoll;
    char name[64];
    struct connection *all;
    struct connection *command; /* the gate of the whole command, once it came */
    bool end_asked; /* server_end_command was called before that */
    char packet[WIRE_PACKET + 1]; /* the one being read, NUL-ended */
};

/* ---- sending ---- */

static void send_to(struct connection *to, const struct wire *wire, const char *text, size_t length)
{
    struct iovec parts[2] = {{(void *)(uintptr_t)wire, sizeof *wire},
                             {(void *)(uintptr_t)text, length}};
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
    /* A peer that is gone is noticed when its connection is read. */
    while (sendmsg(to->fd, &message, MSG_NOSIGNAL) < 0 && errno == EINTR)
        ;
}

void gate_send_go(struct connection *gate, const char *log, const char *error_log,
                  const char *script)
{
    const char *const texts[] = {log, error_log, script};
    struct str text = {0};
    for (size_t i = 0; i < 3; i++) {
        str_add(&text, texts[i] ? texts[i] : "");
        str_add_char(&text, '\0');
    }
    send_to(gate, &(struct wire){.kind = WIRE_GO}, text.at, text.len);
    str_free(&text);
}

void gate_send_refuse(struct connection *gate, int status)
{
    send_to(gate, &(struct wire){.kind = WIRE_REFUSE, .a = status}, NULL, 0);
}

struct make_step *gate_step(struct connection *gate);

struct make_step *gate_step(struct connection *gate)
{
    return gate->step;
}

/* ---- hearing ---- */

static void hear(struct make_server *server, struct connection *from);

/* Whatever the make said before its gate came is to be known first: it is in its socket by now. */
static void hear_make(struct make_server *server, uint32_t number)
{
    for (struct connection *at = server->all; at; at = at->next)
        if (at->peer == PEER_MAKE && at->make == number && at->fd >= 0) {
            hear(server, at);
            return;
        }
}

static void hear_gate(struct make_server *server, struct connection *from, const struct wire *wire)
{
    if (wire->make == 0 && wire->step == 0) {
        from->peer = PEER_COMMAND;
        server->command = from;
        gate_send_go(from, NULL, NULL, NULL);
        if (server->end_asked)
            server_end_command(server);
        return;
    }
    hear_make(server, wire->make);
    from->step = steps_find(server->make, wire->make, wire->step);
    if (!from->step) { /* cannot be: run it, unseen */
        gate_send_go(from, NULL, NULL, NULL);
        return;
    }
    from->peer = PEER_GATE;
    steps_gate_arrives(server->make, from->step, from, (int32_t)wire->a);
}

static void hear_exit(struct make_server *server, struct connection *from, const struct wire *wire)
{
    if (from->peer == PEER_GATE)
        steps_gate_exits(server->make, from->step, wire);
    if (from->peer == PEER_COMMAND) {
        server->make->command_status = (int)wire->a;
        server->make->command_ended = true;
        server->make->cpu_ns = (uint64_t)wire->b;
    }
}

/* The gate of a step that is said to be over has spoken before: hear it before. */
static void hear_step_end(struct make_server *server, uint32_t number, const struct wire *wire)
{
    struct make_step *step = steps_find(server->make, number, wire->step);
    if (step && step->gate)
        hear(server, step->gate);
    steps_end(server->make, number, wire->step, wire->a != 0);
}

static void hear_greeting(struct make_server *server, struct connection *from,
                          const struct wire *wire, const char *text)
{
    const char *directory = text + strlen(text) + 1;
    from->peer = PEER_MAKE;
    from->make = steps_add_make(server->make, text, directory, (int32_t)wire->a);
    bool tells = make_read_wants(server->make, from->make, wire->b != 0);
    send_to(from,
            &(struct wire){.kind = WIRE_WELCOME,
                           .make = from->make,
                           .a = server->make->build->live != NULL,
                           .b = make_shell_repeats(server->make),
                           .c = tells},
            NULL, 0);
}

/* What a descriptor has, mapped; NULL where it has nothing. */
static char *map_text(int fd, size_t *length)
{
    struct stat status;
    if (fd < 0 || fstat(fd, &status) != 0 || status.st_size == 0)
        return NULL;
    *length = (size_t)status.st_size;
    void *text = mmap(NULL, *length, PROT_READ, MAP_PRIVATE, fd, 0);
    return text == MAP_FAILED ? NULL : text;
}

static void hear_database(struct make_server *server, struct connection *from, int fd)
{
    size_t length;
    char *text = map_text(fd, &length);
    if (!text)
        return;
    database_merge(server->make, from->make, text, length);
    munmap(text, length);
}

static void hear_read(struct make_server *server, struct connection *from, int fd)
{
    size_t length = 0;
    char *text = map_text(fd, &length);
    make_read_heard(server->make, text, length);
    if (text)
        munmap(text, length);
    send_to(from, &(struct wire){.kind = WIRE_HEARD}, NULL, 0);
}

/* What a make knows of its rules so far is for those that look for races meanwhile. */
static void hear_rules(struct make_server *server, struct connection *from, int fd)
{
    struct build *build = server->make->build;
    if (build->live && fd >= 0)
        live_rules(build->live, from->make, fd);
}

static void hear_shell(struct make_server *server, struct connection *from, const struct wire *wire,
                       const char *text, size_t length)
{
    const struct make_process *owner = server->make->makes.at[from->make];
    size_t file = strnlen(text, length);
    if (file == length)
        return;
    char *path = path_join(owner->directory, text), *clean = path_clean(path);
    build_send(server->make->build, &(struct event){.kind = EVENT_SHELL_CALL,
                                                    .make = owner->directory,
                                                    .path = file ? clean : NULL,
                                                    .line = wire->line,
                                                    .command = text + file + 1,
                                                    .wall_ns = (uint64_t)wire->a,
                                                    .repeated = wire->c != 0});
    free(clean);
    free(path);
}

static void hear_shell_question(struct make_server *server, struct connection *from,
                                const struct wire *wire)
{
    struct make_build *make = server->make;
    bool yes = false;
    if (wire->kind == WIRE_SHELL_BEGIN)
        yes = make_shell_begins(make, from->make);
    else if (wire->kind == WIRE_SHELL_SEEN)
        yes = make_shell_ended(make, from->make, wire->step, wire->a);
    else
        yes = make_shell_is_same(make, from->make, wire->step);
    send_to(from, &(struct wire){.kind = WIRE_SHELL_ANSWER, .a = yes}, NULL, 0);
}

static void hear_packet(struct make_server *server, struct connection *from,
                        const struct wire *wire, const char *text, size_t length, int fd)
{
    if (from->peer == PEER_NEW && wire->kind == WIRE_GATE)
        hear_gate(server, from, wire);
    else if (from->peer == PEER_NEW && wire->kind == WIRE_MAKE &&
             memchr(text, '\0', length) != NULL)
        hear_greeting(server, from, wire, text);
    else if (wire->kind == WIRE_EXIT)
        hear_exit(server, from, wire);
    if (from->peer != PEER_MAKE)
        return;
    switch (wire->kind) {
    case WIRE_JOB:
        if (wire->a >= 0 && (size_t)wire->a <= length)
            steps_add_line(server->make, from->make, wire->step, text, (size_t)wire->a,
                           text + wire->a, length - (size_t)wire->a);
        break;
    case WIRE_ECHO:
        steps_echo(server->make, from->make, wire->step, wire->a != 0, text, length);
        break;
    case WIRE_STEP_END:
        hear_step_end(server, from->make, wire);
        break;
    case WIRE_SHELL:
        hear_shell(server, from, wire, text, length);
        break;
    case WIRE_SHELL_BEGIN:
    case WIRE_SHELL_SEEN:
    case WIRE_SHELL_AGAIN:
        hear_shell_question(server, from, wire);
        break;
    case WIRE_DATABASE:
        hear_database(server, from, fd);
        break;
    case WIRE_READ:
        hear_read(server, from, fd);
        break;
    case WIRE_RULES:
        hear_rules(server, from, fd);
        break;
    default:
        break;
    }
}

static void hang_up(struct make_server *server, struct connection *from)
{
    epoll_ctl(server->epoll, EPOLL_CTL_DEL, from->fd, NULL);
    close(from->fd);
    from->fd = -1; /* freed by sweep: others may be looking at it */
    if (from->peer == PEER_GATE)
        steps_gate_leaves(server->make, from->step, from);
    if (from->peer == PEER_MAKE)
        steps_end_make(server->make, from->make);
    if (from->peer == PEER_COMMAND) {
        server->command = NULL;
        server->make->command_ended = true;
    }
}

static int descriptor_of(struct msghdr *message)
{
    int fd = -1;
    struct cmsghdr *control = CMSG_FIRSTHDR(message);
    if (control && control->cmsg_level == SOL_SOCKET && control->cmsg_type == SCM_RIGHTS)
        memcpy(&fd, CMSG_DATA(control), sizeof fd);
    return fd;
}

/* Reads all that a peer has said. */
static void hear(struct make_server *server, struct connection *from)
{
    while (from->fd >= 0) {
        union {
            struct cmsghdr head;
            char room[CMSG_SPACE(sizeof(int))];
        } control;
        struct iovec part = {server->packet, WIRE_PACKET};
        struct msghdr message = {.msg_iov = &part,
                                 .msg_iovlen = 1,
                                 .msg_control = &control,
                                 .msg_controllen = sizeof control};
        ssize_t length = recvmsg(from->fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
        if (length < 0 && errno == EINTR)
            continue;
        if (length < 0 && errno == EAGAIN)
            return;
        server->make->heard++;
        if (length < (ssize_t)sizeof(struct wire)) {
            hang_up(server, from);
            return;
        }
        int fd = descriptor_of(&message);
        struct wire wire;
        memcpy(&wire, server->packet, sizeof wire);
        /* The buffer is used again by what is heard meanwhile: hand on a copy. */
        size_t text_length = (size_t)length - sizeof wire;
        char *text = mem_copy_n(server->packet + sizeof wire, 0);
        text = mem_grow(text, text_length + 1);
        memcpy(text, server->packet + sizeof wire, text_length);
        text[text_length] = '\0';
        hear_packet(server, from, &wire, text, text_length, fd);
        free(text);
        if (fd >= 0)
            close(fd);
    }
}

static void welcome(struct make_server *server)
{
    for (;;) {
        int fd = accept4(server->listener, NULL, NULL, SOCK_CLOEXEC);
        if (fd < 0)
            return;
        struct ucred who;
        socklen_t size = sizeof who;
        if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &size) != 0 || who.uid != geteuid()) {
            close(fd); /* a name in the abstract namespace is open to every user */
            continue;
        }
        struct connection *peer = mem_zero(1, sizeof *peer);
        peer->fd = fd;
        peer->next = server->all;
        server->all = peer;
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = peer};
        epoll_ctl(server->epoll, EPOLL_CTL_ADD, fd, &event);
    }
}

static void sweep(struct make_server *server)
{
    for (struct connection **at = &server->all; *at;) {
        struct connection *peer = *at;
        if (peer->fd >= 0) {
            at = &peer->next;
            continue;
        }
        *at = peer->next;
        free(peer);
    }
}

void server_hear(struct make_server *server, int timeout_ms)
{
    struct epoll_event events[64];
    int count = epoll_wait(server->epoll, events, 64, timeout_ms);
    for (int i = 0; i < count; i++) {
        struct connection *peer = events[i].data.ptr;
        if (!peer)
            welcome(server);
        else if (peer->fd >= 0)
            hear(server, peer);
    }
    sweep(server);
}

/* ---- the server ---- */

struct make_server *server_open(struct make_build *make, struct err *err)
{
    struct make_server *server = mem_zero(1, sizeof *server);
    uint64_t random = 0;
    if (getrandom(&random, sizeof random, 0) != sizeof random)
        random = (uint64_t)(uintptr_t)server;
    server->make = make;
    snprintf(server->name, sizeof server->name, "gantry-%ld-%016llx", (long)getpid(),
             (unsigned long long)random);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    memcpy(address.sun_path + 1, server->name, strlen(server->name));
    socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(server->name));
    server->listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    server->epoll = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event = {.events = EPOLLIN};
    if (server->listener < 0 || server->epoll < 0 ||
        bind(server->listener, (struct sockaddr *)&address, size) != 0 ||
        listen(server->listener, SOMAXCONN) != 0 ||
        epoll_ctl(server->epoll, EPOLL_CTL_ADD, server->listener, &event) != 0 ||
        epoll_ctl(server->epoll, EPOLL_CTL_ADD, make->build->wake_fd,
                  &(struct epoll_event){.events = EPOLLIN | EPOLLET, .data.ptr = NULL}) != 0) {
        err_errno(err, "the socket that gates connect to");
        server_close(server);
        return NULL;
    }
    return server;
}

const char *server_name(const struct make_server *server)
{
    return server->name;
}

void server_end_command(struct make_server *server)
{
    server->end_asked = true;
    if (server->command)
        send_to(server->command, &(struct wire){.kind = WIRE_KILL}, NULL, 0);
}

void server_close(struct make_server *server)
{
    if (!server)
        return;
    for (struct connection *at = server->all; at; at = at->next)
        if (at->fd >= 0)
            hang_up(server, at);
    sweep(server);
    if (server->listener >= 0)
        close(server->listener);
    if (server->epoll >= 0)
        close(server->epoll);
    free(server);
}
