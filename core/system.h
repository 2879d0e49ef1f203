// Every call that absorb makes to change or read a file, in one place, so that a test can let the n-th of them go wrong
// (docs/reliability.md). What they do is what POSIX says: -1 and errno on failure.
//
//     ABSORB_FAULT=fail:17   the 17th call fails with ENOSPC (EIO where it reads)
//     ABSORB_FAULT=short:17  a write writes one byte, and the next one fails; any other call fails
//     ABSORB_FAULT=kill:17   the process is killed before it
//     ABSORB_FAULT=count:F   nothing goes wrong; the number of calls is in file F at the process's end
#pragma once

#include <sys/types.h>

#include <cstddef>

namespace absorb::system {

/// Close-on-exec is added; a FIFO that nobody writes to doesn't hold it up.
int open(const char* path, int flags, unsigned mode = 0644);
ssize_t read(int descriptor, void* to, std::size_t size);
ssize_t write(int descriptor, const void* from, std::size_t size);
int fsync(int descriptor);
int rename(const char* from, const char* to);
int unlink(const char* path);
int mkdir(const char* path, unsigned mode = 0755);
/// Read-only and shared; null on failure.
void* map(int descriptor, std::size_t size);

}  // namespace absorb::system
