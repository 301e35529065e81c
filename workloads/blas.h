/* OpenBLAS made ready. */
#ifndef PP_WORKLOADS_BLAS_H
#define PP_WORKLOADS_BLAS_H

/* To be called before the first product, by whoever multiplies (pp_lm_exec_new does); again costs nothing.
 * One BLAS thread in each calling thread, so that results do not depend on threads. And the right kernels:
 * a library that is older than the processor takes it for a very old one and runs at a fifth of its speed
 * (OpenBLAS 0.3.21 on Intel family 6 model 207: SSE3); it is then told the newest kind that both know.
 * OPENBLAS_CORETYPE in the environment has the last word. Returns the name of the kernels in use. */
const char *pp_blas_prepare(void);

#endif
