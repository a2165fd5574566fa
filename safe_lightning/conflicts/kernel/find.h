/* Duplicates of (partition, 32 bits of hash): a bitmap of first hits, one of second hits, a sort of the few left. */
#ifndef SAFE_LIGHTNING_FIND_H
#define SAFE_LIGHTNING_FIND_H

#include "scatter.h"

typedef struct {
    u32 slot, hash, scan, row;
} Candidate;

/* Rows that were given up (a range that began at the wrong place): [first, stop) of one scan. */
typedef struct {
    u32 scan, first, stop;
} Dropped;

typedef struct {
    u64 words, groups, rows, returned, next_slot;
} Found;

typedef struct {
    const u64 *words;
    u32 count, scan;
} Run;

/* Lives as long as the thread: memory given back and taken again costs more than the search. */
typedef struct {
    u32 *seen, *second;
    u64 *words;
    u32 *scans;
    u64 room, runs_room, spilled_room;
    Run *runs;
    u32 run_count;
    u64 *spilled, *spill_places;
    u32 group_start, group_stop;
    Candidate *left;
    u64 left_room;
    int error;
} Finder;

enum { SEEN_BYTES = 1 << 20, FILTER_BITS = 19, SLOTS_TOGETHER = 16 };

static int by_hash(const void *a, const void *b) {
    const Candidate *x = a, *y = b;
    if (x->hash != y->hash) return x->hash < y->hash ? -1 : 1;
    if (x->scan != y->scan) return x->scan < y->scan ? -1 : 1;
    return x->row < y->row ? -1 : x->row > y->row;
}

static void add_run(Finder *f, const u64 *words, u32 count, u32 scan) {
    if (!count) return;
    if (f->run_count == f->runs_room) {
        u64 room = f->runs_room ? f->runs_room * 2 : 1024;
        Run *grown = realloc(f->runs, room * sizeof(Run));
        if (!grown) {
            f->error = ENOMEM;
            return;
        }
        f->runs = grown, f->runs_room = room;
    }
    f->runs[f->run_count++] = (Run){words, count, scan};
}

static int read_all(int fd, u8 *to, u64 size, u64 offset) {
    while (size) {
        ssize_t got = pread(fd, to, size, (off_t)offset);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) return got < 0 ? errno : EIO;
        to += got, size -= (u64)got, offset += (u64)got;
    }
    return 0;
}

/* Reads what was spilled of neighbouring slots back, one read per spill. */
static void load_spilled(Finder *f, Scan **scans, u32 scan_count, u32 slot, u32 stop) {
    const u64 bytes = block_bytes(scans[0]);
    u64 blocks = 0, spills = 0;
    f->group_start = slot;
    f->group_stop = slot + SLOTS_TOGETHER < stop ? slot + SLOTS_TOGETHER : stop;
    for (u32 t = 0; t < scan_count; t++)
        for (u32 i = 0; i < scans[t]->spill_count; i++, spills++)
            blocks += scans[t]->spills[i].start[f->group_stop] - scans[t]->spills[i].start[slot];
    if (!spills) return;
    if (blocks * bytes > f->spilled_room) {
        free(f->spilled);
        f->spilled_room = (blocks * bytes * 5 / 4 + 4095) & ~4095ull;
        f->spilled = aligned_alloc(4096, f->spilled_room);
    }
    free(f->spill_places);
    f->spill_places = malloc(8 * spills);
    if ((blocks && !f->spilled) || !f->spill_places) {
        f->error = ENOMEM;
        return;
    }
    u64 at = 0, n = 0;
    for (u32 t = 0; t < scan_count && !f->error; t++)
        for (u32 i = 0; i < scans[t]->spill_count && !f->error; i++) {
            const Spill *spill = &scans[t]->spills[i];
            u64 size = (spill->start[f->group_stop] - spill->start[slot]) * bytes;
            f->spill_places[n++] = at;
            if (size) f->error = read_all(scans[t]->spill_fd, (u8 *)f->spilled + at, size, spill->offset + spill->start[slot] * bytes);
            at += size;
        }
}

/* Lists all runs of words of a slot; returns the number of words. */
static u64 collect_runs(Finder *f, Scan **scans, u32 scan_count, u32 slot) {
    const u32 full = (u32)(block_bytes(scans[0]) / 8);
    u64 n = 0, count = 0;
    f->run_count = 0;
    for (u32 t = 0; t < scan_count; t++) {
        const Scan *s = scans[t];
        for (u32 i = 0; i < s->spill_count; i++, n++) {
            const Spill *spill = &s->spills[i];
            u64 skipped = spill->start[slot] - spill->start[f->group_start];
            const u64 *words = f->spilled + f->spill_places[n] / 8 + skipped * full;
            for (u32 k = 0; k < spill->start[slot + 1] - spill->start[slot]; k++)
                add_run(f, words + (u64)k * full, k ? full : spill->fill[slot], t);
        }
        for (u32 block = s->youngest[slot], is_first = 1; block != ~0u; block = s->previous[block], is_first = 0) {
            const u64 *words = (const u64 *)(s->pool + (u64)block * block_bytes(s));
            add_run(f, words, is_first ? (u32)(s->target[slot] - words) : full, t);
        }
    }
    for (u32 i = 0; i < f->run_count; i++) count += f->runs[i].count;
    return count;
}

