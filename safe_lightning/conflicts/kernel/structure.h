/* The structure of a chunk: which separators and line ends count, where a value may need decoding, what is wrong.
 *
 * A chunk begins at the start of a row, outside of quotes. Quotes are legal only around whole fields; the first byte
 * that breaks this rule is remembered, and the row that has it is left to the exact reader.
 */
#ifndef SAFE_LIGHTNING_STRUCTURE_H
#define SAFE_LIGHTNING_STRUCTURE_H

#include "masks.h"

/* What goes over from one block of 64 bytes to the next, each as bit 0. */
typedef struct {
    u64 escape, inside, quote, edge, closed, end, comma, plain, dash, within, ended, prefix;
} Carry;

INLINE void note_bad(Scan *s, u64 at, u64 mask, u64 size) {
    if (UNLIKELY(mask != 0)) {
        u64 place = at + first_bit(mask);
        if (place < s->bad_at && place < size) s->bad_at = place;
    }
}

INLINE void put_block(Scan *s, u64 i, u64 separators, u64 feeds, u32 *separator_count, u32 *feed_count) {
    s->separators[i] = separators;
    s->feeds[i] = feeds;
    s->separator_count[i] = *separator_count;
    s->feed_count[i] = *feed_count;
    *separator_count += bits_in(separators);
    *feed_count += bits_in(feeds);
}

/* Three empty blocks behind the last one: windows of 128 bits may look there. */
INLINE void put_end(Scan *s, u64 i, u32 separator_count, u32 feed_count) {
    for (u64 k = i; k < i + 3; k++) {
        s->separators[k] = s->feeds[k] = 0;
        s->separator_count[k] = separator_count;
        s->feed_count[k] = feed_count;
        s->dirty[k] = 0;
    }
}

INLINE u64 line_ends(Scan *s, Block block, u64 free, u64 feeds, u64 *carry) {
    const Dialect *d = &s->dialect;
    if (d->ends == 0) return (feeds | equal(block, '\r')) & free;
    if (d->ends == 1) return equal(block, d->end[0]) & free;
    u64 first = equal(block, d->end[0]) & free, second = equal(block, d->end[1]) & free;
    u64 ends = second & (first << 1 | *carry);
    *carry = first >> 63;
    return ends;
}

/* Bytes at which quotes are not where they belong; `edges` are separators and line ends. */
INLINE u64 misplaced_quotes(u64 quotes, u64 inside, u64 edges, Carry *c, u64 *doubled, u64 before_edges) {
    u64 closing = quotes & ~inside, opening = quotes & inside, behind_quote = quotes << 1 | c->quote;
    *doubled = quotes & behind_quote;
    u64 wrong = (opening & ~(edges << 1 | c->edge | behind_quote)) | ((closing << 1 | c->closed) & ~(before_edges | quotes));
    c->quote = quotes >> 63;
    c->closed = closing >> 63;
    c->edge = edges >> 63;
    return wrong;
}

/* Fills the masks of b[0..size); `inside` is ~0 if the chunk is taken to begin within quotes. Returns the line ends. */
INLINE u64 scan_csv_blocks(Scan *s, const u8 *b, u64 size, u64 inside_before, const int ends_kind) {
    const Dialect *d = &s->dialect;
    const u8 separator = d->separator, quote = d->quote, escape = d->escape;
    const u64 has_quote = d->has_quote ? ~0ull : 0, has_escape = d->has_escape ? ~0ull : 0;
    Carry c = {.edge = 1, .inside = inside_before};
    u32 separator_count = 0, feed_count = 0, *events = s->events;
    u64 count = 0, i = 0;
    s->bad_at = ~0ull;
    for (u64 at = 0; at < size; at += 64, i++) {
        Block block = load_block(b + at);
        u64 escapes = equal(block, escape) & has_escape, away = 0;
        if (UNLIKELY((escapes | c.escape) != 0)) away = escaped(escapes, &c.escape);
        u64 quotes = equal(block, quote) & has_quote & ~away;
        u64 inside = prefix_parity(quotes) ^ c.inside;
        c.inside = (u64)((i64)inside >> 63);
        u64 free = ~(inside | away), feeds = equal(block, '\n');
        u64 separators = equal(block, separator) & free;
        u64 ends = ends_kind == 0 ? (feeds | equal(block, '\r')) & free : line_ends(s, block, free, feeds, &c.end);
        put_block(s, i, separators, feeds, &separator_count, &feed_count);
        u64 edges = separators | ends, first_of_end = ends_kind < 2 ? 0 : equal(block, d->end[0]) & free, doubled;
        u64 half_ended = (quotes << 1 | c.quote) & first_of_end;
        u64 wrong = misplaced_quotes(quotes, inside, edges, &c, &doubled, edges | first_of_end);
        if (ends_kind == 2) { /* what follows a quote is the whole line end or nothing of it */
            wrong |= (half_ended << 1 | c.ended) & ~equal(block, d->end[1]);
            c.ended = half_ended >> 63;
        }
        s->dirty[i] = (escapes | doubled) != 0;
        note_bad(s, at, wrong, size);
        u32 found = bits_in(ends);
        events[count] = (u32)at + first_bit(ends);
        ends &= ends - 1;
        events[count + 1] = (u32)at + first_bit(ends);
        if (UNLIKELY(found > 2)) {
            ends &= ends - 1;
            for (u32 k = 2; k < found; k++, ends &= ends - 1) events[count + k] = (u32)at + first_bit(ends);
        }
        count += found;
    }
    put_end(s, i, separator_count, feed_count);
    return count;
}

