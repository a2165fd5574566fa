/* The key scan's hot path: bytes of a dump file -> rows -> canonical key columns -> hashes -> words in partitions.
 *
 * The design comes from measurements of the stages on two cores (docs/performance.md): 64 bytes at a time become bit
 * masks (quotes, escapes, separators, line ends); rows are gathered in batches of 512 and worked on column by column;
 * a key's 64-bit hash becomes an 8-byte word (32 bits of hash, 32 bits of row number) that is scattered through
 * 64-byte write-combining lines into one chain of blocks per partition; duplicates are found per partition by a bitmap
 * that stays in the L2 cache. Rows and values that are not in plain form are handed out ("hard rows") and come back
 * through kernel_add, so that one exact definition of equality exists, outside of this code.
 */
#ifndef SAFE_LIGHTNING_KERNEL_H
#define SAFE_LIGHTNING_KERNEL_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

/* KERNEL_PORTABLE builds without intrinsics anywhere; that is how the plain C is tested. */
#if defined(__x86_64__) && !defined(KERNEL_PORTABLE)
#define KERNEL_X86 1
#if defined(__AVX2__) && defined(__AES__)
#define KERNEL_AVX2 1
#endif
#endif

typedef uint8_t u8;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int64_t i64;

#define INLINE static inline __attribute__((always_inline))
#define NOINLINE static __attribute__((noinline))
#define EXPORT __attribute__((visibility("default")))
#define UNLIKELY(x) __builtin_expect(!!(x), 0)

enum { BATCH = 512, GRANULE = 64, LINE_WORDS = 8, SLACK = 256, COLUMNS_MOST = 64, KEYS_MOST = 64, NULLS_MOST = 8 };

/* How a key column's text becomes canonical bytes. OPAQUE: outside of this code, which remembers what it was told. */
enum Form { FORM_OPAQUE, FORM_TEXT, FORM_BYTES, FORM_INTEGER, FORM_DECIMAL, FORM_DATE, FORM_FLOAT, FORM_TIME };
/* What bytes of 0x80 and above have to be in a text column. */
enum Beyond { BEYOND_ANY, BEYOND_UTF8MB4, BEYOND_UTF8MB3, BEYOND_HARD };
enum ColumnFlag {
    TRIM_FIRST = 1,  /* CHAR: blanks at the end are not stored */
    TRIM_LAST = 2,   /* PAD SPACE: blanks at the end do not count, behind the prefix cut */
    FOLDS = 4,       /* the ASCII table is not the identity */
    UNSIGNED = 8,
    ZERO_FILLED = 16, /* BINARY(n): filled up with zero bytes */
    HAS_TIME = 32,
    IS_TIMESTAMP = 64,
    COUNTS_BYTES = 128, /* TEXT kinds: the size is one in bytes, a prefix is still one in characters */
    NULL_IS_VALUE = 256, /* NOT NULL, not strict: NULL becomes the zero value of the type, so such rows collide */
    IS_SINGLE = 512, /* FLOAT, not DOUBLE */
};

/* The structs below have their twins in binding.py. */
typedef struct {
    u32 form, flags, beyond, scale; /* scale: digits behind the point; of a date its fractional digits */
    u64 size_most;                  /* characters (TEXT), bytes (BYTES), digits before the point (DECIMAL) */
    u64 prefix;                     /* of a prefix key, in characters or bytes; else the largest number */
    const u8 *ascii;                /* 256 replacements, then 256 flags of bytes that vanish */
    const u32 *const *weights;      /* 0x1100 blocks: 257 starts, then bytes; absent blocks are hard */
    const u8 *calm_days;            /* a bit per day from 1971-01-01: no change of the zone's offset on that day */
    u8 highest[24], lowest[24];     /* an integer's limits in digits, without sign */
    u32 highest_size, lowest_size;
} Column;

