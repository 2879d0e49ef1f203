#include "core/system.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

namespace absorb::system {
namespace {

enum class Fault { none, count, fail, cut, kill };

// What ABSORB_FAULT asks for; read once.
class Plan {
 public:
  Plan() {
    const char* text = std::getenv("ABSORB_FAULT");
    const char* colon = text == nullptr ? nullptr : std::strchr(text, ':');
    if (colon == nullptr) return;
    const std::string kind(text, colon);
    file_ = colon + 1;
    fault_ = kind == "fail" ? Fault::fail : kind == "short" ? Fault::cut : kind == "kill" ? Fault::kill : Fault::none;
    if (kind == "count") fault_ = Fault::count;
    at_ = std::strtol(colon + 1, nullptr, 10);
  }
  ~Plan() {
    if (fault_ != Fault::count) return;
    if (std::FILE* out = std::fopen(file_.c_str(), "w")) {
      std::fprintf(out, "%ld\n", calls_.load());
      std::fclose(out);
    }
  }
  Plan(const Plan&) = delete;
  Plan& operator=(const Plan&) = delete;

  // Whether this call is the one that goes wrong. A short write is followed by one that fails, as on a full disk.
  Fault next() {
    if (fault_ == Fault::none) return Fault::none;
    const long call = ++calls_;
    if (fault_ == Fault::cut && call == at_ + 1) return Fault::fail;
    if (call != at_) return Fault::none;
    if (fault_ == Fault::kill) std::raise(SIGKILL);
    return fault_;
  }

 private:
  Fault fault_ = Fault::none;
  long at_ = 0;
  std::string file_;
  std::atomic<long> calls_{0};
};

Fault next() {
  static Plan plan;
  return plan.next();
}

bool goes_wrong(int error) {
  const Fault fault = next();
  if (fault != Fault::fail && fault != Fault::cut) return false;
  errno = error;
  return true;
}

}  // namespace

int open(const char* path, int flags, unsigned mode) {
  if (goes_wrong((flags & O_ACCMODE) == O_RDONLY ? EIO : ENOSPC)) return -1;
  return ::open(path, flags | O_CLOEXEC | O_NONBLOCK, mode);
}

ssize_t read(int descriptor, void* to, std::size_t size) {
  return goes_wrong(EIO) ? -1 : ::read(descriptor, to, size);
}

ssize_t write(int descriptor, const void* from, std::size_t size) {
  const Fault fault = next();
  if (fault == Fault::cut) return ::write(descriptor, from, size == 0 ? 0 : 1);
  if (fault == Fault::fail) {
    errno = ENOSPC;
    return -1;
  }
  return ::write(descriptor, from, size);
}

int fsync(int descriptor) {
  return goes_wrong(EIO) ? -1 : ::fsync(descriptor);
}

int rename(const char* from, const char* to) {
  return goes_wrong(ENOSPC) ? -1 : ::rename(from, to);
}

int unlink(const char* path) {
  return goes_wrong(EIO) ? -1 : ::unlink(path);
}

int mkdir(const char* path, unsigned mode) {
  return goes_wrong(ENOSPC) ? -1 : ::mkdir(path, mode);
}

void* map(int descriptor, std::size_t size) {
  if (goes_wrong(ENOMEM)) return nullptr;
  void* address = ::mmap(nullptr, size, PROT_READ, MAP_SHARED, descriptor, 0);
  return address == MAP_FAILED ? nullptr : address;
}

}  // namespace absorb::system
