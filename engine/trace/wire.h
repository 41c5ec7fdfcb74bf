/* Descriptors over a socket, and the few ioctls of a listener: private to the room. */
#ifndef GANTRY_TRACE_WIRE_H
#define GANTRY_TRACE_WIRE_H

/* Sends one descriptor with one byte (SCM_RIGHTS). Async-signal-safe. 0, or -1 with errno. */
int wire_send_fd(int socket, int fd);
/* The descriptor that arrives, close-on-exec, or -1 with errno (ECONNRESET at end of file, or where a
 * byte came without one, which is in *byte then). */
int wire_receive_fd(int socket, char *byte);
/* SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP: the caller is woken on the answering processor (Linux 6.6). */
int wire_sync_wake_up(int listener);

#endif
