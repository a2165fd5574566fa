/* Words into partitions: 64-byte lines that are written out when full, chains of blocks, spilling when memory is full. */
#ifndef SAFE_LIGHTNING_SCATTER_H
#define SAFE_LIGHTNING_SCATTER_H

#include "hashing.h"

/* A word: 32 bits of the hash that the partition does not already tell, and the row. */
INLINE u64 word_of(u64 hash, u32 row) { return (hash << 24 & 0xffffffff00000000ull) | row; }

INLINE u64 block_bytes(const Scan *s) { return 1ull << s->plan.block_bits; }

INLINE u64 *take_block(Scan *s, u32 slot) {
    if (s->blocks == s->blocks_most) return 0;
    u32 block = s->blocks++;
    s->previous[block] = s->youngest[slot];
    s->youngest[slot] = block;
    return (u64 *)(s->pool + (u64)block * block_bytes(s));
}

INLINE void fence(void) {
#if defined(KERNEL_X86)
    _mm_sfence();
#endif
}

/* Some file systems take O_DIRECT when a file is opened and refuse it afterwards. */
static int drops_direct(int fd) {
#if defined(O_DIRECT)
    int flags = fcntl(fd, F_GETFL);
    return flags >= 0 && flags & O_DIRECT && !fcntl(fd, F_SETFL, flags & ~O_DIRECT);
#else
    (void)fd;
    return 0;
#endif
}

static int write_all(int fd, struct iovec *pieces, u32 count, u64 offset) {
    for (u32 done = 0; done < count;) {
        u32 batch = count - done > 1024 ? 1024 : count - done;
        ssize_t written = pwritev(fd, pieces + done, (int)batch, (off_t)offset);
        if (written <= 0) {
            if (written < 0 && errno == EINTR) continue;
            if (written < 0 && errno == EINVAL && drops_direct(fd)) continue;
            return written < 0 ? errno : ENOSPC;
        }
        offset += (u64)written;
        for (; done < count && (u64)written >= pieces[done].iov_len; done++) written -= (ssize_t)pieces[done].iov_len;
        if (written) { /* a piece broken in two */
            pieces[done].iov_base = (u8 *)pieces[done].iov_base + written;
            pieces[done].iov_len -= (size_t)written;
        }
    }
    return 0;
}

static void empty_pool(Scan *s) {
    s->blocks = 0;
    memset(s->youngest, 0xff, 4ull * s->slots);
    for (u32 slot = 0; slot < s->slots; slot++) s->target[slot] = take_block(s, slot);
}

/* Writes all blocks to the spill file, a slot's together, and starts over with an empty pool. */
NOINLINE void spill(Scan *s) {
    const u64 bytes = block_bytes(s);
    fence();
    Spill *grown = realloc(s->spills, sizeof(Spill) * (s->spill_count + 1));
    struct iovec *pieces = malloc(sizeof(struct iovec) * (s->blocks + 1));
    u32 *start = malloc(4ull * (s->slots + 1)), *fill = malloc(4ull * s->slots), count = 0;
    if (grown) s->spills = grown;
    if (!grown || !pieces || !start || !fill) {
        s->is_out_of_memory = 1;
        free(pieces), free(start), free(fill);
        empty_pool(s);
        return;
    }
    for (u32 slot = 0; slot < s->slots; slot++) {
        const u8 *newest = s->pool + (u64)s->youngest[slot] * bytes;
        start[slot] = count;
        fill[slot] = s->target[slot] ? (u32)((const u8 *)s->target[slot] - newest) / 8 : (u32)(bytes / 8);
        for (u32 block = s->youngest[slot]; block != ~0u; block = s->previous[block])
            pieces[count++] = (struct iovec){s->pool + (u64)block * bytes, bytes};
    }
    start[s->slots] = count;
    s->spills[s->spill_count++] = (Spill){start, fill, s->spill_offset};
    if (!s->spill_error) s->spill_error = s->spill_fd < 0 ? ENOSPC : write_all(s->spill_fd, pieces, count, s->spill_offset);
    s->spill_offset += (u64)count * bytes;
    free(pieces);
    empty_pool(s);
}

