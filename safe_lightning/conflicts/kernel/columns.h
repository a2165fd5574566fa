/* One key column of a batch: bounds -> canonical bytes -> hash, one tight loop per form. */
#ifndef SAFE_LIGHTNING_COLUMNS_H
#define SAFE_LIGHTNING_COLUMNS_H

#include "canonical.h"
#include "memo.h"

static const u8 UNESCAPED[256] = {['0'] = 0, ['b'] = 8, ['n'] = 10, ['r'] = 13, ['t'] = 9, ['Z'] = 26};

INLINE u8 unescape(u8 c) { return UNESCAPED[c] || c == '0' ? UNESCAPED[c] : c; }

/* Makes the scratch buffers big enough for a text and what becomes of it. */
INLINE int has_scratch(Scan *s, i64 size) {
    u64 wanted = 2 * (u64)size + 1024;
    if (wanted <= s->scratch_room) return 1;
    free(s->scratch), free(s->scratch2);
    s->scratch = malloc(wanted + SLACK), s->scratch2 = malloc(wanted + SLACK);
    s->scratch_room = s->scratch && s->scratch2 ? wanted : 0;
    s->is_out_of_memory |= !s->scratch_room;
    return s->scratch_room != 0;
}

INLINE int is_null_text(const Dialect *d, const u8 *p, i64 size) {
    for (u32 i = 0; i < d->nulls; i++)
        if (size == (i64)d->null_size[i] && !memcmp(p, d->null_text[i], (size_t)size)) return 1;
    return 0;
}

INLINE int is_sql_null(const u8 *p, i64 size) {
    return size == 4 && (p[0] | 32) == 'n' && (p[1] | 32) == 'u' && (p[2] | 32) == 'l' && (p[3] | 32) == 'l';
}

/* Undoes doubled quotes and escapes; `p` stands behind the opening quote if there is one. */
INLINE i64 decode(const Dialect *d, const u8 *p, i64 size, int is_quoted, u8 *out) {
    i64 made = 0;
    for (i64 i = 0; i < size; i++) {
        u8 c = p[i];
        if (d->has_escape && c == d->escape && i + 1 < size) c = unescape(p[++i]);
        else if (is_quoted && c == d->quote && i + 1 < size && p[i + 1] == d->quote) i++;
        out[made++] = c;
    }
    return made;
}

/* A hexadecimal literal, 0x4142 or x'4142', whose bytes are taken as they are; -1 for anything else. */
static i64 read_hexadecimal(const u8 *p, i64 size, u8 *out) {
    static const u8 zero = '0';
    if (size < 3 || (p[1] == '\'' ? (*p | 32) != 'x' || p[size - 1] != '\'' : *p != '0' || p[1] != 'x')) return -1;
    size -= 2 + (p[1] == '\'');
    p += 2;
    int is_odd = (int)(size & 1);
    if (is_odd && p[-1] == '\'') return -1;
    for (i64 i = -is_odd; i < size; i++) {
        u8 digit = i < 0 ? zero : p[i], low = digit | 32;
        u8 value = (u8)(digit - '0') <= 9 ? (u8)(digit - '0') : (u8)(low - 'a') <= 5 ? (u8)(low - 'a' + 10) : 255;
        if (value == 255) return -1;
        i64 place = (i + is_odd) >> 1;
        out[place] = (i + is_odd) & 1 ? out[place] | value : (u8)(value << 4);
    }
    return (size + is_odd) >> 1;
}

/* What an unquoted token of SQL is: an integer in its shortest form, a number with a point (which counts as a text). */
static u32 number_kind(const u8 *p, i64 size) {
    i64 minus = size > 0 && *p == '-', at = minus;
    while (at < size && (u8)(p[at] - '0') <= 9) at++;
    if (at == minus) return KNOWN_NOTHING;
    if (at == size) return size - minus < 19 && (p[minus] != '0' || size == 1) ? KNOWN_INTEGER : KNOWN_NOTHING;
    return p[at] == '.' && size - at > 1 && is_digits(p + at + 1, size - at - 1) ? KNOWN_TEXT : KNOWN_NOTHING;
}

enum Found { FOUND_VALUE, FOUND_HASH, FOUND_NULL, FOUND_HARD };

INLINE int find_learnt(const Scan *s, int column, u32 kind, const u8 *p, i64 size, u64 *hash) {
    return recall(s, column, kind, p, size, hash) ? FOUND_HASH : FOUND_HARD;
}

