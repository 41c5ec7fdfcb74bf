/*
 * A queue of pointers between threads, with a descriptor to poll. Any number of producers; one
 * consumer. Pushing never blocks, so a slow reader never slows a build.
 */
#ifndef GANTRY_BASE_QUEUE_H
#define GANTRY_BASE_QUEUE_H

struct queue;

/* A new, empty queue; NULL only where the machine has no descriptors left. */
struct queue *queue_new(void);
/* Readable (POLLIN) while the queue is not empty. */
int queue_fd(const struct queue *queue);
void queue_push(struct queue *queue, void *item);
/* The oldest item, or NULL where there is none; the item is the caller's. */
void *queue_pop(struct queue *queue);
/* As queue_pop, but waits for an item: forever where timeout_ms is -1. */
void *queue_wait(struct queue *queue, int timeout_ms);
/* Frees the queue; what is still in it is handed to free_item (may be NULL). */
void queue_free(struct queue *queue, void (*free_item)(void *));

#endif
