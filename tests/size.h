/* Sizes of tests that compute much: whole without sanitizers, small with them, where every access is checked and the
 * same code is passed at a fraction of the values. */
#ifndef PP_TESTS_SIZE_H
#define PP_TESTS_SIZE_H

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { PP_SMALL_TESTS = 1 };
#else
enum { PP_SMALL_TESTS = 0 };
#endif

#endif
