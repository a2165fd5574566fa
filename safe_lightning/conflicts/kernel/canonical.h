/* The text of one field -> the canonical bytes of its column, for texts in plain form; all others are hard.
 *
 * What is plain is a subset of what the exact canonicalisers take, and gives the same bytes (tested against them).
 */
#ifndef SAFE_LIGHTNING_CANONICAL_H
#define SAFE_LIGHTNING_CANONICAL_H

#include <float.h>

#include "hashing.h"

typedef struct {
    const u8 *p;
    i64 size;
} Bytes;

static const Bytes HARD = {0, -1};

INLINE int is_digits(const u8 *p, i64 size) {
    u32 bad = 0;
    for (i64 i = 0; i < size; i++) bad |= (u8)(p[i] - '0') > 9;
    return !bad;
}

INLINE int is_not_ascii(const u8 *p, i64 size) {
    u8 all = 0;
    for (i64 i = 0; i < size; i++) all |= p[i];
    return all >> 7;
}

/* One character of valid UTF-8, or -1. */
INLINE i64 next_character(const u8 *p, i64 left, int *size) {
    u32 c = p[0];
    *size = 1;
    if (c < 0x80) return c;
    if (c < 0xC2 || left < 2 || (p[1] & 0xC0) != 0x80) return -1;
    *size = 2;
    if (c < 0xE0) return (c & 31) << 6 | (p[1] & 63);
    if (left < 3 || (p[2] & 0xC0) != 0x80) return -1;
    *size = 3;
    if (c < 0xF0) {
        c = (c & 15) << 12 | (u32)(p[1] & 63) << 6 | (p[2] & 63);
        return c < 0x800 || (c >= 0xD800 && c < 0xE000) ? -1 : (i64)c;
    }
    if (left < 4 || (p[3] & 0xC0) != 0x80) return -1;
    *size = 4;
    c = (c & 15) << 18 | (u32)(p[1] & 63) << 12 | (u32)(p[2] & 63) << 6 | (p[3] & 63);
    return p[0] > 0xF4 || c < 0x10000 || c > 0x10FFFF ? -1 : (i64)c;
}

/* Replaces characters by their weights; an absent block or a marked character makes the text hard. */
NOINLINE Bytes weigh(const Column *c, const u8 *p, i64 size, u8 *out, i64 room) {
    i64 made = 0;
    for (int step; size > 0; p += step, size -= step) {
        if (made + 8 > room) return HARD;
        step = 1;
        if (*p < 0x80) {
            out[made] = c->ascii[*p];
            made += !c->ascii[256 + *p];
            continue;
        }
        i64 point = next_character(p, size, &step);
        const u32 *block = point < 0 || !c->weights ? 0 : c->weights[point >> 8];
        if (!block) return HARD;
        u32 start = block[point & 255], stop = block[(point & 255) + 1] & 0x7fffffffu;
        if (start >> 31) return HARD;
        if (made + (i64)(stop - start) > room) return HARD;
        memcpy(out + made, (const u8 *)(block + 257) + start, stop - start);
        made += stop - start;
    }
    return (Bytes){out, made};
}

/* Checks a text with bytes of 0x80 and above, and cuts it to its first `prefix` characters; -1 if it is hard. */
NOINLINE i64 measure_text(const Column *c, const u8 *p, i64 size) {
    if (c->beyond == BEYOND_HARD || (c->flags & COUNTS_BYTES && (u64)size > c->size_most)) return -1;
    if (c->beyond == BEYOND_ANY) return (u64)size > c->size_most || (u64)size > c->prefix ? -1 : size;
    u64 characters = 0;
    i64 at = 0, cut = -1;
    for (int step; at < size; at += step, characters++) {
        if (characters == c->prefix) cut = at;
        if (next_character(p + at, size - at, &step) < 0 || (step == 4 && c->beyond == BEYOND_UTF8MB3)) return -1;
    }
    return characters > c->size_most ? -1 : cut < 0 ? size : cut;
}

INLINE i64 strip_blanks(const u8 *p, i64 size) {
    while (size > 0 && p[size - 1] == ' ') size--;
    return size;
}

NOINLINE Bytes canonical_text(const Column *c, const u8 *p, i64 size, u8 *out, i64 room) {
    int beyond = is_not_ascii(p, size);
    if (c->flags & TRIM_FIRST) size = strip_blanks(p, size);
    if (beyond) size = measure_text(c, p, size);
    else if ((u64)size > c->size_most) return HARD;
    else if ((u64)size > c->prefix) size = (i64)c->prefix;
    if (size < 0) return HARD;
    if (c->flags & TRIM_LAST) size = strip_blanks(p, size);
    return c->flags & FOLDS ? weigh(c, p, size, out, room) : (Bytes){p, size};
}

