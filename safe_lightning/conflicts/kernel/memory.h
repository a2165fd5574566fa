/* Making and freeing a scan: buffers with their masks, the pool of word blocks. */
#ifndef SAFE_LIGHTNING_MEMORY_H
#define SAFE_LIGHTNING_MEMORY_H

#include "columns.h"
#include "scatter.h"

static void *zeroed(u64 bytes) { return calloc(1, bytes ? bytes : 1); }

static void free_spills(Scan *s) {
    for (u32 i = 0; i < s->spill_count; i++) free(s->spills[i].start), free(s->spills[i].fill);
    free(s->spills);
}

EXPORT void kernel_free(Scan *s) {
    if (!s) return;
    if (s->pool_mapping) munmap(s->pool_mapping, s->pool_mapping_bytes);
    free_spills(s);
    free(s->buffer), free(s->separators), free(s->feeds), free(s->separator_count), free(s->feed_count);
    free(s->dirty), free(s->events), free(s->batch.start), free(s->batch.end), free(s->batch.hash);
    free(s->lines), free(s->filled), free(s->target), free(s->previous), free(s->youngest);
    free(s->places), free(s->hard), free(s->scratch), free(s->scratch2);
    for (u32 column = 0; column < COLUMNS_MOST; column++) free(s->memos[column]);
    free(s);
}

/* Room for a buffer of head + room bytes and its masks. */
static int has_buffer(Scan *s, u64 head, u64 room) {
    u64 blocks = (head + room + SLACK) / 64 + 8;
    u8 *buffer = aligned_alloc(4096, (head + room + 2 * SLACK + 4095) & ~4095ull);
    if (!buffer) return 0;
    if (s->buffer) memcpy(buffer + head - s->carried, s->buffer + s->head - s->carried, s->carried);
    free(s->buffer), free(s->separators), free(s->feeds), free(s->separator_count), free(s->feed_count);
    free(s->dirty), free(s->events);
    s->buffer = buffer, s->head = head, s->room = room;
    s->separators = malloc(8 * blocks), s->feeds = malloc(8 * blocks), s->dirty = malloc(blocks);
    s->separator_count = malloc(4 * blocks), s->feed_count = malloc(4 * blocks);
    s->events = malloc(4 * (64 * blocks + 64));
    return s->separators && s->feeds && s->dirty && s->separator_count && s->feed_count && s->events;
}

static int has_pool(Scan *s) {
    const u64 huge = 2 << 20;
    u64 bytes;
    s->blocks_most = (u32)(s->plan.pool_bytes >> s->plan.block_bits);
    if (s->blocks_most < 2 * s->slots + 64) s->blocks_most = 2 * s->slots + 64;
    bytes = (u64)s->blocks_most << s->plan.block_bits;
    s->pool_mapping_bytes = bytes + huge;
    s->pool_mapping = mmap(0, s->pool_mapping_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (s->pool_mapping == MAP_FAILED) {
        s->pool_mapping = 0;
        return 0;
    }
    s->pool = (u8 *)(((uintptr_t)s->pool_mapping + huge - 1) & ~(uintptr_t)(huge - 1));
#if defined(MADV_HUGEPAGE)
    if (s->plan.huge_pages) madvise(s->pool, bytes, MADV_HUGEPAGE);
#endif
    s->previous = malloc(4ull * s->blocks_most);
    return s->previous != 0;
}

enum { FIRST_PACE = 1 << 13 };

/* A scan of one thread over one table; 0 if there is no memory. The spill file stays the caller's. */
EXPORT Scan *kernel_new(const Plan *plan, int spill_fd) {
    Scan *s = zeroed(sizeof(Scan));
    if (!s) return 0;
    s->plan = *plan;
    s->spill_fd = spill_fd;
    s->partitions = 1u << plan->partition_bits;
    s->slots = s->partitions * plan->keys;
    s->fields_room = -1;
    s->pace = FIRST_PACE;
    s->lines = aligned_alloc(64, 64ull * (s->slots + 1));
    s->filled = zeroed(4ull * s->slots);
    s->target = malloc(8ull * s->slots + 8);
    s->youngest = malloc(4ull * s->slots + 4);
    s->places_room = 1 << 12;
    s->places = malloc(sizeof(Place) * s->places_room);
    s->batch.hash = malloc(8ull * BATCH * (plan->columns + 1));
    int is_good = s->lines && s->filled && s->target && s->youngest && s->places && s->batch.hash;
    if (!is_good || !has_scratch(s, 1024) || !has_buffer(s, 1 << 16, plan->chunk_bytes) || !has_pool(s)) {
        kernel_free(s);
        return 0;
    }
    empty_pool(s);
    return s;
}

#endif
