// A worker claims a run before it touches it, so that several processes, on one machine or on several over a shared
// file system, work through one study and every run is finished exactly once.
#pragma once

#include <chrono>
#include <optional>

#include "studies/folder/records/claim.h"

namespace absorb {

class Claim {
 public:
  /// Claims the run in `folder`, or nothing when a live worker has it. The claim of a dead one is taken over.
  static std::optional<Claim> take(const Path& folder);
  ~Claim();
  Claim(Claim&&) noexcept;
  Claim(const Claim&) = delete;
  Claim& operator=(const Claim&) = delete;
  Claim& operator=(Claim&&) = delete;

  /// Says that this worker lives and how far it is; writes at most once a second.
  void beat(const ClaimProgress& progress);

 private:
  Claim(Path folder, int descriptor) : folder_(std::move(folder)), descriptor_(descriptor) {}
  void write(const ClaimProgress& progress);
  Path folder_;
  int descriptor_ = -1;
  std::chrono::steady_clock::time_point last_ = {};
};

/// The claim that a live worker holds on a run. Nothing when nobody works on it.
std::optional<ClaimRecord> live_claim(const Path& folder);

}  // namespace absorb
