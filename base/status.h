/* Status codes and the text of the last error.
 *
 * Every function that can fail returns a pp_status. PP_OK is 0. A failing function writes one line
 * of text (no newline, no full stop) for the person who gave the input: what, where, what was
 * expected. The text is kept per thread; callers pass the code up and do not overwrite the text.
 * Programming errors are asserted, not reported. Library code never exits. */
#ifndef PP_BASE_STATUS_H
#define PP_BASE_STATUS_H

#ifdef __cplusplus
extern "C" {
#endif

#define PP_STATUS_LIST(X)                                                                                              \
    X(PP_OK, "done")                                                                                                   \
    X(PP_ENOMEM, "out of memory")                                                                                      \
    X(PP_EINVAL, "invalid argument")                                                                                   \
    X(PP_EIO, "input or output failed")                                                                                \
    X(PP_EFORMAT, "malformed input")                                                                                   \
    X(PP_ERANGE, "value out of range")                                                                                 \
    X(PP_ENOTFOUND, "not found")                                                                                       \
    X(PP_EEXIST, "exists already")                                                                                     \
    X(PP_EUNSUPPORTED, "not supported")                                                                                \
    X(PP_EINFEASIBLE, "does not fit")                                                                                  \
    X(PP_EDEADLOCK, "the simulated pipeline is deadlocked")                                                            \
    X(PP_EUSAGE, "wrong usage")                                                                                        \
    X(PP_EINTERNAL, "internal error")

typedef enum pp_status {
#define PP_STATUS_ENUM(code, text) code,
    PP_STATUS_LIST(PP_STATUS_ENUM)
#undef PP_STATUS_ENUM
        PP_STATUS_COUNT
} pp_status;

/* Generic text of a code, e.g. "out of memory". Never NULL. */
const char *pp_status_text(pp_status status);

/* Records the text of an error and returns `status` (so: `return pp_fail(PP_EFORMAT, ...)`). */
pp_status pp_fail(pp_status status, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The same with a place in front: "FILE:LINE: text"; line 0 leaves the line out. */
pp_status pp_fail_at(pp_status status, const char *file, unsigned line, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* Puts "PREFIX: " in front of the current text (adds a place that the callee did not know). */
pp_status pp_fail_in(pp_status status, const char *prefix);

/* Text of the last error of this thread; "" when there was none. Valid until the next error. */
const char *pp_error_text(void);
void pp_error_clear(void);

/* Returns from the caller when `expr` fails. For functions that own nothing at that point. */
#define PP_TRY(expr)                                                                                                   \
    do {                                                                                                               \
        pp_status pp_try_status_ = (expr);                                                                             \
        if (pp_try_status_ != PP_OK)                                                                                   \
            return pp_try_status_;                                                                                     \
    } while (0)

/* `status = expr`, and to `label` when it fails: the one-exit form. */
#define PP_GOTO(label, status, expr)                                                                                   \
    do {                                                                                                               \
        (status) = (expr);                                                                                             \
        if ((status) != PP_OK)                                                                                         \
            goto label;                                                                                                \
    } while (0)

#ifdef __cplusplus
}
#endif
#endif
