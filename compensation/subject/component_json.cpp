#include "compensation/subject/component_json.h"
#include "core/text/json.h"

namespace absorb {

Json json_of(const Component& component) {
  return {component.layer, std::string(to_string(component.part)), component.index};
}

Component component_from(const Json& json) {
  return {whole_number(json.at(0)), component_from_string(json.at(1).get<std::string>()).part,
          whole_number(json.at(2))};
}

Json json_of(const std::vector<Component>& components) {
  Json list = Json::array();
  for (const Component& component : components) list.push_back(json_of(component));
  return list;
}

}  // namespace absorb
