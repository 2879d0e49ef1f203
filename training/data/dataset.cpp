#include "training/data/dataset.h"

#include <fmt/format.h>

#include "training/data/source.h"

namespace absorb {

const char* split_name(Split split) {
  return split == Split::train ? "train" : split == Split::valid ? "valid" : "test";
}

Json write_data(const DataSettings& data) {
  return data.table.value();
}

void require_valid(const DataSettings& data) {
  make_source(data)->require_valid();
}

std::vector<std::string> missing_files(const DataSettings& data) {
  return make_source(data)->missing_files();
}

std::shared_ptr<const Dataset> make_dataset(const DataSettings& data, int64_t context, uint64_t seed) {
  return make_source(data)->open(context, seed);
}

std::string in_thousands(int64_t number) {
  std::string text = std::to_string(number);
  for (auto at = static_cast<std::ptrdiff_t>(text.size()) - 3; at > (number < 0 ? 1 : 0); at -= 3)
    text.insert(static_cast<std::size_t>(at), 1, ',');
  return text;
}

}  // namespace absorb