NOINLINE void next_block(Scan *s, u32 slot) {
    s->target[slot] = take_block(s, slot);
    if (!s->target[slot]) spill(s);
}

/* Lines are written past the caches: nobody reads them before the scan is over. */
INLINE void write_line(u64 *target, const u64 *line) {
#if defined(KERNEL_AVX2)
    _mm256_stream_si256((__m256i *)target, _mm256_load_si256((const __m256i *)line));
    _mm256_stream_si256((__m256i *)(target + 4), _mm256_load_si256((const __m256i *)(line + 4)));
#elif defined(KERNEL_X86)
    for (int i = 0; i < 8; i += 2)
        _mm_stream_si128((__m128i *)(target + i), _mm_load_si128((const __m128i *)(line + i)));
#else
    memcpy(target, line, 64);
#endif
}

INLINE int is_sampled(const Scan *s, u64 hash) { return (hash >> 40 & 4095) < s->plan.sample_of_4096; }

INLINE void put_word(Scan *s, u32 slot, u64 word, const u64 block_mask) {
    u32 filled = s->filled[slot];
    u64 *line = s->lines + (u64)slot * LINE_WORDS;
    line[filled] = word;
    s->filled[slot] = (filled + 1) & (LINE_WORDS - 1);
    if (filled == LINE_WORDS - 1) {
        u64 *target = s->target[slot];
        write_line(target, line);
        s->target[slot] = target + LINE_WORDS;
        if (UNLIKELY(!((uintptr_t)(target + LINE_WORDS) & block_mask))) next_block(s, slot);
    }
}

/* One key of a batch. The pointers are copied: every byte written might alias them otherwise. */
INLINE void scatter_key(Scan *s, u32 key, const int has_exceptions) {
    Batch *batch = &s->batch;
    const u32 parts = s->plan.key_parts[key], count = batch->count, *order = s->plan.key_order[key];
    const u64 *hash = batch->hash + (u64)order[0] * BATCH, mask = s->plan.key_columns[key];
    const u32 base = key * s->partitions, shift = 64 - s->plan.partition_bits;
    const u64 block_mask = block_bytes(s) - 1;
    const int samples = s->plan.sample_of_4096 < 4096;
    u64 joined[BATCH];
    if (parts > 1) {
        for (u32 r = 0; r < count; r++) {
            u64 h = hash[r];
            for (u32 i = 1; i < parts; i++) h = hash_step(h, batch->hash[(u64)order[i] * BATCH + r]);
            joined[r] = hash_finish(h);
        }
        hash = joined;
    }
    u64 *const lines = s->lines, **const target = s->target;
    u32 *const filled = s->filled;
    for (u32 r = 0; r < count; r++) {
        if (has_exceptions && UNLIKELY((batch->null[r] | batch->hard[r]) & mask)) continue;
        u64 h = hash[r];
        if (UNLIKELY(samples) && !is_sampled(s, h)) continue;
        u32 slot = base + (u32)(h >> shift), at = filled[slot];
        u64 *line = lines + (u64)slot * LINE_WORDS;
        line[at] = word_of(h, batch->row[r]);
        filled[slot] = (at + 1) & (LINE_WORDS - 1);
        if (at == LINE_WORDS - 1) {
            u64 *to = target[slot];
            write_line(to, line);
            target[slot] = to + LINE_WORDS;
            if (UNLIKELY(!((uintptr_t)(to + LINE_WORDS) & block_mask))) next_block(s, slot);
        }
    }
}

NOINLINE void scatter_keys(Scan *s) {
    for (u32 key = 0; key < s->plan.keys; key++) {
        if (s->batch.has_exceptions) scatter_key(s, key, 1);
        else scatter_key(s, key, 0);
    }
}

/* Moves the started lines to their blocks; afterwards the chains are complete. */
static void complete_lines(Scan *s) {
    fence();
    for (u32 slot = 0; slot < s->slots; slot++) {
        u32 filled = s->filled[slot];
        if (!filled) continue;
        memcpy(s->target[slot], s->lines + (u64)slot * LINE_WORDS, 8ull * filled);
        s->target[slot] += filled;
        s->filled[slot] = 0;
    }
}

#endif
