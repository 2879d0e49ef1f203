// A worker claims a run before it touches it, so that several processes, on one machine or on several over a shared
// file system, work through one study and every run is finished exactly once.
#pragma once

#include <memory>
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

  /// Says how far this worker is; writes at most once a second. That it lives is said every 15 s without it.
  void beat(const ClaimProgress& progress);

 private:
  struct Held;
  explicit Claim(std::unique_ptr<Held> held);
  std::unique_ptr<Held> held_;
};

/// The claim that a live worker holds on a run. Nothing when nobody works on it.
std::optional<ClaimRecord> live_claim(const Path& folder);

}  // namespace absorb
