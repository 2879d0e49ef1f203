// Reads a file as a stream of bytes, unpacked if its name ends in .gz, in memory that doesn't grow with the file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "core/files.h"

struct gzFile_s;

namespace absorb {

class ByteSource {
 public:
  /// UserError naming the path when it can't be read, or ends in .gz and is none.
  explicit ByteSource(const Path& path);
  ~ByteSource();
  ByteSource(const ByteSource&) = delete;
  ByteSource& operator=(const ByteSource&) = delete;

  /// Up to `size` bytes; fewer only at the end, 0 after it. UserError when packed data are damaged or cut short.
  std::size_t read(char* to, std::size_t size);
  /// Bytes of the (packed) file that were taken so far, and in all.
  std::uintmax_t taken() const;
  std::uintmax_t total() const { return total_; }
  const Path& path() const { return path_; }

 private:
  Path path_;
  std::uintmax_t total_ = 0;
  gzFile_s* file_ = nullptr;
};

/// xxh3-128 of a file, streamed; remembered within the process while its size and time of change stay the same.
std::string hash_file(const Path& path);

/// "x.jsonl" for "x.jsonl.gz".
Path without_gz(const Path& path);

}  // namespace absorb
