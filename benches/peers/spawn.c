/* The bound of shell-noop: N times `true I`, J at a time, with nothing around it but posix_spawn and wait.
 *
 *     spawn N J
 */
#define _GNU_SOURCE
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>

extern char **environ;

static int reap(void) {
    int status;
    if (wait(&status) < 0) {
        perror("wait");
        exit(1);
    }
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

int main(int argc, char **argv) {
    if (argc != 3) {
        fprintf(stderr, "usage: spawn N J\n");
        return 2;
    }
    long items = atol(argv[1]), jobs = atol(argv[2]), running = 0, succeeded = 0;
    for (long item = 0; item < items; item++) {
        if (running == jobs) {
            succeeded += reap();
            running--;
        }
        char text[32];
        snprintf(text, sizeof text, "%ld", item);
        char *command[] = {"true", text, NULL};
        pid_t child;
        if (posix_spawnp(&child, command[0], NULL, NULL, command, environ) != 0) {
            fprintf(stderr, "cannot start `true`\n");
            return 1;
        }
        running++;
    }
    for (; running > 0; running--)
        succeeded += reap();
    printf("%ld\n", succeeded);
    return succeeded == items ? 0 : 1;
}
