/* The calls from outside. See kernel.h for what this is. */
#include "kernel.h"

#include "find.h"
#include "memory.h"
#include "rows.h"
#include "sql.h"

/* Takes a file's dialect and field places. */
EXPORT int kernel_dialect(Scan *s, const Dialect *dialect) {
    s->dialect = *dialect;
    s->last_field = 0;
    for (u32 i = 0; i < s->plan.columns; i++)
        if (dialect->field[i] > s->last_field) s->last_field = dialect->field[i];
    if (s->last_field > s->fields_room) {
        free(s->batch.start), free(s->batch.end);
        u64 bytes = 4ull * BATCH * (u64)(s->last_field + 1);
        s->batch.start = malloc(bytes), s->batch.end = malloc(bytes);
        s->fields_room = s->batch.start && s->batch.end ? s->last_field : -1;
    }
    return s->fields_room >= s->last_field;
}

/* Begins a piece of input at a row's start; fd is -1 where the bytes are pushed. Returns the first row's number. */
EXPORT u64 kernel_begin(Scan *s, int fd, u64 start, u64 limit, u64 file_size) {
    s->next_row = (s->next_row + GRANULE - 1) & ~(u64)(GRANULE - 1);
    s->fd = fd, s->position = s->base = start, s->limit = limit, s->file_size = file_size;
    s->carried = 0, s->lines_before = 0, s->is_at_limit = s->is_behind_blanks = 0;
    s->batch.count = s->batch.dirty_count = 0, s->batch.has_exceptions = 0;
    memset(s->batch.null, 0, sizeof s->batch.null);
    memset(s->batch.hard, 0, sizeof s->batch.hard);
    return s->next_row;
}

/* Numbers so many rows that the caller reads itself, from an offset on; returns the first one's number. */
EXPORT u64 kernel_foreign_row(Scan *s, u64 offset, u64 line) {
    u32 row = (u32)s->next_row++;
    if ((row & (GRANULE - 1)) == 0) add_place(s, offset, line);
    return row;
}

static int problem_of(const Scan *s) {
    if (s->is_out_of_memory) return STATUS_MEMORY;
    if (s->spill_error) return STATUS_SPILL;
    return s->next_row >= UINT32_MAX - (1u << 28) ? STATUS_ROWS : STATUS_DONE;
}

/* Reads the rows of b[0..size), which begins at a row's start and ends with the file if is_final. Returns the bytes
 * used; *is_stopped where the exact reader must take over. */
static u64 read_rows(Scan *s, u8 *b, u64 size, int is_final, int *is_stopped) {
    u64 added = 0;
    if (s->dialect.is_sql) return sql_statements(s, b, size, is_final, is_stopped);
    if (is_final) { /* a line end of our own: the last row may have none, or an escaped one */
        u32 ends = s->dialect.ends;
        b[size] = ends ? s->dialect.end[0] : '\n';
        if (ends == 2) b[size + 1] = s->dialect.end[1];
        added = ends == 2 ? 2 : 1;
    }
    memset(b + size + added, 0, SLACK / 2);
    u64 events = scan_csv_chunk(s, b, size + added, 0), used = csv_rows(s, b, events, size, is_final);
    if (used > size) used = size;
    *is_stopped = !s->is_at_limit && (s->bad_at < size + added || (is_final && used < size));
    s->lines_before += feeds_before(s, used);
    s->base += used;
    return used;
}

/* Moves the unused rest in front of the next bytes; makes room where a row is longer than that. */
static int carry_over(Scan *s, const u8 *rest, u64 size) {
    if (size <= s->head) {
        memmove(s->buffer + s->head - size, rest, size);
        s->carried = size;
        return 1;
    }
    u64 head = s->head;
    while (head < 2 * size) head *= 2;
    u8 *kept = malloc(size);
    if (!kept) return 0;
    memcpy(kept, rest, size);
    s->carried = 0;
    int is_good = has_buffer(s, head, s->room < head ? head : s->room);
    if (is_good) memcpy(s->buffer + s->head - size, kept, size);
    s->carried = is_good ? size : 0;
    free(kept);
    return is_good;
}

/* One chunk more: `fresh` bytes stand behind the head. */
static int take_chunk(Scan *s, u64 fresh, int is_final) {
    u8 *b = s->buffer + s->head - s->carried;
    u64 size = s->carried + fresh;
    int is_stopped = 0;
    u64 used = read_rows(s, b, size, is_final, &is_stopped);
    int problem = problem_of(s);
    if (problem) return problem;
    if (s->is_at_limit) return STATUS_DONE;
    if (is_stopped) return STATUS_STOPPED;
    if (is_final) return STATUS_DONE;
    if (size - used > s->plan.row_bytes_most) return STATUS_STOPPED;
    return carry_over(s, b + used, size - used) ? STATUS_MORE : STATUS_MEMORY;
}

