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

// Takes the bytes out of the buffer where all of them are there; 0: they are not, or the stream is anyone's. It is its
// thread's own where __fsetlocking(3) was told so.
static inline int take(void *to, size_t size, size_t count, FILE *stream) {
    if (size != 1 || (stream->_flags & _IO_USER_LOCK) == 0) return 0;
    // Both are NULL before the first read, and the end is never below the place in it.
    const char *from = stream->_IO_read_ptr;
    if ((size_t)(stream->_IO_read_end - from) < count) return 0;
    stream->_IO_read_ptr += count;
    __builtin_memcpy(to, from, count);
    return 1;
}

size_t fread(void *restrict to, size_t size, size_t count, FILE *restrict stream) {
    return take(to, size, count, stream) ? count : _IO_fread(to, size, count, stream);
}

// What a library calls that was built with _FORTIFY_SOURCE; `room` is what the compiler knew of the place.
size_t __fread_chk(void *restrict to, size_t room, size_t size, size_t count, FILE *restrict stream) {
    if (size != 0 && count > room / size) __chk_fail();
    return take(to, size, count, stream) ? count : _IO_fread(to, size, count, stream);
}

#endif
