#include "base/queue.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/mem.h"

/* A ring that grows. The eventfd counts 1 while the ring is not empty, else 0. */
struct queue {
    pthread_mutex_t lock;
    void **ring;
    size_t cap, head, len;
    int fd;
};

struct queue *queue_new(void)
{
    int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (fd < 0)
        return NULL;
    struct queue *queue = mem_zero(1, sizeof *queue);
    pthread_mutex_init(&queue->lock, NULL);
    queue->fd = fd;
    return queue;
}

int queue_fd(const struct queue *queue)
{
    return queue->fd;
}

void queue_push(struct queue *queue, void *item)
{
    pthread_mutex_lock(&queue->lock);
    if (queue->len == queue->cap) {
        size_t cap = queue->cap ? queue->cap * 2 : 64;
        void **ring = mem_alloc(cap * sizeof *ring);
        for (size_t i = 0; i < queue->len; i++)
            ring[i] = queue->ring[(queue->head + i) % queue->cap];
        free(queue->ring);
        queue->ring = ring;
        queue->cap = cap;
        queue->head = 0;
    }
    queue->ring[(queue->head + queue->len++) % queue->cap] = item;
    if (queue->len == 1)
        eventfd_write(queue->fd, 1);
    pthread_mutex_unlock(&queue->lock);
}

void *queue_pop(struct queue *queue)
{
    void *item = NULL;
    pthread_mutex_lock(&queue->lock);
    if (queue->len) {
        item = queue->ring[queue->head];
        queue->head = (queue->head + 1) % queue->cap;
        if (--queue->len == 0) {
            eventfd_t drained;
            eventfd_read(queue->fd, &drained);
        }
    }
    pthread_mutex_unlock(&queue->lock);
    return item;
}

void *queue_wait(struct queue *queue, int timeout_ms)
{
    for (;;) {
        void *item = queue_pop(queue);
        if (item)
            return item;
        struct pollfd fd = {.fd = queue->fd, .events = POLLIN};
        int ready = poll(&fd, 1, timeout_ms);
        if (ready == 0 || (ready < 0 && errno != EINTR))
            return NULL;
    }
}

void queue_free(struct queue *queue, void (*free_item)(void *))
{
    if (!queue)
        return;
    for (void *item; (item = queue_pop(queue));)
        if (free_item)
            free_item(item);
    close(queue->fd);
    pthread_mutex_destroy(&queue->lock);
    free(queue->ring);
    free(queue);
}
