#include "base/knob.h"

#include <stdio.h>
#include <string.h>

#define NEAR_EDITS ((size_t)3)
#define LONGEST_WORD ((size_t)64) /* no name is longer; keeps the row on the stack */

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Edit distance: letters put in, left out, replaced, or two neighbours swapped; rows of the table for the last three
 * letters of `a`. Both words at most LONGEST_WORD long. */
static size_t distance(const char *a, const char *b)
{
    const size_t na = strlen(a), nb = strlen(b);
    size_t rows[3][LONGEST_WORD + 1];
    for (size_t j = 0; j <= nb; j++)
        rows[0][j] = j;
    for (size_t i = 1; i <= na; i++) {
        size_t *row = rows[i % 3];
        const size_t *above = rows[(i + 2) % 3], *two_above = rows[(i + 1) % 3];
        row[0] = i;
        for (size_t j = 1; j <= nb; j++) {
            const size_t replaced = above[j - 1] + (a[i - 1] != b[j - 1]);
            row[j] = smaller(replaced, smaller(row[j - 1], above[j]) + 1);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                row[j] = smaller(row[j], two_above[j - 2] + 1);
        }
    }
    return rows[na % 3][nb];
}

const char *pp_nearest(const char *word, const char *const *candidates, size_t n)
{
    const char *best = NULL;
    const size_t length = strlen(word);
    size_t limit = smaller(NEAR_EDITS, length / 2) + 1; /* a distance below it is near */
    if (length > LONGEST_WORD)
        return NULL;
    for (size_t i = 0; i < n; i++) {
        if (strlen(candidates[i]) > LONGEST_WORD)
            continue;
        const size_t edits = distance(word, candidates[i]);
        if (edits < limit) {
            limit = edits;
            best = candidates[i];
        }
    }
    return best;
}

const char *pp_hint(const char *word, const char *list, char buffer[PP_HINT_MAX])
{
    char copy[1024];
    const char *words[64];
    size_t n = 0;
    (void)snprintf(copy, sizeof copy, "%s", list);
    for (char *save = NULL, *w = strtok_r(copy, " ,;|\n", &save); w && n < 64; w = strtok_r(NULL, " ,;|\n", &save))
        if (strcmp(w, "or") != 0)
            words[n++] = w;
    const char *near = pp_nearest(word, words, n);
    (void)snprintf(buffer, PP_HINT_MAX, near ? "; did you mean %s?" : "%s", near ? near : "");
    return buffer;
}