/* The exact way for one field: NULL texts, decoding, canonical form or what was learnt. */
NOINLINE int read_value(Scan *s, int column, const u8 *p, i64 size, Bytes *value, u64 *hash) {
    const Dialect *d = &s->dialect;
    const Column *c = &s->plan.column[column];
    u32 kind = KNOWN_TEXT;
    while (d->is_sql && size > 0 && (*p == ' ' || (*p >= '\t' && *p <= '\r'))) p++, size--;
    int is_quoted = d->has_quote && size > 1 && *p == d->quote;
    if (is_quoted) p++, size -= 2;
    if (d->is_sql && !is_quoted && is_sql_null(p, size)) return FOUND_NULL;
    if (!has_scratch(s, size) || (d->is_foreign && is_not_ascii(p, size))) return FOUND_HARD;
    if (d->is_sql && !is_quoted) {
        kind = number_kind(p, size);
        if (c->form == FORM_DATE || c->form == FORM_TIME) return find_learnt(s, column, kind, p, size, hash);
        if (c->form == FORM_TEXT || c->form == FORM_BYTES) {
            i64 read = read_hexadecimal(p, size, s->scratch);
            if (read < 0 || d->is_foreign) return find_learnt(s, column, kind, p, size, hash);
            memset(s->scratch + read, 0, 32);
            *value = canonical(c, s->scratch, read, s->scratch2, (i64)s->scratch_room);
            return value->size < 0 ? FOUND_HARD : FOUND_VALUE;
        }
    }
    int has_special = (d->has_escape && memchr(p, d->escape, (size_t)size)) || (is_quoted && memchr(p, d->quote, (size_t)size));
    if (has_special) {
        if (d->escaped_null && size == 2 && p[0] == d->escape && p[1] == 'N') return FOUND_NULL;
        size = decode(d, p, size, is_quoted, s->scratch);
        memset(s->scratch + size, 0, 32);
        p = s->scratch;
        if (d->escaped_null && size == 2 && p[0] == d->escape && p[1] == 'N') has_special = 2;
    }
    if (!d->is_sql && has_special != 2 && is_null_text(d, p, size)) return FOUND_NULL;
    *value = canonical(c, p, size, s->scratch2, (i64)s->scratch_room);
    return value->size < 0 ? find_learnt(s, column, kind, p, size, hash) : FOUND_VALUE;
}

INLINE void put_value(Scan *s, Batch *batch, int column, u32 r, const u8 *p, i64 size) {
    Bytes value;
    u64 hash = 0;
    const Column *c = &s->plan.column[column];
    int found = read_value(s, column, p, size, &value, &hash);
    if (found == FOUND_NULL && (c->flags & NULL_IS_VALUE)) found = FOUND_HARD;
    u64 *mark = found == FOUND_NULL ? batch->null : batch->hard;
    if (found == FOUND_VALUE) hash = hash_bytes(value.p, value.size, s->plan.seed);
    batch->hash[(u64)column * BATCH + r] = hash;
    if (found <= FOUND_HASH) return;
    mark[r] |= 1ull << column;
    batch->has_exceptions = 1;
}

#if defined(KERNEL_AVX2)
INLINE __m256i fold_case(__m256i x) {
    __m256i is_small = _mm256_and_si256(_mm256_cmpgt_epi8(x, _mm256_set1_epi8('a' - 1)),
                                        _mm256_cmpgt_epi8(_mm256_set1_epi8('z' + 1), x));
    return _mm256_sub_epi8(x, _mm256_and_si256(is_small, _mm256_set1_epi8(32)));
}

/* Text of at most 32 bytes: ASCII from 0x20 to 0x7E, where every folding collation makes capitals and nothing else. */
INLINE int hash_short_text(const Column *c, const u8 *p, i64 size, u64 seed, const int folds, u64 *hash) {
    if (size > 32 || (u64)size > c->size_most) return 0;
    __m256i x = load_first(p, size);
    if (folds) {
        __m256i is_odd = _mm256_or_si256(_mm256_cmpgt_epi8(_mm256_set1_epi8(0x20), x),
                                         _mm256_cmpeq_epi8(x, _mm256_set1_epi8(0x7f)));
        u32 within = size == 32 ? ~0u : (1u << size) - 1;
        if (UNLIKELY((u32)_mm256_movemask_epi8(is_odd) & within)) return 0;
        x = fold_case(x);
    } else if (UNLIKELY(_mm256_movemask_epi8(x))) return 0;
    *hash = hash_register(x, size, hash_key(seed));
    return 1;
}
#else
INLINE int hash_short_text(const Column *c, const u8 *p, i64 size, u64 seed, const int folds, u64 *hash) {
    if (folds || (u64)size > c->size_most || is_not_ascii(p, size)) return 0;
    *hash = hash_bytes(p, size, seed);
    return 1;
}
#endif

/* The size of a short text without its blanks at the end, or -1 where the prefix or the size has a say. */
INLINE i64 strip_for(const Column *c, const u8 *p, i64 size) {
    if ((u64)size > c->prefix || (u64)size > c->size_most) return -1;
    return c->flags & (TRIM_FIRST | TRIM_LAST) ? strip_blanks(p, size) : size;
}