static int has_room(Finder *f, u64 count) {
    if (!f->seen) {
        f->seen = aligned_alloc(4096, SEEN_BYTES);
        f->second = aligned_alloc(4096, SEEN_BYTES);
    }
    if (count > f->room) {
        f->room = count * 5 / 4;
        free(f->words), free(f->scans);
        f->words = malloc(8 * f->room + 64);
        f->scans = malloc(4 * f->room + 64);
    }
    if (f->seen && f->second && f->words && f->scans) return 1;
    f->error = ENOMEM;
    f->room = 0;
    return 0;
}

/* Leaves in words[] and scans[] every word whose leading hash bits occur twice; returns how many. */
static u64 filter_by_leading_bits(Finder *f, u64 count) {
    int bits = 15;
    while ((1ull << bits) < count * 12 && bits < 23) bits++;
    const int shift = 64 - bits;
    u32 *seen = f->seen;
    u64 *words = f->words, kept = 0;
    memset(seen, 0, 1u << (bits - 3));
    for (u32 i = 0; i < f->run_count; i++)
        for (u32 k = 0; k < f->runs[i].count; k++) {
            u64 word = f->runs[i].words[k];
            u32 bit = (u32)(word >> shift), was = seen[bit >> 5];
            words[kept] = word;
            kept += was >> (bit & 31) & 1;
            seen[bit >> 5] = was | 1u << (bit & 31);
        }
    if (!kept) return 0;
    memset(seen, 0, 1u << (bits - 3));
    for (u64 i = 0; i < kept; i++) seen[words[i] >> shift >> 5] |= 1u << (words[i] >> shift & 31);
    kept = 0;
    for (u32 i = 0; i < f->run_count; i++)
        for (u32 k = 0; k < f->runs[i].count; k++) {
            u64 word = f->runs[i].words[k];
            u32 bit = (u32)(word >> shift);
            words[kept] = word;
            f->scans[kept] = f->runs[i].scan;
            kept += seen[bit >> 5] >> (bit & 31) & 1;
        }
    return kept;
}

INLINE u32 other_bits(u64 word) { return (u32)(word >> 32) * 0x9E3779B1u >> (32 - FILTER_BITS); }

static int is_dropped(const Dropped *dropped, u32 count, u32 scan, u32 row) {
    for (u32 i = 0; i < count; i++)
        if (dropped[i].scan == scan && row >= dropped[i].first && row < dropped[i].stop) return 1;
    return 0;
}

static int add_left(Finder *f, u64 at, Candidate candidate) {
    if (at == f->left_room) {
        u64 room = f->left_room ? f->left_room * 2 : 4096;
        Candidate *grown = realloc(f->left, room * sizeof(Candidate));
        if (!grown) {
            f->error = ENOMEM;
            return 0;
        }
        f->left = grown, f->left_room = room;
    }
    f->left[at] = candidate;
    return 1;
}

/* Narrows what is left by other bits of the hash, and sorts it; returns how many. */
static u64 filter_by_other_bits(Finder *f, u64 count, u32 slot, const Dropped *dropped, u32 dropped_count) {
    u64 left = 0;
    memset(f->seen, 0, 1u << (FILTER_BITS - 3));
    memset(f->second, 0, 1u << (FILTER_BITS - 3));
    for (u64 i = 0; i < count; i++) {
        u32 bit = other_bits(f->words[i]), one = 1u << (bit & 31);
        f->second[bit >> 5] |= f->seen[bit >> 5] & one;
        f->seen[bit >> 5] |= one;
    }
    for (u64 i = 0; i < count; i++) {
        u32 bit = other_bits(f->words[i]), row = (u32)f->words[i];
        if (!(f->second[bit >> 5] >> (bit & 31) & 1)) continue;
        if (dropped_count && is_dropped(dropped, dropped_count, f->scans[i], row)) continue;
        if (!add_left(f, left, (Candidate){slot, (u32)(f->words[i] >> 32), f->scans[i], row})) return 0;
        left++;
    }
    if (left > 1) qsort(f->left, left, sizeof(Candidate), by_hash);
    return left;
}

enum { GROUP_SAMPLE = 128 };

/* Counts the groups of equal hashes, and returns them while there is room; of one without room a few rows. */
static void report_groups(Finder *f, u64 left, Candidate *out, u64 room, Found *found) {
    for (u64 i = 0, stop; i < left; i = stop) {
        for (stop = i + 1; stop < left && f->left[stop].hash == f->left[i].hash;) stop++;
        if (stop - i < 2) continue;
        found->groups++;
        found->rows += stop - i;
        u64 left_room = room - found->returned, taken = stop - i;
        if (taken > left_room) taken = left_room < GROUP_SAMPLE ? left_room : GROUP_SAMPLE;
        if (taken < 2) continue;
        memcpy(out + found->returned, f->left + i, taken * sizeof(Candidate));
        found->returned += taken;
    }
}

#endif
