/* Rows of a chunk: field bounds into the batch, rows in need of the exact reader into the hard list. */
#ifndef SAFE_LIGHTNING_ROWS_H
#define SAFE_LIGHTNING_ROWS_H

#include "columns.h"
#include "scatter.h"
#include "structure.h"

/* What white space Go trims: a line of nothing else is no row. */
static int is_blank_line(const u8 *p, i64 size) {
    while (size > 0) {
        i64 step = 0;
        if (*p == ' ' || (*p >= '\t' && *p <= '\r')) step = 1;
        else if (size > 1 && p[0] == 0xC2 && (p[1] == 0x85 || p[1] == 0xA0)) step = 2;
        else if (size > 2 && p[0] == 0xE1 && p[1] == 0x9A && p[2] == 0x80) step = 3;
        else if (size > 2 && p[0] == 0xE2 && p[1] == 0x80 && ((p[2] >= 0x80 && p[2] <= 0x8A) || (p[2] & ~1) == 0xA8 || p[2] == 0xAF)) step = 3;
        else if (size > 2 && p[0] == 0xE2 && p[1] == 0x81 && p[2] == 0x9F) step = 3;
        else if (size > 2 && p[0] == 0xE3 && p[1] == 0x80 && p[2] == 0x80) step = 3;
        if (!step) return 0;
        p += step, size -= step;
    }
    return 1;
}

INLINE void add_place(Scan *s, u64 offset, u64 line) {
    if (UNLIKELY(s->place_count == s->places_room)) {
        Place *grown = realloc(s->places, sizeof(Place) * s->places_room * 2);
        if (!grown) {
            s->is_out_of_memory = 1;
            return;
        }
        s->places = grown;
        s->places_room *= 2;
    }
    s->places[s->place_count++] = (Place){offset, line};
}

/* Hands a row out, with the bounds of its key columns if it is a regular one of CSV. */
NOINLINE void put_hard(Scan *s, const u8 *b, u32 start, u32 end, u32 row, u32 kind, u64 columns, i64 r) {
    u32 bounds = kind == KIND_ROW || s->dialect.is_sql ? 0 : s->plan.columns;
    u64 stride = sizeof(HardRow) + 8ull * bounds + ((end - start + 7ull) & ~7ull);
    if (s->hard_bytes + stride > s->hard_room) {
        u64 room = (s->hard_bytes + stride) * 2;
        u8 *grown = realloc(s->hard, room);
        if (!grown) {
            s->is_out_of_memory = 1;
            return;
        }
        s->hard = grown, s->hard_room = room;
    }
    u8 *out = s->hard + s->hard_bytes;
    u64 line = s->lines_before + feeds_before(s, start);
    HardRow head = {s->base + start, line, columns, row, end - start, kind, (u32)stride};
    memcpy(out, &head, sizeof head);
    out += sizeof head;
    for (u32 i = 0; i < bounds; i++, out += 8) {
        i64 field = s->dialect.field[i];
        u32 pair[2] = {0, 0};
        if (field >= 0) {
            pair[0] = s->batch.start[field * BATCH + r] - start;
            pair[1] = s->batch.end[field * BATCH + r] - s->batch.start[field * BATCH + r];
        }
        memcpy(out, pair, 8);
    }
    memcpy(out, b + start, end - start);
    s->hard_bytes += stride;
}

INLINE int is_wanted(Scan *s, u32 row) {
    while (s->wanted_at < s->wanted_count && s->wanted[s->wanted_at] < row) s->wanted_at++;
    return s->wanted_at < s->wanted_count && s->wanted[s->wanted_at] == row;
}

NOINLINE void put_wanted(Scan *s, const u8 *b) {
    Batch *batch = &s->batch;
    for (u32 r = 0; r < batch->count; r++)
        if (is_wanted(s, batch->row[r])) put_hard(s, b, batch->row_start[r], batch->row_end[r], batch->row[r], KIND_WANTED, 0, r);
}

NOINLINE void put_hard_values(Scan *s, const u8 *b) {
    Batch *batch = &s->batch;
    u32 kind = s->dialect.is_sql ? KIND_ROW : KIND_VALUE;
    for (u32 r = 0; r < batch->count; r++)
        if (batch->hard[r])
            put_hard(s, b, batch->row_start[r], batch->row_end[r], batch->row[r], kind, batch->hard[r], r);
}

