// A .tar.zst file, written and read through libarchive. Reading trusts nothing: an entry is a plain file with a name
// that stays inside the folder that it is unpacked to, or it is refused.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "core/files.h"

struct archive;

namespace absorb {

/// Writes entries to an open descriptor. Two archives of the same entries are the same bytes: no times, no owners.
class ArchiveWriter {
 public:
  ArchiveWriter(int descriptor, Path file);
  ~ArchiveWriter();
  ArchiveWriter(const ArchiveWriter&) = delete;
  ArchiveWriter& operator=(const ArchiveWriter&) = delete;
  void add(const std::string& name, std::string_view content);
  /// Writes the end; UserError when the disk is full.
  void finish();

 private:
  static std::ptrdiff_t write(archive* a, void* self, const void* data, std::size_t size);
  void require_fine(int status) const;
  archive* archive_;
  Path file_;
  int descriptor_ = -1;
};

class ArchiveReader {
 public:
  /// UserError naming the file when it is absent.
  explicit ArchiveReader(const Path& file);
  ~ArchiveReader();
  ArchiveReader(const ArchiveReader&) = delete;
  ArchiveReader& operator=(const ArchiveReader&) = delete;

  struct Entry {
    std::string name;
    int64_t bytes = 0;
  };
  /// The next entry, or none at the end. UserError for what is no archive, is damaged, or is no plain file inside.
  std::optional<Entry> next();
  /// The content of the entry that next() gave, piece by piece.
  void read(const std::function<void(std::string_view)>& take);

 private:
  [[noreturn]] void fail(const std::string& reason) const;
  archive* archive_;
  Path file_;
};

}  // namespace absorb
