#include "core/files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <mutex>
#include <system_error>
#include <utility>
#include <vector>

#include "core/error.h"
#include "core/system.h"

namespace absorb {
namespace {

std::string reason() {
  return std::strerror(errno);
}

/// Unique among processes, threads and hosts: containers over one file system have the same process numbers.
Path aside(const Path& path) {
  return Path(path) += ".tmp." + random_name();
}

bool is_aside(const Path& path) {
  const std::string name = path.filename();
  const std::size_t at = name.rfind(".tmp.");
  return at != std::string::npos && at + 5 < name.size() &&
         name.find_first_not_of("0123456789abcdef-", at + 5) == std::string::npos;
}

/// Makes the rename itself survive a power cut. Some network file systems refuse to sync folders: no error then.
void sync_folder_of(const Path& path) {
  const Path folder = path.has_parent_path() ? path.parent_path() : Path(".");
  const int descriptor = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) return;
  ::fsync(descriptor);
  ::close(descriptor);
}

/// Closes on every way out.
class Descriptor {
 public:
  explicit Descriptor(int descriptor) : descriptor_(descriptor) {}
  ~Descriptor() { close(); }
  Descriptor(Descriptor&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(Descriptor&&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return descriptor_; }
  /// 0 when closing succeeded (a network file system reports a full disk only here).
  int close() { return descriptor_ < 0 ? 0 : ::close(std::exchange(descriptor_, -1)); }

 private:
  int descriptor_;
};

void write_aside(const Path& temporary, const Path& path, const std::function<void(int)>& fill) {
  Descriptor file(system::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC));
  require(file.get() >= 0, "can't write {}: {}", shown(path), reason());
  fill(file.get());
  const bool flushed = system::fsync(file.get()) == 0 && file.close() == 0;  // before reason(), not beside it
  require(flushed, "can't write {}: {}", shown(path), reason());
}

// An open regular file, and what fstat says of it.
Descriptor open_regular(const Path& path, struct stat& status) {
  const int descriptor = system::open(path.c_str(), O_RDONLY);
  require(descriptor >= 0, "can't read {}: {}", shown(path), reason());
  Descriptor file(descriptor);
  if (fstat(descriptor, &status) != 0) user_error("can't read {}: {}", shown(path), reason());
  require(!S_ISDIR(status.st_mode), "can't read {}: it is a folder", shown(path));
  require(S_ISREG(status.st_mode), "can't read {}: it is no regular file", shown(path));
  return file;
}

std::string state_of(const struct stat& status) {
  return fmt::format("{}:{}:{}:{}.{:09}", status.st_dev, status.st_ino, status.st_size, status.st_mtim.tv_sec,
                     status.st_mtim.tv_nsec);
}

// Where maps lie, for the handler of SIGBUS: it may neither allocate nor lock. A map beyond the table's end isn't
// explained, that is all.
struct Mapped {
  std::atomic<const std::byte*> begin{nullptr};
  std::atomic<std::size_t> size{0};
  std::array<char, 512> name{};
};
std::array<Mapped, 64> mapped;

void explain_bus_error(int, siginfo_t* info, void*) {
  const auto* at = static_cast<const std::byte*>(info->si_addr);
  for (const Mapped& map : mapped) {
    const std::byte* begin = map.begin;
    if (begin == nullptr || at < begin || at >= begin + map.size) continue;
    const auto say = [](const char* text) { return ::write(STDERR_FILENO, text, std::strlen(text)) >= 0; };
    if (say("absorb: ") && say(map.name.data())) say(" shrank, or couldn't be read, while it was in use\n");
    ::_exit(2);
  }
  std::signal(SIGBUS, SIG_DFL);  // not ours: the access comes again
}

void note_map(const std::byte* begin, std::size_t size, const Path& path) {
  static std::mutex mutex;
  const std::lock_guard lock(mutex);
  static const bool installed = [] {
    struct sigaction action {};
    action.sa_sigaction = explain_bus_error;
    action.sa_flags = SA_SIGINFO;
    return sigaction(SIGBUS, &action, nullptr) == 0;
  }();
  const auto free = std::ranges::find_if(mapped, [](const Mapped& map) { return map.begin == nullptr; });
  if (!installed || free == mapped.end()) return;
  const std::string name = one_line(path.string()).substr(0, free->name.size() - 1);
  free->name.fill(0);
  std::ranges::copy(name, free->name.begin());
  free->size = size;
  free->begin = begin;
}

void forget_map(const std::byte* begin) {
  const auto found = std::ranges::find_if(mapped, [&](const Mapped& map) { return map.begin == begin; });
  if (found != mapped.end()) found->begin = nullptr;
}

}  // namespace

std::string random_name() {
  static std::atomic<std::uint64_t> count{0};
  std::uint64_t number = 0;
  if (getrandom(&number, sizeof number, 0) != sizeof number) number = static_cast<std::uint64_t>(getpid()) << 32;
  return fmt::format("{:016x}", number + count++);
}

std::string shown(const Path& path) {
  return path.empty() ? "\"\"" : path.string();
}

