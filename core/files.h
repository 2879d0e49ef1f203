// Files that are either whole or absent: everything is written aside, flushed to disk, and renamed.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace absorb {

using Path = std::filesystem::path;

/// Writes `content` to `path`.tmp.<pid>, fsyncs, renames over `path`. UserError when the folder can't be written.
void write_file(const Path& path, std::string_view content);
/// The same for content that is streamed: `fill` writes to the open descriptor.
void write_file(const Path& path, const std::function<void(int descriptor)>& fill);
/// Writes all bytes to a descriptor; UserError naming `path` when the disk is full.
void write_bytes(int descriptor, std::string_view bytes, const Path& path);
/// Whole file as bytes. UserError naming the path when it is absent or unreadable.
std::string read_file(const Path& path);
/// UserError unless `folder` exists (it is created) and a file can be made in it.
void require_writable(const Path& folder);
/// Bytes free for us where `path` is or would be.
std::uintmax_t free_bytes(const Path& path);

/// A read-only memory map of a whole file; an empty file is an empty span.
class MappedFile {
 public:
  explicit MappedFile(const Path& path);
  ~MappedFile();
  MappedFile(MappedFile&&) noexcept;
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  MappedFile& operator=(MappedFile&&) = delete;
  std::span<const std::byte> bytes() const { return {data_, size_}; }
  std::string_view text() const { return {reinterpret_cast<const char*>(data_), size_}; }

 private:
  const std::byte* data_ = nullptr;
  std::size_t size_ = 0;
};

/// xxh3-128 as 32 hexadecimal digits.
std::string hash_hex(std::string_view bytes);
/// xxh3-64 of bytes.
std::uint64_t hash64(std::string_view bytes);

}  // namespace absorb
