/* 64-bit hashes of canonical bytes under a seed that is random per run. Two builds may differ, two calls may not. */
#ifndef SAFE_LIGHTNING_HASHING_H
#define SAFE_LIGHTNING_HASHING_H

#include "masks.h"

#define ODD_1 0x9E3779B97F4A7C15ull
#define ODD_2 0xD6E8FEB86659FD93ull

INLINE u64 load_8(const u8 *p) {
    u64 x;
    memcpy(&x, p, 8);
    return x;
}

#if defined(KERNEL_AVX2)
static const u8 FIRST_BYTES[64] __attribute__((aligned(64))) = {
    255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
    255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255};

INLINE __m256i load_first(const u8 *p, i64 size) {
    __m256i mask = _mm256_loadu_si256((const __m256i *)(FIRST_BYTES + 32 - size));
    return _mm256_and_si256(_mm256_loadu_si256((const __m256i *)p), mask);
}

INLINE __m128i hash_key(u64 seed) { return _mm_set_epi64x((i64)(seed * ODD_2 + 1), (i64)seed); }

/* At most 32 bytes, the rest of the register being zero. */
INLINE u64 hash_register(__m256i x, i64 size, __m128i key) {
    __m128i h = _mm_xor_si128(_mm256_castsi256_si128(x), key);
    h = _mm_aesenc_si128(h, _mm_cvtsi64_si128((i64)(size * ODD_1)));
    h = _mm_aesenc_si128(h, _mm256_extracti128_si256(x, 1));
    h = _mm_aesenc_si128(h, key);
    h = _mm_aesenc_si128(h, _mm_set_epi64x((i64)ODD_1, (i64)ODD_2));
    return (u64)_mm_cvtsi128_si64(h);
}

/* Bytes of any size; up to 31 bytes behind them may be read. */
NOINLINE u64 hash_long(const u8 *p, i64 size, u64 seed) {
    __m128i key = hash_key(seed), h = key;
    for (i64 i = 0; i < size; i += 32) {
        __m256i x = load_first(p + i, size - i < 32 ? size - i : 32);
        h = _mm_aesenc_si128(_mm_xor_si128(h, _mm256_castsi256_si128(x)), key);
        h = _mm_aesenc_si128(_mm_xor_si128(h, _mm256_extracti128_si256(x, 1)), _mm_cvtsi64_si128((i64)(size * ODD_1)));
    }
    h = _mm_aesenc_si128(h, key);
    return (u64)_mm_cvtsi128_si64(_mm_aesenc_si128(h, _mm_set_epi64x((i64)ODD_2, (i64)ODD_1)));
}

INLINE u64 hash_bytes(const u8 *p, i64 size, u64 seed) {
    return UNLIKELY(size > 32) ? hash_long(p, size, seed) : hash_register(load_first(p, size), size, hash_key(seed));
}
#else
INLINE u64 multiply_fold(u64 a, u64 b) {
    __uint128_t product = (__uint128_t)a * b;
    return (u64)product ^ (u64)(product >> 64);
}

INLINE u64 load_first_8(const u8 *p, i64 size) {
    u64 x = 0;
    if (size >= 8) return load_8(p);
    if (size > 0) memcpy(&x, p, (size_t)size);
    return x;
}

INLINE u64 hash_bytes(const u8 *p, i64 size, u64 seed) {
    u64 h = seed ^ (u64)size * ODD_1;
    for (; size > 16; p += 16, size -= 16) h = multiply_fold(load_8(p) ^ h, load_8(p + 8) ^ ODD_2);
    h = multiply_fold(load_first_8(p, size) ^ h ^ ODD_1, load_first_8(p + 8, size - 8) ^ ODD_2 ^ h >> 32);
    return multiply_fold(h ^ ODD_2, ODD_1) ^ h >> 29;
}
#endif

/* The next part of a composite key; a key of one part is that part's hash. */
INLINE u64 hash_step(u64 h, u64 part) { return (h ^ h >> 31) * ODD_1 + part; }
INLINE u64 hash_finish(u64 h) {
    h = (h ^ h >> 29) * ODD_2;
    return h ^ h >> 32;
}

#endif
