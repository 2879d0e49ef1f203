#include "studies/bundle/archive.h"

#include <archive.h>
#include <archive_entry.h>

#include <cerrno>

#include "core/error.h"
#include "studies/folder/paths.h"

namespace absorb {
namespace {

constexpr std::size_t piece = 1 << 20;

std::string reason_of(archive* a) {
  const char* text = ::archive_error_string(a);
  return text == nullptr ? "unknown reason" : text;
}

}  // namespace

ArchiveWriter::ArchiveWriter(int descriptor, Path file) : archive_(::archive_write_new()), file_(std::move(file)) {
  require_fine(::archive_write_add_filter_zstd(archive_));
  require_fine(::archive_write_set_filter_option(archive_, "zstd", "compression-level", "19"));
  require_fine(::archive_write_set_format_pax_restricted(archive_));
  descriptor_ = descriptor;
  require_fine(::archive_write_set_bytes_in_last_block(archive_, 1));  // else zeros follow zstd's last frame
  require_fine(::archive_write_open(archive_, this, nullptr, write, nullptr));
}

// libarchive's callback: what it packed, to the file.
std::ptrdiff_t ArchiveWriter::write(archive* a, void* self, const void* data, std::size_t size) {
  const auto& writer = *static_cast<const ArchiveWriter*>(self);
  try {
    write_bytes(writer.descriptor_, {static_cast<const char*>(data), size}, writer.file_);
  } catch (const UserError& error) {
    ::archive_set_error(a, EIO, "%s", error.what());
    return -1;
  }
  return static_cast<std::ptrdiff_t>(size);
}

ArchiveWriter::~ArchiveWriter() {
  ::archive_write_free(archive_);
}

void ArchiveWriter::require_fine(int status) const {
  require(status == ARCHIVE_OK, "can't write {}: {}", file_.string(), reason_of(archive_));
}

void ArchiveWriter::add(const std::string& name, std::string_view content) {
  const std::unique_ptr<archive_entry, void (*)(archive_entry*)> entry(::archive_entry_new(), ::archive_entry_free);
  ::archive_entry_set_pathname(entry.get(), name.c_str());
  ::archive_entry_set_size(entry.get(), static_cast<la_int64_t>(content.size()));
  ::archive_entry_set_filetype(entry.get(), AE_IFREG);
  ::archive_entry_set_perm(entry.get(), 0644);
  require_fine(::archive_write_header(archive_, entry.get()));
  while (!content.empty()) {
    const la_ssize_t count = ::archive_write_data(archive_, content.data(), std::min(content.size(), piece));
    require(count > 0, "can't write {}: {}", file_.string(), reason_of(archive_));
    content.remove_prefix(static_cast<std::size_t>(count));
  }
}

void ArchiveWriter::finish() {
  require_fine(::archive_write_close(archive_));
}

ArchiveReader::ArchiveReader(const Path& file) : archive_(::archive_read_new()), file_(file) {
  ::archive_read_support_filter_zstd(archive_);
  ::archive_read_support_format_tar(archive_);
  if (std::filesystem::is_regular_file(file) &&
      ::archive_read_open_filename(archive_, file.c_str(), piece) == ARCHIVE_OK)
    return;
  const std::string why = std::filesystem::is_regular_file(file) ? reason_of(archive_) : "there is no such file";
  ::archive_read_free(archive_);
  user_error("{}: is no bundle of absorb, or is damaged: {}", file.string(), why);
}

ArchiveReader::~ArchiveReader() {
  ::archive_read_free(archive_);
}

void ArchiveReader::fail(const std::string& reason) const {
  user_error("{}: is no bundle of absorb, or is damaged: {}", file_.string(), reason);
}

std::optional<ArchiveReader::Entry> ArchiveReader::next() {
  archive_entry* entry = nullptr;
  const int status = ::archive_read_next_header(archive_, &entry);
  if (status == ARCHIVE_EOF) return std::nullopt;
  if (status != ARCHIVE_OK) fail(reason_of(archive_));
  const char* path = ::archive_entry_pathname(entry);
  const std::string name = path == nullptr ? "" : path;
  if (!is_inside(name)) fail(fmt::format("it holds \"{}\", which lies outside the folder", name));
  if (::archive_entry_filetype(entry) != AE_IFREG || ::archive_entry_hardlink(entry) != nullptr)
    fail(fmt::format("it holds \"{}\", which is no plain file", name));
  return Entry{name, ::archive_entry_size(entry)};
}

void ArchiveReader::read(const std::function<void(std::string_view)>& take) {
  std::string buffer(piece, '\0');
  for (;;) {
    const la_ssize_t count = ::archive_read_data(archive_, buffer.data(), buffer.size());
    if (count == 0) return;
    if (count < 0) fail(reason_of(archive_));
    take({buffer.data(), static_cast<std::size_t>(count)});
  }
}

}  // namespace absorb