void write_bytes(int descriptor, std::string_view bytes, const Path& path) {
  while (!bytes.empty()) {
    const ssize_t count = system::write(descriptor, bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) continue;
    require(count >= 0, "can't write {}: {}", shown(path), reason());
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
    const bool renamed = system::rename(temporary.c_str(), path.c_str()) == 0;
    require(renamed, "can't write {}: {}", shown(path), reason());
  } catch (...) {
    ::unlink(temporary.c_str());
    throw;
  }
  sync_folder_of(path);
}

std::string read_file(const Path& path, std::uintmax_t most) {
  struct stat status {};
  const Descriptor file = open_regular(path, status);
  const auto too_large = [&](std::uintmax_t bytes) {
    require(bytes <= most, "can't read {}: it holds more than {} MiB, which no file of its kind does", shown(path),
            most >> 20);
  };
  too_large(static_cast<std::uintmax_t>(status.st_size));
  std::string content;
  content.reserve(static_cast<std::size_t>(status.st_size));
  char buffer[1 << 16];
  for (;;) {  // until the end, whatever stat said: /proc files have size 0
    const ssize_t count = system::read(file.get(), buffer, sizeof buffer);
    if (count < 0 && errno == EINTR) continue;
    require(count >= 0, "can't read {}: {}", shown(path), reason());
    if (count == 0) return content;
    content.append(buffer, static_cast<std::size_t>(count));
    too_large(content.size());
  }
}

void make_folder(const Path& folder) {
  if (folder.empty() || std::filesystem::is_directory(folder)) return;
  make_folder(folder.parent_path());
  const bool made = system::mkdir(folder.c_str()) == 0 || (errno == EEXIST && std::filesystem::is_directory(folder));
  require(made, "can't make the folder {}: {}", shown(folder), reason());
}

void move_path(const Path& from, const Path& to) {
  const bool moved = system::rename(from.c_str(), to.c_str()) == 0;
  require(moved, "can't rename {} to {}: {}", shown(from), shown(to), reason());
  sync_folder_of(to);
}

void remove_tree(const Path& path) {
  std::error_code error;
  const auto is_there = std::filesystem::symlink_status(path, error);
  if (!std::filesystem::exists(is_there)) return;
  // A file goes through the seam; what is in a folder goes by itself.
  if (!std::filesystem::is_directory(is_there)) {
    const bool gone = system::unlink(path.c_str()) == 0 || errno == ENOENT;
    require(gone, "can't remove {}: {}", shown(path), reason());
    return;
  }
  std::filesystem::remove_all(path, error);
  require(!error, "can't remove {}: {}", shown(path), error.message());
}

void remove_asides(const Path& folder, bool of_any_age) {
  std::error_code error;
  const auto old = std::filesystem::file_time_type::clock::now() - std::chrono::hours(1);
  std::vector<Path> found;
  for (std::filesystem::recursive_directory_iterator at(folder, error), end; !error && at != end; at.increment(error)) {
    std::error_code gone;
    if (is_aside(at->path()) && at->is_regular_file(gone) && (of_any_age || at->last_write_time(gone) < old))
      found.push_back(at->path());
  }
  for (const Path& path : found) std::filesystem::remove(path, error);
}

void require_writable(const Path& folder) {
  std::error_code error;
  require(!std::filesystem::exists(folder, error) || std::filesystem::is_directory(folder, error), "{} is no folder",
          shown(folder));
  make_folder(folder);
  const Path probe = aside(folder / ".writable");
  const int descriptor = system::open(probe.c_str(), O_WRONLY | O_CREAT | O_TRUNC);
  require(descriptor >= 0, "can't write into the folder {}: {}", shown(folder), reason());
  ::close(descriptor);
  ::unlink(probe.c_str());
}

std::uintmax_t free_bytes(const Path& path) {
  std::error_code error;
  Path existing = std::filesystem::absolute(path);
  while (!std::filesystem::exists(existing, error) && existing.has_relative_path()) existing = existing.parent_path();
  const auto space = std::filesystem::space(existing, error);
  require(!error, "can't tell how much is free at {}: {}", path.string(), error.message());
  return space.available;
}

MappedFile::MappedFile(const Path& path) : path_(path) {
  struct stat status {};
  const Descriptor file = open_regular(path, status);
  state_ = state_of(status);
  size_ = static_cast<std::size_t>(status.st_size);
  if (size_ == 0) return;  // mmap refuses length 0
  data_ = static_cast<const std::byte*>(system::map(file.get(), size_));
  require(data_ != nullptr, "can't map {}: {}", shown(path), reason());
  note_map(data_, size_, path);
}

MappedFile::MappedFile(MappedFile&& other) noexcept
    : path_(std::move(other.path_)),
      state_(std::move(other.state_)),
      data_(std::exchange(other.data_, nullptr)),
      size_(std::exchange(other.size_, 0)) {}

MappedFile::~MappedFile() {
  if (data_ == nullptr) return;
  forget_map(data_);
  munmap(const_cast<std::byte*>(data_), size_);
}

void MappedFile::require_unchanged() const {
  require(file_state(path_) == state_, "{} changed while it was in use", shown(path_));
}

std::string file_state(const Path& path) {
  struct stat status {};
  return ::stat(path.c_str(), &status) == 0 ? state_of(status) : "";
}

}  // namespace absorb