typedef struct {
    u32 columns, keys, partition_bits, block_bits, huge_pages, sample_of_4096;
    u64 seed, pool_bytes, chunk_bytes, row_bytes_most;
    u64 key_columns[KEYS_MOST]; /* bit mask per key */
    u32 key_order[KEYS_MOST][16], key_parts[KEYS_MOST];
    const Column *column;
} Plan;

/* How one file is read. A field of -1 is a constant, whose hash (or NULL) stands in for every row. */
typedef struct {
    u8 separator, quote, escape, end[2];
    u8 has_quote, has_escape, ends; /* ends: 0 = every CR and LF, 1 or 2 = that many bytes */
    u8 is_sql, trims_last, is_foreign, escaped_null; /* is_foreign: bytes >= 0x80 are not UTF-8 yet */
    u32 fields, nulls;
    u8 null_text[NULLS_MOST][32];
    u32 null_size[NULLS_MOST];
    int32_t field[COLUMNS_MOST];
    u64 constant[COLUMNS_MOST];
    u64 constant_nulls;
} Dialect;

/* Why a call returned. */
enum Status { STATUS_DONE, STATUS_MORE, STATUS_STOPPED, STATUS_READ, STATUS_SPILL, STATUS_MEMORY, STATUS_ROWS };
enum Kind { KIND_VALUE, KIND_ROW, KIND_WANTED };

/* A row handed out: this head, then two numbers per column (start, size), then the row's bytes, filled up to 8. */
typedef struct {
    u64 offset, line, hard_columns;
    u32 row, size, kind, stride;
} HardRow;

typedef struct {
    u64 offset, line;
} Place;

typedef struct {
    u32 *start, *fill; /* per partition slot: first block within this spill; words in the youngest block */
    u64 offset;
} Spill;

enum { KNOWN_BYTES = 54, MEMO_ENTRIES = 1 << 13, MEMO_MOST = MEMO_ENTRIES / 4 * 3 };

typedef struct {
    u64 hash;
    u8 kind, size, text[KNOWN_BYTES];
} Known;

typedef struct {
    u32 count;
    Known known[MEMO_ENTRIES];
} Memo;

typedef struct {
    u32 *start, *end; /* per field, BATCH bounds each */
    u64 *hash;        /* per column, BATCH each */
    u64 null[BATCH], hard[BATCH];
    u32 row[BATCH], row_start[BATCH], row_end[BATCH], dirty[BATCH + 1];
    u32 count, dirty_count;
    int has_exceptions;
} Batch;

typedef struct {
    Plan plan;
    Dialect dialect;
    int last_field; /* the last field whose bounds are needed */
    /* buffer: a carried-over piece of row in front of the freshly read bytes */
    u8 *buffer;
    u64 head, room;
    u64 pace; /* how much is read at once: little at first, so that what is learnt of the first rows serves early */
    /* per 64 bytes: separators, raw line feeds, running counts of both, whether a value may need decoding */
    u64 *separators, *feeds;
    u32 *separator_count, *feed_count;
    u8 *dirty;
    u32 *events;
    u64 masks_room;
    u64 bad_at; /* first byte of the chunk that breaks the rules; ~0 if none */
    Batch batch;
    int fields_room;
    /* scatter */
    u32 partitions, slots;
    u64 *lines;
    u32 *filled;
    u64 **target;
    u32 *previous, *youngest;
    u8 *pool, *pool_mapping;
    u64 pool_mapping_bytes;
    u32 blocks, blocks_most;
    int spill_fd, spill_error;
    u64 spill_offset;
    Spill *spills;
    u32 spill_count;
    /* rows */
    u64 next_row;
    Place *places;
    u64 place_count, places_room;
    u8 *hard;
    u64 hard_bytes, hard_room;
    u8 *scratch, *scratch2;
    u64 scratch_room;
    Memo *memos[COLUMNS_MOST];
    const u32 *wanted;
    u64 wanted_count, wanted_at;
    int is_capture, is_out_of_memory;
    /* the range or stream being read */
    int fd, is_at_limit, is_behind_blanks;
    u64 position, base, limit, file_size, carried, lines_before;
} Scan;

#endif