NOINLINE u64 scan_csv_chunk(Scan *s, const u8 *b, u64 size, u64 inside) {
    switch (s->dialect.ends) {
    case 0: return scan_csv_blocks(s, b, size, inside, 0);
    case 1: return scan_csv_blocks(s, b, size, inside, 1);
    default: return scan_csv_blocks(s, b, size, inside, 2);
    }
}

/* Bytes between rows that are neither white space nor commas. */
INLINE u64 stray_bytes(Block block, u64 outside, u64 blanks, u64 expected) {
    u64 odd_blanks = blanks & outside & ~(equal(block, '\n') | equal(block, ' '));
    if (UNLIKELY(odd_blanks != 0))
        for (u8 byte = '\t'; byte <= '\r'; byte++) odd_blanks &= ~equal(block, byte);
    return (outside & ~(blanks | expected)) | odd_blanks;
}

/* SQL: events are the parentheses outside of strings; stops behind a `;`. What is unusual within a row (a missing or
 * surplus value, a blank behind a value, a prefixed string) marks its blocks dirty with 2: the exact reader takes the
 * row; 4 marks what may be x'4142'. What could hide a parenthesis (comments, other quotes) is bad. */
NOINLINE u64 scan_sql_chunk(Scan *s, const u8 *b, u64 size, u64 *semicolon) {
    const Dialect *d = &s->dialect;
    const u8 quote = d->quote, other = quote == '\'' ? '"' : '\'';
    const u64 has_escape = d->has_escape ? ~0ull : 0;
    Carry c = {.edge = 1, .plain = 0};
    u32 separator_count = 0, feed_count = 0, *events = s->events;
    u64 count = 0, i = 0;
    int is_end = 0;
    s->bad_at = ~0ull;
    *semicolon = ~0ull;
    for (u64 at = 0; at < size && !is_end; at += 64, i++) {
        Block block = load_block(b + at);
        u64 escapes = equal(block, '\\') & has_escape, away = 0;
        if (UNLIKELY((escapes | c.escape) != 0)) away = escaped(escapes, &c.escape);
        u64 quotes = equal(block, quote) & ~away;
        u64 inside = prefix_parity(quotes) ^ c.inside;
        c.inside = (u64)((i64)inside >> 63);
        u64 free = ~(inside | away), blanks = blank(block) & free, dashes = equal(block, '-') & free;
        u64 commas = equal(block, ',') & free, open = equal(block, '(') & free, close = equal(block, ')') & free;
        u64 hides = (equal(block, other) | equal(block, '`') | equal(block, '/') | equal(block, '*')) & free;
        u64 ends = equal(block, ';') & free, kept = ~0ull;
        hides |= (dashes & (dashes << 1 | c.dash)) | (escapes & ~inside & ~away);
        if (UNLIKELY(ends != 0)) {
            kept = (ends & -ends) - 1;
            *semicolon = at + first_bit(ends);
            is_end = 1;
            commas &= kept, open &= kept, close &= kept, hides &= kept, blanks &= kept, quotes &= kept | ends;
        }
        put_block(s, i, commas, equal(block, '\n'), &separator_count, &feed_count);
        u64 parentheses = open | close, edges = commas | parentheses | blanks, doubled, carried_blank = c.end;
        u64 prefixes = (equal(block, 'x') | equal(block, 'X')) & free & (edges << 1 | c.edge);
        u64 prefixed = (prefixes << 1 | c.prefix) & quotes & inside;
        c.prefix = prefixes >> 63;
        u64 odd = misplaced_quotes(quotes, inside, edges, &c, &doubled, edges | ends) & ~prefixed;
        u64 within = prefix_parity(parentheses) ^ c.within;
        c.within = (u64)((i64)within >> 63);
        hides |= stray_bytes(block, ~(within | close), blanks, commas | parentheses) & kept;
        odd |= (commas | close) & ((commas | open) << 1 | c.comma);
        odd |= (commas | close) & (blanks << 1 | carried_blank) & (within | close);
        odd |= blanks & ~(edges << 1 | c.plain) & within;
        c.comma = (commas | open) >> 63;
        c.end = blanks >> 63;
        c.plain = edges >> 63;
        c.dash = dashes >> 63;
        s->dirty[i] = (u8)(((escapes | doubled) != 0) | (odd != 0) << 1 | (prefixed != 0) << 2);
        note_bad(s, at, hides, size);
        u32 found = bits_in(parentheses);
        for (u32 k = 0; k < 4; k++, parentheses &= parentheses - 1) events[count + k] = (u32)at + first_bit(parentheses);
        if (UNLIKELY(found > 4))
            for (u32 k = 4; k < found; k++, parentheses &= parentheses - 1)
                events[count + k] = (u32)at + first_bit(parentheses);
        count += found;
    }
    put_end(s, i, separator_count, feed_count);
    return count;
}

INLINE u32 separators_before(const Scan *s, u32 at) {
    return s->separator_count[at >> 6] + bits_in(s->separators[at >> 6] & ((1ull << (at & 63)) - 1));
}

INLINE u32 feeds_before(const Scan *s, u64 at) {
    return s->feed_count[at >> 6] + bits_in(s->feeds[at >> 6] & ((1ull << (at & 63)) - 1));
}

#endif
