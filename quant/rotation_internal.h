/* Shared by the files of rotations. */
#ifndef PP_QUANT_ROTATION_INTERNAL_H
#define PP_QUANT_ROTATION_INTERNAL_H

#include "quant/rotation.h"

/* Prime power q = p^k -> true with p and k. */
bool pp_prime_power_(uint32_t q, uint32_t *p, uint32_t *k);
/* The quadratic character of GF(q), q = p^k odd: chi[i * q + j] = chi(a_i - a_j) in {-1, 0, 1} for the
 * elements a in a fixed order. New array [q][q]. */
pp_status pp_field_character_(int8_t **chi, uint32_t p, uint32_t k);

/* Square matrices of +-1 of order n; NULL in *out when the construction does not cover n. */
pp_status pp_paley_(int8_t **out, uint32_t n, char how[64]);
pp_status pp_goethals_(int8_t **out, uint32_t n, char how[64]);
pp_status pp_twin_primes_(int8_t **out, uint32_t n, char how[64]);
pp_status pp_williamson_(int8_t **out, uint32_t n, char how[64]);

/* The transform of `rows` rows by AVX2, the same bits as the plain one; chunk >= 8, by AVX-512: chunk >= 16. */
void pp_hadamard_rows_avx2_(const pp_hadamard *h, float *x, size_t rows, bool transposed);
void pp_hadamard_rows_avx512_(const pp_hadamard *h, float *x, size_t rows, bool transposed);

#endif