NOINLINE void finish_batch(Scan *s, const u8 *b) {
    Batch *batch = &s->batch;
    if (!batch->count) return;
    if (s->is_capture) {
        put_wanted(s, b);
    } else {
        hash_columns(s, b);
        if (batch->has_exceptions) put_hard_values(s, b);
        scatter_keys(s);
        if (batch->has_exceptions) {
            memset(batch->null, 0, 8ull * batch->count);
            memset(batch->hard, 0, 8ull * batch->count);
        }
    }
    batch->count = batch->dirty_count = 0;
    batch->has_exceptions = 0;
}

/* Numbers the next row, and notes where every 64th begins. */
INLINE u32 number_row(Scan *s, u32 start) {
    u32 row = (u32)s->next_row++;
    if (UNLIKELY((row & (GRANULE - 1)) == 0)) add_place(s, s->base + start, s->lines_before + feeds_before(s, start));
    return row;
}

NOINLINE void put_odd_row(Scan *s, const u8 *b, u32 start, u32 end) {
    if (s->is_capture) finish_batch(s, b); /* the wanted rows are looked for in order */
    u32 row = number_row(s, start);
    if (!s->is_capture) put_hard(s, b, start, end, row, KIND_ROW, ~0ull, 0);
    else if (is_wanted(s, row)) put_hard(s, b, start, end, row, KIND_ROW, 0, 0);
}

/* The bounds of a row's fields 0..last, read from the separator masks by a window of 128 bits at the row's start. */
INLINE u32 find_fields(Scan *s, u32 m, u32 row_start, u32 row_end, const int last, const int is_last_in_row) {
    const u64 *separators = s->separators;
    u32 *starts = s->batch.start, *ends = s->batch.end;
    u32 i = row_start >> 6, shift = row_start & 63, at = row_start, start = row_start, end = row_start;
    u64 x0 = separators[i], x1 = separators[i + 1], x2 = separators[i + 2];
    u64 low = x0 >> shift | (x1 << 1) << (63 - shift), high = x1 >> shift | (x2 << 1) << (63 - shift);
    for (int field = 0; field <= last; field++) {
        starts[(u64)field * BATCH + m] = start;
        if (field == last && is_last_in_row) {
            ends[(u64)field * BATCH + m] = end = row_end;
            break;
        }
        u64 is_empty = -(u64)(low == 0);
        low |= high & is_empty;
        high &= ~is_empty;
        at += 64 & (u32)is_empty;
        if (UNLIKELY(!low)) { /* beyond the window: search from the field's start, and set the window there */
            i = start >> 6;
            u64 x = separators[i] >> (start & 63) << (start & 63);
            while (!x) x = separators[++i];
            end = (i << 6) + first_bit(x);
            ends[(u64)field * BATCH + m] = end;
            at = start = end + 1;
            i = start >> 6, shift = start & 63;
            low = separators[i] >> shift | (separators[i + 1] << 1) << (63 - shift);
            high = separators[i + 1] >> shift | (separators[i + 2] << 1) << (63 - shift);
            continue;
        }
        end = at + (u32)__builtin_ctzll(low);
        low &= low - 1;
        ends[(u64)field * BATCH + m] = end;
        start = end + 1;
    }
    return end;
}

/* Adds a regular row to the batch; its head is dirty if any block of it up to the last needed field is. */
INLINE void add_row(Scan *s, const u8 *b, u32 start, u32 end, u32 fields_start, u32 fields_end, const int last, const int is_last) {
    Batch *batch = &s->batch;
    u32 m = batch->count, until = find_fields(s, m, fields_start, fields_end, last, is_last), dirty = 0;
    for (u32 i = start >> 6; i <= until >> 6; i++) dirty |= s->dirty[i];
    batch->dirty[batch->dirty_count] = m;
    batch->dirty_count += dirty & 1;
    batch->row[m] = number_row(s, start);
    batch->row_start[m] = start;
    batch->row_end[m] = end;
    if (UNLIKELY(++batch->count == BATCH)) finish_batch(s, b);
}

