// How components are written in files.
#pragma once

#include "core/settings.h"
#include "tensors/parameters.h"

namespace absorb {

/// [layer, part, index]: unlike the printed name it tells the token and the position table apart.
Json json_of(const Component& component);
/// The inverse; throws nlohmann's exceptions or a UserError on anything else.
Component component_from(const Json& json);
Json json_of(const std::vector<Component>& components);

}  // namespace absorb