INLINE Bytes canonical_bytes(const Column *c, const u8 *p, i64 size, u8 *out) {
    if ((u64)size > c->size_most) return HARD;
    if (c->flags & ZERO_FILLED && (u64)size < c->size_most) {
        memcpy(out, p, (size_t)size);
        memset(out + size, 0, (size_t)c->size_most - (size_t)size);
        p = out;
        size = (i64)c->size_most;
    }
    return (Bytes){p, (u64)size > c->prefix ? (i64)c->prefix : size};
}

/* Digits with an optional sign; zeros in front of a number without a minus are skipped. */
INLINE Bytes canonical_integer(const Column *c, const u8 *p, i64 size) {
    int minus = size > 0 && *p == '-';
    const u8 *digits = p + minus;
    i64 count = size - minus;
    if (!minus && count > 1 && UNLIKELY(*digits == '+' || *digits == '0')) {
        if (*digits == '+') digits++, count--;
        while (count > 1 && *digits == '0') digits++, count--;
    }
    i64 most = minus ? c->lowest_size : c->highest_size;
    if (count < 1 || count > most || !is_digits(digits, count) || (minus && *digits == '0')) return HARD;
    if (UNLIKELY(count == most) && memcmp(digits, minus ? c->lowest : c->highest, (size_t)most) > 0) return HARD;
    return (Bytes){digits - minus, count + minus};
}

/* A number with a point where it belongs; missing digits behind the point are filled up. */
INLINE Bytes canonical_decimal(const Column *c, const u8 *p, i64 size, u8 *out) {
    int minus = size > 0 && *p == '-';
    i64 whole = minus, scale = c->scale;
    while (whole < size && (u8)(p[whole] - '0') <= 9) whole++;
    i64 digits = whole - minus, fraction = size - whole - 1;
    if (digits < 1 || (p[minus] == '0' && (digits > 1 || minus))) return HARD;
    if ((u64)digits > c->size_most && !(digits == 1 && p[0] == '0')) return HARD;
    if (minus && c->flags & UNSIGNED) return HARD;
    if (whole < size && (p[whole] != '.' || fraction > scale || !is_digits(p + whole + 1, fraction))) return HARD;
    if (scale == 0) return (Bytes){p, whole};
    if (fraction == scale) return (Bytes){p, size};
    memcpy(out, p, (size_t)size);
    out[whole] = '.';
    fraction = fraction < 0 ? 0 : fraction;
    memset(out + whole + 1 + fraction, '0', (size_t)(scale - fraction));
    return (Bytes){out, whole + 1 + scale};
}

/* Eight bytes against a picture: every difference of a digit is at most nine, of a sign nothing. */
INLINE u64 differs(const u8 *p, u64 picture, u64 allowance) {
    u64 x = load_8(p) ^ picture;
    return (x | (x + allowance)) & 0x8080808080808080ull;
}

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define DATE_PICTURE 0x2D30302D30303030ull /* 0000-00- */
#define DATE_ALLOWANCE 0x7F76767F76767676ull
#define TIME_PICTURE 0x30303A30303A3030ull /* 00:00:00 */
#define TIME_ALLOWANCE 0x76767F76767F7676ull
#else
#define DATE_PICTURE 0x303030302D30302Dull
#define DATE_ALLOWANCE 0x767676767F76767Full
#define TIME_PICTURE 0x30303A30303A3030ull
#define TIME_ALLOWANCE 0x76767F76767F7676ull
#endif

INLINE int two_digits(const u8 *p) { return (p[0] - '0') * 10 + (p[1] - '0'); }