static u64 next_part(Scan *s, u64 left) {
    u64 most = s->pace < s->room ? s->pace : s->room;
    if (s->pace < s->room) s->pace *= 2;
    return left < most ? left : most;
}

static int has_handed_enough(const Scan *s) { return s->hard_bytes > (s->pace < s->room ? 0 : 1 << 20); }

/* Reads on from the file for at most so many bytes, and less if many rows are handed out. */
EXPORT int kernel_step(Scan *s, u64 bytes_most) {
    s->hard_bytes = 0;
    for (u64 done = 0;;) {
        u64 wanted = next_part(s, s->file_size - s->position);
        int error = wanted ? read_all(s->fd, s->buffer + s->head, wanted, s->position) : 0;
        if (error) {
            errno = error;
            return STATUS_READ;
        }
        s->position += wanted, done += wanted;
        int status = take_chunk(s, wanted, s->position >= s->file_size);
        if (status != STATUS_MORE || done >= bytes_most || has_handed_enough(s)) return status;
    }
}

/* Takes bytes that were read elsewhere (decompressed); *taken may be less than size: then the rest has to come again. */
EXPORT int kernel_push(Scan *s, const u8 *bytes, u64 size, int is_final, u64 *taken) {
    int status = STATUS_MORE;
    s->hard_bytes = 0;
    *taken = 0;
    do {
        u64 part = next_part(s, size - *taken);
        memcpy(s->buffer + s->head, bytes + *taken, part);
        *taken += part;
        status = take_chunk(s, part, is_final && *taken == size);
    } while (status == STATUS_MORE && *taken < size && !has_handed_enough(s));
    return status;
}

/* Where reading stands: the offset behind the last whole row, the rows numbered, the lines before the offset. */
EXPORT void kernel_where(const Scan *s, u64 *where) {
    where[0] = s->base, where[1] = s->next_row, where[2] = s->lines_before;
    where[3] = s->hard_bytes, where[4] = s->place_count, where[5] = s->spill_offset;
    where[6] = (u64)s->spill_error, where[7] = s->carried;
}

EXPORT const u8 *kernel_hard(const Scan *s) { return s->hard; }
EXPORT const Place *kernel_places(const Scan *s) { return s->places; }

/* From now on rows are only handed out: those with these ascending numbers, counted from the next kernel_begin. */
EXPORT void kernel_want(Scan *s, const u32 *rows, u64 count) {
    s->is_capture = 1;
    s->wanted = rows, s->wanted_count = count, s->wanted_at = 0;
    s->next_row = 0, s->place_count = 0;
}

/* Hands out one row per request: of the rows that lie in [from, to) the one with this number, from 0. Returns how many
 * requests were met; it is the first unmet one's number if that is less. */
EXPORT u64 kernel_fetch(Scan *s, int fd, const u64 *requests, u64 count) {
    s->hard_bytes = 0;
    for (u64 i = 0; i < count; i++) {
        const u64 from = requests[3 * i], size = requests[3 * i + 1] - from, before = s->hard_bytes;
        const u32 number = (u32)requests[3 * i + 2];
        int is_stopped;
        s->carried = 0;
        if (size > s->room && !has_buffer(s, s->head, size)) return i;
        if (read_all(fd, s->buffer + s->head, size, from)) return i;
        kernel_want(s, &number, 1);
        kernel_begin(s, fd, from, ~0ull, ~0ull);
        read_rows(s, s->buffer + s->head, size, 1, &is_stopped);
        if (s->hard_bytes == before || s->is_out_of_memory) return i;
    }
    return count;
}

EXPORT u64 kernel_hash(const Scan *s, const u8 *canonical, u64 size) {
    return hash_bytes(canonical, (i64)size, s->plan.seed);
}

/* A key's word made elsewhere, of the hashes of its parts. */
EXPORT int kernel_add(Scan *s, u32 key, const u64 *parts, u32 count, u64 row) {
    u64 h = parts[0];
    if (count > 1) {
        for (u32 i = 1; i < count; i++) h = hash_step(h, parts[i]);
        h = hash_finish(h);
    }
    if (s->plan.sample_of_4096 < 4096 && !is_sampled(s, h)) return problem_of(s);
    u32 slot = key * s->partitions + (u32)(h >> (64 - s->plan.partition_bits));
    put_word(s, slot, word_of(h, (u32)row), block_bytes(s) - 1);
    return problem_of(s);
}

