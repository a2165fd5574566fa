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

/* Whether a parenthesis may begin a row: behind another row's comma, or behind VALUES. */
static int may_begin_row(const u8 *b, i64 at) {
    while (at > 0 && (b[at - 1] == ' ' || (b[at - 1] >= '\t' && b[at - 1] <= '\r'))) at--;
    return at > 0 && (b[at - 1] == ',' || (at > 5 && is_word(b + at - 6, 6, "values")));
}

/* Takes b[from..size) for the middle of a dump, within a text or not: where the first whole row of the usual number of
 * values begins (0 if nowhere), and what share of the parentheses is such rows. */
static u64 guess_sql_row(const Scan *s, const u8 *b, u64 from, u64 size, int is_within, double *score) {
    const Dialect *d = &s->dialect;
    u64 good = 0, bad = 0, open = 0, first = 0;
    u32 commas = 0;
    for (u64 at = from; at < size; at++) {
        u8 c = b[at];
        if (c == d->quote) is_within = !is_within;
        else if (d->has_escape && c == '\\') at += is_within;
        else if (is_within) continue;
        else if (c == '(') bad += open != 0, open = may_begin_row(b, (i64)at) ? at : 0, commas = 0;
        else if (c == ',') commas++;
        else if (c == ')') {
            int is_row = open && commas == d->fields - 1;
            if (is_row && !first) first = open;
            good += (u64)is_row, bad += !is_row;
            open = 0;
        }
    }
    *score = ((double)good + 1) / ((double)good + (double)bad + 2) + (double)good * 1e-9;
    return first;
}

/* Guesses where a row begins at or behind b[from], of which b[0..from) is what stands before. 0 if none is in sight. */
static u64 guess_sql(const Scan *s, const u8 *b, u64 from, u64 size) {
    double outside, within;
    while (from < size && s->dialect.has_escape && b[from - 1] == '\\') from++;
    u64 first = guess_sql_row(s, b, from, size, 0, &outside), other = guess_sql_row(s, b, from, size, 1, &within);
    return within > outside ? other : first;
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
        if (b[at] == '(' && s->base >= s->limit) {
            s->is_at_limit = 1;
            return at;
        }
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
        u64 rest = s->is_at_limit || is_bad || semicolon == ~0ull ? at + done : at + semicolon + 1;
        s->lines_before += feeds_before(s, rest - at);
        s->base += rest - at;
        at = rest;
        if (s->is_at_limit) return at;
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