/* A day of a month, counted from 1971-01-01; 29 February and impossible days are none. */
#define NO_DAY INT64_MIN
INLINE i64 day_number(int year, int month, int day) {
    static const u8 days[13] = {0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    static const int before[13] = {0, 0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334};
    if (month < 1 || month > 12 || day < 1 || day > days[month]) return NO_DAY;
    int is_leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    i64 years = year - 1971;
    return years * 365 + (years + 2) / 4 + before[month] + (is_leap && month > 2) + day - 1;
}

/* A date as the server prints it, with exactly the column's time of day and fractional digits. */
INLINE Bytes canonical_date(const Column *c, const u8 *p, i64 size) {
    i64 wanted = !(c->flags & HAS_TIME) ? 10 : c->scale ? 20 + c->scale : 19;
    if (size != wanted || differs(p, DATE_PICTURE, DATE_ALLOWANCE) || !is_digits(p + 8, 2) || p[0] == '0') return HARD;
    int year = two_digits(p) * 100 + two_digits(p + 2);
    i64 day = day_number(year, two_digits(p + 5), two_digits(p + 8));
    if (day == NO_DAY) return HARD;
    if (c->flags & HAS_TIME) {
        const u8 *time = p + 11;
        if (p[10] != ' ' || differs(time, TIME_PICTURE, TIME_ALLOWANCE)) return HARD;
        if (two_digits(time) > 23 || time[3] > '5' || time[6] > '5') return HARD;
        if (c->scale && (p[19] != '.' || !is_digits(p + 20, c->scale))) return HARD;
    }
    if (c->flags & IS_TIMESTAMP) {
        if (year < 1971 || year > 2037) return HARD;
        if (c->calm_days && !(c->calm_days[day >> 3] >> (day & 7) & 1)) return HARD;
    }
    return (Bytes){p, size};
}

/* A clock time as the server prints it, with exactly the column's fractional digits. */
INLINE Bytes canonical_time(const Column *c, const u8 *p, i64 size) {
    if (size != (c->scale ? 9 + (i64)c->scale : 8) || differs(p, TIME_PICTURE, TIME_ALLOWANCE)) return HARD;
    if (two_digits(p) > 23 || p[3] > '5' || p[6] > '5') return HARD;
    if (c->scale && (p[8] != '.' || !is_digits(p + 9, c->scale))) return HARD;
    return (Bytes){p, size};
}

/* The parts of a plain number: its digits as one number, how many, and the power of ten. */
typedef struct {
    u64 digits;
    i64 count, power;
} Number;

static i64 skip_digits(const u8 *p, i64 at, i64 size, Number *number) {
    for (; at < size && (u8)(p[at] - '0') <= 9; at++, number->count++) number->digits = number->digits * 10 + (p[at] - '0');
    return at;
}

/* Reads digits, then perhaps a point and digits, then perhaps an exponent of at most three digits. */
INLINE int read_plain_number(const u8 *p, i64 size, Number *number) {
    i64 start = size > 0 && *p == '-', at = skip_digits(p, start, size, number);
    if (at == start) return 0;
    if (at < size && p[at] == '.') {
        start = at + 1, at = skip_digits(p, start, size, number);
        if (at == start) return 0;
        number->power = start - at;
    }
    if (at == size) return 1;
    if ((p[at] | 32) != 'e') return 0;
    Number exponent = {0, 0, 0};
    int is_small = ++at < size && p[at] == '-';
    start = at + (at < size && (p[at] == '-' || p[at] == '+'));
    at = skip_digits(p, start, size, &exponent);
    number->power += is_small ? -(i64)exponent.digits : (i64)exponent.digits;
    return at == size && at > start && at - start <= 3;
}

/* The nearest double of a text. Where digits and power are exact, one operation rounds right; else the C library does,
 * and where another locale's point is set it stops early. */
INLINE int read_double(const u8 *p, i64 size, double *value) {
    static const double powers[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                    1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    Number number = {0, 0, 0};
    if (size > 60 || !read_plain_number(p, size, &number)) return 0;
#if FLT_EVAL_METHOD == 0
    if (number.count <= 18 && number.digits <= 1ull << 53 && number.power >= -22 && number.power <= 22) {
        double digits = (double)number.digits;
        digits = number.power < 0 ? digits / powers[-number.power] : digits * powers[number.power];
        *value = *p == '-' ? -digits : digits;
        return 1;
    }
#endif
    char text[64], *end;
    memcpy(text, p, (size_t)size);
    text[size] = 0;
    *value = strtod(text, &end);
    return end == text + size && *value - *value == 0; /* not infinite */
}

/* A double's eight bytes, the highest first; no zero has a sign. */
INLINE Bytes canonical_float(const Column *c, const u8 *p, i64 size, u8 *out) {
    double value;
    if (!read_double(p, size, &value) || (c->flags & UNSIGNED && value < 0)) return HARD;
    if (c->flags & IS_SINGLE) {
        if (value > FLT_MAX || value < -FLT_MAX) return HARD;
        value = (double)(float)value;
    }
    u64 bits;
    value = value == 0 ? 0.0 : value;
    memcpy(&bits, &value, 8);
    for (int i = 0; i < 8; i++) out[i] = (u8)(bits >> (56 - 8 * i));
    memset(out + 8, 0, 24);
    return (Bytes){out, 8};
}

/* `out` has `room` bytes, more than twice the text and 256 more. */
INLINE Bytes canonical(const Column *c, const u8 *p, i64 size, u8 *out, i64 room) {
    switch (c->form) {
    case FORM_TEXT: return canonical_text(c, p, size, out, room);
    case FORM_BYTES: return canonical_bytes(c, p, size, out);
    case FORM_INTEGER: return canonical_integer(c, p, size);
    case FORM_DECIMAL: return canonical_decimal(c, p, size, out);
    case FORM_DATE: return canonical_date(c, p, size);
    case FORM_TIME: return canonical_time(c, p, size);
    case FORM_FLOAT: return canonical_float(c, p, size, out);
    default: return HARD;
    }
}

#endif
