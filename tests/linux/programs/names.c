/* Directories with many names, and threads that are seen below /proc. */
#define _GNU_SOURCE
#include <dirent.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int count(const char *path)
{
    DIR *directory = opendir(path);
    int names = 0;
    while (directory && readdir(directory))
        names++;
    if (directory)
        closedir(directory);
    return names - 2;
}

static void *idle(void *gate)
{
    pthread_mutex_lock(gate);
    pthread_mutex_unlock(gate);
    return NULL;
}

int main(void)
{
    char name[64];
    struct stat status;
    mkdir("/tmp/many", 0755);
    for (int i = 0; i < 5000; i++) {
        sprintf(name, "/tmp/many/%s%d", i % 2 ? "file" : "directory", i);
        if (i % 2)
            fclose(fopen(name, "w"));
        else
            mkdir(name, 0755);
        if (stat("/tmp/many", &status))
            return 1;
    }
    printf("%d names, %d links\n", count("/tmp/many"), (int)status.st_nlink);
    /* Each is removed as it is found. */
    DIR *directory = opendir("/tmp/many");
    struct dirent *entry;
    int removed = 0;
    while ((entry = readdir(directory)))
        if (entry->d_name[0] != '.') {
            sprintf(name, "/tmp/many/%.40s", entry->d_name);
            removed += !remove(name);
        }
    rewinddir(directory);
    int left = 0;
    while (readdir(directory))
        left++;
    closedir(directory);
    printf("%d removed, %d left, %d\n", removed, left - 2, rmdir("/tmp/many"));

    pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
    pthread_t threads[3];
    pthread_mutex_lock(&gate);
    for (int i = 0; i < 3; i++)
        pthread_create(&threads[i], NULL, idle, &gate);
    printf("%d threads\n", count("/proc/self/task"));
    sprintf(name, "/proc/self/task/%d/comm", getpid());
    FILE *file = fopen(name, "r");
    printf("%s", file && fgets(name, sizeof name, file) ? name : "?\n");
    pthread_mutex_unlock(&gate);
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    printf("%d\n", access("/proc/self/task/1000000/stat", F_OK));
    return 0;
}
