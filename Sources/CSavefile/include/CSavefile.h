// Reads of a few bytes from a stream of one thread, without the long way through stdio for each.
//
// libpcap reads a savefile by two fread(3) a packet, and those are half of what its empty loop takes. A program that links this
// module answers them itself where the bytes lie in the stream's buffer already, and leaves all else to libc. Nothing is
// called: what counts are the names, which stand before libc's in the search order of the dynamic linker.
//
// See docs/decisions/0007-capture-engine.md.

#ifndef CSAVEFILE_H
#define CSAVEFILE_H
#endif
