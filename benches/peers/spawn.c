/* The bound of shell-noop and shell-echo: N times `sh -c 'true I'` or `sh -c 'echo I'`, J at a time, with nothing around it but
 * posix_spawn and wait. What `echo` prints is collected, and written to OUT in the order of the items.
 *
 *     spawn loop|threads|direct true|echo N J OUT
 *
 * loop: one thread starts all commands and waits for whichever ends first.
 * threads: J threads, each starts a command, reads from it and waits for it.
 * direct: the same, but the program itself, as it is found on PATH, and no shell.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

struct slot {
    pid_t pid; /* 0: nothing runs here. */
    long item;
    int pipe;
    size_t length;
    char output[4096];
};

static const char *word;
static int collects;
static int direct;
static long items;
static char **outputs;
static atomic_long next;

static void fail(const char *what) {
    perror(what);
    exit(1);
}

static void start(struct slot *slot, long item) {
    char text[64];
    int ends[2];
    snprintf(text, sizeof text, direct ? "%.0s%ld" : "%s %ld", word, item);
    char *shell[] = {"/bin/sh", "-c", text, NULL}, *program[] = {(char *)word, text, NULL};
    char **command = direct ? program : shell;
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    if (collects) {
        if (pipe2(ends, O_CLOEXEC) != 0)
            fail("pipe2");
        posix_spawn_file_actions_adddup2(&actions, ends[1], 1);
    }
    if (posix_spawnp(&slot->pid, command[0], &actions, NULL, command, environ) != 0)
        fail("posix_spawnp");
    posix_spawn_file_actions_destroy(&actions);
    slot->item = item;
    slot->length = 0;
    if (collects) {
        close(ends[1]);
        slot->pipe = ends[0];
    }
}

/* Reads what is there; false at the end of it. */
static int drain(struct slot *slot) {
    ssize_t got = read(slot->pipe, slot->output + slot->length, sizeof slot->output - slot->length - 1);
    if (got > 0)
        slot->length += got;
    return got > 0;
}

static void ended(int status) {
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        fprintf(stderr, "a command failed\n");
        exit(1);
    }
}

static void finish(struct slot *slot) {
    int status;
    if (collects) {
        close(slot->pipe);
        slot->output[slot->length] = 0;
        outputs[slot->item] = strdup(slot->output);
    }
    if (waitpid(slot->pid, &status, 0) < 0)
        fail("waitpid");
    ended(status);
    slot->pid = 0;
}

static void *thread(void *nothing) {
    struct slot slot;
    for (long item; (item = atomic_fetch_add(&next, 1)) < items;) {
        start(&slot, item);
        while (collects && drain(&slot))
            ;
        finish(&slot);
    }
    return nothing;
}

static void in_threads(long jobs) {
    pthread_t threads[jobs];
    for (long job = 0; job < jobs; job++)
        pthread_create(&threads[job], NULL, thread, NULL);
    for (long job = 0; job < jobs; job++)
        pthread_join(threads[job], NULL);
}

static void in_a_loop(long jobs) {
    if (!collects) {
        struct slot slot;
        for (long running = 0, done = 0; done < items; done++, running--) {
            int status;
            for (; running < jobs && next < items; running++)
                start(&slot, next++);
            if (wait(&status) < 0)
                fail("wait");
            ended(status);
        }
        return;
    }
    struct slot *slots = calloc(jobs, sizeof *slots);
    struct pollfd *polled = calloc(jobs, sizeof *polled);
    for (long done = 0; done < items;) {
        for (long job = 0; job < jobs; job++) {
            if (slots[job].pid == 0 && next < items)
                start(&slots[job], next++);
            polled[job] = (struct pollfd){.fd = slots[job].pid == 0 ? -1 : slots[job].pipe, .events = POLLIN};
        }
        if (poll(polled, jobs, -1) < 0)
            fail("poll");
        for (long job = 0; job < jobs; job++)
            if (slots[job].pid != 0 && polled[job].revents && !drain(&slots[job])) {
                finish(&slots[job]);
                done++;
            }
    }
}

int main(int argc, char **argv) {
    if (argc != 6) {
        fprintf(stderr, "usage: spawn loop|threads|direct true|echo N J OUT\n");
        return 2;
    }
    word = argv[2];
    collects = strcmp(word, "echo") == 0;
    items = atol(argv[3]);
    outputs = calloc(items, sizeof *outputs);
    direct = strcmp(argv[1], "direct") == 0;
    if (direct || strcmp(argv[1], "threads") == 0)
        in_threads(atol(argv[4]));
    else
        in_a_loop(atol(argv[4]));
    if (!collects)
        return 0;
    FILE *out = fopen(argv[5], "w");
    if (out == NULL)
        fail(argv[5]);
    for (long item = 0; item < items; item++)
        fputs(outputs[item], out);
    return fclose(out) != 0;
}
