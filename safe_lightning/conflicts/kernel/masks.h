/* 64 bytes as bit masks: AVX2, SSE2 or plain C, chosen when compiled. */
#ifndef SAFE_LIGHTNING_MASKS_H
#define SAFE_LIGHTNING_MASKS_H

#include "kernel.h"

#if defined(KERNEL_X86)
#include <immintrin.h>
#endif

#if defined(KERNEL_AVX2)
typedef struct {
    __m256i low, high;
} Block;

INLINE Block load_block(const u8 *p) {
    Block block = {_mm256_loadu_si256((const __m256i *)p), _mm256_loadu_si256((const __m256i *)(p + 32))};
    return block;
}

INLINE u64 join_masks(__m256i low, __m256i high) {
    return (u32)_mm256_movemask_epi8(low) | ((u64)(u32)_mm256_movemask_epi8(high) << 32);
}

INLINE u64 equal(Block block, u8 byte) {
    __m256i all = _mm256_set1_epi8((char)byte);
    return join_masks(_mm256_cmpeq_epi8(block.low, all), _mm256_cmpeq_epi8(block.high, all));
}

/* Bytes of 0x20 and below, which is what separates tokens of SQL, and more. */
INLINE u64 blank(Block block) {
    __m256i most = _mm256_set1_epi8(0x20);
    return join_masks(_mm256_cmpeq_epi8(_mm256_min_epu8(block.low, most), block.low),
                      _mm256_cmpeq_epi8(_mm256_min_epu8(block.high, most), block.high));
}
#elif defined(KERNEL_X86)
typedef struct {
    __m128i part[4];
} Block;

INLINE Block load_block(const u8 *p) {
    Block block;
    for (int i = 0; i < 4; i++) block.part[i] = _mm_loadu_si128((const __m128i *)(p + 16 * i));
    return block;
}

INLINE u64 equal(Block block, u8 byte) {
    __m128i all = _mm_set1_epi8((char)byte);
    u64 mask = 0;
    for (int i = 0; i < 4; i++)
        mask |= (u64)(u32)_mm_movemask_epi8(_mm_cmpeq_epi8(block.part[i], all)) << (16 * i);
    return mask;
}

INLINE u64 blank(Block block) {
    __m128i most = _mm_set1_epi8(0x20);
    u64 mask = 0;
    for (int i = 0; i < 4; i++) {
        __m128i is_low = _mm_cmpeq_epi8(_mm_min_epu8(block.part[i], most), block.part[i]);
        mask |= (u64)(u32)_mm_movemask_epi8(is_low) << (16 * i);
    }
    return mask;
}
#else
typedef struct {
    u64 part[8];
} Block;

INLINE u64 load_little(const u8 *p) {
    u64 x;
    memcpy(&x, p, 8);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    x = __builtin_bswap64(x);
#endif
    return x;
}

INLINE Block load_block(const u8 *p) {
    Block block;
    for (int i = 0; i < 8; i++) block.part[i] = load_little(p + 8 * i);
    return block;
}

/* The high bits of eight bytes, as eight bits. */
INLINE u64 gather_high_bits(u64 x) { return ((x & 0x8080808080808080ull) >> 7) * 0x0102040810204080ull >> 56; }

INLINE u64 equal(Block block, u8 byte) {
    u64 mask = 0;
    for (int i = 0; i < 8; i++) {
        u64 x = block.part[i] ^ (0x0101010101010101ull * byte);
        u64 zero = ~(((x & 0x7f7f7f7f7f7f7f7full) + 0x7f7f7f7f7f7f7f7full) | x);
        mask |= gather_high_bits(zero) << (8 * i);
    }
    return mask;
}

INLINE u64 blank(Block block) {
    u64 mask = 0;
    for (int i = 0; i < 8; i++) {
        u64 x = block.part[i];
        u64 low = ~(((x & 0x7f7f7f7f7f7f7f7full) + 0x5f5f5f5f5f5f5f5full) | x);
        mask |= gather_high_bits(low) << (8 * i);
    }
    return mask;
}
#endif

/* Each bit becomes the parity of the bits up to it. */
INLINE u64 prefix_parity(u64 x) {
#if defined(KERNEL_X86) && defined(__PCLMUL__)
    return (u64)_mm_cvtsi128_si64(_mm_clmulepi64_si128(_mm_cvtsi64_si128((i64)x), _mm_set1_epi8(-1), 0));
#else
    x ^= x << 1;
    x ^= x << 2;
    x ^= x << 4;
    x ^= x << 8;
    x ^= x << 16;
    return x ^ x << 32;
#endif
}

/* Bytes that an escape in front of them takes away; a run of escapes pairs up. Carry: the next block's first byte. */
INLINE u64 escaped(u64 escapes, u64 *carry) {
    const u64 even = 0x5555555555555555ull;
    if (!escapes) {
        u64 first = *carry;
        *carry = 0;
        return first;
    }
    escapes &= ~*carry;
    u64 follows = escapes << 1 | *carry, odd_starts = escapes & ~even & ~follows, inverted;
    *carry = __builtin_add_overflow(odd_starts, escapes, &inverted);
    return (even ^ (inverted << 1)) & follows;
}

INLINE u32 first_bit(u64 x) { return x ? (u32)__builtin_ctzll(x) : 64; }
INLINE u32 bits_in(u64 x) { return (u32)__builtin_popcountll(x); }

#endif
