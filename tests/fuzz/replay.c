/* Runs a fuzz target over files and folders of files: for compilers without libFuzzer, and for ctest. */
#include "fuzz.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static unsigned runs;

static int run_file(const char *path)
{
    FILE *f = fopen(path, "rb");
    uint8_t *data = NULL;
    size_t size = 0, room = 1 << 16;
    for (size_t n = 1; f && n > 0; size += n) {
        if (!data || size == room) {
            room *= data ? 2 : 1;
            data = realloc(data, room);
            if (!data)
                return 2;
        }
        n = fread(data + size, 1, room - size, f);
    }
    if (!f) {
        perror(path);
        return 2;
    }
    fclose(f);
    (void)LLVMFuzzerTestOneInput(data, size);
    free(data);
    runs++;
    return 0;
}

static int run_path(const char *path)
{
    struct stat info;
    struct dirent **names = NULL;
    char one[4096];
    int rc = 0;
    if (stat(path, &info) != 0 || !S_ISDIR(info.st_mode))
        return run_file(path);
    int n = scandir(path, &names, NULL, alphasort);
    for (int i = 0; i < n; i++) {
        snprintf(one, sizeof one, "%.3000s/%.1000s", path, names[i]->d_name);
        if (names[i]->d_name[0] != '.')
            rc |= run_path(one);
        free(names[i]);
    }
    free(names);
    return rc;
}

int main(int argc, char **argv)
{
    int rc = argc < 2 ? 2 : 0;
    for (int i = 1; i < argc; i++)
        rc |= run_path(argv[i]);
    printf("%u inputs\n", runs);
    return runs == 0 ? 2 : rc;
}
