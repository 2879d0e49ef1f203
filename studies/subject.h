// The adapter between a trained run and compensation/: what recovery asks of a subject, answered by a model.
#pragma once

#include <memory>

#include "compensation/subject.h"
#include "studies/live_run.h"

namespace absorb {

/// The weights of the finished run in `folder`, which must not change while the subject lives. Held-out sequences are
/// the whole chunks of the valid text; adaptation reads training batches of a stream of their own.
std::unique_ptr<Subject> make_subject(const Path& folder, at::Device device);

}  // namespace absorb
