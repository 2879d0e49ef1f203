// A subject's losses and adaptations as cells (compensation/measures/cells.h), and what recovery and the component
// graph make of them: damage and recovered damage by sequence. Surprising: a subspace that is no smaller than what is
// trained is no subspace, so that all its draws are one cell.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "compensation/measures/cells.h"
#include "compensation/measures/measurement.h"
#include "compensation/recovery/recovery.h"
#include "compensation/subject/subject.h"

namespace absorb {

/// What MeasureContext::progress is told.
class WorkProgress {
 public:
  WorkProgress(const MeasureContext& context, int64_t total) : context_(context), total_(total) {}
  /// Before a piece of work; also before the parts of one, which then are not counted.
  void next(std::string_view what) const {
    if (context_.progress) context_.progress(what, done_, total_);
  }
  void done(int64_t pieces = 1) { done_ += pieces; }

 private:
  const MeasureContext& context_;
  int64_t total_, done_ = 0;
};

/// Draws 0, 1, ... of a disturbance.
struct DrawnDisturbance {
  std::vector<Component> components;
  double dose = 1;
  int64_t draws = 1;
};

class Adaptations {
 public:
  using Losses = std::optional<std::vector<double>>;               // [sequences] nats per token; absent: not finite
  using Curves = std::optional<std::vector<std::vector<double>>>;  // [steps][sequences]; absent: diverged

  Adaptations(Subject& subject, const Path& cache) : subject_(subject), cells_(cache) {}

  /// From here on `sequences` held-out sequences are read, evenly spread.
  void read(int64_t sequences);
  int64_t sequences() const { return static_cast<int64_t>(examples_.size()); }

  Losses losses(const Disturbance& disturbance);
  Curves adapted(const Disturbance& disturbance, const Adaptation& adaptation);
  /// Losses under the disturbance less those without. UserError where the latter are not finite.
  Losses damage(const Disturbance& disturbance);
  /// [draws]
  std::vector<Losses> damages(const DrawnDisturbance& disturbance);
  /// v(S) by sequence after each of `adaptation.steps`: the damage less what is left of it, less what S gains without
  /// the disturbance. Absent where any of the four losses is not finite. Nothing trained: exactly 0.
  Curves recovered(const Disturbance& disturbance, const Adaptation& adaptation);
  /// Whether every draw of a subspace of this dimension is the whole space.
  bool is_whole(const Adaptation& adaptation) const;

  /// Spent on cells that weren't there.
  double seconds() const { return seconds_; }
  Subject& subject() { return subject_; }

 private:
  Json key(const Disturbance& disturbance) const;
  Subject& subject_;
  Cells cells_;
  std::vector<int64_t> examples_;
  double seconds_ = 0;
};

/// The rows that are there.
DrawRows present(const std::vector<Adaptations::Losses>& rows);
/// Mean over draws and sequences; infinite where a draw has no finite loss.
double mean_damage(const std::vector<Adaptations::Losses>& rows);

struct Capacity {
  int64_t dimension = 0;
  std::vector<int64_t> steps;
  int64_t partition = 0;  // of a group of dealt numbers: which of the partitions that each draw has
};

/// What one group recovers of draws 0, 1, ... of a disturbance, draw d adapting in subspace d.
struct GroupCurves {
  std::vector<GroupRows> by_step;  // [steps]
  std::vector<Diverged> diverged;  // not those draws whose disturbance itself has no finite loss
};
/// `before` is called before each draw.
GroupCurves curves_of(Adaptations& cells, const Group& group, const DrawnDisturbance& disturbance,
                      const Capacity& capacity, const std::function<void(int64_t draw)>& before);

/// UserError naming the layers there are, unless each of `layers` is one.
void require_layers(const Subject& subject, const std::vector<int64_t>& layers);
/// UserError unless steps and dimensions are lists that can be measured.
void require_sensible(const CompensationSettings& settings);
/// "3 adaptations diverged and are left out: module (dimension 256, draw 0), ..."
std::string describe(const std::vector<Diverged>& diverged);

}  // namespace absorb
