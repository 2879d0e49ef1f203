#include "studies/folder/claim.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <ctime>

#include "core/error.h"
#include "studies/folder/paths.h"

namespace absorb {
namespace {

// A worker of another host, whose lock a file system may not show us, counts as dead after this many seconds.
constexpr double stale_after = 300;

// Nothing where there is none, or none that can be read: whether a worker lives is for its lock to say.
std::optional<ClaimRecord> read_claim(const Path& folder) {
  const Path file = folder / "claim.json";
  if (!std::filesystem::exists(file)) return std::nullopt;
  try {
    return read_record<ClaimRecord>(file);
  } catch (const UserError&) {
    return std::nullopt;  // perhaps removed between the two calls: its worker has finished
  }
}

bool lives_elsewhere(const std::optional<ClaimRecord>& claim) {
  if (!claim || claim->host == host_name()) return false;
  return std::difftime(std::time(nullptr), claim->heartbeat) < stale_after;
}

int open_lock(const Path& folder, bool create) {
  return ::open((folder / "claim.lock").c_str(), O_RDWR | O_CLOEXEC | (create ? O_CREAT : 0), 0644);
}

}  // namespace

std::optional<Claim> Claim::take(const Path& folder) {
  std::filesystem::create_directories(folder);
  const int descriptor = open_lock(folder, true);
  require(descriptor >= 0, "{}: can't be written", folder.string());
  if (::flock(descriptor, LOCK_EX | LOCK_NB) != 0 || lives_elsewhere(read_claim(folder))) {
    ::close(descriptor);
    return std::nullopt;
  }
  Claim claim(folder, descriptor);
  claim.write({});
  return claim;
}

Claim::Claim(Claim&& other) noexcept
    : folder_(std::move(other.folder_)), descriptor_(std::exchange(other.descriptor_, -1)), last_(other.last_) {}

Claim::~Claim() {
  if (descriptor_ < 0) return;
  std::error_code ignored;
  std::filesystem::remove(folder_ / "claim.json", ignored);
  ::close(descriptor_);
}

void Claim::beat(const ClaimProgress& progress) {
  const auto now = std::chrono::steady_clock::now();
  if (now - last_ < std::chrono::seconds(1)) return;
  last_ = now;
  write(progress);
}

void Claim::write(const ClaimProgress& progress) {
  write_record(folder_ / "claim.json", ClaimRecord{host_name(), ::getpid(), std::time(nullptr), progress});
}

std::optional<ClaimRecord> live_claim(const Path& folder) {
  std::optional<ClaimRecord> claim = read_claim(folder);
  if (!claim || lives_elsewhere(claim)) return claim;
  const int descriptor = open_lock(folder, false);
  if (descriptor < 0) return std::nullopt;
  const bool held = ::flock(descriptor, LOCK_EX | LOCK_NB) != 0;
  ::close(descriptor);
  return held ? claim : std::nullopt;
}

}  // namespace absorb
