#include "studies/folder/claim.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <ctime>
#include <map>
#include <mutex>
#include <stop_token>
#include <thread>

#include "core/error.h"
#include "core/system.h"
#include "studies/folder/paths.h"

namespace absorb {
namespace {

// A worker of another host, whose lock a file system may not show us, counts as dead after this many seconds.
// (ABSORB_STALE_AFTER says otherwise: for tests, and where hosts are known to come and go.)
double stale_after() {
  const char* text = std::getenv("ABSORB_STALE_AFTER");
  const double stated = text == nullptr ? 0 : std::strtod(text, nullptr);
  return stated > 0 ? stated : 300;
}
// Clocks of hosts may differ by this many seconds without anyone minding.
constexpr double skew = 30;

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

// Whether a heartbeat that lies in our future still moves: its host's clock is ahead, and only our own says how long
// ago it last changed.
bool still_beats(const Path& folder, int64_t heartbeat) {
  using Clock = std::chrono::steady_clock;
  struct Seen {
    int64_t heartbeat = 0;
    Clock::time_point since;
  };
  static std::mutex mutex;
  static std::map<std::string, Seen> seen;
  const std::lock_guard lock(mutex);
  Seen& last = seen[folder.string()];
  if (last.heartbeat != heartbeat) last = {heartbeat, Clock::now()};
  return std::chrono::duration<double>(Clock::now() - last.since).count() < stale_after();
}

bool lives_elsewhere(const Path& folder, const std::optional<ClaimRecord>& claim) {
  if (!claim || claim->host == host_name()) return false;
  const double age = std::difftime(std::time(nullptr), claim->heartbeat);
  return age < -skew ? still_beats(folder, claim->heartbeat) : age < stale_after();
}

int open_lock(const Path& folder, bool create) {
  return system::open((folder / "claim.lock").c_str(), O_RDWR | (create ? O_CREAT : 0));
}

}  // namespace

// A thread of its own says that the worker lives, since what comes after the last step may take long: evaluation,
// deployments, matched random routers.
struct Claim::Held {
  Held(Path where, int lock) : folder(std::move(where)), descriptor(lock) {
    write({});
    thread = std::jthread([this](const std::stop_token& stop) { keep_beating(stop); });
  }
  ~Held() {
    thread.request_stop();
    wake.notify_all();
    thread.join();
    std::error_code ignored;
    std::filesystem::remove(folder / "claim.json", ignored);
    ::close(descriptor);
  }
  Held(const Held&) = delete;
  Held& operator=(const Held&) = delete;

  void write(const ClaimProgress& now) {
    progress = now;
    last = std::chrono::steady_clock::now();
    write_record(folder / "claim.json", ClaimRecord{host_name(), ::getpid(), std::time(nullptr), progress});
  }

  void keep_beating(const std::stop_token& stop) {
    std::unique_lock lock(mutex);
    while (!stop.stop_requested()) {
      wake.wait_for(lock, stop, beat_every, [] { return false; });
      if (stop.stop_requested() || std::chrono::steady_clock::now() - last < beat_every) continue;
      try {
        write(progress);
      } catch (const UserError&) {
        continue;  // a full disk is for the run itself to report
      }
    }
  }

  const std::chrono::duration<double> beat_every{stale_after() / 20};
  Path folder;
  int descriptor;
  std::mutex mutex;  // of what follows
  std::condition_variable_any wake;
  ClaimProgress progress;
  std::chrono::steady_clock::time_point last = {};
  std::jthread thread;
};

std::optional<Claim> Claim::take(const Path& folder) {
  make_folder(folder);
  const int descriptor = open_lock(folder, true);
  require(descriptor >= 0, "{}: can't be written", folder.string());
  if (::flock(descriptor, LOCK_EX | LOCK_NB) != 0 || lives_elsewhere(folder, read_claim(folder))) {
    ::close(descriptor);
    return std::nullopt;
  }
  try {
    remove_asides(folder, true);  // of those before us, who are dead
    return Claim(std::make_unique<Held>(folder, descriptor));
  } catch (...) {
    ::close(descriptor);
    throw;
  }
}

Claim::Claim(std::unique_ptr<Held> held) : held_(std::move(held)) {}
Claim::Claim(Claim&&) noexcept = default;
Claim::~Claim() = default;

void Claim::beat(const ClaimProgress& progress) {
  const std::lock_guard lock(held_->mutex);
  held_->progress = progress;
  if (std::chrono::steady_clock::now() - held_->last < std::chrono::seconds(1)) return;
  held_->write(progress);
}

std::optional<ClaimRecord> live_claim(const Path& folder) {
  std::optional<ClaimRecord> claim = read_claim(folder);
  if (!claim || lives_elsewhere(folder, claim)) return claim;
  const int descriptor = open_lock(folder, false);
  if (descriptor < 0) return std::nullopt;
  const bool held = ::flock(descriptor, LOCK_EX | LOCK_NB) != 0;
  ::close(descriptor);
  return held ? claim : std::nullopt;
}

}  // namespace absorb