EXPORT void kernel_finish(Scan *s) { complete_lines(s); }

EXPORT Finder *kernel_finder(void) { return zeroed(sizeof(Finder)); }

EXPORT void kernel_free_finder(Finder *f) {
    if (!f) return;
    free(f->seen), free(f->second), free(f->words), free(f->scans), free(f->runs), free(f->spilled);
    free(f->spill_places), free(f->left);
    free(f);
}

/* Candidates of the slots [first, stop) of all finished scans; up to `room` of them. Returns an errno. */
EXPORT int kernel_find(Finder *f, Scan **scans, u32 scan_count, u32 first, u32 stop, const Dropped *dropped,
                       u32 dropped_count, Candidate *out, u64 room, Found *found) {
    memset(found, 0, sizeof *found);
    f->error = 0;
    f->group_start = f->group_stop = 0;
    for (u32 slot = first; slot < stop && !f->error; slot++) {
        if (slot >= f->group_stop) load_spilled(f, scans, scan_count, slot, stop);
        if (f->error) break;
        u64 count = collect_runs(f, scans, scan_count, slot);
        found->words += count;
        if (f->error || count < 2 || !has_room(f, count)) continue;
        u64 left = filter_by_leading_bits(f, count);
        if (left > 1) left = filter_by_other_bits(f, left, slot, dropped, dropped_count);
        if (left > 1) report_groups(f, left, out, room, found);
    }
    return f->error;
}

enum { LOOK_BACK = 64 };

/* Guesses where a row starts at or behind `start` in the middle of a file: the first line end of CSV or the first row
 * of SQL under the hypothesis (within quotes or not) with fewer ragged rows. It has to be proven later. 0 if none is in
 * sight. */
EXPORT u64 kernel_guess(Scan *s, int fd, u64 start, u64 file_size) {
    if (s->dialect.is_sql) {
        u64 from = start > LOOK_BACK ? start - LOOK_BACK : 0, left = file_size - from, row;
        if (left > s->room) left = s->room;
        if (start == from || left <= start - from || read_all(fd, s->buffer, left, from)) return 0;
        row = guess_sql(s, s->buffer, start - from, left);
        return row ? from + row : 0;
    }
    u64 size = s->room < file_size - start + 1 ? s->room : file_size - start + 1, best = 0, skipped = 1;
    double best_score = -1;
    u8 *b = s->buffer;
    if (read_all(fd, b, size, start - 1)) return 0;
    while (skipped < size && s->dialect.has_escape && b[skipped - 1] == s->dialect.escape) skipped++;
    memset(b + size, 0, SLACK / 2);
    for (int is_within = 0; is_within < 2; is_within++) {
        u64 events = scan_csv_chunk(s, b + skipped, size - skipped, is_within ? ~0ull : 0), good = 0, bad = s->bad_at != ~0ull;
        if (events < 2) continue;
        u32 before = separators_before(s, s->events[0]);
        for (u64 i = 1; i < events; i++) {
            u32 count = separators_before(s, s->events[i]);
            if (count - before == s->dialect.fields - 1u + s->dialect.trims_last) good++;
            else bad += s->events[i] > s->events[i - 1] + 1;
            before = count;
        }
        double score = ((double)good + 1) / ((double)good + (double)bad + 2) + (double)good * 1e-9;
        if (score > best_score) best_score = score, best = start - 1 + skipped + s->events[0] + 1;
    }
    return best;
}

/* The words of a slot that are in memory, for tests. */
EXPORT u64 kernel_words(const Scan *s, u32 slot, u64 *out) {
    u64 count = 0;
    const u32 full = (u32)(block_bytes(s) / 8);
    for (u32 block = s->youngest[slot], is_first = 1; block != ~0u; block = s->previous[block], is_first = 0) {
        const u64 *words = (const u64 *)(s->pool + (u64)block * block_bytes(s));
        u32 filled = is_first ? (u32)(s->target[slot] - words) : full;
        if (out) memcpy(out + count, words, 8ull * filled);
        count += filled;
    }
    return count;
}

EXPORT u64 kernel_struct_sizes(void) {
    return sizeof(Column) | sizeof(Plan) << 16 | (u64)sizeof(Dialect) << 32 | (u64)sizeof(HardRow) << 48;
}
