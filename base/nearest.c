#include "base/knob.h"

#include <string.h>

#define NEAR_EDITS ((size_t)3)
#define LONGEST_WORD ((size_t)64) /* no name is longer; keeps the row on the stack */

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Levenshtein distance, one row of the table at a time; both words at most LONGEST_WORD long. */
static size_t distance(const char *a, const char *b)
{
    const size_t na = strlen(a), nb = strlen(b);
    size_t row[LONGEST_WORD + 1];
    for (size_t j = 0; j <= nb; j++)
        row[j] = j;
    for (size_t i = 1; i <= na; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= nb; j++) {
            const size_t replaced = diagonal + (a[i - 1] != b[j - 1]);
            diagonal = row[j];
            row[j] = smaller(replaced, smaller(row[j], row[j - 1]) + 1);
        }
    }
    return row[nb];
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