/* Rows of b[0..size) up to the first incomplete one, whose start is returned; rows from the limit on are not ours. */
INLINE u64 csv_rows_as(Scan *s, const u8 *b, u64 events, u64 text_size, int is_final, const int last) {
    const Dialect *d = &s->dialect;
    const u32 wanted = d->fields - 1 + d->trims_last, end_size = d->ends ? d->ends : 1;
    const int is_last = last == (int)d->fields - 1 && !d->trims_last, is_single = wanted == 0, trims = d->trims_last;
    const u64 limit = s->limit - s->base, bad_at = s->bad_at;
    u32 start = 0, before = 0;
    for (u64 i = 0; i < events; i++) {
        if (UNLIKELY(start >= limit) && !s->is_behind_blanks) {
            s->is_at_limit = 1;
            break;
        }
        u32 stop = s->events[i], end = stop + 1 - end_size, count = separators_before(s, stop), found = count - before;
        if (UNLIKELY(stop >= bad_at)) break;
        before = count;
        int is_odd = found != wanted || end == start || is_single || (trims && !(s->separators[(end - 1) >> 6] >> ((end - 1) & 63) & 1));
        if (UNLIKELY(is_odd)) {
            int is_forced = end >= text_size; /* by the end of the file, which makes a row of blanks too */
            if (end == start || (!found && !is_forced && is_blank_line(b + start, (i64)end - start))) {
                s->is_behind_blanks |= end != start;
                start = stop + 1;
                continue;
            }
            s->is_behind_blanks = 0;
            if (found != wanted || trims) {
                put_odd_row(s, b, start, stop + 1 > text_size ? (u32)text_size : stop + 1);
                start = stop + 1;
                continue;
            }
        }
        s->is_behind_blanks = 0;
        add_row(s, b, start, stop + 1 > text_size ? (u32)text_size : stop + 1, start, end, last, is_last);
        start = stop + 1;
    }
    if (start >= limit && !s->is_behind_blanks) s->is_at_limit = 1;
    finish_batch(s, b);
    if (is_final && s->is_behind_blanks && start >= text_size) { /* the file's end right behind blanks makes a row */
        put_odd_row(s, b, (u32)text_size, (u32)text_size);
        s->is_behind_blanks = 0;
    }
    return start;
}

NOINLINE u64 csv_rows(Scan *s, const u8 *b, u64 events, u64 text_size, int is_final) {
    switch (s->last_field) {
    case 0: return csv_rows_as(s, b, events, text_size, is_final, 0);
    case 1: return csv_rows_as(s, b, events, text_size, is_final, 1);
    case 2: return csv_rows_as(s, b, events, text_size, is_final, 2);
    case 3: return csv_rows_as(s, b, events, text_size, is_final, 3);
    case 4: return csv_rows_as(s, b, events, text_size, is_final, 4);
    case 5: return csv_rows_as(s, b, events, text_size, is_final, 5);
    default: return csv_rows_as(s, b, events, text_size, is_final, s->last_field);
    }
}

/* Whether all prefixed strings of a row are hexadecimal literals: any other counts for two values. */
NOINLINE int has_only_hexadecimals(const Dialect *d, const u8 *p, const u8 *stop) {
    for (u8 before = 0; p < stop; before = *p++) {
        if (*p != d->quote) continue;
        int is_prefixed = (before | 32) == 'x', size = 0;
        for (p++; p < stop && *p != d->quote; p++, size++) {
            if (is_prefixed && (u8)(*p - '0') > 9 && (u8)((*p | 32) - 'a') > 5) return 0;
            if (d->has_escape && *p == '\\') p++;
        }
        if (is_prefixed && (size & 1 || d->quote != '\'')) return 0;
    }
    return 1;
}

/* Rows of SQL: parentheses come in pairs. Returns the end of the last whole row, or the start of the first one that
 * is not ours; *bad where the exact reader must go on. */
NOINLINE u64 sql_rows(Scan *s, const u8 *b, u64 events, u64 size, int *is_bad) {
    const Dialect *d = &s->dialect;
    const u32 wanted = d->fields - 1;
    const int last = s->last_field, is_last = last == (int)d->fields - 1;
    const u64 limit = s->limit - s->base;
    u32 done = 0;
    *is_bad = 0;
    for (u64 i = 0; i + 1 < events; i += 2) {
        u32 open = s->events[i], close = s->events[i + 1];
        if (b[open] != '(' || b[close] != ')' || close >= s->bad_at) {
            *is_bad = 1;
            break;
        }
        if (UNLIKELY(open >= limit)) {
            s->is_at_limit = 1;
            finish_batch(s, b);
            return open;
        }
        u32 found = separators_before(s, close) - separators_before(s, open), odd = 0;
        for (u32 k = open >> 6; k <= close >> 6; k++) odd |= s->dirty[k];
        if (UNLIKELY(odd & 4) && !has_only_hexadecimals(d, b + open, b + close)) odd |= 2;
        if (UNLIKELY(found != wanted || odd & 2)) put_odd_row(s, b, open, close + 1);
        else add_row(s, b, open, close + 1, open + 1, close, last, is_last);
        done = close + 1;
    }
    if (s->bad_at < size) *is_bad = 1;
    finish_batch(s, b);
    return done;
}

#endif
