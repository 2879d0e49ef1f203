#include "core/files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <system_error>
#include <utility>

#include "core/error.h"

namespace absorb {
namespace {

std::string reason() {
  return std::strerror(errno);
}

/// Unique among processes and threads, so that racing writers never share a file.
Path aside(const Path& path) {
  static std::atomic<unsigned> count{0};
  const unsigned number = count++;
  Path result = path;
  result += number == 0 ? fmt::format(".tmp.{}", getpid()) : fmt::format(".tmp.{}-{}", getpid(), number);
  return result;
}

Path folder_of(const Path& path) {
  return path.has_parent_path() ? path.parent_path() : Path(".");
}

/// Makes the rename itself survive a power cut. Some network file systems refuse to sync folders: no error then.
void sync_folder(const Path& folder) {
  const int descriptor = open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) return;
  fsync(descriptor);
  close(descriptor);
}

/// Closes on every way out.
class Descriptor {
 public:
  explicit Descriptor(int descriptor) : descriptor_(descriptor) {}
  ~Descriptor() { close(); }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return descriptor_; }
  /// 0 when closing succeeded (a network file system reports a full disk only here).
  int close() { return descriptor_ < 0 ? 0 : ::close(std::exchange(descriptor_, -1)); }

 private:
  int descriptor_;
};

void write_aside(const Path& temporary, const Path& path, const std::function<void(int)>& fill) {
  Descriptor file(open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
  require(file.get() >= 0, "can't write {}: {}", path.string(), reason());
  fill(file.get());
  require(fsync(file.get()) == 0 && file.close() == 0, "can't write {}: {}", path.string(), reason());
}

}  // namespace

void write_bytes(int descriptor, std::string_view bytes, const Path& path) {
  while (!bytes.empty()) {
    const ssize_t count = write(descriptor, bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) continue;
    require(count >= 0, "can't write {}: {}", path.string(), reason());
    bytes.remove_prefix(static_cast<std::size_t>(count));
  }
}

void write_file(const Path& path, std::string_view content) {
  write_file(path, [&](int descriptor) { write_bytes(descriptor, content, path); });
}

void write_file(const Path& path, const std::function<void(int)>& fill) {
  const Path temporary = aside(path);
  try {
    write_aside(temporary, path, fill);
    require(rename(temporary.c_str(), path.c_str()) == 0, "can't write {}: {}", path.string(), reason());
  } catch (...) {
    unlink(temporary.c_str());
    throw;
  }
  sync_folder(folder_of(path));
}

std::string read_file(const Path& path) {
  Descriptor file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  require(file.get() >= 0, "can't read {}: {}", path.string(), reason());
  struct stat status {};
  require(fstat(file.get(), &status) == 0, "can't read {}: {}", path.string(), reason());
  std::string content;
  content.reserve(static_cast<std::size_t>(status.st_size));
  char buffer[1 << 16];
  for (;;) {  // until the end, whatever stat said: /proc files have size 0
    const ssize_t count = read(file.get(), buffer, sizeof buffer);
    if (count < 0 && errno == EINTR) continue;
    require(count >= 0, "can't read {}: {}", path.string(), reason());
    if (count == 0) return content;
    content.append(buffer, static_cast<std::size_t>(count));
  }
}

void require_writable(const Path& folder) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  require(!error, "can't make the folder {}: {}", folder.string(), error.message());
  require(std::filesystem::is_directory(folder, error), "{} is no folder", folder.string());
  const Path probe = aside(folder / ".writable");
  const int descriptor = open(probe.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  require(descriptor >= 0, "can't write into the folder {}: {}", folder.string(), reason());
  close(descriptor);
  unlink(probe.c_str());
}

std::uintmax_t free_bytes(const Path& path) {
  std::error_code error;
  Path existing = std::filesystem::absolute(path);
  while (!std::filesystem::exists(existing, error) && existing.has_relative_path()) existing = existing.parent_path();
  const auto space = std::filesystem::space(existing, error);
  require(!error, "can't tell how much is free at {}: {}", path.string(), error.message());
  return space.available;
}

MappedFile::MappedFile(const Path& path) {
  Descriptor file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  require(file.get() >= 0, "can't read {}: {}", path.string(), reason());
  struct stat status {};
  require(fstat(file.get(), &status) == 0, "can't read {}: {}", path.string(), reason());
  require(S_ISREG(status.st_mode), "can't read {}: it is no regular file", path.string());
  size_ = static_cast<std::size_t>(status.st_size);
  if (size_ == 0) return;  // mmap refuses length 0
  void* address = mmap(nullptr, size_, PROT_READ, MAP_SHARED, file.get(), 0);
  require(address != MAP_FAILED, "can't map {}: {}", path.string(), reason());
  data_ = static_cast<const std::byte*>(address);
}

MappedFile::MappedFile(MappedFile&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}

MappedFile::~MappedFile() {
  if (data_ != nullptr) munmap(const_cast<std::byte*>(data_), size_);
}

std::string hash_hex(std::string_view bytes) {
  const XXH128_hash_t hash = XXH3_128bits(bytes.data(), bytes.size());
  return fmt::format("{:016x}{:016x}", hash.high64, hash.low64);
}

std::uint64_t hash64(std::string_view bytes) {
  return XXH3_64bits(bytes.data(), bytes.size());
}

}  // namespace absorb
