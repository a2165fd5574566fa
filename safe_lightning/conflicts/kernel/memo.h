/* What texts of a column mean that are not plain, as far as it was learnt from outside: of the few values of an ENUM,
 * SET, YEAR or BIT, or of many zero dates, each is asked for once. */
#ifndef SAFE_LIGHTNING_MEMO_H
#define SAFE_LIGHTNING_MEMO_H

#include "hashing.h"

/* Integers of SQL are cast in another way than texts of the same digits. */
enum KnownKind { KNOWN_NOTHING, KNOWN_TEXT, KNOWN_INTEGER };
INLINE Known *find_known(Memo *memo, u32 kind, const u8 *text, u64 size, u64 seed) {
    u64 at = hash_bytes(text, (i64)size, seed) >> 16;
    for (;; at++) {
        Known *known = &memo->known[at & (MEMO_ENTRIES - 1)];
        if (known->kind == KNOWN_NOTHING) return known;
        if (known->kind == kind && known->size == size && !memcmp(known->text, text, size)) return known;
    }
}

/* The hash of what a text means, if that was learnt. */
INLINE int recall(const Scan *s, int column, u32 kind, const u8 *text, i64 size, u64 *hash) {
    Memo *memo = s->memos[column];
    if (!memo || kind == KNOWN_NOTHING || size > KNOWN_BYTES) return 0;
    const Known *known = find_known(memo, kind, text, (u64)size, s->plan.seed);
    *hash = known->hash;
    return known->kind != KNOWN_NOTHING;
}

/* Learns what a text means; 31 bytes behind it may be read. Returns whether there was room. */
EXPORT int kernel_learn(Scan *s, u32 column, u32 kind, const u8 *text, u64 size, u64 hash) {
    if (size > KNOWN_BYTES) return 0;
    if (!s->memos[column] && !(s->memos[column] = calloc(1, sizeof(Memo)))) return 0;
    Memo *memo = s->memos[column];
    if (memo->count == MEMO_MOST) return 0;
    Known *known = find_known(memo, kind, text, size, s->plan.seed);
    memo->count += known->kind == KNOWN_NOTHING;
    known->hash = hash, known->kind = (u8)kind, known->size = (u8)size;
    memcpy(known->text, text, size);
    return 1;
}

#endif
