#include "router/loss.h"

namespace absorb {

void fields(Fields& list, LossSettings& settings) {
  list.field("coefficient", settings.coefficient, {0, 1e6}, "Factor of this loss; 0 switches it off.");
  list.field("reach", settings.reach, {"all", "router"},
             "Whether its gradient reaches all parameters or the router's own alone.");
}

LossSettings common_settings(const Typed& loss) {
  const Json& table = loss.table.value();
  return {table.at("coefficient"), table.at("reach")};
}

}  // namespace absorb
