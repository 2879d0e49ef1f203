// The adapter between a trained run and compensation/: what the measures ask of a subject, answered by a model.
#pragma once

#include <memory>

#include "compensation/subject/subject.h"
#include "studies/plan/plan.h"

namespace absorb {

struct SubjectOptions {
  at::Device device = at::kCPU;
  int64_t batch = 0;  // sequences a step of adaptation; 0: a micro-batch of the run's own
};

/// The weights of a finished run, whose folder must not change while the subject lives. Held-out sequences are the
/// whole chunks of the valid text; adaptation reads training batches of a stream of their own. UserError if the run
/// isn't finished.
std::unique_ptr<Subject> make_subject(const RunSpec& run, const SubjectOptions& options);

}  // namespace absorb