INLINE int hash_plain(Scan *s, const Column *c, const u8 *p, i64 size, const int form, const int folds, u64 *hash) {
    const u64 seed = s->plan.seed;
    if (form == FORM_TEXT) {
        i64 stripped = strip_for(c, p, size);
        return stripped >= 0 && hash_short_text(c, p, stripped, seed, folds, hash);
    }
    Bytes value = HARD;
    if (form == FORM_INTEGER) value = canonical_integer(c, p, size);
    if (form == FORM_DECIMAL && size < 128) value = canonical_decimal(c, p, size, s->scratch2);
    if (form == FORM_DATE) value = canonical_date(c, p, size);
    if (form == FORM_TIME) value = canonical_time(c, p, size);
    if (form == FORM_FLOAT) value = canonical_float(c, p, size, s->scratch2);
    if (value.size < 0) return 0;
    *hash = hash_bytes(value.p, value.size, seed);
    return 1;
}

/* Hashes a column as if no field needed decoding; those of dirty rows are done once more by redo_dirty. */
INLINE void hash_column_as(Scan *s, const u8 *b, int column, const int form, const int folds, const int is_sql) {
    Batch *batch = &s->batch;
    const Dialect *d = &s->dialect;
    const Column *c = &s->plan.column[column];
    const u64 field = (u64)d->field[column] * BATCH;
    const u32 *start = batch->start + field, *end = batch->end + field, count = batch->count, nulls = d->nulls;
    u64 *hash = batch->hash + (u64)column * BATCH;
    const u8 quote = d->quote, has_quote = d->has_quote;
    for (u32 r = 0; r < count; r++) {
        const u8 *raw = b + start[r];
        i64 size = (i64)end[r] - start[r];
        int is_quoted = has_quote & (*raw == quote) & (size > 1);
        const u8 *p = raw + is_quoted;
        int is_sure = !is_sql || is_quoted || form == FORM_INTEGER || form == FORM_DECIMAL || form == FORM_FLOAT;
        if (UNLIKELY(nulls != 0) && is_null_text(d, p, size - 2 * is_quoted)) is_sure = 0;
        if (is_sure && hash_plain(s, c, p, size - 2 * is_quoted, form, folds, &hash[r])) continue;
        put_value(s, batch, column, r, raw, size);
    }
}

INLINE void hash_column_of(Scan *s, const u8 *b, int column, const int is_sql) {
    const Column *c = &s->plan.column[column];
    switch (c->form) {
    case FORM_TEXT:
        if (c->flags & FOLDS) hash_column_as(s, b, column, FORM_TEXT, 1, is_sql);
        else hash_column_as(s, b, column, FORM_TEXT, 0, is_sql);
        break;
    case FORM_INTEGER: hash_column_as(s, b, column, FORM_INTEGER, 0, is_sql); break;
    case FORM_DECIMAL: hash_column_as(s, b, column, FORM_DECIMAL, 0, is_sql); break;
    case FORM_DATE: hash_column_as(s, b, column, FORM_DATE, 0, is_sql); break;
    case FORM_TIME: hash_column_as(s, b, column, FORM_TIME, 0, is_sql); break;
    case FORM_FLOAT: hash_column_as(s, b, column, FORM_FLOAT, 0, is_sql); break;
    default: hash_column_as(s, b, column, FORM_OPAQUE, 0, is_sql);
    }
}

NOINLINE void fill_constant(Scan *s, int column) {
    Batch *batch = &s->batch;
    int is_null = s->dialect.constant_nulls >> column & 1;
    for (u32 r = 0; r < batch->count; r++) {
        batch->hash[(u64)column * BATCH + r] = s->dialect.constant[column];
        if (is_null) batch->null[r] |= 1ull << column;
    }
    batch->has_exceptions |= is_null;
}

/* Rows near an escape or a doubled quote: fields that hold one get the exact way. */
NOINLINE void redo_dirty(Scan *s, const u8 *b, int column) {
    Batch *batch = &s->batch;
    const Dialect *d = &s->dialect;
    const u64 field = (u64)d->field[column] * BATCH;
    for (u32 i = 0; i < batch->dirty_count; i++) {
        u32 r = batch->dirty[i];
        const u8 *p = b + batch->start[field + r];
        i64 size = (i64)batch->end[field + r] - batch->start[field + r];
        int is_quoted = d->has_quote && size > 1 && *p == d->quote;
        const u8 *inner = p + is_quoted;
        i64 inner_size = size - 2 * is_quoted;
        int has_escape = d->has_escape && memchr(inner, d->escape, (size_t)inner_size);
        if (!has_escape && !(is_quoted && memchr(inner, d->quote, (size_t)inner_size))) continue;
        batch->null[r] &= ~(1ull << column);
        batch->hard[r] &= ~(1ull << column);
        put_value(s, batch, column, r, p, size);
    }
}

NOINLINE void hash_columns(Scan *s, const u8 *b) {
    for (u32 column = 0; column < s->plan.columns; column++) {
        if (s->dialect.field[column] < 0) {
            fill_constant(s, (int)column);
            continue;
        }
        if (s->dialect.is_sql) hash_column_of(s, b, (int)column, 1);
        else hash_column_of(s, b, (int)column, 0);
        if (s->batch.dirty_count) redo_dirty(s, b, (int)column);
    }
}

#endif
