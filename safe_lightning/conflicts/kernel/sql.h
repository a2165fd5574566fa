/* SQL dumps: what stands between the rows, with the states of Lightning's own parser. */
#ifndef SAFE_LIGHTNING_SQL_H
#define SAFE_LIGHTNING_SQL_H

#include "rows.h"

enum SqlState { SQL_VALUES, SQL_TABLE_NAME, SQL_COLUMNS };
enum { HEADER_INCOMPLETE = -1, HEADER_BAD = -2 };

INLINE int is_skipped(u8 c) { return c == ' ' || (c >= '\t' && c <= '\r') || c == ',' || c == ';'; }

INLINE int ends_word(u8 c) { return is_skipped(c) || c == '(' || c == ')' || c == '\'' || c == '"' || c == '`' || c == '/' || c == '*'; }

static int is_word(const u8 *p, i64 size, const char *word) {
    for (i64 i = 0; i < size; i++)
        if (!word[i] || (p[i] | 32) != (u8)word[i]) return 0;
    return !word[size];
}

/* Words that are no names to Lightning, or do something. */
static int is_name(const u8 *p, i64 size) {
    static const char *const others[] = {"values", "null", "true", "false", "convert", "using"};
    for (int i = 0; i < 6; i++)
        if (is_word(p, size, others[i])) return 0;
    return size > 0 && !(*p >= '0' && *p <= '9') && *p != '-' && !(size == 1 && ((*p | 32) == 'x' || (*p | 32) == 'b'));
}

static i64 skip_comment(const u8 *b, i64 at, i64 size) {
    if (b[at] == '-') {
        while (at < size && b[at] != '\n' && b[at] != '\r') at++;
        return at < size ? at : HEADER_INCOMPLETE;
    }
    if (at + 1 >= size) return HEADER_INCOMPLETE;
    if (b[at] != '/' || b[at + 1] != '*') return HEADER_BAD;
    for (at += 2; at + 1 < size; at++)
        if (b[at] == '*' && b[at + 1] == '/') return at + 2;
    return HEADER_INCOMPLETE;
}

static i64 skip_quoted(const u8 *b, i64 at, i64 size) {
    const u8 quote = b[at];
    for (at++; at < size; at++) {
        if (b[at] == '\\' && quote != '`') return HEADER_BAD;
        if (b[at] != quote) continue;
        if (at + 1 >= size) return HEADER_INCOMPLETE;
        if (b[++at] != quote) return at;
    }
    return HEADER_INCOMPLETE;
}

/* Follows a statement's head up to the first row's parenthesis; whatever is unusual is left to the exact reader. */
static i64 skip_header(const u8 *b, i64 at, i64 size) {
    int state = SQL_VALUES;
    while (at < size) {
        u8 c = b[at];
        if (is_skipped(c)) {
            at++;
        } else if (c == '/' || (c == '-' && at + 1 < size && b[at + 1] == '-')) {
            if ((at = skip_comment(b, at, size)) < 0) return at;
        } else if (c == '(') {
            if (state == SQL_VALUES) return at;
            if (state == SQL_COLUMNS) return HEADER_BAD;
            state = SQL_COLUMNS, at++;
        } else if (c == ')') {
            if (state != SQL_COLUMNS) return HEADER_BAD;
            state = SQL_VALUES, at++;
        } else if (c == '\'' || c == '"' || c == '`') {
            if (c == '\'') return HEADER_BAD;
            if ((at = skip_quoted(b, at, size)) < 0) return at;
            if (state == SQL_VALUES) state = SQL_TABLE_NAME;
        } else {
            i64 stop = at;
            while (stop < size && !ends_word(b[stop])) stop++;
            if (stop == size) return HEADER_INCOMPLETE;
            if (is_word(b + at, stop - at, "values") && state != SQL_COLUMNS) state = SQL_VALUES;
            else if (!is_name(b + at, stop - at)) return HEADER_BAD;
            else if (state == SQL_VALUES) state = SQL_TABLE_NAME;
            at = stop;
        }
    }
    return state == SQL_VALUES ? size : HEADER_INCOMPLETE;
}

static u64 advance(Scan *s, const u8 *b, u64 from, u64 to) {
    for (const u8 *p = b + from; p < b + to && (p = memchr(p, '\n', (size_t)(b + to - p))); p++) s->lines_before++;
    s->base += to - from;
    return to;
}

/* Reads the rows of all statements in b[0..size). Returns the bytes used; the offset and the lines move along. */
static u64 sql_statements(Scan *s, u8 *b, u64 size, int is_final, int *is_stopped) {
    u64 at = 0;
    memset(b + size, 0, SLACK / 2);
    *is_stopped = 0;
    for (;;) {
        u64 next = at;
        while (next < size && is_skipped(b[next])) next++;
        at = advance(s, b, at, next);
        if (at == size) return at;
        if (b[at] != '(') {
            i64 row = skip_header(b, (i64)at, (i64)size);
            if (row < 0) {
                *is_stopped = row == HEADER_BAD || is_final;
                return at;
            }
            at = advance(s, b, at, (u64)row);
            continue;
        }
        u64 semicolon, events = scan_sql_chunk(s, b + at, size - at, &semicolon);
        int is_bad;
        u64 done = sql_rows(s, b + at, events, semicolon == ~0ull ? size - at : semicolon, &is_bad);
        is_bad |= semicolon != ~0ull && (events & 1);
        u64 rest = is_bad || semicolon == ~0ull ? at + done : at + semicolon + 1;
        s->lines_before += feeds_before(s, rest - at);
        s->base += rest - at;
        at = rest;
        if (is_bad) {
            *is_stopped = 1;
            return at;
        }
        if (semicolon != ~0ull) continue;
        while (at < size && is_skipped(b[at])) at = advance(s, b, at, at + 1);
        *is_stopped = is_final && at < size;
        return at;
    }
}

#endif
