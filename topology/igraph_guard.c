/* igraph keeps global state (its list of pending releases, handlers, attribute table), and Debian's
 * build of it is not thread-safe: one user at a time. */
#include "topology/topology_internal.h"

#include <cblas.h>
#include <igraph.h>
#include <pthread.h>
#include <stdio.h>

static pthread_mutex_t guard = PTHREAD_MUTEX_INITIALIZER;
static int blas_threads; /* outside; under the guard */
static char reason[256]; /* of igraph's last error; under the guard */

/* In place of igraph's own handler, which prints and aborts. Releases what the failed call held. */
static void remember(const char *text, const char *file, int line, igraph_error_t code)
{
    (void)file;
    (void)line;
    (void)code;
    (void)snprintf(reason, sizeof reason, "%s", text);
    for (char *c = reason; *c != '\0'; c++)
        if (*c == '\n' || *c == '\r')
            *c = ' ';
    IGRAPH_FINALLY_FREE();
}

void pp_igraph_enter(void)
{
    (void)pthread_mutex_lock(&guard);
    reason[0] = '\0';
    /* The sums of a threaded BLAS depend on the number of threads, and igraph's eigensolvers with them. */
    blas_threads = openblas_get_num_threads();
    openblas_set_num_threads(1);
    (void)igraph_set_error_handler(remember);
    (void)igraph_set_warning_handler(igraph_warning_handler_ignore);
    (void)igraph_set_attribute_table(&igraph_cattribute_table);
}

void pp_igraph_leave(void)
{
    openblas_set_num_threads(blas_threads);
    (void)pthread_mutex_unlock(&guard);
}

const char *pp_igraph_reason(void)
{
    return reason;
}

pp_status pp_igraph_fail(pp_status status, int code, const char *what)
{
    if (code == IGRAPH_ENOMEM)
        return pp_fail(PP_ENOMEM, "%s: out of memory", what);
    return pp_fail(status, "%s: %s", what, reason[0] != '\0' ? reason : igraph_strerror((igraph_error_t)code));
}
