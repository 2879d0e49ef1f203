// Files that are either whole or absent: everything is written aside, flushed to disk, and renamed.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "core/hash.h"

namespace absorb {

using Path = std::filesystem::path;

/// What stands for a path in a message: an empty one as "".
std::string shown(const Path& path);

/// Writes `content` to `path`.tmp.<random>, fsyncs, renames over `path`. UserError when the folder can't be written.
void write_file(const Path& path, std::string_view content);
/// The same for content that is streamed: `fill` writes to the open descriptor.
void write_file(const Path& path, const std::function<void(int descriptor)>& fill);
/// Writes all bytes to a descriptor; UserError naming `path` when the disk is full.
void write_bytes(int descriptor, std::string_view bytes, const Path& path);
/// Of files that are read whole: a study, a record, a tokeniser.
inline constexpr std::uintmax_t most_read = 1ULL << 30;
/// Whole file as bytes. UserError naming the path when it is absent, unreadable, no regular file (a folder, a FIFO, a
/// device) or of more than `most` bytes.
std::string read_file(const Path& path, std::uintmax_t most = most_read);
/// 16 hexadecimal digits, other ones at every call in every process on every host.
std::string random_name();
/// Makes the folder and those above it. UserError with its path.
void make_folder(const Path& folder);
/// Renames a file or a folder, and flushes the folder that it comes into. UserError with both paths.
void move_path(const Path& from, const Path& to);
/// Removes whatever is there, with all that is in it. UserError with its path.
void remove_tree(const Path& path);
/// Removes what a killed process left of files that it was writing below this folder: NAME.tmp.RANDOM, an hour old.
/// For a run's folder by whoever holds its claim: of any age.
void remove_asides(const Path& folder, bool of_any_age);
/// UserError unless `folder` exists (it is created) and a file can be made in it.
void require_writable(const Path& folder);
/// Bytes free for us where `path` is or would be.
std::uintmax_t free_bytes(const Path& path);

/// A read-only memory map of a whole regular file; an empty file is an empty span. A file that shrinks while it is
/// mapped ends the process with one line and status 2, where it would be a bus error.
class MappedFile {
 public:
  explicit MappedFile(const Path& path);
  /// UserError where the file has another size or time, or is another file, than when it was mapped.
  void require_unchanged() const;
  ~MappedFile();
  MappedFile(MappedFile&&) noexcept;
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  MappedFile& operator=(MappedFile&&) = delete;
  std::span<const std::byte> bytes() const { return {data_, size_}; }
  std::string_view text() const { return {reinterpret_cast<const char*>(data_), size_}; }

 private:
  Path path_;
  std::string state_;  // device, inode, size, time
  const std::byte* data_ = nullptr;
  std::size_t size_ = 0;
};

/// What changes when a file does: device, inode, size and time of the last change. Empty where there is none.
std::string file_state(const Path& path);

}  // namespace absorb
