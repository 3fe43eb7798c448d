// fread(3) in front of glibc's own, for streams that belong to one thread.

#include "CSavefile.h"

#include <stdio.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(memory_sanitizer) || __has_feature(thread_sanitizer)
#define TAUT_IS_WATCHED 1
#endif
#endif

// Other libraries than glibc have other streams, and a sanitizer stands in this place itself.
#if defined(__GLIBC__) && !defined(TAUT_IS_WATCHED)

// glibc's own fread under the name that it keeps for calls from inside, and what its checked functions end a program with.
extern size_t _IO_fread(void *to, size_t size, size_t count, FILE *stream);
extern void __chk_fail(void) __attribute__((noreturn));

// Whether all the bytes lie in the buffer, and the stream is its thread's own, as __fsetlocking(3) was told. Both ends of
// the buffer are NULL before the first read, and the end is never below the place in it.
static inline int has(const FILE *stream, size_t count) {
    return (stream->_flags & _IO_USER_LOCK) != 0 && (size_t)(stream->_IO_read_end - stream->_IO_read_ptr) >= count;
}

// Takes them out of it.
static inline size_t take(char *to, size_t count, FILE *stream) {
    const char *from = stream->_IO_read_ptr;
    stream->_IO_read_ptr += count;
    __builtin_memcpy(to, from, count);
    return count;
}

static __attribute__((noinline)) size_t take_any(void *to, size_t size, size_t count, FILE *stream) {
    return size == 1 && has(stream, count) ? take(to, count, stream) : _IO_fread(to, size, count, stream);
}

// Records of the common snap lengths go without a call: their first and their last bytes, which may overlap.
size_t fread(void *restrict to, size_t size, size_t count, FILE *restrict stream) {
    if (size != 1 || count < 64 || count > 128 || !has(stream, count)) return take_any(to, size, count, stream);
    const char *from = stream->_IO_read_ptr;
    stream->_IO_read_ptr += count;
    __builtin_memcpy(to, from, 64);
    __builtin_memcpy((char *)to + count - 64, from + count - 64, 64);
    return count;
}

static __attribute__((noinline)) size_t take_checked(void *to, size_t room, size_t size, size_t count, FILE *stream) {
    if (size != 0 && count > room / size) __chk_fail();
    return take_any(to, size, count, stream);
}

// What a library calls that was built with _FORTIFY_SOURCE; `room` is what the compiler knew of the place. A record's
// header goes without a call.
size_t __fread_chk(void *restrict to, size_t room, size_t size, size_t count, FILE *restrict stream) {
    if (size != 1 || count != 16 || room < 16 || !has(stream, 16)) return take_checked(to, room, size, count, stream);
    return take(to, 16, stream);
}

#endif
