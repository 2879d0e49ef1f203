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

}  // namespace absorb
